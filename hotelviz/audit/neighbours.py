"""Find the photos that are most alike, without comparing all with all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.audit.image_properties import ImageProperties
from hotelviz.errors import AuditError

if TYPE_CHECKING:
    import faiss

#: Up to so many photos all are compared; beyond, an inverted-file index looks only into
#: the nearest cells.
MAX_EXACT = 40_000
#: Principal components of the features that are kept: they hold what tells photos apart.
N_COMPONENTS = 256
#: Nearest photos that are searched for each: duplicates and outliers are found among them.
N_NEIGHBOURS = 10
#: Cells of the inverted file that a search looks into.
_PROBES = 8


class Neighbours(NamedTuple):
    """The most similar photos of each photo, itself left out.

    Attributes
    ----------
    rows
        int64 (n_photos, n_neighbours), the most similar first; -1 where there are fewer.
    similarity
        float32 (n_photos, n_neighbours), the cosine of the angle between the vectors, -1 to 1.
    """

    rows: np.ndarray
    similarity: np.ndarray


def reduce_features(features: np.ndarray, *, n_components: int = N_COMPONENTS) -> np.ndarray:
    """Project features on their principal components, and scale each vector to length 1.

    Parameters
    ----------
    features : float array of shape (n_photos, n_features)
    n_components : int, default 256
        How many are kept, at most.

    Returns
    -------
    float32 array of shape (n_photos, min(n_components, n_features, n_photos))

    Examples
    --------
    >>> reduced = reduce_features(np.random.default_rng(0).normal(size=(50, 8)), n_components=4)
    >>> reduced.shape, bool(np.allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5))
    ((50, 4), True)
    """
    from sklearn.decomposition import PCA

    features = np.asarray(features, dtype="float32")
    if not features.size or not np.ptp(features, axis=0).any():
        # Equal photos have no components to tell them apart by.
        return np.zeros((len(features), 1), "float32")
    kept = min(n_components, *features.shape)
    # Of many photos a sample shows the components as well.
    sample = features
    if len(features) > 20_000:
        sample = features[np.random.default_rng(0).choice(len(features), 20_000, replace=False)]
    fitted = PCA(kept, svd_solver="covariance_eigh").fit(sample)
    reduced = (features - fitted.mean_) @ fitted.components_.T
    length = np.linalg.norm(reduced, axis=1, keepdims=True)
    return np.ascontiguousarray(reduced / np.maximum(length, 1e-12), dtype="float32")


def nearest_neighbours(
    vectors: np.ndarray, n_neighbours: int = N_NEIGHBOURS, *, max_exact: int = MAX_EXACT
) -> Neighbours:
    """Find the most similar vectors of each.

    Parameters
    ----------
    vectors : float32 array of shape (n_photos, n_features)
        Each of length 1.
    n_neighbours : int, default 10
        How many of each.
    max_exact : int, default 40,000
        Up to so many vectors the search is exact; beyond, FAISS' inverted file finds nearly all.

    Returns
    -------
    Neighbours

    References
    ----------
    Johnson, Douze, Jégou: Billion-scale similarity search with GPUs, IEEE Big Data 2019; its
    library FAISS does the work.

    Examples
    --------
    >>> found = nearest_neighbours(np.eye(3, dtype="float32"), 2)
    >>> found.rows.shape, found.similarity.max()
    ((3, 2), np.float32(0.0))
    """
    import faiss

    vectors = np.ascontiguousarray(vectors, dtype="float32")
    count, width = vectors.shape
    k = min(n_neighbours, max(count - 1, 0))
    if not k:
        return Neighbours(np.zeros((count, 0), "int64"), np.zeros((count, 0), "float32"))
    index = faiss.IndexFlatIP(width) if count <= max_exact else _inverted_file(vectors)
    index.add(vectors)
    similarity, rows = index.search(vectors, k + 1)
    itself = rows == np.arange(count)[:, None]
    # Among many equal vectors a photo may miss itself: then the last one is left out.
    itself[~itself.any(axis=1), -1] = True
    return Neighbours(rows[~itself].reshape(-1, k), similarity[~itself].reshape(-1, k))


def _inverted_file(vectors: np.ndarray) -> faiss.IndexIVFFlat:
    import faiss

    count, width = vectors.shape
    cells = int(4 * np.sqrt(count))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = 8, 64
    sample = np.random.default_rng(0).choice(count, min(count, 64 * cells), replace=False)
    index.train(vectors[np.sort(sample)])
    index.nprobe = min(_PROBES, cells)
    return index


def photo_neighbours(properties: ImageProperties) -> tuple[np.ndarray, Neighbours]:
    """Reduce the features of the photos that could be read, and find each one's nearest.

    Of photos with equal pixels one stands for all: among many equal ones a search would not get to
    see others.

    Returns
    -------
    vectors : float32 array of shape (n_photos, n_components)
        NaN for photos that could not be read.
    neighbours : Neighbours
    """
    features, pixels = properties.features, properties.photos["pixels"]
    if features is None:
        raise AuditError("without a model photos have no features to compare")
    readable = np.isfinite(features).all(axis=1) & (features.shape[1] > 0)
    own = np.flatnonzero(readable & ~pixels.duplicated())
    reduced = reduce_features(features[own])
    found = nearest_neighbours(reduced)
    rows = np.full((len(pixels), N_NEIGHBOURS), -1, "int64")
    similarity = np.full((len(pixels), N_NEIGHBOURS), np.nan, "float32")
    k = found.rows.shape[1]
    rows[own, :k] = np.where(found.rows >= 0, own[found.rows], -1)
    similarity[own, :k] = found.similarity
    vectors = np.full((len(pixels), reduced.shape[1]), np.nan, "float32")
    if len(own) > 1:
        stands_for = pd.Series(range(len(own)), pixels.iloc[own])
        vectors[readable] = reduced[stands_for.loc[pixels[readable]]]
    return vectors, Neighbours(rows, similarity)
