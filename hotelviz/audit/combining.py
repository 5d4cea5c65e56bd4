"""Join the photos of several sources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from hotelviz.audit import duplicates as dup
from hotelviz.audit.image_properties import measure_photos
from hotelviz.audit.issues import similar_photos
from hotelviz.catalog import check_table
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
    """Join catalogues, refusing photos that an earlier one has.

    Parameters
    ----------
    catalogs
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
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3)
    >>> both = combine_catalogs({"ours": photos.head(9), "theirs": photos.tail(-6)}, progress=False)
    >>> len(both.refused) >= 3, bool(both.catalog["image_id"].is_unique)
    (True, True)
    """
    if len(catalogs) < 2:
        raise AuditError(
            f"there are {len(catalogs)} catalogues to combine; at least two are needed"
        )
    parts: list[pd.DataFrame] = []
    for place, (name, catalog) in enumerate(catalogs.items()):
        part = check_table(
            catalog, needs=["image_id", "path", "hotel_id"],
            where=f"combine_catalogs, catalogue {name!r}",
        ).copy()  # fmt: skip
        part["source"] = part["source"].fillna(name) if "source" in part else name
        taken = {image for other in parts for image in other["image_id"]}
        clash = part["image_id"].isin(taken)
        renamed = {
            "image_id": clash,
            "hotel_id": part["hotel_id"].isin(part.loc[clash, "hotel_id"]),
        }
        for column, rows in renamed.items():
            part[column] = part[column].where(~rows, f"{name}/" + part[column])
        again = part["image_id"].isin(taken) | part["image_id"].duplicated()
        if again.any():
            raise AuditError(
                f"two photos of the catalogues are named {part.loc[again, 'image_id'].iloc[0]!r}: "
                f"give {name!r} another key"
            )
        parts.append(part.assign(_place=place))
    joined = pd.concat(parts, ignore_index=True)
    measured = measure_photos(
        joined, model=model, cache=cache, allow_missing=allow_missing, progress=progress
    )
    near = None if measured.features is None else similar_photos(measured)[1]
    copies = dup.find_duplicates(measured, joined, near)
    copies["place"] = joined["_place"].to_numpy()[copies["row"].to_numpy(dtype=int)]
    first = copies.sort_values(["place", "row"]).drop_duplicates("group").set_index("group")
    # Copies inside one source are not this function's to judge.
    later = copies[copies["place"] > first["place"].reindex(copies["group"]).to_numpy()]
    rows = later["row"].to_numpy(dtype=int)
    kept = first["row"].reindex(later["group"]).to_numpy(dtype=int)
    pixels = measured.photos["pixels"].to_numpy()
    refused = pd.DataFrame(
        {
            "image_id": joined["image_id"].to_numpy()[rows],
            "source": joined["source"].to_numpy()[rows],
            "copy_of": joined["image_id"].to_numpy()[kept],
            "kind": ["exact" if same else "near" for same in pixels[rows] == pixels[kept]],
        }
    )
    catalog = joined.drop(columns="_place").drop(index=rows).reset_index(drop=True)
    return Combined(catalog, refused)
