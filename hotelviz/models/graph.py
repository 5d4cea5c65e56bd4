"""The graph of a network: its layers in order, the head, the last convolution.

A layer may be used by several models at once, as one is that came out of a nested model. What goes
into it and comes out of it *in this model* is read from the model's graph, never from the layer.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from hotelviz.errors import ModelError, did_you_mean
from hotelviz.models.info import model_info

_POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)


class Node(NamedTuple):
    """A layer where a model uses it.

    Attributes
    ----------
    layer
        With its weights.
    inputs, output
        Symbolic tensors of the model's graph: what `keras.Model` takes as input or output.
    name
        The layer's; of a layer that is used several times ``relu (1 of 3)`` and so on.
    """

    layer: keras.layers.Layer
    inputs: tuple[Any, ...]
    output: Any
    name: str


def iter_nodes(model: keras.Model) -> dict[str, Node]:
    """Return a model's layers with what goes in and comes out, by name, in order of computation.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> list(iter_nodes(build_tagger(["Bed", "Pool"], input_size=32, weights=None)))[:2]
    ['conv1', 'conv1_bn']
    """
    found: dict[int, Node] = {}
    waiting = [(model.outputs[0], False)]
    while waiting:
        tensor, ready = waiting.pop()
        layer, node_index, _ = tensor._keras_history
        if id(tensor) in found or isinstance(layer, layers.InputLayer):
            continue
        inputs = tuple(layer._inbound_nodes[node_index].input_tensors)
        if ready:
            found[id(tensor)] = Node(layer, inputs, tensor, layer.name)
        else:
            waiting += [(tensor, True), *((each, False) for each in reversed(inputs))]
    uses = Counter(node.name for node in found.values())
    numbers: Counter[str] = Counter()
    named: dict[str, Node] = {}
    for node in found.values():
        name = node.name
        if uses[name] > 1:
            numbers[name] += 1
            name = f"{name} ({numbers[name]} of {uses[node.name]})"
        named[name] = node._replace(name=name)
    return named


def flattened(model: keras.Model) -> keras.Model:
    """Take the models inside a model apart; the layers, and so the weights, are the same objects.

    Raises
    ------
    ModelError
        When an inner model cannot be drawn as a graph, or two layers have the same name.
    """
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ModelError(
                f"the model {model.name!r} has no input yet: begin it with keras.Input((height, "
                "width, 3))"
            )
        # The same layers as a graph: a sequence's layers have no inputs of their own to cut at.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ModelError(
            f"the model {getattr(model, 'name', model)!r} is no graph of layers (a class of its "
            "own?): build it with keras.Model(inputs, outputs), so that its layers can be looked at"
        )
    while inner := [layer.name for layer in model.layers if isinstance(layer, keras.Model)]:
        try:
            model = keras.models.clone_model(model, clone_function=_itself, call_function=_inline)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise ModelError(
                f"the model is not flat: {', '.join(inner)} is a model inside it, and cannot be "
                f"taken apart ({error}). Build the head on the backbone's output instead of "
                "calling the backbone as a layer"
            ) from error
    return model


def photo_size(model: keras.Model, size: int | None = None) -> tuple[int, int]:
    """Return height and width of the photos that a model takes.

    Parameters
    ----------
    model
        Of Keras, described or not.
    size
        Both sides, for a model that takes photos of any size.

    Raises
    ------
    ModelError
        It takes any size and none is given, or it takes another one.

    Examples
    --------
    >>> photo_size(keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3)]), 320)
    (320, 320)
    """
    shape = tuple(flattened(model).inputs[0].shape)
    own = shape[1:3] if len(shape) == 4 else (None, None)
    height, width = (side or size for side in own)
    if height is None or width is None:
        raise ModelError(
            "the model takes photos of any size: say with --input-size which it was trained with"
        )
    if size is not None and any(side not in (None, size) for side in own):
        raise ModelError(
            f"the model takes photos of {own[0]} x {own[1]} pixels, not {size} x {size}: leave "
            "--input-size away"
        )
    return height, width


def fitted(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Check a flat model's input and output, and fix the size of an input that takes any.

    Parameters
    ----------
    model
        From `flattened`.
    size
        Height and width of the photos that it is shown.

    Returns
    -------
    keras.Model
        The same layers, with a float32 input of that size.

    Raises
    ------
    ModelError
        Several inputs or outputs, an input of another shape, outputs with places, channels first,
        quantised weights, or layers that remember the photo before.
    """
    model = with_input(model, size, size)
    output = tuple(model.outputs[0].shape)
    if len(output) != 2:
        raise ModelError(
            f"the model's output is {output}, not one row of values for each photo: "
            "end it in layers.Flatten() or a pooling, and a dense layer"
        )
    return model


