"""Whether a new model is better than the old one on the same photos, or it cannot be told."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels
from hotelviz.errors import MetricsError
from hotelviz.metrics.classification import (
    JudgedPhotos,
    calibration_figure,
    class_figures,
    judged_photos,
)
from hotelviz.metrics.corrections import holm
from hotelviz.metrics.jackknife import Figures, jackknife_table
from hotelviz.metrics.proportions import share_interval
from hotelviz.metrics.ratings import score_figures
from hotelviz.metrics.required import required_photos, without_flips
from hotelviz.schema import RATINGS, SCORE_SHARES
from hotelviz.scores.predictions import class_columns

#: Figures of which less is better.
LESS_IS_BETTER = ("expected calibration error", "EMD", "mean |CDF difference|", "RMSE of the mean")
#: How the name of a figure of one class begins.
RECALL = "recall "


class Change(enum.StrEnum):
    """What a comparison says of a figure."""

    BETTER = "better"
    WORSE = "worse"
    #: The interval holds 0 and nothing as large as the margin.
    NONE = "no measurable difference"
    #: The interval holds both 0 and differences that would matter.
    TOO_FEW = "not enough photos"


class Flip(enum.StrEnum):
    """What became of a photo from the old model to the new one."""

    RIGHT = "wrong to right"
    WRONG = "right to wrong"
    OTHERWISE = "wrong in another way"


class Comparison(NamedTuple):
    """Two models on the same photos.

    Attributes
    ----------
    figures
        A row per figure: ``metric`` (those of one class are called ``recall <class>``), ``old``,
        ``new``, ``difference`` (new less old), ``low`` and ``high`` (its interval over hotels),
        ``standard_error``, ``p_value`` and ``p_corrected`` (that there is none; over classes after
        Holm), ``change`` (see `Change`), ``n_photos`` and ``n_hotels`` that have such,
        ``required`` (photos with which a difference of ``to_find`` would be found in 8 of 10 cases)
        and ``to_find``: the margin, or less where that many photos could not tell. Where no photo
        of a class flipped, ``required`` are those that would leave room for less than ``to_find``.
    photos
        A row per photo that both judged: ``image_id``, ``hotel_id``; of taggers ``label``,
        ``predicted_old``, ``predicted_new``, ``probability_old``, ``probability_new`` (of the true
        class) and ``flip`` (see `Flip`; missing where nothing flipped); of aesthetic models
        ``score_old``, ``score_new``.
    n_old_only, n_new_only
        Photos that only one side has.
    left_out
        Class -> how many photos were left out because not both models know it.
    """

    figures: pd.DataFrame
    photos: pd.DataFrame
    n_old_only: int
    n_new_only: int
    left_out: dict[str, int]


def compare_taggers(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    margin: float = 0.02,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two taggers by their predictions for the same photos.

    Parameters
    ----------
    old, new : pandas.DataFrame
        ``image_id``, ``label``, ``predicted`` (by default the most probable class), ``p_<class>``
        and, for intervals over hotels, ``hotel_id``. Labels and hotels are the old table's.
    margin : float, default 0.02
        The smallest difference that matters, for `Change`; 0 to 1.
    level : float, default 0.95
        Of intervals and tests.
    seed : int, default 0
        For more than 200 hotels, which are left out several at a time.

    Returns
    -------
    Comparison

    Raises
    ------
    MetricsError
        No photo that both have, no class that both know, no ``image_id``, photos of one hotel only.

    Examples
    --------
    >>> tags = pd.DataFrame({"image_id": list("abcd"), "hotel_id": list("hijk"),
    ...                      "label": ["Pool", "Pool", "Foyer", "Foyer"],
    ...                      "p_Pool": [0.9, 0.8, 0.4, 0.2], "p_Foyer": [0.1, 0.2, 0.6, 0.8]})
    >>> worse = tags.assign(p_Pool=[0.9, 0.3, 0.4, 0.2], p_Foyer=[0.1, 0.7, 0.6, 0.8])
    >>> found = compare_taggers(tags, worse)
    >>> found.figures[["metric", "change"]].iloc[0].tolist()
    ['top-1 accuracy', 'not enough photos']
    >>> found.photos.dropna(subset="flip")[["image_id", "flip"]].values.tolist()
    [['b', 'right to wrong']]
    """
    old, new, only = _paired(old, new, needs=["label"])
    old, new, left_out = _shared_classes(old, new)
    before, after = (judged_photos(table, None, where="compare_taggers") for table in (old, new))
    sides = [_together(class_figures(side), calibration_figure(side)) for side in (before, after)]
    right = [side.predicted == before.true for side in (before, after)]
    # One model twice does not differ; that two agree on few photos of a class says little.
    same = before.shares.equals(after.shares) and (before.predicted == after.predicted).all()
    parts = [_compared(sides[0], sides[1], old, level=level, seed=seed)]
    for name in np.unique(before.true):
        mine = before.true == name
        one, other = (_mean(f"{RECALL}{name}", side[mine]) for side in right)
        part = _compared(one, other, old[mine], level=level, seed=seed, all_photos=False)
        if not same and part["standard_error"].item() == 0 and part["difference"].item() == 0:
            hotels = old["hotel_id" if knows_hotels(old) else "image_id"][mine]
            most = 1 - share_interval(np.ones(int(mine.sum())), groups=hotels, level=level).low
            part = part.assign(low=-most, high=most)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    photos = old[[name for name in ("image_id", "hotel_id", "path", "label") if name in old]]
    was, now = right
    differs = ~was & ~now & (before.predicted != after.predicted)
    flip = pd.Series(None, index=photos.index, dtype=object)
    flip[~was & now] = Flip.RIGHT.value
    flip[was & ~now] = Flip.WRONG.value
    flip[differs] = Flip.OTHERWISE.value
    photos = photos.assign(
        predicted_old=before.predicted, predicted_new=after.predicted,
        probability_old=_probability(before), probability_new=_probability(after), flip=flip,
    )  # fmt: skip
    return Comparison(
        judged_differences(table, margin, level), photos.reset_index(drop=True), *only, left_out
    )


