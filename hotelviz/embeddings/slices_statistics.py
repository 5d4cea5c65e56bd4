"""By how much more a group of photos errs than chance would have it.

Photos of a hotel are alike: a hotel that is hard for a model has several errors, and several
photos in the same groups. Chance is therefore what the errors of whole hotels would be at other
hotels: a hotel's photos of an area get those that one other hotel's photos of the area have.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: Candidates that are multiplied at once, so that the memory stays small.
_BLOCK = 512
#: Shuffles that say how much each sum varies by chance.
_SCALING = 400
#: Below this a sum does not vary at all.
_STILL = 1e-6


def shuffled_errors(
    errors: np.ndarray, strata: np.ndarray, hotels: np.ndarray, n_shuffles: int, seed: int
) -> Iterator[np.ndarray]:
    """Yield errors as they would be if they had nothing to do with any group of photos.

    Parameters
    ----------
    errors : numpy.ndarray
        (n_photos,), 0 or 1, or any number.
    strata : numpy.ndarray
        (n_photos,), what errors are known to differ by, such as the area: they stay within it.
    hotels : numpy.ndarray
        (n_photos,): the photos of a hotel within a stratum get the errors of one hotel's, and
        those of its other strata, where that hotel has any, the same hotel's.
    n_shuffles, seed : int
        How many times, and of which randomness.

    Examples
    --------
    >>> errors, area = np.array([1.0, 1, 0, 0]), np.zeros(4)
    >>> shuffles = shuffled_errors(errors, area, np.array([0, 0, 1, 1]), 20, 0)
    >>> sorted({tuple(shuffle.tolist()) for shuffle in shuffles})
    [(0.0, 0.0, 1.0, 1.0), (1.0, 1.0, 0.0, 0.0)]
    """
    random = np.random.default_rng(seed)
    hotel = np.unique(hotels, return_inverse=True)[1]
    stratum = np.unique(strata, return_inverse=True)[1]
    n_hotels = int(hotel.max(initial=0)) + 1
    cells, cell, size = np.unique(
        stratum * n_hotels + hotel, return_inverse=True, return_counts=True
    )
    order = np.argsort(cell, kind="stable")
    rank = np.empty(len(cell), int)
    rank[order] = np.arange(len(cell)) - np.repeat(np.cumsum(size) - size, size)
    of_stratum, of_hotel = np.divmod(cells, n_hotels)
    first, last = (np.searchsorted(of_stratum, of_stratum, side=side) for side in ("left", "right"))
    n_own = np.bincount(stratum)
    begin = np.cumsum(n_own) - n_own
    for _ in range(n_shuffles):
        # The hotels stand in a random row, and with them the photos of each stratum. A hotel's
        # photos are read from a random place on: from the hotel there, or the next one that has
        # such photos, and where these are too few, on into the hotels after it.
        place, wanted = random.permutation(n_hotels), random.permutation(n_hotels)
        keys = of_stratum * n_hotels + place[of_hotel]
        row = np.argsort(keys)
        at = np.searchsorted(keys[row], of_stratum * n_hotels + wanted[of_hotel])
        at = np.where(at >= last, first, at)
        start = (np.cumsum(size[row]) - size[row])[at]
        start += (random.random(len(cells)) * (1 + np.maximum(size[row][at] - size, 0))).astype(int)
        photos = np.argsort(keys[cell] + random.random(len(cell)))
        read = begin[stratum] + (start[cell] + rank - begin[stratum]) % n_own[stratum]
        yield errors[photos[read]]


def excess_errors(
    members: np.ndarray,
    errors: np.ndarray,
    strata: np.ndarray,
    hotels: np.ndarray,
    *,
    two_sided: bool = False,
    n_shuffles: int = 400,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute by how many deviations groups of photos err more than photos of the same strata.

    Parameters
    ----------
    members : numpy.ndarray
        bool (n_groups, n_photos).
    errors, strata, hotels, n_shuffles, seed
        As in `shuffled_errors`.
    two_sided : bool, default False
        Less counts like more: of signed errors.

    Returns
    -------
    numpy.ndarray
        (n_groups,), brought to the normal distribution also where it is skewed, as the number of
        errors of a small group is; minus infinity where chance alone has no spread.
    numpy.ndarray
        (n_shuffles, n_groups): the same of shuffled errors.

    Examples
    --------
    >>> wrong, all_one = np.repeat([1.0, 0.0], 50), np.zeros(100)
    >>> group = np.arange(100)[None] < 20
    >>> excess, by_chance = excess_errors(group, wrong, all_one, np.arange(100))
    >>> bool(excess[0] > by_chance.max())
    True
    """
    strata = np.unique(strata, return_inverse=True)[1]
    weight = np.maximum(np.bincount(strata), 1)
    rows = [errors, *shuffled_errors(errors, strata, hotels, n_shuffles + _SCALING, seed)]
    residuals = np.array(
        [row - (np.bincount(strata, row) / weight)[strata] for row in rows], dtype="float32"
    )
    blocks = [members[start : start + _BLOCK] for start in range(0, len(members), _BLOCK)]
    sums = np.hstack([residuals @ block.T.astype("float32") for block in blocks])
    # Spread and skew come from shuffles of their own: a sum that had a part in them would be less
    # far from the others than one that had none.
    chance = sums[1 + n_shuffles :].astype(float)
    spread = np.sqrt((chance**2).mean(axis=0))
    scaled = sums[: 1 + n_shuffles] / np.where(spread > _STILL, spread, 1.0)
    skew = (chance**3).mean(axis=0) / np.where(spread > _STILL, spread, 1.0) ** 3
    excess = _unskewed(scaled, skew)
    if two_sided:
        excess = np.maximum(excess, _unskewed(-scaled, -skew))
    excess[:, spread <= _STILL] = -np.inf
    return excess[0], excess[1:]


def _unskewed(values: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Bring skewed values to the normal distribution: Wilson's and Hilferty's cube root."""
    shape = 4 / np.maximum(skew, 1e-2) ** 2
    root = np.cbrt(np.maximum(values / np.sqrt(shape) + 1, 0))
    normal = 3 * np.sqrt(shape) * (root - 1 + 1 / (9 * shape))
    return np.asarray(np.where(skew > 1e-2, normal, values), dtype=float)
