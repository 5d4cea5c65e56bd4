"""A dataset of scores: opened once, then asked; each question is a query that streams."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from hotelviz.catalog.delimited import read_delimited
from hotelviz.errors import ScoresError
from hotelviz.scores.connection import ask, connect, register
from hotelviz.scores.queries import Questions
from hotelviz.scores.sql import select_list, sql_name, sql_names

#: Columns of predictions that hold numbers.
_NUMBERS = re.compile(r"p_.*|((technical_)?q_\d+|score|technical)(_std)?", re.DOTALL)


def open_scores(path: str | os.PathLike[str]) -> Scores:
    """Open a dataset of scores.

    Parameters
    ----------
    path
        The folder that `hotelviz.inference.score_photos` wrote, or a Parquet file with ``image_id``
        and a score. Identifiers may be text or whole numbers; they are text from here on.

    Returns
    -------
    Scores

    Raises
    ------
    ScoresError
        Nothing there; a file that is damaged, has other columns or types than the others, or lies
        in a folder within the folder: it is named. A photo without ``image_id``, or one that is
        there more than once: these are named.

    Notes
    -----
    That no ``image_id`` is repeated is looked up once: 5 million take half a second. Where it takes
    more than one, it is written into the folder, as ``_hotelviz_checked.json``, with the sizes and
    times of the files, and looked up again only when one of them has changed.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> file = Path(tempfile.mkdtemp()) / "scores.parquet"
    >>> pd.DataFrame({"image_id": ["a", "b"], "score": [4.5, 6.0]}).to_parquet(file)
    >>> open_scores(file).quantiles([0.5])
    {0.5: 5.25}
    """
    return Scores(Path(path))


def open_table(path: str | os.PathLike[str]) -> Scores | pd.DataFrame:
    """Open predictions as they were written: a dataset as `open_scores` does, or a CSV file.

    Raises
    ------
    ScoresError, CatalogError
        As `open_scores` and `hotelviz.catalog.read_catalog`.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return open_scores(path)
    table = read_delimited(path)
    for name in map(str, table):
        # A text of the user's may have such a name.
        with contextlib.suppress(ValueError):
            if _NUMBERS.fullmatch(name):
                table[name] = table[name].astype("float64")
    return table


class Scores(Questions):
    """A dataset of scores; opened by `open_scores`.

    Attributes
    ----------
    place : pathlib.Path
        The folder or the file that it was opened by.
    files : list of str
        Its Parquet files.
    columns : dict of str to str
        Name -> type of each column.
    names : dict of str to str
        Name -> what the column is called in SQL: its own name, but where names differ in case
        only, which are one to DuckDB.
    derived : frozenset of str
        Those columns that stand in no file as they are given: ``score`` where only its
        distribution is stored, names that are stored as numbers.
    sql : str
        The query that gives all columns.
    """

    def __len__(self) -> int:
        return self.count()

    def __repr__(self) -> str:
        return f"Scores of {len(self):,} photos in {len(self.files):,} files"

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """Return the answer to a query in SQL; the table is called ``scores``.

        Parameters
        ----------
        sql
            A query in DuckDB's dialect. It is run as it is: give what comes from data as
            `parameters`, and names of columns as `names` has them, in double quotes. No other file
            can be read or written by it.
        parameters
            What its question marks, or its names that begin with ``$``, stand for.
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
            return self._ask(sql, parameters)
        connection, _ = self._beside(tags)
        with connection:
            return self._ask(sql, parameters, connection)

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
        shared = [name for name in tagged if name in self.columns]
        both = [name for name in shared if name == "predicted" or name.startswith("p_")]
        if both:
            connection.close()
            raise ScoresError(
                f"the scores and the tags both have {', '.join(map(repr, both[:5]))}: whose "
                "predictions are meant? Leave them out of one of the tables, or rename them"
            )
        more = [name for name in tagged if name not in shared]
        every = sql_names([*self.columns, *more])
        sides = [f"s.{sql_name(self.names[name])}" for name in self.columns]
        sides += [f"t.{sql_name(tagged[name])}" for name in more]
        sql = f"SELECT {select_list(zip(sides, every.values(), strict=True))} FROM scores s "
        sql += "LEFT JOIN tags t ON s.image_id = t.image_id ORDER BY s.image_id"
        with connection:
            found = ask(connection, sql)
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
