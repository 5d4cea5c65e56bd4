"""All levels of a network side by side, as one feature map under one head.

How attractive a photo is, light, colours and lines decide as well as what it shows. The last
feature map of a classifier has mostly kept the latter; the maps before it have the rest.

References
----------
Hosu, Goldlücke and Saupe: Effective Aesthetics Prediction with Multi-level Spatially Pooled
Features, CVPR 2019, arXiv 1904.01382.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from keras import layers

from hotelviz.errors import ModelError
from hotelviz.models.graph import Node, is_spatial, iter_nodes, split_head
from hotelviz.models.scales import has_scales

#: What a head takes: the last feature map, or those of all levels.
Features: TypeAlias = Literal["last", "levels"]
_NO_LEVEL = (
    layers.ZeroPadding2D, layers.MaxPooling2D, layers.AveragePooling2D, layers.Concatenate
)  # fmt: skip
#: The layer that joins them, and what the names of all that are added begin with.
_JOINED, _PART = "levels", "level"
#: What the name of the part below zero ends in.
_BELOW = "_below_0"
_NOT_NEGATIVE = (keras.activations.relu, keras.activations.relu6, keras.activations.sigmoid)


def level_nodes(network: keras.Model) -> list[Node]:
    """Return the levels of a network: the last feature map of each size and width.

    Only maps count through which everything passes: of a residual block its sum, not what is
    inside. Nor do those that a narrower one comes after, such as the expansion of a bottleneck.

    Parameters
    ----------
    network
        Flat, without a head: its output has height and width.

    Returns
    -------
    list of Node
        In the order in which they are computed; the last one is the network's output.

    Examples
    --------
    >>> photo = keras.Input((8, 8, 3))
    >>> half = layers.Conv2D(4, 3, 2, "same", activation="relu", name="half")(photo)
    >>> network = keras.Model(photo, layers.Conv2D(6, 2, 2, activation="relu", name="last")(half))
    >>> [node.name for node in level_nodes(network)]
    ['half', 'last']
    """
    nodes = list(iter_nodes(network).values())
    made = {id(node.output): number for number, node in enumerate(nodes)}
    last_use = list(range(len(nodes)))
    reach = 0  # of what has been computed so far, the last use
    for number, node in enumerate(nodes):
        for tensor in node.inputs:
            if id(tensor) in made:
                last_use[made[id(tensor)]] = number
            else:
                reach = number
    found: dict[tuple[int, ...], Node] = {}
    for number, node in enumerate(nodes):
        # Nothing that was made before is used behind this one: all that follows comes through it.
        if reach <= number and (number == len(nodes) - 1 or _has_learned(node, nodes, made)):
            found.pop(size := tuple(node.output.shape[1:]), None)
            found[size] = node
        reach = max(reach, last_use[number])
    levels: list[Node] = []
    for node in reversed(found.values()):
        if not levels or node.output.shape[-1] <= levels[-1].output.shape[-1]:
            levels.append(node)
    return levels[::-1]


def _has_learned(node: Node, nodes: list[Node], made: dict[int, int]) -> bool:
    """Return whether a map comes of a convolution over all channels: no padding, no collection."""
    if not is_spatial(node.output) or isinstance(node.layer, _NO_LEVEL):
        return False
    while len(node.inputs) == 1 and not isinstance(node.layer, layers.Conv2D):
        if isinstance(node.layer, layers.DepthwiseConv2D) or id(node.inputs[0]) not in made:
            return False
        node = nodes[made[id(node.inputs[0])]]
    return True


def with_levels(network: keras.Model) -> keras.Model:
    """Return a network whose output is all its levels side by side, at the size of the last one.

    Each is averaged over the places that one place of the last map covers, so that global average
    pooling of the whole gives the mean of each. A map that may be negative, such as a residual sum,
    comes as two, what is above zero and what is below: parts of a score are then parts of a sum.

    Parameters
    ----------
    network
        Flat, without a head. One that is the outcome of this function is returned as it is.

    Returns
    -------
    keras.Model
        The same layers, and output (N, height, width, channels of all levels).

    Raises
    ------
    ModelError
        An input size at which one level does not divide another, or a network of `with_scales`.

    Examples
    --------
    >>> photo = keras.Input((8, 8, 3))
    >>> half = layers.Conv2D(4, 3, 2, "same", activation="relu", name="half")(photo)
    >>> network = keras.Model(photo, layers.Conv2D(6, 2, 2, activation="relu", name="last")(half))
    >>> with_levels(network).output_shape
    (None, 2, 2, 10)
    """
    if any(layer.name == _JOINED for layer in network.layers):
        return network
    if has_scales(network):
        raise ModelError(
            "a network that sees several sizes of a photo (n_scales) has no levels of one size: "
            "take features='last'"
        )
    size = network.output.shape[1:3]
    parts = [
        _averaged(signed, size, name)
        for node in level_nodes(network)
        for name, signed in _not_negative(node)
    ]
    joined = layers.Concatenate(name=_JOINED)(parts) if len(parts) > 1 else parts[0]
    return keras.Model(network.input, joined, name=network.name)


def without_levels(network: keras.Model) -> keras.Model:
    """Return a network without a head up to its last level: what `with_levels` was given.

    Examples
    --------
    >>> photo = keras.Input((8, 8, 3))
    >>> half = layers.Conv2D(4, 3, 2, "same", activation="relu", name="half")(photo)
    >>> network = keras.Model(photo, layers.Conv2D(6, 2, 2, activation="relu", name="last")(half))
    >>> without_levels(with_levels(network)).output_shape
    (None, 2, 2, 6)
    """
    nodes = list(iter_nodes(network).values())
    if nodes[-1].layer.name != _JOINED:
        return network
    last = [node for node in nodes if not node.layer.name.startswith(_PART)][-1]
    return keras.Model(network.input, last.output, name=network.name)


def level_widths(model: keras.Model) -> tuple[int, ...]:
    """Return how many channels of each level a model's head takes; of one level nothing.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.

    Raises
    ------
    ModelError
        Another head.

    Examples
    --------
    >>> from hotelviz.models import build_aesthetic
    >>> model = build_aesthetic(input_size=32, weights=None, features="levels")
    >>> sum(level_widths(model)) == split_head(model)[0].output.shape[1]
    True
    """
    taken = split_head(model)[0].inputs[0]
    for node in iter_nodes(model).values():
        if node.output is taken and node.layer.name == _JOINED:
            return tuple(int(part.shape[-1]) for part in node.inputs)
    return ()


def kernel_of_levels(model: keras.Model, kernel: np.ndarray) -> np.ndarray:
    """Return a head's weights for all levels that make of them what others make of the last one.

    Parameters
    ----------
    model
        With a head that takes levels.
    kernel
        (channels of the last level, outputs).

    Returns
    -------
    numpy.ndarray
        (channels of all levels, outputs), zeros but for the last level.
    """
    taken = split_head(model)[0].inputs[0]
    joined = next(node for node in iter_nodes(model).values() if node.output is taken)
    rows = [np.zeros((part.shape[-1], kernel.shape[1]), "float32") for part in joined.inputs]
    rows[-1] = kernel
    if joined.inputs[-1]._keras_history[0].name.endswith(_BELOW):
        rows[-2:] = [kernel, -kernel]
    return np.concatenate(rows)


def _not_negative(node: Node) -> list[tuple[str, Any]]:
    """Return a map as it is, or its parts above and below zero where it has both; with names."""
    name, activation = f"{_PART}_{node.layer.name}", getattr(node.layer, "activation", None)
    if isinstance(node.layer, layers.ReLU) or activation in _NOT_NEGATIVE:
        return [(name, node.output)]
    above = layers.ReLU(name=f"{name}_above_0")(node.output)
    turned = layers.Rescaling(-1.0, name=f"{name}_turned")(node.output)
    below = layers.ReLU(name=f"{name}{_BELOW}")(turned)
    return [(f"{name}_up", above), (f"{name}_down", below)]


def _averaged(tensor: Any, size: tuple[int, int], name: str) -> Any:
    """Average a map over the places that one place of a smaller one covers."""
    own = tensor.shape[1:3]
    if tuple(own) == tuple(size):
        return tensor
    times = tuple(max(1, round(side / wanted)) for side, wanted in zip(own, size, strict=True))
    for padding in ("valid", "same"):
        pooling = layers.AveragePooling2D(times, padding=padding, name=name)
        if tuple(pooling.compute_output_shape(tensor.shape)[1:3]) == tuple(size):
            return pooling(tensor)
    raise ModelError(
        f"levels of {own[0]} x {own[1]} and {size[0]} x {size[1]} places do not divide each "
        "other: take an input size that is a multiple of 32, or features='last'"
    )
