"""Rankings of more photos than fit into memory: hotels by hotels, into Parquet parts."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from hotelviz.errors import RankingError
from hotelviz.images import usable_cores
from hotelviz.io.atomic import atomic_path, remove_leftovers, written_files
from hotelviz.io.claims import claim, own_folder
from hotelviz.ranking.algorithm import AREA_ORDER, MIN_SLOT_SCORE, RankingConfig, ranked
from hotelviz.ranking.inputs import Sources, as_frame, open_sources, prepared
from hotelviz.scores import Scores, open_scores
from hotelviz.scores.connection import memory_limit

#: What `hotelviz.io.claims.own_folder` knows a ranking's folder by.
_PURPOSE = "ranking"


def rank_dataset(
    scores: Scores | str | os.PathLike[str],
    out: str | os.PathLike[str],
    tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    catalog: pd.DataFrame | str | os.PathLike[str] | None = None,
    areas: Sequence[str] = AREA_ORDER,
    min_confidence: float = 0.6,
    max_hash_distance: int = 5,
    min_slot_score: float = MIN_SLOT_SCORE,
    chunk_size: int = 500_000,
    progress: bool = True,
) -> Path:
    """Rank the photos of all hotels into a folder of Parquet parts, however many there are.

    Scores that are sorted by hotel are ranked as they are read. Others, and those to which tags or
    positions have to be joined, are first written to temporary files by hotel.

    Parameters
    ----------
    scores : Scores or path
        A dataset of scores, or where it is.
    out : path
        The folder; what it had of an earlier ranking is replaced when the new one is complete.
    tags, catalog, areas, min_confidence, max_hash_distance, min_slot_score
        As in `hotelviz.ranking.rank_hotel_photos`.
    chunk_size : int, default 500,000
        Photos that a thread has in memory.
    progress : bool, default True
        Show a bar.

    Returns
    -------
    pathlib.Path
        `out`, with parts of the columns that `hotelviz.ranking.rank_hotel_photos` returns. All
        photos of a hotel are in one part, in order.

    Raises
    ------
    RankingError
        Missing columns, nothing to rank, a folder with other files, or one that holds what is to
        be ranked.
    OutputError
        A folder that hotelviz did not make, or that another run is writing.

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
    config = RankingConfig(areas, min_confidence, max_hash_distance, min_slot_score)
    out = Path(out)
    refuse_inputs(out, dataset, tags, catalog)
    foreign = [f for f in out.glob("*") if not f.name.startswith(("part-", "."))]
    if foreign:
        raise RankingError(
            f"{out}: {foreign[0].name} is no part of a ranking; choose another folder"
        )
    if out.exists():
        own_folder(out, _PURPOSE)
    # Beside the folder, which is replaced as a whole.
    with claim(out.parent / f"{out.name}-{_PURPOSE}"):
        unfinished = f"{out.name}-unfinished-"
        # Of rankings that were killed; none takes a day.
        remove_leftovers(out.parent, f"{glob.escape(unfinished)}*", seconds=86_400)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{unfinished}"))
        try:
            own_folder(work / "new", _PURPOSE)
            with open_sources(dataset, tags, catalog, folders=[work]) as sources:
                chunks, shares = _chunks(dataset, sources, chunk_size, work / "hotels")
                total = _rank_chunks(chunks, shares, config, work / "new", progress)
            if not total:
                raise RankingError("there are no photos with a score to rank")
            if out.exists():
                out.rename(work / "old")
            (work / "new").rename(out)
        finally:
            if (work / "old").exists() and not out.exists():
                (work / "old").rename(out)
            shutil.rmtree(work, ignore_errors=True)
    return out


def refuse_inputs(out: Path, *given: object) -> None:
    """Refuse an output that would replace what is to be ranked, or lie among its files.

    Raises
    ------
    RankingError
    """
    target = out.resolve()
    for one in given:
        if not isinstance(one, Scores | str | os.PathLike):
            continue
        place = Path(one.place if isinstance(one, Scores) else one).resolve()
        if target in (place, *place.parents) or (place.is_dir() and place in target.parents):
            raise RankingError(
                f"{out}: holds {place}, which is to be ranked, or lies in it; choose another place"
            )


