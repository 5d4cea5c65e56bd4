"""Selective classification: the photos whose tag is too unsure get none.

A photo is *answered* where the probability of its most probable class is at least a threshold, and
otherwise rejected, for a person or for the class ``Other``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import MetricsError
from hotelviz.metrics.calibration import confidence_bins
from hotelviz.metrics.proportions import share_bounds
from hotelviz.scores.predictions import class_probabilities

_Said = TypeVar("_Said", pd.DataFrame, pd.Series)
#: Where the search for a threshold begins: shares of photos answered. Each start costs certainty.
_STARTS = (0.2, 0.4, 0.6, 0.8)


class Threshold(NamedTuple):
    """A confidence from which tags are answered, and what it promises.

    Attributes
    ----------
    value
        The confidence, 0 to 1; NaN where not even the surest photos are right often enough.
    promised
        Whether the wished precision holds on other hotels, with the certainty asked for. Otherwise
        `value` is where it was measured.
    precision
        Share of the photos answered that are right, as measured.
    bound
        What that share is at least, on other hotels.
    answered
        Share of the photos that are answered.
    n_photos, n_hotels
        What it was chosen on.
    """

    value: float
    promised: bool
    precision: float
    bound: float
    answered: float
    n_photos: int
    n_hotels: int


def coverage_accuracy(
    table: pd.DataFrame, *, classes: Sequence[str] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Compute how right a tagger is on the photos of which it is surest, by how many those are.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per photo: ``label``, ``p_<class>`` and, for intervals over hotels, ``hotel_id``. A
        label that the model does not know is never right.
    classes : sequence of str, optional
        The model's; by default those of which there is a column ``p_<class>``.
    level : float, default 0.95
        Of the intervals, one for each row: not of the whole curve at once.

    Returns
    -------
    pandas.DataFrame
        At most 100 rows, from the surest photos to all: ``threshold`` (their lowest confidence),
        ``coverage`` (the share of the photos), ``accuracy`` (of these), ``low``, ``high`` and
        ``n_photos``.

    Raises
    ------
    MetricsError
        Missing labels or probabilities.

    References
    ----------
    El-Yaniv, Wiener: On the Foundations of Noise-free Selective Classification, JMLR 11, 2010.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "b", "a"], "predicted": ["a", "b", "b"],
    ...                      "p_a": [0.9, 0.2, 0.4], "p_b": [0.1, 0.8, 0.6]})
    >>> coverage_accuracy(tags)[["threshold", "coverage", "accuracy"]].round(2)
       threshold  coverage  accuracy
    0        0.9      0.33      1.00
    1        0.8      0.67      1.00
    2        0.6      1.00      0.67
    """
    found = judged_predictions(table, "coverage_accuracy", classes)
    hits, counts, thresholds = _by_hotel(found)
    n_photos = counts.sum(axis=0)
    low, high = share_bounds(hits, counts, (1 - level) / 2)
    return pd.DataFrame(
        {"threshold": thresholds, "coverage": n_photos / len(found),
         "accuracy": hits.sum(axis=0) / n_photos, "low": low, "high": high, "n_photos": n_photos}
    )  # fmt: skip


