"""Questions about scores: each is one query that streams through the files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from hotelviz.catalog import as_ids
from hotelviz.errors import ScoresError, did_you_mean
from hotelviz.io.escaping import sql_name
from hotelviz.scores.connection import connect, parquet_files, select_list, sql_names

__all__ = ["Scores", "bin_scores"]

#: Bins of the first pass for quantiles.
_FINE = 65_536

#: Columns that are text whatever they are stored as: numbers are names here, not amounts.
_TEXTS = ("image_id", "hotel_id", "path", "predicted", "label", "source", "split", "error")


def bin_scores(
    values: pd.Series | np.ndarray, *, bins: int = 36, low: float = 1.0, high: float = 10.0
) -> pd.DataFrame:
    """Count scores that are in memory, in the form of `Scores.histogram`.

    Parameters
    ----------
    values
        Scores; missing ones are not counted.
    bins, low, high
        As in `Scores.histogram`.

    Returns
    -------
    pandas.DataFrame
        ``low``, ``high``, ``count``.

    Examples
    --------
    >>> bin_scores(np.array([1.0, 4.0, 4.1]), bins=3)["count"].to_list()
    [1, 2, 0]
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)].clip(low, high)
    counts, edges = np.histogram(known, bins=bins, range=(low, high))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts})


