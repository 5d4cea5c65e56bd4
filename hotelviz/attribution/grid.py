"""Where the cells of a feature map lie in the photo."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import keras


#: How far a cell of a map is spread, as a share of the distance to the next one: in the drawn demo,
#: half to three quarters lay more peaks on the object than none did.
_SPREAD = 0.75


class Grid(NamedTuple):
    """Where the cells of a feature map lie in the input.

    Attributes
    ----------
    step
        Pixels of the input from one cell to the next.
    start
        Centre of the first cell's receptive field, in pixels from the centre of the first pixel.
    """

    step: float
    start: float


def feature_grid(model: keras.Model, layer: str | None = None) -> Grid:
    """Work out where the cells of a feature map lie in the photo.

    Every convolution and pooling on the way is followed back: a cell looks at the centre of its
    receptive field. TensorFlow pads strided convolutions at the lower right first, which moves
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
        The same for rows and columns: inputs are square.

    References
    ----------
    Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019,
    "Receptive field alignment".

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> feature_grid(build_tagger(["Bed", "Pool"], input_size=64, weights=None))
    Grid(step=32.0, start=31.0)
    """
    from hotelviz.models import last_convolution, pooled_step, spatial_step, steps

    if layer is not None:
        tensor = spatial_step(model, layer).output
    else:
        pooled = pooled_step(model)
        tensor = pooled.inputs[0] if pooled else last_convolution(model).output
    comes_from = {id(step.output): step for step in steps(model).values()}
    step, start = 1.0, 0.0
    while id(tensor) in comes_from:
        place = comes_from[id(tensor)]
        # Branches that meet again look at the same places.
        tensor = place.inputs[0]
        stride, shift = _stride_and_shift(place.layer, tensor.shape[1])
        # A cell at c of this layer's output looks at stride * c + shift of its input.
        start = shift + stride * start
        step *= stride
    return Grid(step, start)


def receptive_field(model: keras.Model, layer: str) -> int:
    """Work out how many pixels of the photo, along each side, a cell of a layer sees.

    Parameters
    ----------
    model
        A flat model.
    layer
        By name.

    Returns
    -------
    int
        Of the widest branch; it may be larger than the photo.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> receptive_field(build_tagger(["Bed", "Pool"], input_size=64, weights=None), "conv_pw_2")
    11
    """
    from hotelviz.models import spatial_step, steps

    wanted = spatial_step(model, layer).output
    # Of each tensor: pixels from cell to cell, and pixels that a cell sees.
    seen: dict[int, tuple[float, float]] = {}
    for step in steps(model).values():
        inputs = [seen.get(id(tensor), (1.0, 1.0)) for tensor in step.inputs]
        stride, reach = _stride_and_reach(step.layer)
        seen[id(step.output)] = (
            inputs[0][0] * stride, max(field + (reach - 1) * gap for gap, field in inputs)
        )  # fmt: skip
        if step.output is wanted:
            break
    return round(seen[id(wanted)][1])


def _stride_and_reach(layer: keras.layers.Layer) -> tuple[int, int]:
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if kernel is None or getattr(layer, "padding", None) is None:
        return 1, 1
    return layer.strides[0], (kernel[0] - 1) * getattr(layer, "dilation_rate", (1,))[0] + 1


def _stride_and_shift(layer: keras.layers.Layer, size: int) -> tuple[int, float]:
    padding = getattr(layer, "padding", None)
    if isinstance(padding, tuple):  # ZeroPadding2D
        return 1, -padding[0][0]
    stride, reach = _stride_and_reach(layer)
    before = 0
    if padding == "same":
        before = max((-(-size // stride) - 1) * stride + reach - size, 0) // 2
    return stride, (reach - 1) / 2 - before


def place(maps: np.ndarray, grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """Enlarge maps to the size of the input, each cell where it looks, smoothly between.

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
    >>> place(np.array([[[0.0, 1.0, 0.0]]]), Grid(step=4, start=2), (1, 12))[0, 0, 4:9].round(2)
    array([0.4 , 0.45, 0.47, 0.45, 0.41], dtype=float32)
    """
    rows, columns = (
        _weights(count, pixels, grid) for count, pixels in zip(maps.shape[1:], size, strict=True)
    )
    return np.asarray(rows @ maps.astype("float32") @ columns.T)


def _weights(cells: int, pixels: int, grid: Grid) -> np.ndarray:
    """Give the matrix that interpolates `cells` values at `pixels` places; edges are held."""
    from scipy.ndimage import gaussian_filter1d

    at = ((np.arange(pixels) - grid.start) / grid.step).clip(0, cells - 1)
    linear = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))
    return np.asarray(gaussian_filter1d(linear, _SPREAD * grid.step, axis=0), "float32")
