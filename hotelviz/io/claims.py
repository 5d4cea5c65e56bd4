"""Who may write where: outputs are checked before the work, and belong to one run at a time.

Locks are those of the filelock package: a file with the process, the machine and the start of
their owner, which another process on the same machine recognises as left behind once its owner
is gone. A folder that hotelviz may empty or replace carries a marker that hotelviz wrote.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLock, Timeout

from hotelviz.errors import OutputError
from hotelviz.io.atomic import atomic_path

#: Stands in a folder that hotelviz made and may empty; its text says for what.
MARKER = ".hotelviz-folder"


def check_output(path: str | os.PathLike[str], *, suffixes: Sequence[str] = ()) -> Path:
    """Refuse a file that could not be written at the end, before the work begins.

    Parameters
    ----------
    path
        The file to write; its folder is made, so that nothing is found out too late.
    suffixes
        What it may end in; none allows any.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    OutputError
        Another ending, a folder of this name, or a folder that cannot be written to.

    Examples
    --------
    >>> check_output(tempfile.mkdtemp() + "/model.h5", suffixes=[".keras"])
    Traceback (most recent call last):
    hotelviz.errors.OutputError: ...model.h5: must end in .keras
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file")
    _check_writable(path.parent)
    return path


def check_apart(out: str | os.PathLike[str], *inputs: str | os.PathLike[str] | None) -> None:
    """Refuse an output that would replace a file that is read, before the work begins.

    Parameters
    ----------
    out
        The file to write.
    inputs
        What is read; None, and what is no path, is passed over.

    Raises
    ------
    OutputError
        `out` is one of them, under this name or another.

    Examples
    --------
    >>> check_apart("photos.csv", "./photos.csv")
    Traceback (most recent call last):
    hotelviz.errors.OutputError: photos.csv: is read, and would be replaced by what is written...
    """
    target = Path(out).resolve()
    if any(one is not None and Path(one).resolve() == target for one in inputs):
        raise OutputError(
            f"{out}: is read, and would be replaced by what is written; give another name"
        )


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to: {error.strerror or error}") from error


@contextmanager
def claim(path: str | os.PathLike[str], *, folder: bool = False) -> Iterator[Path]:
    """Lock an output for the length of a run, so that no other run writes it meanwhile.

    Parameters
    ----------
    path
        The file or folder that is written.
    folder
        Whether it is a folder; it is made.

    Yields
    ------
    pathlib.Path
        `path`.

    Raises
    ------
    OutputError
        It cannot be written, or another run is at it; the message names that run's process and
        machine. What a run of this machine that was killed left behind is taken over.

    Examples
    --------
    >>> scores = tempfile.mkdtemp()
    >>> with claim(scores, folder=True), claim(scores, folder=True):
    ...     pass
    Traceback (most recent call last):
    hotelviz.errors.OutputError: ... is being written by another run (process ... on ...)...
    """
    path = Path(path)
    if folder:
        if path.is_file():
            raise OutputError(f"{path}: is a file; give the name of a folder")
        _check_writable(path)
        # Readers of Parquet folders pass over names that begin with an underscore.
        lock = path / "_hotelviz.lock"
    else:
        check_output(path)
        lock = path.with_name(f".{path.name}.lock")
    lock = lock.absolute()
    holder = SoftFileLock(lock, timeout=0)
    try:
        holder.acquire()
    except Timeout:
        raise OutputError(
            f"{path}: is being written by another run ({_owner(lock)}). Wait for it, or, if it is "
            f"gone, remove {lock}"
        ) from None
    try:
        yield path
    finally:
        holder.release()


def _owner(lock: Path) -> str:
    try:
        process, host, *_ = lock.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return "which does not say who it is"
    return f"process {process} on {host}"


def check_own_folder(path: str | os.PathLike[str], purpose: str) -> Path:
    """Refuse a folder that `own_folder` would refuse, and make none.

    Raises
    ------
    OutputError
        A file, or a folder with files that hotelviz did not put there for `purpose`.
    """
    path = Path(path)
    if path.is_file():
        raise OutputError(f"{path}: is a file; give the name of a folder")
    if path.is_dir() and any(path.iterdir()):
        marker = path / MARKER
        found = marker.read_text(encoding="utf-8", errors="replace") if marker.is_file() else None
        if found is None:
            raise OutputError(
                f"{path}: is not empty and hotelviz did not make it; choose another folder, or "
                "empty it yourself"
            )
        if found != purpose:
            raise OutputError(f"{path}: holds what hotelviz keeps of {found[:40]!r}, not {purpose}")
    return path


def own_folder(path: str | os.PathLike[str], purpose: str) -> Path:
    """Make a folder that hotelviz may empty, or find that it is one.

    Parameters
    ----------
    path
        The folder.
    purpose
        What is in it, such as ``training``; a folder of another purpose is not taken.

    Returns
    -------
    pathlib.Path
        `path`, with the marker in it.

    Raises
    ------
    OutputError
        A folder with files that hotelviz did not put there for this purpose, or one that cannot
        be written to.

    Examples
    --------
    >>> theirs = tempfile.mkdtemp()
    >>> _ = Path(theirs, "thesis.tex").write_text("")
    >>> own_folder(theirs, "training")
    Traceback (most recent call last):
    hotelviz.errors.OutputError: ... is not empty and hotelviz did not make it...
    """
    path = check_own_folder(path, purpose)
    marker = path / MARKER
    if not marker.is_file():
        _check_writable(path)
        with atomic_path(marker) as temporary:
            temporary.write_text(purpose, encoding="utf-8")
    return path


def remove_own_folder(path: str | os.PathLike[str], purpose: str) -> None:
    """Remove a folder that hotelviz made for `purpose`, if it is there; refuse any other.

    Raises
    ------
    OutputError
        As `own_folder` raises it.
    """
    path = Path(path)
    if not path.exists():
        return
    own_folder(path, purpose)
    # The marker goes last: what a kill leaves is still known as ours.
    for child in path.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child.name != MARKER:
            child.unlink()
    shutil.rmtree(path)
