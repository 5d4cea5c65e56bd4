"""What is to be ranked, gathered from scores, tags and catalogue; all photos in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb
import pandas as pd
import pyarrow as pa

from hotelviz.catalog import read_catalog
from hotelviz.ranking.order import AREA_ORDER, Rules, ranked
from hotelviz.scores import Scores, connect, open_scores

Table: TypeAlias = pd.DataFrame | Scores | str | os.PathLike[str]


class RankingError(ValueError):
    """Photos cannot be ranked as asked."""


def rank_hotel_photos(
    scores: pd.DataFrame | Scores | str | os.PathLike[str],
    tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    catalog: pd.DataFrame | str | os.PathLike[str] | None = None,
    areas: Sequence[str] = AREA_ORDER,
    min_confidence: float = 0.6,
    max_hash_distance: int = 5,
    hotels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rank the photos of each hotel, by score alone and with coverage of its areas.

    Parameters
    ----------
    scores
        ``image_id``, ``hotel_id`` and ``score``; ``hash`` to know near-duplicates by (or
        ``duplicate_group``, where they are known already). Photos without a score are left out.
    tags
        ``image_id``, ``predicted`` and ``p_<class>``, or their Parquet file. Photos without a tag
        are ranked by their score.
    catalog
        With ``image_id`` and ``position``, the order of today, or its file, of which
        Parquet is not loaded whole. Its other columns are not looked at.
    areas
        The order in which areas are shown first; a hotel's missing areas are passed over.
    min_confidence
        A tag less probable than this does not give a photo the slot of its area.
    hotels
        Only these; None for all. In scores that are sorted by hotel only these are read.
    max_hash_distance
        Photos of a hotel whose hashes differ in at most this many of 64 bits are near-duplicates,
        and so is everything that they are near to.

    Returns
    -------
    pandas.DataFrame
        By ``hotel_id`` and ``rank``: ``image_id``, ``hotel_id``, ``score``, ``area``,
        ``confidence`` (0 to 1), ``trusted`` (whether the tag may give a slot), ``position``
        (today's), ``duplicate_group`` (missing for a photo that is alone), ``rank_by_score``,
        ``rank`` (with coverage), ``photos`` (of the hotel), and ``reason``, why the photo has its
        rank. Equal scores keep today's order, then that of ``image_id``.

    Raises
    ------
    RankingError
        Missing columns, or nothing to rank.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": "h",
    ...                        "score": [6.0, 5.5, 5.0]})
    >>> tags = pd.DataFrame({"image_id": ["a", "b", "c"], "predicted": ["Pool", "Pool", "Bedroom"],
    ...                      "p_Pool": [0.9, 0.9, 0.1], "p_Bedroom": [0.1, 0.1, 0.9]})
    >>> rank_hotel_photos(scores, tags)[["image_id", "rank_by_score", "rank", "reason"]]
      image_id  rank_by_score  rank        reason
    0        c              3     1  best Bedroom
    1        a              1     2     best Pool
    2        b              2     3      by score
    """
    rules = Rules(tuple(areas), min_confidence, max_hash_distance)
    connection = connect()
    try:
        sources = Sources(connection, scores, tags, catalog)
        where, values = "", []
        if hotels is not None:
            where, values = f"hotel_id IN ({', '.join('?' * len(hotels))})", list(hotels)
            if not values:
                raise RankingError("hotels=[] leaves nothing to rank")
        photos = sources.photos(where, values)
    finally:
        connection.close()
    if not len(photos):
        raise RankingError("there are no photos with a score to rank")
    return as_frame(ranked(photos, rules))


def as_frame(ranking: pa.Table) -> pd.DataFrame:
    """Give a ranking as pandas has it."""
    texts = ("image_id", "hotel_id", "area", "reason")
    for name in texts:
        place = ranking.schema.get_field_index(name)
        ranking = ranking.set_column(place, name, ranking[name].cast(pa.string()))
    frame = ranking.to_pandas()
    for column in ("position", "duplicate_group"):
        frame[column] = ranking[column].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame


