"""Conformal prediction: sets of classes that hold the true one as often as wished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError, check_choice
from hotelviz.metrics.proportions import share_bounds
from hotelviz.metrics.rejection import judged_predictions
from hotelviz.scores.predictions import class_probabilities


class ConformalSets(NamedTuple):
    """Sets of classes, and what they were calibrated by.

    Attributes
    ----------
    sets
        Whether each class is in the set of each photo: bool, a column per class, with the index of
        the photos.
    quantile
        The score up to which a class is in the set.
    n_photos, n_hotels
        Of the calibration.
    """

    sets: pd.DataFrame
    quantile: float
    n_photos: int
    n_hotels: int


def hotels_for_coverage(coverage: float) -> int:
    """Return of how many hotels calibration photos have to be, for sets of a coverage.

    Examples
    --------
    >>> hotels_for_coverage(0.95), hotels_for_coverage(0.9)
    (19, 9)
    """
    if not 0 < coverage < 1:
        raise MetricsError(f"coverage={coverage}: expected a share between 0 and 1, such as 0.95")
    return math.ceil(round(coverage / (1 - coverage), 6))


def conformal_sets(
    calibration: pd.DataFrame,
    table: pd.DataFrame,
    *,
    coverage: float = 0.95,
    score: Literal["lac", "aps"] = "lac",
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> ConformalSets:
    """Return for each photo the classes among which the true one is, as often as wished.

    Photos of one hotel are alike, so that hotels, and not photos, are exchangeable: each hotel of
    the calibration weighs the same, and one more, the new hotel, is taken to be all wrong. Then a
    photo of a new hotel has its class in its set at least as often as `coverage`, whatever the
    model. That holds over hotels and classes together, not for each class.

    Parameters
    ----------
    calibration : pandas.DataFrame
        ``label``, ``p_<class>`` and ``hotel_id`` of photos that the model did not learn from.
    table : pandas.DataFrame
        ``p_<class>`` of photos of other hotels; labels are not needed.
    coverage : float, default 0.95
        How often the true class is to be in the set.
    score : {"lac", "aps"}, default "lac"
        By what classes are admitted. ``lac``: by their probability, which makes the smallest sets;
        they may be empty, of photos unlike all classes. ``aps``: by the probability of all that
        are more probable, so that hard photos have larger sets, and rare classes are held more
        often.
    classes : sequence of str, optional
        As for `hotelviz.metrics.coverage_accuracy`.
    seed : int, default 0
        ``aps`` draws how much of its own probability a class counts.

    Returns
    -------
    ConformalSets

    Raises
    ------
    MetricsError
        Calibration photos of too few hotels, or with labels that are none of the classes.

    See Also
    --------
    conformal_figures : how often sets hold the label, and how large they are.

    References
    ----------
    Lee, Barber, Willett: Distribution-free Inference with Hierarchical Data, 2023, section 3 (the
    weights). Sadinle, Lei, Wasserman: Least Ambiguous Set-Valued Classifiers, JASA 2019 (``lac``).
    Romano, Sesia, Candès: Classification with Valid and Adaptive Coverage, NeurIPS 2020 (``aps``).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> sure = random.uniform(0.5, 1, 400)
    >>> tags = pd.DataFrame({"label": np.where(random.random(400) < sure, "a", "b"),
    ...                      "p_a": sure, "p_b": 1 - sure, "hotel_id": np.arange(400) // 10})
    >>> found = conformal_sets(tags[:200], tags[200:], coverage=0.9)
    >>> found.n_hotels, found.sets.sum(axis=1).value_counts().to_dict()
    (20, {2: 101, 1: 99})
    """
    check_choice(score, ("lac", "aps"), "score", MetricsError)
    needed = hotels_for_coverage(coverage)
    found = judged_predictions(calibration, "conformal_sets", classes)
    codes, hotels = pd.factorize(found["hotel"])
    if len(hotels) < needed:
        raise MetricsError(
            f"a coverage of {coverage:g} on other hotels needs calibration photos of at least "
            f"{needed} hotels; there are {len(hotels)}: give photos of more, or wish for at most "
            f"{math.floor(1000 * len(hotels) / (len(hotels) + 1)) / 1000:g}"
        )
    shares = class_probabilities(calibration, classes)
    names = shares.columns.to_list()
    labels = pd.Index(names).get_indexer(pd.Index(calibration["label"].astype("str")))
    if len(unknown := calibration["label"][labels < 0]):
        raise MetricsError(
            f"{len(unknown)} of {len(labels)} calibration photos have a label that is none of the "
            f"model's classes, first {unknown.iloc[0]!r}: no set can hold it. Leave them out, or "
            "reject by a threshold (threshold_for_precision)"
        )
    random = np.random.default_rng(seed)
    scores = _scores(shares.to_numpy(dtype=float), score, random)[np.arange(len(labels)), labels]
    # One hotel more, the new one, is taken to score worst.
    weights = 1 / (np.bincount(codes)[codes] * (len(hotels) + 1))
    order = np.argsort(scores)
    place = np.searchsorted(weights[order].cumsum(), coverage - 1e-9)
    quantile = float(scores[order][place]) if place < len(scores) else np.inf
    judged = class_probabilities(table, names)
    admitted = _scores(judged.to_numpy(dtype=float), score, random) <= quantile
    sets = pd.DataFrame(admitted, judged.index, names)
    return ConformalSets(sets, quantile, len(labels), len(hotels))


def conformal_figures(
    table: pd.DataFrame, sets: pd.DataFrame, *, by: Literal["label", "size"] = "label"
) -> pd.DataFrame:
    """Compute how often sets hold the label, and how many classes they hold.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``label`` and, for intervals over hotels, ``hotel_id``.
    sets : pandas.DataFrame
        Those of `ConformalSets`, with the index of `table`.
    by : {"label", "size"}, default "label"
        What a row is of.

    Returns
    -------
    pandas.DataFrame
        A row per label, or per number of classes in the set, and ``all photos`` at the end:
        ``n_photos``, ``share`` (of all photos), ``coverage`` with ``low`` and ``high`` (95 %
        interval over hotels), and ``mean_size``.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "b"]})
    >>> sets = pd.DataFrame({"a": [True, True], "b": [False, True]})
    >>> conformal_figures(tags, sets)[["n_photos", "coverage", "mean_size"]]
                n_photos  coverage  mean_size
    a                  1       1.0        1.0
    b                  1       1.0        2.0
    all photos         2       1.0        1.5
    """
    labels = table.loc[sets.index, "label"].astype("str")
    columns = pd.Index(sets.columns).get_indexer(pd.Index(labels))
    held = np.where(columns < 0, False, sets.to_numpy()[np.arange(len(sets)), columns])
    sizes = sets.sum(axis=1)
    groups = labels if by == "label" else sizes
    hotels = table.loc[sets.index, "hotel_id"] if "hotel_id" in table else range(len(sets))
    codes = pd.factorize(pd.Series(list(hotels)))[0]
    names = sorted(groups.unique())
    chosen = np.stack([*((groups == name).to_numpy() for name in names), np.ones(len(sets))])
    counts = np.stack([np.bincount(codes, row) for row in chosen], axis=1)
    hits = np.stack([np.bincount(codes, row * held) for row in chosen], axis=1)
    low, high = share_bounds(hits, counts, 0.025)
    n_photos = counts.sum(axis=0).astype(int)
    return pd.DataFrame(
        {"n_photos": n_photos, "share": n_photos / len(sets), "coverage": hits.sum(0) / n_photos,
         "low": low, "high": high, "mean_size": chosen @ sizes.to_numpy() / n_photos},
        index=pd.Index([*names, "all photos"]),
    )  # fmt: skip


def _scores(shares: np.ndarray, score: str, random: np.random.Generator) -> np.ndarray:
    """Return how little each class fits each photo (n_photos, n_classes)."""
    if score == "lac":
        return np.asarray(1 - shares)
    order = np.argsort(-shares, axis=1)
    ranked = np.take_along_axis(shares, order, axis=1)
    fits = ranked.cumsum(axis=1) - random.random((len(shares), 1)) * ranked
    scores: np.ndarray = np.empty_like(fits)
    np.put_along_axis(scores, order, fits, axis=1)
    return scores
