"""Islands of a map: groups of photos that lie together, and what each is of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels
from hotelviz.embeddings.features import check_features
from hotelviz.embeddings.neighbours import reduce_features

#: From this share on an island is one hotel's, or one source's where the source has not most
#: photos anyway.
_ONE_HOTEL, _ONE_SOURCE, _MOST = 0.8, 0.9, 0.6
_COLUMNS = ["island", "n_photos", "n_hotels", "label", "share", "of", "share_of", "medoid"]


class Islands(NamedTuple):
    """The islands of a map.

    Attributes
    ----------
    table
        A row per island, the largest first: ``island`` (a number from 1), ``n_photos``,
        ``n_hotels``, ``label`` (that of most of its photos; missing where none has one) and its
        ``share``; ``of`` (``hotel h1`` or ``source s`` where nearly all its photos are of that
        one, else empty) and its ``share_of``; ``medoid`` (the name of the most typical photo).
    members
        The island of each photo by ``image_id``; 0 for none.
    """

    table: pd.DataFrame
    members: pd.Series


def find_islands(
    places: pd.DataFrame,
    features: pd.DataFrame,
    photos: pd.DataFrame,
    *,
    min_photos: int | None = None,
) -> Islands:
    """Find groups of photos that lie together on a map.

    Parameters
    ----------
    places : pandas.DataFrame
        From `layout`.
    features : pandas.DataFrame
        What it was made of.
    photos : pandas.DataFrame
        With ``image_id`` and, where they are known, ``label``, ``hotel_id`` and ``source``.
    min_photos : int, optional
        The fewest photos of an island; by default a hundredth of all, and at least five.

    Returns
    -------
    Islands

    References
    ----------
    Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates,
    PAKDD 2013 (HDBSCAN). Computed by scikit-learn.

    Examples
    --------
    >>> values = np.repeat([[0.0, 0], [1, 1]], 8, axis=0) + np.linspace(0, 0.1, 16)[:, None]
    >>> table = pd.DataFrame(values, [f"p{n}" for n in range(16)], ["x", "y"])
    >>> photos = pd.DataFrame({"image_id": table.index, "label": ["Bar"] * 8 + ["Spa"] * 8})
    >>> find_islands(table, table, photos).table[["n_photos", "label"]].values.tolist()
    [[8, 'Bar'], [8, 'Spa']]
    """
    members = pd.Series(0, places.index, name="island")
    placed = places.dropna()
    fewest = max(5, round(len(placed) / 100)) if min_photos is None else min_photos
    if len(placed) > fewest:
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(fewest, copy=True).fit(placed.to_numpy()).labels_
        sizes = pd.Series(found[found >= 0]).value_counts()
        numbers = {cluster: number for number, cluster in enumerate(sizes.index, start=1)}
        of = [numbers.get(cluster, 0) for cluster in found]
        members = pd.Series(of, placed.index, name="island").reindex(places.index, fill_value=0)
    rows, values = check_features(features, "find_islands")
    vectors = pd.DataFrame(reduce_features(values), features.index[rows])
    about = photos.set_index("image_id").reindex(places.index)
    table = [
        (number, *_described(about.loc[own], photos), _medoid(vectors.loc[own]))
        for number in range(1, int(members.max() if len(members) else 0) + 1)
        if len(own := members.index[members == number])
    ]
    return Islands(pd.DataFrame(table, columns=_COLUMNS), members)


def _medoid(vectors: pd.DataFrame) -> object:
    return (vectors @ vectors.mean()).idxmax()


def _described(own: pd.DataFrame, photos: pd.DataFrame) -> tuple[object, ...]:
    label, share = _most(own, "label")
    n_hotels = own["hotel_id"].nunique() if "hotel_id" in own else len(own)
    if knows_hotels(photos) and (hotel := _most(own, "hotel_id"))[1] >= _ONE_HOTEL:
        return len(own), n_hotels, label, share, f"hotel {hotel[0]}", hotel[1]
    source, of_source = _most(own, "source")
    if of_source >= _ONE_SOURCE and (photos["source"] == source).mean() <= _MOST:
        return len(own), n_hotels, label, share, f"source {source}", of_source
    return len(own), n_hotels, label, share, "", np.nan


def _most(own: pd.DataFrame, column: str) -> tuple[object, float]:
    """Return the most frequent value of a column, and its share."""
    counts = own[column].value_counts() if column in own else pd.Series(dtype=int)
    return (counts.index[0], float(counts.iloc[0] / len(own))) if len(counts) else (None, 0.0)
