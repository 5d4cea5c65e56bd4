"""The validation of catalogues on reading, and of tables that are made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from hotelviz.catalog.columns import Columns, Rows, columns_by_hand
from hotelviz.catalog.identity import names_of, paths_from
from hotelviz.catalog.votes import check_second, check_votes, label_by_votes
from hotelviz.errors import CatalogError, no_column
from hotelviz.schema import RATINGS, SPLITS, TEXTS, vote_columns


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
        "label_2": lambda: columns.choice("label_2", classes, "classes"),
        "source": lambda: columns.text("source"),
        "split": lambda: columns.choice("split", SPLITS, "splits"),
        "weight": columns.weights,
    }
    for column in checks:
        if column in given:
            frame[column] = checks[column]()
    first = ["image_id", "path", "hotel_id"]
    if voted := vote_columns(given):
        votes = check_votes(columns, voted, classes, file)
        frame[list(voted.values())] = votes
        order = [name for name in classes or sorted(voted) if name in voted]
        frame["label"] = label_by_votes(columns, frame.get("label"), votes[order])
        first += ["label"] if "label" not in given else []
    if "label_2" in given:
        check_second(columns, frame.get("label"), frame["label_2"])
    rated = [column for column in given if re.fullmatch(r"rating_-?\d+", column)]
    if rated:
        frame[list(RATINGS)] = columns.ratings(rated, file)
    return frame[first + [column for column in given if column not in first]]
