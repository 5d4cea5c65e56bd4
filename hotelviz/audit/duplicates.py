"""Find photos that are there more than once."""

from __future__ import annotations

import faiss
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hotelviz.audit.image_properties import Measured
from hotelviz.audit.neighbours import Neighbours
from hotelviz.audit.registration import aligned_similarity
from hotelviz.catalog import check_table
from hotelviz.errors import AuditError, ImageError
from hotelviz.images import read_image

#: Photos are compared whose hashes differ in at most so many of 64 bits and that are at least so
#: similar to the network; and those whose hashes alone differ hardly at all.
MAX_DISTANCE, MIN_SIMILARITY, MAX_DISTANCE_ALONE = 20, 0.7, 10
#: Near-duplicates are at least so alike once laid over each other. Photos of one scene taken a step
#: apart, and those of other rooms of one kind, are compared but less alike.
MIN_ALIGNMENT = 0.985


def find_duplicates(
    measured: Measured,
    catalog: pd.DataFrame,
    neighbours: Neighbours | None = None,
    *,
    max_distance: int = MAX_DISTANCE,
    min_similarity: float = MIN_SIMILARITY,
    min_alignment: float = MIN_ALIGNMENT,
) -> pd.DataFrame:
    """Group the photos that are copies of one another.

    Parameters
    ----------
    measured
        From `measure_photos`, row by row the photos of `catalog`.
    catalog
        With ``path`` and ``hotel_id``, and, if known, ``label``, ``split`` and ``score``.
    neighbours
        Of the photos' features; without them only photos with nearly equal hashes are compared.
    max_distance, min_similarity
        Photos are compared whose hashes differ in at most so many of 64 bits and whose features'
        cosine is at least this; and all whose hashes differ in at most 10 bits.
    min_alignment
        Near-duplicates are those whose `hotelviz.audit.registration.aligned_similarity` is at least
        this.

    Returns
    -------
    pandas.DataFrame
        A row per photo that is in a group: ``row`` (of the catalogue), ``group`` (a name),
        ``kind`` (``exact``: the same pixels as the keeper's; ``near``), ``keeper`` (whether it is
        the one to keep), ``distance`` (differing bits to the keeper), ``spans`` (``labels``,
        ``splits``, ``hotels``: what the group's photos differ in).

    Notes
    -----
    Exact: the same decoded pixels, whatever the file. The keeper is the photo that is whole, has
    the group's most frequent label, then the largest, then the one with the best score, then the
    first in the catalogue.
    """
    catalog = check_table(catalog, needs=["image_id", "path", "hotel_id"], where="find_duplicates")
    if measured.photos["image_id"].tolist() != catalog["image_id"].tolist():
        raise AuditError("find_duplicates: the measures are of other photos, or in another order")
    if not 0 <= max_distance <= 64:
        raise AuditError(f"max_distance is a number of bits, 0 to 64; not {max_distance}")
    photos = measured.photos
    readable = photos["pixels"].notna().to_numpy()
    same = _exact(photos, catalog, readable)
    near = _near_by_hash(photos, readable)
    if neighbours is not None:
        near = np.concatenate([near, _near(photos, neighbours, max_distance, min_similarity)])
    near = np.unique(np.sort(near, axis=1), axis=0)
    seen = measured.thumbnails
    near = near[aligned_similarity(seen[near[:, 0]], seen[near[:, 1]]) >= min_alignment]
    number = _groups(len(photos), np.concatenate([same, near]))
    exact = _groups(len(photos), same)
    sizes = np.bincount(number)
    rows = np.flatnonzero(sizes[number] > 1)
    table = pd.DataFrame({"row": rows, "number": number[rows], "same": exact[rows]})
    if table.empty:
        types = {"row": int, "group": "str", "kind": "str", "keeper": bool, "distance": int}
        return pd.DataFrame(columns=[*types, "spans"]).astype({**types, "spans": "str"})
    table = _with_keepers(table, photos, catalog)
    table["group"] = "duplicates-" + table.groupby("number")["row"].transform("min").astype(str)
    spans = pd.Series("", index=table.index)
    for column, name in (("label", "labels"), ("split", "splits"), ("hotel_id", "hotels")):
        if column in catalog:
            values = pd.Series(catalog[column].to_numpy()[table["row"]], index=table.index)
            many = values.groupby(table["number"]).transform("nunique") > 1
            spans = spans.mask(many, spans + f"{name} ")
    table["spans"] = spans.str.strip()
    return table[["row", "group", "kind", "keeper", "distance", "spans"]]


