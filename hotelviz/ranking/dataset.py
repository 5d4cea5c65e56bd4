"""Rankings of more photos than fit into memory: hotels by hotels, into Parquet parts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from hotelviz.files import atomic_path
from hotelviz.images import usable_cores
from hotelviz.ranking.order import AREA_ORDER, Rules, ranked
from hotelviz.ranking.photos import RankingError, Sources, arrow, as_frame
from hotelviz.scores import Scores, connect, memory_limit, open_scores, quoted

#: Photos that are ranked at once, by each thread.
CHUNK = 1_000_000


def rank_dataset(
    scores: Scores | str | os.PathLike[str],
    out: str | os.PathLike[str],
    tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    catalog: pd.DataFrame | str | os.PathLike[str] | None = None,
    areas: Sequence[str] = AREA_ORDER,
    min_confidence: float = 0.6,
    max_hash_distance: int = 5,
    chunk: int = CHUNK,
    progress: bool = True,
) -> Path:
    """Rank the photos of all hotels into a folder of Parquet parts, however many there are.

    Scores that are sorted by hotel are ranked as they are read. Others, and those to which tags or
    positions have to be joined, are first dealt to temporary files by hotel.

    Parameters
    ----------
    scores
        A dataset of scores, or where it is.
    out
        The folder; what it had of an earlier ranking is replaced when the new one is complete.
    tags, catalog, areas, min_confidence, max_hash_distance
        As in `hotelviz.ranking.rank_hotel_photos`.
    chunk
        Photos that a thread has in memory.
    progress
        Show a bar.

    Returns
    -------
    pathlib.Path
        `out`, with parts of the columns that `hotelviz.ranking.rank_hotel_photos` gives. All photos
        of a hotel are in one part, in order.

    Raises
    ------
    RankingError
        Missing columns, nothing to rank, or a folder with other files.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [5.0, 6.0]}).to_parquet(
    ...     folder / "scores.parquet")
    >>> ranking = rank_dataset(folder / "scores.parquet", folder / "ranking", progress=False)
    >>> read_ranking(ranking)["image_id"].to_list()
    ['b', 'a']
    """
    dataset = scores if isinstance(scores, Scores) else open_scores(scores)
    rules, out = Rules(tuple(areas), min_confidence, max_hash_distance), Path(out)
    foreign = [f for f in out.glob("*") if not f.name.startswith(("part-", "."))]
    if foreign:
        raise RankingError(
            f"{out}: {foreign[0].name} is no part of a ranking; choose another folder"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        with _chunks(dataset, tags, catalog, chunk, work / "hotels") as chunks:
            total = _rank_chunks(chunks, rules, work, progress)
        if not total:
            raise RankingError("there are no photos with a score to rank")
        shutil.rmtree(work / "hotels", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        work.chmod(0o755)
        work.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out


def read_ranking(
    ranking: str | os.PathLike[str], hotels: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a ranking that `rank_dataset` wrote, or some hotels of it.

    Parameters
    ----------
    ranking
        The folder.
    hotels
        Only these; None for all.

    Returns
    -------
    pandas.DataFrame
        As `hotelviz.ranking.rank_hotel_photos` gives it.
    """
    parts = [
        as_frame(
            pq.read_table(part, filters=None if hotels is None else [("hotel_id", "in", hotels)])
        )
        for part in sorted(Path(ranking).glob("part-*.parquet"))
    ]
    return pd.concat(parts, ignore_index=True)


