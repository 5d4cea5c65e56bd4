"""Find concepts: parts of a feature map that add up, by non-negative matrix factorisation."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.concepts.choice import chosen, judged
from hotelviz.concepts.coefficients import coefficients, error_readers
from hotelviz.concepts.head import Head, find_head
from hotelviz.concepts.nmf import Metric, factorised, head_metric
from hotelviz.concepts.sample import Sample, draw_sample
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    import keras

#: How many concepts are tried where none is asked for.
N_CONCEPTS = (6, 8, 12, 16, 24)
#: Photos all of whose cells are looked at, to see how much of their logits concepts explain.
_WHOLE = 160
#: Places of photos that stand for what is no concept in particular.
_PLACES = 64
#: The coefficient that is a concept's usual one where it is: this quantile over all places.
_USUAL = 0.995


@dataclasses.dataclass(frozen=True, eq=False)
class Concepts:
    """Concepts of a layer of a model; `find_concepts` finds them.

    Attributes
    ----------
    model : keras.Model
        Whose they are.
    layer : str
        Whose features they are parts of.
    components : numpy.ndarray of shape (n_concepts, n_channels)
        float32, from 0, each of length 1; the weightiest concept first.
    readers : numpy.ndarray of shape (n_concepts, n_channels)
        What features are multiplied with when they are split into concepts: components times the
        metric in which errors are measured.
    usual : numpy.ndarray of shape (n_concepts,)
        How much of each concept is in a cell that shows it.
    places : numpy.ndarray of shape (n_places, n_channels)
        Features of places drawn at random, each of length 1: what concepts are compared with.
    choice : pandas.DataFrame
        ``n_concepts``, ``stability`` and ``residual`` of the numbers that were tried; of the one
        that was asked for, where one was.
    n_photos : int
        That they were found in.
    names : mapping of int to str
        What a person calls them.

    See Also
    --------
    find_concepts : Finds them.
    """

    model: keras.Model
    layer: str
    components: np.ndarray
    readers: np.ndarray
    usual: np.ndarray
    places: np.ndarray
    choice: pd.DataFrame
    n_photos: int
    names: Mapping[int, str] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.components)

    def __repr__(self) -> str:
        return f"<{len(self)} concepts of {self.layer}, found in {self.n_photos:,} photos>"

    @property
    def head(self) -> Head:
        """What stands above the layer."""
        return find_head(self.model, self.layer)

    @property
    def exact(self) -> bool:
        """Whether contributions are exact: the head is linear in what each channel's mean is."""
        return self.head.kernel is not None

    @property
    def hash(self) -> str:
        """The hash of the concepts: names belong to these, and to no others."""
        content = np.ascontiguousarray(self.components, "float32").tobytes()
        return hashlib.sha256(f"{self.layer} ".encode() + content).hexdigest()[:16]

    def name(self, concept: int) -> str:
        """Return what a person calls a concept, or its number."""
        return self.names.get(concept) or f"concept {concept}"


