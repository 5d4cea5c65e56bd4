"""What is to be ranked, gathered from scores, tags and catalogue; all photos in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hotelviz.catalog import read_catalog
from hotelviz.errors import RankingError, ScoresError, did_you_mean
from hotelviz.ranking.algorithm import (
    AREA_ORDER,
    MIN_SLOT_SCORE,
    RankingConfig,
    codes_of,
    ranked,
)
from hotelviz.scores import Scores, open_scores
from hotelviz.scores.connection import connect, register
from hotelviz.scores.dataset import open_table
from hotelviz.scores.sql import select_list, sql_literal, sql_name

Given: TypeAlias = pd.DataFrame | str | os.PathLike[str]
Table: TypeAlias = Given | Scores
Opened: TypeAlias = pd.DataFrame | Scores


def rank_hotel_photos(
    scores: pd.DataFrame | Scores | str | os.PathLike[str],
    tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    catalog: pd.DataFrame | str | os.PathLike[str] | None = None,
    areas: Sequence[str] = AREA_ORDER,
    min_confidence: float = 0.6,
    max_hash_distance: int = 5,
    min_slot_score: float = MIN_SLOT_SCORE,
    hotels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rank the photos of each hotel, by score alone and with coverage of its areas.

    With coverage the hotel's best photo comes first, whatever it shows; then the best photo of each
    other area; then the rest by score.

    Parameters
    ----------
    scores : pandas.DataFrame, Scores or path
        ``image_id``, ``hotel_id`` and ``score``; ``hash`` to know near-duplicates by (or
        ``duplicate_group``, where they are known already). Photos without a score are left out.
    tags : pandas.DataFrame or path, optional
        ``image_id``, ``predicted`` and ``p_<class>`` of each class that is predicted, or their
        Parquet file; other columns are not looked at. Photos without a tag are ranked by their
        score. Tags without any probability are trusted.
    catalog : pandas.DataFrame or path, optional
        With ``image_id`` and ``position``, the current order, or its file, of which
        Parquet is not loaded whole. Its other columns are not looked at.
    areas : sequence of str
        The order in which areas are shown first; a hotel's missing areas are passed over.
    min_confidence : float, default 0.6
        A tag less probable than this does not give a photo the slot of its area.
    min_slot_score : float, default 4.0
        A photo with a lower score takes the slot of its area only if it is among the better half of
        its hotel's photos; 0 for no limit.
    hotels : sequence of str, optional
        Only these; None for all. In scores that are sorted by hotel only these are read.
    max_hash_distance : int, default 5
        Photos of a hotel whose hashes differ in at most this many of 64 bits are near-duplicates,
        and so is everything that they are near to.

    Returns
    -------
    pandas.DataFrame
        By ``hotel_id`` and ``rank``: ``image_id``, ``hotel_id``, ``score``, ``area``,
        ``confidence`` (0 to 1), ``trusted`` (whether the tag may give a slot), ``position``
        (the current one), ``duplicate_group`` (missing for a photo that is alone),
        ``rank_by_score``, ``rank`` (with coverage), ``photos`` (of the hotel), and ``reason``,
        why the photo has its rank. Equal scores keep the current order, then that of ``image_id``.

    Raises
    ------
    RankingError
        Missing columns, tags of which only some have a probability, or nothing to rank.
    ScoresError
        A photo that stands in a table more than once, or without ``image_id``.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": "h",
    ...                        "score": [6.0, 5.5, 5.0]})
    >>> tags = pd.DataFrame({"image_id": ["a", "b", "c"], "predicted": ["Pool", "Pool", "Bedroom"],
    ...                      "p_Pool": [0.9, 0.9, 0.1], "p_Bedroom": [0.1, 0.1, 0.9]})
    >>> rank_hotel_photos(scores, tags)[["image_id", "rank_by_score", "rank", "reason"]]
      image_id  rank_by_score  rank        reason
    0        a              1     1   best of all
    1        c              3     2  best Bedroom
    2        b              2     3      by score
    """
    config = RankingConfig(areas, min_confidence, max_hash_distance, min_slot_score)
    if hotels is not None and (isinstance(hotels, str) or not len(hotels)):
        raise RankingError(
            f"hotels={hotels!r}: expected a list of hotels, such as ['h1']; None for all"
        )
    with open_sources(scores, tags, catalog) as sources:
        photos = sources.photos(hotels)
    if not len(photos):
        raise RankingError("there are no photos with a score to rank")
    return as_frame(ranked(photos, config))


