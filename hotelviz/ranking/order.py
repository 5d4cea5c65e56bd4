"""The order of hotels' photos, computed for many hotels at once.

Everything here works on whole columns: a million photos of thousands of hotels take less than a
second. Only hotels in which near-duplicates would meet are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

#: Which areas a traveller should see first.
AREA_ORDER = (
    "Bedroom",
    "Bathroom",
    "Restaurant",
    "Pool",
    "View_of_Exterior",
    "Foyer",
    "Reception",
    "Kitchen",
)


#: Cells that near-duplicates are looked for in: 128 million, of four bytes.
_CELL_BITS = 27


class Rules(NamedTuple):
    """What an order goes by; see `hotelviz.ranking.rank_hotel_photos`."""

    areas: Sequence[str] = AREA_ORDER
    min_confidence: float = 0.6
    max_hash_distance: int = 5


def ranked(photos: pa.Table, rules: Rules) -> pa.Table:
    """Rank photos that are in memory.

    Parameters
    ----------
    photos
        ``image_id``, ``hotel_id``, ``score`` (none missing), ``area``, ``confidence``,
        ``position``, ``hash`` and ``duplicate_group`` (all but the first three may be missing).
        All photos of a hotel.
    rules
        What to go by.

    Returns
    -------
    pyarrow.Table
        As `hotelviz.ranking.rank_hotel_photos` describes it; ``reason`` and ``area`` as
        dictionaries.
    """
    photos = photos.combine_chunks()
    scores = photos["score"].to_numpy().astype("float64")
    hotels, _ = _codes(photos["hotel_id"])
    order = _by_score(photos, hotels, scores)
    hotels, count = hotels[order], len(order)
    starts = np.flatnonzero(np.r_[True, hotels[1:] != hotels[:-1]])
    sizes = np.diff(np.r_[starts, count])
    hotel = np.repeat(np.arange(len(starts)), sizes)
    by_score = np.arange(count) - starts[hotel] + 1

    area_codes, area_names = _codes(photos["area"])
    area_codes = area_codes[order]
    slot_of_area = np.array(
        [rules.areas.index(name) if name in rules.areas else -1 for name in area_names], "int64"
    )
    slots = np.where(area_codes >= 0, np.r_[slot_of_area, -1][area_codes], -1)
    confidence = photos["confidence"].to_numpy().astype("float64")[order]
    trusted = (slots >= 0) & (confidence >= rules.min_confidence)
    rank, is_slot = _with_coverage(hotel, starts, by_score, np.where(trusted, slots, -1))

    places = starts[hotel] + rank - 1
    final = np.empty(count, "int64")
    final[places] = np.arange(count)
    groups = _duplicate_groups(photos, order, hotel, rules.max_hash_distance)[final]
    reasons = [f"best {name}".replace("_", " ") for name in rules.areas] + ["by score"]
    codes = np.where(is_slot, slots, len(rules.areas))[final]
    moved = _spread(groups, starts, sizes, hotel)
    if moved is not None:
        names = photos["image_id"].take(pa.array(order[final][moved.twins]))
        reasons, codes = _say_moved(reasons, codes, moved, names)
        final, groups = final[moved.order], groups[moved.order]
    rows = order[final]
    taken = photos.select(["image_id", "hotel_id", "position"]).take(rows)
    return pa.table(
        {
            "image_id": taken["image_id"],
            "hotel_id": taken["hotel_id"],
            "score": scores[rows],
            "area": pa.DictionaryArray.from_arrays(
                pa.array(area_codes[final], pa.int32(), mask=area_codes[final] < 0),
                pa.array(area_names, pa.string()),
            ),
            "confidence": pa.array(confidence[final], from_pandas=True),
            "trusted": trusted[final],
            "position": taken["position"].cast(pa.int64()),
            "duplicate_group": pa.array(groups, mask=groups < 0),
            "rank_by_score": by_score[final],
            "rank": np.arange(count) - starts[hotel] + 1,
            "photos": sizes[hotel],
            "reason": pa.DictionaryArray.from_arrays(
                pa.array(codes, pa.int32()), pa.array(reasons, pa.string())
            ),
        }
    )


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Give texts numbers in their order; -1 for missing ones."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = encoded.dictionary
    order = pc.sort_indices(names).to_numpy()
    place = np.empty(len(names) + 1, "int64")
    place[order], place[-1] = np.arange(len(names)), -1
    indices = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return place[indices], names.take(pa.array(order)).to_pylist()


def _by_score(photos: pa.Table, hotels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Order rows by hotel, then score; equal ones by today's position, then name."""
    first = np.argsort(-scores)
    # Sixteen bits are sorted by their digits, many times as fast as by comparing.
    keys = hotels[first].astype("uint16" if hotels.max(initial=0) < 2**16 else "int64")
    order = first[np.argsort(keys, kind="stable")]
    same = (hotels[order[1:]] == hotels[order[:-1]]) & (scores[order[1:]] == scores[order[:-1]])
    if same.any():
        tied = np.flatnonzero(np.r_[False, same] | np.r_[same, False])
        rows = order[tied]
        some = photos.select(["image_id", "position"]).take(rows)
        names = pc.rank(some["image_id"].combine_chunks(), tiebreaker="dense").to_numpy()
        position = some["position"].to_numpy().astype("float64")
        order[tied] = rows[np.lexsort((names, position, -scores[rows], hotels[rows]))]
    return order


