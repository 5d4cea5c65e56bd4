"""Catalogues in Parquet: one file, or a folder of parts whose columns differ."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.catalog.headers import canonical_names
from hotelviz.catalog.identity import as_ids
from hotelviz.errors import CatalogError
from hotelviz.schema import COLUMNS, TEXTS, VOTES

_SUFFIXES = (".parquet", ".pq")
#: What Hive calls the folder of rows without a value.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_TEXT = pa.large_string()
#: Columns whose values are kept by their digits, whatever they are stored as.
_NAMES = (*TEXTS, "position")


class Part(NamedTuple):
    """A file of a dataset.

    Attributes
    ----------
    file
        Where it is.
    headers
        Column -> its header in the file.
    types
        Column -> its type there.
    folders
        Column -> value, of folders such as ``split=train``.
    """

    file: Path
    headers: dict[str, str]
    types: dict[str, pa.DataType]
    folders: dict[str, str | None]


class Chunk(NamedTuple):
    """Rows of a part, with the columns of the whole dataset.

    Attributes
    ----------
    table
        The rows.
    file
        The part.
    start
        How many rows of the part stand before.
    """

    table: pa.Table
    file: Path
    start: int


def parquet_files(path: Path) -> list[Path]:
    """List the Parquet files of a catalogue that is in Parquet; not hidden ones, nor ``_*``.

    A folder is such a catalogue where Parquet files, or folders such as ``split=train``, are in it.
    """
    if not path.is_dir():
        return [path] if path.suffix.lower() in _SUFFIXES else []
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        files = [Path(folder, name) for name in sorted(names) if name[0] not in "._"]
        found += [file for file in files if file.suffix.lower() in _SUFFIXES]
        parts = [name for name in folders if "=" in name or name.lower().endswith(_SUFFIXES)]
        if Path(folder) == path and not (found or parts):
            break
    return found


class Dataset:
    """Parquet files that are one table: columns are joined by their names.

    Parameters
    ----------
    path
        The file or folder, for errors and for the names of folders.
    files
        Its parts.
    columns
        What is wanted; None for all.

    Raises
    ------
    CatalogError
        A damaged part, or a column that is of types which do not go together.
    """

    def __init__(
        self, path: Path, files: list[Path], columns: Collection[str] | None = None
    ) -> None:
        self.parts = [_open(file, path) for file in files]
        known = {name: None for part in self.parts for name in (*part.headers, *part.folders)}
        self.given = list(known)
        self.columns = [name for name in known if columns is None or name in columns]
        self.targets = {name: self._target(name) for name in self.columns}

    def chunks(self, chunk_rows: int | None = None) -> Iterator[Chunk]:
        """Yield the rows, part by part; None yields each part as one."""
        for part in self.parts:
            headers = [part.headers[name] for name in self.columns if name in part.headers]
            start = 0
            try:
                with pq.ParquetFile(part.file) as opened:
                    if chunk_rows is None:
                        tables = iter([opened.read(columns=headers)])
                    else:
                        batches = opened.iter_batches(chunk_rows, columns=headers)
                        tables = (pa.Table.from_batches([batch]) for batch in batches)
                    for given in tables:
                        columns = {
                            name: self._column(part, name, given, start) for name in self.columns
                        }
                        table = pa.table(columns, metadata=given.schema.metadata)
                        yield Chunk(table, part.file, start)
                        start += table.num_rows
            except (OSError, pa.ArrowException) as error:
                raise _damaged(part.file, error) from error

    def _target(self, name: str) -> pa.DataType:
        """Return the type of a column that keeps the values of all parts."""
        having = [part for part in self.parts if name in part.types]
        types = {part.types[name]: part for part in having}
        if len(types) > 1:
            # The type of a column without a value says nothing.
            types = {part.types[name]: part for part in having if not _is_empty(part, name)}
        for part in self.parts:
            if name in part.folders:
                types.setdefault(_TEXT, part)
        if len(types) <= 1:
            return next(iter(types), having[0].types[name] if having else pa.null())
        if name in _NAMES or all(map(_is_text, types)):
            return _TEXT
        with suppress(pa.ArrowException):
            fields = [pa.schema([(name, kind)]) for kind in types]
            joined: pa.DataType = pa.unify_schemas(fields, promote_options="permissive").types[0]
            if not _is_text(joined):
                return joined
        if name in COLUMNS or name.startswith(VOTES):
            return _TEXT
        (one, first), (other, second) = list(types.items())[:2]
        raise CatalogError(
            f"{second.file}, column {name!r}: {other}, but {one} in {first.file}; write it alike "
            "in all parts"
        )

    def _column(self, part: Part, name: str, table: pa.Table, start: int) -> pa.ChunkedArray:
        target = self.targets[name]
        if name in part.folders:
            value = pa.scalar(part.folders[name], _TEXT)
            return pa.chunked_array([pa.repeat(value, table.num_rows)])
        values = table[part.headers[name]] if name in part.headers else None
        if values is None or (values.null_count == len(values) and values.type != target):
            return pa.chunked_array([pa.nulls(table.num_rows, target)])
        if _is_text(values.type) and name not in TEXTS:
            values.validate(full=True)  # Parquet does not check that a text is UTF-8.
        if values.type == target:
            return values
        if target == _TEXT and name in _NAMES:
            first = start + 2
            texts = as_ids(values, name, lambda row: f"{part.file}, row {row + first}")
            return pa.chunked_array([pa.array(texts, _TEXT, from_pandas=True)])
        try:
            return values.cast(target)
        except pa.ArrowException as error:
            raise CatalogError(
                f"{part.file}, column {name!r}: {values.type} cannot be read as {target}, as it is "
                f"in another part, without a loss: {error}"
            ) from error


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _open(file: Path, root: Path) -> Part:
    try:
        with pq.ParquetFile(file) as opened:
            schema = opened.schema_arrow
    except (OSError, pa.ArrowException) as error:
        raise _damaged(file, error) from error
    names = [name for name in schema.names if not name.startswith("__index_level_")]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise CatalogError(f"{file}: the column {twice[0]!r} stands there more than once")
    headers = {column: header for header, column in canonical_names(names, file).items()}
    types = {column: schema.field(header).type for column, header in headers.items()}
    part = Part(file, headers, types, _folders(file, root))
    both = [name for name in part.folders if name in types and not _is_empty(part, name)]
    if both:
        raise CatalogError(
            f"{file}: has a column {both[0]!r}, and stands in a folder that says what "
            f"{both[0]!r} is; keep one of them"
        )
    return part


def _is_empty(part: Part, name: str) -> bool:
    """Return whether a part declares that a column has no value in any row."""
    if pa.types.is_null(part.types[name]):
        return True
    header, file = part.headers[name], pq.read_metadata(part.file)
    for group in map(file.row_group, range(file.num_row_groups)):
        for column in map(group.column, range(group.num_columns if group.num_rows else 0)):
            found, place = column.statistics, column.path_in_schema
            empty = found and found.has_null_count and found.null_count == column.num_values
            if not empty and header in {place, place.split(".")[0]}:
                return False
    return True


def _folders(file: Path, root: Path) -> dict[str, str | None]:
    if file == root:
        return {}
    pairs = dict(name.split("=", 1) for name in file.relative_to(root).parent.parts if "=" in name)
    columns = canonical_names(pairs, file)
    return {
        columns[key]: None if value == _NO_VALUE else unquote(value) for key, value in pairs.items()
    }


def _damaged(file: Path, error: Exception) -> CatalogError:
    return CatalogError(f"{file}: not a readable Parquet file: {error}")


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a DataFrame, without a loss.

    Whole numbers of which some are missing do not become floats, and what pandas wrote as an index
    is a column.
    """
    nullable = _nullable(table.schema.metadata)
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    for field, column in zip(table.schema, table.columns, strict=True):
        kind = _NULLABLE.get(field.type)
        lossy = column.null_count and not pa.types.is_floating(field.type)
        if kind is not None and (lossy or nullable.get(field.name) == str(kind)):
            frame[field.name] = column.to_pandas(types_mapper=_NULLABLE.get)
    return frame


def _nullable(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    """Return the pandas types that columns had; a damaged note of them is ignored."""
    try:
        noted = json.loads((metadata or {})[b"pandas"])["columns"]
        return {column["field_name"]: column["numpy_type"] for column in noted}
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}


_NULLABLE = {
    pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(), pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype(),
    pa.float32(): pd.Float32Dtype(), pa.float64(): pd.Float64Dtype(),
}  # fmt: skip
