"""How far a figure would vary with other photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError

Labels: TypeAlias = Sequence[str] | pd.Series | np.ndarray


class Interval(NamedTuple):
    """A figure and the interval that it lies in."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float],
    count: int,
    *,
    groups: Labels | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Estimate how far a figure would vary with other photos (percentile bootstrap).

    Parameters
    ----------
    statistic
        Takes the numbers of the photos drawn (int array), gives the figure; NaN draws are left
        out.
    count
        How many photos there are.
    groups
        The hotel of each photo: whole hotels are drawn, since the photos of one hotel resemble
        one another. Without, photos are drawn.
    level
        Of the interval, 0 to 1.
    draws
        How many resamples.
    seed
        For other draws.

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
    if count < 1 or draws < 1 or not 0 < level < 1:
        raise MetricsError(
            f"an interval needs photos, draws and a level between 0 and 1; there are {count} "
            f"photos, {draws} draws, and level={level}"
        )
    values = [statistic(rows) for rows in resamples(count, groups, draws, seed)]
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Interval(float(statistic(np.arange(count))), float(low), float(high))


def resamples(count: int, groups: Labels | None, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Draw photos with replacement, or whole groups of them; yields their numbers."""
    random = np.random.default_rng(seed)
    if groups is None:
        for _ in range(draws):
            yield random.integers(count, size=count)
        return
    codes = pd.factorize(pd.Series(list(groups)))[0]
    if len(codes) != count or (codes < 0).any():
        raise MetricsError(f"each of the {count} photos needs a group; some have none")
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    for _ in range(draws):
        drawn = random.integers(len(members), size=len(members))
        yield np.concatenate([members[number] for number in drawn])