def compare_aesthetics(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    margin: float = 0.02,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two aesthetic models by their predictions for the same rated photos.

    Parameters
    ----------
    old, new : pandas.DataFrame
        ``image_id``, ``rating_1`` to ``rating_10`` (the old table's count), ``q_1`` to ``q_10``
        and, for intervals over hotels, ``hotel_id``.
    margin, level, seed
        As in `compare_taggers`.

    Returns
    -------
    Comparison

    Raises
    ------
    MetricsError
        No photo that both have, no ``image_id``, fewer than two rated photos, one hotel only.

    Examples
    --------
    >>> shares = np.eye(10)[[2, 4, 7, 8]]
    >>> table = pd.DataFrame(np.hstack([shares, shares]), columns=[*RATINGS, *SCORE_SHARES])
    >>> table = table.assign(image_id=list("abcd"), hotel_id=list("hijk"))
    >>> compare_aesthetics(table, table).figures.set_index("metric").loc["SRCC", "change"]
    'no measurable difference'
    """
    needs = [*RATINGS, *SCORE_SHARES]
    old, new, only = _paired(old, new, needs=needs, of_both=list(SCORE_SHARES))
    sides = [score_figures(old, side[list(SCORE_SHARES)].to_numpy(float), 5.0)[0]
             for side in (old, new)]  # fmt: skip
    table = _compared(sides[0], sides[1], old, level=level, seed=seed)
    means = [side[list(SCORE_SHARES)].to_numpy(float) @ np.arange(1, 11) for side in (old, new)]
    photos = old[[name for name in ("image_id", "hotel_id", "path") if name in old]]
    photos = photos.assign(score_old=means[0], score_new=means[1]).reset_index(drop=True)
    return Comparison(judged_differences(table, margin, level), photos, *only, {})


def _paired(
    old: pd.DataFrame, new: pd.DataFrame, *, needs: Sequence[str], of_both: Sequence[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[int, int]]:
    """Return both tables with the same photos in the same order, and how many only one has."""
    for name, table, wanted in (("old", old, needs), ("new", new, of_both)):
        missing = [column for column in ("image_id", *wanted) if column not in table]
        if missing:
            raise MetricsError(f"the {name} table has no column {missing[0]!r}")
        if table["image_id"].duplicated().any():
            twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
            raise MetricsError(f"the {name} table has the photo {twice!r} more than once")
    known = old[old[list(needs)].notna().all(axis=1)]
    shared = known["image_id"][known["image_id"].isin(new["image_id"])]
    if shared.empty:
        raise MetricsError(
            f"no photo is in both tables: {len(known):,} that are judged in the old one, "
            f"{len(new):,} in the new one; were they made from the same catalogue?"
        )
    only = (len(known) - len(shared), int((~new["image_id"].isin(old["image_id"])).sum()))
    both = [table.set_index("image_id").loc[shared].reset_index() for table in (known, new)]
    # The truth, and whose photo it is, is one table's.
    own = [name for name in (*needs, "hotel_id") if name in both[0] and name not in of_both]
    both[1] = both[1].drop(columns=own, errors="ignore").assign(**{n: both[0][n] for n in own})
    return both[0], both[1], only


def _shared_classes(
    old: pd.DataFrame, new: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Leave out what not both models know: photos of such classes, and their probabilities."""
    known = [class_columns(table) for table in (old, new)]
    shared = [name for name in known[0] if name in known[1]]
    if not shared:
        raise MetricsError(
            f"no class that both models know: the old one has {', '.join(known[0])}, the new one "
            f"{', '.join(known[1])}"
        )
    kept = old["label"].isin(shared)
    left_out = old.loc[~kept, "label"].value_counts()
    if not kept.any():
        raise MetricsError(f"no photo of a class that both models know: {', '.join(shared)}")
    tables = []
    for table, columns in zip((old, new), known, strict=True):
        others = [column for name, column in columns.items() if name not in shared]
        mine = table[kept].drop(columns=others).reset_index(drop=True)
        if others:  # What was predicted may be a class that is no longer there.
            shares = mine[[columns[name] for name in shared]]
            mine["predicted"] = np.array(shared, object)[shares.to_numpy(float).argmax(axis=1)]
        tables.append(mine)
    return tables[0], tables[1], {str(name): int(n) for name, n in left_out.items()}


def _together(*parts: Figures) -> Figures:
    return lambda rows: {name: value for part in parts for name, value in part(rows).items()}


def _mean(name: str, values: np.ndarray) -> Figures:
    return lambda rows: {name: float(values[rows].mean())}


def _compared(
    old: Figures,
    new: Figures,
    photos: pd.DataFrame,
    *,
    level: float,
    seed: int,
    all_photos: bool = True,
) -> pd.DataFrame:
    """Return figures of both models and their differences, over the hotels of these photos."""
    every = np.arange(len(photos))
    before, after = old(every), new(every)

    def difference(rows: np.ndarray) -> dict[str, float]:
        was = old(rows)
        return {name: value - was[name] for name, value in new(rows).items()}

    groups = photos["hotel_id"] if knows_hotels(photos) else photos["image_id"]
    if all_photos or groups.nunique() > 1:
        table = jackknife_table(difference, len(photos), groups=groups, level=level, seed=seed)
    else:  # A class that one hotel alone has.
        unknown = dict.fromkeys(("low", "high", "standard_error", "p_value"), np.nan)
        table = pd.Series(difference(every)).rename_axis("metric").reset_index(name="value")
        table = table.assign(n_groups=1, **unknown)
    table = table.rename(columns={"value": "difference"}).drop(columns="n_groups")
    table.insert(1, "old", list(before.values()))
    table.insert(2, "new", list(after.values()))
    return table.assign(n_photos=len(photos), n_hotels=groups.nunique())


def judged_differences(table: pd.DataFrame, margin: float, level: float) -> pd.DataFrame:
    """Correct the tests over classes, and say of each figure what follows."""
    if not 0 < margin < 1:
        raise MetricsError(f"margin={margin!r}: expected a difference between 0 and 1")
    table["p_corrected"] = table["p_value"]
    classes = table["metric"].str.startswith(RECALL) & table["p_value"].notna()
    table.loc[classes, "p_corrected"] = holm(table.loc[classes, "p_value"].to_numpy())
    sign = np.where(table["metric"].isin(LESS_IS_BETTER), -1, 1)
    sure = table["p_corrected"] < 1 - level
    within = (table["low"] > -margin) & (table["high"] < margin)
    table["change"] = np.select(
        [sure & (table["difference"] * sign > 0), sure, within],
        [Change.BETTER.value, Change.WORSE.value, Change.NONE.value],
        Change.TOO_FEW.value,
    )
    n_classes = max(1, int(classes.sum()))
    told = [_enough(row, margin, level, n_classes if of_class else 1)
            for row, of_class in zip(table.to_dict("records"), classes, strict=True)]  # fmt: skip
    table["required"] = pd.array([found for found, _ in told], dtype="Int64")
    table["to_find"] = [away for _, away in told]
    return table


def _enough(row: Mapping[Hashable, Any], margin: float, level: float, n_tests: int) -> list[Any]:
    """Return how many photos would do, and the difference that they find in 8 of 10 cases."""
    error, n_photos, away = row["standard_error"], row["n_photos"], abs(row["difference"])
    if not np.isfinite(error) or (error == 0 and (away > 0 or not 0 < row["high"] < 1)):
        return [pd.NA, np.nan]
    if error == 0:  # No photo flipped: so many would leave room for less than the margin.
        return [without_flips(margin, row["high"], n_photos), margin]
    found = required_photos(margin, standard_error=error, n_photos=n_photos, level=level)
    if found > n_photos or row["change"] != Change.TOO_FEW:
        return [found, margin]
    # As many could not tell. The difference is told from none, or from the margin.
    away, level = max(away, margin - away), 1 - (1 - level) / n_tests
    return [required_photos(away, standard_error=error, n_photos=n_photos, level=level), away]


def _probability(judged: JudgedPhotos) -> np.ndarray:
    places = judged.shares.columns.get_indexer(pd.Index(judged.true))
    return judged.shares.to_numpy(float)[np.arange(len(places)), places]
