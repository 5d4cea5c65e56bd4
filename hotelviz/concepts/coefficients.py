"""How much of each concept is in each cell: non-negative least squares on fixed components."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

#: Sweeps over all concepts at most, and the change of the last one, as a share of the largest
#: value, that ends them before.
_SWEEPS, _CHANGE = 200, 1e-5


# On a busy machine several threads wait for each other, on an idle one they bring little.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def coefficients(features: np.ndarray, components: np.ndarray, readers: np.ndarray) -> np.ndarray:
    """Return how much of each concept is in each cell.

    Minimises the squared error of ``coefficients @ components`` for each cell alone, as the head
    sees it (see `error_readers`).

    Parameters
    ----------
    features
        (..., channels), from 0.
    components
        (concepts, channels), from 0.
    readers
        (concepts, channels), of `error_readers`.

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
    gram = readers @ components.T
    products = readers @ cells.T
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


def error_readers(components: np.ndarray, weights: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return components times the metric in which errors of features are measured.

    An error counts by the channels that it is in, and by what it does to the logits: the metric is
    ``diag(weights**2) + outputs @ outputs.T``. Without its second part, half of a logit is made of
    errors that are small in each channel.

    Parameters
    ----------
    components
        (concepts, channels).
    weights
        (channels,): how much an error in each channel counts.
    outputs
        (channels, outputs): what it does to each logit, times how much that counts.
    """
    read = components * weights**2 + (components @ outputs) @ outputs.T
    return np.asarray(read, "float32")
