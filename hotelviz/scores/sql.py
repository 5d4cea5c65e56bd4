"""SQL text: names and literals in quotes, and the pieces of queries that are written from data.

Everything that comes from data reaches DuckDB through here, or as a parameter.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence


def sql_name(name: object) -> str:
    """Quote the name of a column or table for DuckDB, whatever it holds.

    Examples
    --------
    >>> sql_name('p_"Sky" Bar')
    '"p_""Sky"" Bar"'
    """
    return '"' + str(name).replace('"', '""') + '"'


def sql_literal(text: object) -> str:
    """Quote text as a string of DuckDB's, where it cannot be a parameter.

    Examples
    --------
    >>> print(sql_literal("it's"))
    'it''s'
    """
    return "'" + str(text).replace("'", "''") + "'"


def parquet_files(
    files: Iterable[str | os.PathLike[str]], *, union: bool = False, file: str | None = None
) -> str:
    """Return the call that reads Parquet files: these, and no others that their names match.

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
    """Return names for columns that differ in more than case, since DuckDB ignores it.

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
    """Return what stands after SELECT: each expression with its name.

    Examples
    --------
    >>> select_list([("s.score::DOUBLE", "the score")])
    's.score::DOUBLE AS "the score"'
    """
    return ", ".join(f"{expression} AS {sql_name(name)}" for expression, name in columns)


def is_number(value: str) -> str:
    """Return the condition that a value is there, and is not the floating point's "not a number".

    By its hash: for ``isnan`` DuckDB relies on the least and greatest values that files declare,
    which leave such values out, and so never finds any.

    Examples
    --------
    >>> print(is_number('"score"'))
    ("score" IS NOT NULL AND hash("score"::DOUBLE) <> hash('nan'::DOUBLE))
    """
    return f"({value} IS NOT NULL AND hash({value}::DOUBLE) <> hash('nan'::DOUBLE))"