def read_ranking(
    ranking: str | os.PathLike[str], hotels: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a ranking that `rank_dataset` wrote, or some hotels of it.

    Parameters
    ----------
    ranking : path
        The folder.
    hotels : sequence of str, optional
        Only these; None for all.

    Returns
    -------
    pandas.DataFrame
        As `hotelviz.ranking.rank_hotel_photos` returns it.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "i"], "score": [5, 6.0]})
    >>> scores.to_parquet(folder / "scores.parquet")
    >>> ranking = rank_dataset(folder / "scores.parquet", folder / "ranking", progress=False)
    >>> read_ranking(ranking, hotels=["i"])["image_id"].to_list()
    ['b']
    """
    chosen = None
    if hotels is not None:
        chosen = pc.field("hotel_id").isin(pa.array(list(map(str, hotels)), pa.string()))
    return pd.concat(_parts(ranking, chosen), ignore_index=True)


def _parts(
    ranking: str | os.PathLike[str], chosen: pc.Expression | None = None
) -> Iterator[pd.DataFrame]:
    parts = written_files(ranking, "part-*.parquet")
    if not parts:
        raise RankingError(f"{ranking}: there is no ranking (part-*.parquet) here")
    for part in parts:
        yield as_frame(pq.read_table(part, filters=chosen))


def map_parts(
    ranking: str | os.PathLike[str], function: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """Apply a function to a ranking part by part, for answers that are rows of hotels.

    Parameters
    ----------
    ranking : path
        The folder that `rank_dataset` wrote.
    function : callable
        From a ranking to a table, such as `hotelviz.ranking.ranking_figures`.

    Returns
    -------
    pandas.DataFrame
        The answers, one below the other.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [5.0, 6.0]}).to_parquet(
    ...     folder / "scores.parquet")
    >>> ranking = rank_dataset(folder / "scores.parquet", folder / "ranking", progress=False)
    >>> map_parts(ranking, lambda part: part[part["rank"] == 1])["image_id"].to_list()
    ['b']
    """
    return pd.concat(map(function, _parts(ranking)), ignore_index=True)


class _Chunk(NamedTuple):
    """Hotels that are ranked together, all photos of each.

    Attributes
    ----------
    places
        Files, and which of their row groups; None for all.
    columns
        What to read of them.
    after, upto
        Only hotels with names after the first and up to the second; None for no bound.
    """

    places: Sequence[tuple[Path, Sequence[int] | None]]
    columns: Collection[str]
    after: str | None = None
    upto: str | None = None

    def read(self) -> pa.Table:
        """Read the photos."""
        tables = []
        for file, groups in self.places:
            # Names that repeat are read as numbers: three times as fast.
            repeated = [name for name in ("hotel_id", "predicted") if name in self.columns]
            with pq.ParquetFile(file, read_dictionary=repeated) as parquet:
                names = [name for name in parquet.schema_arrow.names if name in self.columns]
                chosen = range(parquet.num_row_groups) if groups is None else groups
                tables.append(parquet.read_row_groups(chosen, names, use_threads=False))
        table = pa.concat_tables(tables, promote_options="permissive")
        if self.after is None and self.upto is None:
            return table
        hotels = table["hotel_id"].unify_dictionaries().combine_chunks()
        inside = [
            (self.after is None or name > self.after) and (self.upto is None or name <= self.upto)
            for name in hotels.dictionary.to_pylist()
        ]
        return table.filter(pa.array(np.array(inside, bool)[hotels.indices.to_numpy()]))


def _rank_chunks(
    chunks: list[_Chunk],
    shares: Mapping[str, str],
    config: RankingConfig,
    out: Path,
    progress: bool,
) -> int:
    threads = max(1, min(usable_cores(), memory_limit() // (1024**3)))

    def rank(number: int) -> int:
        photos = prepared(chunks[number].read(), shares)
        if len(photos):
            with atomic_path(out / f"part-{number:05d}.parquet") as temporary:
                pq.write_table(
                    ranked(photos, config), temporary, compression="lz4",
                    # Names of photos differ; looking for repeated ones would only cost time.
                    use_dictionary=["hotel_id", "area", "reason", "photos", "rank"],
                    write_statistics=["hotel_id"],
                )  # fmt: skip
        return len(photos)

    with ThreadPoolExecutor(threads) as pool:
        counts = pool.map(rank, range(len(chunks)))
        shown = tqdm(counts, "ranking", len(chunks), unit="part", disable=not progress)
        return sum(shown)


def _chunks(
    dataset: Scores, sources: Sources, chunk_size: int, work: Path
) -> tuple[list[_Chunk], Mapping[str, str]]:
    """Divide the hotels; where photos are not sorted by them, write them to files in `work`.

    Also return the columns that may hold a class's probability, with the class.
    """
    if sources.stored is not None:
        sorted_chunks = _hotel_ranges(dataset.files, chunk_size, sources.stored)
        if sorted_chunks is not None:
            shares = (name for name in sources.stored if name.startswith("p_"))
            return sorted_chunks, {name: name.removeprefix("p_") for name in shares}
    # Twice as many files as needed: they are not equally large.
    buckets = sources.write_buckets(work, max(1, round(2 * len(dataset) / chunk_size)))
    chunks = [
        _Chunk([(file, None) for file in sorted(bucket.glob("*.parquet"))], sources.given)
        for bucket in buckets
    ]
    return chunks, sources.shares


class _RowGroup(NamedTuple):
    """Which hotels a row group has, from the first to the last."""

    low: str
    high: str
    file: int
    number: int
    photos: int


def _hotel_ranges(
    files: Sequence[Path], chunk_size: int, columns: Collection[str]
) -> list[_Chunk] | None:
    """Divide hotels into ranges of about `chunk_size` photos, by what row groups say they hold.

    None where photos are not sorted by hotel, or files do not say.
    """
    groups = []
    for number, file in enumerate(files):
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        place = schema.get_field_index("hotel_id")
        if "string" not in str(schema.field(place).type):
            return None
        for index in range(metadata.num_row_groups):
            row_group = metadata.row_group(index)
            statistics = row_group.column(place).statistics
            if statistics is None or not statistics.has_min_max or statistics.null_count:
                return None
            groups.append(
                _RowGroup(statistics.min, statistics.max, number, index, row_group.num_rows)
            )
    groups.sort()
    bounds: list[str | None] = [None]
    photos, end = 0, ""
    for group in groups:
        if photos >= chunk_size and group.low >= end:
            bounds.append(end)
            photos = 0
        photos += group.photos
        end = max(end, group.high)
        if photos > 4 * chunk_size:
            return None
    chunks = []
    for after, upto in pairwise([*bounds, None]):
        held: dict[int, list[int]] = {}
        for group in groups:
            if (after is None or group.high > after) and (upto is None or group.low <= upto):
                held.setdefault(group.file, []).append(group.number)
        places = [(files[file], sorted(numbers)) for file, numbers in sorted(held.items())]
        chunks.append(_Chunk(places, columns, after, upto))
    return chunks
