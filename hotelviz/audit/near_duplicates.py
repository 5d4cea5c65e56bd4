"""What makes a near-duplicate: nearly equal once laid over each other.

Which photos are compared at all is told by their hashes and, with a model, by their features; see
`hotelviz.audit.registration` for how they are laid over each other.
"""

from __future__ import annotations

import numpy as np

from hotelviz.audit.registration import aligned_similarity
from hotelviz.embeddings.image_properties import ImageProperties
from hotelviz.embeddings.neighbours import Neighbours

#: Photos are compared whose hashes differ in at most so many of 64 bits and that are at least so
#: similar to the network; and those whose hashes alone differ in hardly any bit.
MAX_DISTANCE, MIN_SIMILARITY, MAX_DISTANCE_ALONE = 20, 0.7, 10
#: Near-duplicates are at least so alike once laid over each other. Photos of one scene taken a step
#: apart, and those of other rooms of one kind, are compared but less alike.
MIN_ALIGNMENT = 0.985


def near_duplicate_pairs(
    properties: ImageProperties,
    neighbours: Neighbours | None,
    *,
    max_distance: int,
    min_similarity: float,
    min_alignment: float,
) -> np.ndarray:
    """Return the pairs of photos that are near-duplicates, int (n_pairs, 2), the lower row first.

    Parameters are those of `hotelviz.audit.find_duplicates`.
    """
    hashes = properties.photos["hash"].to_numpy()
    pairs = _alike_by_hash(hashes, np.flatnonzero(properties.photos["pixels"].notna()))
    if neighbours is not None:
        similar = (neighbours.rows >= 0) & (neighbours.similarity >= np.float32(min_similarity))
        rows, places = np.nonzero(similar)
        both = np.stack([rows, neighbours.rows[rows, places]], axis=1)
        close = np.bitwise_count(hashes[both[:, 0]] ^ hashes[both[:, 1]]) <= max_distance
        pairs = np.concatenate([pairs, both[close]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    seen = properties.thumbnails
    alike = aligned_similarity(seen[pairs[:, 0]], seen[pairs[:, 1]])
    return np.asarray(pairs[alike >= min_alignment])


def _alike_by_hash(hashes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pair the photos whose hashes differ in at most `MAX_DISTANCE_ALONE` bits."""
    import faiss

    values, first, every = np.unique(hashes[rows], return_index=True, return_inverse=True)
    pairs = [np.stack([rows[first][every], rows], axis=1)]
    if len(values) > 1:
        # Looks the values up in tables of parts of their bits; exact for so few differing ones.
        index = faiss.IndexBinaryMultiHash(64, 4, 16)
        index.nflip = MAX_DISTANCE_ALONE // 4
        codes = values.astype(">u8").view("uint8").reshape(-1, 8)
        index.add(codes)
        limits, _, found = index.range_search(codes, MAX_DISTANCE_ALONE + 1)
        asked = np.repeat(np.arange(len(values)), np.diff(limits.astype("int64")))
        pairs.append(rows[first][np.stack([asked, found], axis=1)])
    both = np.concatenate(pairs)
    return np.asarray(both[both[:, 0] != both[:, 1]])
