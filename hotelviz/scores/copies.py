"""The same photo in several hotels, over the whole catalogue, by the hashes that scoring stores."""

from __future__ import annotations

import os
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.errors import ScoresError, no_column
from hotelviz.images import near_hash_pairs
from hotelviz.io.atomic import atomic_path
from hotelviz.scores.connection import ask, connect
from hotelviz.scores.dataset import Scores
from hotelviz.scores.sql import sql_name

#: Fewer bits that are set, or that are not: a photo of one colour or one shade. Such hashes say
#: nothing; those of real hotel photos have 15 to 48.
MIN_BITS = 8
_STRUCTURED = f"bit_count(hash) BETWEEN {MIN_BITS} AND {64 - MIN_BITS}"
#: Hashes that are handled in one go.
_CHUNK = 8_000_000


class Copies(NamedTuple):
    """The same photos in several hotels.

    Attributes
    ----------
    photos
        A row per photo: ``copies`` (the number of its group, from 1: those in most hotels first),
        ``image_id``, ``hotel_id``, ``path`` where the dataset has it, ``distance`` (bits in which
        its hash differs from the one that most photos of the group have; 0 for exact copies),
        ``n_photos`` and ``n_hotels`` of the group. The first groups only, where there are more.
    n_groups, n_photos
        All that were found.
    n_plain
        Photos that were left out because their hash says nothing: all of one colour or shade.
    n_without_hash
        Photos of which no hash was stored, since not all of them was there.
    """

    photos: pd.DataFrame
    n_groups: int
    n_photos: int
    n_plain: int
    n_without_hash: int