def check_ends(model: keras.Model) -> None:
    """Refuse a model without exactly one input and one output."""
    n_inputs, n_outputs = len(model.inputs), len(model.outputs)
    if (n_inputs, n_outputs) != (1, 1):
        raise ModelError(
            f"the model has {n_inputs} inputs and {n_outputs} outputs, not one each: make "
            "keras.Model(photo, probabilities) of the two that count"
        )


def with_input(
    model: keras.Model, size: tuple[int, int], given: tuple[int | None, int | None]
) -> keras.Model:
    """Check a flat model's ends and layers; return it with a float32 input of a size.

    The size that it was built with must be the given one, where that is not None.
    """
    check_ends(model)
    if not all(isinstance(end, keras.KerasTensor) for end in (model.input, model.output)):
        # In a list or by name: it would want its photos, and give its outputs, the same way.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    shape, expected = tuple(model.inputs[0].shape), (None, *size, 3)
    # Whatever the batch that it was built with: that is of no more meaning than its size.
    if not tf.TensorShape(shape).is_compatible_with((None, *given, 3)):
        photos = f"photos of {size[0]} x {size[1]} pixels in red, green and blue"
        raise ModelError(
            f"the model's input is {shape}, not {expected}: {photos}. Say the size that it was "
            "built with; one for other than such photos cannot be used"
        )
    dtype = keras.backend.standardize_dtype(model.inputs[0].dtype)
    if "float" not in dtype:
        raise ModelError(
            f"the model's input is {dtype}; it needs float32, to be looked into. "
            "Begin it with keras.Input((height, width, 3))"
        )
    for layer in model.layers:
        if "/" in layer.name:
            raise ModelError(f"layer {layer.name!r}: a name with '/' cannot be saved; rename it")
        if getattr(layer, "data_format", None) == "channels_first":
            raise ModelError(
                f"layer {layer.name!r} has channels first; build it with "
                "data_format='channels_last', which has the same weights"
            )
        if getattr(layer, "quantization_mode", None) is not None:
            raise ModelError(f"layer {layer.name!r} is quantised; take the model before that")
        if getattr(layer, "stateful", False):
            raise ModelError(
                f"layer {layer.name!r} remembers the photos before: build it with stateful=False"
            )
    if shape != expected or dtype != "float32":
        model = _again(model, keras.Input(expected[1:], name=model.inputs[0].name))
    return model


def _again(model: keras.Model, inputs: Any) -> keras.Model:
    """Apply the same layers, with the same weights, to another input."""
    try:
        return keras.models.clone_model(model, input_tensors=inputs, clone_function=_itself)
    except Exception as error:  # whatever someone else's layers raise
        reason = f"{inputs.shape[1]} x {inputs.shape[2]} pixels: {type(error).__name__}: {error}"
        raise ModelError(f"the model cannot be built at {reason}") from error


