"""The order of hotels' photos, computed for many hotels at once.

Everything here works on whole columns: a million photos of thousands of hotels take less than a
second. Only hotels in which near-duplicates would meet are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hotelviz.errors import RankingError
from hotelviz.ranking.spacing import Moved, keep_apart

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


#: A photo with a lower score takes the slot of its area only in a hotel whose others are no better.
MIN_SLOT_SCORE = 4.0

#: Photos that are ranked at once.
SLICE = 200_000


@dataclass(frozen=True)
class RankingConfig:
    """What an order goes by; see `hotelviz.ranking.rank_hotel_photos`."""

    areas: Sequence[str] = AREA_ORDER
    min_confidence: float = 0.6
    max_hash_distance: int = 5
    min_slot_score: float = MIN_SLOT_SCORE

    def __post_init__(self) -> None:
        if isinstance(self.areas, str):
            raise RankingError(
                f"areas={self.areas!r}: expected a list of areas, such as [{self.areas!r}]"
            )
        if not 0 <= self.min_confidence <= 1:
            raise RankingError(
                f"min_confidence={self.min_confidence}: expected a probability, 0 to 1"
            )
        if np.isnan(self.min_slot_score):
            raise RankingError("min_slot_score=nan: expected a score, such as 4; 0 for none")


def ranked(photos: pa.Table, config: RankingConfig) -> pa.Table:
    """Rank photos that are in memory.

    Parameters
    ----------
    photos : pyarrow.Table
        ``image_id``, ``hotel_id``, ``score`` (none missing), ``area``, ``confidence``,
        ``position``, ``hash`` and ``duplicate_group`` (all but the first three may be missing).
        All photos of a hotel.
    config : RankingConfig
        What to go by.

    Returns
    -------
    pyarrow.Table
        As `hotelviz.ranking.rank_hotel_photos` describes it; ``hotel_id``, ``area`` and ``reason``
        as dictionaries.
    """
    photos = photos.combine_chunks()
    hotels, names = codes_of(photos["hotel_id"])
    if (hotels[1:] < hotels[:-1]).any():
        rows = _sorted_rows(hotels + 1)
        photos, hotels = photos.take(pa.array(rows)), hotels[rows]
    starts = np.flatnonzero(np.r_[True, hotels[1:] != hotels[:-1]])
    # Some hotels at a time: what is worked on stays near the processor.
    cuts = [0]
    for start in starts.tolist():
        if start - cuts[-1] >= SLICE:
            cuts.append(start)
    parts = [
        _ranked(photos.slice(low, high - low), hotels[low:high], config)
        for low, high in pairwise([*cuts, len(photos)])
    ]
    table = pa.concat_tables(parts).unify_dictionaries()
    return table.add_column(1, "hotel_id", _texts(hotels, names))


def _texts(codes: np.ndarray, names: Sequence[str]) -> pa.DictionaryArray:
    """Return texts by their numbers in `names`; negative ones are missing."""
    places = pa.array(codes, pa.int32(), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(places, pa.array(names, pa.string()))


def _ranked(photos: pa.Table, hotels: np.ndarray, config: RankingConfig) -> pa.Table:
    """Rank photos that are sorted by hotel, given by their numbers; all but ``hotel_id``."""
    scores = photos["score"].to_numpy().astype("float64")
    hotels = hotels - hotels[:1]
    order = _by_score(photos, hotels, scores)
    count = len(order)
    starts = np.flatnonzero(np.r_[True, hotels[1:] != hotels[:-1]])
    sizes = np.diff(np.r_[starts, count])
    hotel = np.repeat(np.arange(len(starts)), sizes)
    by_score = np.arange(count) - starts[hotel] + 1

    area_codes, area_names = codes_of(photos["area"])
    area_codes = area_codes[order]
    slot_of_area = {name: slot for slot, name in enumerate(config.areas)}
    # A missing area has the code -1, the last one.
    slots = np.array([slot_of_area.get(name, -1) for name in area_names] + [-1])[area_codes]
    confidence = photos["confidence"].to_numpy().astype("float64")[order]
    trusted = (slots >= 0) & (confidence >= config.min_confidence)
    # A poor photo does not come early for its area, unless the hotel has few better ones.
    shown = (scores[order] >= config.min_slot_score) | (2 * by_score <= sizes[hotel] + 1)
    slots = np.where(trusted & shown, slots, -1)
    rank, is_slot = _with_coverage(hotel, starts, by_score, slots)

    places = starts[hotel] + rank - 1
    final = np.empty(count, "int64")
    final[places] = np.arange(count)
    groups = _duplicate_groups(photos, order, hotel, config.max_hash_distance)[final]
    reasons = [f"best {name}".replace("_", " ") for name in config.areas]
    codes = np.where(is_slot, slots, len(reasons))
    codes[starts] = len(reasons) + 1
    reasons, codes = [*reasons, "by score", "best of all"], codes[final]
    moved = keep_apart(groups, starts, sizes, hotel)
    if moved is not None:
        names = photos["image_id"].take(pa.array(order[final][moved.twins]))
        reasons, codes = _say_moved(reasons, codes, moved, names)
        final, groups = final[moved.order], groups[moved.order]
    rows = order[final]
    taken = photos.select(["image_id", "position"]).take(pa.array(rows))
    return pa.table(
        {
            "image_id": taken["image_id"],
            "score": scores[rows],
            "area": _texts(area_codes[final], area_names),
            "confidence": pa.array(confidence[final], from_pandas=True),
            "trusted": trusted[final],
            "position": taken["position"].cast(pa.int64()),
            "duplicate_group": pa.array(groups, mask=groups < 0),
            "rank_by_score": by_score[final],
            "rank": np.arange(count) - starts[hotel] + 1,
            "photos": sizes[hotel],
            "reason": _texts(codes, reasons),
        }
    )


def codes_of(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Return numbers for texts, in their order; -1 for missing ones."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    names = encoded.dictionary
    order = pc.sort_indices(names).to_numpy()
    place = np.empty(len(names) + 1, "int64")
    place[order], place[-1] = np.arange(len(names)), -1
    indices = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return place[indices], names.take(pa.array(order)).to_pylist()


def _sorted_rows(*keys: np.ndarray) -> np.ndarray:
    """Return the stable order of rows by whole numbers from 0 on, the first ones before the others.

    NumPy sorts 16 bits by their digits, many times as fast as it compares: wider numbers are sorted
    by their last 16 bits, then by those before them.
    """
    order = np.arange(len(keys[0]))
    for key in reversed(keys):
        for low in range(0, int(key.max(initial=0)).bit_length(), 16):
            digits = (key >> key.dtype.type(low)).astype("uint16")
            order = order[np.argsort(digits[order], kind="stable")]
    return order


def _descending(scores: np.ndarray) -> np.ndarray:
    """Return 32 bits that are the smaller the higher a score, to the precision of a float32."""
    known = np.where(np.isnan(scores), -np.inf, scores) + 0.0  # Minus zero becomes zero.
    bits = known.astype("float32").view("uint32")
    # As floats are stored, those below zero are in reverse.
    negative = bits >> 31 == 1
    return np.where(negative, bits, ~bits & np.uint32(0x7FFFFFFF))


def _by_score(photos: pa.Table, hotels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Order rows that are sorted by hotel by score; equal ones by position, then name."""
    keys = _descending(scores)
    order = _sorted_rows(hotels, keys)
    keys = keys[order]
    same = (hotels[1:] == hotels[:-1]) & (keys[1:] == keys[:-1])
    if same.any():
        tied = np.flatnonzero(np.r_[False, same] | np.r_[same, False])
        rows = order[tied]
        some = photos.select(["image_id", "position"]).take(pa.array(rows))
        names = pc.rank(some["image_id"].combine_chunks(), tiebreaker="dense").to_numpy()
        position = some["position"].to_numpy().astype("float64")
        order[tied] = rows[np.lexsort((names, position, -scores[rows], hotels[rows]))]
    return order


