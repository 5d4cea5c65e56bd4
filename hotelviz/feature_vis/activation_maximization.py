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
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from hotelviz.errors import FeatureVisError, did_you_mean
from hotelviz.feature_vis.channels import channel_node, checked_channels
from hotelviz.feature_vis.fourier import noise_spectrum, picture_of
from hotelviz.io.atomic import atomic_path

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

#: How far the picture is shifted (share of its side), scaled and turned (degrees) before each look.
_SHIFT, _SCALE, _TURN = 0.05, 0.1, 8.0
#: How far all steps together may go, and a single one: few steps are longer ones, so that contrast
#: does not depend on their number.
_WAY, _LONGEST = 6.4, 0.15
#: Adam's decays; gradients fainter than a share of the average are noise, and move little.
_BETA1, _BETA2, _FAINT = 0.9, 0.999, 0.2
#: Pictures that are drawn together; it bounds the memory.
_TOGETHER = 16
#: Half a picture of at least so many pixels a side is drawn first.
_WORTH_HALF = 48


class _Task(NamedTuple):
    """What is maximised, a tensor with the file name of its pictures, and how."""

    model: keras.Model
    name: str
    tensor: Any
    size: int
    steps: int
    seed: int


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
    """Draw what channels look for, by activation maximisation.

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
    node = channel_node(model, layer)
    channels = checked_channels(node, layer, channels)

    task = _Task(model, quote(layer, safe=""), node.output, size, steps, seed)
    return _pictures(task, channels, cache)


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
    from hotelviz.models import logits, model_info

    known = model_info(model).classes
    chosen = list(known if classes is None else classes)
    for name in chosen:
        if name not in known:
            raise FeatureVisError(
                f"the model does not know the class {name!r}; it knows {', '.join(known)}"
                f"{did_you_mean(name, known)}"
            )

    # No layer's quoted name begins like that.
    task = _Task(model, "=outputs", logits(model), size, steps, seed)
    return _pictures(task, [known.index(name) for name in chosen], cache)


def _pictures(
    task: _Task, channels: Sequence[int], cache: str | os.PathLike[str] | None
) -> np.ndarray:
    """Return the pictures of channels, (len(channels), size, size, 3), cached ones from files."""
    from hotelviz.models import weights_hash

    _, name, _, size, steps, seed = task
    if size < 32:
        raise FeatureVisError(f"a picture needs at least 32 pixels a side, not {size}")
    if steps < 1:
        raise FeatureVisError(f"at least one step is needed, not {steps}")
    files: dict[int, Path] = {}
    if cache is not None:
        folder, end = Path(cache) / weights_hash(task.model), f"{size}px-{steps}-{seed}.png"
        files = {channel: folder / f"{name}-{channel}-{end}" for channel in channels}
    pictures = {channel: _read(file) for channel, file in files.items() if file.is_file()}
    missing = [channel for channel in dict.fromkeys(channels) if channel not in pictures]
    for start in range(0, len(missing), _TOGETHER):
        together = missing[start : start + _TOGETHER]
        for channel, picture in zip(together, _maximized(task, together), strict=True):
            pictures[channel] = picture
            if cache is not None:
                with atomic_path(files[channel]) as temporary:
                    Image.fromarray(picture).save(temporary, format="PNG")
    shown = [pictures[channel] for channel in channels]
    return np.stack(shown) if shown else np.zeros((0, size, size, 3), "uint8")


def _read(file: Path) -> np.ndarray:
    with Image.open(file, formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))


def _maximized(task: _Task, channels: Sequence[int]) -> np.ndarray:
    """Climb: on half the size first, then on the whole."""
    import tensorflow as tf

    _, _, _, size, steps, seed = task
    # Of a small picture half the size saves less time than compiling for it takes.
    n_half = steps // 2 if size // 2 >= _WORTH_HALF else 0
    sides = [size // 2] * n_half + [size] * (steps - n_half)
    chosen = tf.constant(list(channels), tf.int32)
    spectrum = np.stack([noise_spectrum(size, (seed, channel)) for channel in channels])
    state = [tf.constant(spectrum), tf.zeros_like(spectrum), tf.zeros_like(spectrum)]
    rate = tf.constant(min(_WAY / steps, _LONGEST), tf.float32)
    random = np.random.default_rng(seed)
    climbs = {side: _climber(task, side) for side in dict.fromkeys(sides)}
    for number, side in enumerate(sides, start=1):
        look = tf.constant(_look(random, side))
        state = climbs[side](*state, tf.constant(float(number)), rate, chosen, look)
    return np.asarray(picture_of(state[0], size, size) * 255).round().astype("uint8")


def _look(random: np.random.Generator, side: int) -> np.ndarray:
    """Return a random affine transform, from what the network sees to the picture, in pixels."""
    scale = 1 / random.uniform(1 - _SCALE, 1 + _SCALE)
    angle = np.deg2rad(random.uniform(-_TURN, _TURN))
    x, y = random.uniform(-_SHIFT, _SHIFT, 2) * side
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    middle = (side - 1) / 2
    first = [a, -b, middle - a * middle + b * middle + x]
    second = [b, a, middle - b * middle - a * middle + y]
    return np.array([[*first, *second, 0, 0]], "float32")


def _climber(task: _Task, side: int) -> Any:
    """Return the compiled step at a size of the picture."""
    from hotelviz.models import cached_function

    key = ("climb", id(task.tensor), side, task.size)
    return cached_function(task.model, key, lambda: _compile_step(task, side))


def _compile_step(task: _Task, side: int) -> Any:
    """Compile one step: look, differentiate, and move by Adam."""
    import keras
    import tensorflow as tf

    from hotelviz.models import constant_graph, model_info

    preprocessing, size = model_info(task.model).preprocessing, task.size
    part = keras.Model(task.model.input, task.tensor)
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
                images=picture_of(spectrum, side, size), transforms=look,
                output_shape=[side, side], fill_value=0.5, interpolation="BILINEAR",
                fill_mode="REFLECT",
            )  # fmt: skip
            outputs = sized(preprocessing.scale(seen * 255.0), training=False)
            values = tf.reduce_mean(outputs, axis=range(1, len(outputs.shape) - 1))
            total = tf.reduce_sum(values * tf.one_hot(chosen, values.shape[-1]))
        slope = tape.gradient(total, spectrum)
        # Adam sees each picture's gradient at the same length: how strong a channel answers must
        # not decide how far its picture moves.
        length = tf.sqrt(tf.reduce_mean(slope**2, axis=(1, 2, 3, 4), keepdims=True))
        slope /= length + 1e-12
        mean = _BETA1 * mean + (1 - _BETA1) * slope
        square = _BETA2 * square + (1 - _BETA2) * slope**2
        spread = tf.sqrt(square / (1 - _BETA2**number)) + _FAINT
        move = mean / (1 - _BETA1**number) / spread
        return [spectrum + rate * move, mean, square]

    spectra = tf.TensorSpec((None, 2, 3, size, size // 2 + 1), tf.float32)
    number = tf.TensorSpec((), tf.float32)
    channels, look = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((1, 8), tf.float32)
    return constant_graph(step, spectra, spectra, spectra, number, number, channels, look)
