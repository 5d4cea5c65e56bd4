"""Questions about scores: each is one query that streams through the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from hotelviz.catalog import as_ids
from hotelviz.errors import ScoresError, no_column
from hotelviz.scores.connection import ask, connect
from hotelviz.scores.distribution import count_bins, find_quantiles
from hotelviz.scores.files import find_files, open_parts
from hotelviz.scores.sql import is_number, sql_name
from hotelviz.scores.unique import check_unique


class Questions:
    """What can be asked of scores, without SQL; see `hotelviz.scores.Scores`."""

    def __init__(self, place: Path) -> None:
        self.place = place.absolute()
        # DuckDB has to find them wherever the process is later on.
        self.files = find_files(place)
        self.connection = connect(self.files)
        self.columns, self.names, self.derived, self.sql = open_parts(self.connection, self.files)
        self.connection.execute(f"CREATE VIEW scores AS {self.sql}")
        check_unique(self.place, self.files, self.connection)

    def _ask(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> pd.DataFrame:
        found = ask(connection or self.connection, sql, parameters)
        return found.rename(columns={given: name for name, given in self.names.items()})

    def _name(self, column: str) -> str:
        """Return the name of a column as it stands in SQL; refuse one that is not there."""
        if column not in self.names:
            raise ScoresError(f"there is {no_column(column, self.columns)}")
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
        kind = None if by is None else self._name(by)
        table = count_bins(self.connection, self._name(column), kind, bins, low, high)
        return table.drop(columns="kind") if by is None else table.rename(columns={"kind": by})

    def quantiles(
        self, probabilities: Sequence[float], column: str = "score"
    ) -> dict[float, float]:
        """Return exact quantiles: probability -> value.

        Parameters
        ----------
        probabilities
            From 0 to 1.
        column
            The score.

        Raises
        ------
        ScoresError
            No such column, or no values, or infinite ones in it.
        """
        return find_quantiles(self.connection, self._name(column), probabilities, column)

    def sample(self, n_photos: int, *, where: str = "TRUE", seed: int = 0) -> pd.DataFrame:
        """Draw photos at random, the same ones for the same seed.

        Parameters
        ----------
        n_photos
            How many, at most.
        where
            A condition in SQL, such as ``score < 4``. It is run as it is, see `query`.
        seed
            For other photos.

        Returns
        -------
        pandas.DataFrame
            All columns, by ``image_id``.
        """
        # By a hash of the name: one pass, in any order of rows, with as many rows of memory as are
        # drawn. Only then are the other columns read, and only where these photos are.
        chosen = self._ask(
            f"SELECT image_id FROM scores WHERE ({where}) ORDER BY hash(image_id, ?) LIMIT ?",
            [seed, n_photos],
        )
        return self._photos(chosen["image_id"])

    def _photos(self, names: pd.Series) -> pd.DataFrame:
        """Return all columns of some photos, by ``image_id``."""
        return self._ask(
            "SELECT * FROM scores WHERE image_id IN (SELECT unnest(?::VARCHAR[])) "
            "ORDER BY image_id",
            [names.to_list()],
        )

    def sample_by_level(
        self,
        n_photos: int,
        *,
        thresholds: tuple[float, float],
        column: str = "score",
        seed: int = 0,
    ) -> pd.DataFrame:
        """Draw photos with low, medium and high scores at random.

        Parameters
        ----------
        n_photos
            How many of each, at most.
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
        low, high = sorted(map(float, thresholds))
        levels = ["low", "medium", "high"]
        # The same photos as `sample` would draw of each, in one pass.
        chosen = self._ask(
            f"SELECT CASE WHEN {value} <= $low THEN 'low' WHEN {value} <= $high THEN 'medium' "
            "ELSE 'high' END AS level, "
            "unnest(arg_min(image_id, hash(image_id, $seed), $count)) AS image_id "
            f"FROM scores WHERE {is_number(value)} GROUP BY 1",
            {"low": low, "high": high, "seed": seed, "count": max(1, n_photos)},
        )[: None if n_photos else 0]
        photos = self._photos(chosen["image_id"]).drop(columns="level", errors="ignore")
        photos = photos.merge(chosen, on="image_id")
        order = np.lexsort([photos[column], photos["level"].map(levels.index)])
        return photos.iloc[order].reset_index(drop=True)

    def hotels(
        self, column: str = "score", *, low: float = 4.0, n_lowest: int | None = None
    ) -> pd.DataFrame:
        """Summarise each hotel's scores.

        Parameters
        ----------
        column
            The score.
        low
            Scores up to this are low.
        n_lowest
            Only so many hotels, those with the lowest means; None for all.

        Returns
        -------
        pandas.DataFrame
            ``hotel_id``, ``photos``, ``unreadable``, ``mean``, ``best``, ``worst``,
            ``share_low``; by ``hotel_id``, or by ``mean`` where only the lowest are asked for.
        """
        hotel, value = self._name("hotel_id"), self._name(column)
        known = f"CASE WHEN {is_number(value)} THEN {value} END"
        return self._ask(
            f"SELECT {hotel} AS hotel_id, count(*) AS photos, "
            f"count(*) - count({known}) AS unreadable, avg({known}) AS mean, "
            f"max({known}) AS best, min({known}) AS worst, "
            f"avg(({known} <= $low)::INT) AS share_low FROM scores GROUP BY 1 "
            f"ORDER BY {'' if n_lowest is None else '4 NULLS LAST, '}1 LIMIT $count",
            {"low": low, "count": n_lowest},
        )

    def n_hotels(self) -> int:
        """Count the hotels; photos of no hotel are not counted."""
        hotel = self._name("hotel_id")
        return int(self._ask(f"SELECT count(DISTINCT {hotel}) AS n FROM scores")["n"].item())

    def for_hotels(self, hotels: Sequence[str]) -> pd.DataFrame:
        """Return all photos of some hotels, by ``hotel_id`` and ``image_id``.

        Where the dataset is sorted by hotel, only these photos are read.
        """
        names = as_ids([hotels] if isinstance(hotels, str) else hotels, "hotel_id", "for_hotels")
        marks = ", ".join("?" * len(names)) or "NULL"
        return self._ask(
            f"SELECT * FROM scores WHERE {self._name('hotel_id')} IN ({marks}) "
            "ORDER BY hotel_id, image_id",
            names.to_list(),
        )

    def errors(self, *, max_photos: int | None = None) -> pd.DataFrame:
        """List the photos that something was wrong with.

        Parameters
        ----------
        max_photos
            How many at most, the first by ``image_id``; None for all.

        Returns
        -------
        pandas.DataFrame
            ``image_id``, ``path`` (where the dataset has it), ``error``.
        """
        if "error" not in self.columns:
            return pd.DataFrame(columns=["image_id", "path", "error"])
        path = "path, " if "path" in self.columns else ""
        return self._ask(
            f"SELECT image_id, {path}error FROM scores WHERE error <> '' ORDER BY image_id LIMIT ?",
            [max_photos],
        )