def _exact(photos: pd.DataFrame, catalog: pd.DataFrame, readable: np.ndarray) -> np.ndarray:
    """Pair each photo with the first of the same pixels."""
    frame = photos.loc[readable, ["content", "pixels"]]
    pairs = []
    for _, group in frame.groupby("pixels", sort=False):
        if len(group) < 2:
            continue
        first = int(group.index[0])
        for row in group.index[1:]:
            # Files with other bytes were seen reduced: only whole do their pixels prove equal.
            if group.at[row, "content"] == group.at[first, "content"] or _same_pixels(
                catalog["path"].iloc[first], catalog["path"].iloc[row]
            ):
                pairs.append((first, int(row)))
    return np.array(pairs, dtype=int).reshape(-1, 2)


def _same_pixels(a: str, b: str) -> bool:
    try:
        return bool(np.array_equal(read_image(a), read_image(b)))
    except ImageError:
        return False


def _near(
    photos: pd.DataFrame, neighbours: Neighbours, max_distance: int, min_similarity: float
) -> np.ndarray:
    hashes = photos["hash"].to_numpy()
    rows, places = np.nonzero(
        (neighbours.rows >= 0) & (neighbours.similarity >= np.float32(min_similarity))
    )
    others = neighbours.rows[rows, places]
    close = np.bitwise_count(hashes[rows] ^ hashes[others]) <= max_distance
    return np.stack([rows[close], others[close]], axis=1)


def _near_by_hash(photos: pd.DataFrame, readable: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(readable)
    values, first = np.unique(photos["hash"].to_numpy()[rows], return_index=True)
    every = np.searchsorted(values, photos["hash"].to_numpy()[rows])
    pairs = [np.stack([rows[first][every], rows], axis=1)]
    if len(values) > 1:
        # Looks the values up in tables of parts of their bits; exact for so few differing ones.
        index = faiss.IndexBinaryMultiHash(64, 4, 16)
        index.nflip = MAX_DISTANCE_ALONE // 4
        codes = values.astype(">u8").view("uint8").reshape(-1, 8)
        index.add(codes)
        limits, _, found = index.range_search(codes, MAX_DISTANCE_ALONE + 1)
        asked = np.repeat(np.arange(len(values)), np.diff(limits.astype("int64")))
        pairs.append(np.stack([rows[first][asked], rows[first][found]], axis=1))
    both = np.concatenate(pairs)
    return both[both[:, 0] != both[:, 1]]


def _groups(count: int, pairs: np.ndarray) -> np.ndarray:
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1]


def _with_keepers(table: pd.DataFrame, photos: pd.DataFrame, catalog: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    rows = table["row"].to_numpy()
    table["whole"] = photos["error"].to_numpy()[rows] == ""
    label = catalog["label"] if "label" in catalog else pd.Series(None, index=catalog.index)
    label = label.reset_index(drop=True).iloc[rows].astype("str").fillna("").to_numpy()
    table["frequency"] = table.groupby([table["number"], label])["row"].transform("size")
    area = (photos["width"] * photos["height"]).fillna(0).to_numpy()
    table["area"] = area[rows]
    score = catalog["score"] if "score" in catalog else pd.Series(0.0, index=catalog.index)
    table["score"] = score.fillna(0).to_numpy()[rows]
    order = ["number", "whole", "frequency", "area", "score", "row"]
    table = table.sort_values(order, ascending=[True, False, False, False, False, True])
    table["keeper"] = ~table["number"].duplicated()
    keeper = table.loc[table["keeper"]].set_index("number")
    of = keeper.loc[table["number"]]
    hashes = photos["hash"].to_numpy()
    table["distance"] = np.bitwise_count(
        hashes[table["row"].to_numpy()] ^ hashes[of["row"].to_numpy()]
    ).astype(int)
    # A group of exact copies of one photo has an exact keeper, too.
    exact = table["same"].to_numpy() == of["same"].to_numpy()
    alone = table.groupby("number")["same"].transform("nunique").to_numpy() > 1
    table["kind"] = np.where(exact & ~(table["keeper"].to_numpy() & alone), "exact", "near")
    return table.sort_index()
