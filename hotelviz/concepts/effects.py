"""What concepts speak for and against, and whether removing them changes what a network says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.attribution.targets import softmax
from hotelviz.concepts.activity import ConceptActivity, as_activity
from hotelviz.concepts.factorisation import Concepts
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Scores at either end of the scale.
HIGH, LOW = ("8", "9"), ("2", "3")
#: Random concepts that each concept is compared with.
N_RANDOM = 32
_OVER_HOTELS = ("low", "high", "p_value")


def concept_effects(concepts: Concepts, photos: pd.DataFrame | ConceptActivity) -> pd.DataFrame:
    """Compute which classes or scores each concept speaks for and against.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    photos
        As in `contributions`.

    Returns
    -------
    pandas.DataFrame
        A row per concept and class: ``concept``, ``class``, ``evidence`` (what the concept adds to
        the class's logit, less the mean over the classes, which softmax does not see; the mean over
        the photos that are predicted as the class, and of aesthetic models over all), ``share``
        (that, as a share of the size of all that speaks for or against the class in these photos,
        the residual included: the sizes of all shares sum to 1 less the residual's) and
        ``n_photos``. Missing for a class that no photo is predicted as.

    See Also
    --------
    removal_effects : What is said without a concept; its example is of this function, too.
    """
    from hotelviz.models import model_info

    activity = as_activity(concepts, photos)
    info = model_info(concepts.model)
    evidence = activity.evidence - activity.evidence.mean(axis=2, keepdims=True)
    residual = activity.residual - activity.residual.mean(axis=1, keepdims=True)
    rows = []
    for number, name in enumerate(info.classes):
        own = np.ones(len(residual), bool)
        if info.task == "tagger":
            own = activity.predicted == number
        means = np.full(len(concepts), np.nan)
        size = np.nan
        if own.any():
            means = evidence[own, :, number].mean(axis=0)
            size = np.abs(means).sum() + abs(residual[own, number].mean())
        rows.append(pd.DataFrame({
            "concept": range(len(concepts)), "class": name, "evidence": means,
            "share": means / size if size else np.nan, "n_photos": int(own.sum()),
        }))  # fmt: skip
    table = pd.concat(rows, ignore_index=True)
    return table.sort_values("concept", kind="stable").reset_index(drop=True)


def score_ends(concepts: Concepts, photos: pd.DataFrame | ConceptActivity) -> pd.DataFrame:
    """Compute what speaks for the scores 8 and 9, and what for 2 and 3.

    Parameters
    ----------
    concepts
        Of an aesthetic or a technical model.
    photos
        As in `contributions`.

    Returns
    -------
    pandas.DataFrame
        A row per concept, what speaks most for high scores first: ``concept``; ``high`` and
        ``low``, what it adds to the mean logit of 8 and 9, and of 2 and 3, less that of all scores;
        ``pull``, the first less the second; ``points``, what it adds to the mean score (see
        `contributions`). All are means over the photos that the concept is in; ``n_photos`` counts
        them, and where there are none the means are missing.

    Raises
    ------
    ConceptError
        The model is a tagger.

    See Also
    --------
    hotelviz.plots.concept_ends : Draws it.
    """
    from hotelviz.concepts.activity import contributions
    from hotelviz.models import model_info

    info = model_info(concepts.model)
    if info.task == "tagger":
        raise ConceptError(
            "score_ends: the model is a tagger, which has no scores: see concept_effects"
        )
    activity = as_activity(concepts, photos)
    points = contributions(concepts, activity).iloc[:, : len(concepts)].to_numpy()
    evidence = activity.evidence - activity.evidence.mean(axis=2, keepdims=True)
    ends = [evidence[:, :, [info.classes.index(one) for one in end]].mean(axis=2)
            for end in (HIGH, LOW)]  # fmt: skip
    there = activity.there
    table = pd.DataFrame({
        "concept": range(len(concepts)), "high": masked_mean(ends[0], there),
        "low": masked_mean(ends[1], there), "pull": masked_mean(ends[0] - ends[1], there),
        "points": masked_mean(points, there), "n_photos": there.sum(axis=0),
    })  # fmt: skip
    table = table.sort_values("pull", ascending=False, kind="stable", na_position="last")
    return table.reset_index(drop=True)


def removal_effects(
    concepts: Concepts, photos: pd.DataFrame | ConceptActivity, *, seed: int = 0
) -> pd.DataFrame:
    """Test what a network says once a concept is removed from the features.

    Parameters
    ----------
    concepts
        From `find_concepts`, of a head of global average pooling and one dense layer.
    photos
        As in `contributions`.
    seed
        Of the random concepts.

    Returns
    -------
    pandas.DataFrame
        A row per concept: ``concept``; ``n_photos``, photos that it is in; ``change``, the share of
        these whose prediction flips without it, or of aesthetic models the mean change of their
        score; ``random``, the same for random concepts of the same size; ``difference`` with
        ``low`` and ``high``, its 95 % interval over hotels (jackknife), and ``p_value``. Missing
        where the concept is in no photo, or the photos are of fewer than two hotels.

    Raises
    ------
    ConceptError
        The head is another one: what a removed concept would do to it has to be computed by the
        network.

    Notes
    -----
    A concept is removed by taking its part, coefficients times components, out of the features; the
    rest stays. A random concept of the same size is the features of a place drawn at random, scaled
    to the length of what is removed; there are 32 for each concept.

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
    >>> concepts = find_concepts(small, photos, 2, progress=False)
    >>> list(removal_effects(concepts, photos))[:4]
    ['concept', 'n_photos', 'change', 'random']
    >>> from hotelviz.concepts import find_shortcuts, unexplained_share
    >>> find_shortcuts(concepts, photos)["suspect"].any()  # it has learned nothing
    np.False_
    >>> 0 <= unexplained_share(concepts, photos) <= 1
    True
    """
    from hotelviz.models import model_info

    kernel = linear_kernel(concepts, "removal_effects")
    activity = as_activity(concepts, photos)
    task = model_info(concepts.model).task
    says, largest = _Says(task, activity.logits), 1.0 if task == "tagger" else np.inf
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for concept in range(len(concepts)):
        there = activity.there[:, concept]
        row: dict[str, Any] = {"concept": concept, "n_photos": int(there.sum())}
        rows.append(row)
        if not there.any():
            continue
        size = activity.strength[there, concept, None]
        places = concepts.places[random.permutation(len(concepts.places))[:N_RANDOM]]
        own = says.change(there, activity.evidence[there, concept])
        others = np.mean([says.change(there, size * (one @ kernel)) for one in places], axis=0)
        row |= {"change": float(own.mean()), "random": float(others.mean())}
        hotels = activity.photos.loc[there, "hotel_id"]
        row |= jackknife_mean(own - others, hotels, largest=largest, seed=seed)
    columns = ["concept", "n_photos", "change", "random", "difference", "low", "high", "p_value"]
    return pd.DataFrame(rows, columns=columns)


def linear_kernel(concepts: Concepts, where: str) -> np.ndarray:
    """Return what a channel's mean is worth to each logit; refuse other heads."""
    kernel = concepts.head.kernel
    if kernel is None:
        raise ConceptError(
            f"{where}: above {concepts.layer!r} there is more than global average pooling "
            "and one dense layer; leave layer= away, or take a model with such a head"
        )
    return kernel


def jackknife_mean(
    values: np.ndarray, hotels: pd.Series, *, largest: float = np.inf, seed: int = 0
) -> dict[str, float]:
    """Return a mean as ``difference``, with ``low``, ``high`` and ``p_value`` over hotels.

    These are missing where there are fewer than two hotels. No end of the interval is beyond
    `largest`, what a mean can be: of few hotels t-intervals are wide.
    """
    from hotelviz.metrics import jackknife_table

    found = {"difference": float(values.mean()), **dict.fromkeys(_OVER_HOTELS, np.nan)}
    if hotels.nunique() < 2:
        return found
    judged = jackknife_table(
        lambda rows: {"mean": float(values[rows].mean())}, len(values), groups=hotels, seed=seed
    )
    found |= {name: float(judged[name].iloc[0]) for name in _OVER_HOTELS}
    return found | {end: float(np.clip(found[end], -largest, largest)) for end in ("low", "high")}


class _Says:
    """What a network says of photos, and how it changes once something is off its logits."""

    def __init__(self, task: str, logits: NDArray[np.float32]) -> None:
        self.task, self.logits = task, logits.astype("float64")

    def change(self, rows: np.ndarray, removed: np.ndarray) -> np.ndarray:
        """Return whether each prediction flips, 0 or 1; or by how much each score changes."""
        before = self.logits[rows]
        after = before - removed
        if self.task == "tagger":
            return np.asarray(before.argmax(axis=1) != after.argmax(axis=1), float)
        scores = np.arange(1, before.shape[1] + 1)
        return np.asarray((softmax(after) - softmax(before)) @ scores)


def masked_mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return means over the rows where a mask holds, by column; NaN where it holds nowhere."""
    counts = mask.sum(axis=0)
    sums = np.where(mask, values, 0).sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0))
