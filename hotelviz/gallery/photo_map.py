"""Photos of a table on a map, like ones near each other: laid out here, shown by a gallery."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hotelviz.embeddings import check_features, layout, nearest_neighbours, reduce_features
from hotelviz.gallery.gallery import Gallery

#: Photos like each that *more like this* shows.
_ALIKE = 12


def map_gallery(
    photos: pd.DataFrame,
    features: pd.DataFrame,
    *,
    colour: str,
    first: pd.Series | None = None,
    first_are: str = "",
    max_photos: int = 300,
    seed: int = 0,
    **gallery_kw: Any,
) -> Gallery | None:
    """Return a gallery with a map of photos, laid out by features that are known already.

    Parameters
    ----------
    photos : pandas.DataFrame
        As for `Gallery`, with ``image_id``.
    features : pandas.DataFrame
        By ``image_id``, as `hotelviz.embeddings.photo_features` returns them. Photos without
        features, or with a row of NaN, are left out. A table without columns has none.
    colour : str
        What the points are coloured by at first, as `Gallery` takes it.
    first : pandas.Series of bool, optional
        The photos that the map is about, by row: they are on it before others are drawn at random.
    first_are : str, default ""
        What the title calls them, such as ``misclassified``.
    max_photos : int, default 300
        Most photos on the map.
    seed : int, default 0
        Of the photos that are drawn, and of the map.
    **gallery_kw
        Further arguments of `Gallery`.

    Returns
    -------
    Gallery or None
        None where no photo has features, or `max_photos` is 0.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> photos = pd.DataFrame({"image_id": list("abc"), "path": str(file), "label": "Pool"})
    >>> features = pd.DataFrame(np.eye(3), index=list("abc"))
    >>> map_gallery(photos, features, colour="label", max_photos=2).title
    'Map of 2 of 3 photos, drawn at random'
    """
    if not features.shape[1] or not max_photos:
        return None
    rows, _ = check_features(features, "map_gallery")
    placed = photos[photos["image_id"].isin(features.index[rows])]
    if not len(placed):
        return None
    shown, title = placed, f"Map of {len(placed):,} photos"
    if len(placed) > max_photos:
        wanted = pd.Series(False, placed.index) if first is None else first.reindex(placed.index)
        drawn = placed.sample(frac=1, random_state=seed).index
        order = drawn[np.argsort(~wanted[drawn].to_numpy(bool), kind="stable")]
        shown = placed.loc[order[:max_photos]].sort_index()
        title = f"Map of {len(shown):,} of {len(placed):,} photos, drawn at random"
        if n_first := int(wanted.sum()):
            some = f"{max_photos:,} of" if n_first > max_photos else "all"
            title = (
                f"Map of {len(shown):,} of {len(placed):,} photos: {some} {n_first:,} {first_are}"
            )
            title += ", others drawn at random" if n_first < max_photos else ""
    known = features.loc[shown["image_id"]]
    alike = nearest_neighbours(reduce_features(known.to_numpy("float32")), _ALIKE).rows
    return Gallery(
        shown, positions=layout(known, seed=seed), neighbours=alike, colour=colour, title=title,
        **gallery_kw,
    )  # fmt: skip
