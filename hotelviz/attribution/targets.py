r"""What is to be explained: a class, one class against another, the mean score, high scores.

Every target is a weighted sum of logits, of probabilities, or of both: :math:`T = a \cdot z +
b \cdot \mathrm{softmax}(z)`. Class activation maps and gradients need no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hotelviz.errors import AttributionError, did_you_mean

if TYPE_CHECKING:
    import tensorflow as tf

    from hotelviz.models import ModelInfo

#: A class, a pair (what speaks for the first and against the second), or one of `MEAN_SCORE` and
#: ``score>=7`` (any score) for aesthetic models; a list has one for each photo.
Target: TypeAlias = str | tuple[str, str] | Sequence[str | tuple[str, str]] | None

#: From uint8 pixels and their targets' weights to a map for each photo.
MakeMaps: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: The target of an aesthetic model: the mean of the distribution that it predicts.
MEAN_SCORE = "mean_score"
#: Logits this much above all others are certain: the rest of the probability is 1e-13.
_CERTAIN = 30.0
_HIGH = re.compile(r"score>=(\d+)")


def target_weights(target: Target, info: ModelInfo, n_photos: int) -> np.ndarray:
    """Return targets as weights of logits and probabilities.

    Parameters
    ----------
    target
        One for all photos, or a list with one for each. A tuple of two classes is a pair.
    info
        Of the model.
    n_photos
        How many photos there are.

    Returns
    -------
    numpy.ndarray
        float32 (n_photos, 2, classes): of the logits, and of the probabilities. All zero stands for
        the class that is predicted.

    Raises
    ------
    AttributionError
        A class that the model does not know, a pair of one class, or not one target a photo.
    """
    if target is None or isinstance(target, str | tuple):
        return np.repeat(_weights(target, info)[None], n_photos, axis=0)
    targets = list(target)
    if len(targets) != n_photos:
        raise AttributionError(f"{len(targets)} targets were given for {n_photos} photos")
    return np.array([_weights(each, info) for each in targets], "float32").reshape(
        n_photos, 2, len(info.classes)
    )


def _weights(target: str | tuple[str, str] | None, info: ModelInfo) -> np.ndarray:
    weights = np.zeros((2, len(info.classes)), "float32")
    if target is None and info.task == "tagger":
        return weights
    if isinstance(target, tuple):
        if len(target) != 2 or target[0] == target[1]:
            raise AttributionError(f"a pair is two different classes, not {target!r}")
        weights[0, _number(target[0], info)] = 1
        weights[0, _number(target[1], info)] = -1
        return weights
    if info.task != "tagger":
        scores = np.arange(1, len(info.classes) + 1)
        if target is None or target == MEAN_SCORE:
            weights[1] = scores
            return weights
        high = _HIGH.fullmatch(target)
        if high and 2 <= int(high[1]) <= len(scores):
            weights[1] = scores >= int(high[1])
            return weights
    weights[0, _number(str(target), info)] = 1
    return weights


def _number(name: str, info: ModelInfo) -> int:
    if name not in info.classes:
        more = "" if info.task == "tagger" else f", and {MEAN_SCORE!r} and 'score>=7'"
        raise AttributionError(
            f"the model does not know the class {name!r}; it knows {', '.join(info.classes)}{more}"
            f"{did_you_mean(name, info.classes)}"
        )
    return info.classes.index(name)


def fill_predicted(weights: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return weights with the predicted class where they are all zero."""
    open_rows = ~weights.any(axis=(1, 2))
    resolved = weights.copy()
    resolved[open_rows, 0, logits[open_rows].argmax(axis=1)] = 1
    return resolved


def target_value(weights: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Compute the values of targets, (N,)."""
    return np.asarray((weights[:, 0] * logits + weights[:, 1] * softmax(logits)).sum(axis=1))


def gradient_target(weights: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what Grad-CAM, its kin and saliency differentiate: a function of logits, to (N,).

    Its gradient is that of the targets, also where softmax itself is too certain to have one. Its
    value is 0: Grad-CAM++ takes the exponential of the target and cancels it again, and it may not
    overflow.

    Parameters
    ----------
    weights
        Of `target_weights` and `fill_predicted`.
    """

    def target(logits: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        slopes = tf.constant(target_gradient(weights, np.asarray(logits)), logits.dtype)
        values = tf.reduce_sum(slopes * logits, axis=-1)
        return values - tf.stop_gradient(values)

    return target


def target_gradient(weights: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Compute the gradients of targets by the logits, (N, classes).

    For probabilities that are all but certain, they are computed up to a positive factor for each
    photo: what is left to the other classes is too little for a number to hold.
    """
    values = logits.astype("float64")
    shares = softmax(values)
    mean = (shares * weights[:, 1]).sum(axis=1, keepdims=True)
    slopes = weights[:, 0] + shares * (weights[:, 1] - mean)
    rows = np.arange(len(values))
    top = values.argmax(axis=1)
    others = values.copy()
    others[rows, top] = -np.inf
    second = others.max(axis=1)
    certain = (values[rows, top] - second > _CERTAIN) & weights[:, 1].any(axis=1)
    if certain.any():
        shares = np.exp(others[certain] - second[certain, None])
        wanted, best = weights[certain, 1], top[certain]
        found = shares * (wanted - np.take_along_axis(wanted, best[:, None], axis=1))
        found[np.arange(len(best)), best] = -found.sum(axis=1)
        slopes[certain] = found
    return np.asarray(slopes)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Compute the softmax of logits along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def target_name(target: Any) -> str:
    """Return what a map shows, in words.

    Examples
    --------
    >>> target_name(("View_of_Exterior", "Pool"))
    'View of Exterior rather than Pool'
    """
    names = target if isinstance(target, tuple) else (target,)
    texts = ["the predicted class" if name is None else str(name) for name in names]
    return " rather than ".join(texts).replace("_", " ")