def as_frame(ranking: pa.Table) -> pd.DataFrame:
    """Return a ranking as pandas has it."""
    texts = ("image_id", "hotel_id", "area", "reason")
    for name in texts:
        place = ranking.schema.get_field_index(name)
        ranking = ranking.set_column(place, name, ranking[name].cast(pa.string()))
    frame: pd.DataFrame = ranking.to_pandas()
    for column in ("position", "duplicate_group"):
        frame[column] = ranking[column].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame


@contextmanager
def open_sources(
    scores: Table,
    tags: Table | None,
    catalog: Given | None,
    *,
    labels: bool = False,
    folders: Sequence[Path] = (),
) -> Iterator[Sources]:
    """Open what is to be ranked for as long as it is needed; `folders` may be written to.

    With `labels` the query also gives ``label``, where the catalogue or the scores have it.
    """
    scores, known = _opened(scores), {}
    for name in ("position", "label")[: 1 + labels]:
        if catalog is not None and (table := _column(catalog, name)) is not None:
            known[name] = table
    tagged = scores if tags is None else _opened(tags)
    opened = [table for table in (scores, tagged, *known.values()) if isinstance(table, Scores)]
    files = [file for table in opened for file in table.files]
    with connect(files, folders=folders) as connection:
        yield Sources(connection, scores, tagged, known, labels=labels)


class Sources:
    """Scores, tags and catalogue as one query; checks that they have what ranking needs.

    Attributes
    ----------
    connection, query
        Where the photos are asked for, and the query that gives them.
    stored
        Where the scores' files hold all that ranking looks at: the columns to read. Otherwise
        None.
    given
        The columns that the query gives.
    shares
        Those of them that may hold a class's probability, and that class.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        scores: Opened,
        tagged: Opened,
        catalog: Mapping[str, Opened],
        *,
        labels: bool,
    ) -> None:
        self.connection = connection
        known = ["image_id", "hotel_id", "score", "hash", "duplicate_group"]
        known += ["label"] if labels and "label" not in catalog else []
        columns = _column_names(scores)
        for column in known[:3]:
            if column not in columns:
                raise RankingError(
                    f"ranking needs the scores' column {column!r}; see score_photos"
                    f"{did_you_mean(column, columns)}"
                )
        joins = ""
        own = self._known_as("given_scores", scores, [*known, *_tag_columns(scores)])
        wanted = [(f"s.{sql_name(own[name])}", name) for name in known if name in own]
        source, named, shares = "s", own, _tag_columns(tagged)
        if tagged is not scores:
            if not {"image_id", "predicted"} <= set(_column_names(tagged)):
                raise RankingError(
                    "tags need the columns 'image_id' and 'predicted'; see predict_tags"
                )
            source, named = "g", self._known_as("given_tags", tagged, ["image_id", *shares])
            joins += " LEFT JOIN given_tags g ON s.image_id = g.image_id"
        # Under numbers: names that differ in case only would become one.
        self.shares = {f"share_{n}": name.removeprefix("p_") for n, name in enumerate(shares[1:])}
        for name, alias in zip(shares, ["predicted", *self.shares], strict=False):
            wanted.append((f"{source}.{sql_name(named[name])}", alias))
        for column, table in catalog.items():
            names = self._known_as(f"given_{column}", table, ["image_id", column])
            kind = "BIGINT" if column == "position" else "VARCHAR"
            wanted.append((f"{column}s.{sql_name(names[column])}::{kind}", column))
            joins += f" LEFT JOIN given_{column} {column}s ON s.image_id = {column}s.image_id"
        self.given = [name for _, name in wanted]
        self.query = (
            f"SELECT {select_list(wanted)} FROM given_scores s{joins} WHERE s.score IS NOT NULL"
        )
        self.stored: list[str] | None = None
        if isinstance(scores, Scores) and not joins:
            held = [name for name in known if name in own] + shares
            if not set(held) & set(scores.derived):
                self.stored = held

    def _known_as(self, name: str, table: Opened, columns: Sequence[str]) -> dict[str, str]:
        """Make a table or dataset known to DuckDB; its columns and what they are called there."""
        if isinstance(table, pd.DataFrame):
            return register(self.connection, name, table, columns)
        self.connection.execute(f"CREATE VIEW {name} AS {table.sql}")
        return table.names

    def photos(self, hotels: Sequence[str] | None) -> pa.Table:
        """Return what is to be ranked, of some hotels or of all."""
        where = "" if hotels is None else f" AND s.hotel_id IN ({', '.join('?' * len(hotels))})"
        names = [] if hotels is None else list(map(str, hotels))
        found = self.connection.sql(self.query + where, params=names)
        return prepared(found.to_arrow_table(), self.shares)

    def write_buckets(self, folder: Path, n_buckets: int) -> list[Path]:
        """Write what is to be ranked to files such that each has all photos of its hotels."""
        self.connection.execute(
            f"COPY (SELECT *, hash(hotel_id) % {int(n_buckets)} AS bucket FROM ({self.query})) "
            f"TO {sql_literal(folder)} (FORMAT parquet, PARTITION_BY (bucket))"
        )
        return sorted(folder.glob("bucket=*"))


def prepared(stored: pa.Table, shares: Mapping[str, str]) -> pa.Table:
    """Return what `hotelviz.ranking.algorithm.ranked` takes, from columns as they are stored.

    Parameters
    ----------
    stored : pyarrow.Table
        Photos; those without a score are left out.
    shares : mapping
        Columns that may hold a class's probability -> the class. Only those of classes that were
        predicted are looked at: other columns may be the user's own.

    Returns
    -------
    pyarrow.Table
        The confidence of a tag is the probability of its class; where the table has none of any
        class that was predicted, it is 1.

    Raises
    ------
    RankingError
        Probabilities of some of the predicted classes, but not of all, or ones outside 0 to 1.
    """
    known = ~np.isnan(stored["score"].to_numpy().astype("float64"))
    if not known.all():
        stored = stored.filter(pa.array(known))
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        name: stored[name] if _is_name(stored[name].type) else stored[name].cast(pa.string())
        for name in ("image_id", "hotel_id")
    }
    if columns["hotel_id"].null_count:
        # As in catalogues: what is of no hotel is by itself.
        columns["hotel_id"] = pc.coalesce(
            columns["hotel_id"].cast(pa.string()), columns["image_id"].cast(pa.string())
        )
    columns["score"] = stored["score"]
    kinds = {"position": "int64", "hash": "uint64", "duplicate_group": "int64"}
    for name, kind in kinds.items():
        columns[name] = stored[name] if name in stored.column_names else pa.nulls(len(stored), kind)
    if "predicted" in stored.column_names:
        columns["area"] = stored["predicted"]
        columns["confidence"] = pa.array(_confidence(stored, shares))
    else:
        columns["area"] = pa.nulls(len(stored), "string")
        columns["confidence"] = pa.array(np.full(len(stored), np.nan))
    return pa.table(columns)


def _confidence(stored: pa.Table, shares: Mapping[str, str]) -> np.ndarray:
    """Return the probability of each photo's predicted class, NaN for photos without a tag."""
    codes, classes = codes_of(stored["predicted"])
    held = {name: column for column, name in shares.items() if column in stored.column_names}
    missing = [name for name in classes if name not in held]
    if missing and len(missing) < len(classes):
        raise RankingError(
            f"photos are tagged {missing[0]!r}, but there is no column 'p_{missing[0]}' with "
            "its probability, as there is for other tags"
        )
    if missing:
        return np.where(codes >= 0, 1.0, np.nan)
    confidence = np.full(len(stored), np.nan)
    narrow = codes.astype("int8" if len(classes) < 128 else "int64")
    for code, name in enumerate(classes):
        values, rows = stored[held[name]].to_numpy(), np.flatnonzero(narrow == code)
        confidence[rows] = values[rows]
        if values.min() < 0 or values.max() > 1.001:
            raise RankingError(
                f"the column 'p_{name}' holds numbers that are no probabilities (0 to 1) of "
                f"the class {name!r}, which photos are tagged with"
            )
    return confidence


