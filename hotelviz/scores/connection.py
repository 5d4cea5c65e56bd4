"""DuckDB that reads and writes the files it was opened for, and no others.

Names in tables come from other people. They are quoted, and should that ever fail: what is run as
SQL finds no other file, no variable of Python's, and no setting that it could change.
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from hotelviz.catalog import as_ids
from hotelviz.errors import ScoresError, no_column
from hotelviz.images import usable_cores
from hotelviz.scores.sql import select_list, sql_literal, sql_name, sql_names

#: Columns that are text whatever they are stored as: numbers are names here, not amounts.
TEXTS = (
    "image_id",
    "hotel_id",
    "path",
    "predicted",
    "label",
    "label_2",
    "source",
    "split",
    "error",
)

#: Bytes of memory that questions may take; more goes to disk.
MEMORY = 3 * 1024**3


def connect(
    files: Iterable[str | os.PathLike[str]] = (), *, folders: Iterable[str | os.PathLike[str]] = ()
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB such that it stays within a part of the machine's memory, and within some files.

    What does not fit into memory goes to a temporary folder (``$TMPDIR``), and goes away with the
    connection.

    Parameters
    ----------
    files
        What may be read and written, besides tables that are registered.
    folders
        Likewise, with all that is in them.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Its settings cannot be changed any more.

    Examples
    --------
    >>> connect().execute("SELECT content FROM read_text('/etc/hostname')")
    Traceback (most recent call last):
    _duckdb.PermissionException: Permission Error: Cannot access file "/etc/hostname"...
    """
    # A path stands there twice: as it is, and as the pattern that matches nothing else.
    folders = _both(folders)
    places = _both(files) + folders
    spilled = Path(tempfile.gettempdir()) / f"hotelviz-duckdb-{os.getpid()}"
    connection = duckdb.connect()
    for setting, value in {
        # Progress goes to tqdm where there is any; DuckDB's own would end up in reports.
        "enable_progress_bar": "false",
        "temp_directory": sql_literal(spilled),
        "memory_limit": f"'{memory_limit()}B'",
        "threads": str(usable_cores()),
        "python_enable_replacements": "false",
        "allowed_paths": f"[{', '.join(map(sql_literal, places))}]",
        "allowed_directories": f"[{', '.join(map(sql_literal, folders))}]",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }.items():
        connection.execute(f"SET {setting} = {value}")
    return connection


def _both(places: Iterable[str | os.PathLike[str]]) -> list[str]:
    return [form for place in map(str, places) for form in (place, glob.escape(place))]


def memory_limit() -> int:
    """Return the bytes that DuckDB may use: a third of the machine's memory, at most `MEMORY`."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return MEMORY
    return min(MEMORY, total // 3)


def ask(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> pd.DataFrame:
    """Return what a query finds.

    Parameters
    ----------
    connection
        From `connect`.
    sql
        The query.
    parameters
        What its question marks, or its names that begin with ``$``, stand for.

    Raises
    ------
    ScoresError
        DuckDB refuses the query.

    Examples
    --------
    >>> ask(connect(), "SELECT $low + 1 AS high", {"low": 4})["high"].item()
    5
    """
    try:
        return connection.execute(sql, parameters or None).df()
    except duckdb.Error as error:
        raise ScoresError(f"{error}") from error


def register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: pd.DataFrame,
    columns: Sequence[str] | None = None,
) -> dict[str, str]:
    """Make a table known to a connection, with a row per photo.

    Parameters
    ----------
    connection
        From `connect`.
    name
        What it is called in SQL.
    table
        With ``image_id``.
    columns
        Only these; None for all.

    Returns
    -------
    dict
        Column -> its name in SQL.

    Raises
    ------
    ScoresError
        No ``image_id``, one that is missing or repeated, or a column that DuckDB does not take.
    CatalogError
        Names that are no texts or whole numbers.
    """
    if "image_id" not in table:
        raise ScoresError(f"the table has {no_column('image_id', table)}")
    kept = [column for column in table if columns is None or column in columns]
    names = sql_names([str(column) for column in kept])
    arrays = {
        given: _array(table, column) for column, given in zip(kept, names.values(), strict=True)
    }
    _check_photos(arrays["image_id"].to_pandas())
    # Under plain names: DuckDB would make its own of some.
    plain = pa.table({f"c{place}": array for place, array in enumerate(arrays.values())})
    connection.register(f"{name}_given", plain)
    chosen = select_list((f"c{place}", given) for place, given in enumerate(arrays))
    connection.execute(f"CREATE VIEW {sql_name(name)} AS SELECT {chosen} FROM {name}_given")
    return names


def _array(table: pd.DataFrame, column: Any) -> pa.Array:
    """Return a column as an Arrow array: names as text, numbers by their digits."""
    values = table[column]
    if not isinstance(values, pd.Series):
        raise ScoresError(f"the table has more than one column {column!r}; rename one")
    try:
        if column not in TEXTS:
            return pa.array(values)
        if pd.api.types.infer_dtype(values, skipna=True) != "string":
            values = as_ids(values, column, "the table")
        return pa.array(values, pa.string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ScoresError(f"the column {column!r} is not of one type: {error}") from error


def _check_photos(photos: pd.Series) -> None:
    if photos.isna().any():
        raise ScoresError(f"{int(photos.isna().sum()):,} rows have no 'image_id'")
    if photos.duplicated().any():
        twice = photos[photos.duplicated()].unique()
        raise ScoresError(
            f"{len(twice):,} photos are in the table more than once, such as {twice[0]!r}; each "
            "has one row"
        )
