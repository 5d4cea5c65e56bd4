"""The linear model on frozen features: what fine-tuning has to beat.

Softmax regression by L-BFGS: convex, so that it has one answer, found in seconds. How much it is
regularised is chosen by folds that keep the photos of a hotel together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import GroupKFold

from hotelviz.errors import TrainingError

#: How strongly weights are held at zero, from hardly to nearly all the way.
PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


class LinearHead(NamedTuple):
    """Weights of a dense layer under a softmax, and how they were chosen.

    Attributes
    ----------
    kernel
        float32 (n_features, n_outputs).
    bias
        float32 (n_outputs,).
    penalty
        How strongly the weights were held at zero.
    held_out
        float32 (n_photos, n_outputs): probabilities of each photo by the head that was fitted
        without the fold of its hotel; empty where no folds were made.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float
    held_out: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the probabilities (n_photos, n_outputs) of features (n_photos, n_features)."""
        return np.asarray(softmax(features @ self.kernel + self.bias, axis=1), dtype="float32")


def fit_linear_head(
    features: np.ndarray,
    targets: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
    n_folds: int = 5,
    start: LinearHead | None = None,
) -> LinearHead:
    """Fit softmax regression on features, its penalty chosen by folds over groups.

    Minimises the weighted mean cross-entropy to the targets plus half the penalty times the sum
    of the squared weights, of features brought to mean 0 and deviation 1.

    Parameters
    ----------
    features : numpy.ndarray
        (n_photos, n_features), such as pooled activations of a frozen backbone.
    targets : numpy.ndarray
        (n_photos, n_outputs), shares from 0 to 1 that sum to 1 in each row: one class, votes,
        ratings, or another model's probabilities.
    weights : numpy.ndarray, optional
        How much each photo counts, from 0; by default all the same.
    groups : numpy.ndarray, optional
        (n_photos,), the hotel of each photo. Needed where `penalties` leaves a choice.
    penalties : sequence of float
        What to choose from by the cross-entropy of photos of held-out hotels.
    n_folds : int, default 5
        Fewer where there are fewer hotels.
    start : LinearHead, optional
        Another head of the same shape: weights are held at its weights rather than at zero.

    Returns
    -------
    LinearHead
        Fitted to all photos with the chosen penalty.

    Raises
    ------
    TrainingError
        Features that are not finite, shapes that do not fit, or a choice to make with fewer than
        two hotels.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> features, hotels = random.normal(size=(60, 3)), np.arange(60) // 4
    >>> targets = np.eye(2)[(features[:, 0] > 0).astype(int)]
    >>> head = fit_linear_head(features, targets, groups=hotels)
    >>> bool((head.held_out.argmax(axis=1) == targets.argmax(axis=1)).mean() > 0.9)
    True
    """
    features, targets = np.asarray(features, "float64"), np.asarray(targets, "float64")
    weights = np.ones(len(features)) if weights is None else np.asarray(weights, "float64")
    _check(features, targets, weights)
    held_out = np.empty((0, targets.shape[1]), "float32")
    penalty = penalties[0]
    if groups is not None or len(penalties) > 1:
        penalty, held_out = _chosen(
            features, targets, weights, groups, sorted(penalties, reverse=True), n_folds, start
        )
    head = _fit(features, targets, weights, penalty, start)
    return head._replace(held_out=held_out)


def _chosen(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray | None,
    penalties: Sequence[float],
    n_folds: int,
    start: LinearHead | None,
) -> tuple[float, np.ndarray]:
    """Return the penalty of the least held-out cross-entropy, and its predictions."""
    n_groups = 0 if groups is None else len(np.unique(groups))
    if n_groups < 2:
        raise TrainingError(
            f"how much to regularise is chosen by folds over hotels, and there are {n_groups}: "
            "give photos of at least two hotels, or one penalty"
        )
    predicted = np.empty((len(penalties), *targets.shape), "float32")
    folds = GroupKFold(min(n_folds, n_groups)).split(features, groups=groups)
    for fitted, judged in folds:
        head = None
        for number, penalty in enumerate(penalties):
            head = _fit(
                features[fitted], targets[fitted], weights[fitted], penalty, start, begin=head
            )
            predicted[number, judged] = head.predict(features[judged])
    entropy = -(targets * np.log(np.maximum(predicted, 1e-7))).sum(axis=2)
    best = int(np.average(entropy, axis=1, weights=weights).argmin())
    return penalties[best], predicted[best]


def _fit(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    penalty: float,
    start: LinearHead | None,
    *,
    begin: LinearHead | None = None,
) -> LinearHead:
    """Minimise, and fold the scaling of the features into the weights."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-6 * max(deviation.max(initial=0.0), 1e-6)] = np.inf
    scaled = ((features - mean) / deviation).astype("float32")
    goal, share = targets.astype("float32"), (weights / weights.sum()).astype("float32")[:, None]
    shape = (features.shape[1] + 1, targets.shape[1])

    def packed(head: LinearHead | None) -> np.ndarray:
        if head is None:
            return np.zeros(shape)
        spread = np.where(np.isfinite(deviation), deviation, 0.0)[:, None]
        return np.vstack([head.kernel * spread, head.bias + mean @ head.kernel])

    centre = packed(start)

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        matrix = values.reshape(shape)
        apart = matrix - centre
        apart[-1] = 0.0
        logits = scaled @ matrix[:-1].astype("float32") + matrix[-1].astype("float32")
        logs = log_softmax(logits, axis=1)
        error = share * (np.exp(logs) * goal.sum(axis=1, keepdims=True) - goal)
        gradient = np.vstack([scaled.T @ error, error.sum(axis=0)]) + penalty * apart
        loss = -float((share * goal * logs).sum()) + penalty / 2 * float((apart**2).sum())
        return loss, gradient.ravel().astype("float64")

    found = minimize(
        objective,
        packed(begin or start).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-7, "gtol": 1e-6},
    )
    matrix = found.x.reshape(shape)
    kernel = matrix[:-1] / deviation[:, None]
    return LinearHead(
        kernel.astype("float32"),
        (matrix[-1] - mean @ kernel).astype("float32"),
        float(penalty),
        np.empty((0, shape[1]), "float32"),
    )


def _check(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> None:
    if (
        features.ndim != 2
        or targets.ndim != 2
        or len({*map(len, (features, targets, weights))}) > 1
    ):
        raise TrainingError(
            f"features {features.shape}, targets {targets.shape} and weights {weights.shape} are "
            "not rows of the same photos"
        )
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise TrainingError(
            f"the features of {len(wrong)} of {len(features)} photos are not finite, first of "
            f"photo {wrong[0]}: is the model's value range that of its pixels?"
        )
    if not len(features) or not np.isfinite(weights).all() or not weights.sum() > 0:
        raise TrainingError("there are no photos to learn from, or none that weighs anything")