def threshold_for_precision(
    table: pd.DataFrame,
    precision: float = 0.95,
    *,
    certainty: float = 0.95,
    classes: Sequence[str] | None = None,
) -> Threshold:
    """Choose the confidence from which tags are right as often as wished, on other hotels too.

    From each of four shares of answered photos the search goes on to more photos as long as the
    lower bound of the precision, over hotels, is as wished. The four share the doubt, so that the
    promise holds for the threshold that is chosen, and not only for one chosen beforehand.

    Parameters
    ----------
    table : pandas.DataFrame
        As for `coverage_accuracy`, of photos that the model did not learn from and that are not
        those the threshold is later judged on: validation photos.
    precision : float, default 0.95
        The wished share of right tags among those answered.
    certainty : float, default 0.95
        How often the promise is kept, over validation photos of other hotels.
    classes : sequence of str, optional
        As for `coverage_accuracy`.

    Returns
    -------
    Threshold
        Not `promised` where the photos are too few, or too often wrong.

    Raises
    ------
    MetricsError
        A precision or certainty not between 0 and 1, or photos of a single hotel.

    See Also
    --------
    confident : which photos it answers.

    References
    ----------
    Angelopoulos, Bates, Candès, Jordan, Lei: Learn then Test, 2021, section 2 (fixed sequences
    from several starts). Geifman, El-Yaniv: Selective Classification for Deep Neural Networks,
    NeurIPS 2017.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> sure = random.uniform(0.5, 1, 2000)
    >>> tags = pd.DataFrame({"label": np.where(random.random(2000) < sure, "a", "b"),
    ...                      "p_a": sure, "p_b": 1 - sure, "hotel_id": np.arange(2000) // 20})
    >>> chosen = threshold_for_precision(tags, 0.9)
    >>> chosen.promised, round(chosen.precision, 2), round(chosen.bound, 2)
    (True, 0.93, 0.9)
    """
    for name, value in (("precision", precision), ("certainty", certainty)):
        if not 0 < value < 1:
            raise MetricsError(f"{name}={value}: expected a share between 0 and 1, such as 0.95")
    found = judged_predictions(table, "threshold_for_precision", classes)
    n_hotels = found["hotel"].nunique()
    if n_hotels < 2:
        raise MetricsError(
            f"what holds on other hotels cannot be told from the {len(found)} photos of one hotel: "
            "give photos of several hotels"
        )
    hits, counts, thresholds = _by_hotel(found)
    bounds = share_bounds(hits, counts, (1 - certainty) / len(_STARTS))[0]
    n_photos = counts.sum(axis=0)
    accuracy, coverage = hits.sum(axis=0) / n_photos, n_photos / len(found)
    place = _last_promised(bounds >= precision, coverage)
    promised = place is not None
    if place is None:
        reached = np.flatnonzero(accuracy >= precision)
        place = int(reached[-1]) if len(reached) else None
    if place is None:
        return Threshold(np.nan, False, np.nan, 0.0, 0.0, len(found), n_hotels)
    value, right, bound, share = (
        float(column[place]) for column in (thresholds, accuracy, bounds, coverage)
    )
    return Threshold(value, promised, right, bound, share, len(found), n_hotels)


def confident(
    table: pd.DataFrame, threshold: float, *, classes: Sequence[str] | None = None
) -> pd.Series:
    """Return which photos are answered: those whose confidence reaches a threshold.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``p_<class>``; labels are not needed.
    threshold : float
        From 0 to 1; of NaN no photo is answered.
    classes : sequence of str, optional
        As for `coverage_accuracy`.

    Returns
    -------
    pandas.Series
        Of bool, with the index of `table`. A photo that could not be read is not answered.

    Examples
    --------
    >>> tags = pd.DataFrame({"predicted": ["a", "b"], "p_a": [0.9, 0.4], "p_b": [0.1, 0.6]})
    >>> tags["predicted"].where(confident(tags, 0.8), "Other").to_list()
    ['a', 'Other']
    """
    return class_probabilities(table, classes).max(axis=1) >= threshold


