"""The photos of a gallery as a figure: for slides and print."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.errors import ImageError
from hotelviz.gallery.payload import caption_of, check_columns
from hotelviz.images import decode_image
from hotelviz.plots import photo_grid
from hotelviz.plots.style import readable

if TYPE_CHECKING:
    from hotelviz.plots import Display


def photo_figure(
    rows: pd.DataFrame,
    *,
    caption: str | Callable[[pd.Series], str],
    group: str = "",
    n_columns: int = 4,
    max_photos: int = 8,
    text: str = "",
) -> Display:
    """Draw the first photos of a table as `Gallery` shows them.

    Parameters
    ----------
    rows : pandas.DataFrame
        With ``path``, and what the caption needs.
    caption : str or callable
        A column, or a function from a row to its text, such as `hotelviz.gallery.tag_caption`.
    group : str, default ""
        A column whose values stand above their photos, each beginning a row.
    n_columns : int, default 4
        Most photos in a row.
    max_photos : int, default 8
        Most photos; with `group` of each group.
    text : str, default ""
        What the photos are, in a sentence that begins the alternative text.

    Returns
    -------
    Display
        See `hotelviz.plots.photo_grid`.

    Raises
    ------
    GalleryError
        A column is missing.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> file = f"{tempfile.mkdtemp()}/red.png"
    >>> Image.new("RGB", (40, 30), "red").save(file)
    >>> drawn = photo_figure(pd.DataFrame({"path": [file], "note": ["a room"]}), caption="note")
    >>> drawn.texts_[0].get_text()
    'a room'
    """
    named = [group] if group else []
    check_columns(rows, ["path", *named], "photo_figure: ")
    shown = rows.groupby(group, sort=False).head(max_photos) if group else rows.head(max_photos)
    return photo_grid(
        [_pixels(path) for path in shown["path"]],
        [caption_of(row, caption) for _, row in shown.iterrows()],
        groups=[readable(name) for name in shown[group]] if group else (),
        n_columns=n_columns,
        text=text,
    )


def _pixels(path: str) -> np.ndarray | None:
    try:
        return decode_image(path, max_side=640).pixels
    except ImageError:
        return None
