"""How many photos it takes to find a difference between two models."""

from __future__ import annotations

import math

from hotelviz.errors import MetricsError


def required_photos(
    difference: float,
    *,
    standard_error: float,
    n_photos: int,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """Return how many photos it takes to find a difference, from how uncertain it is with some.

    Parameters
    ----------
    difference : float
        That is to be found, such as 0.02 for two points.
    standard_error : float
        Of the difference with `n_photos`, as `Comparison` has it.
    n_photos : int
        Those photos: of as many more hotels as there are more photos.
    power : float, default 0.8
        In how many of repeated comparisons it is to be found.
    level : float, default 0.95
        Of the test.

    Returns
    -------
    int
        Photos, of hotels as large as those compared.

    Notes
    -----
    The standard error falls with the root of the number of hotels; the test is taken for normal,
    which it is from some 30 hotels on.

    References
    ----------
    Cohen: Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 2.

    Examples
    --------
    >>> required_photos(0.02, standard_error=0.02, n_photos=500)
    3925
    """
    from scipy.stats import norm

    if not difference or not 0 < power < 1 or not 0 < level < 1 or standard_error < 0:
        raise MetricsError(
            f"difference={difference!r}, power={power!r}, level={level!r}, "
            f"standard_error={standard_error!r}: expected a difference other than 0, a power and "
            "a level between 0 and 1, and an error of at least 0"
        )
    wanted = float(norm.ppf(0.5 + level / 2) + norm.ppf(power))
    return max(1, math.ceil(n_photos * (standard_error * wanted / difference) ** 2))


def without_flips(margin: float, most: float, n_photos: int) -> int:
    """Return how many photos without a flip leave room for less than a margin, as some for `most`.

    Examples
    --------
    >>> without_flips(0.02, 0.4593, 6)
    183
    """
    return max(1, math.ceil(n_photos * math.log1p(-most) / math.log1p(-margin)))
