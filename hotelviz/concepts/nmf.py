"""Non-negative factorisation of cells, with what the head makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from hotelviz.concepts.head import Head

#: How much what is lost of the logits counts, against what is lost of all channels.
_LOGITS = 4.0


class Metric(NamedTuple):
    """How much errors of features count, see `hotelviz.concepts.coefficients.error_readers`."""

    weights: np.ndarray
    outputs: np.ndarray


def head_metric(head: Head, cells: np.ndarray) -> Metric:
    """Return how much errors count: by what the head makes of them."""
    weights = np.ones(cells.shape[1], "float32")
    nothing = np.zeros((cells.shape[1], 1), "float32")
    if head.kernel is None:
        return Metric(weights, nothing)
    kernel = head.kernel - head.kernel.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(kernel, axis=1)
    if not norms.max() > 0:
        return Metric(weights, nothing)
    # A channel of next to no weight still counts a little, or its features would be arbitrary.
    weights = np.asarray(np.maximum(norms / norms.max(), 0.05), "float32")
    size, of_logits = (float((one**2).sum()) for one in (cells * weights, cells @ kernel))
    return Metric(weights, kernel * np.float32(np.sqrt(_LOGITS * size / max(of_logits, 1e-12))))


# Several threads wait for each other in its many small products: on a busy machine that took six
# times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def factorised(cells: np.ndarray, metric: Metric, n_concepts: int, seed: int) -> np.ndarray:
    """Return components of length 1, float32 (n_concepts, channels).

    Beside the channels of a cell stands what it speaks for and against, output by output: what
    belongs together to the head becomes one component.
    """
    from sklearn.decomposition import MiniBatchNMF

    speaks = cells @ metric.outputs
    scaled = np.hstack([cells * metric.weights, np.maximum(speaks, 0), np.maximum(-speaks, 0)])
    factorisation = MiniBatchNMF(
        n_concepts, init="nndsvda", batch_size=min(1024, len(scaled)), max_iter=60,
        max_no_improvement=None, random_state=seed,
    )  # fmt: skip
    components = factorisation.fit(scaled).components_[:, : cells.shape[1]]
    components = components / metric.weights
    sizes = np.linalg.norm(components, axis=1, keepdims=True)
    return np.asarray(components / np.maximum(sizes, 1e-12), "float32")
