"""Correct the p-values of several tests for their number."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values of several tests, so that one of them is seldom small by chance.

    Parameters
    ----------
    p_values
        Of all tests that were made, (n,); NaN for those that could not be, which count as 1.

    Returns
    -------
    numpy.ndarray
        (n,), none smaller than it was, 1 at most.

    References
    ----------
    Holm: A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
    Statistics 6, 1979.

    Examples
    --------
    >>> holm(np.array([0.03, 0.01, np.nan])).tolist()
    [0.06, 0.03, 1.0]
    """
    known = np.nan_to_num(np.asarray(p_values, float), nan=1.0)
    order = np.argsort(known, kind="stable")
    steps = known[order] * np.arange(len(known), 0, -1)
    corrected = np.empty_like(known)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return np.asarray(corrected)
