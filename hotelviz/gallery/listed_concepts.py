"""The concepts of each photo, as the large view lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hotelviz.errors import GalleryError
from hotelviz.gallery.payload import check_columns

_PLACE = ["x", "y", "side"]


def listed_concepts(table: pd.DataFrame, ids: Sequence[str]) -> dict[str, Any]:
    """Return the concepts of photos as the script takes them.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `hotelviz.concepts.photo_concepts`.
    ids : sequence of str
        The photos of the gallery, by row; those of no others are left out.

    Returns
    -------
    dict
        ``names`` of the concepts, in the order of their numbers; ``adds``, float32 (photos,
        concepts), NaN where one is not listed; ``places``, float32 (photos, concepts, 3): x and y
        of a patch's centre and its side, 0 to 1.

    Raises
    ------
    GalleryError
        A column that is missing, or places that are no numbers from 0 to 1.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a"], "concept": [3], "name": ["water"], "adds": [1.5],
    ...                       "x": [0.5], "y": [0.25], "side": [0.5]})
    >>> found = listed_concepts(table, ["a", "b"])
    >>> found["names"], found["adds"].tolist()
    (['water'], [[1.5], [nan]])
    """
    check_columns(table, ["image_id", "concept", "name", "adds", *_PLACE], "concepts: ")
    places = table[_PLACE].to_numpy(float)
    bad = ~((places >= 0) & (places <= 1)).all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise GalleryError(f"concepts: row {row}: x, y and side are {places[row]}, not 0 to 1")
    named = table.drop_duplicates("concept").sort_values("concept")
    columns = pd.Index(named["concept"])
    adds = np.full((len(ids), len(columns)), np.nan, "float32")
    where = np.zeros((*adds.shape, len(_PLACE)), "float32")
    own = dict(iter(table.groupby(table["image_id"].astype(str))))
    for row, name in enumerate(ids):
        listed = own.get(name)
        if listed is None:
            continue
        at = columns.get_indexer(pd.Index(listed["concept"]))
        adds[row, at] = listed["adds"]
        where[row, at] = listed[_PLACE]
    return {"names": list(map(str, named["name"])), "adds": adds, "places": where}
