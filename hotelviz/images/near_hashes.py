"""Perceptual hashes that differ in few bits, among hundreds of millions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from tqdm.auto import tqdm

#: Blocks of bits in which two hashes have to agree to be compared.
_AGREED = 3
#: Hashes that are handled in one go.
_CHUNK = 8_000_000


def near_hash_pairs(
    hashes: np.ndarray, *, max_distance: int = 3, progress: bool = False
) -> np.ndarray:
    """Find all pairs of hashes that differ in few bits.

    Parameters
    ----------
    hashes : numpy.ndarray
        uint64 (n_hashes,), all different. **It is the room that the search works in**, and holds
        the same hashes in another order afterwards: nothing of its size is allocated beside it.
    max_distance : int, default 3
        Bits in which they may differ, 0 to 5.
    progress : bool, default False
        Show a bar.

    Returns
    -------
    numpy.ndarray
        uint64 (n_pairs, 2), each pair once, the smaller hash first, ascending.

    Raises
    ------
    ValueError
        `max_distance` out of bounds.

    Notes
    -----
    Of d + 3 blocks of bits d differing bits leave at least three as they are. For each choice of
    three blocks the hashes are sorted by these, and those that agree in them are compared. Of 280
    million hashes that have nothing to do with one another hardly any two agree in three of six
    blocks, 32 bits, by chance. After Manku, Jain and Das Sarma, Detecting Near-Duplicates for Web
    Crawling, 2007, section 3.

    Examples
    --------
    >>> near_hash_pairs(np.array([0b0111, 0b0001, 1 << 40], "uint64"), max_distance=2).tolist()
    [[1, 7], [1, 1099511627776]]
    """
    if not 0 <= max_distance <= 5:
        raise ValueError(f"max_distance={max_distance!r} is not from 0 to 5 bits")
    edges = np.linspace(0, 64, max_distance + _AGREED + 1).astype(int)
    blocks = list(pairwise(edges.tolist()))
    now, found = blocks[::-1], [np.empty((0, 2), "uint64")]
    choices = list(combinations(blocks, _AGREED)) if max_distance else []
    for chosen in tqdm(choices, unit="order", desc="near copies", disable=not progress):
        after = [*chosen, *(block for block in blocks if block not in chosen)]
        _rearrange(hashes, now, after)
        now = after
        hashes.sort()
        n_agreed = sum(high - low for low, high in chosen)
        for pairs in _compared(hashes, n_agreed, max_distance):
            _rearrange(pairs, now, blocks[::-1])
            found.append(np.sort(pairs, axis=1))
    _rearrange(hashes, now, blocks[::-1])
    return np.unique(np.concatenate(found), axis=0)


def _rearrange(
    hashes: np.ndarray, before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]
) -> None:
    """Put blocks of bits, the first the highest, into another order, in place.

    A block is named by its bits in the hash itself, from the lowest.
    """
    shifts, place = {}, 64
    for low, high in before:
        place -= high - low
        shifts[low, high] = place
    for start in range(0, len(hashes), _CHUNK):
        chunk = hashes[start : start + _CHUNK]
        new = np.zeros_like(chunk)
        for low, high in after:
            n_bits = np.uint64(high - low)
            mask = np.uint64((1 << (high - low)) - 1)
            new = (new << n_bits) | ((chunk >> np.uint64(shifts[low, high])) & mask)
        chunk[:] = new


def _compared(hashes: np.ndarray, n_agreed: int, max_distance: int) -> Iterator[np.ndarray]:
    """Yield pairs of hashes that agree in their highest bits and differ in few of the others."""
    for start in range(0, len(hashes) - 1, _CHUNK):
        first = np.arange(start, min(start + _CHUNK, len(hashes) - 1))
        step = 1
        while len(first):
            a, b = hashes[first], hashes[first + step]
            differing = a ^ b
            agree = differing >> np.uint64(64 - n_agreed) == 0
            near = agree & (np.bitwise_count(differing) <= max_distance)
            if near.any():
                yield np.stack([a[near], b[near]], axis=1)
            first, step = first[agree], step + 1
            first = first[first + step < len(hashes)]