def _itself(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Return the layer for its copy, so that weights are shared."""
    return layer


def _inline(layer: keras.layers.Layer, *args: Any, **keywords: Any) -> Any:
    """Call a layer, and a model as the layers it is made of."""
    return (layer.call if isinstance(layer, keras.Model) else layer)(*args, **keywords)


def gap_node(model: keras.Model) -> Node | None:
    """Return the global average pooling under the head, where class activation maps are read.

    Parameters
    ----------
    model
        Any flat model.

    Returns
    -------
    Node or None
        None when the head is not global average pooling and one dense layer (dropout and
        activations in between do not matter).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> gap_node(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).layer.name
    'pooled'
    """
    dense_layers = 0
    for node in reversed(iter_nodes(model).values()):
        if isinstance(node.layer, layers.GlobalAveragePooling2D):
            return node if dense_layers == 1 else None
        if isinstance(node.layer, layers.Dense):
            dense_layers += 1
        elif not isinstance(node.layer, layers.Dropout | layers.Activation | layers.Softmax):
            return None
    return None


def split_head(model: keras.Model) -> tuple[Node, list[keras.layers.Layer]]:
    """Return the pooling that the backbone ends with, and the layers of the head after it.

    Raises
    ------
    ModelError
        When the head is not global average pooling and one dense layer.
    """
    pooled = gap_node(model)
    if pooled is None:
        raise ModelError(
            f"{model_info(model).backbone}: the head is not global average pooling and one dense "
            f"layer; it ends in {', '.join(list(iter_nodes(model))[-4:])}"
        )
    order = [node.layer for node in iter_nodes(model).values()]
    return pooled, order[order.index(pooled.layer) + 1 :]


def find_node(model: keras.Model, name: str | int) -> Node:
    """Return a layer by name.

    Parameters
    ----------
    model
        A flat model.
    name
        Of the layer, such as ``conv_pw_7``. Layers have no numbers here: those of one version of
        Keras mean other layers in the next.

    Returns
    -------
    Node

    Raises
    ------
    ModelError
        A number, or an unknown name (with the nearest).

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> find_node(model, "conv").output.shape
    (None, 6, 6, 4)
    """
    nodes = iter_nodes(model)
    if not isinstance(name, str):
        near = [layer.name for layer in model.layers[max(0, name - 2) : max(0, name + 3)]]
        there = f"Near that number there are {', '.join(near)}" if near else _convolutions(nodes)
        raise ModelError(
            f"address the layer by its name, not as {name!r}: numbers change from one version of "
            f"Keras to the next. {there}"
        )
    uses = [other for other, node in nodes.items() if node.layer.name == name]
    if name not in nodes and uses:
        raise ModelError(f"layer {name!r} is used {len(uses)} times; take one: {', '.join(uses)}")
    if name not in nodes:
        hint = f"{did_you_mean(name, list(nodes))}. {_convolutions(nodes)}"
        raise ModelError(f"the model has no layer {name!r}{hint}")
    return nodes[name]


def spatial_node(model: keras.Model, name: str | int) -> Node:
    """Return a layer by name whose output has height and width.

    Parameters
    ----------
    model, name
        As in `find_node`.

    Returns
    -------
    Node

    Raises
    ------
    ModelError
        As `find_node`, or for a layer without height and width.
    """
    node = find_node(model, name)
    if not is_spatial(node.output):
        hint = f"(its output is {node.output.shape}). {_convolutions(iter_nodes(model))}"
        raise ModelError(f"layer {name!r} has no height and width {hint}")
    return node


def _convolutions(nodes: dict[str, Node]) -> str:
    names = [name for name, node in nodes.items() if isinstance(node.layer, layers.Conv2D)]
    shown = names if len(names) <= 6 else [*names[:3], "...", *names[-3:]]
    return f"Convolutions: {', '.join(shown)}" if names else "It has no convolution"


def is_spatial(tensor: Any) -> bool:
    """Return whether a tensor has height and width."""
    return len(tensor.shape) == 4 and tuple(tensor.shape[1:3]) != (1, 1)


def last_convolution(model: keras.Model) -> Node:
    """Return the output of the last convolution, normalised and activated, before any pooling.

    ``conv_pw_13_relu`` for MobileNet, ``block5_conv3`` for VGG16, ``top_activation`` for
    EfficientNet.

    Raises
    ------
    ModelError
        When no layer has an output with height and width.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> last_convolution(build_tagger(["Bed", "Pool"], input_size=64, weights=None)).layer.name
    'conv_pw_13_relu'
    """
    for node in reversed(iter_nodes(model).values()):
        if is_spatial(node.output) and not isinstance(node.layer, _POOLING):
            return node
    raise ModelError(
        f"{model_info(model).backbone}: no layer's output has height and width, so there is "
        "nothing to lay over a photo"
    )
