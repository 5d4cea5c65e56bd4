"""Know which photos there are, whose they are, and what they show.

A catalogue is a pandas DataFrame with one row per photo. Its columns mean the same everywhere in
hotelviz:

==============  =====  ==========================================================================
column          type   meaning
==============  =====  ==========================================================================
``image_id``    str    unique; by default the path relative to the catalogue's root
``path``        str    where the file is: a local path, or a URL, kept as it is
``hotel_id``    str    the accommodation; its own ``image_id`` where that is unknown
``position``    Int64  where the hotel's gallery shows it today, from 1 (optional)
``label``       str    the area that the photo shows, missing where unknown (optional)
``source``      str    which collection it came from (optional)
``split``       str    ``train``, ``val`` or ``test`` (optional)
``weight``      float  how much the photo counts in training, above 0; 1 by default (optional)
==============  =====  ==========================================================================

Other columns are kept as they are. What is wrong is found here, once, on reading: everything
after this module may rely on the table.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hotelviz.files import atomic_path
from hotelviz.images import SUFFIXES

__all__ = [
    "AREAS",
    "MORE_AREAS",
    "SPLITS",
    "CatalogError",
    "fingerprint",
    "nearest",
    "read_catalog",
    "split_catalog",
    "write_catalog",
]

#: The eight areas of a hotel that the tagger tells apart.
AREAS = (
    "Bathroom",
    "Bedroom",
    "Foyer",
    "Kitchen",
    "Pool",
    "Reception",
    "Restaurant",
    "View_of_Exterior",
)
#: The classes that the talk names as next.
MORE_AREAS = (*AREAS, "Conference_Room", "Fitness_Studio", "Other")

SPLITS = ("train", "val", "test")

#: Folds among which hotels are dealt; a split is a number of whole folds, so 0.05 is its grain.
_FOLDS = 20


class CatalogError(ValueError):
    """A catalogue cannot be used as it is; the message says where and what to do."""


def nearest(value: object, choices: Sequence[str]) -> str:
    """Say which of `choices` was probably meant, as the end of an error message.

    Parameters
    ----------
    value
        What was given.
    choices
        What would have been right.

    Returns
    -------
    str
        ``"; did you mean 'Bedroom'?"``, or an empty string when nothing is close.

    Examples
    --------
    >>> nearest("Bedrom", ["Bathroom", "Bedroom"])
    "; did you mean 'Bedroom'?"
    """
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(value).lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


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
        A CSV file, a Parquet file or folder of Parquet parts, or a folder with one folder of
        photos per class.
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
    if path.is_dir() and not any(path.glob("*.parquet")):
        frame = _read_class_folders(path, classes)
        default_root = path
    else:
        frame = _read_table(path, encoding)
        default_root = path if path.is_dir() else path.parent
    if frame.empty:
        raise CatalogError(f"{path}: the catalogue has no photos")
    catalog = _Checked(frame, path, classes).result(Path(root) if root else default_root)
    if check_files:
        _check_files(catalog, path)
    return catalog


def _read_table(path: Path, encoding: str) -> pd.DataFrame:
    if path.is_dir() or path.suffix.lower() in {".parquet", ".pq"}:
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise CatalogError(f"{path}: not a readable Parquet file: {error}") from error
    if path.suffix.lower() != ".csv":
        raise CatalogError(
            f"{path}: a catalogue is a .csv or .parquet file or a folder of class folders, "
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
            if file.suffix.lower() in SUFFIXES
        ]
    return pd.DataFrame(rows, columns=["path", "label"])


class _Checked:
    """The validation of one table, column by column, with errors that name the place."""

    def __init__(self, frame: pd.DataFrame, file: Path, classes: Sequence[str] | None) -> None:
        self.frame = frame.reset_index(drop=True)
        self.file = file
        self.classes = classes

    def result(self, root: Path) -> pd.DataFrame:
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
        frame["image_id"] = self._text("image_id", required=True) if "image_id" in given else paths
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


def _resolve(paths: pd.Series, root: Path) -> pd.Series:
    fixed = paths.str.startswith("/") | paths.str.contains("://", regex=False)
    if os.name == "nt":
        fixed |= paths.str.match(r"[A-Za-z]:[\\/]")
    folder = str(root)
    return paths.where(fixed, paths if folder == "." else folder.rstrip("/") + "/" + paths)


def _check_files(catalog: pd.DataFrame, file: Path) -> None:
    missing = [path for path in catalog["path"] if "://" not in path and not Path(path).is_file()]
    if missing:
        shown = "".join(f"\n  {path}" for path in missing[:10])
        more = f"\n  and {len(missing) - 10:,} more" if len(missing) > 10 else ""
        raise CatalogError(
            f"{file}: {len(missing):,} of {len(catalog):,} photos are missing:{shown}{more}"
        )


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


def split_catalog(
    catalog: pd.DataFrame, *, test: float = 0.25, validation: float = 0.1, seed: int = 0
) -> pd.DataFrame:
    """Deal whole hotels to train, val and test, with like shares of each class.

    A hotel is never torn apart: its photos look alike, and a model that has seen one of them is
    not tested by the others. Hotels are dealt by scikit-learn's ``StratifiedGroupKFold``. A class
    that fewer than three hotels have is kept for training, with a warning, since a model cannot
    be tested on a class that it never saw.

    Parameters
    ----------
    catalog
        With ``label`` and ``hotel_id``. One that has ``split`` already keeps it.
    test, validation
        Shares of the photos, 0 to 1; met within the size of a hotel.
    seed
        For another deal.

    Returns
    -------
    pandas.DataFrame
        A copy with the column ``split``; photos without a label have none.

    Raises
    ------
    CatalogError
        When there are no labels, too few hotels, or the shares leave nothing to train on.

    Examples
    --------
    >>> photos = pd.DataFrame({"hotel_id": [f"h{i // 2}" for i in range(80)],
    ...                        "label": ["Pool", "Bedroom"] * 40})
    >>> split_catalog(photos)["split"].value_counts().to_dict()
    {'train': 52, 'test': 20, 'val': 8}
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if "split" in catalog and catalog["split"].notna().any():
        return catalog.copy()
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise CatalogError(
            f"test={test} and validation={validation} must be shares from 0 that leave some photos "
            "to train on"
        )
    if "label" not in catalog or catalog["label"].isna().all():
        raise CatalogError("the catalogue has no labels: a split by class needs the column 'label'")
    labelled = catalog[catalog["label"].notna()]
    hotels_of = labelled.groupby("label")["hotel_id"].nunique()
    rare = hotels_of.index[hotels_of < 3]
    if labelled["hotel_id"].nunique() >= 3 and len(rare):
        warnings.warn(
            f"fewer than 3 hotels have {', '.join(rare)}: kept for training, not tested",
            stacklevel=2,
        )
    pinned = labelled["hotel_id"].isin(
        set(labelled.loc[labelled["label"].isin(rare), "hotel_id"]),
    )
    dealt = labelled[~pinned]
    hotels = dealt["hotel_id"].nunique()
    if hotels < 3:
        raise CatalogError(
            f"{labelled['hotel_id'].nunique()} hotels ({hotels} with common classes only) are too "
            "few to split into train, val and test: at least 3 are needed"
        )
    split = pd.Series(pd.NA, index=catalog.index, dtype="str")
    split[labelled.index] = "train"
    folds = min(_FOLDS, hotels)
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer photos than folds is missing from some folds, as it must be.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = [
            dealt.index[rows]
            for _, rows in dealer.split(dealt, dealt["label"], groups=dealt["hotel_id"])
        ]
    test_folds, val_folds = (
        max(1, round(share * folds)) if share else 0 for share in (test, validation)
    )
    if test_folds + val_folds >= folds:
        raise CatalogError(
            f"{hotels} hotels are too few to keep test={test} and validation={validation} of them "
            "out of training"
        )
    for part in parts[:test_folds]:
        split[part] = "test"
    for part in parts[test_folds : test_folds + val_folds]:
        split[part] = "val"
    result = catalog.copy()
    result["split"] = split
    return result


def fingerprint(catalog: pd.DataFrame) -> str:
    """Name the content of a catalogue in 16 letters, whatever the order of its rows.

    Two catalogues with the same photos, labels and splits have the same fingerprint, wherever
    their files are. A model file carries that of the catalogue it was trained on.

    Parameters
    ----------
    catalog
        As `read_catalog` gives it.

    Returns
    -------
    str
        Hexadecimal.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "label": ["Pool", "Bedroom"]})
    >>> fingerprint(photos) == fingerprint(photos[::-1])
    True
    """
    columns = [
        column
        for column in catalog.columns
        if column in {"image_id", "label", "split"} or str(column).startswith("rating_")
    ]
    rows = np.sort(pd.util.hash_pandas_object(catalog[sorted(columns)], index=False).to_numpy())
    return hashlib.sha256(rows.tobytes()).hexdigest()[:16]
