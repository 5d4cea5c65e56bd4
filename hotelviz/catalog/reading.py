"""Read catalogues in all their formats, and write them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hotelviz.catalog.checks import Checked
from hotelviz.catalog.checks import check_files as find_missing
from hotelviz.catalog.columns import AREAS, CatalogError, nearest
from hotelviz.catalog.ratings import read_ava, read_label_json
from hotelviz.images import SUFFIXES
from hotelviz.io.atomic import atomic_path, written_files


def read_catalog(
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = AREAS,
    root: str | os.PathLike[str] | None = None,
    encoding: str = "utf-8",
    check_files: bool = False,
) -> pd.DataFrame:
    r"""Read and validate a catalogue of photos.

    No photo is opened: a catalogue may have 300 million rows, and its photos may be far away. A
    photo that turns out to be missing is met, counted and listed when it is read.

    Parameters
    ----------
    path
        A CSV file, a Parquet file or folder of Parquet parts, a folder with one folder of
        photos per class, idealo's label file (``.json``) or the AVA set's ``AVA.txt``.
    classes
        The labels that are allowed, the eight areas by default (see also `MORE_AREAS`). ``None``
        allows any.
    root
        The folder that relative paths start from; by default the folder of the file, or the
        folder itself.
    encoding
        Of a CSV file. A byte order mark is dropped.
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
    path = Path(path)
    if not path.exists():
        raise CatalogError(f"{path}: there is no such file or folder")
    if path.is_dir() and not written_files(path, "*.parquet"):
        frame = _read_class_folders(path, classes)
        default_root = path
    else:
        frame = _read_table(path, encoding)
        default_root = path if path.is_dir() else path.parent
    if frame.empty:
        raise CatalogError(f"{path}: the catalogue has no photos")
    catalog = Checked(frame, path, classes).result(Path(root) if root else default_root)
    if check_files:
        find_missing(catalog, path)
    return catalog


def _read_table(path: Path, encoding: str) -> pd.DataFrame:
    if path.is_dir() or path.suffix.lower() in {".parquet", ".pq"}:
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise CatalogError(f"{path}: not a readable Parquet file: {error}") from error
    if path.suffix.lower() in {".json", ".txt"}:
        return (read_label_json if path.suffix.lower() == ".json" else read_ava)(path)
    if path.suffix.lower() != ".csv":
        raise CatalogError(
            f"{path}: a catalogue is a .csv or .parquet file, ratings in a .json or .txt (AVA) "
            "file, or a folder of class folders, "
            f"not {path.suffix or 'without a suffix'}"
        )
    try:
        # Everything as text first: '007' is a hotel, not the number 7, and 'NA' may be a name.
        frame = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig" if encoding.lower().replace("_", "-") == "utf-8" else encoding,
        )
    except UnicodeDecodeError as error:
        raise CatalogError(_where_not_text(path, encoding)) from error
    except pd.errors.EmptyDataError as error:
        raise CatalogError(f"{path}: the file is empty; expected a header and rows") from error
    except pd.errors.ParserError as error:
        raise CatalogError(f"{path}: not a readable CSV file: {error}") from error
    except LookupError as error:
        raise CatalogError(f"{path}: there is no encoding {encoding!r}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise CatalogError(f"{path}: the rows have more fields than the header has columns")
    return frame


def _where_not_text(path: Path, encoding: str) -> str:
    with path.open("rb") as file:
        for row, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return (
                    f"{path}, row {row}: byte 0x{line[error.start]:02x} is not {encoding}; "
                    "save it as UTF-8 (iconv -f latin1 -t utf-8), or read it with encoding=..."
                )
    return f"{path}: not {encoding}"


def _read_class_folders(path: Path, classes: Sequence[str] | None) -> pd.DataFrame:
    folders = sorted(child for child in path.iterdir() if child.is_dir() and child.name[0] != ".")
    if not folders:
        raise CatalogError(
            f"{path}: no folder per class in it (and no Parquet file); "
            f"expected e.g. {path / 'Bedroom'}"
        )
    rows: list[tuple[str, str]] = []
    for folder in folders:
        if classes is not None and folder.name not in classes:
            raise CatalogError(
                f"{path}, folder {folder.name!r}: not one of the {len(classes)} classes "
                f"({', '.join(classes)}){nearest(folder.name, classes)}"
            )
        rows += [
            (str(file.relative_to(path).as_posix()), folder.name)
            for file in sorted(folder.rglob("*"))
            # Hidden ones are no photos, whatever their names: macOS leaves such beside each photo.
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        ]
    return pd.DataFrame(rows, columns=["path", "label"])


def write_catalog(catalog: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    r"""Write a catalogue so that `read_catalog` gives it back.

    Paths below the folder of the file are written relative to it, so that the whole can be moved.

    Parameters
    ----------
    catalog
        As `read_catalog` gives it.
    path
        A ``.csv`` or ``.parquet`` file; written whole or not at all.

    Raises
    ------
    CatalogError
        For any other suffix.

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
    folder = str(path.parent).rstrip("/") + "/"
    frame = catalog.copy()
    if str(path.parent) != ".":
        frame["path"] = frame["path"].str.removeprefix(folder)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
