"""The validation of catalogues on reading, and of tables that are made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog.identity import as_ids, first_bad, names_of, paths_from
from hotelviz.errors import CatalogError, did_you_mean, no_column
from hotelviz.io.remote import is_url, redact
from hotelviz.schema import RATINGS, SPLITS, TEXTS

_NO_POSITION = "is not a whole number from 1"


def check_table(
    table: pd.DataFrame, *, needs: Iterable[str] = ("image_id",), where: str, unique: bool = True
) -> pd.DataFrame:
    """Return a table, which may be made by hand, with what is needed; refuse it before the work.

    Columns that have a default are filled in where they are needed: ``image_id`` by the path,
    ``hotel_id`` by the ``image_id``. Names become text, as in `read_catalog`.

    Parameters
    ----------
    table
        A row per photo.
    needs
        The columns that the caller uses.
    where
        The function that was called, for errors.
    unique
        Whether an ``image_id`` may stand there once only.

    Returns
    -------
    pandas.DataFrame
        `table` itself where nothing had to be changed, else a copy. Its index is kept unless it
        repeats a label, which would pair rows with others' values: then it is counted from 0.

    Raises
    ------
    CatalogError
        No DataFrame, a column that is missing, empty or repeated names.

    Examples
    --------
    >>> check_table(pd.DataFrame({"image_id": [7, 8]}), needs=["image_id", "hotel_id"],
    ...             where="score_photos").values.tolist()
    [['7', '7'], ['8', '8']]
    >>> check_table(pd.DataFrame({"image_id": ["a"]}), needs=["path"], where="score_photos")
    Traceback (most recent call last):
    hotelviz.errors.CatalogError: score_photos: the table has no column 'path' (where ...
    """
    if not isinstance(table, pd.DataFrame):
        raise CatalogError(
            f"{where}: expected a table (pandas.DataFrame) of photos, not a "
            f"{type(table).__name__}; hotelviz.catalog.read_catalog reads one"
        )
    needs = list(needs)
    _check_columns(table, needs, where)
    columns = columns_by_hand(table, where)
    changed: dict[str, pd.Series] = {}
    known = next((name for name in ("image_id", "path") if name in table), None)
    if known and {"image_id", "hotel_id"} & set(needs):
        changed["image_id"] = names_of(columns.text(known, required=True))
        if unique:
            columns.refuse_twice(changed["image_id"])
    for column in needs:
        if column == "hotel_id":
            ids = changed.get("image_id", pd.Series(pd.NA, table.index, dtype="str"))
            changed[column] = columns.text(column).fillna(ids) if column in table else ids
        elif column in (*TEXTS, "predicted") and column != "image_id":
            changed[column] = columns.text(column, required=column == "path")
    for name, values in changed.items():
        if name not in table or not values.equals(table[name]):
            table = table.assign(**{name: values})
    return table if table.index.is_unique else table.reset_index(drop=True)


def _check_columns(table: pd.DataFrame, needs: Sequence[str], where: str) -> None:
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise CatalogError(f"{where}: the table has the column {twice!r} more than once")
    defaults = {"image_id": {"path"}, "hotel_id": {"image_id", "path"}}
    for column in needs:
        if not {column, *defaults.get(column, ())} & set(table):
            raise CatalogError(f"{where}: the table has {no_column(column, table)}")


def check_catalog(
    frame: pd.DataFrame, rows: Rows, classes: Sequence[str] | None, root: Path
) -> pd.DataFrame:
    """Return a catalogue with all its columns checked.

    Parameters
    ----------
    frame
        With the columns of `hotelviz.catalog`, as they were read.
    rows
        Where its rows stand.
    classes
        The labels that are allowed; None allows any.
    root
        Where relative paths start.

    Raises
    ------
    CatalogError
        Names the file, the row and the column.
    """
    given, file = list(frame.columns), rows.files[0]
    columns = Columns(frame, rows.place, f"{file}, " if len(rows.files) == 1 else "")
    if "path" not in frame and "image_id" not in frame:
        raise CatalogError(f"{file}: {no_column('path', given)}")
    names = columns.text("image_id" if "image_id" in frame else "path", required=True)
    paths = columns.text("path", required=True) if "path" in frame else names
    frame["image_id"] = names_of(names)
    columns.refuse_twice(frame["image_id"])
    frame["path"] = paths_from(root, paths)
    hotels = columns.text("hotel_id") if "hotel_id" in given else frame["image_id"]
    frame["hotel_id"] = hotels.fillna(frame["image_id"])
    checks: dict[str, Callable[[], pd.Series]] = {
        "position": columns.positions,
        "label": lambda: columns.choice("label", classes, "classes"),
        "source": lambda: columns.text("source"),
        "split": lambda: columns.choice("split", SPLITS, "splits"),
        "weight": columns.weights,
    }
    for column in checks:
        if column in given:
            frame[column] = checks[column]()
    rated = [column for column in given if re.fullmatch(r"rating_-?\d+", column)]
    if rated:
        frame[list(RATINGS)] = columns.ratings(rated, file)
    first = ["image_id", "path", "hotel_id"]
    return frame[first + [column for column in given if column not in first]]


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
