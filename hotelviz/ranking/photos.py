"""What is to be ranked, gathered from scores, tags and catalogue; all photos in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from hotelviz.catalog import read_catalog
from hotelviz.errors import HotelvizError
from hotelviz.ranking.order import AREA_ORDER, Rules, ranked
from hotelviz.scores import Scores, connect, open_scores

Table: TypeAlias = pd.DataFrame | Scores | str | os.PathLike[str]


class RankingError(HotelvizError):
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
    columns
        What there is of what ranking looks at.
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
        tagged, name, self._joins = columns, "s", ""
        if tags is not None:
            tagged, name = _register(connection, "given_tags", tags), "g"
            if not {"image_id", "predicted"} <= tagged:
                raise RankingError(
                    "tags need the columns 'image_id' and 'predicted'; see predict_tags"
                )
            self._joins += " LEFT JOIN given_tags g USING (image_id)"
        known = ["image_id", "hotel_id", "score", "hash", "duplicate_group"]
        own = [column for column in known if column in columns]
        tag = [c for c in sorted(tagged) if c.startswith("p_")] if "predicted" in tagged else []
        tag += ["predicted"] if "predicted" in tagged else []
        wanted = [f"s.{column}" for column in own] + [f'{name}."{column}"' for column in tag]
        if catalog is not None and "position" in _register_places(connection, catalog):
            wanted.append("c.position::BIGINT AS position")
            self._joins += " LEFT JOIN places c USING (image_id)"
            tag.append("position")
        self.alone, self.columns = not self._joins, own + tag
        self._select = ", ".join(wanted)

    def query(self, where: str = "") -> str:
        """Give the SQL of what is to be ranked; `prepared` makes of it what ranking takes."""
        more = f" AND s.{where}" if where else ""
        return (
            f"SELECT {self._select} FROM given_scores s{self._joins} "
            f"WHERE s.score IS NOT NULL{more}"
        )

    def photos(self, where: str = "", values: Sequence[object] = ()) -> pa.Table:
        """Give what is to be ranked."""
        result = self._connection.sql(self.query(where), params=list(values))
        return prepared(result.to_arrow_table())


def prepared(stored: pa.Table) -> pa.Table:
    """Make what `hotelviz.ranking.order.ranked` takes of columns as they are stored.

    The confidence of a tag is the greatest of its probabilities; where there are none, it is 1.
    """
    count, names = len(stored), set(stored.column_names)
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        name: stored[name] for name in ("image_id", "hotel_id", "score")
    }
    confidence = np.full(count, np.nan)
    if "predicted" in names:
        shares = [name for name in stored.column_names if name.startswith("p_")]
        confidence[:] = 0 if shares else 1
        for name in shares:
            np.fmax(confidence, stored[name].to_numpy(), out=confidence)
        confidence[stored["predicted"].is_null().to_numpy()] = np.nan
    columns["area"] = stored["predicted"] if "predicted" in names else pa.nulls(count, pa.string())
    columns["confidence"] = pa.array(confidence)
    for name, kind in (
        ("position", pa.int64()), ("hash", pa.uint64()), ("duplicate_group", pa.int64()),
    ):  # fmt: skip
        columns[name] = stored[name] if name in names else pa.nulls(count, kind)
    return pa.table(columns)


def _register(connection: duckdb.DuckDBPyConnection, name: str, table: Table) -> set[str]:
    """Make a table or dataset known to DuckDB under a name; its columns."""
    if isinstance(table, pd.DataFrame):
        connection.register(name, table)
        return set(map(str, table.columns))
    dataset: Scores = table if isinstance(table, Scores) else open_scores(table)
    connection.execute(f"CREATE VIEW {name} AS {dataset.sql}")
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
