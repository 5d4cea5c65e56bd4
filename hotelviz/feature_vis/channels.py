"""The channels of a layer: where they are looked at, and the kernels that compute them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.errors import FeatureVisError

if TYPE_CHECKING:
    import keras

    from hotelviz.models import Node

#: The layers whose filters the talk shows: 23, 51 and 79 of the Keras of that time.
PUBLISHED_LAYERS = ("conv_pw_3", "conv_pw_7", "conv_pw_11")
#: Cells of a feature map that are compared along each of its sides.
_CELLS = 14


def channel_node(model: keras.Model, layer: str) -> Node:
    """Return a layer where its channels are looked at.

    Of a convolution that is its batch normalisation, if it has one: scale and sign of the
    convolution's own output mean nothing, and models whose batch normalisation was folded into
    their weights could not be compared with others.

    Parameters
    ----------
    model
        Any flat model.
    layer
        By name.

    Raises
    ------
    ModelError
        A layer that is not there or has no height and width.

    Examples
    --------
    >>> from keras import Input, Sequential, layers
    >>> model = Sequential([Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"),
    ...                     layers.BatchNormalization(name="conv_bn")])
    >>> channel_node(model, "conv").name
    'conv_bn'
    """
    import keras

    from hotelviz.models import iter_nodes, spatial_node

    node = spatial_node(model, layer)
    for other in iter_nodes(model).values():
        if isinstance(other.layer, keras.layers.BatchNormalization) and any(
            tensor is node.output for tensor in other.inputs
        ):
            return other
    return node


def activated_node(model: keras.Model, layer: str) -> Node:
    """Return a layer after its batch normalisation and its activation: what the next one is told.

    Parameters
    ----------
    model, layer
        As in `channel_node`.

    Examples
    --------
    >>> from keras import Input, Sequential, layers
    >>> model = Sequential([Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"),
    ...                     layers.BatchNormalization(), layers.ReLU(name="conv_relu")])
    >>> activated_node(model, "conv").name
    'conv_relu'
    """
    import keras

    from hotelviz.models import iter_nodes

    node = channel_node(model, layer)
    kinds = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU)
    takers = [
        other
        for other in iter_nodes(model).values()
        if any(tensor is node.output for tensor in other.inputs)
    ]
    # What several layers take is the sum of a block, or linear: no one activation is the layer's.
    return takers[0] if len(takers) == 1 and isinstance(takers[0].layer, kinds) else node


def some_cells(output: Any) -> Any:
    """Return some cells of a feature map, (N, h, w, channels): neighbours are alike."""
    gap = max(1, output.shape[1] // _CELLS)
    return output[:, gap // 2 :: gap, gap // 2 :: gap]


def checked_channels(node: Node, layer: str, channels: Sequence[int]) -> list[int]:
    """Return channels as numbers; those that a layer does not have are refused."""
    n_channels = int(node.output.shape[-1])
    for channel in channels:
        if isinstance(channel, bool) or not isinstance(channel, int | np.integer):
            raise FeatureVisError(f"a channel is a whole number, not {channel!r}")
        if not 0 <= channel < n_channels:
            raise FeatureVisError(
                f"{layer} has the channels 0 to {n_channels - 1}; there is no {channel}"
            )
    return [int(channel) for channel in channels]


def convolutions(model: keras.Model) -> list[str]:
    """Return the names of a model's convolutions, but for depthwise ones, in order.

    Examples
    --------
    >>> from keras import Input, Sequential, layers
    >>> model = Sequential([Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"),
    ...                     layers.DepthwiseConv2D(3, name="conv_dw")])
    >>> convolutions(model)
    ['conv']
    """
    import keras

    from hotelviz.models import iter_nodes

    return [
        name
        for name, node in iter_nodes(model).items()
        if isinstance(node.layer, keras.layers.Conv2D)
        and not isinstance(node.layer, keras.layers.DepthwiseConv2D)
        and node.output.shape[1] != 1
    ]


def folded_kernel(model: keras.Model, layer: str) -> np.ndarray | None:
    """Return a convolution's kernel with its batch normalisation folded in, (..., channels).

    None for a layer without a kernel.
    """
    import keras

    from hotelviz.models import spatial_node

    convolution, norm = spatial_node(model, layer).layer, channel_node(model, layer).layer
    if getattr(convolution, "kernel", None) is None:
        return None
    values = np.asarray(convolution.kernel)
    if isinstance(convolution, keras.layers.DepthwiseConv2D):
        values = values.reshape(*values.shape[:2], -1)
    if isinstance(norm, keras.layers.BatchNormalization):
        scale = 1 / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
        values = values * (scale if norm.gamma is None else scale * np.asarray(norm.gamma))
    return np.asarray(values)
