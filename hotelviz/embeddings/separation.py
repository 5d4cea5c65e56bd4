"""How well labels separate: whose nearest photos have which label, and from which hotels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels
from hotelviz.errors import EmbeddingError
from hotelviz.metrics import SHARE, Interval, mean_interval

#: A photo lies among another class when none of its nearest has its label and so many have one.
_AMONG = 0.8


class Separation(NamedTuple):
    """How well labels separate.

    Attributes
    ----------
    same
        The share of the nearest photos with the same label, with its interval over hotels.
    chance
        What it would be if labels had nothing to do with what is seen.
    elsewhere
        The share of the nearest photos that are of other hotels; None where hotels are not known.
    mixing
        A row per pair of classes, the most mixed first: ``label``, ``other``, ``share`` (how many
        of the nearest of one have the label of the other, the mean of both ways) and ``photos``
        (of both that have such a neighbour).
    strays
        The photos that lie among another class, the surest first: ``image_id``, ``label``,
        ``nearest`` (the label of most of their nearest), ``share`` of those with it, and the mean
        ``similarity``.
    n_photos
        How many labelled photos have labelled neighbours.
    """

    same: Interval
    chance: float
    elsewhere: Interval | None
    mixing: pd.DataFrame
    strays: pd.DataFrame
    n_photos: int


def label_separation(photos: pd.DataFrame, nearest: pd.DataFrame, *, seed: int = 0) -> Separation:
    """Measure how well labels separate among the nearest photos of each.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``image_id`` and ``label``, and, where it is known, ``hotel_id``.
    nearest : pandas.DataFrame
        From `similar`, of all photos. Without photos of the same hotel the same room seen twice
        does not count, but then ``elsewhere`` says nothing.
    seed : int, default 0
        Of the intervals.

    Returns
    -------
    Separation

    Raises
    ------
    EmbeddingError
        No labelled photo has a labelled neighbour.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": list("abcd"), "label": ["Bar", "Bar", "Spa", "Spa"]})
    >>> nearest = pd.DataFrame({"image_id": list("abcd"), "similar": list("badb"),
    ...                         "similarity": 0.5})
    >>> found = label_separation(photos, nearest)
    >>> found.same.value, found.strays["image_id"].to_list()
    (0.75, ['d'])
    """
    named = photos.set_index("image_id")
    near = nearest.assign(
        label=nearest["image_id"].map(named["label"]), other=nearest["similar"].map(named["label"])
    )
    near = near[near["label"].notna() & near["other"].notna()]
    if near.empty:
        raise EmbeddingError("label_separation: no photo with a label has a neighbour with one")
    near = near.assign(same=near["label"] == near["other"])
    known = knows_hotels(photos)
    hotels = named["hotel_id"] if known else named.index.to_series()
    near["elsewhere"] = near["image_id"].map(hotels) != near["similar"].map(hotels)
    of = near.groupby("image_id", sort=False)[["same", "elsewhere"]].mean()
    groups = hotels.loc[of.index].to_numpy()

    def interval(values: np.ndarray) -> Interval:
        return mean_interval(values, groups=groups, bounds=SHARE, seed=seed)

    frequency = named.loc[of.index, "label"].value_counts(normalize=True)
    return Separation(
        interval(of["same"].to_numpy()),
        float((frequency**2).sum()),
        interval(of["elsewhere"].to_numpy()) if known else None,
        _mixing(near),
        _strays(near),
        len(of),
    )


def _mixing(near: pd.DataFrame) -> pd.DataFrame:
    shares = pd.crosstab(near["label"], near["other"], normalize="index")
    photos = near.groupby(["label", "other"])["image_id"].nunique()
    names = shares.index.union(shares.columns)
    shares = shares.reindex(index=names, columns=names, fill_value=0)
    rows = [
        (one, two, (shares.loc[one, two] + shares.loc[two, one]) / 2,
         int(photos.get((one, two), 0) + photos.get((two, one), 0)))
        for place, one in enumerate(names) for two in names[place + 1 :]
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["label", "other", "share", "photos"])
    table = table[table["photos"] > 0]
    return table.sort_values(["share", "photos"], ascending=False, ignore_index=True)


def _strays(near: pd.DataFrame) -> pd.DataFrame:
    alone = near[~near.groupby("image_id")["same"].transform("any")]
    counts = alone.groupby(["image_id", "label", "other"], as_index=False).agg(
        n=("similar", "size"), similarity=("similarity", "mean")
    )
    counts["share"] = counts["n"] / counts["image_id"].map(alone["image_id"].value_counts())
    counts = counts[counts["share"] >= _AMONG].rename(columns={"other": "nearest"})
    counts = counts.sort_values(["share", "similarity"], ascending=False, ignore_index=True)
    return counts[["image_id", "label", "nearest", "share", "similarity"]]
