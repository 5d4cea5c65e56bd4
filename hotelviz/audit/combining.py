"""Join the catalogues of several sources, each photo once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from hotelviz.audit.duplicates import find_duplicates
from hotelviz.catalog import check_table
from hotelviz.embeddings.image_properties import compute_image_properties
from hotelviz.embeddings.neighbours import photo_neighbours
from hotelviz.errors import AuditError

if TYPE_CHECKING:
    import keras


class Combined(NamedTuple):
    """Catalogues joined into one.

    Attributes
    ----------
    catalog
        Every photo once.
    refused
        Copies of photos of an earlier source: ``image_id``, ``source``, ``copy_of``, ``kind``
        (``exact`` or ``near``).
    """

    catalog: pd.DataFrame
    refused: pd.DataFrame


def combine_catalogs(
    catalogs: Mapping[str, pd.DataFrame],
    *,
    model: keras.Model | None = None,
    cache: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
    progress: bool = True,
) -> Combined:
    """Join catalogues; refuse photos that an earlier one has.

    Parameters
    ----------
    catalogs : mapping
        Source -> catalogue. A photo keeps the ``source`` that its catalogue names; where it names
        none, the key becomes it. The keys also begin the ``image_id`` of photos whose ``image_id``
        an earlier catalogue has, and the ``hotel_id`` of all photos of their hotels.
    model, cache, allow_missing, progress
        As in `find_issues`: with a model near-duplicates are found by features as well.

    Returns
    -------
    Combined

    Raises
    ------
    AuditError
        Fewer than two catalogues, or names that clash even with the key before them.
    CatalogError, MissingPhotosError
        As in `find_issues`.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> both = combine_catalogs({"ours": photos.head(9), "theirs": photos.tail(-6)}, progress=False)
    >>> len(both.refused) >= 3, bool(both.catalog["image_id"].is_unique)
    (True, True)
    """
    if len(catalogs) < 2:
        raise AuditError(
            f"there are {len(catalogs)} catalogues to combine; at least two are needed"
        )
    joined = _joined(catalogs)
    properties = compute_image_properties(
        joined, model=model, cache=cache, allow_missing=allow_missing, progress=progress
    )
    near = None if model is None else photo_neighbours(properties)[1]
    copies = find_duplicates(properties, joined, near)
    # Rows are in the order of the catalogues.
    first = copies["row"].groupby(copies["group"]).transform("min")
    # Copies inside one source are not this function's to judge.
    place = joined["_place"]
    later = copies["row"].map(place) > first.map(place)
    refused = joined[["image_id", "source"]].iloc[copies.loc[later, "row"]]
    kept = first[later].set_axis(refused.index)
    pixels = properties.photos["pixels"]
    exact = pixels[refused.index] == kept.map(pixels)
    refused["copy_of"] = kept.map(joined["image_id"])
    refused["kind"] = exact.map({True: "exact", False: "near"}).astype("str")
    catalog = joined.drop(columns="_place").drop(index=refused.index)
    return Combined(catalog.reset_index(drop=True), refused.reset_index(drop=True))


def _joined(catalogs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join catalogues under unique names; ``_place`` is the number of a photo's catalogue."""
    parts: list[pd.DataFrame] = []
    taken: set[str] = set()
    for place, (name, catalog) in enumerate(catalogs.items()):
        where = f"combine_catalogs, catalogue {name!r}"
        part = check_table(catalog, needs=["image_id", "path", "hotel_id"], where=where).copy()
        part["source"] = part["source"].fillna(name) if "source" in part else name
        clash = part["image_id"].isin(taken)
        same_hotel = part["hotel_id"].isin(part.loc[clash, "hotel_id"])
        for column, rows in (("image_id", clash), ("hotel_id", same_hotel)):
            part[column] = part[column].where(~rows, f"{name}/" + part[column])
        again = part["image_id"].isin(taken) | part["image_id"].duplicated()
        if again.any():
            raise AuditError(
                f"two photos of the catalogues are named {part.loc[again, 'image_id'].iloc[0]!r}: "
                f"give {name!r} another key"
            )
        parts.append(part.assign(_place=place))
        taken |= set(part["image_id"])
    return pd.concat(parts, ignore_index=True)