def _with_coverage(
    hotel: np.ndarray, starts: np.ndarray, by_score: np.ndarray, slots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank with the best photo of each slot first; which photos those are."""
    width, count = int(slots.max(initial=-1)) + 1, len(slots)
    if not width:
        return by_score, np.zeros(count, bool)
    may = np.flatnonzero(slots >= 0)
    best = np.full(len(starts) * width, -1, "int64")
    # Written from the worst to the best: what stays is the best.
    best[(hotel[may] * width + slots[may])[::-1]] = may[::-1]
    is_slot = np.zeros(count, bool)
    is_slot[best[best >= 0]] = True
    filled = (best >= 0).reshape(-1, width)
    place = np.cumsum(filled, axis=1)
    before = np.cumsum(is_slot)
    before = before - (before[starts] - is_slot[starts])[hotel]
    rest = by_score + place[hotel, -1] - before
    return np.where(is_slot, place[hotel, np.maximum(slots, 0)], rest), is_slot


def _duplicate_groups(
    photos: pa.Table, order: np.ndarray, hotel: np.ndarray, distance: int
) -> np.ndarray:
    """Give each photo, in `order`, the number of its group of near-duplicates; -1 for none."""
    known = photos["duplicate_group"]
    if known.null_count < len(known):
        return known.fill_null(-1).to_numpy().astype("int64")[order]
    groups = np.full(len(order), -1, "int64")
    column = photos["hash"]
    if column.null_count == len(column):
        return groups
    hashed = np.flatnonzero(column.is_valid().to_numpy()[order])
    hashes = column.fill_null(0).to_numpy().astype("uint64")[order][hashed]
    pairs = near_pairs(hotel[hashed], hashes, distance)
    if not len(pairs):
        return groups
    members, places = np.unique(hashed[pairs], return_inverse=True)
    places = places.reshape(pairs.shape)
    links = coo_matrix(
        (np.ones(len(pairs), bool), (places[:, 0], places[:, 1])), shape=(len(members),) * 2
    )
    groups[members] = connected_components(links, directed=False)[1]
    return groups


def near_pairs(hotel: np.ndarray, hashes: np.ndarray, distance: int) -> np.ndarray:
    """Find pairs of photos of a hotel whose hashes differ in few bits.

    Two hashes that differ in d bits agree in at least one of d + 1 bands of bits: only photos that
    agree in a band are compared.

    Parameters
    ----------
    hotel
        int (n,), ascending.
    hashes
        uint64 (n,).
    distance
        Bits in which near-duplicates may differ.

    Returns
    -------
    numpy.ndarray
        int64 (pairs, 2), places in the arrays; a pair may occur more than once.

    Examples
    --------
    >>> near_pairs(np.array([0, 0, 1]), np.array([7, 5, 5], "uint64"), 1).tolist()
    [[0, 1]]
    """
    bands = min(distance + 1, 64)
    edges = np.linspace(0, 64, bands + 1).astype(int)
    found = []
    for low, high in pairwise(edges.tolist()):
        # A cell for each value of the band in each hotel; where that would be too many cells, the
        # band loses bits, which costs comparisons but no pairs.
        hotels = int(hotel.max(initial=0)) + 1
        bits = max(0, min(high - low, _CELL_BITS - hotels.bit_length()))
        band = (hashes >> np.uint64(low)).astype("int64") & ((1 << bits) - 1)
        cells = (hotel << bits) | band
        rows = _not_alone(cells, hotels << bits)
        rows = rows[np.argsort(cells[rows], kind="stable")]
        values, first, step = cells[rows], np.arange(len(rows) - 1), 1
        while True:
            first = first[first + step < len(rows)]
            first = first[values[first] == values[first + step]]
            if not len(first):
                break
            a, b = rows[first], rows[first + step]
            near = np.bitwise_count(hashes[a] ^ hashes[b]) <= distance
            found.append(np.stack([a[near], b[near]], axis=1))
            step += 1
    return np.sort(np.concatenate(found), axis=1) if found else np.empty((0, 2), "int64")


def _not_alone(cells: np.ndarray, count: int) -> np.ndarray:
    """Give the rows whose cell holds others too."""
    rows = np.arange(len(cells), dtype="int32")
    last = np.empty(count, "int32")
    # Cells of other hotels are not looked at, so that there is nothing to clear.
    last[cells] = rows
    followed = last[cells] != rows
    together = followed.copy()
    together[last[cells[followed]]] = True
    return np.flatnonzero(together)


class _Moved(NamedTuple):
    """The order in which near-duplicates are apart, and who moved down because of whom."""

    order: np.ndarray
    rows: np.ndarray
    twins: np.ndarray


def _spread(
    groups: np.ndarray, starts: np.ndarray, sizes: np.ndarray, hotel: np.ndarray
) -> _Moved | None:
    """Move photos so that near-duplicates are not beside each other, as little as possible."""
    meets = (groups[1:] == groups[:-1]) & (groups[1:] >= 0) & (hotel[1:] == hotel[:-1])
    touched = np.unique(hotel[1:][meets])
    if not len(touched):
        return None
    order = np.arange(len(groups))
    rows: list[int] = []
    twins: list[int] = []
    for start, size in zip(starts[touched].tolist(), sizes[touched].tolist(), strict=True):
        mine = groups[start : start + size].tolist()
        apart = _apart(mine)
        order[start : start + size] = [start + row for row in apart]
        first: dict[int, int] = {}
        for row, group in enumerate(mine):
            if group >= 0:
                first.setdefault(group, row)
        for place, row in enumerate(apart):
            if place > row and mine[row] >= 0 and first[mine[row]] != row:
                rows.append(start + place)
                twins.append(start + first[mine[row]])
    return _Moved(order, np.array(rows, "int64"), np.array(twins, "int64"))


def _say_moved(
    reasons: list[str], codes: np.ndarray, moved: _Moved, names: pa.ChunkedArray
) -> tuple[list[str], np.ndarray]:
    """Add to the reasons of photos that moved down."""
    codes = codes[moved.order].copy()
    texts = [
        f"{reasons[code]}; moved down: near-duplicate of {name}"
        for code, name in zip(codes[moved.rows].tolist(), names.to_pylist(), strict=True)
    ]
    codes[moved.rows] = len(reasons) + np.arange(len(texts))
    return reasons + texts, codes


def _apart(groups: Sequence[int]) -> list[int]:
    """Order places such that equal groups (-1: none) are not neighbours, early places first.

    Where a group has more than half of what is left, one of its members has to come at every
    other place from now on; otherwise the first photo that may follow is taken. What cannot be
    kept apart, because there are no other photos left, stands at the end.
    """
    waiting = list(range(len(groups)))
    left: dict[int, int] = {}
    for group in groups:
        if group >= 0:
            left[group] = left.get(group, 0) + 1
    # Counts only fall, so that the greatest is looked for again only where it could matter.
    most = max(left.values(), default=0)
    order: list[int] = []
    last = -1
    while waiting:
        urgent = -1
        if 2 * most > len(waiting):
            largest = max(left, key=left.__getitem__)
            most = left[largest]
            if 2 * most > len(waiting) and largest != last:
                urgent = largest
        chosen = 0
        for place, row in enumerate(waiting):
            group = groups[row]
            if group == urgent if urgent >= 0 else (group < 0 or group != last):
                chosen = place
                break
        row = waiting.pop(chosen)
        order.append(row)
        last = groups[row]
        if last >= 0:
            left[last] -= 1
    return order
