"""By how much columns of two deliveries differ, and whether chance would have it: whole hotels.

Photos of a hotel are alike, so that hotels and not photos are dealt anew: a hotel's photos go to
one delivery or the other together, and of a hotel that is in both, its two halves change places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError

#: More hotels of a kind are dealt together, in so many blocks.
MAX_UNITS = 1000
#: Values of a number at which the deliveries are compared, of each.
_CUTS = 40
#: From this share of both deliveries on a difference at an end of the range counts.
_LEAST_SHARE = 0.002
#: Values of a text that are told apart; rarer ones are taken together.
_VALUES = 30
OTHER = "(others)"


class Counted(NamedTuple):
    """A column of two deliveries, counted by hotel.

    Attributes
    ----------
    values
        Of numbers: upper ends of the bins but the last, ascending. Of texts: the values.
    counts
        (n_units, n_bins): photos of each unit in each bin.
    ordered
        Whether it is a number, of which shares up to a value are compared.
    distance
        The largest difference of the shares (Kolmogorov and Smirnov's) where it is known more
        exactly than `values` tell it.
    """

    values: np.ndarray
    counts: np.ndarray
    ordered: bool
    distance: float | None = None


class Units(NamedTuple):
    """What is dealt as a whole: the photos of a hotel in a delivery, or of several hotels.

    Attributes
    ----------
    current
        (n_units,), whether it is of the current delivery.
    hotel
        (n_units,), the same number for the two halves of a hotel that is in both deliveries.
    of_photos
        (n_photos,), the unit of each photo: those of the reference, then those of the other.
    """

    current: np.ndarray
    hotel: np.ndarray
    of_photos: np.ndarray


def deal_units(reference: pd.Series, current: pd.Series, *, seed: int = 0) -> Units:
    """Return what is dealt as a whole, by the hotels of the photos of two deliveries.

    Examples
    --------
    >>> units = deal_units(pd.Series(["a", "a", "b"]), pd.Series(["b", "c"]))
    >>> units.of_photos.tolist(), units.current.tolist(), units.hotel.tolist()
    ([0, 0, 1, 2, 3], [False, False, True, True], [0, 1, 1, 2])
    """
    both = pd.concat([reference, current], ignore_index=True)
    hotels, names = pd.factorize(both)
    if (hotels < 0).any():
        raise MetricsError(f"{int((hotels < 0).sum()):,} photos have no hotel; name one of each")
    side = np.arange(len(both)) >= len(reference)
    n = len(names)
    seen = [np.bincount(hotels[side == one], minlength=n) > 0 for one in (False, True)]
    kind = seen[0] + 2 * seen[1]
    for name, there in zip(("reference", "current"), seen, strict=True):
        if (total := int(there.sum())) < 2:
            what = "one" if total else "none"
            raise MetricsError(
                f"two deliveries are compared over their hotels, which takes two of each: the "
                f"{name} one has photos of {what}"
            )
    random, block = np.random.default_rng(seed), np.arange(n)
    for one in (1, 2, 3):
        own = np.flatnonzero(kind == one)
        if len(own) > MAX_UNITS:
            block[own] = own[random.permutation(len(own)) % MAX_UNITS]
    keys, of_photos = np.unique(np.stack([side, block[hotels]]), axis=1, return_inverse=True)
    return Units(keys[0].astype(bool), keys[1], of_photos.ravel())


def count_column(values: pd.Series, units: Units) -> Counted | None:
    """Count a column's values by unit; None where no delivery, or only one, has any.

    Parameters
    ----------
    values : pandas.Series
        Of the photos of the reference, then of the other delivery. Missing ones are not counted.
    units : Units
        From `deal_units`.
    """
    n_units = len(units.current)
    ordered = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    known = values.notna().to_numpy()
    side = units.current[units.of_photos]
    if ordered:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        known = known & np.isfinite(numbers)
    if not known[side].any() or not known[~side].any():
        return None
    if ordered:
        from scipy.stats import ks_2samp

        sides = [numbers[known & (side == one)] for one in (False, True)]
        shares = np.linspace(0, 1, _CUTS + 1)[1:-1]
        ends = [_LEAST_SHARE, 0.01, *shares, 0.99, 1 - _LEAST_SHARE]
        own = np.unique(numbers[known])
        if len(own) > _CUTS:
            own = np.unique([np.quantile(one, ends, method="lower") for one in sides])
        found = own[:-1] if own[-1] == numbers[known].max() else own
        codes = np.searchsorted(found, numbers[known], side="left")
        distance = float(ks_2samp(*sides, method="asymp").statistic)
        n_bins = len(found) + 1
    else:
        texts = values[known].astype(str)
        common = texts.value_counts().index[:_VALUES]
        texts = texts.where(texts.isin(common), OTHER)
        codes, names = pd.factorize(texts, sort=True)
        distance, n_bins, found = None, len(names), names.to_numpy(dtype=object)
    cells = units.of_photos[known] * n_bins + codes
    counts = np.bincount(cells, minlength=n_units * n_bins).reshape(n_units, n_bins)
    return Counted(np.asarray(found), counts, bool(ordered), distance)


def shift_table(
    columns: Mapping[str, Counted],
    current: np.ndarray,
    hotel: np.ndarray,
    *,
    level: float = 0.95,
    n_permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Compute how far columns of two deliveries differ, with intervals and tests over hotels.

    Parameters
    ----------
    columns : mapping of str to Counted
        What is compared.
    current, hotel : numpy.ndarray
        Of each unit, as `Units` has them.
    level : float, default 0.95
        Of the intervals.
    n_permutations : int, default 999
        How often hotels are dealt anew, and are drawn for the intervals.
    seed : int, default 0
        Of both.

    Returns
    -------
    pandas.DataFrame
        A row per column, as `hotelviz.metrics.Drift` has it, but for ``change``.

    Notes
    -----
    The distance of numbers is Kolmogorov and Smirnov's: the largest difference of the shares up to
    a value. That of texts is the total variation, half the sum of the differences of all shares.

    The **test** looks at the largest difference in standard deviations of what chance makes of it
    at the same value: a few photos at the dark end are seen there, which the distance is too coarse
    for. Corrected over the columns by the largest of all of them in the same dealing (Westfall and
    Young: Resampling-Based Multiple Testing, 1993).

    The **interval** is the distance plus and minus what hotels that are drawn again move the
    difference by, anywhere, in all but a share 1 - `level` of the draws. It holds the true distance
    at least as often as it says, also where this is 0.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> units = deal_units(pd.Series(np.arange(200) // 4), pd.Series(1000 + np.arange(200) // 4))
    >>> light = pd.Series(np.concatenate([random.normal(0, 1, 200), random.normal(1, 1, 200)]))
    >>> counted = count_column(light, units)
    >>> table = shift_table({"light": counted}, units.current, units.hotel)
    >>> bool(table["distance"].item() > 0.3), table["p_corrected"].item()
    (True, 0.001)
    """
    random = np.random.default_rng(seed)
    dealt = _dealt(current, hotel, n_permutations, random)
    drawn = _drawn(current, hotel, n_permutations, random)
    rows, largest = [], np.zeros((len(dealt), len(columns)))
    for place, (name, column) in enumerate(columns.items()):
        bins = column.counts.astype(float)
        parts = np.cumsum(bins, axis=1)[:, :-1] if column.ordered else bins
        sizes = bins.sum(axis=1)
        shares = [_shares(one, parts, sizes) for one in (1 - dealt, dealt)]
        differs = shares[1] - shares[0]
        spread = np.sqrt((differs**2).mean(axis=0))
        whole = parts.sum(axis=0) / sizes.sum()
        tested = (spread > 1e-9) & (np.minimum(whole, 1 - whole) >= min(_LEAST_SHARE, 0.5))
        scaled = np.where(tested, abs(differs) / np.where(tested, spread, 1), 0)
        largest[:, place] = scaled.max(axis=1, initial=0)
        at = int(scaled[0].argmax()) if scaled.shape[1] else -1
        row: dict[str, object] = {"column": name, "ordered": column.ordered}
        row |= _distance(column, parts, sizes, drawn, current, level)
        row |= {
            "value": column.values[at] if at >= 0 else None,
            "share_reference": float(shares[0][0, at]) if at >= 0 else np.nan,
            "share_current": float(shares[1][0, at]) if at >= 0 else np.nan,
        }  # fmt: skip
        row |= {
            f"n_{which}": int(sizes[current == one].sum())
            for which, one in (("reference", False), ("current", True))
        }
        rows.append(row)
    table = pd.DataFrame(rows)
    # Equal but for rounding is equal.
    beyond = largest >= largest[0] - 1e-9
    table["p_value"] = beyond.mean(axis=0)
    table["p_corrected"] = [
        float((largest.max(axis=1) >= one - 1e-9).mean()) for one in largest[0]
    ]  # fmt: skip
    return table


def _shares(chosen: np.ndarray, parts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.asarray((chosen @ parts) / np.maximum(chosen @ sizes, 1e-9)[:, None])


def _distance(
    column: Counted,
    parts: np.ndarray,
    sizes: np.ndarray,
    drawn: np.ndarray,
    current: np.ndarray,
    level: float,
) -> dict[str, float]:
    """Return the distance with its interval, from draws of hotels of which the first is of all."""
    sides = [_shares(drawn * (current == one), parts, sizes) for one in (False, True)]
    differs = sides[1] - sides[0]
    away = abs(differs[1:] - differs[0])
    if column.ordered:
        distance = column.distance
        if distance is None:
            distance = float(abs(differs[0]).max(initial=0))
        moved = away.max(axis=1, initial=0)
    else:
        distance, moved = float(abs(differs[0]).sum() / 2), away.sum(axis=1) / 2
    n_units = min(int((current == one).sum()) for one in (False, True))
    # Draws of few hotels vary by too little.
    width = float(np.quantile(moved, level)) * np.sqrt(n_units / (n_units - 1))
    return {
        "distance": distance, "low": max(0.0, distance - width), "high": min(1.0, distance + width),
        "standard_error": width / 1.96,
    }  # fmt: skip


def _dealt(
    current: np.ndarray, hotel: np.ndarray, n_permutations: int, random: np.random.Generator
) -> np.ndarray:
    """Return to which delivery each unit goes, 1 for the current one; first as it is."""
    pairs, of_unit, sizes = np.unique(hotel, return_inverse=True, return_counts=True)
    paired = sizes[of_unit] == 2
    dealt = np.tile(current, (n_permutations + 1, 1))
    swapped = random.random((n_permutations, len(pairs))) < 0.5
    dealt[1:, paired] ^= swapped[:, of_unit[paired]]
    alone = np.flatnonzero(~paired)
    dealt[1:, alone] = random.permuted(dealt[1:, alone], axis=1)
    return dealt.astype(float)


def _drawn(
    current: np.ndarray, hotel: np.ndarray, n_draws: int, random: np.random.Generator
) -> np.ndarray:
    """Return how often each unit is drawn: hotels of one delivery, of the other, and of both."""
    pairs, of_unit, sizes = np.unique(hotel, return_inverse=True, return_counts=True)
    kind = np.where(sizes == 2, 2, 0)
    kind[of_unit[sizes[of_unit] == 1]] = current[sizes[of_unit] == 1]
    drawn = np.ones((n_draws + 1, len(pairs)))
    for one in np.unique(kind):
        own = np.flatnonzero(kind == one)
        drawn[1:, own] = random.multinomial(len(own), np.full(len(own), 1 / len(own)), n_draws)
    return drawn[:, of_unit]
