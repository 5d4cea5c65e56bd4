"""Whether the photos of a delivery are still those of an earlier one: columns, one by one."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels
from hotelviz.errors import MetricsError, no_column
from hotelviz.metrics.shifts import Counted, count_column, deal_units, shift_table
from hotelviz.scores import Scores, score_blocks

#: What names photos, says where they are, or is the truth, is no column that drifts.
_NO_COLUMNS = ("image_id", "hotel_id", "path")


class Shift(enum.StrEnum):
    """What is known of a column of two deliveries."""

    CHANGED = "changed"
    #: The distance is less than the margin.
    NONE = "no measurable change"
    #: The distance may be more than the margin, or nothing.
    TOO_FEW = "not enough photos"


def column_drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    margin: float = 0.1,
    level: float = 0.95,
    n_permutations: int = 999,
    further_tests: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the columns of two deliveries of photos, hotels kept whole.

    Parameters
    ----------
    reference, current : pandas.DataFrame
        A row per photo: numbers, texts, or yes and no; with ``image_id`` and, so that photos of a
        hotel are kept together, ``hotel_id``.
    columns : sequence of str, optional
        Those to compare; by default all that both have.
    margin : float, default 0.1
        The smallest distance that matters, for `Shift`; 0 to 1.
    level : float, default 0.95
        Of intervals and tests.
    n_permutations : int, default 999
        How often hotels are dealt anew.
    further_tests : int, default 0
        Tests beside these that are corrected for as well, such as `classifier_test`.
    seed : int, default 0
        Of the dealing.

    Returns
    -------
    pandas.DataFrame
        A row per column, the surest changes first: ``column``; ``ordered`` (a number); ``distance``
        (Kolmogorov and Smirnov's of numbers, the total variation of texts; 0 to 1) with ``low``,
        ``high`` and ``standard_error``; ``p_value`` and ``p_corrected`` (over the columns: that
        none of them changed); ``change`` (see `Shift`); ``value`` at which the change is surest,
        with ``share_reference`` and ``share_current`` (of photos up to that number, or of that
        text); ``median_reference`` and ``median_current`` of numbers; ``n_reference`` and
        ``n_current`` (photos that have a value) and ``n_hotels``.

    Raises
    ------
    MetricsError
        Fewer than two hotels on a side, no column that both have, or one that is not there.

    Notes
    -----
    The **test** looks at the largest difference of the shares in standard deviations of what chance
    makes of it at the same value: a few photos at the dark end are seen there, which the distance
    is too coarse for. It is corrected over the columns by the largest of all of them in the same
    dealing of hotels (Westfall and Young: Resampling-Based Multiple Testing, 1993). The
    **interval** is the distance plus and minus what hotels that are drawn again move the difference
    by, anywhere, in all but a share 1 - `level` of the draws. A table without hotels is one in
    which each photo is alone.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> photos = pd.DataFrame({"hotel_id": np.arange(400) // 4, "light": random.normal(9, 1, 400),
    ...                        "format": ["JPEG", "PNG"] * 200})
    >>> darker = photos.assign(hotel_id=photos["hotel_id"] + 100, light=random.normal(8, 1, 400))
    >>> column_drift(photos, darker)[["column", "change"]].values.tolist()
    [['light', 'changed'], ['format', 'no measurable change']]
    """
    _check(margin, level, n_permutations)
    names = _shared(reference, current, columns)
    units = deal_units(*(hotels_of(side) for side in (reference, current)), seed=seed)
    both = {name: pd.concat([reference[name], current[name]], ignore_index=True) for name in names}
    counted = {name: count_column(values, units) for name, values in both.items()}
    known = {name: column for name, column in counted.items() if column is not None}
    if not known:
        raise MetricsError(f"no column has values in both deliveries; looked at {', '.join(names)}")
    choices: dict[str, Any] = {"level": level, "n_permutations": n_permutations, "seed": seed}
    table = shift_table(known, units.current, units.hotel, **choices)
    medians = [
        [np.median(side[name].dropna().astype(float)) if known[name].ordered else np.nan
         for side in (reference, current)]
        for name in known
    ]  # fmt: skip
    table[["median_reference", "median_current"]] = medians
    table["p_corrected"] = np.minimum(1, table["p_corrected"] * (1 + further_tests))
    table["n_hotels"] = pd.concat([hotels_of(one) for one in (reference, current)]).nunique()
    return _judged(table, margin, level)


