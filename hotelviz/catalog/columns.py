"""The columns of a table, checked one by one: errors name the file, the row and the column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog.identity import as_ids, first_bad
from hotelviz.errors import CatalogError, did_you_mean
from hotelviz.io.remote import is_url, redact
from hotelviz.schema import RATINGS

_NO_POSITION = "is not a whole number from 1"


class Rows(NamedTuple):
    """Where the rows of a table stand in their files.

    Attributes
    ----------
    files
        A file per part of the table.
    ends
        Where each part ends in the table.
    first
        The number of the first row of the first part: 2 below a header.
    word
        What a row is called.
    """

    files: Sequence[Path]
    ends: Sequence[int]
    first: int = 2
    word: str = "row"

    def place(self, position: int) -> str:
        """Return the place of a row, counted from 0."""
        part = int(np.searchsorted(self.ends, position, side="right"))
        start = self.ends[part - 1] if part else 0
        return f"{self.files[part]}, {self.word} {position - start + self.first}"


class Columns:
    """The columns of a table, checked one by one; errors name the place.

    Parameters
    ----------
    frame
        A row per photo.
    place
        What names the place of a row, counted from 0.
    prefix
        How all places begin, which need not be said twice.
    """

    def __init__(self, frame: pd.DataFrame, place: Callable[[int], str], prefix: str = "") -> None:
        self.frame, self.place, self.prefix = frame, place, prefix

    def refuse(
        self,
        column: str,
        bad: pd.Series | np.ndarray,
        why: str | Callable[[object], str],
        values: pd.Series | None = None,
    ) -> None:
        """Refuse the table where some rows of a column are bad; `why` may depend on the value."""
        shown = self.frame[column] if values is None else values

        def say(row: int) -> str:
            value = shown.iloc[row]
            value = value.item() if isinstance(value, np.generic) else value
            given = "" if pd.isna(value) else f"{redact(repr(value))} "
            reason = why if isinstance(why, str) else why(value)
            return f"{self.place(row)}, column {column!r}: {given}{reason}"

        rows = np.flatnonzero(np.asarray(bad, dtype=bool))
        if len(rows):
            raise CatalogError(first_bad(rows, say))

    def refuse_twice(self, names: pd.Series) -> None:
        """Refuse an ``image_id`` that stands there more than once."""

        def why(value: object) -> str:
            first = self.place(int(np.flatnonzero(names == value)[0])).removeprefix(self.prefix)
            signed = "; addresses that differ only in what grants access have one name: give the "
            signed += "table a column image_id"
            more = signed if is_url(str(value)) else ""
            return f"stands in {first} already; an image_id is unique{more}"

        self.refuse("image_id", names.duplicated(), why, names)

    def text(self, column: str, *, required: bool = False) -> pd.Series:
        """Return names as text."""
        text = as_ids(self.frame[column], column, self.place)
        if required:
            self.refuse(column, text.isna(), "is empty; every photo needs one", text)
        return text

    def choice(self, column: str, choices: Sequence[str] | None, noun: str) -> pd.Series:
        """Return text that is one of some `choices`; None allows any."""
        text = self.text(column)
        if choices is not None:
            self.refuse(
                column,
                text.notna() & ~text.isin(list(choices)),
                lambda value: (
                    f"is not one of the {len(choices)} {noun} ({', '.join(choices)})"
                    f"{did_you_mean(value, choices)}"
                ),
            )
        return text

    def numbers(self, column: str) -> tuple[pd.Series, pd.Series]:
        """Return a column as floats, and which of its cells are filled."""
        values = self.frame[column]
        if pd.api.types.is_string_dtype(values):
            values = values.str.strip().replace("", None)
        return pd.to_numeric(values, errors="coerce").astype("float64"), values.notna()

    def weights(self) -> pd.Series:
        """Return ``weight``, above 0."""
        number, _ = self.numbers("weight")
        good = number.between(0, np.inf, inclusive="neither")
        self.refuse("weight", ~good, "is not a number above 0")
        return number

    def positions(self) -> pd.Series:
        """Return ``position``, whole numbers from 1; as names, not as floats, to stay exact."""
        if pd.api.types.is_integer_dtype(self.frame["position"].dtype):
            number = self.frame["position"].astype("Int64")
            self.refuse("position", (number < 1).fillna(False), _NO_POSITION)
            return number
        try:
            text = as_ids(self.frame["position"], "position", self.place)
        except CatalogError as error:
            place = str(error).partition(" is no name")[0]
            raise CatalogError(f"{place} {_NO_POSITION}") from None
        wrong = text.notna() & ~text.str.fullmatch(r"\+?0*[1-9][0-9]{0,17}(\.0*)?").astype(bool)
        self.refuse("position", wrong, _NO_POSITION)
        return text.str.replace(r"\..*|\+", "", regex=True).astype("Int64")

    def ratings(self, columns: list[str], file: Path) -> pd.DataFrame:
        """Return ``rating_1`` to ``rating_10``, all ten or none of each photo."""
        if set(columns) != set(RATINGS):
            raise CatalogError(
                f"{file}: ratings are ten columns, rating_1 to rating_10; this file "
                f"has {', '.join(sorted(columns))}. Ratings on another scale become ten shares by "
                "hotelviz.catalog.maximum_entropy_ratings"
            )
        ratings = pd.DataFrame(index=self.frame.index)
        for column in RATINGS:
            ratings[column], given = self.numbers(column)
            wrong = given & ~(ratings[column].between(0, np.inf, inclusive="left"))
            self.refuse(column, wrong, "is not a number of raters, or a share of them, from 0")
        some = ratings.notna().sum(axis=1).between(1, 9)
        why = "has only some of the ten ratings; leave all ten empty, or none"
        self.refuse("image_id", some, why)
        why = "has ten ratings of 0; a photo that nobody rated has empty ones"
        self.refuse("image_id", ratings.eq(0).all(axis=1), why)
        return ratings


def columns_by_hand(table: pd.DataFrame, where: str) -> Columns:
    """Return the columns of a table that is made by hand; errors name who was given it."""
    return Columns(table, lambda row: f"{where}, row {row}", prefix=f"{where}, ")
