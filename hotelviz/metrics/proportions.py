"""The interval of a share over hotels that also holds where few photos are wrong, or none."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import betaincinv, stdtrit

from hotelviz.errors import MetricsError
from hotelviz.metrics.jackknife import Interval, Labels, Values


def share_interval(hits: Values, *, groups: Labels | None = None, level: float = 0.95) -> Interval:
    """Compute a share and its interval over hotels, exact where photos are independent.

    Where no photo is wrong, or few are, leaving out hotels has no interval, or one that is too
    narrow. This one is that of Clopper and Pearson
    for as many independent photos as those of the hotels are worth.

    Parameters
    ----------
    hits : array-like of length n_photos
        Of each photo: whether it is one of the share (right, answered, covered), 0 or 1.
    groups : array-like of length n_photos, optional
        The hotel of each photo; by default photos are independent.
    level : float, default 0.95
        Of the interval, between 0 and 1. Its lower bound alone holds with (1 + level) / 2.

    Returns
    -------
    Interval

    Raises
    ------
    MetricsError
        No photos, or a photo without a group.

    See Also
    --------
    jackknife_intervals : of any figure.

    References
    ----------
    Korn, Graubard: Confidence Intervals for Proportions With Small Expected Number of Positive
    Counts Estimated From Survey Data, Survey Methodology 24, 1998.

    Examples
    --------
    >>> print(share_interval([1] * 100))
    1.000 (0.964 to 1.000)
    >>> print(share_interval([1] * 100, groups=np.arange(100) // 5))
    1.000 (0.814 to 1.000)
    """
    right = np.asarray(hits, dtype=float)
    codes = np.arange(len(right)) if groups is None else pd.factorize(pd.Series(list(groups)))[0]
    if not len(right) or len(codes) != len(right) or (codes < 0).any():
        raise MetricsError(f"a share needs photos, each with a group; there are {len(right)}")
    counts = np.bincount(codes)[:, None]
    sums = np.bincount(codes, right)[:, None]
    low, high = share_bounds(sums, counts, (1 - level) / 2)
    return Interval(float(right.mean()), float(low[0]), float(high[0]))


def share_bounds(
    hits: np.ndarray, counts: np.ndarray, tail: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the one-sided lower and upper bounds of several shares over the same hotels.

    Parameters
    ----------
    hits, counts : numpy.ndarray
        (n_hotels, n_shares): how many photos of each hotel are of the share, of how many. The last
        share is that of the most photos: of a share without an error it says how alike a hotel's
        photos are.
    tail : float
        How often each bound may be missed.

    Returns
    -------
    tuple of numpy.ndarray
        Two of (n_shares,); 0 and 1 where a share has no photos.
    """
    n_hotels, n_photos = len(counts), counts.sum(axis=0).astype(float)
    if n_hotels < 2:
        # One hotel says nothing about others.
        return np.zeros(counts.shape[1]), np.ones(counts.shape[1])
    total = np.maximum(n_photos, 1)
    share = hits.sum(axis=0) / total
    spread = share * (1 - share)
    residuals = ((hits - share * counts) ** 2).sum(axis=0) * n_hotels / (n_hotels - 1)
    # How much larger the variance over hotels is than that over independent photos.
    measured = np.divide(residuals, total * spread, out=np.zeros_like(total), where=spread > 0)
    size = np.maximum((counts.astype(float) ** 2).sum(axis=0) / total, 1)
    # Without an error at all nothing is known: a hotel's photos may be all alike.
    alike = 1.0
    if spread[-1] > 0:
        alike = float(np.clip((measured[-1] - 1) / max(size[-1] - 1, 1e-9), 0, 1))
    effect = np.where(spread > 0, np.maximum(measured, 1), 1 + (size - 1) * alike)
    freedom = stdtrit(total[-1] - 1, tail) / stdtrit(n_hotels - 1, tail)
    worth = total / effect * freedom**2
    worth_hits = share * worth
    low = betaincinv(worth_hits, worth - worth_hits + 1, tail)
    high = betaincinv(worth_hits + 1, worth - worth_hits, 1 - tail)
    empty = n_photos == 0
    return (
        np.where(empty | (share == 0), 0.0, low),
        np.where(empty | (share == 1), 1.0, high),
    )
