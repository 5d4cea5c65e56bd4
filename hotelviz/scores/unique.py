"""That each photo of a dataset is there once: looked up once, and again when files have changed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from hotelviz.errors import ScoresError
from hotelviz.io.atomic import atomic_path
from hotelviz.scores.connection import ask

#: Lists the files in which no photo was found twice.
CHECKED = "_hotelviz_checked.json"
#: Seconds from which on that is written down.
SLOW = 1.0
#: Datasets that this process has looked through.
checked: set[tuple[Path, str]] = set()


def check_unique(path: Path, files: Sequence[Path], connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse photos that are there more than once, or have no name.

    Parameters
    ----------
    path
        The folder or the file of the dataset.
    files
        Its Parquet files.
    connection
        With the view ``scores`` of them.

    Raises
    ------
    ScoresError
        Names the photos.
    """
    found = [(file.name, file.stat()) for file in files]
    listed = json.dumps([[name, about.st_size, about.st_mtime_ns] for name, about in found])
    if (path, listed) in checked:
        return
    with contextlib.suppress(OSError, ValueError):
        if (path / CHECKED).read_text() == listed:
            return
    started = time.perf_counter()
    _refuse_repeated(path, connection)
    checked.add((path, listed))
    if time.perf_counter() - started > SLOW and path.is_dir():
        # A note that saves time: where it cannot be written, the next process looks again.
        with contextlib.suppress(OSError), atomic_path(path / CHECKED) as temporary:
            temporary.write_text(listed)


def _refuse_repeated(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    # By a number for each name: a third of the memory. Two names may have the same number, so
    # that those that are found are compared themselves.
    numbers = ask(
        connection,
        "SELECT number FROM (SELECT hash(image_id) AS number FROM scores) GROUP BY number "
        "HAVING count(*) > 1 OR number = hash(NULL::VARCHAR) LIMIT 10000",
    )["number"]
    if numbers.empty:
        return
    repeated = ask(
        connection,
        "SELECT image_id, count(*) AS times FROM scores "
        "WHERE hash(image_id) IN (SELECT unnest(?)) GROUP BY image_id "
        "HAVING count(*) > 1 OR image_id IS NULL ORDER BY image_id NULLS FIRST",
        [numbers.to_list()],
    )
    if repeated["image_id"].isna().any():
        raise ScoresError(f"{path}: {repeated['times'].iloc[0]:,} photos have no image_id")
    if len(repeated):
        more = f" and {len(repeated) - 5:,} more" if len(repeated) > 5 else ""
        raise ScoresError(
            f"{path}: {', '.join(map(repr, repeated['image_id'][:5]))}{more} "
            f"{'is' if len(repeated) == 1 else 'are'} there more than once. Each photo has one "
            "row: remove the file that has it again, or score into another folder"
        )