class Scores:
    """A dataset of scores; made by `open_scores`.

    Attributes
    ----------
    files
        Its Parquet files.
    place
        The folder or the file that it was opened by.
    columns
        Name -> type of each column.
    names
        Name -> what the column is called in SQL: its own name, but where names differ in case
        only, which are one to DuckDB; see `hotelviz.scores.connection.sql_names`.
    derived
        Those columns that stand in no file as they are given: ``score`` where only its
        distribution is stored, names that are stored as numbers.
    sql
        The query that gives all columns.
    """

    def __init__(self, place: Path, files: Sequence[Path], schemas: Sequence[pa.Schema]) -> None:
        self.place, self.files = place, list(files)
        self.columns = _columns(files, schemas)
        stored, derived = list(self.columns), []
        shares = [f"q_{score}" for score in range(1, 11)]
        if "score" not in self.columns and all(share in self.columns for share in shares):
            self.columns["score"] = "float"
            derived.append("score")
        self.names = sql_names(list(self.columns))
        self._connection = connect(self.files)
        parts = []
        for group, schema in _alike(files, schemas):
            source = parquet_files(group)
            described = self._connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            held = dict(zip(schema.names, (sql_name(row[0]) for row in described), strict=True))
            given = {
                name: _as_text(self._connection, source, held[name], schema.field(name), group[0])
                if name in _TEXTS
                else held[name]
                for name in stored
            }
            derived += [name for name in stored if given[name] != held[name]]
            if "score" in derived:
                # Distributions that someone else has stored: their means are the scores.
                total = "+".join(f"{held[share]}::DOUBLE" for share in shares)
                mean = "+".join(f"{n}*{held[share]}::DOUBLE" for n, share in enumerate(shares, 1))
                given["score"] = f"(({mean}) / ({total}))::FLOAT"
            named = select_list((given[name], self.names[name]) for name in self.columns)
            parts.append(f"SELECT {named} FROM {source}")
        self.derived = tuple(dict.fromkeys(derived))
        self.sql = " UNION ALL ".join(parts)
        self._connection.execute(f"CREATE VIEW scores AS {self.sql}")

    def __len__(self) -> int:
        row = self._connection.execute("SELECT count(*) FROM scores").fetchone()
        return int(row[0]) if row else 0

    def __repr__(self) -> str:
        return f"Scores of {len(self):,} photos in {len(self.files):,} files"

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        *,
        tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """Ask anything in SQL; the table is called ``scores``.

        Parameters
        ----------
        sql
            A query in DuckDB's dialect. It is run as it is: give what comes from data as
            `parameters`, and names of columns through `names` and
            `hotelviz.io.escaping.sql_name`. No other file can be read or written by it.
        parameters
            What its question marks stand for.
        tags
            A second table, called ``tags``: from `hotelviz.inference.predict_tags`, or its Parquet
            file or folder.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ScoresError
            When DuckDB refuses the query.

        Examples
        --------
        >>> import tempfile
        >>> from hotelviz.scores import open_scores
        >>> file = Path(tempfile.mkdtemp()) / "scores.parquet"
        >>> pd.DataFrame({"image_id": ["a", "b"], "score": [4.5, 6.0]}).to_parquet(file)
        >>> open_scores(file).query("SELECT image_id FROM scores WHERE score > ?", [5])
          image_id
        0        b
        """
        if tags is None:
            return self._ask(self._connection, sql, parameters)
        connection, _ = self._beside(tags)
        with connection:
            return self._ask(connection, sql, parameters)

    def _ask(
        self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()
    ) -> pd.DataFrame:
        try:
            found = connection.execute(sql, list(parameters)).df()
        except duckdb.Error as error:
            raise ScoresError(f"{error}") from error
        other = {given: name for name, given in self.names.items() if given != name}
        return found.rename(columns=other) if other else found

    def _name(self, column: str) -> str:
        """Give the name of a column as it stands in SQL; refuse one that is not there."""
        if column not in self.names:
            raise ScoresError(
                f"there is no column {column!r}; there are {', '.join(self.columns)}"
                f"{did_you_mean(column, list(self.columns))}"
            )
        return sql_name(self.names[column])

    def histogram(
        self,
        column: str = "score",
        *,
        bins: int = 180,
        low: float = 1.0,
        high: float = 10.0,
        by: str | None = None,
    ) -> pd.DataFrame:
        """Count photos by score.

        Parameters
        ----------
        column
            What is counted.
        bins
            How many, between `low` and `high`; photos outside are in the first or the last.
        low, high
            Bounds of the histogram.
        by
            A column to count apart by, e.g. ``predicted``.

        Returns
        -------
        pandas.DataFrame
            ``low``, ``high``, ``count``, a row per bin, and `by` if it was given. Photos without
            the value, or with one that is not finite, are not counted.

        Raises
        ------
        ScoresError
            No such column, one that is no number, or a `by` of the name of a column of the answer.
        """
        if by in ("low", "high", "count"):
            raise ScoresError(f"the answer has a column {by!r} of its own; rename that of the data")
        value = self._name(column)
        group = f"{self._name(by)} AS kind, " if by is not None else ""
        # Plain arithmetic in double precision and a narrow key: ten times as fast as bounding each
        # value. The few bins outside are put where they belong afterwards.
        counts = self.query(
            f"SELECT {group}count(*) AS n, "
            f"TRY_CAST(floor(({value}::DOUBLE - {float(low)}::DOUBLE) "
            f"/ {float(high - low)}::DOUBLE * {int(bins)}::DOUBLE) AS INT) AS bin "
            "FROM scores GROUP BY ALL"
        )
        counts = counts[counts["bin"].notna()]
        counts["bin"] = counts["bin"].astype("int64").clip(0, bins - 1)
        keys = ["bin"] if by is None else ["kind", "bin"]
        counts = counts.groupby(keys, as_index=False, dropna=False)["n"].sum()
        width = (high - low) / bins
        frame = pd.DataFrame({"bin": range(bins)})
        frame["low"], frame["high"] = low + frame["bin"] * width, low + (frame["bin"] + 1) * width
        if by is None:
            table = frame.merge(counts, on="bin", how="left")
        else:
            kinds = counts[["kind"]].drop_duplicates().sort_values("kind")
            table = kinds.merge(frame, how="cross").merge(counts, on=["kind", "bin"], how="left")
        table["n"] = table["n"].fillna(0).astype("int64")
        return table.drop(columns="bin").rename(columns={"n": "count", "kind": by})

    def quantiles(
        self, probabilities: Sequence[float], column: str = "score"
    ) -> dict[float, float]:
        """Give quantiles, exact: probability -> value.

        Counted in fine bins first; then only the values of the bins that the quantiles lie in are
        looked at. Memory does not grow with the number of photos.
        """
        if not all(0 <= p <= 1 for p in probabilities):
            raise ScoresError(f"quantiles {list(probabilities)}: expected shares from 0 to 1")
        value = f"{self._name(column)}::DOUBLE"
        ends = self.query(f"SELECT min({value}) AS low, max({value}) AS high FROM scores")
        if not np.isfinite(ends.astype("float64")).all(axis=None):
            known = f"SELECT {value} AS value FROM scores WHERE {_is_number(value)}"
            ends = self.query(f"SELECT min(value) AS low, max(value) AS high FROM ({known})")
        low, high = (float(ends[name].astype("float64").iloc[0]) for name in ("low", "high"))
        if np.isnan(low):
            raise ScoresError(f"no photo has a value in the column {column!r}")
        if np.isinf([low, high]).any():
            raise ScoresError(f"the column {column!r} holds a number that is infinite")
        if low == high:
            return dict.fromkeys(probabilities, low)
        # Tried: what is no number is in no bin.
        fine = (
            f"TRY_CAST(floor(({value} - {low!r}::DOUBLE) / {high - low!r}::DOUBLE "
            f"* {_FINE}::DOUBLE) AS INT)"
        )
        counts = self.query(
            f"SELECT {fine} AS bin, count(*) AS n FROM scores GROUP BY ALL ORDER BY 1"
        ).dropna()
        ends = counts["n"].cumsum().to_numpy()
        places = np.array([float(p) for p in probabilities]) * (ends[-1] - 1)
        needed = np.unique(np.concatenate([np.floor(places), np.ceil(places)]).astype("int64"))
        held = np.unique(np.searchsorted(ends, needed, side="right"))
        bins = counts["bin"].iloc[held].astype(int).to_list()
        values = self.query(
            f"SELECT {value} AS value, count(*) AS n, {fine} AS bin FROM scores "
            f"WHERE {fine} IN ({', '.join(map(str, bins))}) GROUP BY ALL ORDER BY 1"
        )
        # The place of each value's last photo, with the bins in between that were not looked at.
        before = (ends - counts["n"].to_numpy())[np.searchsorted(counts["bin"], values["bin"])]
        last = before + values.groupby("bin")["n"].cumsum().to_numpy()
        found = values["value"].to_numpy()[np.searchsorted(last, needed, side="right")]
        exact = np.interp(places, needed, found)
        return dict(zip(probabilities, map(float, exact), strict=True))

    def sample(self, count: int, *, where: str = "TRUE", seed: int = 0) -> pd.DataFrame:
        """Draw photos at random, the same ones for the same seed.

        Parameters
        ----------
        count
            How many at most.
        where
            A condition in SQL, such as ``score < 4``. It is run as it is, see `query`.
        seed
            For other photos.

        Returns
        -------
        pandas.DataFrame
            All columns, by ``image_id``.
        """
        # By a hash of the name: one pass, in any order of rows, with `count` rows of memory. Only
        # then are the other columns read, and only where these photos are.
        chosen = self.query(
            f"SELECT image_id FROM scores WHERE ({where}) ORDER BY hash(image_id, ?) LIMIT ?",
            [seed, count],
        )
        return self._photos(chosen["image_id"])

    def _photos(self, names: pd.Series) -> pd.DataFrame:
        """Give all columns of some photos, by ``image_id``."""
        return self.query(
            "SELECT * FROM scores WHERE image_id IN (SELECT unnest(?::VARCHAR[])) "
            "ORDER BY image_id",
            [names.to_list()],
        )

    def low_medium_high(
        self,
        count: int,
        *,
        thresholds: tuple[float, float],
        column: str = "score",
        seed: int = 0,
    ) -> pd.DataFrame:
        """Draw photos with low, medium and high scores.

        Parameters
        ----------
        count
            How many of each.
        thresholds
            Up to the first is low, above the second is high.
        column
            The score.
        seed
            For other photos.

        Returns
        -------
        pandas.DataFrame
            With the column ``level``: low, medium or high, in this order, each by score. A column
            of this name in the data is not in it.
        """
        value = self._name(column)
        low, high = (float(bound) for bound in sorted(thresholds))
        levels = ["low", "medium", "high"]
        if count == 0:
            return self._photos(pd.Series([], dtype="str")).assign(level=pd.Series(dtype="str"))
        # The same photos as `sample` would draw of each, in one pass.
        chosen = self.query(
            f"SELECT CASE WHEN {value} <= {low} THEN 'low' "
            f"WHEN {value} <= {high} THEN 'medium' ELSE 'high' END AS level, "
            "unnest(arg_min(image_id, hash(image_id, ?), ?)) AS image_id "
            f"FROM scores WHERE {_is_number(value)} GROUP BY 1",
            [seed, count],
        )
        photos = self._photos(chosen["image_id"]).drop(columns="level", errors="ignore")
        photos = photos.merge(chosen, on="image_id")
        order = np.lexsort([photos[column], photos["level"].map(levels.index)])
        return photos.iloc[order].reset_index(drop=True)

    def hotels(
        self,
        column: str = "score",
        *,
        low: float = 4.0,
        lowest: int | None = None,
    ) -> pd.DataFrame:
        """Sum up each hotel.

        Parameters
        ----------
        column
            The score.
        low
            Scores up to this are low.
        lowest
            Only so many hotels, those with the lowest means; None for all.

        Returns
        -------
        pandas.DataFrame
            ``hotel_id``, ``photos``, ``unreadable``, ``mean``, ``best``, ``worst``,
            ``share_low``; by ``hotel_id``, or by ``mean`` where only the lowest are asked for.
        """
        hotel, value = self._name("hotel_id"), self._name(column)
        known = f"CASE WHEN {_is_number(value)} THEN {value} END"
        order = "1" if lowest is None else f"4 NULLS LAST, 1 LIMIT {int(lowest)}"
        return self.query(
            f"SELECT {hotel} AS hotel_id, count(*) AS photos, "
            f"count(*) - count({known}) AS unreadable, avg({known}) AS mean, "
            f"max({known}) AS best, min({known}) AS worst, "
            f"avg(({known} <= ?)::INT) AS share_low FROM scores GROUP BY 1 ORDER BY {order}",
            [low],
        )

    def of_hotels(self, hotels: Sequence[str]) -> pd.DataFrame:
        """Give all photos of some hotels, by ``hotel_id`` and ``image_id``.

        Where the dataset is sorted by hotel, only these photos are read.
        """
        names = as_ids([hotels] if isinstance(hotels, str) else hotels, "hotel_id", "of_hotels")
        marks = ", ".join("?" * len(names)) or "NULL"
        return self.query(
            f"SELECT * FROM scores WHERE {self._name('hotel_id')} IN ({marks}) "
            "ORDER BY hotel_id, image_id",
            names.to_list(),
        )

    def errors(self, *, limit: int | None = None) -> pd.DataFrame:
        """List the files that something was wrong with.

        Parameters
        ----------
        limit
            How many at most, the first by ``image_id``; None for all.

        Returns
        -------
        pandas.DataFrame
            ``image_id``, ``path`` (where the dataset has it), ``error``.
        """
        if "error" not in self.columns:
            return pd.DataFrame(columns=["image_id", "path", "error"])
        path = "path, " if "path" in self.columns else ""
        return self.query(
            f"SELECT image_id, {path}error FROM scores WHERE error <> '' ORDER BY image_id"
            + ("" if limit is None else f" LIMIT {int(limit)}")
        )

    def count(self, where: str = "TRUE") -> int:
        """Count the photos for which a condition in SQL holds, such as ``score < 4``.

        It is run as it is, see `query`.
        """
        return int(self.query(f"SELECT count(*) AS n FROM scores WHERE ({where})")["n"].item())

    def join(self, tags: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
        """Join scores with tags by ``image_id``.

        Parameters
        ----------
        tags
            From `hotelviz.inference.predict_tags`, or its Parquet file; for large ones ask with
            `query` instead, which does not hold the result.

        Returns
        -------
        pandas.DataFrame
            All scored photos with the tags' columns, missing where there is no tag, in the order
            of ``image_id``. `unmatched` lists the photos that only one side has. What both have is
            the scores', but for predictions (``predicted`` and ``p_<class>``): where both have
            these, they are refused.

        Raises
        ------
        ScoresError
            Tags without ``image_id`` or with two rows of a photo, or predictions in both tables.
        """
        connection, tagged = self._beside(tags)
        both = [name for name in tagged if name in self.columns and _is_prediction(name)]
        if both:
            connection.close()
            raise ScoresError(
                f"the scores and the tags both have {', '.join(map(repr, both[:5]))}: whose "
                "predictions are meant? Leave them out of one of the tables, or rename them"
            )
        more = [name for name in tagged if name not in self.columns]
        every = sql_names([*self.columns, *more])
        chosen = select_list(
            [(f"s.{sql_name(self.names[name])}", every[name]) for name in self.columns]
            + [(f"t.{sql_name(tagged[name])}", every[name]) for name in more]
        )
        with connection:
            found = self._ask(
                connection,
                f"SELECT {chosen} FROM scores s LEFT JOIN tags t ON s.image_id = t.image_id "
                "ORDER BY s.image_id",
            )
        return found.set_axis(list(every), axis="columns")

    def unmatched(self, tags: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
        """List photos that have only a score or only a tag.

        Parameters
        ----------
        tags
            As in `join`.

        Returns
        -------
        pandas.DataFrame
            ``image_id`` and ``missing``: ``tag`` or ``score``.
        """
        return self.query(
            "SELECT image_id, 'tag' AS missing FROM scores ANTI JOIN tags USING (image_id) "
            "UNION ALL SELECT image_id, 'score' FROM tags ANTI JOIN scores USING (image_id) "
            "ORDER BY ALL",
            tags=tags,
        )

    def _beside(
        self, tags: pd.DataFrame | str | os.PathLike[str]
    ) -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
        """Open a connection that has ``scores`` and ``tags``; the tags' columns and their names."""
        from hotelviz.scores.dataset import open_table

        # Validated as scores are: a file that is damaged is named.
        other = tags if isinstance(tags, pd.DataFrame) else open_table(tags)
        if isinstance(other, pd.DataFrame):
            connection = connect(self.files)
            names = register(connection, "tags", other)
        else:
            connection = connect([*self.files, *other.files])
            connection.execute(f"CREATE VIEW tags AS {other.sql}")
            names = other.names
        connection.execute(f"CREATE VIEW scores AS {self.sql}")
        return connection, names


def register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: pd.DataFrame,
    columns: Sequence[str] | None = None,
) -> dict[str, str]:
    """Make a table known to a connection, with a row per photo.

    Parameters
    ----------
    connection
        From `hotelviz.scores.connection.connect`.
    name
        What it is called in SQL.
    table
        With ``image_id``.
    columns
        Only these; None for all.

    Returns
    -------
    dict
        Column -> its name in SQL.

    Raises
    ------
    ScoresError
        No ``image_id``, one that is missing or repeated, or a column that DuckDB does not take.
    CatalogError
        Names that are no texts or whole numbers.
    """
    if "image_id" not in table:
        raise ScoresError(
            "the table has no column 'image_id', by which photos are known; it has "
            f"{', '.join(map(str, table))}"
        )
    kept = [column for column in table if columns is None or column in columns]
    names = sql_names([str(column) for column in kept])
    arrays = {}
    for column, given in zip(kept, names.values(), strict=True):
        values = table[column]
        if not isinstance(values, pd.Series):
            raise ScoresError(f"the table has more than one column {column!r}; rename one")
        try:
            arrays[given] = _texts(values) if column in _TEXTS else pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ScoresError(f"the column {column!r} is not of one type: {error}") from error
    photos = pd.Series(arrays["image_id"].to_pandas())
    if photos.isna().any():
        raise ScoresError(f"{int(photos.isna().sum()):,} rows have no 'image_id'")
    if photos.duplicated().any():
        twice = photos[photos.duplicated()].unique()
        raise ScoresError(
            f"{len(twice):,} photos are in the table more than once, such as {twice[0]!r}; each "
            "has one row"
        )
    # Under plain names: DuckDB would make its own of some.
    plain = pa.table({f"c{place}": array for place, array in enumerate(arrays.values())})
    connection.register(f"{name}_given", plain)
    chosen = select_list((f"c{place}", given) for place, given in enumerate(arrays))
    connection.execute(f"CREATE VIEW {sql_name(name)} AS SELECT {chosen} FROM {name}_given")
    return names


def _texts(values: pd.Series) -> pa.Array:
    """Give names as text, as they are; numbers by their digits, see `hotelviz.catalog.as_ids`."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        values = as_ids(values, str(values.name), "the table")
    return pa.array(values, pa.string(), from_pandas=True)


def _is_number(value: str) -> str:
    """Write the condition that a value is there, and is not the floating point's "not a number".

    By its hash: of ``isnan`` DuckDB takes from what files say of their least and greatest values,
    which leave such values out, that it never holds.
    """
    return f"({value} IS NOT NULL AND hash({value}::DOUBLE) <> hash('nan'::DOUBLE))"


def _is_prediction(name: str) -> bool:
    return name == "predicted" or name.startswith("p_")


def _plain(kind: pa.DataType) -> pa.DataType:
    """Give the type of values, however they are kept."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if _is_text(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    is_, value = pa.types, kind.value_type if pa.types.is_dictionary(kind) else kind
    return is_.is_string(value) or is_.is_large_string(value) or is_.is_string_view(value)


def _columns(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> dict[str, str]:
    """Give the columns that all files have, with types that hold the values of all.

    Raises
    ------
    ScoresError
        A file with other columns or types, or no ``image_id``.
    """
    first = files[0]
    if "image_id" not in schemas[0].names:
        names = schemas[0].names
        raise ScoresError(
            f"{first}: no column 'image_id'; it has {', '.join(names)}"
            f"{did_you_mean('image_id', names)}"
        )
    kinds = {
        field.name: pa.string() if field.name in _TEXTS else _plain(field.type)
        for field in schemas[0]
    }
    seen = {tuple(schemas[0])}
    for file, schema in zip(files, schemas, strict=True):
        if tuple(schema) in seen:
            continue
        seen.add(tuple(schema))
        other = sorted(set(schema.names) ^ kinds.keys())
        if other:
            raise ScoresError(
                f"{file}: other columns than {first.name} ({', '.join(other[:5])}); it does not "
                "belong to this dataset, move it away"
            )
        for field in schema:
            name, kind = field.name, _plain(field.type)
            if name in _TEXTS or kind == kinds[name]:
                continue
            pair = [pa.schema([(name, one)]) for one in (kinds[name], kind)]
            try:
                both = pa.unify_schemas(pair, promote_options="permissive")
            except pa.ArrowTypeError as error:
                raise ScoresError(
                    f"{file}: the column {name!r} is of type {kind}, in {first.name} of "
                    f"{kinds[name]}; write it with one type, or move it away"
                ) from error
            kinds[name] = both.field(name).type
    return {name: str(kind) for name, kind in kinds.items()}


def _alike(
    files: Sequence[Path], schemas: Sequence[pa.Schema]
) -> list[tuple[list[Path], pa.Schema]]:
    """Divide files into those that have the same columns in the same order."""
    groups: dict[tuple[pa.Field, ...], tuple[list[Path], pa.Schema]] = {}
    for file, schema in zip(files, schemas, strict=True):
        groups.setdefault(tuple(schema), ([], schema))[0].append(file)
    return list(groups.values())


def _as_text(
    connection: duckdb.DuckDBPyConnection, source: str, column: str, field: pa.Field, file: Path
) -> str:
    """Write a name, which may be stored as a number, as text; no digit may be lost."""
    if _is_text(field.type):
        return column
    if not pa.types.is_floating(field.type):
        return f"{column}::VARCHAR"
    lossy = connection.execute(
        f"SELECT {column} FROM {source} WHERE {_is_number(column)} AND "
        f"({column} <> trunc({column}) OR abs({column}) >= {2**53}) LIMIT 1"
    ).fetchone()
    if lossy:
        raise ScoresError(
            f"{file}: the column {field.name!r} has the number {lossy[0]!r}: names are text or "
            "whole numbers, which floating point numbers do not keep"
        )
    return f"TRY_CAST({column} AS BIGINT)::VARCHAR"