def copies_across_hotels(
    scores: Scores,
    *,
    max_distance: int = 3,
    max_photos: int | None = 10_000,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Copies:
    """Find photos that several hotels show: stock photos, placeholders, copied accommodations.

    Parameters
    ----------
    scores : Scores
        With ``hash`` and ``hotel_id``, as `hotelviz.inference.score_photos` writes them.
    max_distance : int, default 3
        Bits of 64 in which hashes of near copies differ at most, 0 (exact copies only) to 5. On
        real hotel photos 3 find all that were saved again at a lower quality or half the size, 98 %
        of those made a tenth brighter and half of those of which 2 % were cut off at each side.
    max_photos : int, optional
        How many rows are returned at most; whole groups. None for all.
    out : path or str, optional
        A Parquet file for all of them.
    progress : bool, default False
        Show a bar.

    Returns
    -------
    Copies

    Raises
    ------
    ScoresError
        No hashes or no hotels in the dataset, or hashes of another type.
    ValueError
        `max_distance` out of bounds.

    See Also
    --------
    hotelviz.audit.find_issues : Near-duplicates within a catalogue, compared pixel by pixel.

    Notes
    -----
    Hashes are held in memory, 8 bytes a photo, nothing else: names are read only of photos that
    have a copy. A group is made around the hash that most of its photos have, so that chains of
    photos, each a little like the next, are not one group. Two of 280 million photos that have
    nothing in common agree by chance: at a distance of 3 about 90 pairs are such.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from hotelviz.scores import open_scores
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "scores.parquet"
    >>> hashes = np.array([0xF0F0F0F0F0F0, 0xF0F0F0F0F0F1, 0x123456789ABC], "uint64")
    >>> pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "i", "i"], "score": 5.0,
    ...               "hash": hashes}).to_parquet(file)
    >>> copies_across_hotels(open_scores(file)).photos[["copies", "image_id", "distance"]]
       copies image_id  distance
    0       1        a         0
    1       1        b         1
    """
    for name in ("hash", "hotel_id"):
        if name not in scores.columns:
            raise ScoresError(
                f"{scores.place}: there is {no_column(name, scores.columns)}; photos that hotels "
                "share are known by both. Score them from a catalogue that names their hotels"
            )
    if scores.columns["hash"] != "uint64":
        raise ScoresError(
            f"{scores.place}: the column 'hash' is {scores.columns['hash']}, not whole numbers of "
            "64 bits (uint64), as scoring writes them: pandas makes floating-point "
            "numbers of a column with gaps, which have 53 bits. Give the dataset itself"
        )
    with connect(scores.files) as connection:
        columns = ", ".join(
            f"{sql_name(scores.names[name])} AS {name}"
            for name in ("image_id", "hotel_id", "path")
            if name in scores.columns
        )
        columns += f", {sql_name(scores.names['hash'])} AS hash"
        connection.execute(f"CREATE VIEW photos AS SELECT {columns} FROM ({scores.sql})")
        n_plain, n_without_hash = _left_out(connection, scores)
        hashes, repeated = _hashes(connection)
        pairs = near_hash_pairs(hashes, max_distance=max_distance, progress=progress)
        del hashes
        _make_groups(connection, _centres(repeated, pairs, max_distance))
        counted = "SELECT count(*), coalesce(sum(n_photos), 0)::BIGINT FROM groups"
        n_groups, n_photos = ask(connection, counted).iloc[0].tolist()
        if out is not None:
            _write(connection, out)
        table = ask(connection, _rows(max_photos))
    return Copies(table, n_groups, n_photos, n_plain, n_without_hash)


def _left_out(connection: duckdb.DuckDBPyConnection, scores: Scores) -> tuple[int, int]:
    n_plain, n_without_hash, n_known = (
        ask(
            connection,
            f"SELECT count(*) FILTER (NOT {_STRUCTURED}), count(*) FILTER (hash IS NULL), "
            "count(*) FILTER (hotel_id <> image_id) FROM photos",
        )
        .iloc[0]
        .tolist()
    )
    if not n_known:
        raise ScoresError(
            f"{scores.place}: no photo has a hotel other than itself; photos that hotels share "
            "cannot be told. Score them from a catalogue with the column 'hotel_id'"
        )
    return n_plain, n_without_hash


def _hashes(connection: duckdb.DuckDBPyConnection) -> tuple[np.ndarray, pd.Series]:
    """Return all hashes that say something, each once, and how often some are there."""
    question = f"FROM photos WHERE {_STRUCTURED} AND hotel_id IS NOT NULL"
    n_photos = ask(connection, f"SELECT count(*) AS n {question}")["n"].item()
    hashes = np.empty(n_photos, "uint64")
    filled = 0
    every = connection.sql(f"SELECT hash {question}")
    for batch in pa.RecordBatchReader.from_stream(every):
        hashes[filled : filled + len(batch)] = batch.column(0).to_numpy()
        filled += len(batch)
    hashes.sort()
    n_different, again = 0, [hashes[:0].copy()]
    # Moved to the front, in place and some at a time: there may be hundreds of millions.
    for start in range(0, n_photos, _CHUNK):
        part = hashes[start : start + _CHUNK].copy()
        before = hashes[n_different - 1] if n_different else ~part[0]
        new = np.diff(part, prepend=before) != 0
        again.append(part[~new])
        kept = part[new]
        hashes[n_different : n_different + len(kept)] = kept
        n_different += len(kept)
    values, counts = np.unique(np.concatenate(again), return_counts=True)
    return hashes[:n_different], pd.Series(counts + 1, index=values)


def _centres(repeated: pd.Series, pairs: np.ndarray, max_distance: int) -> pd.DataFrame:
    """Give each hash that has a copy the hash at the centre of its group."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    hashes = np.unique(np.concatenate([repeated.index.to_numpy("uint64"), pairs.ravel()]))
    sides = np.searchsorted(hashes, pairs)
    links = coo_matrix(
        (np.ones(len(sides), bool), (sides[:, 0], sides[:, 1])), shape=(len(hashes),) * 2
    )
    table = pd.DataFrame({"hash": hashes, "part": connected_components(links, directed=False)[1]})
    table["n_photos"] = repeated.reindex(hashes).fillna(1).to_numpy(int)
    rest = table.sort_values(["part", "n_photos", "hash"], ascending=[True, False, True])
    done = [pd.DataFrame({"hash": hashes[:0], "centre": hashes[:0]})]
    while len(rest):
        rest = rest.assign(centre=rest.groupby("part")["hash"].transform("first"))
        near = np.bitwise_count(rest["hash"].to_numpy() ^ rest["centre"].to_numpy()) <= max_distance
        done.append(rest.loc[near, ["hash", "centre"]])
        rest = rest[~near]
    return pd.concat(done)


def _make_groups(connection: duckdb.DuckDBPyConnection, centres: pd.DataFrame) -> None:
    """Make the tables ``copies``, of photos, and ``groups``, of those in several hotels."""
    table = pa.table({name: centres[name].to_numpy("uint64") for name in ("hash", "centre")})
    connection.register("centres", table)
    connection.execute(
        "CREATE TEMP TABLE copies AS SELECT p.* EXCLUDE (hash), c.centre, "
        "bit_count(xor(c.hash, c.centre)) AS distance "
        "FROM photos p JOIN centres c ON p.hash = c.hash WHERE p.hotel_id IS NOT NULL"
    )
    connection.execute(
        "CREATE TEMP TABLE groups AS SELECT centre, count(*) AS n_photos, "
        "count(DISTINCT hash(hotel_id)) AS n_hotels FROM copies GROUP BY centre HAVING n_hotels > 1"
    )
    connection.execute(
        "CREATE TEMP TABLE ordered AS SELECT *, row_number() OVER (ORDER BY n_hotels DESC, "
        "n_photos DESC, centre) AS copies, sum(n_photos) OVER (ORDER BY n_hotels DESC, "
        "n_photos DESC, centre) AS so_far FROM groups"
    )


def _rows(max_photos: int | None) -> str:
    few = "" if max_photos is None else f"WHERE o.so_far <= {int(max_photos)} "
    return (
        "SELECT o.copies, c.* EXCLUDE (centre, distance), c.distance, o.n_photos, o.n_hotels "
        f"FROM copies c JOIN ordered o USING (centre) {few}"
        "ORDER BY o.copies, c.distance, c.image_id"
    )


def _write(connection: duckdb.DuckDBPyConnection, out: str | os.PathLike[str]) -> None:
    reader = pa.RecordBatchReader.from_stream(connection.sql(_rows(None)))
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
