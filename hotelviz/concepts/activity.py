"""Concepts in photos: how strong they are, where, and what they are worth to each output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.attribution.targets import (
    Target,
    fill_predicted,
    softmax,
    target_value,
    target_weights,
)
from hotelviz.catalog import check_table
from hotelviz.concepts.choice import residual_share
from hotelviz.concepts.coefficients import coefficients
from hotelviz.concepts.factorisation import Concepts
from hotelviz.concepts.head import split
from hotelviz.concepts.sample import iterate_features
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A concept is in a photo where a place has at least this share of what is usual for it.
_THERE = 0.5
#: Nodes of the quadrature along the way from the bias to the logits.
_NODES = 24
#: What is known of each photo, by row.
_BY_PHOTO = ("strength", "peak", "cell", "logits", "evidence", "residual", "bias")


class ConceptActivity(NamedTuple):
    """Concepts in photos.

    Attributes
    ----------
    photos
        The rows of the photos that could be read, counted from 0.
    strength
        float32 (photos, concepts): the mean over a photo's cells.
    peak
        float32 (photos, concepts): that of the strongest cell, as a share of what is usual where
        the concept is.
    cell
        int (photos, concepts): that cell, counted row by row.
    logits
        float32 (photos, outputs).
    evidence
        float32 (photos, concepts, outputs): what each concept adds to each logit.
    residual
        float32 (photos, outputs): what the features that no concept holds add.
    bias
        float32 (photos, outputs): what is left. Logits are evidence, residual and bias, summed.
    skipped
        ``image_id``, ``path`` and ``error`` of the photos that could not be read.
    """

    photos: pd.DataFrame
    strength: NDArray[np.float32]
    peak: NDArray[np.float32]
    cell: NDArray[np.int64]
    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    residual: NDArray[np.float32]
    bias: NDArray[np.float32]
    skipped: pd.DataFrame

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which concepts are in which photos, bool (photos, concepts)."""
        return self.peak >= _THERE

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable output of each photo, by its number."""
        return np.asarray(self.logits.argmax(axis=1))

    def take(self, rows: NDArray[Any]) -> ConceptActivity:
        """Return the activity in some of the photos, by their rows or by a mask."""
        photos = self.photos.loc[rows].reset_index(drop=True)
        by_photo = {name: getattr(self, name)[rows] for name in _BY_PHOTO}
        return self._replace(photos=photos, **by_photo)

    @property
    def error(self) -> float:
        """The largest difference between a logit and the sum of what it is made of."""
        summed = self.evidence.sum(axis=1) + self.residual + self.bias
        return float(np.abs(summed - self.logits).max(initial=0))

    @property
    def residual_share(self) -> float:
        """The mean size of the residual of the largest logit, as a share of that logit's size."""
        return residual_share(self.evidence, self.residual)


def concept_activity(
    concepts: Concepts, photos: pd.DataFrame, *, batch_size: int = 64, progress: bool = True
) -> ConceptActivity:
    """Compute how strong concepts are in photos, also in others than they were found in.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    photos
        With ``path``, and ``image_id`` and ``hotel_id`` where known; other columns are kept.
    batch_size
        Photos per pass; features are not held.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    ConceptActivity

    Raises
    ------
    ConceptError
        No photo can be read.

    See Also
    --------
    contributions : What each concept adds; its example is of this function, too.
    """
    needs = ["image_id", "path", "hotel_id"]
    photos = check_table(photos, needs=needs, where="concept_activity").reset_index(drop=True)
    head, components = concepts.head, concepts.components
    parts: list[tuple[Any, ...]] = []
    errors: dict[int, str] = {}
    for batch in iterate_features(
        concepts.model, head, photos, batch_size=batch_size, progress=progress
    ):
        errors |= batch.errors
        if not len(batch.rows):
            continue
        found = coefficients(batch.features, components, concepts.readers)
        flat = found.reshape(len(found), -1, len(concepts))
        peak = flat.max(axis=1) / np.maximum(concepts.usual, 1e-9)
        own = split(head, batch.features, found, components)
        parts.append((batch.rows, flat.mean(axis=1), peak, flat.argmax(axis=1), batch.logits, *own))
    if not parts:
        raise ConceptError(f"none of the {len(photos)} photos can be read")
    rows, *arrays = (np.concatenate(each) for each in zip(*parts, strict=True))
    read = photos.iloc[rows].reset_index(drop=True)
    skipped = photos.loc[sorted(errors), ["image_id", "path"]]
    skipped = skipped.assign(error=[errors[row] for row in sorted(errors)])
    return ConceptActivity._make([read, *arrays, skipped])