def score_drift(
    reference: Scores,
    current: Scores,
    *,
    margin: float = 0.1,
    level: float = 0.95,
    n_permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the scores and tags of two datasets, in passes that stream.

    Photos are counted in fine bins by blocks of whole hotels, so that memory does not grow with
    their number: hundreds of millions against as many.

    Parameters
    ----------
    reference, current : Scores
        From `hotelviz.scores.open_scores`.
    margin, level, n_permutations, seed
        As in `column_drift`.

    Returns
    -------
    pandas.DataFrame
        As `column_drift` returns it, of what both have of `hotelviz.scores.score_blocks`. Medians
        and distances are exact up to the width of a bin, a thousandth of the range.

    Raises
    ------
    MetricsError
        No column that both have, or photos of one hotel only.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from hotelviz.scores import open_scores
    >>> folder, random = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    >>> for name, mean in (("may", 5), ("june", 6)):
    ...     table = pd.DataFrame({"score": random.normal(mean, 1, 500).clip(1, 10)})
    ...     table = table.assign(image_id=np.arange(500), hotel_id=np.arange(500) // 5)
    ...     table.to_parquet(folder / f"{name}.parquet")
    >>> both = [open_scores(folder / f"{name}.parquet") for name in ("may", "june")]
    >>> score_drift(*both)[["column", "change"]].values.tolist()
    [['score', 'changed']]
    """
    _check(margin, level, n_permutations)
    sides = [score_blocks(side) for side in (reference, current)]
    shared = [name for name in sides[0] if name in sides[1]]
    if not shared:
        raise MetricsError(
            "the datasets have no column in common that could be compared: the reference has "
            f"{', '.join(sides[0]) or 'none'}, the current one {', '.join(sides[1]) or 'none'}"
        )
    columns, medians = {}, []
    for name in shared:
        blocks = [side[name] for side in sides]
        values = list(dict.fromkeys(value for one in blocks for value in one.columns))
        counts = np.vstack([one.reindex(columns=values, fill_value=0) for one in blocks])
        ordered = pd.api.types.is_float_dtype(blocks[0].columns)
        for which, one in zip(("reference", "current"), blocks, strict=True):
            hotels = int((one.sum(axis=1) > 0).sum())
            if hotels < 2:
                raise MetricsError(
                    f"two deliveries are compared over their hotels, which takes two of each: the "
                    f"{which} one has photos of {'one' if hotels else 'none'} with {name!r}"
                )
        medians.append([_middle(one) if ordered else np.nan for one in blocks])
        columns[name] = Counted(np.array(values[:-1] if ordered else values), counts, ordered)
    n_blocks = len(sides[0][shared[0]])
    current_side, hotel = np.repeat([False, True], n_blocks), np.tile(np.arange(n_blocks), 2)
    choices: dict[str, Any] = {"level": level, "n_permutations": n_permutations, "seed": seed}
    table = shift_table(columns, current_side, hotel, **choices)
    table[["median_reference", "median_current"]] = medians
    table["n_hotels"] = pd.NA
    return _judged(table, margin, level)


def _middle(counts: pd.DataFrame) -> float:
    """Return the median of counted numbers: the end of the bin that it lies in."""
    total = counts.to_numpy().sum(axis=0).cumsum()
    return float(counts.columns[np.searchsorted(total, total[-1] / 2)])


def _check(margin: float, level: float, n_permutations: int) -> None:
    if not 0 < margin < 1 or not 0 < level < 1 or n_permutations < 1:
        raise MetricsError(
            f"margin={margin!r}, level={level!r}, n_permutations={n_permutations!r}: expected a "
            "margin and a level between 0 and 1, and at least one permutation"
        )


def _shared(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Iterable[str] | None
) -> list[str]:
    """Return the columns that are compared, which both tables have."""
    if columns is None:
        names = [str(name) for name in reference if name in current and name not in _NO_COLUMNS]
        if not names:
            raise MetricsError(
                f"no column that both deliveries have: the reference has "
                f"{', '.join(map(str, reference))}, the current one {', '.join(map(str, current))}"
            )
        return names
    names = list(columns)
    for which, table in (("reference", reference), ("current", current)):
        for name in names:
            if name not in table:
                raise MetricsError(f"the {which} table has {no_column(name, table.columns)}")
    return names


def hotels_of(table: pd.DataFrame) -> pd.Series:
    """Return the hotel of each photo; one that none is named of is a hotel of its own.

    Examples
    --------
    >>> hotels_of(pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", None]})).tolist()
    ['h', 'b']
    """
    if "image_id" in table:
        names = table["image_id"].astype(object)
        return table["hotel_id"].fillna(names) if knows_hotels(table) else names
    # Two tables without names have no photo in common.
    alone = pd.Series([(id(table), row) for row in range(len(table))], table.index)
    return table.get("hotel_id", alone)


def _judged(table: pd.DataFrame, margin: float, level: float) -> pd.DataFrame:
    """Say of each column what follows, and put the surest changes first."""
    changed = table["p_corrected"] < 1 - level
    table["change"] = np.select(
        [changed, table["high"] < margin], [Shift.CHANGED.value, Shift.NONE.value],
        Shift.TOO_FEW.value,
    )  # fmt: skip
    order = table.assign(sure=~changed, far=-table["distance"]).sort_values(
        ["sure", "far"], kind="stable"
    )
    return order.drop(columns=["sure", "far"]).reset_index(drop=True)
