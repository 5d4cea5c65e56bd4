"""Names of photos and hotels, and hashes of what a catalogue holds."""

from __future__ import annotations

import decimal
import hashlib
import math
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hotelviz.errors import CatalogError
from hotelviz.io.content import file_versions
from hotelviz.io.remote import is_url, photo_name, redact
from hotelviz.schema import COLUMNS, TEXTS, vote_columns

#: The largest whole number up to which each kind of float holds all of them.
_EXACT = {"float": 2**24, "double": 2**53, "halffloat": 2**11}


def as_ids(
    values: pd.Series | Sequence[object] | np.ndarray | pa.Array | pa.ChunkedArray,
    column: str,
    where: str | Callable[[int], str],
) -> pd.Series:
    """Read names of photos, hotels or classes as text, exactly.

    The same names come of CSV files, Parquet, and tables made by hand: texts without the spaces
    around them; whole numbers as their digits, however large; floats only where they stand for one
    whole number. What is empty is missing.

    Parameters
    ----------
    values
        Texts, numbers, bytes of UTF-8, categories, or arrow's types.
    column
        Its name, for errors.
    where
        The function that asks, or what names the place of a row (counted from 0), for errors.

    Returns
    -------
    pandas.Series
        Of texts, with the index of `values` where it is a Series; NaN is missing.

    Raises
    ------
    CatalogError
        A fraction, a float beyond 2**53 (whose last digits are lost), or what is no name.

    Examples
    --------
    >>> as_ids(pd.Series([2**53 + 1, None], dtype="Int64"), "hotel_id", "photos").tolist()
    ['9007199254740993', nan]
    >>> as_ids([" a.jpg", 7, 123.0], "image_id", "photos").tolist()
    ['a.jpg', '7', '123']
    >>> as_ids([0.5], "hotel_id", "photos")
    Traceback (most recent call last):
    hotelviz.errors.CatalogError: photos, row 0, column 'hotel_id': 0.5 is no name...
    """
    texts, bad = _texts(_arrow(values))
    if len(bad):
        given = values.iloc if isinstance(values, pd.Series) else values

        def say(position: int) -> str:
            try:
                value = given[position]
                if isinstance(value, pa.Scalar | np.generic):
                    value = value.as_py() if isinstance(value, pa.Scalar) else value.item()
            except UnicodeDecodeError as error:
                value = bytes(error.object)
            place = where(position) if callable(where) else f"{where}, row {position}"
            return f"{place}, column {column!r}: {redact(repr(value))} is no name{_why(value)}"

        raise CatalogError(first_bad(bad, say))
    result: pd.Series = texts.to_pandas().astype("str")
    if isinstance(values, pd.Series):
        result.index, result.name = values.index, values.name
    return result


def first_bad(bad: np.ndarray, say: Callable[[int], str]) -> str:
    """Return what is wrong with the first of some rows, and how many more there are."""
    more = f" ({len(bad) - 1:,} more rows likewise)" if len(bad) > 1 else ""
    return f"{say(int(bad[0]))}{more}"


def _why(value: object) -> str:
    if isinstance(value, float):
        if value.is_integer():
            return ": a float of this size has lost digits; write names as text or whole numbers"
        return "; names are texts or whole numbers"
    if isinstance(value, str | bytes):
        return ": it is not UTF-8"
    return f": a {type(value).__name__}; names are texts or whole numbers"


def _arrow(values: Any) -> pa.Array | pa.ChunkedArray | list[object]:
    """Return values as an Arrow array where that keeps them exactly, else as a list."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    # pandas would make floats of whole numbers among which one is missing.
    as_given = isinstance(values, pd.Series | np.ndarray)
    series = pd.Series(values, dtype=None if as_given else object)
    if series.dtype == object:
        kind = pd.api.types.infer_dtype(series, skipna=True)
        if kind not in {"string", "integer", "empty"}:
            return series.tolist()
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError, UnicodeError, ValueError):
        return list(series)


def _texts(
    array: pa.Array | pa.ChunkedArray | list[object],
) -> tuple[pa.Array | pa.ChunkedArray, np.ndarray]:
    """Return an array as texts, and the positions of those that are no name."""
    none = np.array([], dtype=int)
    if isinstance(array, list):
        made = np.array([_text(value) for value in array], dtype=object)
        bad = made == _NO_NAME
        texts = pa.array(made, pa.large_string(), mask=bad)
        return _stripped(texts), np.flatnonzero(bad)
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _texts(array.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            return _stripped(array), none
        except pa.ArrowInvalid:  # Parquet does not check that a text is UTF-8.
            return _texts(array.cast(pa.large_binary()).to_pylist())
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return array.cast(pa.large_string()), none
    if pa.types.is_floating(kind):
        number = np.asarray(array.cast(pa.float64()))
        exact = (np.floor(number) == number) & (np.abs(number) <= _EXACT[str(kind)])
        whole = pa.array(np.where(exact, number, 0).astype("int64"), mask=~exact)
        return whole.cast(pa.large_string()), np.flatnonzero(~(exact | np.isnan(number)))
    return _texts(array.to_pylist())


def _stripped(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    texts = pc.utf8_trim_whitespace(texts)
    empty = pc.equal(texts, "")
    # The usual column has none: it is not copied.
    if not pc.any(empty).as_py():
        return texts
    return pc.if_else(empty, pa.scalar(None, texts.type), texts)


_NO_NAME = object()


def _text(value: object) -> object:
    """Return one value as text, None where it is missing, or `_NO_NAME`."""
    if isinstance(value, str):
        return value if is_unicode(value) else _NO_NAME
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, int | np.integer | np.bool_ | uuid.UUID):
        return str(value)
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return None
        limit = 2 ** (np.finfo(type(value)).nmant + 1)
        return str(int(value)) if value % 1 == 0 and abs(value) <= limit else _NO_NAME
    if isinstance(value, decimal.Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return None if value.is_nan() else str(int(value)) if whole else _NO_NAME
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return _NO_NAME
    return _text(os.fspath(value)) if isinstance(value, os.PathLike) else _NO_NAME


def is_unicode(text: str) -> bool:
    """Return whether a table can hold a text: names of files that are not UTF-8 have surrogates."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def names_of(paths: pd.Series) -> pd.Series:
    """Return the default names of photos: their paths, without what grants access to a URL."""
    remote = paths.str.contains("://", regex=False)
    if not remote.any():
        return paths
    return paths.mask(
        remote, paths[remote].map(lambda url: photo_name(url) if is_url(url) else url)
    )


