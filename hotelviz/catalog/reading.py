"""Read catalogues in all their formats."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pandas as pd
import pyarrow as pa

from hotelviz.catalog.availability import refuse_missing
from hotelviz.catalog.columns import Rows
from hotelviz.catalog.delimited import read_delimited
from hotelviz.catalog.folders import read_class_folders
from hotelviz.catalog.headers import canonical_names, near_misses
from hotelviz.catalog.parquet import Dataset, parquet_files, to_frame
from hotelviz.catalog.ratings import read_ava, read_label_json
from hotelviz.catalog.validation import check_catalog
from hotelviz.errors import CatalogError, CatalogWarning, no_column
from hotelviz.schema import AREAS, COLUMNS, vote_columns

_ALWAYS = ("image_id", "path", "hotel_id")


def read_catalog(
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = AREAS,
    root: str | os.PathLike[str] | None = None,
    encoding: str | None = None,
    check_files: bool = False,
) -> pd.DataFrame:
    r"""Read and validate a catalogue of photos.

    No photo is opened: a catalogue may have 300 million rows, and its photos may be far away. A
    photo that turns out to be missing is met, counted and listed when it is read.

    Headers may differ from the columns' names in case, spaces and hyphens. The parts of a Parquet
    folder may have different columns, and folders such as ``split=train`` are columns too.

    Parameters
    ----------
    path
        A CSV file (commas, semicolons or tabs), a Parquet file or folder of Parquet parts, a
        folder with one folder of photos per class, idealo's label file (``.json``) or the AVA
        set's ``AVA.txt``.
    classes
        The labels that are allowed, the eight areas by default (see also `MORE_AREAS`). ``None``
        allows any.
    root
        The folder that relative paths start from; by default the folder of the file, or the
        folder itself.
    encoding
        Of a CSV file; by default what its byte order mark says, else UTF-8.
    check_files
        Look whether each file is there before going on.

    Returns
    -------
    pandas.DataFrame
        The columns described in `hotelviz.catalog`, in the order of the file (a folder: by path).

    Raises
    ------
    CatalogError
        Names the file, the row (counted as in a spreadsheet: the header is row 1), the column and
        the value, and says what was expected.

    Warns
    -----
    CatalogWarning
        A column is named much like one of ours that is not there, or files of a folder of classes
        are left out.

    See Also
    --------
    iterate_catalog : The same in pieces, for catalogues larger than memory.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "photos.csv"
    >>> _ = file.write_text("path,hotel_id,label\na.jpg,h1,Bedroom\nb.jpg,h1,Pool\n")
    >>> read_catalog(file)[["image_id", "hotel_id", "label"]]
      image_id hotel_id    label
    0    a.jpg       h1  Bedroom
    1    b.jpg       h1     Pool
    """
    path = _there(path)
    if files := parquet_files(path):
        chunks = list(Dataset(path, files).chunks())
        frame = to_frame(pa.concat_tables([chunk.table for chunk in chunks]))
        rows = Rows(files, list(accumulate(chunk.table.num_rows for chunk in chunks)))
    else:
        frame, rows = _read_other(path, classes, encoding)
    if frame.empty:
        raise CatalogError(f"{path}: the catalogue has no photos")
    _tell_near_misses(path, list(frame.columns))
    catalog = check_catalog(frame, rows, classes, _root(path, root))
    if check_files:
        refuse_missing(catalog, path)
    return catalog


def iterate_catalog(
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
    columns: Collection[str] | None = None,
    chunk_rows: int = 1_000_000,
) -> Iterator[pd.DataFrame]:
    """Read and validate a catalogue in pieces, so that it may be larger than memory.

    Parquet is read piece by piece; other formats are one piece. The rows are those of
    `read_catalog`, by the same code. That an ``image_id`` is unique is checked within a piece
    only: across pieces that is the caller's.

    Parameters
    ----------
    path, classes, root
        As in `read_catalog`, but that any label is allowed by default.
    columns
        What is wanted beside ``image_id``, ``path`` and ``hotel_id``; None for all.
    chunk_rows
        Rows of a piece, at most.

    Yields
    ------
    pandas.DataFrame
        As `read_catalog` gives it.

    Raises
    ------
    CatalogError
        As in `read_catalog`; or one of `columns` is not there.

    Examples
    --------
    >>> import tempfile
    >>> file = f"{tempfile.mkdtemp()}/photos.parquet"
    >>> pd.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"]}).to_parquet(file)
    >>> [piece["image_id"].tolist() for piece in iterate_catalog(file, chunk_rows=2)]
    [['a.jpg', 'b.jpg'], ['c.jpg']]
    """
    path = _there(path)
    wanted = None if columns is None else {*_ALWAYS, *columns}
    files = parquet_files(path)
    if not files:
        catalog = read_catalog(path, classes=classes, root=root)
        _check_wanted(path, columns, list(catalog.columns))
        yield catalog if wanted is None else catalog[[c for c in catalog if c in wanted]]
        return
    dataset = Dataset(path, files, wanted)
    # What has no label may have one by its votes.
    voted = set(vote_columns(dataset.given).values())
    if voted and wanted is not None and "label" in wanted:
        dataset = Dataset(path, files, wanted | voted)
    _check_wanted(path, columns, [*dataset.given, *_ALWAYS, *(["label"] if voted else [])])
    _tell_near_misses(path, dataset.given)
    empty = True
    for chunk in dataset.chunks(chunk_rows):
        if not chunk.table.num_rows:
            continue
        empty = False
        rows = Rows([chunk.file], [chunk.table.num_rows], first=chunk.start + 2)
        catalog = check_catalog(to_frame(chunk.table), rows, classes, _root(path, root))
        yield catalog if wanted is None else catalog[[c for c in catalog if c in wanted]]
    if empty:
        raise CatalogError(f"{path}: the catalogue has no photos")


def _there(path: str | os.PathLike[str]) -> Path:
    if not os.fspath(path):
        raise CatalogError("the name of the catalogue is empty")  # Path("") is the folder itself
    path = Path(path)
    if not path.exists():
        raise CatalogError(f"{path}: there is no such file or folder")
    return path


def _root(path: Path, root: str | os.PathLike[str] | None) -> Path:
    if root is not None:
        return Path(root)
    return path if path.is_dir() else path.parent


def _read_other(
    path: Path, classes: Sequence[str] | None, encoding: str | None
) -> tuple[pd.DataFrame, Rows]:
    suffix = path.suffix.lower()
    if path.is_dir():
        frame, first, word = read_class_folders(path, classes), 1, "photo"
    elif suffix == ".json":
        frame, first, word = read_label_json(path), 1, "entry"
    elif suffix == ".txt":
        frame, first, word = read_ava(path), 1, "row"
    elif suffix in {".csv", ".tsv"}:
        frame, first, word = read_delimited(path, encoding), 2, "row"
        frame.columns = list(canonical_names(frame.columns, path).values())
    else:
        raise CatalogError(
            f"{path}: a catalogue is a .csv or .parquet file, ratings in a .json or .txt (AVA) "
            f"file, or a folder of class folders, not {path.suffix or 'without a suffix'}"
        )
    return frame, Rows([path], [len(frame)], first, word)


def _tell_near_misses(path: Path, columns: list[str]) -> None:
    for column, meant in near_misses(columns).items():
        warnings.warn(
            f"{path}: the column {column!r} is kept, but not used; did you mean {meant!r} "
            f"({COLUMNS[meant]})?",
            CatalogWarning,
            stacklevel=3,
        )


def _check_wanted(path: Path, columns: Collection[str] | None, given: list[str]) -> None:
    for column in columns or ():
        if column not in given:
            raise CatalogError(f"{path}: {no_column(column, given)}")
