"""How the figures of a model change from one delivery of photos to the next."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError
from hotelviz.metrics.classification import calibration_figure, class_figures, judged_photos
from hotelviz.metrics.comparison import RECALL, judged_differences
from hotelviz.metrics.drift import hotels_of
from hotelviz.metrics.jackknife import Figures, jackknife_table
from hotelviz.metrics.ratings import score_figures
from hotelviz.metrics.two_samples import TwoSamples
from hotelviz.schema import RATINGS, SCORE_SHARES

#: How the distance of a number and of a text is called in conditions.
DISTANCES = {True: "ks", False: "tv"}


def figure_changes(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    margin: float = 0.02,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the figures of one model on two deliveries of photos, each with its truth.

    Parameters
    ----------
    reference, current : pandas.DataFrame
        Of a tagger ``label``, ``predicted`` and ``p_<class>``; of an aesthetic model ``rating_1``
        to ``rating_10`` and ``q_1`` to ``q_10``; and, for intervals over hotels, ``hotel_id``.
        Photos without truth or prediction are left out.
    margin : float, default 0.02
        The smallest difference that matters; 0 to 1.
    level : float, default 0.95
        Of intervals and tests.
    seed : int, default 0
        For more than 200 hotels, which are left out several at a time.

    Returns
    -------
    pandas.DataFrame
        The figures of `hotelviz.metrics.Comparison`: ``old`` of the reference, ``new`` of the other
        delivery. The photos are others, so that their difficulty is part of the difference.

    Raises
    ------
    MetricsError
        A delivery without photos that have truth and predictions, or photos of one hotel only.

    Examples
    --------
    >>> tags = pd.DataFrame({"hotel_id": np.arange(40) // 2, "label": ["Pool", "Foyer"] * 20,
    ...                      "p_Pool": [0.9, 0.2] * 20, "p_Foyer": [0.1, 0.8] * 20})
    >>> worse = tags.assign(hotel_id=tags["hotel_id"] + 20, p_Pool=[0.9, 0.6] * 20,
    ...                     p_Foyer=[0.1, 0.4] * 20)
    >>> figure_changes(tags, worse)[["metric", "old", "new"]].values.tolist()[0]
    ['top-1 accuracy', 1.0, 0.5]
    """
    truth = "label" if SCORE_SHARES[0] not in reference else RATINGS[0]
    sides = []
    for which, table in (("reference", reference), ("current", current)):
        if truth not in table:
            raise MetricsError(f"the {which} delivery has no column {truth!r}: nothing to judge by")
        said = [name for name in ("predicted", SCORE_SHARES[0]) if name in table]
        own = table[table[[truth, *said]].notna().all(axis=1)].reset_index(drop=True)
        if own.empty:
            raise MetricsError(f"no photo of the {which} delivery has both truth and a prediction")
        sides.append(own)
    hotels = pd.concat([hotels_of(one) for one in sides], ignore_index=True)
    known = np.arange(len(hotels)) < len(sides[0])
    if truth != "label":
        figures = [score_figures(one, one[list(SCORE_SHARES)].to_numpy(float), 5.0)[0]
                   for one in sides]  # fmt: skip
        rows = [_changed(figures, np.ones(len(hotels), bool), known, hotels, level, seed)]
        return judged_differences(pd.concat(rows, ignore_index=True), margin, level)
    judged = [judged_photos(one, None, where="figure_changes") for one in sides]
    right = np.concatenate([one.true == one.predicted for one in judged])
    true = np.concatenate([one.true for one in judged])
    rows = []
    for kind in (class_figures, calibration_figure):
        figures = [kind(one) for one in judged]
        rows.append(_changed(figures, np.ones(len(hotels), bool), known, hotels, level, seed))
    for name in np.intersect1d(judged[0].true, judged[1].true):
        mine = true == name
        if hotels[mine].nunique() < 2:
            continue
        of_class = [_recall(f"{RECALL}{name}", right[mine & side]) for side in (known, ~known)]
        rows.append(_changed(of_class, mine, known, hotels, level, seed))
    return judged_differences(pd.concat(rows, ignore_index=True), margin, level)


def _recall(name: str, right: np.ndarray) -> Figures:
    return lambda rows: {name: float(right[rows].mean())}


def _changed(
    figures: list[Figures],
    chosen: np.ndarray,
    known: np.ndarray,
    hotels: pd.Series,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Return figures of both deliveries and their differences, over the hotels of some photos."""
    side, own = known[chosen], hotels[chosen]
    n_known = int(side.sum())
    values = [one(np.arange(n)) for one, n in
              zip(figures, (n_known, len(side) - n_known), strict=True)]  # fmt: skip

    def difference(rows: np.ndarray) -> dict[str, float]:
        parts = rows[rows < n_known], rows[rows >= n_known] - n_known
        if not all(map(len, parts)):
            return dict.fromkeys(values[0], np.nan)
        was, now = (one(part) for one, part in zip(figures, parts, strict=True))
        return {name: now[name] - was[name] for name in was}

    table = jackknife_table(difference, len(side), groups=own, level=level, seed=seed)
    table = table.rename(columns={"value": "difference"}).drop(columns="n_groups")
    table.insert(1, "old", list(values[0].values()))
    table.insert(2, "new", list(values[1].values()))
    return table.assign(n_photos=len(side), n_hotels=own.nunique())


def drift_figures(
    columns: pd.DataFrame,
    classifier: TwoSamples | None = None,
    changes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return all figures of two deliveries that conditions may be about.

    Parameters
    ----------
    columns : pandas.DataFrame
        From `column_drift` or `score_drift`.
    classifier : TwoSamples, optional
        From `classifier_test`.
    changes : pandas.DataFrame, optional
        From `figure_changes`.

    Returns
    -------
    pandas.DataFrame
        As `judge_conditions` takes it: ``metric`` (``c2st``, ``ks <number>``, ``tv <text>``, and
        the figures of a model by their names), ``difference`` (the distance or the accuracy itself;
        of figures of a model, the current less the reference), ``low``, ``high``,
        ``standard_error``, ``chance`` (what it is where nothing differs), ``n_photos``,
        ``n_hotels``.

    Examples
    --------
    >>> photos = pd.DataFrame({"hotel_id": np.arange(80) // 2, "tones": np.arange(80) % 9})
    >>> from hotelviz.metrics import column_drift
    >>> figures = drift_figures(column_drift(photos, photos))
    >>> figures[["metric", "difference"]].values.tolist()
    [['ks tones', 0.0]]
    """
    kept = ["metric", "difference", "low", "high", "standard_error", "n_photos", "n_hotels"]
    names = [f"{DISTANCES[ordered]} {name}" for name, ordered in
             zip(columns["column"], columns["ordered"], strict=True)]  # fmt: skip
    rows = columns.assign(metric=names, difference=columns["distance"])
    parts = [rows.assign(n_photos=columns["n_reference"] + columns["n_current"])[kept]]
    if classifier is not None:
        values = ("c2st", *classifier[:4], classifier.n_photos, classifier.n_hotels)
        parts.insert(0, pd.DataFrame([values], columns=kept))
    if changes is not None:
        parts.append(changes[kept])
    table = pd.concat([one.astype({"n_hotels": object}) for one in parts], ignore_index=True)
    return table.assign(chance=np.where(table["metric"] == "c2st", 0.5, 0.0))
