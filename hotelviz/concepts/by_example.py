"""A concept by example: photos that a person chose are a direction in the feature space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.attribution.targets import Target, fill_predicted, target_gradient, target_weights
from hotelviz.catalog import check_table
from hotelviz.concepts.head import Head, find_head
from hotelviz.concepts.sample import iterate_features
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    import keras

#: Photos that examples are told from, as a multiple of them, and at least.
_TIMES, _AT_LEAST = 3, 60
#: Hotels of examples at least, so that the probe can be judged on other hotels.
_HOTELS = 3
_FOLDS = 5
#: How strongly the probe's weights are held at zero, of features of deviation 1.
_PENALTY = 100.0


class ExampleConcept(NamedTuple):
    """What `concept_by_example` found.

    Attributes
    ----------
    direction
        float64 (channels,), of length 1: towards the examples, in the means of the layer's
        channels.
    accuracy
        Of the probe, on examples and other photos of hotels that it did not see: the mean of the
        shares of either that it tells rightly; 0.5 is chance.
    p_accuracy
        How often sets of photos drawn at random are told from others as rightly.
    effect
        What one standard deviation more along the direction adds to the target; the mean over the
        photos.
    p_value
        How often the effect of sets drawn at random is as large, for or against.
    positive
        The share of photos whose target grows along the direction (the TCAV score).
    n_examples, n_hotels
        How many examples could be read, and of how many hotels.
    random
        ``accuracy`` and ``effect`` of each random set.
    """

    direction: np.ndarray
    accuracy: float
    p_accuracy: float
    effect: float
    p_value: float
    positive: float
    n_examples: int
    n_hotels: int
    random: pd.DataFrame


def concept_by_example(
    model: keras.Model,
    examples: pd.DataFrame | str | os.PathLike[str],
    photos: pd.DataFrame,
    target: Target = None,
    *,
    layer: str | None = None,
    n_random: int = 40,
    batch_size: int = 64,
    seed: int = 0,
    progress: bool = True,
) -> ExampleConcept:
    """Test whether what some photos have in common speaks for a target.

    Parameters
    ----------
    model
        A tagger, an aesthetic or a technical model.
    examples
        Photos that show the concept, some dozens of several hotels: rows of a catalogue, such as a
        gallery's selection, with ``path``, and ``image_id`` and ``hotel_id`` where known; or a
        folder of photos.
    photos
        Other photos, with the same columns, from which random sets are drawn, and in which the
        effect is measured. Examples among them are left out.
    target
        As in `hotelviz.attribution.explain`, one for all photos; None is each photo's predicted
        class, or the mean score.
    layer
        By name; None takes what is averaged under the head, or else the last convolution.
    n_random
        Sets of photos drawn at random, each of as many hotels and photos of each as the examples:
        photos of a hotel are alike, and sets of single photos would be told apart less easily.
    batch_size, seed, progress
        As in `find_concepts`.

    Returns
    -------
    ExampleConcept

    Raises
    ------
    ConceptError
        Examples of fewer than three hotels, or other photos of fewer than the examples.

    Notes
    -----
    Every set is told from other photos by ridge regression on the means of the layer's
    channels, and judged on hotels left out (five folds). With *n* random sets no p is less than 1 /
    (n + 1).

    References
    ----------
    Kim et al.: Interpretability beyond feature attribution: quantitative testing with concept
    activation vectors (TCAV), ICML 2018, arXiv 1711.11279.

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
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=8, size=(96, 128))
    >>> pools = photos[photos["label"] == "Pool"]
    >>> found = concept_by_example(small, pools, photos, "Pool", n_random=3, progress=False)
    >>> found.n_examples == len(pools), bool(0.25 <= found.p_value <= 1)
    (True, True)
    """
    if n_random < 1:
        raise ConceptError(f"significance takes random sets, not n_random={n_random}")
    head = find_head(model, layer)
    needs = ["image_id", "path", "hotel_id"]
    pool = check_table(photos, needs=needs, where="concept_by_example")
    own = check_table(_listed(examples), needs=needs, where="concept_by_example")
    pool = pool[~pool["image_id"].isin(own["image_id"]) & ~pool["path"].isin(own["path"])]
    table = pd.concat([own[needs], pool[needs]], ignore_index=True)
    seen = _seen(model, head, table, target, batch_size, progress)
    is_example = seen.rows < len(own)
    hotels = table["hotel_id"].to_numpy()[seen.rows]
    n_hotels = len(set(hotels[is_example]))
    others = np.flatnonzero(~is_example)
    if n_hotels < _HOTELS or len(set(hotels[others])) < n_hotels:
        raise ConceptError(
            f"examples of {n_hotels} hotels, and other photos of {len(set(hotels[others]))}: give "
            f"examples of at least {_HOTELS}, and others of at least as many"
        )
    random = np.random.default_rng(seed)
    sizes = pd.Series(hotels[is_example]).value_counts().tolist()
    found = _probed(seen, np.flatnonzero(is_example), others, hotels, random)
    drawn = []
    for _ in range(n_random):
        chosen = _random_set(others, hotels, sizes, random)
        rest = np.setdiff1d(others, chosen)
        drawn.append(_probed(seen, chosen, rest, hotels, random))
    chance = pd.DataFrame(
        {"accuracy": [one.accuracy for one in drawn], "effect": [one.effect for one in drawn]}
    )
    return ExampleConcept(
        found.direction, found.accuracy, _p(chance["accuracy"], found.accuracy), found.effect,
        _p(chance["effect"].abs(), abs(found.effect)), found.positive, int(is_example.sum()),
        n_hotels, chance,
    )  # fmt: skip


class _Seen(NamedTuple):
    """Photos that could be read: their places, mean features, and slopes of the target by them."""

    rows: np.ndarray
    features: np.ndarray
    slopes: np.ndarray


class _Probe(NamedTuple):
    direction: np.ndarray
    accuracy: float
    effect: float
    positive: float


def _listed(examples: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    from hotelviz.images import SUFFIXES

    if isinstance(examples, pd.DataFrame):
        return examples
    folder = Path(examples)
    if not folder.is_dir():
        raise ConceptError(f"{folder}: no folder of photos")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    names = [file.relative_to(folder).as_posix() for file in files]
    # The photos' own names, so that none of them is taken for one of the catalogue's.
    return pd.DataFrame({
        "image_id": [f"example: {name}" for name in names], "path": [str(file) for file in files],
    })  # fmt: skip


def _seen(
    model: keras.Model, head: Head, table: pd.DataFrame, target: Target, batch_size: int,
    progress: bool,
) -> _Seen:  # fmt: skip
    from hotelviz.models import model_info

    info = model_info(model)
    rows, features, slopes = [], [], []
    for batch in iterate_features(model, head, table, batch_size=batch_size, progress=progress):
        if not len(batch.rows):
            continue
        weights = fill_predicted(target_weights(target, info, len(batch.rows)), batch.logits)
        of_logits = target_gradient(weights, batch.logits)
        if head.kernel is not None:
            slope = of_logits @ head.kernel.T
        else:
            gradients = head.gradients(batch.features).sum(axis=(2, 3))
            slope = np.einsum("knc,nk->nc", gradients, of_logits)
        rows.append(batch.rows)
        features.append(batch.features.mean(axis=(1, 2)))
        slopes.append(slope)
    if not rows:
        raise ConceptError(f"none of the {len(table)} photos can be read")
    return _Seen(*map(np.concatenate, (rows, features, slopes)))


def _random_set(
    rows: np.ndarray, hotels: np.ndarray, sizes: list[int], random: np.random.Generator
) -> np.ndarray:
    """Draw hotels, and as many photos of each as the examples have of theirs, where it has them."""
    names = random.permutation(np.unique(hotels[rows]))[: len(sizes)]
    drawn = [
        random.permutation(rows[hotels[rows] == name])[:size]
        for name, size in zip(names, sizes, strict=True)
    ]
    return np.concatenate(drawn)


def _probed(
    seen: _Seen,
    own: np.ndarray,
    others: np.ndarray,
    hotels: np.ndarray,
    random: np.random.Generator,
) -> _Probe:
    """Tell photos from others, judge that on hotels left out, and see what it is to the target."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    others = random.permutation(others)[: max(_TIMES * len(own), _AT_LEAST)]
    rows = np.concatenate([own, others])
    features, truth = seen.features[rows], np.arange(len(rows)) < len(own)
    scale = np.maximum(features.std(axis=0), 1e-6)
    scaled = (features - features.mean(axis=0)) / scale
    probe = RidgeClassifier(alpha=_PENALTY, class_weight="balanced")
    folds = StratifiedGroupKFold(min(_FOLDS, len(set(hotels[own]))))
    said = cross_val_predict(probe, scaled, truth, groups=hotels[rows], cv=folds)
    accuracy = np.mean([(said == truth)[truth == kind].mean() for kind in (True, False)])
    direction = np.ravel(probe.fit(scaled, truth).coef_) / scale
    direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
    slopes = seen.slopes @ direction
    spread = float((seen.features @ direction).std())
    return _Probe(
        direction, float(accuracy), float(slopes.mean()) * spread, float((slopes > 0).mean())
    )


def _p(chance: pd.Series, found: float) -> float:
    return float((1 + (chance >= found).sum()) / (1 + len(chance)))
