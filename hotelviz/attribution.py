r"""Find the pixels that led to a prediction.

Class activation maps (Zhou et al. 2016, arXiv 1512.04150): with global average pooling under one
dense layer, the score of class :math:`c` is :math:`b_c + \sum_k w_{kc} \, \mathrm{mean}_{xy}
f_k(x, y)`, so :math:`M_c(x, y) = \sum_k w_{kc} f_k(x, y)` says how much each place of the last
feature map contributes to it. It takes one forward pass, and no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hotelviz.catalog import nearest

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = [
    "COLORMAP",
    "AttributionError",
    "Grid",
    "cam",
    "cam_photos",
    "class_contributions",
    "colour_bar",
    "feature_grid",
    "overlay",
    "place",
]

#: Perceptually uniform, and safe for colour-blind eyes.
COLORMAP = "inferno"


class AttributionError(ValueError):
    """A map cannot be had for this model or this target."""


def cam(
    model: keras.Model,
    pixels: np.ndarray,
    target: str | Sequence[str] | None = None,
    *,
    batch_size: int = 64,
) -> np.ndarray:
    """Compute class activation maps, one forward pass a batch.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.
    pixels
        uint8 (N, height, width, 3) at the model's size, as `hotelviz.images.read_image` gives it.
    target
        The class whose evidence is shown: one for all photos, or one for each. None takes the
        class that the model predicts.
    batch_size
        Photos per forward pass; it bounds the memory.

    Returns
    -------
    numpy.ndarray
        float32 (N, height, width): what speaks *for* the class, scaled to a maximum of 1 in each
        map; all zero where nothing does.

    Raises
    ------
    AttributionError
        When the head is another one, or a class is not the model's.

    Notes
    -----
    Each cell of the last feature map is laid where its receptive field is centred, see
    `feature_grid`. Stretching the map over the photo instead, as is often done, shifts every map
    to the upper left by half a cell (16 of 224 pixels for MobileNet).

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, arXiv 1512.04150, eq. 2.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> cam(tagger, np.zeros((3, 64, 64, 3), "uint8"), "Pool").shape
    (3, 64, 64)
    """
    signed = class_contributions(model, pixels, target, batch_size=batch_size)
    maps = place(np.maximum(signed, 0), feature_grid(model), pixels.shape[1:3])
    peak = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0)


def cam_photos(
    model: keras.Model,
    paths: Sequence[str] | pd.Series,
    target: str | Sequence[str] | None = None,
) -> np.ndarray:
    """Compute class activation maps of photo files, decoded as the model wants them.

    Parameters
    ----------
    model, target
        As in `cam`.
    paths
        Of the photos.

    Returns
    -------
    numpy.ndarray
        float32 (N, height, width) as in `cam`; zero for a photo that cannot be read.

    Raises
    ------
    AttributionError
        As in `cam`.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> cam_photos(tagger, ["lost.jpg"], "Pool").max()
    np.float32(0.0)
    """
    from hotelviz.images import iterate_images
    from hotelviz.models import describe

    preprocessing = describe(model).preprocessing
    count = len(paths)
    names = None if target is None else [target] * count if isinstance(target, str) else target
    maps = np.zeros((count, *preprocessing.size), "float32")
    for batch in iterate_images(paths, size=preprocessing.size, resample=preprocessing.resample):
        if len(batch.rows):
            wanted = None if names is None else [list(names)[row] for row in batch.rows]
            maps[batch.rows] = cam(model, batch.pixels, wanted)
    return maps


def class_contributions(
    model: keras.Model,
    pixels: np.ndarray,
    target: str | Sequence[str] | None = None,
    *,
    batch_size: int = 64,
) -> np.ndarray:
    """Compute what each cell of the last feature map contributes to a class.

    Parameters
    ----------
    model, pixels, target, batch_size
        As in `cam`.

    Returns
    -------
    numpy.ndarray
        float32 (N, h, w), signed; the mean over a map is the class's logit less its bias. 7 x 7
        for MobileNet at 224 pixels.

    Raises
    ------
    AttributionError
        As in `cam`.
    """
    from hotelviz.models import compiled, describe

    classes = describe(model).classes
    chosen = _class_numbers(target, classes, len(pixels))
    run = compiled(model, "cam", lambda: _cam_function(model))
    parts = [
        run(pixels[start : start + batch_size], chosen[start : start + batch_size])[0]
        for start in range(0, len(pixels), batch_size)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 1, 1), "float32")


def _class_numbers(
    target: str | Sequence[str] | None, classes: tuple[str, ...], count: int
) -> np.ndarray:
    if target is None:
        return np.full(count, -1, "int32")
    names = [target] * count if isinstance(target, str) else list(target)
    if len(names) != count:
        raise AttributionError(f"{len(names)} targets were given for {count} photos")
    for name in names:
        if name not in classes:
            raise AttributionError(
                f"the model does not know the class {name!r}; it knows {', '.join(classes)}"
                f"{nearest(name, classes)}"
            )
    return np.array([classes.index(name) for name in names], "int32")


def _cam_function(model: keras.Model) -> Callable[..., Any]:
    import keras
    import tensorflow as tf

    from hotelviz.models import describe, frozen

    pooled = _pooled(model)
    dense = next(layer for layer in model.layers[::-1] if isinstance(layer, keras.layers.Dense))
    both = keras.Model(model.input, [pooled.input, model.output])
    preprocessing = describe(model).preprocessing

    def run(pixels: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        features, outputs = both(preprocessing.scale(tf.cast(pixels, tf.float32)), training=False)
        predicted = tf.argmax(outputs, axis=1, output_type=tf.int32)
        kernel = tf.transpose(tf.convert_to_tensor(dense.kernel))
        weights = tf.gather(kernel, tf.where(chosen < 0, predicted, chosen))
        return tf.einsum("nhwk,nk->nhw", tf.cast(features, tf.float32), weights)

    return frozen(
        run,
        tf.TensorSpec((None, *preprocessing.size, 3), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    )


def _pooled(model: keras.Model) -> keras.layers.Layer:
    from hotelviz.models import pooled_layer

    pooled = pooled_layer(model)
    if pooled is None:
        raise AttributionError(
            "class activation maps need a head of global average pooling and one dense layer; "
            f"this model ends in {', '.join(layer.name for layer in model.layers[-4:])}"
        )
    return pooled


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


def feature_grid(model: keras.Model) -> Grid:
    """Work out where the cells of the last feature map lie in the photo.

    Every convolution and pooling on the way is followed back: a cell looks at the centre of its
    receptive field. TensorFlow pads strided convolutions at the lower right first, which moves
    the centres of MobileNet's cells by half a cell.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.

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
    import keras

    step, start = 1.0, 0.0
    tensor = _pooled(model).input
    while True:
        layer = tensor._keras_history.operation
        if isinstance(layer, keras.layers.InputLayer):
            return Grid(step, start)
        # Branches that meet again look at the same places.
        inputs = layer.input[0] if isinstance(layer.input, list) else layer.input
        stride, shift = _stride_and_shift(layer, inputs.shape[1])
        # A cell at c of this layer's output looks at stride * c + shift of its input.
        start = shift + stride * start
        step *= stride
        tensor = inputs


