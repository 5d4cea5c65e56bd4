"""The validation of a catalogue, once, on reading."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hotelviz.catalog.columns import RATINGS, SPLITS, CatalogError, nearest
from hotelviz.io.remote import is_url, redact


class Checked:
    """The validation of one table, column by column, with errors that name the place."""

    def __init__(self, frame: pd.DataFrame, file: Path, classes: Sequence[str] | None) -> None:
        self.frame = frame.reset_index(drop=True)
        self.file = file
        self.classes = classes

    def result(self, root: Path) -> pd.DataFrame:
        """Give the table with all its columns checked, and paths from `root`."""
        frame = self.frame
        given = list(frame.columns)
        if "path" not in frame and "image_id" not in frame:
            raise CatalogError(
                f"{self.file}: no column 'path'; its columns are {', '.join(map(str, given))}"
                f"{nearest('path', list(map(str, given)))}"
            )
        if "path" not in frame:
            frame["path"] = frame["image_id"]
        paths = self._text("path", required=True)
        frame["image_id"] = (
            self._text("image_id", required=True) if "image_id" in given else paths.map(_name)
        )
        self._refuse(
            "image_id",
            frame["image_id"].duplicated(),
            lambda value: (
                "stands in row "
                f"{self._row(int(np.flatnonzero(frame['image_id'] == value)[0]))} already; "
                "an image_id is unique"
            ),
        )
        frame["path"] = _resolve(paths, root)
        frame["hotel_id"] = (
            self._text("hotel_id").fillna(frame["image_id"])
            if "hotel_id" in given
            else frame["image_id"]
        )
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
        rated = [column for column in given if re.fullmatch(r"rating_-?\d+", str(column))]
        if rated:
            frame[list(RATINGS)] = self._ratings(rated)
        first = ["image_id", "path", "hotel_id"]
        return frame[first + [column for column in given if column not in first]]

    def _row(self, position: int) -> int:
        return position + 2

    def _refuse(
        self, column: str, bad: pd.Series | np.ndarray, why: Callable[[object], str]
    ) -> None:
        at = np.flatnonzero(np.asarray(bad, dtype=bool))
        if not len(at):
            return
        value = self.frame[column].iloc[int(at[0])]
        more = f" ({len(at) - 1:,} more rows likewise)" if len(at) > 1 else ""
        raise CatalogError(
            f"{self.file}, row {self._row(int(at[0]))}, column {column!r}: "
            f"{value!r} {why(value)}{more}"
        )

    def _text(self, column: str, *, required: bool = False) -> pd.Series:
        text = self.frame[column].astype("str").str.strip()
        text = text.mask(text == "")
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
                    f"{nearest(value, choices)}"
                ),
            )
        return text

    def _weights(self) -> pd.Series:
        number = pd.to_numeric(self.frame["weight"].replace("", None), errors="coerce")
        self._refuse("weight", ~(number > 0), lambda _: "is not a number above 0")
        return number.astype(float)

    def _positions(self) -> pd.Series:
        text = self.frame["position"].replace("", None)
        number = pd.to_numeric(text, errors="coerce")
        wrong = text.notna() & ~((number >= 1) & (number % 1 == 0))
        self._refuse("position", wrong, lambda _: "is not a whole number from 1")
        return number.astype("Int64")

    def _ratings(self, columns: list[str]) -> pd.DataFrame:
        if set(columns) != set(RATINGS):
            raise CatalogError(
                f"{self.file}: ratings are ten columns, rating_1 to rating_10; this file has "
                f"{', '.join(sorted(columns))}. Ratings on another scale become ten shares by "
                "hotelviz.catalog.maximum_entropy_ratings"
            )
        ratings = pd.DataFrame(index=self.frame.index)
        for column in RATINGS:
            text = self.frame[column].replace("", None)
            ratings[column] = pd.to_numeric(text, errors="coerce").astype(float)
            wrong = text.notna() & ~(ratings[column].between(0, np.inf, inclusive="left"))
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


def _say(text: str, _: object) -> str:
    return text


def _resolve(paths: pd.Series, root: Path) -> pd.Series:
    fixed = paths.str.startswith("/") | paths.str.contains("://", regex=False)
    if os.name == "nt":
        fixed |= paths.str.match(r"[A-Za-z]:[\\/]")
    folder = str(root)
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


def _name(path: str) -> str:
    """Name a photo by its place; names are shown, so what grants access is taken out."""
    return redact(path) if is_url(path) else path
