"""Find the photos that are most alike, without comparing all with all."""

from __future__ import annotations

from typing import NamedTuple

import faiss
import numpy as np

#: Up to so many photos all are compared, in blocks; beyond, an inverted-file index looks only into
#: the cells that are nearest.
EXACT_UP_TO = 40_000
#: Components that are kept of the features: they hold what tells photos apart.
COMPONENTS = 256
#: Cells of the inverted file that a search looks into.
_PROBES = 8
_BLOCK = 8192


class Neighbours(NamedTuple):
    """The most similar photos of each photo, itself left out.

    Attributes
    ----------
    rows
        int64 (N, k), the most similar first; -1 where there are fewer.
    similarity
        float32 (N, k), the cosine of the angle between the vectors, -1 to 1.
    """

    rows: np.ndarray
    similarity: np.ndarray


def reduce_features(features: np.ndarray, *, components: int = COMPONENTS) -> np.ndarray:
    """Project features on their principal components, and scale each vector to length 1.

    Parameters
    ----------
    features
        float (N, d).
    components
        How many are kept, at most.

    Returns
    -------
    numpy.ndarray
        float32 (N, min(components, d, N)).

    Examples
    --------
    >>> reduced = reduce_features(np.random.default_rng(0).normal(size=(50, 8)), components=4)
    >>> reduced.shape, bool(np.allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5))
    ((50, 4), True)
    """
    from sklearn.decomposition import PCA

    features = np.asarray(features, dtype="float32")
    if not features.size or not np.ptp(features, axis=0).any():
        # Equal photos have no components to tell them apart by.
        return np.zeros((len(features), 1), "float32")
    kept = min(components, *features.shape)
    # Of many photos a sample shows the components as well.
    sample = features
    if len(features) > 20_000:
        sample = features[np.random.default_rng(0).choice(len(features), 20_000, replace=False)]
    fitted = PCA(kept, svd_solver="covariance_eigh").fit(sample)
    reduced = (features - fitted.mean_) @ fitted.components_.T
    length = np.linalg.norm(reduced, axis=1, keepdims=True)
    return np.ascontiguousarray(reduced / np.maximum(length, 1e-12), dtype="float32")


def nearest_neighbours(
    vectors: np.ndarray, k: int, *, exact_up_to: int = EXACT_UP_TO
) -> Neighbours:
    """Find the `k` most similar vectors of each.

    Parameters
    ----------
    vectors
        float32 (N, d), each of length 1.
    k
        How many.
    exact_up_to
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
    vectors = np.ascontiguousarray(vectors, dtype="float32")
    count, width = vectors.shape
    k = min(k, max(count - 1, 0))
    if not k:
        return Neighbours(np.zeros((count, 0), "int64"), np.zeros((count, 0), "float32"))
    index = faiss.IndexFlatIP(width) if count <= exact_up_to else _inverted_file(vectors)
    index.add(vectors)
    rows = np.empty((count, k), "int64")
    similarity = np.empty((count, k), "float32")
    for start in range(0, count, _BLOCK):
        block = slice(start, min(start + _BLOCK, count))
        values, found = index.search(vectors[block], k + 1)
        itself = found == np.arange(block.start, block.stop)[:, None]
        # Among many equal vectors a photo may miss itself: then the last one is left out.
        itself[~itself.any(axis=1), -1] = True
        rows[block] = found[~itself].reshape(-1, k)
        similarity[block] = values[~itself].reshape(-1, k)
    return Neighbours(rows, similarity)


def _inverted_file(vectors: np.ndarray) -> faiss.IndexIVFFlat:
    count, width = vectors.shape
    cells = int(4 * np.sqrt(count))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = 8, 64
    sample = np.random.default_rng(0).choice(count, min(count, 64 * cells), replace=False)
    index.train(vectors[np.sort(sample)])
    index.nprobe = min(_PROBES, cells)
    return index
