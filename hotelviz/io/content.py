"""Names for what is in files: the same bytes have the same name wherever they lie."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hotelviz.io.remote import is_url, redact

__all__ = ["content_name"]


def content_name(path: str | os.PathLike[str]) -> str:
    """Name a photo by its bytes, so that it is known again under another name.

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
        return hashlib.blake2b(redact(path).encode(), digest_size=16).hexdigest()
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