def rejection_figures(
    table: pd.DataFrame, answered: pd.Series, *, classes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compute how many photos are answered and how many of these are right, over hotels.

    Parameters
    ----------
    table : pandas.DataFrame
        As for `coverage_accuracy`.
    answered : pandas.Series
        Of bool, with the index of `table`, from `confident`.
    classes : sequence of str, optional
        As for `coverage_accuracy`.

    Returns
    -------
    pandas.DataFrame
        ``metric`` (share answered, precision of the answered, overall accuracy: without rejection),
        ``value``, ``low``, ``high`` (95 % interval) and ``n_photos``, what the share is of.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "b"], "p_a": [0.9, 0.6], "p_b": [0.1, 0.4]})
    >>> rejection_figures(tags, confident(tags, 0.8))[["metric", "value", "n_photos"]]
                          metric  value  n_photos
    0             share answered    0.5         2
    1  precision of the answered    1.0         1
    2           overall accuracy    0.5         2
    """
    found = judged_predictions(table, "rejection_figures", classes)
    codes, kept = pd.factorize(found["hotel"])[0], answered.loc[found.index].to_numpy(dtype=bool)
    every, right = np.ones(len(found)), found["right"].to_numpy(dtype=float)

    def summed(*columns: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(codes, column) for column in columns], axis=1)

    # Without rejection last: where no answer is wrong, it says how alike a hotel's photos are.
    bounds = [
        share_bounds(summed(kept), summed(every), 0.025),
        share_bounds(summed(right * kept, right), summed(kept, every), 0.025),
    ]
    low, high = (np.concatenate([one[side] for one in bounds]) for side in (0, 1))
    value = [kept.mean(), right[kept].mean() if kept.any() else np.nan, right.mean()]
    names = ["share answered", "precision of the answered", "overall accuracy"]
    n_photos = [len(found), int(kept.sum()), len(found)]
    return pd.DataFrame(
        {"metric": names, "value": value, "low": low, "high": high, "n_photos": n_photos}
    )


def cross_hotels(
    table: pd.DataFrame,
    judge: Callable[[pd.DataFrame, pd.DataFrame], _Said],
    *,
    n_folds: int = 5,
    seed: int = 0,
) -> _Said:
    """Return what is said of each photo by photos of other hotels, where no others are left over.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``hotel_id`` of at least two hotels.
    judge : callable
        Takes the photos to choose by and those to judge, and returns a row for each of the latter,
        with their index.
    n_folds : int, default 5
        The hotels are dealt into so many parts, fewer where there are fewer hotels.
    seed : int, default 0
        Of the dealing.

    Returns
    -------
    pandas.DataFrame or pandas.Series
        The rows of `judge`, in the order of `table`.

    Raises
    ------
    MetricsError
        Photos of a single hotel.

    Examples
    --------
    >>> tags = pd.DataFrame({"hotel_id": ["g", "g", "h"], "score": [1, 3, 9]})
    >>> cross_hotels(tags, lambda others, own: own["score"] - others["score"].mean()).to_list()
    [-8.0, -6.0, 7.0]
    """
    from sklearn.model_selection import GroupKFold

    hotels = check_table(table, needs=["hotel_id"], where="cross_hotels")["hotel_id"]
    if (n_hotels := hotels.nunique()) < 2:
        raise MetricsError(
            f"the {len(table)} photos are of {n_hotels} hotel: what photos of other hotels say of "
            "them needs at least two"
        )
    folds = GroupKFold(min(n_folds, n_hotels), shuffle=True, random_state=seed)
    parts = [judge(table.iloc[a], table.iloc[b]) for a, b in folds.split(table, groups=hotels)]
    said: _Said = pd.concat(parts).loc[table.index]
    return said


def judged_predictions(
    table: pd.DataFrame, where: str, classes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the ``confidence`` of each photo, whether it is ``right``, and its ``hotel``.

    A photo without a hotel is one of its own.
    """
    ids = ["image_id", "hotel_id"] if "image_id" in table else []
    table = check_table(table, needs=["label", *ids], where=where)
    shares = class_probabilities(table, classes)
    if shares.empty:
        raise MetricsError(
            f"{where}: the table has no photos, or no probabilities (columns p_<class>, of each "
            "class that is predicted)"
        )
    found = confidence_bins(shares.to_numpy(), table["label"], shares.columns.to_list()).set_axis(
        table.index
    )
    hotels = table["hotel_id"] if "hotel_id" in table else pd.Series(range(len(table)), table.index)
    return found.assign(hotel=hotels)


def _by_hotel(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return right and answered photos of each hotel at each threshold, and the thresholds.

    The shares of answered photos rise by hundredths; photos that are equally sure go together.
    """
    sure = np.sort(found["confidence"].to_numpy())[::-1]
    steps = np.unique(np.ceil(np.linspace(0.01, 1, 100) * len(sure)).astype(int)) - 1
    thresholds = np.unique(sure[steps])[::-1]
    # The first threshold that a photo reaches.
    places = np.searchsorted(-thresholds, -found["confidence"].to_numpy())
    codes = pd.factorize(found["hotel"])[0]
    shape = (codes.max() + 1, len(thresholds))
    hits, counts = np.zeros(shape), np.zeros(shape, dtype=int)
    np.add.at(counts, (codes, places), 1)
    np.add.at(hits, (codes, places), found["right"].to_numpy(dtype=float))
    return hits.cumsum(axis=1), counts.cumsum(axis=1), thresholds


def _last_promised(kept: np.ndarray, coverage: np.ndarray) -> int | None:
    """Return the last of the places that are reached from a start without a break."""
    last = None
    for start in np.unique(np.searchsorted(coverage, _STARTS)):
        broken = np.flatnonzero(~kept[start:])
        end = start + (broken[0] if len(broken) else len(kept) - start) - 1
        last = int(end) if end >= start else last
    return last
