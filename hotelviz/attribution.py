"""Which pixels led to this prediction?

Class activation maps (Zhou et al. 2016, arXiv 1512.04150): with global average pooling under one
dense layer, the score of class :math:`c` is :math:`b_c + \\sum_k w_{kc} \\, \\mathrm{mean}_{xy}
f_k(x, y)`, so :math:`M_c(x, y) = \\sum_k w_{kc} f_k(x, y)` says how much each place of the last
feature map contributes to it. It takes one forward pass, and no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.catalog import nearest

if TYPE_CHECKING:
    import keras

__all__ = ["COLORMAP", "AttributionError", "cam", "colour_bar", "overlay", "upsample"]

#: Perceptually uniform, and safe for colour-blind eyes.
COLORMAP = "inferno"


class AttributionError(ValueError):
    """A map cannot be had for this model or this target."""


def cam(
    model: keras.Model,
    pixels: np.ndarray,
    target: str | Sequence[str] | None = None,
    *,
    normalize: bool = True,
    batch_size: int = 64,
) -> np.ndarray:
    """Compute class activation maps in one forward pass.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.
    pixels
        uint8 (N, height, width, 3) at the model's size, as `hotelviz.images.read_image` gives it.
    target
        The class whose evidence is shown: one for all photos, or one for each. None takes the
        class that the model predicts.
    normalize
        Keep what speaks *for* the class and scale each map to a maximum of 1: values 0 to 1, all
        zero where nothing speaks for it. Without, the signed contributions themselves, whose mean
        over a map is the class's logit less its bias.
    batch_size
        Photos per forward pass; it bounds the memory.

    Returns
    -------
    numpy.ndarray
        float32 (N, h, w) at the resolution of the last feature map, 7 x 7 for MobileNet at 224.

    Raises
    ------
    AttributionError
        When the head is another one, or a class is not the model's.

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, arXiv 1512.04150, eq. 2.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> cam(tagger, np.zeros((3, 64, 64, 3), "uint8"), "Pool").shape
    (3, 2, 2)
    """
    from hotelviz.models import compiled, describe

    classes = describe(model).classes
    chosen = _class_numbers(target, classes, len(pixels))
    run = compiled(model, "cam", lambda: _cam_function(model))
    parts = [
        np.asarray(run(pixels[start : start + batch_size], chosen[start : start + batch_size]))
        for start in range(0, len(pixels), batch_size)
    ]
    if not parts:
        return np.zeros((0, 1, 1), "float32")
    maps = np.concatenate(parts)
    if not normalize:
        return maps
    maps = np.maximum(maps, 0)
    peak = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0)


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

    from hotelviz.models import describe, pooled_layer

    pooled = pooled_layer(model)
    if pooled is None:
        raise AttributionError(
            "class activation maps need a head of global average pooling and one dense layer; "
            f"this model ends in {', '.join(layer.name for layer in model.layers[-4:])}"
        )
    dense = next(layer for layer in model.layers[::-1] if isinstance(layer, keras.layers.Dense))
    both = keras.Model(model.input, [pooled.input, model.output])
    scale = describe(model).preprocessing.scale

    @tf.function(reduce_retracing=True)
    def run(pixels: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        features, outputs = both(scale(tf.cast(pixels, tf.float32)), training=False)
        predicted = tf.argmax(outputs, axis=1, output_type=tf.int32)
        kernel = tf.transpose(tf.convert_to_tensor(dense.kernel))
        weights = tf.gather(kernel, tf.where(chosen < 0, predicted, chosen))
        return tf.einsum("nhwk,nk->nhw", tf.cast(features, tf.float32), weights)

    return run


def upsample(activation: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a map to a photo's size, bilinearly.

    Parameters
    ----------
    activation
        float (h, w).
    size
        Height and width in pixels.

    Returns
    -------
    numpy.ndarray
        float32 (height, width), within the range of the map.

    Examples
    --------
    >>> upsample(np.eye(2), (4, 4)).round(2)[0]
    array([1.  , 0.75, 0.25, 0.  ], dtype=float32)
    """
    from PIL import Image

    image = Image.fromarray(np.asarray(activation, "float32"))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


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
        float (h, w) with values 0 to 1, stretched over the photo.
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

    values = upsample(activation, image.shape[:2]).clip(0, 1)
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
