r"""Draw what a channel, or an output, looks for: activation maximisation.

As in Lucid (Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017): the picture is a
Fourier spectrum whose frequencies are scaled by :math:`1/f`, as they are in photos, with
decorrelated colours; the network sees it turned, scaled and shifted by a little, anew in each
step. Maximising pixels directly gives noise instead.

Many channels are drawn at once, by one compiled function with the network's weights as constants.
The first half of the steps draws the low half of the frequencies on a picture of half the size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from hotelviz.errors import FeatureVisError
from hotelviz.io.atomic import atomic_path

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from hotelviz.models import Node

__all__ = ["channel_step", "check_channels", "visualize_channels", "visualize_outputs"]

#: Square root of the covariance of ImageNet's colours, scaled to a longest column of 1
#: (lucid/optvis/param/color.py).
_COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], "float32")
_COLOURS /= np.linalg.norm(_COLOURS, axis=0).max()
#: How far the picture is shifted (share of its side), scaled and turned (degrees) before each look.
_SHIFT, _SCALE, _TURN = 0.05, 0.1, 8.0
#: How far all steps together may go, and a single one: few steps are longer ones, so that contrast
#: does not depend on their number.
_WAY, _LONGEST = 6.4, 0.15
#: Adam's decays; gradients fainter than a share of the average are noise, and move little.
_BETA1, _BETA2, _FAINT = 0.9, 0.999, 0.2
#: Contrast of the first picture, noise.
_NOISE = 0.01
#: Pictures that are drawn together; it bounds the memory.
_TOGETHER = 16
#: Stands for the outputs where a layer's name would stand; quoted, no layer is called that.
_OUTPUTS = "=outputs"
#: Half a picture of at least so many pixels a side is drawn first.
_WORTH_HALF = 48


def visualize_channels(
    model: keras.Model,
    layer: str,
    channels: Sequence[int],
    *,
    size: int = 192,
    steps: int = 128,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw what channels look for.

    Parameters
    ----------
    model
        Any flat model.
    layer
        By name, such as ``conv_pw_7``. A convolution is looked at after its batch normalisation
        and before its activation.
    channels
        Their numbers, from 0.
    size
        Height and width of the pictures in pixels, at least 32; independent of the model's input.
    steps
        Of the maximisation. 128 give clear pictures; half of them a first look.
    seed
        A channel's picture depends on it and on nothing else that is drawn beside it.
    cache
        A folder in which pictures are kept, and looked for, by the model's weights.

    Returns
    -------
    numpy.ndarray
        uint8 (len(channels), size, size, 3).

    Raises
    ------
    ModelError
        A layer that is not there or has no height and width; a number instead of its name.
    FeatureVisError
        A channel past the end, or a picture that is too small.

    References
    ----------
    Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017, doi 10.23915/distill.00007.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> visualize_channels(tagger, "conv_pw_2", [0, 3], size=48, steps=2).shape
    (2, 48, 48, 3)
    """
    step = channel_step(model, layer)
    channels = check_channels(step, layer, channels)
    count = int(step.output.shape[-1])

    def objective(outputs: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return tf.reduce_sum(tf.reduce_mean(outputs, axis=(1, 2)) * tf.one_hot(chosen, count))

    return _drawn(model, layer, step.output, objective, channels, size, steps, seed, cache)


def visualize_outputs(
    model: keras.Model,
    classes: Sequence[str] | None = None,
    *,
    size: int = 224,
    steps: int = 256,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw what classes, or scores, look like to a model: what makes their logits largest.

    Parameters
    ----------
    model
        Any flat model.
    classes
        By name; scores are ``"1"`` to ``"10"``. None takes all.
    size, steps, seed, cache
        As in `visualize_channels`.

    Returns
    -------
    numpy.ndarray
        uint8 (len(classes), size, size, 3).

    Raises
    ------
    FeatureVisError
        A class that the model does not know, or a picture that is too small.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> visualize_outputs(tagger, ["Pool"], size=48, steps=2).shape
    (1, 48, 48, 3)
    """
    from hotelviz.errors import did_you_mean
    from hotelviz.models import logits, model_info

    known = model_info(model).classes
    chosen = list(known if classes is None else classes)
    for name in chosen:
        if name not in known:
            raise FeatureVisError(
                f"the model does not know the class {name!r}; it knows {', '.join(known)}"
                f"{did_you_mean(name, known)}"
            )

    def objective(outputs: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return tf.reduce_sum(outputs * tf.one_hot(numbers, len(known)))

    numbers = [known.index(name) for name in chosen]
    return _drawn(model, _OUTPUTS, logits(model), objective, numbers, size, steps, seed, cache)


def channel_step(model: keras.Model, layer: str) -> Node:
    """Give a layer where its channels are looked at.

    Of a convolution that is its batch normalisation, if it has one: scale and sign of what the
    convolution itself gives mean nothing, and models whose batch normalisation was folded into
    their weights could not be compared with others.
    """
    import keras

    from hotelviz.models import iter_nodes, spatial_node

    step = spatial_node(model, layer)
    for other in iter_nodes(model).values():
        if isinstance(other.layer, keras.layers.BatchNormalization) and any(
            tensor is step.output for tensor in other.inputs
        ):
            return other
    return step


def check_channels(step: Node, layer: str, channels: Sequence[int]) -> list[int]:
    """Refuse channels that a layer does not have."""
    count = int(step.output.shape[-1])
    for channel in channels:
        if isinstance(channel, bool) or not isinstance(channel, int | np.integer):
            raise FeatureVisError(f"a channel is a whole number, not {channel!r}")
        if not 0 <= channel < count:
            raise FeatureVisError(
                f"{layer} has the channels 0 to {count - 1}; there is no {channel}"
            )
    return [int(channel) for channel in channels]


def _drawn(
    model: keras.Model,
    name: str,
    tensor: Any,
    objective: Callable[[Any, Any], Any],
    channels: Sequence[int],
    size: int,
    steps: int,
    seed: int,
    cache: str | os.PathLike[str] | None,
) -> np.ndarray:
    if size < 32:
        raise FeatureVisError(f"a picture needs at least 32 pixels a side, not {size}")
    if steps < 1:
        raise FeatureVisError(f"at least one step is needed, not {steps}")
    pictures = {channel: _kept(cache, model, name, channel, size, steps, seed)
                for channel in channels}  # fmt: skip
    missing = [channel for channel, picture in pictures.items() if picture is None]
    for start in range(0, len(missing), _TOGETHER):
        together = missing[start : start + _TOGETHER]
        new = _maximised(model, tensor, objective, together, size, steps, seed)
        for channel, picture in zip(together, new, strict=True):
            pictures[channel] = picture
            if cache is not None:
                file = _file(cache, model, name, channel, size, steps, seed)
                with atomic_path(file) as temporary:
                    Image.fromarray(picture).save(temporary, format="PNG")
    shown = [np.zeros((0, size, size, 3), "uint8")]
    shown += [np.asarray(pictures[channel])[None] for channel in channels]
    return np.concatenate(shown)


def _file(
    cache: str | os.PathLike[str],
    model: keras.Model,
    name: str,
    channel: int,
    size: int,
    steps: int,
    seed: int,
) -> Path:
    from hotelviz.models import weights_hash

    folder = Path(cache) / weights_hash(model)
    file = name if name == _OUTPUTS else quote(name, safe="")
    return folder / f"{file}-{channel}-{size}px-{steps}-{seed}.png"


def _kept(cache: str | os.PathLike[str] | None, *key: Any) -> np.ndarray | None:
    if cache is None:
        return None
    file = _file(cache, *key)
    if not file.is_file():
        return None
    with Image.open(file, formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))


def _maximised(
    model: keras.Model,
    tensor: Any,
    objective: Callable[[Any, Any], Any],
    channels: Sequence[int],
    size: int,
    steps: int,
    seed: int,
) -> np.ndarray:
    """Climb: on half the size first, then on the whole."""
    import tensorflow as tf

    from hotelviz.models import cached_function

    half = size // 2
    # Of a small picture half the size saves less time than compiling for it takes.
    stages = (
        [(half, steps // 2), (size, steps - steps // 2)] if half >= _WORTH_HALF else [(size, steps)]
    )
    chosen = tf.constant(list(channels), tf.int32)
    spectrum = np.stack([_noise(size, (seed, channel)) for channel in channels])
    state = [tf.constant(spectrum), tf.zeros_like(spectrum), tf.zeros_like(spectrum)]
    rate = tf.constant(min(_WAY / max(steps, 1), _LONGEST), tf.float32)
    random = np.random.default_rng(seed)
    number = 0
    for side, count in stages:
        make = partial(_climber, model, tensor, objective, side, size)
        climb = cached_function(model, f"climb {tensor.name} {side} {size}", make)
        for _ in range(count):
            number += 1
            state = climb(*state, tf.constant(float(number)), rate, chosen,
                          tf.constant(_look(random, side)))  # fmt: skip
    pictures = np.asarray(_picture(state[0], size, size))
    return (pictures * 255).round().astype("uint8")


def _noise(size: int, seed: tuple[int, int]) -> np.ndarray:
    """Draw a spectrum: real and imaginary parts, (2, 3, size, size // 2 + 1)."""
    random = np.random.default_rng(seed)
    return random.standard_normal((2, 3, size, size // 2 + 1), "float32") * np.float32(_NOISE)


def _look(random: np.random.Generator, side: int) -> np.ndarray:
    """Draw an affine transform, from what the network sees to the picture, in pixels."""
    scale = 1 / random.uniform(1 - _SCALE, 1 + _SCALE)
    angle = np.deg2rad(random.uniform(-_TURN, _TURN))
    x, y = random.uniform(-_SHIFT, _SHIFT, 2) * side
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    middle = (side - 1) / 2
    return np.array(
        [a, -b, middle - a * middle + b * middle + x, b, a, middle - b * middle - a * middle + y,
         0, 0], "float32",
    )[None]  # fmt: skip


def _picture(spectrum: tf.Tensor, side: int, size: int) -> tf.Tensor:
    """Turn spectra of pictures of `size` into pictures of `side`, values 0 to 1.

    A smaller picture has the low frequencies only; it is the larger one, blurred.
    """
    import tensorflow as tf

    rows = np.fft.fftfreq(size)[:, None]
    frequency = np.hypot(rows, np.fft.rfftfreq(size)[None])
    scale = (1 / np.maximum(frequency, 1 / size)).astype("float32")
    whole = tf.complex(spectrum[:, 0], spectrum[:, 1]) * tf.cast(scale, tf.complex64)
    if side < size:
        low = (side + 1) // 2
        whole = tf.concat([whole[:, :, :low], whole[:, :, low - side :]], axis=2)
        whole = whole[..., : side // 2 + 1]
    # Values keep their size when there are fewer pixels to add up to.
    pixels = tf.signal.irfft2d(whole, [side, side]) * (side / size) ** 2 * size / 4
    colours = tf.einsum("nchw,dc->nhwd", pixels, tf.constant(_COLOURS))
    return tf.sigmoid(colours)


def _climber(
    model: keras.Model,
    tensor: Any,
    objective: Callable[[Any, Any], Any],
    side: int,
    size: int,
) -> Callable[..., Any]:
    """Compile one step: look, differentiate, and move by Adam."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from hotelviz.models import model_info

    preprocessing = model_info(model).preprocessing
    part = keras.Model(model.input, tensor)
    # At any size: the same layers on an input of that size.
    try:
        sized = keras.models.clone_model(part, input_tensors=keras.Input((side, side, 3)))
        sized.set_weights(part.get_weights())
    except Exception as error:  # whatever layers raise that take one size only
        raise FeatureVisError(
            f"the network takes no pictures of {side} x {side} pixels, which this is drawn at: "
            f"{type(error).__name__}: {error}"
        ) from error

    def step(
        spectrum: tf.Tensor, mean: tf.Tensor, square: tf.Tensor, number: tf.Tensor, rate: tf.Tensor,
        chosen: tf.Tensor, look: tf.Tensor,
    ) -> list[tf.Tensor]:  # fmt: skip
        with tf.GradientTape() as tape:
            tape.watch(spectrum)
            seen = tf.raw_ops.ImageProjectiveTransformV3(
                images=_picture(spectrum, side, size), transforms=look,
                output_shape=[side, side], fill_value=0.5, interpolation="BILINEAR",
                fill_mode="REFLECT",
            )  # fmt: skip
            total = objective(sized(preprocessing.scale(seen * 255.0), training=False), chosen)
        slope = tape.gradient(total, spectrum)
        # Adam sees each picture's gradient at the same length: how strong a channel answers must
        # not decide how far its picture moves.
        length = tf.sqrt(tf.reduce_mean(slope**2, axis=(1, 2, 3, 4), keepdims=True))
        slope /= length + 1e-12
        mean = _BETA1 * mean + (1 - _BETA1) * slope
        square = _BETA2 * square + (1 - _BETA2) * slope**2
        move = mean / (1 - _BETA1**number) / (
            tf.sqrt(square / (1 - _BETA2**number)) + _FAINT
        )  # fmt: skip
        return [spectrum + rate * move, mean, square]

    spectra = tf.TensorSpec((None, 2, 3, size, size // 2 + 1), tf.float32)
    concrete = tf.function(
        step,
        input_signature=[
            spectra, spectra, spectra, tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((None,), tf.int32), tf.TensorSpec((1, 8), tf.float32),
        ],
    ).get_concrete_function()  # fmt: skip
    return convert_variables_to_constants_v2(concrete)