def _stride_and_shift(layer: keras.layers.Layer, size: int) -> tuple[int, float]:
    padding = getattr(layer, "padding", None)
    if isinstance(padding, tuple):  # ZeroPadding2D
        return 1, -padding[0][0]
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if kernel is None or padding is None:
        return 1, 0.0
    stride, dilation = layer.strides[0], getattr(layer, "dilation_rate", (1,))[0]
    reach = (kernel[0] - 1) * dilation + 1
    before = 0
    if padding == "same":
        before = max((-(-size // stride) - 1) * stride + reach - size, 0) // 2
    return stride, (reach - 1) / 2 - before


def place(maps: np.ndarray, grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """Enlarge maps to the size of the input, each cell where it looks, bilinearly between.

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
    >>> place(np.array([[[0.0, 1.0]]]), Grid(step=2, start=1), (1, 4))[0, 0]
    array([0. , 0. , 0.5, 1. ], dtype=float32)
    """
    rows, columns = (
        _weights(count, pixels, grid) for count, pixels in zip(maps.shape[1:], size, strict=True)
    )
    return np.asarray(rows @ maps.astype("float32") @ columns.T)


def _weights(cells: int, pixels: int, grid: Grid) -> np.ndarray:
    """Give the matrix that interpolates `cells` values at `pixels` places; edges are held."""
    at = ((np.arange(pixels) - grid.start) / grid.step).clip(0, cells - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells))).astype("float32")


def overlay(
    image: np.ndarray, activation: np.ndarray, *, alpha: float = 0.55, cmap: str = COLORMAP
) -> np.ndarray:
    """Lay a map over its photo.

    Where the map is low the photo stays as it is, only greyer and darker, so that bright colours
    are always the map's and never the photo's.

    Parameters
    ----------
    image
        uint8 (H, W, 3).
    activation
        From `cam`: float (h, w) with values 0 to 1, stretched over the photo.
    alpha
        How much the colours cover the photo, 0 to 1.
    cmap
        A matplotlib colour map; a perceptually uniform one does not invent edges.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3).

    Examples
    --------
    >>> overlay(np.zeros((4, 4, 3), "uint8"), np.ones((2, 2))).shape
    (4, 4, 3)
    """
    import matplotlib
    from PIL import Image

    whole = Image.fromarray(np.asarray(activation, "float32"))
    size = (image.shape[1], image.shape[0])
    values = np.asarray(whole.resize(size, Image.Resampling.BILINEAR)).clip(0, 1)
    colours = matplotlib.colormaps[cmap](values)[..., :3] * 255
    grey = image @ np.array([0.299, 0.587, 0.114])
    return (grey[..., None] * (1 - alpha) + colours * alpha).round().astype("uint8")


def colour_bar(*, cmap: str = COLORMAP, steps: int = 9) -> str:
    """Give the colours of `overlay` as a CSS gradient from low (0) to high (1).

    Parameters
    ----------
    cmap
        As in `overlay`.
    steps
        How many colours the gradient passes through.

    Returns
    -------
    str
        ``linear-gradient(to right, #000004, ...)``.

    Examples
    --------
    >>> colour_bar(steps=2)
    'linear-gradient(to right, #000004, #fcffa4)'
    """
    import matplotlib
    from matplotlib.colors import to_hex

    colours = [to_hex(matplotlib.colormaps[cmap](i / (steps - 1))) for i in range(steps)]
    return f"linear-gradient(to right, {', '.join(colours)})"
