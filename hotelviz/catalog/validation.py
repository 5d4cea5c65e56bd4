"""The validation of a catalogue, once, on reading."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog.headers import first_bad
from hotelviz.catalog.identity import as_ids, names_of
from hotelviz.errors import CatalogError, did_you_mean
from hotelviz.io.remote import is_url, redact
from hotelviz.schema import RATINGS, SPLITS


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
        """Name the place of a row, counted from 0."""
        part = int(np.searchsorted(self.ends, position, side="right"))
        start = self.ends[part - 1] if part else 0
        return f"{self.files[part]}, {self.word} {position - start + self.first}"


class Checked:
    """The validation of one table, column by column, with errors that name the place.

    Parameters
    ----------
    frame
        With the columns of `hotelviz.catalog`, as they were read.
    rows
        Where its rows stand.
    classes
        The labels that are allowed; None allows any.
    """

    def __init__(self, frame: pd.DataFrame, rows: Rows, classes: Sequence[str] | None) -> None:
        self.frame = frame
        self.rows = rows
        self.classes = classes

    def result(self, root: Path, *, unique: bool = True) -> pd.DataFrame:
        """Give the table with all its columns checked, and paths from `root`."""
        frame, given = self.frame, list(self.frame.columns)
        if "path" not in frame and "image_id" not in frame:
            raise CatalogError(
                f"{self.rows.files[0]}: no column 'path'; its columns are {', '.join(given)}"
                f"{did_you_mean('path', given)}"
            )
        name = "image_id" if "image_id" in frame else "path"
        names = self._text(name, required=True)
        paths = self._text("path", required=True) if "path" in frame else names
        frame["image_id"] = names_of(names)
        if unique:
            self._refuse_twice()
        frame["path"] = _resolve(paths, root)
        hotels = self._text("hotel_id") if "hotel_id" in given else frame["image_id"]
        frame["hotel_id"] = hotels.fillna(frame["image_id"])
        if "position" in given:
            frame["position"] = self._positions()
        if "label" in given:
            frame["label"] = self._choice("label", self.classes, "classes")
        if "source" in given:
            frame["source"] = self._text("source")
        if "split" in given:
            frame["split"] = self._choice("split", SPLITS, "splits")
        if "weight" in given:
            frame["weight"] = self._weights()
        rated = [column for column in given if re.fullmatch(r"rating_-?\d+", column)]
        if rated:
            frame[list(RATINGS)] = self._ratings(rated)
        first = ["image_id", "path", "hotel_id"]
        return frame[first + [column for column in given if column not in first]]

    def _refuse(
        self, column: str, bad: pd.Series | np.ndarray, why: Callable[[object], str]
    ) -> None:
        at = np.flatnonzero(np.asarray(bad, dtype=bool))
        if len(at):
            raise CatalogError(first_bad(at, partial(self._say, column, why)))

    def _say(self, column: str, why: Callable[[object], str], position: int) -> str:
        value = self.frame[column].iloc[position]
        shown = "" if pd.isna(value) else f"{redact(repr(value))} "
        return f"{self.rows.place(position)}, column {column!r}: {shown}{why(value)}"

    def _refuse_twice(self) -> None:
        names = self.frame["image_id"]
        twice = names.duplicated()
        if not twice.any():
            return

        def why(value: object) -> str:
            first = self.rows.place(int(np.flatnonzero(names == value)[0]))
            if len(self.rows.files) == 1:
                first = first.removeprefix(f"{self.rows.files[0]}, ")
            signed = (
                "; addresses that differ only in what grants access have one name: give the table "
                "a column image_id"
                if is_url(str(value))
                else ""
            )
            return f"stands in {first} already; an image_id is unique{signed}"

        self._refuse("image_id", twice, why)

    def _text(self, column: str, *, required: bool = False) -> pd.Series:
        text = as_ids(self.frame[column], column, self.rows.place)
        if required:
            self._refuse(column, text.isna(), lambda _: "is empty; every photo needs one")
        return text

    def _choice(self, column: str, choices: Sequence[str] | None, noun: str) -> pd.Series:
        text = self._text(column)
        if choices is not None:
            self._refuse(
                column,
                text.notna() & ~text.isin(list(choices)),
                lambda value: (
                    f"is not one of the {len(choices)} {noun} ({', '.join(choices)})"
                    f"{did_you_mean(value, choices)}"
                ),
            )
        return text

    def _numbers(self, column: str) -> tuple[pd.Series, pd.Series]:
        """Give a column as floats, and which of its cells are filled."""
        values = self.frame[column]
        if pd.api.types.is_string_dtype(values):
            values = values.str.strip().replace("", None)
        return pd.to_numeric(values, errors="coerce").astype("float64"), values.notna()

    def _weights(self) -> pd.Series:
        number, _ = self._numbers("weight")
        good = (number > 0) & np.isfinite(number)
        self._refuse("weight", ~good, lambda _: "is not a number above 0")
        return number

    def _positions(self) -> pd.Series:
        if pd.api.types.is_integer_dtype(self.frame["position"].dtype):
            number = self.frame["position"].astype("Int64")
            self._refuse("position", (number < 1).fillna(False), lambda _: _NO_POSITION)
            return number
        # As names, not as floats: whole numbers stay exact however large.
        try:
            text = as_ids(self.frame["position"], "position", self.rows.place)
        except CatalogError as error:
            place = str(error).partition(" is no name")[0]
            raise CatalogError(f"{place} {_NO_POSITION}") from None
        wrong = text.notna() & ~text.str.fullmatch(r"\+?0*[1-9][0-9]{0,17}(\.0*)?").astype(bool)
        self._refuse("position", wrong, lambda _: _NO_POSITION)
        return text.str.replace(r"\..*|\+", "", regex=True).astype("Int64")

    def _ratings(self, columns: list[str]) -> pd.DataFrame:
        if set(columns) != set(RATINGS):
            raise CatalogError(
                f"{self.rows.files[0]}: ratings are ten columns, rating_1 to rating_10; this file "
                f"has {', '.join(sorted(columns))}. Ratings on another scale become ten shares by "
                "hotelviz.catalog.maximum_entropy_ratings"
            )
        ratings = pd.DataFrame(index=self.frame.index)
        for column in RATINGS:
            ratings[column], given = self._numbers(column)
            wrong = given & ~(ratings[column].between(0, np.inf, inclusive="left"))
            self._refuse(
                column, wrong, lambda _: "is not a number of raters, or a share of them, from 0"
            )
        given = ratings.notna().sum(axis=1)
        for bad, why in (
            (given.between(1, 9), "has only some of the ten ratings; leave all ten empty, or none"),
            (ratings.sum(axis=1).eq(0) & given.eq(10), "has ten ratings of 0; a photo that nobody "
             "rated has empty ones"),
        ):  # fmt: skip
            self._refuse("image_id", bad, partial(_say, why))
        return ratings


_NO_POSITION = "is not a whole number from 1"


def _say(text: str, _: object) -> str:
    return text


def _resolve(paths: pd.Series, root: Path) -> pd.Series:
    fixed = paths.str.startswith("/") | paths.str.contains("://", regex=False)
    if os.name == "nt":
        fixed |= paths.str.match(r"[A-Za-z]:[\\/]")
    folder = str(root)
    dotted = paths.str.startswith("./")
    if dotted.any():
        paths = paths.mask(dotted, paths.str.removeprefix("./"))
    return paths.where(fixed, paths if folder == "." else folder.rstrip("/") + "/" + paths)


def check_files(catalog: pd.DataFrame, file: Path) -> None:
    """Refuse a catalogue with files that are not there."""
    missing = [path for path in catalog["path"] if "://" not in path and not Path(path).is_file()]
    if missing:
        shown = "".join(f"\n  {path}" for path in missing[:10])
        more = f"\n  and {len(missing) - 10:,} more" if len(missing) > 10 else ""
        raise CatalogError(
            f"{file}: {len(missing):,} of {len(catalog):,} photos are missing:{shown}{more}"
        )
