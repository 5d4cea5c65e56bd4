"""Where predictions live, and how to ask them questions.

Scores are a folder of Parquet parts. Each question is one DuckDB query that streams through them:
nothing loads the dataset whole, so that 280 million photos can be asked like 280.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.catalog import nearest
from hotelviz.errors import HotelvizError
from hotelviz.images import usable_cores
from hotelviz.io.atomic import written_files

__all__ = ["Scores", "ScoresError", "bin_scores", "open_scores"]


#: Bins of the first pass for quantiles.
_FINE = 65_536

#: Bytes of memory that questions may take; more goes to disk.
MEMORY = 3 * 1024**3


class ScoresError(HotelvizError):
    """A scores dataset cannot be read, or does not have what was asked for."""


def open_scores(path: str | os.PathLike[str]) -> Scores:
    """Open a dataset of scores.

    Parameters
    ----------
    path
        The folder that `hotelviz.scoring.score_photos` wrote, or a Parquet file with ``image_id``
        and a score.

    Returns
    -------
    Scores

    Raises
    ------
    ScoresError
        Nothing there, or a file in it that is damaged or has other columns; it is named.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "scores.parquet"
    >>> pd.DataFrame({"image_id": ["a", "b"], "score": [4.5, 6.0]}).to_parquet(file)
    >>> open_scores(file).quantiles([0.5])
    {0.5: 5.25}
    """
    path = Path(path)
    files = written_files(path, "*.parquet") if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise ScoresError(f"{path}: there are no scores (Parquet files) here")
    columns: dict[str, str] | None = None
    for file in files:
        try:
            schema = pq.read_schema(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise ScoresError(
                f"{file}: not a whole Parquet file ({error}); remove it, and score again: parts "
                "that are there are kept"
            ) from error
        found = {field.name: str(field.type) for field in schema}
        if columns is None:
            columns = found
        elif found.keys() != columns.keys():
            other = sorted(found.keys() ^ columns.keys())
            raise ScoresError(
                f"{file}: other columns than {files[0].name} ({', '.join(other[:5])}); it does not "
                "belong to this dataset, move it away"
            )
    if columns is None or "image_id" not in columns:
        raise ScoresError(f"{files[0]}: no column 'image_id'; it has {', '.join(columns or {})}")
    return Scores(files, columns)


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
    columns
        Name -> type of each column.
    derived
        Those of them that are computed and stand in no file: ``score`` where only its distribution
        is stored.
    sql
        The query that gives all columns.
    """

    def __init__(self, files: Sequence[Path], columns: dict[str, str]) -> None:
        self.files, self.columns = list(files), columns
        self.derived: tuple[str, ...] = ()
        self._connection = connect()
        names = ", ".join(f"'{quoted(str(file))}'" for file in self.files)
        extra = ""
        shares = [f"q_{score}" for score in range(1, 11)]
        if "score" not in columns and all(share in columns for share in shares):
            # Distributions that someone else has stored: their means are the scores.
            total = "+".join(f"{share}::DOUBLE" for share in shares)
            mean = "+".join(f"{number}*{share}::DOUBLE" for number, share in enumerate(shares, 1))
            extra = f", (({mean}) / ({total}))::FLOAT AS score"
            self.columns, self.derived = {**columns, "score": "float"}, ("score",)
        self.sql = f"SELECT *{extra} FROM read_parquet([{names}])"
        self._connection.execute(f"CREATE VIEW scores AS {self.sql}")

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM scores")[0])

    def __repr__(self) -> str:
        return f"Scores of {len(self):,} photos in {len(self.files):,} files"

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Ask anything in SQL; the table is called ``scores``.

        Parameters
        ----------
        sql
            A query in DuckDB's dialect.
        parameters
            What its question marks stand for.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ScoresError
            When DuckDB refuses the query.
        """
        try:
            return self._connection.execute(sql, list(parameters)).df()
        except duckdb.Error as error:
            raise ScoresError(f"{error}") from error

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
            the value are not counted.
        """
        self._check(column, *([by] if by else []))
        group = f'"{by}", ' if by else ""
        # Plain arithmetic in double precision and a narrow key: ten times as fast as bounding each
        # value. The few bins outside are put where they belong afterwards.
        counts = self.query(
            f'SELECT {group} count(*) AS "count", '
            f'floor(("{column}"::DOUBLE - {float(low)}::DOUBLE) / {float(high - low)}::DOUBLE '
            f"* {int(bins)}::DOUBLE)::INT AS bin "
            "FROM scores GROUP BY ALL"
        )
        counts = counts[counts["bin"].notna()]
        counts["bin"] = counts["bin"].astype("int64").clip(0, bins - 1)
        keys = ["bin"] if by is None else [by, "bin"]
        counts = counts.groupby(keys, as_index=False, dropna=False)["count"].sum()
        width = (high - low) / bins
        frame = pd.DataFrame({"bin": range(bins)})
        frame["low"], frame["high"] = low + frame["bin"] * width, low + (frame["bin"] + 1) * width
        if by is None:
            table = frame.merge(counts, on="bin", how="left")
        else:
            kinds = counts[[by]].drop_duplicates().sort_values(by)
            table = kinds.merge(frame, how="cross").merge(counts, on=[by, "bin"], how="left")
        table["count"] = table["count"].fillna(0).astype("int64")
        return table.drop(columns="bin")

    def quantiles(
        self, probabilities: Sequence[float], column: str = "score"
    ) -> dict[float, float]:
        """Give quantiles, exact: probability -> value.

        Counted in fine bins first; then only the values of the bins that the quantiles lie in are
        looked at. Memory does not grow with the number of photos.
        """
        self._check(column)
        count, low, high = self._one(
            f'SELECT count("{column}"), min("{column}")::DOUBLE, max("{column}")::DOUBLE '
            "FROM scores"
        )
        if not count:
            raise ScoresError(f"no photo has a value in the column {column!r}")
        if low == high:
            return dict.fromkeys(probabilities, float(low))
        places = np.array([float(p) for p in probabilities]) * (count - 1)
        needed = np.unique(np.concatenate([np.floor(places), np.ceil(places)]).astype("int64"))
        fine = (
            f'floor(("{column}"::DOUBLE - {low!r}::DOUBLE) / {high - low!r}::DOUBLE '
            f"* {_FINE}::DOUBLE)::INT"
        )
        counts = self.query(
            f'SELECT {fine} AS bin, count(*) AS "count" FROM scores '
            f'WHERE "{column}" IS NOT NULL GROUP BY ALL ORDER BY bin'
        )
        ends = counts["count"].cumsum().to_numpy()
        held = np.unique(np.searchsorted(ends, needed, side="right"))
        bins = counts["bin"].iloc[held].to_list()
        values = self.query(
            f'SELECT "{column}"::DOUBLE AS value, count(*) AS "count", {fine} AS bin FROM scores '
            f"WHERE {fine} IN ({', '.join(map(str, bins))}) GROUP BY ALL ORDER BY value"
        )
        # The place of each value's last photo, with the bins in between that were not looked at.
        before = (ends - counts["count"].to_numpy())[np.searchsorted(counts["bin"], values["bin"])]
        last = before + values.groupby("bin")["count"].cumsum().to_numpy()
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
            A condition in SQL, such as ``score < 4``.
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
            f"SELECT image_id FROM scores WHERE {where} ORDER BY hash(image_id, ?) LIMIT ?",
            [seed, count],
        )
        return self._photos(chosen["image_id"])

    def _photos(self, names: pd.Series) -> pd.DataFrame:
        """Give all columns of some photos, by ``image_id``."""
        return self.query(
            "SELECT * FROM scores WHERE image_id IN (SELECT unnest(?)) ORDER BY image_id",
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
            With the column ``level``: low, medium or high, in this order, each by score.
        """
        self._check(column)
        low, high = (float(bound) for bound in sorted(thresholds))
        levels = ["low", "medium", "high"]
        if count == 0:
            return self._photos(pd.Series([], dtype="str")).assign(level=pd.Series(dtype="str"))
        # The same photos as `sample` would draw of each, in one pass.
        chosen = self.query(
            f"SELECT CASE WHEN \"{column}\" <= {low} THEN 'low' "
            f"WHEN \"{column}\" <= {high} THEN 'medium' ELSE 'high' END AS level, "
            "unnest(arg_min(image_id, hash(image_id, ?), ?)) AS image_id "
            f'FROM scores WHERE "{column}" IS NOT NULL GROUP BY level',
            [seed, count],
        )
        photos = self._photos(chosen["image_id"]).merge(chosen, on="image_id")
        order = photos["level"].map(levels.index)
        return (
            photos.assign(order=order)
            .sort_values(["order", column], kind="stable")
            .drop(columns="order")
            .reset_index(drop=True)
        )

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
        self._check(column, "hotel_id")
        return self.query(
            f'SELECT hotel_id, count(*) AS photos, count(*) - count("{column}") AS unreadable, '
            f'avg("{column}") AS mean, max("{column}") AS best, min("{column}") AS worst, '
            f'avg(("{column}" <= ?)::INT) AS share_low FROM scores GROUP BY hotel_id '
            + (
                "ORDER BY hotel_id"
                if lowest is None
                else f"ORDER BY mean NULLS LAST, hotel_id LIMIT {int(lowest)}"
            ),
            [low],
        )

    def of_hotels(self, hotels: Sequence[str]) -> pd.DataFrame:
        """Give all photos of some hotels, by ``hotel_id`` and ``image_id``.

        Where the dataset is sorted by hotel, only these photos are read.
        """
        self._check("hotel_id")
        names = ", ".join(f"'{quoted(str(hotel))}'" for hotel in hotels) or "NULL"
        return self.query(
            f"SELECT * FROM scores WHERE hotel_id IN ({names}) ORDER BY hotel_id, image_id"
        )

    def problems(self, *, limit: int | None = None) -> pd.DataFrame:
        """List the files that something was wrong with.

        Parameters
        ----------
        limit
            How many at most, the first by ``image_id``; None for all.

        Returns
        -------
        pandas.DataFrame
            ``image_id``, ``path`` (where the dataset has it), ``problem``.
        """
        if "problem" not in self.columns:
            return pd.DataFrame(columns=["image_id", "path", "problem"])
        path = "path, " if "path" in self.columns else ""
        return self.query(
            f"SELECT image_id, {path}problem FROM scores WHERE problem <> '' ORDER BY image_id"
            + ("" if limit is None else f" LIMIT {int(limit)}")
        )

    def count(self, where: str = "TRUE") -> int:
        """Count the photos for which a condition in SQL holds, such as ``score < 4``."""
        return int(self.query(f"SELECT count(*) AS n FROM scores WHERE {where}")["n"].item())

    def join(self, tags: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
        """Join scores with tags by ``image_id``.

        Parameters
        ----------
        tags
            From `hotelviz.scoring.predict_tags`, or its Parquet file; for large ones ask with
            `query` instead, which does not hold the result.

        Returns
        -------
        pandas.DataFrame
            All scored photos with the tags' columns, missing where there is no tag, in the order
            of ``image_id``. `unmatched` lists the photos that only one side has.
        """
        self._attach(tags)
        taken = [c for c in self._tag_columns() if c not in self.columns]
        more = "".join(f', t."{name}"' for name in taken)
        return self.query(
            f"SELECT s.*{more} FROM scores s LEFT JOIN tags t USING (image_id) ORDER BY image_id"
        )

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
        self._attach(tags)
        return self.query(
            "SELECT image_id, 'tag' AS missing FROM scores ANTI JOIN tags USING (image_id) "
            "UNION ALL SELECT image_id, 'score' FROM tags ANTI JOIN scores USING (image_id) "
            "ORDER BY ALL"
        )

    def _attach(self, tags: pd.DataFrame | str | os.PathLike[str]) -> None:
        if isinstance(tags, pd.DataFrame):
            if "image_id" not in tags:
                raise ScoresError("tags are joined by image_id, which they do not have")
            self._connection.register("tags_frame", tags)
            self._connection.execute("CREATE OR REPLACE TEMP VIEW tags AS FROM tags_frame")
            return
        # Validated as scores are: a file that is damaged is named.
        names = ", ".join(f"'{quoted(str(file))}'" for file in open_scores(tags).files)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP VIEW tags AS SELECT * FROM read_parquet([{names}])"
        )

    def _tag_columns(self) -> list[str]:
        return [row[0] for row in self._connection.execute("DESCRIBE tags").fetchall()]

    def _one(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        return row if row is not None else (None,)

    def _check(self, *columns: str) -> None:
        for column in columns:
            if column not in self.columns:
                raise ScoresError(
                    f"there is no column {column!r}; there are {', '.join(self.columns)}"
                    f"{nearest(column, list(self.columns))}"
                )


def connect() -> duckdb.DuckDBPyConnection:
    """Open DuckDB such that it stays within a part of the machine's memory.

    What does not fit goes to a temporary folder (``$TMPDIR``), and goes away with the connection.
    """
    connection = duckdb.connect()
    # Progress goes to tqdm where there is any; DuckDB's own would end up in reports.
    connection.execute("SET enable_progress_bar = false")
    folder = Path(tempfile.gettempdir()) / f"hotelviz-duckdb-{os.getpid()}"
    connection.execute(f"SET temp_directory = '{quoted(str(folder))}'")
    connection.execute(f"SET memory_limit = '{memory_limit()}B'")
    connection.execute(f"SET threads = {usable_cores()}")
    return connection


def memory_limit() -> int:
    """Give the bytes that DuckDB may use: a third of the machine's memory, at most `MEMORY`."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return MEMORY
    return min(MEMORY, total // 3)


def quoted(text: str) -> str:
    """Give a text as it stands between quotation marks in SQL."""
    return text.replace("'", "''")
