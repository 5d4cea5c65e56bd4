"""Photos made small enough for a page: decoded once, in threads, within a budget of bytes."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hotelviz.errors import ImageError
from hotelviz.gallery.places import tried
from hotelviz.images import View, encode_jpeg, read_view

#: Bytes of photos that a page carries inside; what is beyond goes to a folder beside it.
BUDGET = 12_000_000


class Thumbnail(NamedTuple):
    """A photo as JPEG, or the reason why there is none."""

    jpeg: bytes
    error: str


class Photos(NamedTuple):
    """The photos of a page, as the gallery's script takes them.

    Attributes
    ----------
    photos
        Base64 JPEGs by row, or None where they lie in a folder.
    folder
        The name of that folder's sub-folder, or an empty string.
    errors
        Row -> why the photo cannot be shown.
    """

    photos: list[str] | None
    folder: str
    errors: dict[int, str]


def thumbnail_view(side: int = 320) -> View:
    """Return how photos are decoded for a gallery, at most `side` pixels on the longer side.

    Examples
    --------
    >>> thumbnail_view(224).fit(640, 480)
    (224, 168)
    """
    return View(None, "lanczos", max_side=side)


def thumbnail(path: str | os.PathLike[str], side: int) -> Thumbnail:
    """Return a photo made small.

    Parameters
    ----------
    path : path
        The file, or its URL.
    side : int
        Most pixels on the longer side.

    Returns
    -------
    Thumbnail
        Its error names the path that was tried.
    """
    try:
        photo = read_view(path, thumbnail_view(side))
    except ImageError as error:
        return Thumbnail(b"", f"{tried(path)}: {error}")
    return Thumbnail(encode_jpeg(photo.pixels), "")


def thumbnails(paths: Sequence[str], side: int) -> Iterator[Thumbnail]:
    """Yield photos made small, in order, decoding a few ahead and holding no more."""
    ahead = 4 * (os.cpu_count() or 2)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(thumbnail, path, side) for path in paths[:ahead]]
        for number in range(len(paths)):
            yield waiting[number % ahead].result()
            if number + ahead < len(paths):
                waiting[number % ahead] = pool.submit(thumbnail, paths[number + ahead], side)


def page_photos(paths: Sequence[str], side: int, *, folder: Path, budget: int = BUDGET) -> Photos:
    """Return the photos of a page: inside while they fit the budget, else as files.

    Parameters
    ----------
    paths : sequence of str
        By row.
    side : int
        Most pixels on the longer side.
    folder : pathlib.Path
        Gets a sub-folder of ``<row>.jpg`` files if the budget is passed; is made then.
    budget : int, default 12 MB
        Bytes that may be inside.

    Returns
    -------
    Photos
    """
    inside: dict[int, bytes] = {}
    errors: dict[int, str] = {}
    total = 0
    name = uuid.uuid4().hex[:12]  # no other gallery of the page has it
    for row, made in enumerate(thumbnails(paths, side)):
        if made.error:
            errors[row] = made.error
        inside[row] = made.jpeg
        total += len(made.jpeg)
        if total > budget:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number, jpeg in inside.items():
                if jpeg:
                    (folder / name / f"{number}.jpg").write_bytes(jpeg)
            inside.clear()
    if total > budget:
        return Photos(None, name, errors)
    return Photos([base64.b64encode(jpeg).decode() for jpeg in inside.values()], "", errors)
