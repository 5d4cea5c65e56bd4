"""Where photos are now: a table that was written earlier follows the catalogue."""

from __future__ import annotations

import os

import pandas as pd

from hotelviz.catalog.reading import iterate_catalog
from hotelviz.catalog.validation import check_table


def current_paths(
    table: pd.DataFrame, catalog: pd.DataFrame | str | os.PathLike[str] | None
) -> pd.DataFrame:
    """Return a table whose photos are where a catalogue has them now.

    Scores, tags and issues keep the ``path`` of each photo as it was when they were made; photos
    that were moved since are found by their ``image_id``.

    Parameters
    ----------
    table
        With ``image_id``, and ``path`` or none.
    catalog
        Its photos, or their file or folder, which is read in pieces. None or an empty text leaves
        the table as it is.

    Returns
    -------
    pandas.DataFrame
        `table` with the catalogue's ``path``; a photo that the catalogue does not have keeps its
        own.

    Raises
    ------
    CatalogError
        The catalogue cannot be read, or a table has no ``image_id``.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "path": ["old/a.jpg", "old/b.jpg"]})
    >>> moved = pd.DataFrame({"image_id": ["b", "c"], "path": ["new/b.jpg", "new/c.jpg"]})
    >>> current_paths(scores, moved)["path"].tolist()
    ['old/a.jpg', 'new/b.jpg']
    """
    if catalog is None or (not isinstance(catalog, pd.DataFrame) and not os.fspath(catalog)):
        return table
    table = check_table(table, needs=["image_id"], where="current_paths", unique=False)
    pieces = (
        [check_table(catalog, needs=["image_id", "path"], where="current_paths")]
        if isinstance(catalog, pd.DataFrame)
        else iterate_catalog(catalog, columns=[])
    )
    wanted = set(table["image_id"])
    found: dict[str, str] = {}
    for piece in pieces:
        chosen = piece[piece["image_id"].isin(wanted)]
        found.update(zip(chosen["image_id"], chosen["path"], strict=True))
    paths = table["image_id"].map(found)
    return table.assign(path=paths.fillna(table["path"]) if "path" in table else paths)
