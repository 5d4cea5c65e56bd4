"""Decoded photos that are kept for a while, so that one decoding serves several purposes.

A report shows a photo to a network, lays maps over it and makes a thumbnail of it. `keep_views`
makes one decoding do for all of these; without it nothing is kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from hotelviz.images.bounds import View, draft_scale
from hotelviz.images.containers import read_container
from hotelviz.images.decoding import decode_views, reading
from hotelviz.images.pixels import Decoded
from hotelviz.io.content import file_version


class _Kept:
    """Views by photo, up to a number of bytes; others are decoded again when needed."""

    def __init__(self) -> None:
        self.views: dict[tuple[tuple[str, int, int], View], Decoded] = {}
        self.also: tuple[View, ...] = ()
        self.free, self.lock = 0, threading.Lock()


_kept = _Kept()


def keep_views(*views: View, max_bytes: int = 512_000_000) -> None:
    """Keep photos that are decoded from now on, and make further views of each at once.

    Parameters
    ----------
    *views : View
        Views that will be needed later, such as a thumbnail's. They are made with the first one
        where that does not change its pixels, and only while there is room.
    max_bytes : int, default 512 MB
        Bytes of pixels that are kept; 0 forgets all and keeps nothing more.

    Examples
    --------
    >>> keep_views(View(None, "lanczos", max_side=320))
    >>> keep_views(max_bytes=0)
    """
    with _kept.lock:
        _kept.views.clear()
        _kept.also, _kept.free = views, max_bytes


def find_kept(path: str | os.PathLike[str], views: Sequence[View]) -> Decoded | None:
    """Return a photo in all `views`, or None where one of them is not kept."""
    if not _kept.views:
        return None
    key = _identity(path)
    try:
        found = [_kept.views[key, view] for view in views]
    except KeyError:
        return None
    return found[0]._replace(views=[photo.pixels for photo in found])


def decode_and_keep(path: str | os.PathLike[str], data: bytes, views: Sequence[View]) -> Decoded:
    """Decode a file's bytes for all `views`, and keep them if `keep_views` says so.

    Raises
    ------
    ImageError
        It cannot be decoded.
    """
    if not _kept.free:
        return decode_views(data, views)
    also = [view for view in _kept.also if view not in views]
    wanted = [*views, *also]
    if also:
        container = read_container(data)
        # A JPEG that is decoded at another scale gives other pixels.
        if draft_scale(container, wanted) != draft_scale(container, views):
            wanted = [*views]
    photo, key = decode_views(data, wanted), _identity(path)
    for view, pixels in zip(wanted, photo.views, strict=True):
        with _kept.lock:
            if pixels.nbytes > _kept.free:
                _kept.free = 0
            elif (key, view) not in _kept.views:
                _kept.free -= pixels.nbytes
                _kept.views[key, view] = photo._replace(views=[pixels])
    return photo._replace(views=photo.views[: len(views)])


def read_view(path: str | os.PathLike[str], view: View) -> Decoded:
    """Return a photo in one view: as it is kept, or decoded, and kept if `keep_views` says so.

    Raises
    ------
    ImageError
        It cannot be decoded.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> read_view(file, View(None, max_side=10)).pixels.shape
    (5, 10, 3)
    """
    photo = find_kept(path, [view])
    if photo is None:
        with reading(path) as data:
            photo = decode_and_keep(path, data, [view])
    return photo


def _identity(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    """Return what tells whether it is the same photo: a file's name, size and time."""
    return os.fspath(path), *file_version(path)
