"""Groups of photos on which a model may err: made without looking at any error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.embeddings.slices_properties import PropertyGroup, property_groups

#: The name of groups of like photos.
ALIKE = "alike"
#: Directions of the features in which photos of an area differ most, and the photos that are
#: clustered one by one; of more, small clusters are.
_DIRECTIONS, _SINGLE = 16, 1500
#: A cluster holds at least and at most these shares of an area's photos.
_SMALLEST, _LARGEST = 1 / 12, 0.7
#: A pair that holds nearly all of one of its groups says nothing beyond that group.
_SAME = 0.97


class Candidates(NamedTuple):
    """Groups of photos, and of which properties each is made.

    Attributes
    ----------
    parts
        The one or two groups whose photos in common a candidate holds.
    members
        bool (n_candidates, n_photos).
    """

    parts: list[tuple[PropertyGroup, ...]]
    members: np.ndarray

    def family(self, number: int) -> frozenset[tuple[str, str]]:
        """Return what a candidate is about, whatever the thresholds: dark, of one area."""
        return frozenset((part.name, part.side) for part in self.parts[number])


def make_candidates(
    properties: pd.DataFrame,
    features: np.ndarray | None,
    areas: pd.Series | None,
    hotels: np.ndarray,
    *,
    min_photos: int,
    min_hotels: int,
) -> Candidates:
    """Return all groups of enough photos: properties, clusters, and their pairs.

    Parameters
    ----------
    properties : pandas.DataFrame
        As for `property_groups`.
    features : numpy.ndarray, optional
        (n_photos, n_features); photos with values that are not finite are in no cluster.
    areas : pandas.Series, optional
        The label of each photo. Clusters are of one area, and numbers beside an area are low or
        high for it. An area alone is no candidate: that it is hard is said elsewhere.
    hotels : numpy.ndarray
        (n_photos,).
    min_photos, min_hotels : int
        What a candidate needs.
    """
    groups = property_groups(properties, least=min_photos)
    alone = [*groups, *_clusters(features, areas, len(properties), min_photos)]
    parts = [*((group,) for group in alone), *_pairs(alone, min_photos)]
    for area in [] if areas is None else pd.unique(areas.dropna()):
        members = (areas == area).to_numpy()
        whole = PropertyGroup("label", str(area), str(area), members)
        own = property_groups(properties, least=min_photos, within=members)
        parts += [(group, whole) for group in own]
    hotel = np.unique(hotels, return_inverse=True)[1]
    kept, rows = [], []
    for candidate in parts:
        members = np.logical_and.reduce([part.members for part in candidate])
        if len(np.unique(hotel[members])) >= min_hotels:
            kept.append(candidate)
            rows.append(members)
    return Candidates(kept, np.array(rows, bool).reshape(len(rows), len(properties)))


def _pairs(groups: Sequence[PropertyGroup], least: int) -> Iterator[tuple[PropertyGroup, ...]]:
    """Yield the pairs of two properties that enough photos have."""
    if not groups:
        return
    members = np.array([group.members for group in groups], dtype="float32")
    both = members @ members.T
    sizes = np.diag(both)
    told = both >= least
    told &= both < _SAME * np.minimum(sizes[:, None], sizes)
    for first, second in zip(*np.nonzero(np.triu(told, 1)), strict=True):
        if groups[first].name != groups[second].name:
            yield groups[first], groups[second]


def _clusters(
    features: np.ndarray | None, areas: pd.Series | None, n_photos: int, min_photos: int
) -> Iterator[PropertyGroup]:
    """Yield groups of like photos, of each area, from coarse to fine."""
    if features is None:
        return
    usable = np.isfinite(features).all(axis=1)
    code = pd.Series("", index=range(n_photos)) if areas is None else areas.reset_index(drop=True)
    for area in pd.unique(code.dropna()):
        rows = np.flatnonzero(usable & (code == area).to_numpy())
        least = max(min_photos, _SMALLEST * len(rows))
        if len(rows) < 2 * least:
            continue
        for number, own in enumerate(_tree(features[rows], least)):
            members = np.zeros(n_photos, bool)
            members[rows[own]] = True
            words = f"{area} photos that are alike".strip()
            yield PropertyGroup(ALIKE, f"{area} {number}", words, members)


def _tree(features: np.ndarray, least: float) -> Iterator[np.ndarray]:
    """Yield the rows of each branch of Ward's tree that is neither too small nor too large."""
    from scipy.cluster.hierarchy import linkage
    from sklearn.cluster import MiniBatchKMeans

    centred = (features - features.mean(axis=0)).astype("float32")
    if not centred.any():
        return
    values, axes = np.linalg.eigh(centred.T @ centred)
    turned = centred @ axes[:, np.argsort(-values)[:_DIRECTIONS]]
    leaves = [np.array([row]) for row in range(len(turned))]
    if len(turned) > _SINGLE:
        means = MiniBatchKMeans(_SINGLE // 5, n_init=1, random_state=0).fit(turned)
        leaves = [np.flatnonzero(means.labels_ == leaf) for leaf in range(_SINGLE // 5)]
        turned = means.cluster_centers_
    for left, right, _, _ in linkage(turned, "ward"):
        branch = np.concatenate([leaves[int(left)], leaves[int(right)]])
        leaves.append(branch)
        if least <= len(branch) <= _LARGEST * len(features):
            yield branch
