"""Open scores: which files, which columns, and that each photo is there once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.catalog.delimited import read_delimited
from hotelviz.errors import ScoresError
from hotelviz.io.atomic import atomic_path, written_files
from hotelviz.scores.queries import Scores

__all__ = ["open_scores"]

#: Says of which files it was found that no photo is in them twice.
CHECKED = "_hotelviz_checked.json"

#: Columns of predictions that hold numbers.
_NUMBERS = re.compile(r"p_.*|((technical_)?q_\d+|score|technical)(_std)?", re.DOTALL)

#: Seconds from which on that is written down.
SLOW = 1.0

_checked: set[str] = set()


def open_scores(path: str | os.PathLike[str]) -> Scores:
    """Open a dataset of scores.

    Parameters
    ----------
    path
        The folder that `hotelviz.inference.score_photos` wrote, or a Parquet file with ``image_id``
        and a score. Identifiers may be text or whole numbers; they are text from here on.

    Returns
    -------
    Scores

    Raises
    ------
    ScoresError
        Nothing there; a file that is damaged, has other columns or types than the others, or lies
        in a folder within the folder: it is named. A photo without ``image_id``, or one that is
        there more than once: these are named.

    Notes
    -----
    That no ``image_id`` is repeated is looked up once: 5 million take half a second. Where it takes
    more than one, it is written into the folder, as ``_hotelviz_checked.json``, with the sizes and
    times of the files, and looked up again only when one of them has changed.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> file = Path(tempfile.mkdtemp()) / "scores.parquet"
    >>> pd.DataFrame({"image_id": ["a", "b"], "score": [4.5, 6.0]}).to_parquet(file)
    >>> open_scores(file).quantiles([0.5])
    {0.5: 5.25}
    """
    path = Path(path)
    # DuckDB has to find them wherever the process is later on.
    files = [file.absolute() for file in _files(path)]
    scores = Scores(path.absolute(), files, [_schema(file) for file in files])
    _check_photos(path, scores)
    return scores


def open_table(path: str | os.PathLike[str]) -> Scores | pd.DataFrame:
    """Open predictions as they were written: a dataset as `open_scores` does, or a CSV file.

    Raises
    ------
    ScoresError, CatalogError
        As `open_scores` and `hotelviz.catalog.read_catalog`.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return open_scores(path)
    table = read_delimited(path)
    for name in filter(_NUMBERS.fullmatch, table):
        with contextlib.suppress(ValueError):  # a text of the user's, under such a name
            table[name] = table[name].astype("float64")
    return table


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise ScoresError(f"{path}: there are no scores (Parquet files) here")
        return [path]
    files = written_files(path, "*.parquet")
    for folder, _, names in os.walk(path):
        inside = Path(folder).relative_to(path).parts
        if not inside or any(part.startswith(("_", ".")) for part in inside):
            continue
        if any(name.endswith(".parquet") and name[0] not in "._" for name in names):
            raise ScoresError(
                f"{folder}: Parquet files in a folder within {path} are not read: what the names "
                "of folders say would be lost. Put all parts into one folder, with all columns"
            )
    if not files:
        raise ScoresError(f"{path}: there are no scores (Parquet files) here")
    return files


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
    return schema


def _check_photos(path: Path, scores: Scores) -> None:
    """Refuse photos that are there more than once, or have no name."""
    found = [(file.name, file.stat()) for file in scores.files]
    listed = [[name, about.st_size, about.st_mtime_ns] for name, about in found]
    known = hashlib.sha256(json.dumps([str(path.absolute()), listed]).encode()).hexdigest()
    if known in _checked or _read_checked(path) == listed:
        return
    started = time.perf_counter()
    _check_unique(path, scores)
    _checked.add(known)
    if time.perf_counter() - started > SLOW and path.is_dir():
        # A note that saves time: where it cannot be written, the next process looks again.
        with contextlib.suppress(OSError), atomic_path(path / CHECKED) as temporary:
            temporary.write_text(json.dumps(listed))


def _read_checked(path: Path) -> object:
    try:
        return json.loads((path / CHECKED).read_text())
    except (OSError, ValueError):
        return None


def _check_unique(path: Path, scores: Scores) -> None:
    # By a number for each name: a third of the memory. Two names may have the same number, so
    # that those that are found are compared themselves.
    numbers = scores.query(
        "SELECT number FROM (SELECT hash(image_id) AS number FROM scores) GROUP BY number "
        "HAVING count(*) > 1 OR number = hash(NULL::VARCHAR) LIMIT 10000"
    )["number"]
    if not len(numbers):
        return
    repeated = scores.query(
        "SELECT image_id, count(*) AS times FROM scores "
        "WHERE hash(image_id) IN (SELECT unnest(?)) GROUP BY image_id "
        "HAVING count(*) > 1 OR image_id IS NULL ORDER BY image_id NULLS FIRST",
        [numbers.to_list()],
    )
    if not len(repeated):
        return
    if repeated["image_id"].isna().any():
        count = int(repeated["times"].iloc[0])
        raise ScoresError(f"{path}: {count:,} photos have no image_id")
    raise ScoresError(
        f"{path}: {_list(repeated['image_id'])} there more than once. Each photo has one row: "
        "remove the file that has it again, or score into another folder"
    )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"
