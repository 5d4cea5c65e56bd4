"""What a network's outputs are: the activation it ends in, its logits, its probabilities.

Everything here reads outputs as probabilities that sum to 1, and explains them from the logits
before their softmax. Other people's networks end in other things: those are converted where that is
exact, and refused otherwise.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import numpy as np
from keras import layers, ops

from hotelviz.errors import ModelError, check_choice
from hotelviz.models.compilation import cached_function
from hotelviz.models.graph import Node, iter_nodes
from hotelviz.models.preprocessing import Preprocessing

Outputs: TypeAlias = Literal["logits", "probabilities", "sigmoid"]
OUTPUTS: tuple[Outputs, ...] = ("logits", "probabilities", "sigmoid")

#: Layers after the last activation that only change the shape, or nothing.
_PASSING = (layers.Dropout, layers.Flatten, layers.Identity, layers.Reshape)
#: Layers that are an activation themselves.
_ACTIVATIONS = (layers.ELU, layers.LeakyReLU, layers.PReLU, layers.ReLU, layers.Softmax)
#: How far sums may be from 1: half precision has three digits.
_SUM = 2e-3


_ONE_SIGMOID = (
    ", a single unit: give both classes, the one that 0 stands for first, and outputs='sigmoid' "
    "(--outputs sigmoid)"
)
_SIGMOIDS = (
    ": each class has a probability of its own, and they do not sum to 1. outputs='sigmoid' makes "
    "them the probabilities of the classes given that exactly one is true (--outputs sigmoid)"
)


_ALL_CLASSES = (
    "name one for each output, in their order; aesthetic and technical models have ten, the scores "
    "1 to 10"
)


class Ending(NamedTuple):
    """How a network ends.

    Attributes
    ----------
    kind
        The last activation by name, ``linear`` for none; ``unknown`` for code of its own.
    node
        The layer that applies it.
    fused
        Whether that layer does more than that, such as a dense layer with an activation.
    tail
        Layers after it that only change the shape.
    """

    kind: str
    node: Node
    fused: bool
    tail: tuple[Node, ...]

    def __str__(self) -> str:
        activation = "" if self.kind in ("linear", "unknown") else f", {self.kind}"
        return f"{self.node.name!r} ({type(self.node.layer).__name__}{activation})"


def ending(model: keras.Model) -> Ending:
    """Return how a network ends.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> ending(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).kind
    'softmax'
    """
    made_by = {id(node.output): node for node in iter_nodes(model).values()}
    node = made_by[id(model.outputs[0])]
    tail: list[Node] = []
    while _passes(node) and id(node.inputs[0]) in made_by:
        tail.insert(0, node)
        node = made_by[id(node.inputs[0])]
    layer, kind, fused = node.layer, "linear", False
    if not type(layer).__module__.startswith("keras.") or isinstance(layer, layers.Lambda):
        kind = "unknown"
    elif isinstance(layer, _ACTIVATIONS) or type(layer).__module__ == "keras.src.ops.nn":
        kind = type(layer).__name__.lower()
        axis, rank = getattr(layer, "axis", -1), len(node.output.shape)
        kind = "unknown" if kind == "softmax" and axis not in (-1, rank - 1) else kind
    elif getattr(layer, "activation", None) is not None:
        function = layer.activation
        own = not str(getattr(function, "__module__", "")).startswith("keras.")
        kind = "unknown" if own else str(getattr(function, "__name__", type(function).__name__))
        fused = not isinstance(layer, layers.Activation)
    return Ending(kind, node, fused, tuple(tail))


def _passes(node: Node) -> bool:
    layer = node.layer
    if isinstance(layer, layers.Activation):
        return layer.activation is keras.activations.linear
    shape = node.inputs[0].shape[1:]
    return isinstance(layer, _PASSING) and int(np.prod(shape)) == shape[-1]


def logits(model: keras.Model) -> Any:
    """Return the outputs before their softmax, as a tensor of the model's graph.

    Softmax makes the gradient of a certain prediction vanish; explanations start from the logits.
    Probabilities that no softmax returns, such as an average of two networks, have their logarithms
    as logits: the softmax of these is the same probabilities.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> logits(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).shape
    (None, 2)
    """
    return cached_function(model, "logits", lambda: _logits(model))


def _logits(model: keras.Model) -> Any:
    end = ending(model)
    return _before(end) if end.kind == "softmax" else ops.log(ops.maximum(model.outputs[0], 1e-37))


def _before(end: Ending) -> Any:
    """Return the outputs without the last activation."""
    tensor = end.node.inputs[0]
    if end.fused:
        layer = end.node.layer
        changes = {"activation": None, "name": f"{layer.name}_logits"}
        copy = type(layer).from_config({**layer.get_config(), **changes})
        tensor = copy(tensor)
        copy.set_weights(layer.get_weights())
    for node in end.tail:
        tensor = node.layer(tensor)
    return tensor


def as_probabilities(
    model: keras.Model, n_classes: int, preprocessing: Preprocessing, outputs: Outputs | None
) -> keras.Model:
    """Return a network whose outputs are probabilities that sum to 1, in float32.

    Parameters
    ----------
    model
        A flat one.
    n_classes
        How many classes there are.
    preprocessing
        How photos are prepared; a few drawn ones are shown to a network that has no softmax.
    outputs
        What the outputs are; None goes by the network.

    Returns
    -------
    keras.Model
        The model itself where nothing was to be done.

    Raises
    ------
    ModelError
        When they are none, and it was not said what they are, or they are not what was said.
    """
    if outputs is not None:
        check_choice(outputs, OUTPUTS, "outputs", ModelError)
    end = ending(model)
    units = int(model.output_shape[-1])
    single = units == 1 and end.kind == "sigmoid"
    two = single and n_classes == 2
    if end.kind == "unknown":
        raise ModelError(
            f"the model ends in {end}, which cannot be looked into: end it before that "
            "layer and say outputs='logits', or in layers.Softmax()"
        )
    if end.kind == "sigmoid" and outputs != "sigmoid":
        raise ModelError(f"the model ends in {end}{_ONE_SIGMOID if single else _SIGMOIDS}")
    unlike = (outputs == "sigmoid") != (end.kind == "sigmoid")
    if unlike or (outputs, end.kind) == ("logits", "softmax"):
        raise ModelError(
            f"outputs={outputs!r}, but the model ends in {end}: leave it away, "
            "or say what these outputs are"
        )
    if units != n_classes and not two:
        hint = f"it ends in {end}{_ONE_SIGMOID}" if single else _ALL_CLASSES
        raise ModelError(
            f"the model has {units} outputs, but {n_classes} classes were given: {hint}"
        )
    if end.kind == "softmax":
        if keras.backend.standardize_dtype(model.outputs[0].dtype) == "float32":
            return model
    elif end.kind != "sigmoid" and not _is_converted(model, end, preprocessing, outputs):
        return model
    return _with_softmax(model, end, two)


def _is_converted(
    model: keras.Model, end: Ending, preprocessing: Preprocessing, outputs: Outputs | None
) -> bool:
    """Return whether outputs are logits that get a softmax, rather than probabilities already."""
    seen = probe(model, preprocessing)
    sums = seen.sum(axis=1)
    what = (
        f"its outputs go from {seen.min():.3g} to {seen.max():.3g} and sum to {sums.min():.3g} to "
        f"{sums.max():.3g} on a few pictures"
    )
    distributions = bool(seen.min() >= 0 and np.abs(sums - 1).max() <= _SUM)
    if end.kind not in ("linear", "logsoftmax", "log_softmax"):
        raise ModelError(
            f"the model ends in {end}, and {what}: these are neither probabilities nor "
            "logits. End it before that activation and say outputs='logits'"
        )
    if outputs == "logits" and distributions:
        raise ModelError(
            f"outputs='logits', but {what}: these are probabilities already: leave it away"
        )
    if outputs == "logits" or distributions:
        return outputs == "logits"
    raise ModelError(
        f"the model ends in {end} without a softmax, and {what}: these are no "
        "probabilities. If they are logits, outputs='logits' adds the softmax (--outputs logits)"
    )


def probe(model: keras.Model, preprocessing: Preprocessing) -> np.ndarray:
    """Compute a network's outputs for four drawn pictures, float64 (4, outputs).

    Raises
    ------
    ModelError
        When it cannot be run, or gives values that are no numbers.
    """
    height, width = preprocessing.size
    pictures = np.zeros((4, height, width, 3), "float32")
    pictures[1] = 255
    pictures[2] = np.linspace(0, 255, width)[:, None]
    pictures[3] = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    try:
        found = np.asarray(model(preprocessing.scale(pictures), training=False), "float64")
    except Exception as error:  # whatever someone else's layers raise
        reason = f"{height} x {width} pixels: {type(error).__name__}: {error}"
        raise ModelError(f"the model cannot be run on pictures of {reason}") from error
    if not np.isfinite(found).all():
        raise ModelError("the model gives values that are no numbers (NaN or infinite)")
    return found


def _with_softmax(model: keras.Model, end: Ending, two: bool) -> keras.Model:
    """Return a network that ends in a softmax in float32, in place of its last activation."""
    dense = end.node
    if two and not end.fused:
        made_by = {id(node.output): node for node in iter_nodes(model).values()}
        dense = made_by.get(id(end.node.inputs[0]), end.node)
    if type(dense.layer) is layers.Dense and (end.fused or two) and not end.tail:
        output = _dense(dense, two)
    elif two:
        raise ModelError(
            f"the model ends in {end}, a single unit that is no dense layer's: end it "
            "in a dense layer of two units with softmax"
        )
    else:
        taken = {node.layer.name for node in iter_nodes(model).values()}
        name = next(n for n in ("probabilities", "softmax", None) if n not in taken)
        before = _before(end) if end.kind in ("softmax", "sigmoid") else model.outputs[0]
        output = layers.Softmax(dtype="float32", name=name)(before)
    return keras.Model(model.inputs[0], output, name=model.name)


def _dense(node: Node, two: bool) -> Any:
    """Apply a copy of a dense layer with softmax; of one sigmoid, with a second unit that is 0."""
    layer = node.layer
    weights = [np.asarray(each, "float32") for each in layer.get_weights()]
    if two:
        weights = [np.concatenate([np.zeros_like(each), each], axis=-1) for each in weights]
    copy = layers.Dense(
        weights[0].shape[-1], activation="softmax", use_bias=layer.use_bias, dtype="float32",
        name=layer.name,
    )  # fmt: skip
    output = copy(node.inputs[0])
    copy.set_weights(weights)
    return output
