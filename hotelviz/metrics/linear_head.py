"""The linear model on frozen features: what fine-tuning has to beat.

Softmax regression by L-BFGS: convex, so that it has one answer, found in seconds. How much it is
regularised is chosen by folds that keep the photos of a hotel together.

Of scores, which have an order, the adjacent-categories logit model is fitted: what a feature adds
to the logit of 7 over 6 it adds to that of 8 over 7 as well. It is a softmax over ten outputs with
one weight for each feature instead of ten, and few rated photos teach one weight better.

References
----------
Agresti: Analysis of Ordinal Categorical Data, 2nd edition, 2010, section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from hotelviz.errors import TrainingError

#: How strongly weights are held at zero, from hardly to nearly all the way.
PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
#: How much the cross-entropy bends along a logit: at most a quarter, less where it is sure.
_CURVATURE = 0.1


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


# A product with a few columns is bound by memory: more threads bring nothing on an idle machine,
# and on a busy one they wait for each other, which makes it five times slower.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def fit_linear_head(
    features: np.ndarray,
    targets: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
    n_folds: int = 5,
    start: LinearHead | None = None,
    ordered: bool = False,
    blocks: Sequence[int] = (),
) -> LinearHead:
    """Fit softmax regression on features, its penalty chosen by folds over groups.

    Minimises the weighted mean cross-entropy to the targets plus half the penalty times the sum
    of the squared weights, of features brought to mean 0 and deviation 1 (with `blocks`, to one
    sum of variances for each block).

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
        What to choose from by the photos of held-out hotels: see `held_out_loss`.
    n_folds : int, default 5
        Fewer where there are fewer hotels.
    start : LinearHead, optional
        Another head of the same shape: weights are held at its weights rather than at zero.
    ordered : bool, default False
        Whether the outputs are steps of a scale, such as the scores 1 to 10: all logits then have
        one weight for each feature, times the step.
    blocks : sequence of int, optional
        How many features, one after the other, are of one kind, such as the channels of one level
        of a network: a kind of few features then has as much to say as one of many.

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
    >>> scores = np.eye(10)[np.clip(features[:, 0] + 5, 0, 9).astype(int)]
    >>> kernel = fit_linear_head(features, scores, groups=hotels, ordered=True).kernel
    >>> bool(np.allclose(np.diff(kernel, n=2), 0, atol=1e-5))
    True
    """
    features, targets = np.asarray(features, "float32"), np.asarray(targets, "float32")
    weights = np.ones(len(features)) if weights is None else np.asarray(weights, "float64")
    _check(features, targets, weights, blocks)
    held_out = np.empty((0, targets.shape[1]), "float32")
    penalty = penalties[0]
    regression = _Regression(features, targets, weights, start, ordered, blocks)
    if groups is not None or len(penalties) > 1:
        n_groups = 0 if groups is None else len(np.unique(groups))
        if n_groups < 2:
            raise TrainingError(
                "how much to regularise is chosen by folds over hotels, and there are "
                f"{n_groups}: give photos of at least two hotels, or one penalty"
            )
        predicted = np.empty((len(penalties), *targets.shape), "float32")
        for fitted, judged in GroupKFold(min(n_folds, n_groups)).split(features, groups=groups):
            for number, penalty in enumerate(penalties):
                head = regression.fit(penalty, fitted)
                predicted[number, judged] = head.predict(features[judged])
        losses = [held_out_loss(targets, each, weights, ordered=ordered) for each in predicted]
        best = int(np.argmin(losses))
        penalty, held_out = penalties[best], predicted[best]
    return regression.fit(penalty)._replace(held_out=held_out)


def held_out_loss(
    targets: np.ndarray, predicted: np.ndarray, weights: np.ndarray, *, ordered: bool
) -> float:
    """Return how far predictions are from what is true, over photos that were not learned from.

    Parameters
    ----------
    targets, predicted : numpy.ndarray
        (n_photos, n_outputs), shares from 0 to 1.
    weights : numpy.ndarray
        How much each photo counts.
    ordered : bool
        Whether the outputs are steps of a scale. Then it is the earth mover's distance, with
        exponent 2: the cross-entropy, which is it otherwise, would rather have all scores in the
        middle than one far off.

    Examples
    --------
    >>> held_out_loss(np.eye(2), np.eye(2), np.ones(2), ordered=True)
    0.0
    """
    if ordered:
        apart = (np.cumsum(predicted - targets, axis=1) ** 2).mean(axis=1) ** 0.5
    else:
        apart = -(targets * np.log(np.maximum(predicted, 1e-7))).sum(axis=1)
    return float(np.average(apart, weights=weights))


class _Regression:
    """Softmax regression on photos or some of them, for any penalty.

    Features are scaled and turned to their principal axes, on which L-BFGS starts from nearly the
    curvature of the loss: some dozens of steps instead of hundreds, and never more directions than
    there are photos. Scale and axes are those of all photos, and know nothing of the targets.
    """

    def __init__(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        start: LinearHead | None,
        ordered: bool,
        blocks: Sequence[int],
    ) -> None:
        self.mean, deviation = features.mean(axis=0), features.std(axis=0)
        constant = deviation < 1e-6 * max(float(deviation.max(initial=0.0)), 1e-6)
        self.scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
        if len(blocks):
            self.scale *= np.repeat(np.sqrt(np.mean(blocks) / np.asarray(blocks)), blocks)
        scaled = ((features - self.mean) * self.scale).astype("float32")
        few = len(scaled) < scaled.shape[1]  # then the axes come of the photos, which is faster
        products = scaled @ scaled.T if few else scaled.T @ scaled
        values, axes = np.linalg.eigh(products / len(scaled))
        kept = values > 1e-6 * max(float(values[-1]), 1e-6)
        values, axes = values[kept], axes[:, kept]
        if few:
            axes = scaled.T @ axes / np.sqrt(values * len(scaled))
        self.variances, self.axes = values.astype("float64"), axes
        self.turned = scaled @ self.axes
        self.targets, self.weights, self.start = targets, weights, start
        self.directions = np.eye(targets.shape[1], dtype="float32")
        if ordered:
            steps = np.arange(targets.shape[1], dtype="float32") - (targets.shape[1] - 1) / 2
            self.directions = (steps / np.linalg.norm(steps))[:, None].astype("float32")
        self.offset = np.zeros_like(targets)
        if start is not None:
            self.offset = features @ start.kernel + start.bias

    def fit(self, penalty: float, rows: np.ndarray | slice = slice(None)) -> LinearHead:
        """Minimise over some of the photos, and fold turn and scale into the weights."""
        turned, targets, offset = self.turned[rows], self.targets[rows], self.offset[rows]
        shares = (self.weights[rows] / self.weights[rows].sum()).astype("float32")[:, None]
        steps = (1 / np.sqrt(_CURVATURE * self.variances + penalty))[:, None]
        n_outputs, n_directions = self.directions.shape
        n_weights = len(steps) * n_directions

        def unpacked(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return steps * packed[:n_weights].reshape(-1, n_directions), packed[n_weights:]

        def objective(packed: np.ndarray) -> tuple[float, np.ndarray]:
            kernel, bias = unpacked(packed)
            logits = offset + turned @ kernel.astype("float32") @ self.directions.T
            logs = log_softmax(logits + bias.astype("float32"), axis=1)
            error = shares * (np.exp(logs) - targets)
            slope = turned.T @ (error @ self.directions) + penalty * kernel
            loss = penalty / 2 * float((kernel**2).sum())
            loss -= float((shares * targets * logs).sum())
            gradient = np.concatenate([(steps * slope).ravel(), error.sum(axis=0)])
            return loss, gradient.astype("float64")

        found = minimize(
            objective, np.zeros(n_weights + n_outputs), jac=True, method="L-BFGS-B",
            options={"maxiter": 200, "ftol": 1e-7, "gtol": 1e-6},
        )  # fmt: skip
        kernel, bias = unpacked(found.x)
        kernel = self.scale[:, None] * (self.axes @ kernel) @ self.directions.T
        bias = bias - self.mean @ kernel
        if self.start is not None:
            kernel, bias = kernel + self.start.kernel, bias + self.start.bias
        return LinearHead(
            kernel.astype("float32"),
            bias.astype("float32"),
            float(penalty),
            np.empty((0, n_outputs), "float32"),
        )


def _check(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, blocks: Sequence[int]
) -> None:
    if (
        features.ndim != 2
        or targets.ndim != 2
        or len({*map(len, (features, targets, weights))}) > 1
    ):
        raise TrainingError(
            f"features {features.shape}, targets {targets.shape} and weights {weights.shape} are "
            "not rows of the same photos"
        )
    if len(blocks) and sum(blocks) != features.shape[1]:
        raise TrainingError(
            f"blocks of {', '.join(map(str, blocks))} features are {sum(blocks)} in all, and "
            f"there are {features.shape[1]}"
        )
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise TrainingError(
            f"the features of {len(wrong)} of {len(features)} photos are not finite, first of "
            f"photo {wrong[0]}: is the model's value range that of its pixels?"
        )
    if not len(features) or not np.isfinite(weights).all() or not weights.sum() > 0:
        raise TrainingError("there are no photos to learn from, or none that weighs anything")