def find_concepts(
    model: keras.Model,
    photos: pd.DataFrame,
    n_concepts: int | None = None,
    *,
    layer: str | None = None,
    head_of: keras.Model | None = None,
    candidates: Sequence[int] = N_CONCEPTS,
    max_cells: int = 16_000,
    batch_size: int = 64,
    seed: int = 0,
    progress: bool = True,
) -> Concepts:
    r"""Find the parts that the features of photos are made of.

    Each cell of a feature map is a sum of non-negative parts, :math:`f(x, y) \approx \sum_j
    c_j(x, y) \, v_j`: what occurs in many photos, in more or less the same mixture of channels,
    becomes one concept :math:`v_j`.

    Parameters
    ----------
    model
        A tagger, an aesthetic or a technical model.
    photos
        With ``path``, and ``image_id`` and ``hotel_id`` where known. Some thousands are enough. Of
        one class only, concepts are those of that class.
    n_concepts
        How many; None chooses among `candidates`: the fewest whose residual is at most 10 % of the
        logit on other hotels, of those whose concepts are found again in the other half of the
        hotels (median cosine of matched pairs 0.8); where none explains as much, the stable one
        that explains most, and where none is stable, the most stable.
    layer
        Whose features, by name; None takes what is averaged under the head, or else the last
        convolution. They may not be negative.
    head_of
        The model whose head says what counts, instead of `model`'s own: for a network whose head
        has learned nothing, the one that was trained from it (see `match_concepts`).
    candidates
        Numbers to choose from.
    max_cells
        Cells that are held in memory, the same number of each photo at random places; 16,000 of
        1,024 channels are 66 MB.
    batch_size
        Photos per pass.
    seed
        Of the sample, the halves and the factorisation.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    Concepts
        The weightiest first: by what they contribute to the logits.

    Raises
    ------
    ConceptError
        A layer with negative features or without any, fewer photos than concepts, or no photo that
        can be read.
    ModelError
        A layer that is not there, or has no height and width.
    CatalogError
        A column that is missing.

    Notes
    -----
    Errors are measured as the head sees them: each channel by the norm of its weights, less the
    mean over the outputs, which softmax does not see; and, of a head that is global average pooling
    under one dense layer, what a cell speaks for and against is factorised with its channels and
    counts more than these. Without that, fewer concepts are found again on other hotels, and they
    leave more of each logit. Components are found by scikit-learn's `MiniBatchNMF`, coefficients by
    non-negative least squares on them, for any photos.

    References
    ----------
    Lee, Seung: Learning the parts of objects by non-negative matrix factorization, Nature 1999.
    Zhang et al.: Invertible concept-based explanations (ICE), AAAI 2021. Fel et al.: CRAFT, CVPR
    2023, arXiv 2211.10154.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(8, 5, activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bedroom", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> concepts = find_concepts(small, photos, 3, progress=False)
    >>> len(concepts), concepts.components.shape, concepts.exact
    (3, (3, 8), True)
    """
    from sklearn.exceptions import ConvergenceWarning

    needs = ["image_id", "path", "hotel_id"]
    photos = check_table(photos, needs=needs, where="find_concepts").reset_index(drop=True)
    asked = [n_concepts] if n_concepts is not None else sorted(set(candidates))
    if not asked or min(asked) < 1 or max_cells < 1 or batch_size < 1:
        raise ConceptError(
            f"n_concepts={n_concepts}, candidates={tuple(candidates)}, max_cells={max_cells} and "
            f"batch_size={batch_size}: each must be at least 1"
        )
    head = find_head(model, layer)
    counts = find_head(head_of, head.layer) if head_of is not None else head
    if counts.features.shape[-1] != head.features.shape[-1]:
        raise ConceptError(
            f"layer {head.layer!r} has {head.features.shape[-1]} channels, and in head_of "
            f"{counts.features.shape[-1]}: that has to be a model that was trained from this one"
        )
    cells = int(np.prod(head.features.shape[1:3]))
    n_whole = min(_WHOLE, max(8, max_cells // cells))
    sample = draw_sample(
        model, head, photos, max_cells=max_cells, n_whole=n_whole, batch_size=batch_size, seed=seed,
        progress=progress,
    )  # fmt: skip
    if not sample.cells.any():
        raise ConceptError(
            f"no cell of layer {head.layer!r} is active in these {sample.n_photos} photos: is the "
            "model trained, and is its value range that of its pixels?"
        )
    fewest = min(sample.n_photos, sample.cells.shape[1])
    if n_concepts is not None and n_concepts > fewest:
        raise ConceptError(
            f"{n_concepts} concepts were asked for, of {sample.n_photos} photos and "
            f"{sample.cells.shape[1]} channels: give more photos, or ask for at most {fewest}"
        )
    asked = [n for n in asked if n <= fewest] or [fewest]
    metric = head_metric(counts, sample.cells)
    with warnings.catch_warnings():
        # It is stopped after so many passes; how good it is then, `judged` measures.
        warnings.simplefilter("ignore", ConvergenceWarning)
        choice = judged(counts, sample, metric, asked, seed)
        components = factorised(sample.cells, metric, chosen(choice), seed)
    return _ordered(model, counts, sample, components, metric, choice, seed)


def _ordered(
    model: keras.Model,
    head: Head,
    sample: Sample,
    components: np.ndarray,
    metric: Metric,
    choice: pd.DataFrame,
    seed: int,
) -> Concepts:
    readers = error_readers(components, *metric)
    found = coefficients(sample.cells, components, readers)
    worth = found.mean(axis=0)
    if head.kernel is not None:
        of_outputs = components @ head.kernel
        worth = worth * np.linalg.norm(of_outputs - of_outputs.mean(axis=1, keepdims=True), axis=1)
    order = np.argsort(-worth, kind="stable")
    places = sample.cells[np.random.default_rng(seed).permutation(len(sample.cells))]
    places = places[places.any(axis=1)][:_PLACES]
    usual = np.quantile(found, _USUAL, axis=0)
    usual = np.where(usual > 0, usual, found.max(axis=0))
    return Concepts(
        model, head.layer, components[order], readers[order], usual[order].astype("float32"),
        places / np.linalg.norm(places, axis=1, keepdims=True), choice, sample.n_photos,
    )  # fmt: skip
