"""Confidence intervals of figures: how far they would vary with other photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError

Labels: TypeAlias = Sequence[str] | pd.Series | np.ndarray
Values: TypeAlias = Sequence[float] | pd.Series | np.ndarray
#: Computes figures, name -> value, of the photos in some rows.
Figures: TypeAlias = Callable[[np.ndarray], dict[str, float]]


class Interval(NamedTuple):
    """A figure and the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float],
    n_photos: int,
    *,
    groups: Labels | None = None,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Interval:
    """Compute the percentile bootstrap interval of a figure.

    Parameters
    ----------
    statistic : callable
        Takes the row numbers of the resampled photos (int array) and returns the figure.
        Resamples for which it is NaN are left out.
    n_photos : int
        Number of photos.
    groups : array-like of length n_photos, optional
        The hotel of each photo: whole hotels are resampled, since the photos of one hotel resemble
        one another. By default single photos are.
    level : float, default 0.95
        Of the interval, between 0 and 1.
    n_bootstrap : int, default 1000
        Number of resamples.
    seed : int, default 0
        Of the resampling.

    Returns
    -------
    Interval
        The figure of all photos, and the bounds.

    Raises
    ------
    MetricsError
        No photos, or a photo without a group.

    References
    ----------
    Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> right = np.array([1, 1, 1, 0] * 25)
    >>> print(bootstrap_interval(lambda rows: right[rows].mean(), 100))
    0.750 (0.660 to 0.830)
    """
    table = bootstrap_table(
        lambda rows: {"": statistic(rows)}, n_photos,
        groups=groups, level=level, n_bootstrap=n_bootstrap, seed=seed,
    )  # fmt: skip
    return Interval(*table[["value", "low", "high"]].iloc[0])


def paired_difference(
    before: Values,
    after: Values,
    *,
    groups: Labels | None = None,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Interval:
    """Compute how much a mean changed on the same photos, with its paired bootstrap interval.

    Each resample takes a photo with both of its values, so that what makes a photo hard for both
    does not widen the interval, as it does that of two means whose intervals are then compared.

    Parameters
    ----------
    before, after : array-like of length n_photos
        Of each photo: 0 or 1 for wrong or right, or any figure whose mean is wanted.
    groups, level, n_bootstrap, seed
        As in `bootstrap_interval`.

    Returns
    -------
    Interval
        The mean of `after` minus that of `before`; an interval that holds 0 is no measurable
        difference.

    Raises
    ------
    MetricsError
        As many values before as after are needed; and as `bootstrap_interval` raises it.

    References
    ----------
    Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 8 (pairs are resampled).

    Examples
    --------
    >>> before, after = [0, 1, 1, 0] * 25, [1, 1, 1, 0] * 25
    >>> print(paired_difference(before, after))
    0.250 (0.170 to 0.340)
    """
    if len(before) != len(after):
        raise MetricsError(
            f"{len(before)} values before, but {len(after)} after, of the same photos"
        )
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    return bootstrap_interval(
        lambda rows: float(change[rows].mean()), len(change),
        groups=groups, level=level, n_bootstrap=n_bootstrap, seed=seed,
    )  # fmt: skip


def bootstrap_table(
    statistics: Figures,
    n_photos: int,
    *,
    groups: Labels | None = None,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute several figures with their intervals, from the same resamples.

    Parameters and errors are those of `bootstrap_interval`, but that `statistics` returns name ->
    figure. The table has ``metric``, ``value``, ``low`` and ``high``.

    Examples
    --------
    >>> right = np.array([1, 1, 1, 0] * 25)
    >>> found = bootstrap_table(lambda rows: {"accuracy": right[rows].mean()}, 100)
    >>> found[["metric", "value"]].values.tolist()
    [['accuracy', 0.75]]
    """
    if n_photos < 1 or n_bootstrap < 1 or not 0 < level < 1:
        raise MetricsError(
            "an interval needs photos, resamples and a level between 0 and 1; there are "
            f"{n_photos} photos, n_bootstrap={n_bootstrap} and level={level}"
        )
    figures = pd.Series(statistics(np.arange(n_photos)), dtype=float)
    resamples = _resamples(n_photos, groups, n_bootstrap, seed)
    values = np.array([list(statistics(rows).values()) for rows in resamples], dtype=float)
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    table = figures.rename_axis("metric").reset_index(name="value")
    return table.assign(low=low, high=high)


def _resamples(
    n_photos: int, groups: Labels | None, n_bootstrap: int, seed: int
) -> Iterator[np.ndarray]:
    """Draw photos, or whole groups of them, with replacement; yield their row numbers."""
    random = np.random.default_rng(seed)
    codes = np.arange(n_photos) if groups is None else pd.factorize(pd.Series(list(groups)))[0]
    if len(codes) != n_photos or (codes < 0).any():
        raise MetricsError(f"each of the {n_photos} photos needs a group; some have none")
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    for _ in range(n_bootstrap):
        drawn = random.integers(len(members), size=len(members))
        yield drawn if groups is None else np.concatenate([members[number] for number in drawn])