def contributions(
    concepts: Concepts, photos: pd.DataFrame | ConceptActivity, target: Target = None
) -> pd.DataFrame:
    r"""Compute what each concept contributes to a target in each photo.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    photos
        As in `concept_activity`, or what that returned.
    target
        As in `hotelviz.attribution.explain`: a class, a pair of classes, ``"mean_score"`` or
        ``"score>=7"``; None is the predicted class, or the mean score. A list has one for each
        photo that can be read.

    Returns
    -------
    pandas.DataFrame
        A row per photo that can be read, by its ``image_id``: ``concept_0`` and so on,
        ``residual`` (of the features that no concept holds), ``bias`` (the target without any
        feature), ``value`` (what the network says) and ``error``, by how much the sum of all
        differs from it.

    Raises
    ------
    AttributionError
        A class that the model does not know.

    Notes
    -----
    With global average pooling under one dense layer a logit is linear in the features, and the
    contributions are exact (``concepts.exact``). Where the head is another one they are gradients
    at the photo times the concept's part of the features, and the bias is what the gradient leaves:
    a linearisation, which holds for small changes only.

    The mean score, and probabilities, are not linear in the logits. Their slopes are averaged along
    the straight way from the bias to the logits (Aumann and Shapley; integrated gradients,
    Sundararajan et al., ICML 2017), so that contributions still sum to the value; ``error`` says by
    how much not.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.concepts import find_concepts
    >>> from hotelviz.demo import make_demo_catalog
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(8, 5, activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bedroom", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> concepts = find_concepts(small, photos, 3, progress=False)
    >>> activity = concept_activity(concepts, photos, progress=False)
    >>> table = contributions(concepts, activity, "Pool")
    >>> list(table), bool(table["error"].abs().max() < 1e-3)
    (['concept_0', 'concept_1', 'concept_2', 'residual', 'bias', 'value', 'error'], True)
    """
    from hotelviz.models import model_info

    activity = as_activity(concepts, photos)
    n_photos = len(activity.photos)
    weights = target_weights(target, model_info(concepts.model), n_photos)
    weights = fill_predicted(weights, activity.logits)
    slopes = mean_slopes(weights, activity.bias, activity.logits)
    of_concepts = np.einsum("njk,nk->nj", activity.evidence, slopes)
    table = pd.DataFrame(of_concepts, columns=[f"concept_{j}" for j in range(len(concepts))])
    table["residual"] = (activity.residual * slopes).sum(axis=1)
    table["bias"] = target_value(weights, activity.bias.astype("float64"))
    summed = table.sum(axis=1)
    table["value"] = target_value(weights, activity.logits.astype("float64"))
    table["error"] = summed - table["value"]
    return table.set_index(pd.Index(activity.photos["image_id"], name="image_id"))


def as_activity(concepts: Concepts, photos: pd.DataFrame | ConceptActivity) -> ConceptActivity:
    """Return the activity of concepts in photos, computed if it is not given."""
    if not isinstance(photos, ConceptActivity):
        return concept_activity(concepts, photos, progress=False)
    if photos.strength.shape[1] != len(concepts):
        raise ConceptError(
            f"this is the activity of {photos.strength.shape[1]} concepts, not of these "
            f"{len(concepts)}: compute it with concept_activity(concepts, photos)"
        )
    return photos


def mean_slopes(weights: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the slopes of targets by the logits, averaged along the way from `start` to `end`.

    Parameters
    ----------
    weights
        (N, 2, outputs), of `hotelviz.attribution.targets.target_weights`.
    start, end
        Logits (N, outputs).
    """
    nodes, shares = np.polynomial.legendre.leggauss(_NODES)
    begun, way = start.astype("float64"), end.astype("float64") - start
    slopes = weights[:, 0].astype("float64")
    if not weights[:, 1].any():
        return slopes
    for node, share in zip((nodes + 1) / 2, shares / 2, strict=True):
        p = softmax(begun + node * way)
        mean = (p * weights[:, 1]).sum(axis=1, keepdims=True)
        slopes = slopes + share * p * (weights[:, 1] - mean)
    return np.asarray(slopes)
