"""A map of photos: like ones near each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.embeddings.features import check_features
from hotelviz.embeddings.neighbours import nearest_neighbours, reduce_features
from hotelviz.images import usable_cores

#: How many neighbours of a photo count: the perplexity of t-SNE. It looks at three times as many.
PERPLEXITY = 15
#: Steps that first gather photos into islands, and then lay out each island.
_STEPS = {12.0: 250, 1.0: 500}
#: From so many photos on, forces between distant ones are interpolated on a grid (FIt-SNE).
_MANY = 10_000
#: So few photos are laid out by their two main components: they have no neighbourhoods.
_FEW = 10


def layout(
    features: pd.DataFrame, *, perplexity: float = PERPLEXITY, seed: int = 0
) -> pd.DataFrame:
    """Lay photos out on a map, like ones near each other.

    Parameters
    ----------
    features : pandas.DataFrame
        By ``image_id``, as `photo_features` returns them.
    perplexity : float, default 15
        About how many neighbours of each photo count; fewer where there are few photos.
    seed : int, default 0
        Of what parts photos whose features are equal.

    Returns
    -------
    pandas.DataFrame
        ``x`` and ``y`` by ``image_id``, in the order of `features`: 0 to 1, the longer side of the
        map from 0 to 1 and the shorter one in the middle; NaN for photos that could not be read
        (a row of NaN). One photo, and photos that are all equal, are in the middle.

    Raises
    ------
    EmbeddingError
        Features that are no numbers (see `hotelviz.embeddings.check_features`).

    Notes
    -----
    t-SNE of the cosines between features, beginning with their two main components, so that the
    large shape of the map is theirs. Distances between islands, their sizes and the axes mean
    nothing. The design note on embeddings compares it with UMAP and PaCMAP.

    References
    ----------
    van der Maaten, Hinton: Visualizing data using t-SNE, JMLR 2008; Kobak, Berens: The art of using
    t-SNE for single-cell transcriptomics, Nature Communications 2019; Linderman et al.: Fast
    interpolation-based t-SNE, Nature Methods 2019. Computed by openTSNE.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(9, 4))
    >>> places = layout(pd.DataFrame(values, index=list("abcdefghi")))
    >>> places.shape, float(places.max().max())
    ((9, 2), 1.0)
    """
    rows, values = check_features(features, "layout")
    places: np.ndarray = np.full((len(features), 2), np.nan)
    if len(rows):
        vectors = reduce_features(values)
        many = len(rows) >= _FEW and vectors.any()
        start = _main_components(vectors, seed)
        places[rows] = _into_square(_tsne(vectors, start, perplexity) if many else start)
    return pd.DataFrame(places, features.index, ["x", "y"])


def _main_components(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Return the first two components, with deviations that t-SNE begins well from."""
    start = np.zeros((len(vectors), 2))
    start[:, : vectors.shape[1]] = vectors[:, :2]
    deviation = start[:, 0].std()
    if not deviation:
        return np.zeros_like(start)
    # Equal photos are parted by next to nothing, or no force would ever act between them.
    shaken = np.random.default_rng(seed).normal(scale=1e-3, size=start.shape)
    return np.asarray((start / deviation + shaken) * 1e-4)


def _tsne(vectors: np.ndarray, start: np.ndarray, perplexity: float) -> np.ndarray:
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    count = len(vectors)
    # Threads that wait for each other at every step cost more than they bring to few photos.
    n_jobs = usable_cores() if count >= _MANY else 1
    perplexity = min(perplexity, (count - 1) / 3)
    found = nearest_neighbours(vectors, int(3 * perplexity))
    # A search among many may find fewer: then the nearest again, at the largest distance.
    rows = np.where(found.rows < 0, found.rows[:, :1], found.rows)
    distances = np.sqrt(2 - 2 * found.similarity.clip(-1, 1))
    known = PrecomputedNeighbors(rows, distances)
    affinities = PerplexityBasedNN(knn_index=known, perplexity=perplexity, n_jobs=n_jobs)
    forces = "fft" if count >= _MANY else "bh"
    places = TSNEEmbedding(start, affinities, n_jobs=n_jobs, negative_gradient_method=forces)
    for exaggeration, steps in _STEPS.items():
        places = places.optimize(steps, exaggeration=exaggeration, momentum=0.8)
    return np.asarray(places, dtype=float)


def _into_square(places: np.ndarray) -> np.ndarray:
    low, high = places.min(axis=0), places.max(axis=0)
    longest = (high - low).max()
    return np.asarray(0.5 + (places - (low + high) / 2) / (longest or 1.0))