def paths_from(root: Path, paths: pd.Series) -> pd.Series:
    """Return local paths that start from a folder; those in full and URLs stay as they are."""
    fixed = paths.str.startswith("/") | paths.str.contains("://", regex=False)
    if os.name == "nt":
        fixed |= paths.str.match(r"[A-Za-z]:[\\/]|[\\/]{2}")
    if fixed.all():
        return paths
    folder = "" if root == Path() else f"{root.as_posix().rstrip('/')}/"
    if paths.str.startswith("./").any():
        paths = paths.str.removeprefix("./")
    return paths.where(fixed, folder + paths)


def absolute_paths(paths: pd.Series) -> pd.Series:
    """Return local paths from the root of the file system; URLs stay as they are."""
    return paths_from(Path.cwd(), paths)


def knows_hotels(photos: pd.DataFrame) -> bool:
    """Return whether a table names hotels: a photo without one has its own name as that.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``image_id`` and, where it is known, ``hotel_id``.

    Examples
    --------
    >>> knows_hotels(pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["a", "b"]}))
    False
    >>> knows_hotels(pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "b"]}))
    True
    """
    if "hotel_id" not in photos:
        return False
    named = photos["hotel_id"].dropna().astype(str)
    return "image_id" not in photos or bool(
        (named != photos.loc[named.index, "image_id"].astype(str)).any()
    )


def catalog_hash(catalog: pd.DataFrame) -> str:
    """Compute the fingerprint of a catalogue's content, whatever the order of its rows.

    It covers all columns of `hotelviz.catalog` but ``path``: two catalogues with the same photos,
    hotels, labels, votes, splits and ratings have the same one, wherever their files are and
    however the values are stored (5 or 5.0, None or NaN, a column that is empty or not there). A
    model file carries that of the catalogue it was trained on. The user's own columns are not
    covered.

    Parameters
    ----------
    catalog
        As `read_catalog` gives it; needs ``image_id``.

    Returns
    -------
    str
        16 hexadecimal letters.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "label": ["Pool", "Bedroom"]})
    >>> catalog_hash(photos) == catalog_hash(photos[::-1])
    True
    >>> catalog_hash(photos) == catalog_hash(photos.assign(label="Pool"))
    False
    """
    ids = _names(catalog, "image_id")
    columns = {"image_id": ids, "hotel_id": ids}
    for name in COLUMNS:
        if name in catalog and name not in {"image_id", "path"}:
            is_name = name in (*TEXTS, "position")
            columns[name] = (
                _names(catalog, name) if is_name else pd.to_numeric(catalog[name]).astype("float64")
            )
    columns["hotel_id"] = columns["hotel_id"].fillna(ids)
    for name in vote_columns(catalog).values():
        votes = pd.to_numeric(catalog[name]).astype("float64")
        # No vote for a class is as good as no column of it.
        columns[name] = votes.mask(votes == 0)
    rows = np.sort(_row_hash(columns))
    return hashlib.sha256(rows.tobytes()).hexdigest()[:16]


def row_hashes(catalog: pd.DataFrame) -> pd.Series:
    """Compute the fingerprint of each photo as it is now: what a cache of it is valid for.

    It covers ``image_id``, ``path`` and, where that is a file on this machine, its size and the
    time of its last change. A file that is not there has one too, another than when it is.

    Parameters
    ----------
    catalog
        With ``image_id`` and ``path``.

    Returns
    -------
    pandas.Series
        uint64, its index the ``image_id``.

    Raises
    ------
    CatalogError
        One of the columns is missing.

    Examples
    --------
    >>> import tempfile
    >>> file = f"{tempfile.mkdtemp()}/a.jpg"
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": [file]})
    >>> before = row_hashes(photos)
    >>> with open(file, "w") as opened:
    ...     _ = opened.write("photo")
    >>> bool(row_hashes(photos)["a"] == before["a"])
    False
    """
    ids, paths = _names(catalog, "image_id"), _names(catalog, "path")
    states = file_versions(paths.fillna("").tolist())
    state = {"size": pd.Series(states[:, 0]), "changed": pd.Series(states[:, 1])}
    rows = _row_hash({"image_id": ids, "path": absolute_paths(paths), **state})
    return pd.Series(rows, index=ids.to_numpy(), name="row_hash")


def _names(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        raise CatalogError(f"the table has no column {column!r}, {COLUMNS[column]}")
    return as_ids(table[column], column, "the table")


def _row_hash(columns: Mapping[str, pd.Series]) -> np.ndarray:
    """Compute a number per row; what is missing adds nothing, like a missing column."""
    total: np.ndarray = np.zeros(1, dtype="uint64")
    for name, values in columns.items():
        salt = np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], dtype="<u8")
        hashed = pd.util.hash_pandas_object(values, index=False).to_numpy() ^ salt
        total = total + pd.util.hash_array(hashed) * values.notna().to_numpy()
    return total
