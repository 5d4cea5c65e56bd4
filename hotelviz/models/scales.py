"""One network for several sizes of a photo: its feature maps side by side, under one head.

What a network makes of a photo and of a smaller copy differs: in the one it sees how things are
made, in the other how they are arranged. A head can take both.

References
----------
Adelson, Anderson, Bergen, Burt and Ogden: Pyramid methods in image processing, RCA Engineer 29,
1984.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from hotelviz.errors import ModelError
from hotelviz.models.graph import iter_nodes, with_input

#: The layer that joins them, and what the names of all that are added begin with.
_JOINED, _PART = "scales", "scale"


def with_scales(network: keras.Model, n_scales: int) -> keras.Model:
    """Return a network that sees a photo as it is, and at half, a quarter, ... of its size.

    Each size has a copy of the network. The smaller feature maps are repeated at the places of the
    largest, so that global average pooling of the whole gives the mean of each, and what each
    place says can be shown.

    Parameters
    ----------
    network
        Flat, without a head.
    n_scales
        How many sizes, 1 to 3. Of one the network is returned as it is.

    Returns
    -------
    keras.Model
        Flat; layers of the copies have names that begin with ``scale_2_`` and ``scale_4_``. Output
        (N, height, width, channels of all sizes).

    Raises
    ------
    ModelError
        Another number of sizes, an input size at which the maps do not divide each other, or a
        network that sees several sizes already.

    Examples
    --------
    >>> photo = keras.Input((64, 64, 3))
    >>> network = keras.Model(photo, layers.Conv2D(6, 32, 32, name="last")(photo))
    >>> both = with_scales(network, 2)
    >>> both.output_shape, [layer.name for layer in both.layers][-2:]
    ((None, 2, 2, 12), ['scale_2_map', 'scales'])
    """
    if not isinstance(n_scales, int) or not 1 <= n_scales <= 3:
        raise ModelError(f"n_scales={n_scales!r} is not 1, 2 or 3")
    if n_scales == 1:
        return network
    if has_scales(network):
        raise ModelError("the backbone sees several sizes already: leave n_scales at 1")
    maps = [network.output]
    for factor in (2, 4)[: n_scales - 1]:
        name = f"{_PART}_{factor}"
        pixels = layers.AveragePooling2D(factor, name=f"{name}_photo")(network.input)
        copy = _copied(network, _size(pixels), f"{name}_")
        # As `keras.Model.call` does, but for an operation that it adds, which is no layer.
        smaller = keras.Function.call(copy, pixels)
        if _size(smaller) != tuple(side / factor for side in _size(network.output)):
            sides = [" x ".join(map(str, _size(one))) for one in (network.output, smaller)]
            raise ModelError(
                f"feature maps of {sides[0]} and {sides[1]} places do not divide each other: with "
                f"n_scales={n_scales} take an input size that is a multiple of {32 * factor}"
            )
        maps.append(layers.UpSampling2D(factor, name=f"{name}_map")(smaller))
    return keras.Model(network.input, layers.Concatenate(name=_JOINED)(maps), name=network.name)


def has_scales(network: keras.Model) -> bool:
    """Return whether a network is the outcome of `with_scales`."""
    return any(node.layer.name == _JOINED for node in iter_nodes(network).values())


def _size(tensor: Any) -> tuple[int, int]:
    height, width = tensor.shape[1:3]
    return height, width


def _copied(network: keras.Model, size: tuple[int, int], prefix: str) -> keras.Model:
    """Return a copy for photos of another size, with names of its own and the same weights."""

    def named(layer: layers.Layer) -> layers.Layer:
        return type(layer).from_config({**layer.get_config(), "name": f"{prefix}{layer.name}"})

    resized = with_input(network, size, _size(network.input))
    copy = keras.models.clone_model(resized, clone_function=named)
    copy.set_weights(network.get_weights())
    return copy
