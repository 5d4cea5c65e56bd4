"""Tables that are made by hand, and photos that are not here: both are told before work begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hotelviz.catalog.identity import as_ids, names_of
from hotelviz.errors import CatalogError, MissingPhotosError, did_you_mean
from hotelviz.io.remote import is_url, redact
from hotelviz.schema import MEANINGS, RATINGS, TEXTS

#: A run that misses more of a catalogue than this stops: a disk is probably not mounted.
MAX_MISSING = 0.1
_SHOWN = 5


def check_table(
    table: pd.DataFrame, *, needs: Iterable[str] = ("image_id",), where: str, unique: bool = True
) -> pd.DataFrame:
    """Check a table that may be made by hand, before work on it begins.

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
    changed: dict[str, pd.Series] = {}
    known = next((name for name in ("image_id", "path") if name in table), None)
    if known and {"image_id", "hotel_id"} & set(needs):
        changed["image_id"] = names_of(_filled(table, known, where))
        if unique:
            _refuse_twice(changed["image_id"], where)
    for column in needs:
        if column == "hotel_id":
            ids = changed.get("image_id", pd.Series(pd.NA, table.index, dtype="str"))
            given = as_ids(table[column], column, where) if column in table else ids
            changed[column] = given.fillna(ids)
        elif column == "path":
            changed[column] = _filled(table, column, where)
        elif column in (*TEXTS, "predicted") and column != "image_id":
            changed[column] = as_ids(table[column], column, where)
    changed = {
        name: values
        for name, values in changed.items()
        if name not in table or not values.equals(table[name])
    }
    if changed:
        table = table.assign(**changed)
    return table if table.index.is_unique else table.reset_index(drop=True)


def _check_columns(table: pd.DataFrame, needs: Sequence[str], where: str) -> None:
    given = [str(column) for column in table.columns]
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise CatalogError(f"{where}: the table has the column {twice!r} more than once")
    defaults = {"image_id": {"path"}, "hotel_id": {"image_id", "path"}}
    for column in needs:
        if column not in table and not defaults.get(column, set()) & set(given):
            meaning = f" ({MEANINGS[column]})" if column in MEANINGS else ""
            hint = "" if column in RATINGS else did_you_mean(column, given)
            raise CatalogError(
                f"{where}: the table has no column {column!r}{meaning}; its columns are "
                f"{', '.join(given) or 'none'}{hint}"
            )


def _filled(table: pd.DataFrame, column: str, where: str) -> pd.Series:
    names = as_ids(table[column], column, where)
    if names.hasnans:
        row = int(np.flatnonzero(names.isna())[0])
        raise CatalogError(f"{where}, row {row}, column {column!r}: is empty; every photo needs "
                           "one")  # fmt: skip
    return names


def _refuse_twice(ids: pd.Series, where: str) -> None:
    twice = ids.duplicated().to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        first = int(np.flatnonzero(ids == ids.iloc[row])[0])
        raise CatalogError(
            f"{where}, row {row}, column 'image_id': {ids.iloc[row]!r} stands in row {first} "
            f"already; an image_id is unique ({twice.sum():,} are repeated)"
        )


def check_missing(
    missing: int,
    total: int,
    examples: Iterable[tuple[str, str]] = (),
    *,
    allow: bool = False,
    option: str = "--allow-missing (allow_missing=True)",
) -> None:
    """Stop when more than a tenth of a catalogue's photos is not available.

    A photo that is missing here says nothing about the photo. When so many are, a disk is not
    mounted, a server is down, or the catalogue's paths start elsewhere: what is computed without
    them would be of another catalogue than the user thinks.

    Parameters
    ----------
    missing
        Photos whose status is ``Status.UNAVAILABLE``.
    total
        Photos that were asked for.
    examples
        Path and reason of some of them, or of all: the place that they share is named.
    allow
        The user was told, and wants to go on.
    option
        How to go on, for the message.

    Raises
    ------
    MissingPhotosError
        Says how many are missing, where, why, and what to do.

    Examples
    --------
    >>> check_missing(1, 100)
    >>> check_missing(20, 100, [("s3://photos/1.jpg", "no permission")])
    Traceback (most recent call last):
    hotelviz.errors.MissingPhotosError: 20 of 100 photos are not available, such as s3:...
    """
    if allow or not total or missing <= MAX_MISSING * total:
        return
    listed = [(str(path), str(reason)) for path, reason in examples]
    shown = "; ".join(f"{redact(path)} ({redact(reason)})" for path, reason in listed[:_SHOWN])
    places = Counter(_place(path) for path, _ in listed).most_common(3)
    where = ", ".join(f"{place} ({count:,} of {len(listed):,})" for place, count in places)
    raise MissingPhotosError(
        f"{missing:,} of {total:,} photos are not available"
        + (f", such as {shown}. Not found: {where}" if listed else "")
        + ". Is the disk mounted, the server up, and do the paths start where the catalogue says? "
        f"{option} goes on without them; they are tried again by the next run"
    )


def _place(path: str) -> str:
    """Name what is missing: the host of a URL, or the first folder of a path that is not there."""
    if is_url(path):
        return redact("/".join(path.split("/", 3)[:3]))
    place = Path(path).absolute()
    gone = [part for part in place.parents if not part.exists()]
    return f"{gone[-1] if gone else place.parent}/"