def _with_coverage(
    hotel: np.ndarray, starts: np.ndarray, by_score: np.ndarray, slots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank with the best photo of all first, then that of each slot; which photos those are."""
    # The best photo shows its area: no other photo has to.
    places = np.where(slots == slots[starts][hotel], -1, slots) + 1
    places[places == 0] = -1
    places[starts] = 0
    width, count = int(places.max(initial=0)) + 1, len(places)
    may = np.flatnonzero(places >= 0)
    best = np.full(len(starts) * width, -1, "int64")
    # Written from the worst to the best: what stays is the best.
    best[(hotel[may] * width + places[may])[::-1]] = may[::-1]
    is_slot = np.zeros(count, bool)
    is_slot[best[best >= 0]] = True
    filled = (best >= 0).reshape(-1, width)
    place = np.cumsum(filled, axis=1)
    before = np.cumsum(is_slot)
    before = before - (before[starts] - is_slot[starts])[hotel]
    rest = by_score + place[hotel, -1] - before
    return np.where(is_slot, place[hotel, np.maximum(places, 0)], rest), is_slot


def _duplicate_groups(
    photos: pa.Table, order: np.ndarray, hotel: np.ndarray, distance: int
) -> np.ndarray:
    """Return the group of near-duplicates of each photo, in `order`; -1 for none."""
    known = photos["duplicate_group"]
    if known.null_count < len(known):
        return np.asarray(known.fill_null(-1).take(pa.array(order)), "int64")
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    groups = np.full(len(order), -1, "int64")
    column = photos["hash"]
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

    Of photos with equal hashes only neighbours are paired, which connects them all the same: a
    thousand copies of a placeholder are a thousand pairs, not a million.

    Two hashes that differ in d bits agree in at least one of d + 1 bands of bits: only photos that
    agree in a band are compared.

    Parameters
    ----------
    hotel : numpy.ndarray
        int (n,), ascending.
    hashes : numpy.ndarray
        uint64 (n,).
    distance : int
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
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        rows = _sorted_rows(hotel, band)
        same = (hotel[1:] == hotel[:-1]) & (np.diff(band[rows]) == 0)
        first, step = np.flatnonzero(same), 1
        while len(first):
            a, b = rows[first], rows[first + step]
            differing = np.bitwise_count(hashes[a] ^ hashes[b])
            near = differing <= distance
            found.append(np.stack([a[near], b[near]], axis=1))
            # What comes later is compared with the last of equal ones.
            first = first[differing > 0]
            # Those that also have the keys of the one after that.
            first = first[first + step < len(same)]
            first = first[same[first + step]]
            step += 1
    return np.sort(np.concatenate(found), axis=1) if found else np.empty((0, 2), "int64")


def _say_moved(
    reasons: list[str], codes: np.ndarray, moved: Moved, names: pa.ChunkedArray
) -> tuple[list[str], np.ndarray]:
    """Add to the reasons of photos that moved down."""
    codes = codes[moved.order].copy()
    texts = [
        f"{reasons[code]}; moved down: near-duplicate of {name}"
        for code, name in zip(codes[moved.rows].tolist(), names.to_pylist(), strict=True)
    ]
    codes[moved.rows] = len(reasons) + np.arange(len(texts))
    return reasons + texts, codes
