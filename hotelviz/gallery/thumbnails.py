"""Photos made small enough for a page: decoded once, in threads, within a budget of bytes."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hotelviz.errors import ImageError
from hotelviz.images import View, encode_jpeg, reading
from hotelviz.images.kept_views import decode_and_keep, find_kept

#: Bytes of photos that a page carries inside; what is beyond goes to a folder beside it.
BUDGET = 12_000_000


class Thumbnail(NamedTuple):
    """A photo as JPEG, or the reason why there is none."""

    jpeg: bytes
    error: str


class Photos(NamedTuple):
    """The photos of a page.

    Attributes
    ----------
    embedded
        Base64 JPEGs by row, or None where they lie in a folder.
    folder
        The name of that folder's sub-folder, or an empty string.
    errors
        Row -> why the photo cannot be shown.
    """

    embedded: list[str] | None
    folder: str
    errors: dict[int, str]


def thumbnail_view(side: int = 320) -> View:
    """Return how photos are decoded for a gallery, at most `side` pixels on the longer side."""
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
        Its error is without the path.
    """
    view = thumbnail_view(side)
    try:
        photo = find_kept(path, [view])
        if photo is None:
            with reading(path) as data:
                photo = decode_and_keep(path, data, [view])
    except ImageError as error:
        return Thumbnail(b"", str(error))
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


def page_photos(
    paths: Sequence[str], side: int, *, folder: Path, name: str, budget: int = BUDGET
) -> Photos:
    """Return the photos of a page: inside while they fit the budget, else as files.

    Parameters
    ----------
    paths : sequence of str
        By row.
    side : int
        Most pixels on the longer side.
    folder : pathlib.Path
        Gets a sub-folder `name` of ``<row>.jpg`` files if the budget is passed; is made then.
    name : str
        A name that no other gallery of the page has.
    budget : int, default 12 MB
        Bytes that may be inside.

    Returns
    -------
    Photos
    """
    inside: list[bytes] = []
    errors: dict[int, str] = {}
    total = 0
    target: Path | None = None
    for row, made in enumerate(thumbnails(paths, side)):
        if made.error:
            errors[row] = made.error
        total += len(made.jpeg)
        if target is None and total > budget:
            target = folder / name
            target.mkdir(parents=True)
            for before, jpeg in enumerate(inside):
                if jpeg:
                    (target / f"{before}.jpg").write_bytes(jpeg)
            inside.clear()
        if target is None:
            inside.append(made.jpeg)
        elif made.jpeg:
            (target / f"{row}.jpg").write_bytes(made.jpeg)
    if target is not None:
        return Photos(None, name, errors)
    return Photos([base64.b64encode(jpeg).decode() for jpeg in inside], "", errors)
