"""How much of each concept is in each cell: non-negative least squares on fixed components."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

#: Sweeps over all concepts at most, and the change of the last one, as a share of the largest
#: value, that ends them before.
_SWEEPS, _CHANGE = 200, 1e-5


# On a busy machine several threads wait for each other, on an idle one they bring little.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def coefficients(features: np.ndarray, components: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return how much of each concept is in each cell.

    Minimises the squared error of ``coefficients @ components``, each channel weighed, for each
    cell alone.

    Parameters
    ----------
    features
        (..., channels), from 0.
    components
        (concepts, channels), from 0.
    weights
        (channels,): how much an error in each channel counts.

    Returns
    -------
    numpy.ndarray
        float32 (..., concepts), from 0.

    Notes
    -----
    Hierarchical alternating least squares (Cichocki, Zdunek, Amari 2007), as in scikit-learn's
    coordinate descent, on products with the components that are made once: `NMF.transform` makes
    them again in each sweep, and took five times as long.
    """
    cells = features.reshape(-1, features.shape[-1]).astype("float32", copy=False)
    scaled = (components * weights**2).astype("float32")
    gram = scaled @ components.T.astype("float32")
    products = scaled @ cells.T
    found = np.zeros_like(products)
    sizes = np.maximum(np.diag(gram), 1e-12)
    for _ in range(_SWEEPS):
        change = 0.0
        for number, row in enumerate(found):
            moved = np.maximum(0, row + (products[number] - gram[number] @ found) / sizes[number])
            change = max(change, float(np.abs(moved - row).max(initial=0)))
            found[number] = moved
        if change <= _CHANGE * max(float(found.max(initial=0)), 1e-12):
            break
    return np.ascontiguousarray(found.T).reshape(*features.shape[:-1], len(components))
