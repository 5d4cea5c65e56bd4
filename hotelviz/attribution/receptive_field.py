"""Receptive fields: where the cells of a feature map lie in the photo."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hotelviz.attribution.geometry import Axis, Places
from hotelviz.attribution.layer_rules import places_behind
from hotelviz.errors import AttributionError

if TYPE_CHECKING:
    import keras


#: How far a cell of a map is spread, as a share of the distance to the next one: in the drawn demo,
#: half to three quarters lay more peaks on the object than none did.
_SPREAD = 0.75


class Grid(NamedTuple):
    """Where the cells of a feature map lie in the input.

    Attributes
    ----------
    rows, columns
        Of each: ``step``, pixels of the input from one cell to the next; ``start``, the centre of
        the first cell's receptive field, in pixels from the centre of the first pixel; ``reach``,
        pixels that a cell sees, were the photo larger; ``first`` and ``last``, the pixels between
        which each cell sees this photo.
    """

    rows: Axis
    columns: Axis

    @property
    def step(self) -> float:
        """Pixels from one cell to the next, where rows and columns have the same."""
        return self._both("step")

    @property
    def start(self) -> float:
        """Centre of the first cell in pixels, where rows and columns have the same."""
        return self._both("start")

    def _both(self, name: str) -> float:
        one, other = getattr(self.rows, name), getattr(self.columns, name)
        if one != other:
            raise AttributionError(
                f"the {name} of this grid is {one} along rows and {other} along columns; take "
                f"grid.rows.{name} and grid.columns.{name}"
            )
        return float(one)


def feature_grid(model: keras.Model, layer: str | None = None) -> Grid:
    """Compute where the cells of a feature map lie in the photo.

    Every layer on the way is followed, along rows and columns apart: a cell looks at the centre of
    its receptive field. TensorFlow pads strided convolutions at the lower right first, which moves
    the centres of MobileNet's cells by half a cell.

    Parameters
    ----------
    model
        A flat model.
    layer
        By name; None takes what is averaged under the head, or else the last convolution.

    Returns
    -------
    Grid

    Raises
    ------
    AttributionError
        When a layer on the way moves places in a way that is not known, such as one of someone's
        own; the message names it. When paths meet that look at different places, or every cell
        sees the whole photo.
    ModelError
        A layer that is not there, or has no height and width.

    References
    ----------
    Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019,
    "Receptive field alignment".

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> grid = feature_grid(build_tagger(["Bed", "Pool"], input_size=64, weights=None))
    >>> grid.step, grid.start
    (32.0, 31.0)
    """
    from hotelviz.models import cached_function, gap_node, last_convolution, spatial_node

    if layer is not None:
        tensor = spatial_node(model, layer).output
    else:
        pooled = gap_node(model)
        tensor = pooled.inputs[0] if pooled else last_convolution(model).output
    found: Grid = cached_function(model, f"grid of {tensor.name}", lambda: _grid(model, tensor))
    return found


def _grid(model: keras.Model, wanted: Any) -> Grid:
    from hotelviz.models import iter_nodes

    nodes = list(iter_nodes(model).values())
    needed = {id(wanted)}
    for node in reversed(nodes):
        if id(node.output) in needed:
            needed.update(map(id, node.inputs))
    on_the_way = [node for node in nodes if id(node.output) in needed]
    rows, columns = model.input.shape[1:3]
    places = {id(model.input): Places(Axis.of_pixels(rows), Axis.of_pixels(columns))}
    for node in on_the_way:
        places[id(node.output)] = places_behind(node, [places[id(each)] for each in node.inputs])
    found, name = places[id(wanted)], on_the_way[-1].name
    if not found.rows.placed or not found.columns.placed:
        raise AttributionError(
            f"every cell of layer {name!r} sees the whole photo: it has no place in it"
        )
    return Grid(found.rows, found.columns)


def receptive_field(model: keras.Model, layer: str) -> int:
    """Compute how many pixels of the photo, along its side, a cell of a layer sees.

    Parameters
    ----------
    model
        A flat model.
    layer
        By name.

    Returns
    -------
    int
        Of the longer side, from the first pixel to the last; it may be larger than the photo. For
        both sides, and for each cell, see `feature_grid`.

    Raises
    ------
    AttributionError, ModelError
        As `feature_grid`.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> receptive_field(build_tagger(["Bed", "Pool"], input_size=64, weights=None), "conv_pw_2")
    11
    """
    return math.ceil(max(axis.reach for axis in feature_grid(model, layer)))


def upsample_to_input(maps: np.ndarray, grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """Return maps at the size of the input, each cell where it looks, smooth between.

    Bilinear interpolation alone would put every peak at the centre of a cell. A cell speaks for
    its surroundings: it is spread by three quarters of the distance to the next one.

    Parameters
    ----------
    maps
        float (N, h, w).
    grid
        From `feature_grid`.
    size
        Height and width of the input in pixels.

    Returns
    -------
    numpy.ndarray
        float32 (N, height, width).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> grid = feature_grid(build_tagger(["Bed", "Pool"], input_size=96, weights=None))
    >>> cells = np.array([[[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]])
    >>> placed = upsample_to_input(cells, grid, (96, 96))[0]
    >>> [int(at) for at in np.unravel_index(placed.argmax(), placed.shape)]
    [63, 63]
    """
    rows, columns = (
        _weights(count, pixels, axis)
        for count, pixels, axis in zip(maps.shape[1:], size, grid, strict=True)
    )
    return np.asarray(rows @ maps.astype("float32") @ columns.T)


def _weights(cells: int, pixels: int, axis: Axis) -> np.ndarray:
    """Return the matrix that interpolates `cells` values at `pixels` places; edges are held."""
    from scipy.ndimage import gaussian_filter1d

    at = ((np.arange(pixels) - axis.start) / axis.step).clip(0, cells - 1)
    linear = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))
    # Held beyond the edge, too: mirrored there, it would draw the peaks beside it towards the edge.
    spread = gaussian_filter1d(linear, _SPREAD * axis.step, axis=0, mode="nearest")
    return np.asarray(spread, "float32")
