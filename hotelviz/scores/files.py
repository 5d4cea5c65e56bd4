"""The Parquet files of a dataset, which are one table: their columns, types and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.errors import ScoresError, no_column
from hotelviz.io.atomic import written_files
from hotelviz.schema import SCORE_SHARES, SCORES
from hotelviz.scores.connection import TEXTS
from hotelviz.scores.sql import is_number, parquet_files, select_list, sql_name, sql_names


def find_files(path: Path) -> list[Path]:
    """List the Parquet files of a dataset, by absolute paths.

    Raises
    ------
    ScoresError
        There are none, or some lie in a folder within the folder.
    """
    if path.exists() and not path.is_dir():
        return [path.absolute()]
    for file in path.rglob("*/*.parquet"):
        if not any(part[0] in "._" for part in file.relative_to(path).parts):
            raise ScoresError(
                f"{file.parent}: Parquet files in a folder within {path} are not read: what the "
                "names of folders say would be lost. Put all parts in one folder, with all columns"
            )
    files = written_files(path.absolute(), "*.parquet")
    if not files:
        raise ScoresError(f"{path}: there are no scores (Parquet files) here")
    return files


def open_parts(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path]
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...], str]:
    """Return what columns files have, and the query that reads them as one table.

    Parameters
    ----------
    connection
        It has to be opened for the files.
    files
        As `find_files` gives them.

    Returns
    -------
    columns, names, derived, sql
        As `hotelviz.scores.Scores` has them.

    Raises
    ------
    ScoresError
        A file that is damaged, or has other columns or types than the others.
    """
    alike: dict[tuple[pa.Field, ...], list[Path]] = {}
    for file in files:
        alike.setdefault(tuple(_schema(file)), []).append(file)
    columns = _columns(alike)
    stored = list(columns)
    derived = []
    if "score" not in columns and set(SCORE_SHARES) <= set(columns):
        columns["score"] = "float"
        derived.append("score")
    names = sql_names(list(columns))
    queries = []
    for fields, group in alike.items():
        source = parquet_files(group)
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        # DuckDB calls columns that differ in case only by names of its own.
        held = {field.name: sql_name(row[0]) for field, row in zip(fields, described, strict=True)}
        given = held | {
            field.name: _as_text(connection, source, held[field.name], field, group[0])
            for field in fields
            if field.name in TEXTS
        }
        derived += [name for name in stored if given[name] != held[name]]
        if "score" not in held and "score" in columns:
            given["score"] = _mean_score(held)
        chosen = select_list((given[name], names[name]) for name in columns)
        queries.append(f"SELECT {chosen} FROM {source}")
    return columns, names, tuple(dict.fromkeys(derived)), " UNION ALL ".join(queries)


def _mean_score(held: Mapping[str, str]) -> str:
    """Return the SQL of the mean of a stored distribution over the scores."""
    total = "+".join(f"{held[share]}::DOUBLE" for share in SCORE_SHARES)
    mean = "+".join(
        f"{score}*{held[share]}::DOUBLE" for score, share in zip(SCORES, SCORE_SHARES, strict=True)
    )
    return f"(({mean}) / ({total}))::FLOAT"


def _schema(file: Path) -> pa.Schema:
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        if file.suffix.lower() in {".csv", ".tsv", ".txt"}:
            raise ScoresError(
                f"{file}: scores and tags are asked where they are in Parquet; write them with "
                "--out of the suffix .parquet, or give the table that pandas.read_csv reads"
            ) from error
        raise ScoresError(
            f"{file}: not a whole Parquet file ({error}); remove it, and score again: parts "
            "that are there are kept"
        ) from error
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ScoresError(f"{file}: more than one column is called {twice[0]!r}; rename one")
    if {"problem", "hash"} <= set(schema.names) and "error" not in schema.names:
        raise ScoresError(
            f"{file}: was written by hotelviz 0.1, which called the column 'error' 'problem'. "
            "Score the photos again into another folder, or rename the column in all parts"
        )
    return schema


def _columns(alike: Mapping[tuple[pa.Field, ...], Sequence[Path]]) -> dict[str, str]:
    """Return the columns that all files have, with types that hold the values of all.

    Raises
    ------
    ScoresError
        A file with other columns or types, or no ``image_id``.
    """
    (fields, (first, *_)), *others = alike.items()
    kinds = {field.name: _kind(field) for field in fields}
    if "image_id" not in kinds:
        raise ScoresError(f"{first}: {no_column('image_id', kinds)}")
    for fields, (file, *_) in others:
        differing = sorted({field.name for field in fields} ^ kinds.keys())
        if differing:
            raise ScoresError(
                f"{file}: other columns than {first.name} ({', '.join(differing[:5])}); it does "
                "not belong to this dataset, move it away"
            )
        for field in fields:
            name, kind = field.name, _kind(field)
            both = [pa.schema([(name, one)]) for one in (kinds[name], kind)]
            try:
                kinds[name] = pa.unify_schemas(both, promote_options="permissive").types[0]
            except pa.ArrowTypeError as error:
                raise ScoresError(
                    f"{file}: the column {name!r} is of type {kind}, in {first.name} of "
                    f"{kinds[name]}; write it with one type, or move it away"
                ) from error
    return {name: str(kind) for name, kind in kinds.items()}


def _kind(field: pa.Field) -> pa.DataType:
    return pa.string() if field.name in TEXTS else _plain(field.type)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of values, however they are kept."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if str(kind) in {"large_string", "string_view"} else kind


def _as_text(
    connection: duckdb.DuckDBPyConnection, source: str, column: str, field: pa.Field, file: Path
) -> str:
    """Return the SQL of a name, which may be stored as a number, as text; no digit may be lost."""
    if _plain(field.type) == pa.string():
        return column
    if not pa.types.is_floating(field.type):
        return f"{column}::VARCHAR"
    lossy = connection.execute(
        f"SELECT {column} FROM {source} WHERE {is_number(column)} AND "
        f"({column} <> trunc({column}) OR abs({column}) >= {2**53}) LIMIT 1"
    ).fetchone()
    if lossy:
        raise ScoresError(
            f"{file}: the column {field.name!r} has the number {lossy[0]!r}: names are text or "
            "whole numbers, which floating point numbers do not keep"
        )
    return f"TRY_CAST({column} AS BIGINT)::VARCHAR"
