"""Where a gallery looks for its photos, and what it says of a place where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from hotelviz.gallery.payload import image_ids
from hotelviz.io.remote import is_url, redact


def photo_places(frame: pd.DataFrame, root: str | os.PathLike[str]) -> list[str]:
    """Return where photos are that were moved, by row: below a folder.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``path`` and, if known, ``image_id``.
    root : path
        The folder that relative paths start from.

    Returns
    -------
    list of str
        ``root/path``, or ``root/image_id`` where only that is there: by default an ``image_id`` is
        the path within its catalogue. A URL stays as it is.

    Examples
    --------
    >>> photo_places(pd.DataFrame({"path": ["a/1.jpg", "s3://photos/2.jpg"]}), "/new")
    ['/new/a/1.jpg', 's3://photos/2.jpg']
    """
    places = []
    for path, name in zip(frame["path"].astype(str), image_ids(frame), strict=True):
        place = path if is_url(path) else str(Path(root, path))
        if not is_url(path) and not Path(place).is_file():
            named = Path(root, name)
            place = str(named) if named.is_file() else place
        places.append(place)
    return places


def tried(path: str | os.PathLike[str]) -> str:
    """Return the full path of a photo that was looked for; of a URL what may be shown.

    Examples
    --------
    >>> tried("https://me:secret@host/1.jpg")
    'https://***@host/1.jpg'
    """
    return redact(path) if is_url(path) else str(Path(path).absolute())
