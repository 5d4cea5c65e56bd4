"""Find the photos that are most alike, without comparing all with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.embeddings.features import check_features
from hotelviz.embeddings.image_properties import ImageProperties
from hotelviz.errors import EmbeddingError, did_you_mean

if TYPE_CHECKING:
    import faiss

#: Up to so many photos all are compared; beyond, an inverted-file index looks only into
#: the nearest cells.
MAX_EXACT = 40_000
#: Principal components of the features that are kept: they hold what tells photos apart.
N_COMPONENTS = 256
#: Nearest photos that are searched for each: duplicates and outliers are found among them.
N_NEIGHBOURS = 10
#: Similar photos that are held at once while a search goes on.
_FOUND_AT_ONCE = 5_000_000
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
        A row per photo, without missing values.
    n_components : int, default 256
        How many are kept, at most.

    Returns
    -------
    float32 array of shape (n_photos, min(n_components, n_features, n_photos))
        A row per photo, in the same order.

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
    vectors = np.ascontiguousarray(vectors, dtype="float32")
    count = len(vectors)
    k = min(n_neighbours, max(count - 1, 0))
    if not k:
        return Neighbours(np.zeros((count, 0), "int64"), np.zeros((count, 0), "float32"))
    similarity, rows = _index(vectors, max_exact).search(vectors, k + 1)
    itself = rows == np.arange(count)[:, None]
    # Among many equal vectors a photo may miss itself: then the last one is left out.
    itself[~itself.any(axis=1), -1] = True
    return Neighbours(rows[~itself].reshape(-1, k), similarity[~itself].reshape(-1, k))


def _index(vectors: np.ndarray, max_exact: int) -> faiss.Index:
    import faiss

    exact = len(vectors) <= max_exact
    index = faiss.IndexFlatIP(vectors.shape[1]) if exact else _inverted_file(vectors)
    index.add(vectors)
    return index


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


class PhotoIndex:
    """Finds the photos that are most like others, by their names.

    Made once for many questions: `similar` is for one.

    Parameters
    ----------
    features : pandas.DataFrame
        By ``image_id``, as `photo_features` returns them. Photos without are never found.
    hotels : pandas.Series, optional
        The hotel of each photo by ``image_id``: photos of the same hotel are then not found, since
        what is most like a photo is often the same room.
    max_exact : int, default 40,000
        As in `nearest_neighbours`.

    Raises
    ------
    EmbeddingError
        Features that are no numbers (see `check_features`), or photos whose hotel is not said.

    Examples
    --------
    >>> features = pd.DataFrame([[0, 1.0], [0.1, 1], [1, 0], [1, 0.2]], index=list("abcd"))
    >>> PhotoIndex(features).similar("a", 1)[["similar", "rank"]].values.tolist()
    [['b', 1]]
    """

    def __init__(
        self,
        features: pd.DataFrame,
        *,
        hotels: pd.Series | None = None,
        max_exact: int = MAX_EXACT,
    ) -> None:
        rows, values = check_features(features, "similar photos")
        self._all = features.index
        self._ids = features.index[rows]
        self._vectors = reduce_features(values)
        self._index = _index(self._vectors, max_exact) if len(rows) else None
        self._hotels = np.arange(len(rows)) if hotels is None else self._numbers(hotels)
        #: How many of the nearest may be of the same hotel, the photo itself among them.
        self._most = int(np.bincount(self._hotels).max(initial=1))

    def _numbers(self, hotels: pd.Series) -> np.ndarray:
        of = hotels[~hotels.index.duplicated()].reindex(self._ids)
        if of.isna().any():
            raise EmbeddingError(
                f"similar photos: {of.index[of.isna()][0]!r} has no hotel in `hotels`; give those "
                "of all photos, by image_id"
            )
        return np.asarray(pd.factorize(of)[0])

    def similar(self, photos: str | Sequence[str] | None = None, n_photos: int = 5) -> pd.DataFrame:
        """Return the photos that are most like some.

        Parameters
        ----------
        photos : str or sequence of str, optional
            Names of photos; by default all that have features.
        n_photos : int, default 5
            How many for each; fewer where there are not so many.

        Returns
        -------
        pandas.DataFrame
            ``image_id`` (the photo asked for), ``similar`` (one that is like it), ``rank`` (from 1,
            the most similar) and ``similarity`` (the cosine between their features less the mean
            photo's, -1 to 1).

        Raises
        ------
        EmbeddingError
            A photo that is not there, or that could not be read; `n_photos` below 1.
        """
        if n_photos < 1:
            raise EmbeddingError(f"similar: n_photos is 1 or more, not {n_photos}")
        asked = (
            self._ids
            if photos is None
            else pd.Index([photos] if isinstance(photos, str) else photos)
        )
        places = self._ids.get_indexer(asked)
        if (places < 0).any():
            raise EmbeddingError(self._unknown(asked[places < 0][0]))
        columns = ["image_id", "similar", "rank", "similarity"]
        if self._index is None or not len(places):
            return pd.DataFrame({name: [] for name in columns})
        # Looked for among more than are wanted: those of the same hotel are left out. Some photos
        # at a time, since a hotel may have thousands.
        k = min(n_photos + self._most, len(self._ids))
        at_once, parts = max(1, _FOUND_AT_ONCE // k), []
        for start in range(0, len(places), at_once):
            own = places[start : start + at_once]
            similarity, rows = self._index.search(self._vectors[own], k)
            other = (rows >= 0) & (self._hotels[rows] != self._hotels[own][:, None])
            rank = other.cumsum(axis=1)
            kept = other & (rank <= n_photos)
            of, _ = np.nonzero(kept)
            found = (asked[start + of], self._ids[rows[kept]], rank[kept], similarity[kept])
            parts.append(pd.DataFrame(dict(zip(columns, found, strict=True))))
        return pd.concat(parts, ignore_index=True)

    def _unknown(self, photo: object) -> str:
        if photo in self._all:
            return f"similar: {photo!r} could not be read, so that nothing is known to be like it"
        hint = did_you_mean(str(photo), list(map(str, self._ids)))
        return f"similar: there is no photo {photo!r} among the {len(self._all):,} photos{hint}"


def similar(
    features: pd.DataFrame,
    photos: str | Sequence[str] | None = None,
    n_photos: int = 5,
    *,
    hotels: pd.Series | None = None,
) -> pd.DataFrame:
    """Return the photos that are most like some: see `PhotoIndex`, which answers many questions.

    Parameters
    ----------
    features, hotels
        As for `PhotoIndex`.
    photos, n_photos
        As for `PhotoIndex.similar`.

    Returns
    -------
    pandas.DataFrame
        ``image_id``, ``similar``, ``rank``, ``similarity``.

    Examples
    --------
    >>> features = pd.DataFrame([[0, 1.0], [0.1, 1], [1, 0], [1, 0.2]], index=list("abcd"))
    >>> similar(features, n_photos=1)["similar"].to_list()
    ['b', 'a', 'd', 'c']
    """
    return PhotoIndex(features, hotels=hotels).similar(photos, n_photos)


def photo_neighbours(properties: ImageProperties) -> tuple[np.ndarray, Neighbours]:
    """Reduce the features of the photos that could be read, and find each one's nearest.

    Of photos with equal pixels one stands for all: among many equal ones a search would not get to
    see others.

    Parameters
    ----------
    properties : ImageProperties
        From `hotelviz.embeddings.compute_image_properties`, with a model.

    Returns
    -------
    vectors : float32 array of shape (n_photos, n_components)
        NaN for photos that could not be read.
    neighbours : Neighbours

    Raises
    ------
    EmbeddingError
        No features in the properties.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.embeddings import compute_image_properties
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(6)
    >>> network = build_tagger(["Bedroom", "Pool"], input_size=32, weights=None)
    >>> seen = compute_image_properties(photos, model=network, progress=False)
    >>> photo_neighbours(seen)[1].rows.shape
    (6, 10)
    """
    features, pixels = properties.features, properties.photos["pixels"]
    if features is None:
        raise EmbeddingError("without a model photos have no features to compare")
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
