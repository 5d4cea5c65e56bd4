"""Atomic writes: a file is either there in full or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

#: Seconds after which a temporary file is not being written any more.
LEFT = 600


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which becomes `path` when the block succeeds.

    When the block raises (an interrupted run, a full disk), the temporary file is removed and
    whatever stood at `path` before is left as it was.

    Parameters
    ----------
    path
        The file to write. Missing parent folders are made.

    Yields
    ------
    pathlib.Path
        Where to write; it has the same suffix as `path`, since many writers go by it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "table.csv"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("a,b")
    >>> target.read_text()
    'a,b'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def written_files(folder: str | os.PathLike[str], pattern: str) -> list[Path]:
    """List files of a folder that were written to their end, by name.

    The temporary files of `atomic_path`, which a process that was killed leaves behind, are not
    among them, nor are other hidden files.

    Parameters
    ----------
    folder
        Where to look; subfolders are not looked into.
    pattern
        Such as ``*.parquet``.

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b.csv", "a.csv", ".c-x1y2.csv"):
    ...     (folder / name).touch()
    >>> [file.name for file in written_files(folder, "*.csv")]
    ['a.csv', 'b.csv']
    """
    return sorted(file for file in Path(folder).glob(pattern) if not file.name.startswith("."))


def remove_leftovers(
    folder: str | os.PathLike[str], pattern: str, *, seconds: float = LEFT
) -> None:
    """Remove temporary files and folders that killed processes left.

    Parameters
    ----------
    folder
        Where they are.
    pattern
        Of their names without the dot at the beginning, such as ``part-*.parquet``.
    seconds
        What was changed within so many stays: another process may be at it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / ".part-1-x1y2.parquet").touch()
    >>> remove_leftovers(folder, "part-*.parquet")
    >>> len(list(folder.iterdir()))
    1
    """
    for place in Path(folder).glob(f".{pattern}"):
        # Gone meanwhile, if another process has renamed it.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - place.stat().st_mtime <= seconds:
                continue
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink()
