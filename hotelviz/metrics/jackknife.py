"""Intervals and tests of figures by leaving out hotels: right with few hotels, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError

Labels: TypeAlias = Sequence[str] | pd.Series | np.ndarray
Values: TypeAlias = Sequence[float] | pd.Series | np.ndarray
#: Computes figures, name -> value, of the photos in some rows.
Figures: TypeAlias = Callable[[np.ndarray], dict[str, float]]
#: Between which values a figure lies.
Bounds: TypeAlias = tuple[float, float]

#: The bounds of a share.
SHARE: Bounds = (0.0, 1.0)
#: The bounds of a correlation.
CORRELATION: Bounds = (-1.0, 1.0)
#: The bounds of a distance.
DISTANCE: Bounds = (0.0, np.inf)
#: Of what has no bounds.
ANYTHING: Bounds = (-np.inf, np.inf)
#: More hotels are left out several at a time.
MAX_BLOCKS = 200


class Interval(NamedTuple):
    """A figure and the bounds of its confidence interval; these are NaN where there is none."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def jackknife_intervals(
    statistics: Figures,
    n_photos: int,
    *,
    groups: Labels | None = None,
    bounds: Bounds | Mapping[str, Bounds] = ANYTHING,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute figures with their intervals over hotels, which stay within the figures' bounds.

    Where hotels are few, the interval of a share or a correlation is not symmetric: it is computed
    on the scale on which the bounds are infinitely far away (logit, Fisher's z, logarithm). With
    ten hotels 95 % intervals hold macro F1 and a correlation in 95 % of all cases,
    percentiles of a bootstrap in 86 and 89 % (``benchmarks/comparison.py --only intervals``).

    Parameters
    ----------
    statistics, n_photos, groups, level, seed
        As in `jackknife_table`.
    bounds : tuple of float, or mapping, default no bounds
        Between which values the figures lie, such as (0, 1); or that of each by its name, those
        that are not named having none.

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``value``, ``low`` and ``high``. Without an interval (NaN) where all photos are
        of one hotel, and where `jackknife_table` has none.

    Raises
    ------
    MetricsError
        As `jackknife_table`, but for a single hotel.

    See Also
    --------
    share_interval : Of a share of which few photos may be wrong, or none.

    References
    ----------
    Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapters 11 and 12.7 (intervals on
    another scale).

    Examples
    --------
    >>> right, hotels = np.array([1, 1, 1, 0, 1, 1, 1, 1]), list("aabbccdd")
    >>> table = jackknife_intervals(
    ...     lambda rows: {"accuracy": right[rows].mean()}, 8, groups=hotels, bounds=(0, 1))
    >>> table.round(2).to_dict("records")
    [{'metric': 'accuracy', 'value': 0.88, 'low': 0.48, 'high': 1.0}]
    """
    left_out = _leave_out(statistics, n_photos, groups, level, seed)
    names = list(left_out.figures.index)
    known = bounds if isinstance(bounds, Mapping) else dict.fromkeys(names, bounds)
    ends = np.array([known.get(name, ANYTHING) for name in names], dtype=float)
    with np.errstate(invalid="ignore"):
        value, without = (_unbounded(one, ends) for one in (left_out.value, left_out.without))
    # Where leaving out a hotel reaches a bound there is no such scale.
    plain = ~np.isfinite(value) | ~np.isfinite(without).all(axis=0)
    value, without = (
        np.where(plain, one, other)
        for one, other in ((left_out.value, value), (left_out.without, without))
    )
    width = left_out.width(left_out.error(value, without), level)
    width[(width == 0) & (left_out.value != 0)] = np.nan
    low, high = (
        np.where(plain, np.clip(end, *ends.T), _bounded(end, ends))
        for end in (value - width, value + width)
    )
    table = left_out.figures.rename_axis("metric").reset_index(name="value")
    return table.assign(low=low, high=high)


def jackknife_interval(
    statistic: Callable[[np.ndarray], float],
    n_photos: int,
    *,
    groups: Labels | None = None,
    bounds: Bounds = ANYTHING,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute the interval of a figure over hotels.

    Parameters
    ----------
    statistic : callable
        Takes the row numbers of photos (int array) and returns their figure.
    n_photos : int
        Number of photos.
    groups, bounds, level, seed
        As in `jackknife_intervals`.

    Returns
    -------
    Interval
        Without bounds (NaN) where `jackknife_intervals` has none.

    Raises
    ------
    MetricsError
        As `jackknife_intervals`.

    Examples
    --------
    >>> off = np.array([0.2, 0.4, 0.3, 0.1, 0.5, 0.6])
    >>> hotels = list("aabbcc")
    >>> print(jackknife_interval(lambda rows: off[rows].mean(), 6, groups=hotels, bounds=(0, 9)))
    0.350 (0.086 to 1.310)
    """
    table = jackknife_intervals(
        lambda rows: {"": statistic(rows)}, n_photos,
        groups=groups, bounds=bounds, level=level, seed=seed,
    )  # fmt: skip
    return Interval(*table[["value", "low", "high"]].iloc[0])


def mean_interval(
    values: Values,
    *,
    groups: Labels | None = None,
    bounds: Bounds = ANYTHING,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute the interval of a mean over hotels.

    Parameters
    ----------
    values : array-like of length n_photos
        Of each photo.
    groups, bounds, level, seed
        As in `jackknife_intervals`.

    Returns
    -------
    Interval
        As `jackknife_interval` returns it.

    Raises
    ------
    MetricsError
        As `jackknife_intervals`.

    Examples
    --------
    >>> print(mean_interval([1.0, 3.0, 2.0, 4.0], groups=list("aabb")))
    2.500 (-3.853 to 8.853)
    """
    numbers = np.asarray(values, dtype=float)
    return jackknife_interval(
        lambda rows: float(numbers[rows].mean()), len(numbers),
        groups=groups, bounds=bounds, level=level, seed=seed,
    )  # fmt: skip


def paired_difference(
    before: Values,
    after: Values,
    *,
    groups: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute how much a mean changed on the same photos, with its paired interval.

    Each hotel is left out with both values of its photos, so that what makes a photo hard for both
    does not widen the interval, as it does that of two means whose intervals are then compared.

    Parameters
    ----------
    before, after : array-like of length n_photos
        Of each photo: 0 or 1 for wrong or right, or any figure whose mean is wanted.
    groups, level, seed
        As in `jackknife_table`.

    Returns
    -------
    Interval
        The mean of `after` minus that of `before`; an interval that holds 0 is no measurable
        difference, and neither is one that is missing.

    Raises
    ------
    MetricsError
        As many values before as after are needed; and as `jackknife_intervals` raises it.

    Examples
    --------
    >>> before, after = [0, 1, 1, 0] * 25, [1, 1, 1, 0] * 25
    >>> print(paired_difference(before, after))
    0.250 (0.164 to 0.336)
    """
    if len(before) != len(after):
        raise MetricsError(
            f"{len(before)} values before, but {len(after)} after, of the same photos"
        )
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    return mean_interval(change, groups=groups, level=level, seed=seed)


def jackknife_table(
    statistics: Figures,
    n_photos: int,
    *,
    groups: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Compute figures with their intervals and tests by leaving out one hotel after the other.

    Where photos of a hotel are alike and hotels are few, the percentiles of a bootstrap are too
    narrow: of 95 % intervals of a difference of accuracy 85 % hold it with ten hotels, and 93 %
    with forty; those of the jackknife, with the quantiles of Student's t, 95 to 96 % (1,000 draws
    each, ``benchmarks/comparison.py --only coverage``).

    Parameters
    ----------
    statistics : callable
        Takes the row numbers of photos (int array) and returns name -> figure.
    n_photos : int
        Number of photos.
    groups : array-like of length n_photos, optional
        The hotel of each photo; by default each photo is one of its own. More than 200 are dealt
        to 200 blocks at random, which are left out as a whole.
    level : float, default 0.95
        Of the interval, between 0 and 1.
    seed : int, default 0
        Of the blocks.

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``value``, ``low``, ``high``, ``standard_error``, ``n_groups`` (hotels, or
        blocks of them) and ``p_value`` (two-sided, that the figure is 0; never less than the sign
        test of so many hotels can give, 2 to the power of 1 - ``n_groups``). An interval is missing
        where a figure is not defined without one of the hotels, or where it is other than 0 and the
        same whichever is left out.

    Raises
    ------
    MetricsError
        No photos, a single hotel, a photo without a hotel, or a level out of bounds.

    References
    ----------
    MacKinnon, Nielsen and Webb: Fast and Reliable Jackknife and Bootstrap Methods for
    Cluster-Robust Inference, Journal of Applied Econometrics 38, 2023: the estimator CV3,
    :math:`\frac{G-1}{G} \sum_g (\theta_{-g} - \theta)^2`, with :math:`G - 1` degrees of freedom.

    Examples
    --------
    >>> change = np.array([1, 0, 0, -1, 1, 1, 0, 1])
    >>> hotels = list("aabbccdd")
    >>> table = jackknife_table(lambda rows: {"change": change[rows].mean()}, 8, groups=hotels)
    >>> table[["value", "low", "high", "n_groups"]].round(2).to_dict("records")
    [{'value': 0.38, 'low': -0.63, 'high': 1.38, 'n_groups': 4}]
    """
    from scipy import stats

    left_out = _leave_out(statistics, n_photos, groups, level, seed)
    value, n_blocks = left_out.value, len(left_out.without)
    if n_blocks < 2:
        raise MetricsError("an interval over hotels needs at least two; all photos are of one")
    error = left_out.error(value, left_out.without)
    width = left_out.width(error, level)
    width[(error == 0) & (value != 0)] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t.sf(np.abs(value) / error, n_blocks - 1)
    p_value = np.maximum(p_value, 2.0 ** (1 - n_blocks))
    p_value[(error == 0) & (value == 0)] = 1
    table = left_out.figures.rename_axis("metric").reset_index(name="value")
    return table.assign(
        low=value - width, high=value + width, standard_error=error, n_groups=n_blocks,
        p_value=p_value,
    )  # fmt: skip


class _LeftOut(NamedTuple):
    """Figures of all photos, and (n_blocks, n_figures) without each block of hotels."""

    figures: pd.Series
    value: np.ndarray
    without: np.ndarray

    def error(self, value: np.ndarray, without: np.ndarray) -> np.ndarray:
        n_blocks = len(without)
        if n_blocks < 2:
            return np.full(len(value), np.nan)
        error = np.sqrt((n_blocks - 1) / n_blocks * ((without - value) ** 2).sum(axis=0))
        # What is the same without each of the hotels is so by rounding, too.
        error[error < 1e-12] = 0
        return np.asarray(error)

    def width(self, error: np.ndarray, level: float) -> np.ndarray:
        from scipy import stats

        return np.asarray(error * stats.t.ppf(0.5 + level / 2, max(len(self.without) - 1, 1)))


def _leave_out(
    statistics: Figures, n_photos: int, groups: Labels | None, level: float, seed: int
) -> _LeftOut:
    if n_photos < 1 or not 0 < level < 1:
        raise MetricsError(
            f"an interval needs photos and a level between 0 and 1; there are {n_photos} photos "
            f"and level={level}"
        )
    codes = _blocks(n_photos, groups, seed)
    every, n_blocks = np.arange(n_photos), int(codes.max()) + 1
    figures = pd.Series(statistics(every), dtype=float)
    rest = [every[codes != block] for block in range(n_blocks)] if n_blocks > 1 else [every]
    without = np.array([list(statistics(rows).values()) for rows in rest], dtype=float)
    return _LeftOut(figures, figures.to_numpy(), without)


def _unbounded(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return values on the scale on which their bounds are infinitely far away."""
    low, high = ends.T
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(np.isfinite(low), np.log(values - low), 0)
        below = np.where(np.isfinite(high), np.log(high - values), 0)
    return np.where(np.isfinite(low) | np.isfinite(high), above - below, values)


def _bounded(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return values of that scale as they were."""
    low, high = ends.T
    with np.errstate(over="ignore", invalid="ignore"):
        both = low + (high - low) / (1 + np.exp(-values))
        below, above = high - np.exp(-values), low + np.exp(values)
    bounded = np.where(np.isfinite(low), above, np.where(np.isfinite(high), below, values))
    return np.where(np.isfinite(low) & np.isfinite(high), both, bounded)


def _blocks(n_photos: int, groups: Labels | None, seed: int) -> np.ndarray:
    codes = np.arange(n_photos) if groups is None else pd.factorize(pd.Series(list(groups)))[0]
    if len(codes) != n_photos or (codes < 0).any():
        raise MetricsError(f"each of the {n_photos} photos needs a group; some have none")
    n_groups = int(codes.max()) + 1
    if n_groups <= MAX_BLOCKS:
        return np.asarray(codes)
    dealt = np.random.default_rng(seed).permutation(n_groups) % MAX_BLOCKS
    return np.asarray(dealt[codes])
