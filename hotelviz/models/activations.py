"""From uint8 pixels to what a network computes of them, compiled and cached for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from hotelviz.errors import ModelError
from hotelviz.models.compilation import cached_function, constant_graph
from hotelviz.models.graph import Node, find_node
from hotelviz.models.info import model_info
from hotelviz.models.outputs import logits

#: What is computed: None for the model's output, ``"logits"``, a layer by name, a `Node`, or a
#: symbolic tensor of the model's graph.
Wanted: TypeAlias = str | Node | keras.KerasTensor | None


def activations(
    model: keras.Model, outputs: Wanted | Sequence[Wanted] = None, *, resize: bool = False
) -> Callable[[np.ndarray], Any]:
    """Return the function from 8-bit pixels to activations of a network.

    This is the one way from pixels to tensors. It casts and scales the pixels as the model wants
    them, and runs the network, in one compiled graph with the weights as constants: about 1.5
    times as fast as ``model.predict`` on two cores. It is compiled once for each model and
    `outputs`, with the weights that the model has then.

    Parameters
    ----------
    model
        With its description (see `model_info`).
    outputs
        What to compute: None for the model's output; ``"logits"``, what its softmax takes; a layer
        by name; a `Node`, such as `gap_node` returns; or any symbolic tensor of the model's graph,
        such as ``keras.ops.max(node.output, axis=(1, 2))``. A list has several.
    resize
        Whether pixels come in any size, and are resized to the model's on the way.

    Returns
    -------
    callable
        Takes uint8 (N, height, width, 3), returns an array (N, ...), or a list of arrays if
        `outputs` is a list. Floating-point results are float32.

    Raises
    ------
    ModelError
        A layer that is not there. The function raises it for other than uint8 pixels of the
        model's size.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> pixels = np.zeros((3, 32, 32, 3), "uint8")
    >>> activations(model)(pixels).shape
    (3, 2)
    >>> [each.shape for each in activations(model, ["conv_pw_1", "pooled"])(pixels)]
    [(3, 16, 16, 64), (3, 1024)]
    """
    single = isinstance(outputs, Node) or not isinstance(outputs, list | tuple)
    wanted: Any = [outputs] if single else outputs
    compiled, _ = cached_function(
        model,
        ("activations", resize, *map(_key, wanted)),
        # The tensors are kept, too: no other one may get the place in memory that names them.
        lambda: (constant_graph(*pixel_function(model, wanted, resize=resize)), wanted),
    )

    def call(pixels: np.ndarray) -> Any:
        check_pixels(pixels, model, any_size=resize)
        found = [each.numpy() for each in compiled(tf.constant(pixels))]
        return found[0] if single else found

    return call


def pixel_function(
    model: keras.Model, outputs: Sequence[Wanted] = (None,), *, resize: bool = False
) -> tuple[Callable[[tf.Tensor], list[tf.Tensor]], tf.TensorSpec]:
    """Return what `activations` compiles, for other runtimes: a function of tensors, and its input.

    Parameters
    ----------
    model, outputs, resize
        As in `activations`.

    Returns
    -------
    function, signature
        From uint8 pixels to a list of tensors; shape and type of the pixels.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> function, signature = pixel_function(tagger)
    >>> signature.shape.as_list()
    [None, 32, 32, 3]
    """
    preprocessing = model_info(model).preprocessing
    network = keras.Model(model.input, [_tensor(model, each) for each in outputs])

    def run(pixels: tf.Tensor) -> list[tf.Tensor]:
        values = tf.cast(pixels, tf.float32)
        if resize:
            values = tf.image.resize(values, preprocessing.size, antialias=True)
        found = tf.nest.flatten(network(preprocessing.scale(values), training=False))
        return [tf.cast(each, tf.float32) if each.dtype.is_floating else each for each in found]

    size = (None, None) if resize else preprocessing.size
    return run, tf.TensorSpec((None, *size, 3), tf.uint8)


def check_pixels(pixels: np.ndarray, model: keras.Model, *, any_size: bool = False) -> None:
    """Check that pixels are what a model takes: uint8 (N, height, width, 3) at its size.

    Raises
    ------
    ModelError
        When they are not.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> check_pixels(np.zeros((1, 32, 32, 3), "uint8"), tagger)
    """
    size = (None, None) if any_size else model_info(model).preprocessing.size
    wanted = (None, *size, 3)
    if pixels.dtype == np.uint8 and tf.TensorShape(wanted).is_compatible_with(pixels.shape):
        return
    hint = ""
    if pixels.dtype != np.uint8 and pixels.size:
        span = f"{pixels.min():.3g} to {pixels.max():.3g}"
        hint = f" from {span}: bring them to 0 to 255, round, .astype('uint8')"
    raise ModelError(
        f"the model takes uint8 pixels of shape {wanted}, not {pixels.dtype} {pixels.shape}{hint}"
    )


def _key(wanted: Wanted) -> str | int | None:
    if isinstance(wanted, str | None):
        return wanted
    return id(wanted.output if isinstance(wanted, Node) else wanted)


def _tensor(model: keras.Model, wanted: Wanted) -> keras.KerasTensor:
    if wanted is None:
        return model.outputs[0]
    if isinstance(wanted, str):
        return logits(model) if wanted == "logits" else find_node(model, wanted).output
    return wanted.output if isinstance(wanted, Node) else wanted
