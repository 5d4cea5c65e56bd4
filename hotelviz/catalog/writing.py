"""Catalogues are written such that reading gives them back."""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

from hotelviz.catalog.headers import canonical_names
from hotelviz.catalog.identity import absolute_paths
from hotelviz.catalog.validation import check_table
from hotelviz.errors import CatalogError
from hotelviz.io.atomic import atomic_path
from hotelviz.io.claims import check_output
from hotelviz.schema import TEXTS


def write_catalog(catalog: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    r"""Write a catalogue such that `read_catalog` returns it, wherever it is written.

    Paths below the folder of the file are written relative to it, so that the whole can be moved;
    all others are written in full. What a photo is called does not change by that: ``image_id`` is
    written as a column. Texts are written as they are, also those that a spreadsheet would run.
    A CSV file holds text alone: the user's own columns come
    back as text, and an empty text as missing; Parquet keeps their types.

    Parameters
    ----------
    catalog
        As `read_catalog` gives it, or made by hand, with ``path``.
    path
        A ``.csv`` or ``.parquet`` file; written whole or not at all.

    Raises
    ------
    CatalogError
        Any other suffix, or a table that could not be read back: columns that `check_table`
        refuses, or the user's own of mixed types.
    OutputError
        A folder of this name, or one that cannot be written to.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": [f"{folder}/a.jpg"], "hotel_id": ["h"]})
    >>> write_catalog(photos, folder / "photos.csv")
    >>> (folder / "photos.csv").read_text()
    'image_id,path,hotel_id\na,a.jpg,h\n'
    """
    path = Path(path)
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise CatalogError(f"{path}: a catalogue is written as .csv or .parquet")
    texts = [column for column in TEXTS if column in catalog]
    frame = check_table(
        catalog, needs=dict.fromkeys(["image_id", "path", "hotel_id", *texts]),
        where="write_catalog",
    )  # fmt: skip
    canonical_names(map(str, frame.columns), path)
    check_output(path)
    frame = frame.assign(path=_from_folder(frame["path"], path.parent))
    with atomic_path(path) as temporary:
        try:
            if path.suffix.lower() == ".csv":
                # A carriage return would end the row, but for quotes, which pandas spares here.
                ends = any(_has_returns(frame[column]) for column in frame)
                frame.to_csv(
                    temporary, index=False, quoting=csv.QUOTE_ALL if ends else csv.QUOTE_MINIMAL
                )
            else:
                frame.to_parquet(temporary, index=False)
        except (pa.ArrowException, UnicodeError) as error:
            raise CatalogError(f"{path}: a column cannot be written: {error}") from error


def _has_returns(values: pd.Series) -> bool:
    if not (values.dtype == object or pd.api.types.is_string_dtype(values.dtype)):
        return False
    return bool(values.astype("str").str.contains("\r", regex=False).any())


def _from_folder(paths: pd.Series, folder: Path) -> pd.Series:
    """Return paths as `read_catalog` finds them from a folder: relative below it, else in full."""
    full = absolute_paths(paths)
    turns = full.str.contains(r"/\.{1,2}/", regex=True) & ~full.str.contains("://", regex=False)
    if turns.any():
        full = full.mask(turns, full[turns].map(_without_turns))
    result = full
    # Through a link the folder has two names, and photos may be called by either.
    for start in (_without_turns(f"{folder.absolute().as_posix()}/"), folder.resolve()):
        prefix = f"{Path(start).as_posix().rstrip('/')}/"
        rest = full.str.removeprefix(prefix)
        below = (rest != full) & ~rest.str.startswith("/") & ~rest.str.contains("://", regex=False)
        # Reading drops the spaces around a path.
        result = result.mask(below, rest.where(rest.str.match(r"\S"), "./" + rest))
    return result


@cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _without_turns(path: str) -> str:
    """Resolve ``..`` as the system does, which follows links."""
    if "/./" not in path and "/../" not in path:
        return path
    folder, _, name = path.rpartition("/")
    return f"{_real_folder(folder)}/{name}"
