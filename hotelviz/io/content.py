"""What is in files: equal bytes have equal names, and a file that was replaced is recognised."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hotelviz.io.remote import is_url, photo_name

#: Threads that wait for a file system, and the files that each asks for at once.
_THREADS, _EACH = 32, 64


def content_name(path: str | os.PathLike[str]) -> str:
    """Return a name of a photo's bytes, by which it is recognised under another path.

    Parameters
    ----------
    path
        A file, or a URL; of a URL the address is named, without what grants access.

    Returns
    -------
    str
        32 hexadecimal digits; empty where the file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> one, two = (pathlib.Path(tempfile.mkdtemp(), "photo.jpg") for _ in range(2))
    >>> _ = one.write_bytes(b"the same"), two.write_bytes(b"the same")
    >>> content_name(one) == content_name(two)
    True
    """
    if is_url(path):
        return hashlib.blake2b(photo_name(str(path)).encode(), digest_size=16).hexdigest()
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except (OSError, ValueError):
        return ""  # ValueError: a name with a zero byte.


def file_version(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the size and time of a file, by which one that was replaced is recognised.

    Returns
    -------
    tuple of int
        Bytes, and nanoseconds of the last change; -1 for a URL or where there is no file.
    """
    try:
        found = None if is_url(path) else Path(path).stat()
    except (OSError, ValueError):  # ValueError: a name with a zero byte.
        found = None
    return (found.st_size, found.st_mtime_ns) if found else (-1, -1)


def file_versions(paths: Sequence[str]) -> np.ndarray:
    """Return `file_version` of many files; slow file systems are asked for several at once.

    Returns
    -------
    numpy.ndarray
        int64 (n, 2).

    Examples
    --------
    >>> file_versions(["/nowhere/a.jpg"]).tolist()
    [[-1, -1]]
    """
    versions = np.empty((len(paths), 2), "int64")

    def look(start: int) -> None:
        for row in range(start, min(start + _EACH, len(paths))):
            versions[row] = file_version(paths[row])

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(look, range(0, len(paths), _EACH)))
    return versions
