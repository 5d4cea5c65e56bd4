"""DuckDB that reads and writes the files it was opened for, and no others.

Names in tables come from other people. They are quoted, and should that ever fail: what is run as
SQL finds no other file, no variable of Python's, and no setting that it could change.
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from hotelviz.images import usable_cores
from hotelviz.io.escaping import sql_literal, sql_name

__all__ = ["connect", "memory_limit", "parquet_files", "sql_names"]

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


def parquet_files(
    files: Iterable[str | os.PathLike[str]], *, union: bool = False, file: str | None = None
) -> str:
    """Write the call that reads Parquet files: these, and no others that their names match.

    Parameters
    ----------
    files
        Which; a connection has to be opened for them.
    union
        Whether files may have different columns, which are joined by name.
    file
        A further column, which says in which file a row is.

    Returns
    -------
    str
        SQL that stands after FROM.

    Examples
    --------
    >>> print(parquet_files(["scores [2]/it's.parquet"]))
    read_parquet(['scores [[]2]/it''s.parquet'], hive_partitioning = false)
    """
    # DuckDB takes the name of a file for a pattern, and a folder "a=b" for a column.
    names = ", ".join(sql_literal(glob.escape(str(file))) for file in files)
    more = ", union_by_name = true" if union else ""
    more += f", filename = {sql_literal(file)}" if file else ""
    return f"read_parquet([{names}], hive_partitioning = false{more})"


def sql_names(columns: Sequence[str]) -> dict[str, str]:
    """Find names for columns that DuckDB, to which ``Pool`` and ``pool`` are one, tells apart.

    Parameters
    ----------
    columns
        Names, all different.

    Returns
    -------
    dict
        Column -> its name in SQL: its own; where another differs from it in case only, the one in
        lower case has its own, the others a number behind it.

    Examples
    --------
    >>> sql_names(["p_Pool", "p_pool", "score"])
    {'p_Pool': 'p_Pool_1', 'p_pool': 'p_pool', 'score': 'score'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    alone = {column.casefold() for column in columns}
    for column in sorted(columns, key=lambda name: (name != name.casefold(), name)):
        name, number = column or "column", 0
        while name.casefold() in taken or (number and name.casefold() in alone):
            number += 1
            name = f"{column}_{number}"
        taken.add(name.casefold())
        names[column] = name
    return {column: names[column] for column in columns}


def select_list(columns: Iterable[tuple[str, str]]) -> str:
    """Write what stands after SELECT: each expression with its name.

    Examples
    --------
    >>> select_list([("s.score::DOUBLE", "the score")])
    's.score::DOUBLE AS "the score"'
    """
    return ", ".join(f"{expression} AS {sql_name(name)}" for expression, name in columns)
