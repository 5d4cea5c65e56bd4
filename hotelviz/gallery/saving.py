"""What is selected or shown in a live gallery, written as a catalogue."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hotelviz.catalog import write_catalog
from hotelviz.errors import GalleryError
from hotelviz.gallery.payload import image_ids


def save_photos(frame: pd.DataFrame, rows: Sequence[int], path: str | os.PathLike[str]) -> str:
    """Write rows of a gallery as a catalogue, and return what was done in words.

    Parameters
    ----------
    frame : pandas.DataFrame
        The gallery's table. Without hotels each photo is its own.
    rows : sequence of int
        Which; a photo that stands in several of them is written once.
    path : path
        A ``.csv`` or ``.parquet`` file that is not there yet.

    Raises
    ------
    GalleryError
        No name, or a file that is there.
    CatalogError
        Another suffix, or a table that could not be read back.

    Examples
    --------
    >>> import tempfile
    >>> photos = pd.DataFrame({"path": ["/p/a.jpg", "/p/b.jpg"], "label": ["Pool", "Foyer"]})
    >>> file = Path(tempfile.mkdtemp()) / "some.csv"
    >>> save_photos(photos, [1, 1], file).startswith("1 photo saved to ")
    True
    """
    if not str(path):
        raise GalleryError("name the file, such as photos.csv")
    target = Path(path).absolute()
    if target.exists():
        raise GalleryError(f"{target} is there already; choose another name")
    table = frame.assign(image_id=image_ids(frame)).iloc[list(rows)]
    table = table.drop_duplicates("image_id").reset_index(drop=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_catalog(table, target)
    return f"{len(table):,} photo{'s' if len(table) != 1 else ''} saved to {target}"