def over_parts(
    ranking: str | os.PathLike[str], question: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """Ask a ranking part by part, for answers that are rows of hotels.

    Parameters
    ----------
    ranking
        The folder that `rank_dataset` wrote.
    question
        Takes a ranking, gives a table, such as `hotelviz.ranking.ranking_figures`.

    Returns
    -------
    pandas.DataFrame
        The answers, one below the other.
    """
    parts = sorted(Path(ranking).glob("part-*.parquet"))
    return pd.concat([question(as_frame(pq.read_table(part))) for part in parts], ignore_index=True)


class _Chunk(NamedTuple):
    """Hotels that are ranked together, all photos of each: a query."""

    sql: str
    values: list[str]


def _rank_chunks(chunks: Sequence[_Chunk], rules: Rules, out: Path, progress: bool) -> int:
    threads = max(1, min(usable_cores(), memory_limit() // (1024**3)))

    def rank(number: int) -> int:
        # A connection for each: threads that share one wait for each other.
        connection = connect()
        try:
            connection.execute("SET threads = 1")
            photos = arrow(connection, chunks[number].sql, list(chunks[number].values))
        finally:
            connection.close()
        if len(photos):
            with atomic_path(out / f"part-{number:05d}.parquet") as temporary:
                pq.write_table(
                    ranked(photos, rules), temporary, compression="lz4",
                    # Names of photos differ; looking for repeated ones would only cost time.
                    use_dictionary=["hotel_id", "area", "reason", "photos", "rank"],
                    write_statistics=["hotel_id"],
                )  # fmt: skip
        return len(photos)

    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(chunks), desc="ranking", unit="part", disable=not progress) as bar,
    ):
        total = 0
        for count in pool.map(rank, range(len(chunks))):
            total += count
            bar.update()
    return total


@contextmanager
def _chunks(
    dataset: Scores,
    tags: pd.DataFrame | str | os.PathLike[str] | None,
    catalog: pd.DataFrame | str | os.PathLike[str] | None,
    chunk: int,
    folder: Path,
) -> Iterator[list[_Chunk]]:
    connection = connect()
    try:
        sources = Sources(connection, dataset, tags, catalog)
        ranges = _hotel_ranges(dataset.files, chunk) if sources.alone else None
        if ranges is not None:
            yield [_range_query(sources, dataset, *bounds) for bounds in ranges]
            return
        # Twice as many files as needed: they are not equally large.
        buckets = max(1, round(2 * len(dataset) / chunk))
        connection.execute(
            f"COPY (SELECT *, hash(hotel_id) % {buckets} AS bucket FROM ({sources.query()})) TO "
            f"'{quoted(str(folder))}' (FORMAT parquet, PARTITION_BY (bucket))"
        )
        dealt = sorted(folder.glob("bucket=*"))
        yield [
            _Chunk(f"SELECT * FROM read_parquet('{quoted(str(place))}/*.parquet')", [])
            for place in dealt
        ]
    finally:
        connection.close()


def _range_query(
    sources: Sources, dataset: Scores, files: list[int], after: str | None, upto: str | None
) -> _Chunk:
    names = ", ".join(f"'{quoted(str(dataset.files[number]))}'" for number in files)
    conditions, values = ["TRUE"], []
    if after is not None:
        conditions.append("s.hotel_id > ?")
        values.append(after)
    if upto is not None:
        conditions.append("s.hotel_id <= ?")
        values.append(upto)
    sql = sources.query(source=f"read_parquet([{names}])")
    return _Chunk(f"{sql} AND {' AND '.join(conditions)}", values)


def _hotel_ranges(
    files: Sequence[Path], chunk: int
) -> list[tuple[list[int], str | None, str | None]] | None:
    """Divide hotels into ranges of about `chunk` photos, by what row groups say they hold.

    Returns
    -------
    list of tuple, or None
        The files to look into, and the names that the range's hotels are after and up to. None
        where photos are not sorted by hotel, or files do not say.
    """
    groups = []
    for number, file in enumerate(files):
        metadata = pq.read_metadata(file)
        place = metadata.schema.to_arrow_schema().get_field_index("hotel_id")
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            statistics = row_group.column(place).statistics
            if statistics is None or not statistics.has_min_max:
                return None
            groups.append((str(statistics.min), str(statistics.max), number, row_group.num_rows))
    groups.sort()
    ranges: list[tuple[list[int], str | None, str | None]] = []
    after: str | None = None
    held, photos, end = set[int](), 0, ""
    for low, high, number, rows in groups:
        if photos >= chunk and low >= end:
            ranges.append((sorted(held | ({number} if low == end else set())), after, end))
            # The next range begins within files that this one ends in.
            held, photos, after = {n for n in held if _ends_at(groups, n, end)}, 0, end
        held.add(number)
        photos += rows
        end = max(end, high)
        if photos > 4 * chunk:
            return None
    ranges.append((sorted(held), after, None))
    return ranges


def _ends_at(groups: Sequence[tuple[str, str, int, int]], file: int, end: str) -> bool:
    """Whether a file has hotels after `end`."""
    return any(high > end for _, high, number, _ in groups if number == file)
