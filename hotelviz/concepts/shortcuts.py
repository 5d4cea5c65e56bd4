"""Suspected shortcuts: concepts that mislead a tagger, of all confusions and all concepts at once.

Rails made pools look like bathrooms. A concept that speaks for the wrong class in most errors of a
confusion, that most photos which are predicted right do not have, and without which half of these
errors are predicted right, is a suspected shortcut: whether it belongs to the class, people say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.concepts.activity import ConceptActivity, as_activity
from hotelviz.concepts.effects import N_RANDOM, jackknife_mean, linear_kernel
from hotelviz.concepts.examples import concept_examples
from hotelviz.concepts.factorisation import Concepts
from hotelviz.errors import ConceptError

#: A suspected shortcut is in at least so many errors of its confusion.
SHORTCUT_ERRORS = 4
#: It is in at least this share of them, in less than this share of the photos of their class that
#: are predicted right, and its removal sets this share of the errors that have it right.
_MOST = 0.5
#: Chance, corrected for all that was tried, is less likely than this.
_CHANCE = 0.05
_COLUMNS = [
    "label", "predicted", "concept", "together", "n_photos", "errors", "right_true",
    "right_predicted", "weight", "chance", "repaired", "random", "difference", "low", "high",
    "p_value", "p_corrected", "suspect",
]  # fmt: skip


def find_shortcuts(
    concepts: Concepts, photos: pd.DataFrame | ConceptActivity, *, seed: int = 0
) -> pd.DataFrame:
    """Test every concept in every confusion, whether it is a shortcut to the wrong class.

    Parameters
    ----------
    concepts
        Of a tagger whose head is global average pooling under one dense layer. About as many as
        there are classes: what finer concepts have in common is then no longer removed with one.
    photos
        As in `contributions`, with ``label``; photos that the model did not learn from.
    seed
        Of the random concepts.

    Returns
    -------
    pandas.DataFrame
        A row per confusion and concept that was tried, what sets most errors right first:
        ``label`` and ``predicted``, the confusion; ``concept``, and ``together``, what is removed:
        a tuple of it and, perhaps, of others (see Notes), which are one in what follows;
        ``n_photos``, errors of the confusion that have the concept, and ``errors``, their share of
        all its errors;
        ``right_true`` and ``right_predicted``, the shares of the photos of either class that are
        predicted right and have it; ``weight``, its share of all that speaks for the wrong class
        rather than the right one in the errors, what no concept holds counted as well (see
        `unexplained_share`); ``repaired``, the share of the errors with it that
        are predicted right once it is removed, and ``random``, once random concepts of the same
        size are; ``difference`` with its 95 % interval over hotels, ``low`` and ``high``, and
        ``p_value``; ``chance``, how likely it is by chance that so many more errors than photos of
        their class that are predicted right have it (Fisher's exact test); ``p_corrected``, both
        corrected for all that was tried (see Notes); and ``suspect``, whether it is a suspected
        shortcut: in most errors, in fewer than half of the photos of their class that are
        predicted right, with half of its errors set right by its removal, all beyond chance (5 %).

    Raises
    ------
    ConceptError
        Another head, or a model that is no tagger.
    CatalogError
        No ``label``.

    See Also
    --------
    shortcut_examples : The errors in which the concepts of one confusion are strongest.
    unexplained_share : How much of the errors no concept holds.
    removal_effects : What is said without a concept, whatever is right; its example is of this
        function, too.

    Notes
    -----
    Tried is each concept in each confusion of at least four errors, where it speaks for the wrong
    class. ``chance`` is corrected for all of these (Holm). Removal is judged of those that pass,
    with at least four errors, and corrected for their number; ``p_corrected`` is the larger of the
    two, and 1 for others. A thing may be in several concepts, so that none that passes sets half of
    its errors right: then these are removed together, in the row of the first; ``chance`` of any of
    them is multiplied by the number of all that was tried (Bonferroni). What few hotels show is
    never sure: of errors in five hotels the p-value is at least 1 in 16.
    """
    from hotelviz.metrics.corrections import holm

    classes, kernel, activity = _checked(concepts, photos, "find_shortcuts")
    random = np.random.default_rng(seed)
    places = concepts.places[random.permutation(len(concepts.places))[:N_RANDOM]] @ kernel
    confusions = list(_confusions(activity, classes))
    table = pd.DataFrame(
        (_row(activity, classes, places, confusion, (concept,))
         for confusion in confusions for concept in _misleading(activity, confusion)),
        columns=_COLUMNS,
    )  # fmt: skip
    common = holm(table["chance"].to_numpy(float))
    judged = _often(table) & (common < _CHANCE)
    for confusion in confusions:
        true, other = (classes[one] for one in confusion[:2])
        rows = table[judged & (table["label"] == true) & (table["predicted"] == other)]
        rows = rows.sort_values("repaired", ascending=False, kind="stable")
        if len(rows) < 2 or rows["repaired"].max() >= _MOST:
            continue
        joint = _row(activity, classes, places, confusion, tuple(rows["concept"]))
        common_of_all = joint["chance"] * len(table)
        if joint["right_true"] < _MOST and common_of_all < _CHANCE:
            table.loc[rows.index[0], list(joint)] = pd.Series(joint)
            common[rows.index[0]] = common_of_all
    table["p_corrected"] = 1.0
    removed = holm(table.loc[judged, "p_value"].to_numpy(float))
    table.loc[judged, "p_corrected"] = np.maximum(common[judged], removed)
    sure = (table["p_corrected"] < _CHANCE) & (table["difference"] > 0)
    table["suspect"] = sure & (table["repaired"] >= _MOST)
    # Of those that set as many right, the weightier one first.
    gained = (table["difference"] * table["n_photos"]).astype(float)
    order = np.lexsort((table["weight"].astype(float), gained))[::-1]
    return table.iloc[order].reset_index(drop=True)


def unexplained_share(concepts: Concepts, photos: pd.DataFrame | ConceptActivity) -> float:
    """Compute how much of what speaks for the wrong classes no concept holds.

    What misleads a tagger can be found only among the concepts. Those that explain the logits of
    all photos need not explain its errors: railings that stand in few photos are in the residual.

    Parameters
    ----------
    concepts, photos
        As in `find_shortcuts`.

    Returns
    -------
    float
        0 to 1, over all confusions of at least four errors: of what speaks for the wrong class
        rather than the right one in each error, the part of the residual. NaN where there is no
        such confusion.

    Raises
    ------
    ConceptError, CatalogError
        As in `find_shortcuts`.

    See Also
    --------
    removal_effects : Its example is of this function, too.
    """
    classes, _, activity = _checked(concepts, photos, "unexplained_share")
    found = [_speaking(activity, *one) for one in _confusions(activity, classes)]
    held = sum(float(np.maximum(speaks, 0).sum()) for speaks, _ in found)
    left = sum(float(rest) for _, rest in found)
    return left / (held + left) if held + left else np.nan


def shortcut_examples(
    concepts: Concepts, photos: pd.DataFrame | ConceptActivity, shortcuts: pd.DataFrame, *,
    n_photos: int = 8,
) -> pd.DataFrame:  # fmt: skip
    """Find the errors of a confusion in which the concepts that were tried are strongest.

    Parameters
    ----------
    concepts, photos
        As in `find_shortcuts`.
    shortcuts
        Rows of `find_shortcuts` of one confusion.
    n_photos
        How many of each concept, at most, one of each hotel.

    Returns
    -------
    pandas.DataFrame
        As of `concept_examples`, the concepts in the order of `shortcuts`.

    Raises
    ------
    ConceptError
        Rows of several confusions.

    See Also
    --------
    hotelviz.plots.concept_sheet : Draws them.
    """
    from hotelviz.models import model_info

    pairs = shortcuts[["label", "predicted"]].drop_duplicates()
    if len(pairs) > 1:
        raise ConceptError(f"shortcut_examples: rows of {len(pairs)} confusions; give those of one")
    activity = as_activity(concepts, photos)
    wrong = np.zeros(len(activity.photos), bool)
    for true, other in pairs.itertuples(index=False):
        number = model_info(concepts.model).classes.index(other)
        wrong = (activity.photos["label"] == true).to_numpy() & (activity.predicted == number)
    found = concept_examples(concepts, activity.take(wrong), n_photos=n_photos)
    order = pd.Index(shortcuts["concept"]).get_indexer(pd.Index(found["concept"]))
    found = found.assign(_order=order)[order >= 0].sort_values("_order", kind="stable")
    table: pd.DataFrame = found.drop(columns="_order").reset_index(drop=True)
    return table


def _often(table: pd.DataFrame) -> np.ndarray:
    """Tell which concepts are in most errors, and in fewer than half of the right photos."""
    often = (table["errors"] >= _MOST) & (table["n_photos"] >= SHORTCUT_ERRORS)
    return (often & (table["right_true"] < _MOST)).to_numpy()


def _misleading(activity: ConceptActivity, confusion: tuple[int, int, np.ndarray]) -> list[int]:
    """Return the concepts of some errors of a confusion that speak for the wrong class."""
    speaks, _ = _speaking(activity, *confusion)
    there = activity.there[confusion[2]].any(axis=0)
    return [int(one) for one in np.flatnonzero((speaks.mean(axis=0) > 0) & there)]


def _row(
    activity: ConceptActivity, classes: list[str], places: np.ndarray,
    confusion: tuple[int, int, np.ndarray], together: tuple[int, ...],
) -> dict[str, Any]:  # fmt: skip
    """Return what is known of concepts, removed together, in a confusion."""
    from scipy.stats import fisher_exact

    true, other, wrong = confusion
    labels, predicted = activity.photos["label"], activity.predicted
    speaks, rest = _speaking(activity, *confusion)
    positive = np.maximum(speaks, 0).sum(axis=0)
    right = [(labels == classes[one]).to_numpy() & (predicted == one) for one in (true, other)]
    has = np.asarray(activity.there[:, together].any(axis=1))
    shares = [float(has[one].mean()) if one.any() else np.nan for one in right]
    counts = [[int(has[one].sum()), int((~has)[one].sum())] for one in (wrong, right[0])]
    return {
        "label": classes[true], "predicted": classes[other], "concept": together[0],
        "together": together, "n_photos": counts[0][0], "errors": float(has[wrong].mean()),
        "right_true": shares[0], "right_predicted": shares[1],
        "weight": float(positive[list(together)].sum() / (positive.sum() + rest)),
        "chance": float(fisher_exact(counts, alternative="greater").pvalue),
        **_removed(activity, wrong & has, together, true, places),
    }  # fmt: skip


def _confusions(
    activity: ConceptActivity, classes: list[str]
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the numbers of both classes of each confusion of enough errors, and which these are."""
    labels = pd.Index(classes).get_indexer(pd.Index(activity.photos["label"]))
    for true, other in np.ndindex(len(classes), len(classes)):
        wrong = (labels == true) & (activity.predicted == other)
        if true != other and wrong.sum() >= SHORTCUT_ERRORS:
            yield true, other, wrong


def _speaking(
    activity: ConceptActivity, true: int, other: int, wrong: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return how much each concept speaks for the wrong class in each error, and all the rest."""
    evidence, rest = activity.evidence[wrong], activity.residual[wrong]
    left = np.maximum(rest[..., other] - rest[..., true], 0).sum()
    return evidence[..., other] - evidence[..., true], float(left)


def _checked(
    concepts: Concepts, photos: pd.DataFrame | ConceptActivity, where: str
) -> tuple[list[str], np.ndarray, ConceptActivity]:
    """Return a tagger's classes, the weights of its head, and the activity in labelled photos."""
    from hotelviz.models import model_info

    info = model_info(concepts.model)
    if info.task != "tagger":
        raise ConceptError(f"{where}: the model is no tagger, but {info.task}")
    kernel, activity = linear_kernel(concepts, where), as_activity(concepts, photos)
    check_table(activity.photos, needs=["label"], where=where, unique=False)
    return list(info.classes), kernel, activity


def _removed(
    activity: ConceptActivity, rows: np.ndarray, together: tuple[int, ...], true: int,
    places: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    """Return how many errors are predicted right without concepts, and without random ones."""
    logits = activity.logits[rows]
    evidence = activity.evidence[rows][:, together].sum(axis=1)
    own = (logits - evidence).argmax(axis=1) == true
    # Together they are no larger than the sum of their sizes.
    size = activity.strength[rows][:, together].sum(axis=1, keepdims=True)
    chance = np.mean([(logits - size * one).argmax(axis=1) == true for one in places], axis=0)
    difference = jackknife_mean(own - chance, activity.photos.loc[rows, "hotel_id"], largest=1.0)
    return {"repaired": float(own.mean()), "random": float(chance.mean()), **difference}
