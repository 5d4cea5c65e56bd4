"""Find one's way in a network: its layers in order, the head, the last convolution.

A layer may be used by several models at once, as one is that came out of a nested model. What goes
into it and comes out of it *in this model* is read from the model's graph, never from the layer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import layers

from hotelviz.catalog import nearest
from hotelviz.models.description import ModelError, compiled, describe

__all__ = ["Step", "last_convolution", "logits", "pooled_step", "spatial_step", "split_head"]

_POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)


class Step(NamedTuple):
    """A layer where a model uses it.

    Attributes
    ----------
    layer
        With its weights.
    inputs, output
        Symbolic tensors of the model's graph: what `keras.Model` takes as input or output.
    """

    layer: keras.layers.Layer
    inputs: tuple[Any, ...]
    output: Any


def steps(model: keras.Model) -> dict[str, Step]:
    """List a model's layers with what goes in and comes out, by name, in order of computation.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> list(steps(build_tagger(["Bed", "Pool"], input_size=32, weights=None)))[:2]
    ['conv1', 'conv1_bn']
    """
    found: dict[str, Step] = {}
    waiting = [(model.outputs[0], False)]
    while waiting:
        tensor, ready = waiting.pop()
        layer, node_index, _ = tensor._keras_history
        if layer.name in found or isinstance(layer, layers.InputLayer):
            continue
        inputs = tuple(layer._inbound_nodes[node_index].input_tensors)
        if ready:
            found[layer.name] = Step(layer, inputs, tensor)
        else:
            waiting += [(tensor, True), *((each, False) for each in reversed(inputs))]
    return found


def flattened(model: keras.Model) -> keras.Model:
    """Take the models inside a model apart; the layers, and so the weights, are the same objects.

    Raises
    ------
    ModelError
        When an inner model cannot be drawn as a graph, or two layers have the same name.
    """
    if isinstance(model, keras.Sequential):
        # The same layers as a graph: a sequence's layers have no inputs of their own to cut at.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ModelError(
            f"the model {getattr(model, 'name', model)!r} is no graph of layers (a class of its "
            "own?): build it with keras.Model(inputs, outputs), so that its layers can be looked at"
        )
    while inner := [layer.name for layer in model.layers if isinstance(layer, keras.Model)]:
        try:
            model = keras.models.clone_model(
                model, clone_function=lambda layer: layer, call_function=_inline
            )
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise ModelError(
                f"the model is not flat: {', '.join(inner)} is a model inside it, and cannot be "
                f"taken apart ({error}). Build the head on the backbone's output instead of "
                "calling the backbone as a layer"
            ) from error
    return model


def _inline(layer: keras.layers.Layer, *args: Any, **keywords: Any) -> Any:
    """Call a layer, and a model as the layers it is made of."""
    return (layer.call if isinstance(layer, keras.Model) else layer)(*args, **keywords)


def pooled_step(model: keras.Model) -> Step | None:
    """Give the global average pooling under the head, where class activation maps are read.

    Parameters
    ----------
    model
        Any flat model.

    Returns
    -------
    Step or None
        None when the head is not global average pooling and one dense layer (dropout and
        activations in between do not matter).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> pooled_step(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).layer.name
    'pooled'
    """
    dense_layers = 0
    for step in reversed(steps(model).values()):
        if isinstance(step.layer, layers.GlobalAveragePooling2D):
            return step if dense_layers == 1 else None
        if isinstance(step.layer, layers.Dense):
            dense_layers += 1
        elif not isinstance(step.layer, layers.Dropout | layers.Activation | layers.Softmax):
            return None
    return None


def split_head(model: keras.Model) -> tuple[Step, list[keras.layers.Layer]]:
    """Give the pooling that the backbone ends with, and the layers of the head after it.

    Raises
    ------
    ModelError
        When the head is not global average pooling and one dense layer.
    """
    pooled = pooled_step(model)
    if pooled is None:
        raise ModelError(
            f"{describe(model).backbone}: the head is not global average pooling and one dense "
            f"layer; it ends in {', '.join(list(steps(model))[-4:])}"
        )
    order = [step.layer for step in steps(model).values()]
    return pooled, order[order.index(pooled.layer) + 1 :]


def spatial_step(model: keras.Model, name: str | int) -> Step:
    """Give a layer by name, one whose output has height and width.

    Parameters
    ----------
    model
        A flat model.
    name
        Of the layer, such as ``conv_pw_7``. Layers have no numbers here: those of one version of
        Keras mean other layers in the next.

    Returns
    -------
    Step

    Raises
    ------
    ModelError
        A number, an unknown name (with the nearest), or a layer without height and width.
    """
    places = steps(model)
    spatial = [other for other, step in places.items() if _is_spatial(step.output)]
    if not isinstance(name, str):
        order = [layer.name for layer in model.layers]
        near = [other for number, other in enumerate(order) if abs(number - name) <= 2]
        raise ModelError(
            f"address the layer by its name, not as {name!r}: numbers change from one version of "
            "Keras to the next. "
            + (f"Near that number there are {', '.join(near)}" if near else _convolutions(places))
        )
    if name not in places:
        raise ModelError(
            f"the model has no layer {name!r}{nearest(name, list(places))}. {_convolutions(places)}"
        )
    if name not in spatial:
        raise ModelError(
            f"layer {name!r} has no height and width (its output is "
            f"{places[name].output.shape}). {_convolutions(places)}"
        )
    return places[name]


def _convolutions(places: dict[str, Step]) -> str:
    names = [name for name, step in places.items() if isinstance(step.layer, layers.Conv2D)]
    shown = names if len(names) <= 6 else [*names[:3], "...", *names[-3:]]
    return f"Convolutions: {', '.join(shown)}" if names else "It has no convolution"


def _is_spatial(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[1] != 1


def last_convolution(model: keras.Model) -> Step:
    """Give what the last convolution says, normalised and activated, before any pooling.

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
    for step in reversed(steps(model).values()):
        if _is_spatial(step.output) and not isinstance(step.layer, _POOLING):
            return step
    raise ModelError(
        f"{describe(model).backbone}: no layer's output has height and width, so there is nothing "
        "to lay over a photo"
    )


def logits(model: keras.Model) -> Any:
    """Give the outputs before their softmax, as a tensor of the model's graph.

    Softmax makes the gradient of a sure prediction vanish; explanations start from the logits.
    """
    return compiled(model, "logits", lambda: _logits(model))


def _logits(model: keras.Model) -> Any:
    last = list(steps(model).values())[-1]
    kind = getattr(last.layer, "activation", None)
    if isinstance(last.layer, layers.Softmax) or (
        isinstance(last.layer, layers.Activation) and kind is keras.activations.softmax
    ):
        return last.inputs[0]
    if kind is not keras.activations.softmax:
        return last.output
    config = {**last.layer.get_config(), "activation": None, "name": f"{last.layer.name}_logits"}
    linear = type(last.layer).from_config(config)
    outputs = linear(last.inputs[0])
    linear.set_weights(last.layer.get_weights())
    return outputs