def _is_name(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind))


def _opened(table: Table) -> Opened:
    return table if isinstance(table, pd.DataFrame | Scores) else open_table(table)


def _column_names(table: Opened) -> list[str]:
    return list(map(str, table if isinstance(table, pd.DataFrame) else table.columns))


def _tag_columns(table: Opened) -> list[str]:
    """Return ``predicted`` and what may be probabilities; nothing where nothing is predicted."""
    if "predicted" not in _column_names(table):
        return []
    kinds = table.columns if isinstance(table, Scores) else table.dtypes
    numbers = [
        str(name)
        for name, kind in kinds.items()
        if str(kind) == "halffloat" or pd.api.types.is_float_dtype(kind)
    ]
    return ["predicted", *(name for name in sorted(numbers) if name.startswith("p_"))]


def _column(catalog: Given, column: str) -> Opened | None:
    """Return a catalogue's current positions, or labels; None where it has none."""
    if not isinstance(catalog, pd.DataFrame):
        path = Path(catalog)
        if path.is_dir() or path.suffix.lower() in {".parquet", ".pq"}:
            # Photos without names of their own, other headers: read_catalog understands them.
            with suppress(ScoresError):
                opened = open_scores(path)
                if column in opened.columns:
                    return opened
        catalog = read_catalog(path, classes=None)
    if column not in catalog:
        return None
    table = catalog[["image_id", column]]
    if column == "label":
        return table
    return table.assign(position=pd.to_numeric(table["position"]).astype("float64"))
