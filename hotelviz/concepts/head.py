"""What stands above a feature map: what parts of its features are worth to the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hotelviz.attribution.methods.cam import head_model

if TYPE_CHECKING:
    import keras

#: Logits that mean features times the head's weights give again as closely are linear in them.
_LINEAR = 1e-3


class Head(NamedTuple):
    """The part of a network above a feature map.

    Attributes
    ----------
    layer
        The layer whose features it takes, by name.
    features
        They, as a tensor of the model's graph.
    kernel
        float32 (channels, outputs): what a channel's mean is worth to each logit, where the head is
        global average pooling under one dense layer; None for any other.
    bias
        float32 (outputs,) of that layer.
    logits
        From features (N, h, w, channels) to logits (N, outputs).
    gradients
        From features to the gradient of each logit, (outputs, N, h, w, channels).
    """

    layer: str
    features: Any
    kernel: np.ndarray | None
    bias: np.ndarray | None
    logits: Callable[[np.ndarray], np.ndarray]
    gradients: Callable[[np.ndarray], np.ndarray]


class Parts(NamedTuple):
    """What logits are made of: evidence, summed over the concepts, + residual + bias.

    Attributes
    ----------
    evidence
        float32 (N, concepts, outputs).
    residual
        float32 (N, outputs): of what no concept holds.
    bias
        float32 (N, outputs): what is left of the logit without any feature; of heads that are not
        linear, what the gradient at the photo leaves.
    """

    evidence: np.ndarray
    residual: np.ndarray
    bias: np.ndarray


def find_head(model: keras.Model, layer: str | None = None) -> Head:
    """Return what stands above a layer.

    Parameters
    ----------
    model
        A flat model.
    layer
        By name; None takes what is averaged under the head, or else the last convolution.

    Raises
    ------
    ModelError
        A layer that is not there, or has no height and width.
    AttributionError
        The outputs come by other ways than through this layer, too.
    """
    from hotelviz.models import cached_function, gap_node, last_convolution, spatial_node

    pooled = gap_node(model)
    if layer is not None:
        tensor, name = spatial_node(model, layer).output, layer
    else:
        tensor = pooled.inputs[0] if pooled else last_convolution(model).output
        name = tensor._keras_history[0].name
    under_pooling = pooled is not None and pooled.inputs[0] is tensor
    found: Head = cached_function(
        model, ("concept head", name), lambda: _make(model, name, tensor, under_pooling)
    )
    return found


def split(
    head: Head, features: np.ndarray, coefficients: np.ndarray, components: np.ndarray
) -> Parts:
    """Return what the logits of photos are made of.

    Parameters
    ----------
    head
        From `find_head`.
    features
        (N, h, w, channels).
    coefficients
        (N, h, w, concepts): how much of each concept is in each cell.
    components
        (concepts, channels).
    """
    if head.kernel is not None and head.bias is not None:
        strength = coefficients.mean(axis=(1, 2))
        evidence = strength[:, :, None] * (components @ head.kernel)[None]
        residual = (features.mean(axis=(1, 2)) - strength @ components) @ head.kernel
        return Parts(evidence, residual, np.tile(head.bias, (len(features), 1)))
    gradients = head.gradients(features)
    evidence = np.stack(
        [(coefficients * (one @ components.T)).sum(axis=(1, 2)) for one in gradients], axis=-1
    )
    whole = np.stack([(features * one).sum(axis=(1, 2, 3)) for one in gradients], axis=-1)
    return Parts(evidence, whole - evidence.sum(axis=1), head.logits(features) - whole)


def _make(model: keras.Model, name: str, tensor: Any, under_pooling: bool) -> Head:
    import tensorflow as tf

    network = head_model(model, tensor)
    signature = [tf.TensorSpec((None, *tensor.shape[1:]), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def run(features: tf.Tensor) -> tf.Tensor:
        return network(features, training=False)

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def slopes(features: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(features)
            each = tf.unstack(network(features, training=False), axis=-1)
        return [tape.gradient(one, features) for one in each]

    def logits(features: np.ndarray) -> np.ndarray:
        return np.asarray(run(tf.constant(features, tf.float32)))

    def gradients(features: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(one) for one in slopes(tf.constant(features, tf.float32))])

    kernel, bias = _linear(model, logits, tensor) if under_pooling else (None, None)
    return Head(name, tensor, kernel, bias, logits, gradients)


def _linear(
    model: keras.Model, logits: Callable[[np.ndarray], np.ndarray], tensor: Any
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return kernel and bias where the logits are linear in mean features, or nothing."""
    from hotelviz.models import split_head

    _, layers = split_head(model)
    dense = next(layer for layer in layers if hasattr(layer, "kernel"))
    kernel = np.asarray(dense.kernel, "float32")
    bias = np.zeros(kernel.shape[1], "float32")
    if dense.bias is not None:
        bias = np.asarray(dense.bias, "float32")
    # Whatever else is between them, or after: it is seen in what they do.
    drawn = np.random.default_rng(0).exponential(size=(4, *tensor.shape[1:])).astype("float32")
    wanted, found = logits(drawn), drawn.mean(axis=(1, 2)) @ kernel + bias
    if wanted.shape != found.shape:
        return None, None
    close = np.abs(wanted - found).max() <= _LINEAR * max(1.0, float(np.abs(wanted).max()))
    return (kernel, bias) if close else (None, None)