class Sources:
    """Scores, tags and catalogue as one query; checks that they have what ranking needs.

    Attributes
    ----------
    alone
        Whether the scores stand for themselves: nothing has to be joined to them.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        scores: Table,
        tags: pd.DataFrame | str | os.PathLike[str] | None,
        catalog: pd.DataFrame | str | os.PathLike[str] | None,
    ) -> None:
        self._connection = connection
        columns = _register(connection, "given_scores", scores)
        for column in ("image_id", "hotel_id", "score"):
            if column not in columns:
                raise RankingError(f"ranking needs the scores' column {column!r}; see score_photos")
        self._joins, tagged, name = "", columns, "s"
        if tags is not None:
            tagged, name = _register(connection, "given_tags", tags), "g"
            if not {"image_id", "predicted"} <= tagged:
                raise RankingError(
                    "tags need the columns 'image_id' and 'predicted'; see predict_tags"
                )
            self._joins += " LEFT JOIN given_tags g USING (image_id)"
        area, confidence = "NULL::VARCHAR", "NULL::DOUBLE"
        if "predicted" in tagged:
            shares = [f'{name}."{column}"' for column in sorted(tagged) if column[:2] == "p_"]
            area = f"{name}.predicted"
            confidence = f"greatest({', '.join(shares)}, 0)::DOUBLE" if shares else "1.0::DOUBLE"
            confidence = f"CASE WHEN {area} IS NOT NULL THEN {confidence} END"
        position = "NULL::BIGINT"
        if catalog is not None and "position" in _register_places(connection, catalog):
            position = "c.position::BIGINT"
            self._joins += " LEFT JOIN places c USING (image_id)"
        hashed = "s.hash" if "hash" in columns else "NULL::UBIGINT"
        group = "s.duplicate_group" if "duplicate_group" in columns else "NULL::BIGINT"
        self.alone = not self._joins
        self._select = (
            f"s.image_id, s.hotel_id, s.score, {area} AS area, {confidence} AS confidence, "
            f"{position} AS position, {hashed} AS hash, {group} AS duplicate_group"
        )

    def query(self, where: str = "", *, source: str = "given_scores") -> str:
        """Give the SQL of what is to be ranked."""
        more = f" AND s.{where}" if where else ""
        return f"SELECT {self._select} FROM {source} s{self._joins} WHERE s.score IS NOT NULL{more}"

    def photos(self, where: str = "", values: Sequence[object] = ()) -> pa.Table:
        """Give what is to be ranked."""
        return arrow(self._connection, self.query(where), list(values))


def arrow(connection: duckdb.DuckDBPyConnection, sql: str, values: list[object]) -> pa.Table:
    """Give the result of a query as Arrow has it, copied once."""
    result: pa.Table = connection.sql(sql, params=values).to_arrow_table()
    return result


def _register(connection: duckdb.DuckDBPyConnection, name: str, table: Table) -> set[str]:
    """Make a table or dataset known to DuckDB under a name; its columns."""
    if isinstance(table, pd.DataFrame):
        connection.register(name, table)
        return set(map(str, table.columns))
    dataset: Scores = table if isinstance(table, Scores) else open_scores(table)
    connection.from_parquet([str(file) for file in dataset.files]).create_view(name)
    return set(dataset.columns)


def _register_places(
    connection: duckdb.DuckDBPyConnection, catalog: pd.DataFrame | str | os.PathLike[str]
) -> set[str]:
    """Make the positions of today known as ``places``; the catalogue's columns."""
    if not isinstance(catalog, pd.DataFrame):
        path = Path(catalog)
        if path.is_dir() or path.suffix.lower() in {".parquet", ".pq"}:
            return _register(connection, "places", path)
        catalog = read_catalog(path, classes=None)
    if "position" in catalog:
        # Copied: a catalogue's other columns may have types that DuckDB does not take.
        places = pd.DataFrame(
            {
                "image_id": catalog["image_id"].astype(object),
                "position": catalog["position"].astype("float64"),
            }
        )
        connection.register("places", places)
    return set(map(str, catalog.columns))
