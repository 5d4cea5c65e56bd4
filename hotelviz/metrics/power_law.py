"""Power laws of errors against numbers of hotels, fitted to many resamples at once."""

from __future__ import annotations

import numpy as np

#: How fast an error falls: from hardly to as fast as one over the number.
_EXPONENTS = np.geomspace(0.1, 1.0, 16)


def fit_power_laws(sizes: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit error = a + b n^-c by least squares, with a and b not below 0 and c from 0.1 to 1.

    For a given c the law is linear, so that a and b follow: thousands of resamples are fitted in
    a moment, and none depends on where a search began, as by `scipy.optimize.curve_fit`.

    Parameters
    ----------
    sizes : numpy.ndarray
        (n_sizes,), above 0.
    errors : numpy.ndarray
        (n_resamples, n_sizes), 0 to 1.
    weights : numpy.ndarray
        (n_sizes,), how much each size counts.

    Returns
    -------
    numpy.ndarray
        (n_resamples, 3): a, b and c; NaN where an error is.

    Examples
    --------
    >>> sizes = np.array([2.0, 4.0, 8.0, 16.0])
    >>> fit_power_laws(sizes, 0.1 + 0.4 * sizes[None] ** -1.0, np.ones(4)).round(3).tolist()
    [[0.1, 0.4, 1.0]]
    """
    share = weights / weights.sum()
    mean = errors @ share
    found = np.full((len(errors), 3), np.nan)
    least = np.full(len(errors), np.inf)
    for exponent in _EXPONENTS:
        falls = sizes**-exponent
        centre = falls @ share
        slope = ((errors - mean[:, None]) * (falls - centre)) @ share
        slope = np.maximum(slope / (share @ (falls - centre) ** 2), 0.0)
        # Where the best asymptote is below 0, the best of 0 goes through the origin.
        through = np.maximum(errors @ (share * falls) / (share @ falls**2), 0.0)
        slope = np.where(mean - slope * centre < 0, through, slope)
        asymptote = np.maximum(mean - slope * centre, 0.0)
        squares = (errors - asymptote[:, None] - slope[:, None] * falls) ** 2 @ share
        better = squares < least
        least[better] = squares[better]
        found[better] = np.column_stack([asymptote, slope, np.full(len(errors), exponent)])[better]
    return found


def power_law(parameters: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the errors (n_laws, n_sizes) of power laws (n_laws, 3) at sizes (n_sizes,).

    Examples
    --------
    >>> power_law(np.array([[0.1, 0.4, 1.0]]), np.array([4.0, 8.0])).round(3).tolist()
    [[0.2, 0.15]]
    """
    asymptote, slope, exponent = np.asarray(parameters, float).T[:, :, None]
    return np.asarray(asymptote + slope * np.asarray(sizes, float) ** -exponent)
