r"""What is to be explained: a class, one class against another, the mean score, high scores.

Every target is a weighted sum of logits, of probabilities, or of both: :math:`T = a \cdot z +
b \cdot \mathrm{softmax}(z)`. Class activation maps and gradients need no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hotelviz.errors import AttributionError, did_you_mean

if TYPE_CHECKING:
    import tensorflow as tf

    from hotelviz.models import ModelInfo

#: A class, a pair (what speaks for the first and against the second), or one of `MEAN_SCORE` and
#: ``score>=7`` (any score) for aesthetic models; a list has one for each photo.
Target: TypeAlias = str | tuple[str, str] | Sequence[str | tuple[str, str]] | None

MEAN_SCORE = "mean_score"
#: Logits this much above all others are certain: the rest of the probability is 1e-13.
_SURE = 30.0
_HIGH = re.compile(r"score>=(\d+)")


def target_weights(target: Target, info: ModelInfo, count: int) -> np.ndarray:
    """Translate targets to the weights of logits and probabilities.

    Parameters
    ----------
    target
        One for all photos, or a list with one for each. A tuple of two classes is a pair.
    info
        Of the model.
    count
        How many photos there are.

    Returns
    -------
    numpy.ndarray
        float32 (count, 2, classes): of the logits, and of the probabilities. All zero stands for
        the class that is predicted.

    Raises
    ------
    AttributionError
        A class that the model does not know, a pair of one class, or not one target a photo.
    """
    if target is None or isinstance(target, str | tuple):
        return np.repeat(_weights(target, info)[None], count, axis=0)
    targets = list(target)
    if len(targets) != count:
        raise AttributionError(f"{len(targets)} targets were given for {count} photos")
    return np.array([_weights(each, info) for each in targets], "float32").reshape(
        count, 2, len(info.classes)
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
    """Put the predicted class where the weights are all zero."""
    open_rows = ~weights.any(axis=(1, 2))
    resolved = weights.copy()
    resolved[open_rows, 0, logits[open_rows].argmax(axis=1)] = 1
    return resolved


def target_value(weights: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Compute the targets, (N,)."""
    return np.asarray((weights[:, 0] * logits + weights[:, 1] * softmax(logits)).sum(axis=1))


def tangent(weights: np.ndarray, logits: tf.Tensor) -> tf.Tensor:
    """Compute what has the targets' slope at these logits, (N,), with TensorFlow's own functions.

    Its gradient is that of the targets, also where softmax itself is too sure to have one.
    """
    import tensorflow as tf

    slopes = tf.constant(target_gradient(weights, np.asarray(logits)), logits.dtype)
    return tf.reduce_sum(slopes * logits, axis=-1)


def target_gradient(weights: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Compute how the targets change with the logits, (N, classes).

    Of probabilities that are all but certain it is given up to a positive factor for each photo:
    what is left to the other classes is too little for a number to hold.
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
    sure = (values[rows, top] - second > _SURE) & weights[:, 1].any(axis=1)
    if sure.any():
        shares = np.exp(others[sure] - second[sure, None])
        wanted, best = weights[sure, 1], top[sure]
        found = shares * (wanted - np.take_along_axis(wanted, best[:, None], axis=1))
        found[np.arange(len(best)), best] = -found.sum(axis=1)
        slopes[sure] = found
    return np.asarray(slopes)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def target_name(target: Any) -> str:
    """Say what a map shows.

    Examples
    --------
    >>> target_name(("View_of_Exterior", "Pool"))
    'View of Exterior rather than Pool'
    """
    names = target if isinstance(target, tuple) else (target,)
    texts = ["the predicted class" if name is None else str(name) for name in names]
    return " rather than ".join(texts).replace("_", " ")
