"""Which photos of a catalogue have no scores yet, however many there are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from hotelviz.catalog import CatalogError, nearest, read_catalog
from hotelviz.io.atomic import written_files
from hotelviz.io.escaping import sql_literal
from hotelviz.scores.connection import connect, parquet_files


def write_remaining(
    catalog: pd.DataFrame | str | os.PathLike[str], scored: Sequence[Path], folder: Path
) -> int:
    """Write the photos that are in no part yet as Parquet files.

    Parameters
    ----------
    catalog
        A table or a file. Parquet is not loaded: DuckDB streams it, and what it has to keep for
        comparing names goes to disk where memory is short.
    scored
        The parts that are there.
    folder
        Gets the files: ``image_id``, ``hotel_id``, ``path``.

    Returns
    -------
    int
        How many photos.

    Raises
    ------
    CatalogError
        Missing columns, an empty path, or an ``image_id`` that stands there twice.

    Examples
    --------
    >>> import tempfile
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "path": ["1", "2"]})
    >>> write_remaining(photos, [], Path(tempfile.mkdtemp()))
    2
    """
    path = None if isinstance(catalog, pd.DataFrame) else Path(catalog)
    files: list[Path] = []
    if path is not None and _is_parquet(path):
        files = written_files(path, "*.parquet") if path.is_dir() else [path]
    connection = connect([*files, *scored], folders=[folder])
    try:
        _open_catalog(connection, catalog, files)
        rest = ""
        if scored:
            rest = f"ANTI JOIN {parquet_files(scored)} USING (image_id)"
        connection.execute(
            f"COPY (SELECT image_id, hotel_id, path FROM photos {rest}) TO "
            f"{sql_literal(folder)} (FORMAT parquet, PER_THREAD_OUTPUT FALSE, "
            "FILE_SIZE_BYTES '64MB', ROW_GROUP_SIZE 102400, OVERWRITE_OR_IGNORE)"
        )
    finally:
        connection.close()
    return sum(pq.read_metadata(part).num_rows for part in written_files(folder, "*.parquet"))


def _open_catalog(
    connection: duckdb.DuckDBPyConnection,
    catalog: pd.DataFrame | str | os.PathLike[str],
    files: Sequence[Path],
) -> None:
    """Make a catalogue known as ``photos``, and check what scoring needs of it."""
    path = None if isinstance(catalog, pd.DataFrame) else Path(catalog)
    if path is None or not files:
        table = (
            catalog if isinstance(catalog, pd.DataFrame) else read_catalog(catalog, classes=None)
        )
        # Copied: other columns may have types that DuckDB does not take.
        kept = table[["image_id", "hotel_id", "path"]].astype(object)
        connection.register("photos", kept)
        return
    source = parquet_files(files, union=True)
    root = path if path.is_dir() else path.parent
    relation = connection.sql(f"SELECT * FROM {source}")
    columns = relation.columns
    if "path" not in columns and "image_id" not in columns:
        raise CatalogError(
            f"{path}: no column 'path'; its columns are {', '.join(columns)}"
            f"{nearest('path', columns)}"
        )
    place = "path" if "path" in columns else "image_id"
    name = "image_id" if "image_id" in columns else "path"
    hotel = f"coalesce(nullif(trim(hotel_id::VARCHAR), ''), trim({name}::VARCHAR))"
    start = sql_literal("" if str(root) == "." else f"{str(root).rstrip('/')}/")
    connection.execute(
        "CREATE VIEW photos AS SELECT "
        f"trim({name}::VARCHAR) AS image_id, "
        f"{hotel if 'hotel_id' in columns else f'trim({name}::VARCHAR)'} AS hotel_id, "
        f"CASE WHEN starts_with({place}, '/') OR contains({place}, '://') THEN trim({place}) "
        f"ELSE {start} || trim({place}) END AS path FROM {source}"
    )
    for column, condition, why in (
        (place, f"coalesce(trim({place}::VARCHAR), '') = ''", "is empty; every photo needs one"),
        (name, f"coalesce(trim({name}::VARCHAR), '') = ''", "is empty; every photo needs one"),
    ):
        count = connection.execute(f"SELECT count(*) FROM {source} WHERE {condition}").fetchone()
        if count and count[0]:
            raise CatalogError(f"{path}, column {column!r}: {count[0]:,} rows: it {why}")
    twice = connection.execute(
        "SELECT image_id FROM photos GROUP BY image_id HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if twice:
        raise CatalogError(
            f"{path}, column {name!r}: {twice[0]!r} stands there more than once; an image_id is "
            "unique"
        )


def _is_parquet(path: Path) -> bool:
    if path.is_dir():
        return bool(written_files(path, "*.parquet"))
    return path.suffix.lower() in {".parquet", ".pq"} and path.is_file()
