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


class _Objective(NamedTuple):
    """What is maximised: the file name of its pictures, a tensor, and its value for channels."""

    name: str
    tensor: Any
    value: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


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

    def value(outputs: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        means = tf.reduce_mean(outputs, axis=(1, 2))
        return tf.reduce_sum(means * tf.one_hot(chosen, means.shape[-1]))

    objective = _Objective(quote(layer, safe=""), node.output, value)
    return _pictures(model, objective, channels, size, steps, seed, cache)


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

    def value(outputs: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return tf.reduce_sum(outputs * tf.one_hot(chosen, outputs.shape[-1]))

    # No layer's quoted name begins like that.
    objective = _Objective("=outputs", logits(model), value)
    numbers = [known.index(name) for name in chosen]
    return _pictures(model, objective, numbers, size, steps, seed, cache)


def _pictures(
    model: keras.Model,
    objective: _Objective,
    channels: Sequence[int],
    size: int,
    steps: int,
    seed: int,
    cache: str | os.PathLike[str] | None,
) -> np.ndarray:
    """Return the pictures of channels, (len(channels), size, size, 3), cached ones from files."""
    from hotelviz.models import weights_hash

    if size < 32:
        raise FeatureVisError(f"a picture needs at least 32 pixels a side, not {size}")
    if steps < 1:
        raise FeatureVisError(f"at least one step is needed, not {steps}")
    files: dict[int, Path] = {}
    if cache is not None:
        folder, end = Path(cache) / weights_hash(model), f"{size}px-{steps}-{seed}.png"
        files = {channel: folder / f"{objective.name}-{channel}-{end}" for channel in channels}
    pictures = {channel: _read(file) for channel, file in files.items() if file.is_file()}
    missing = [channel for channel in dict.fromkeys(channels) if channel not in pictures]
    for start in range(0, len(missing), _TOGETHER):
        together = missing[start : start + _TOGETHER]
        new = _maximized(model, objective, together, size, steps, seed)
        for channel, picture in zip(together, new, strict=True):
            pictures[channel] = picture
            if cache is not None:
                with atomic_path(files[channel]) as temporary:
                    Image.fromarray(picture).save(temporary, format="PNG")
    shown = [pictures[channel] for channel in channels]
    return np.stack(shown) if shown else np.zeros((0, size, size, 3), "uint8")


def _read(file: Path) -> np.ndarray:
    with Image.open(file, formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))


def _maximized(
    model: keras.Model,
    objective: _Objective,
    channels: Sequence[int],
    size: int,
    steps: int,
    seed: int,
) -> np.ndarray:
    """Climb: on half the size first, then on the whole."""
    import tensorflow as tf

    from hotelviz.models import cached_function

    stages = [(size, steps)]
    # Of a small picture half the size saves less time than compiling for it takes.
    if size // 2 >= _WORTH_HALF:
        stages = [(size // 2, steps // 2), (size, steps - steps // 2)]
    chosen = tf.constant(list(channels), tf.int32)
    spectrum = np.stack([noise_spectrum(size, (seed, channel)) for channel in channels])
    state = [tf.constant(spectrum), tf.zeros_like(spectrum), tf.zeros_like(spectrum)]
    rate = tf.constant(min(_WAY / steps, _LONGEST), tf.float32)
    random = np.random.default_rng(seed)
    number = 0
    for side, n_steps in stages:
        climb = cached_function(
            model, ("climb", id(objective.tensor), side, size),
            partial(_climber, model, objective, side, size),
        )  # fmt: skip
        for _ in range(n_steps):
            number += 1
            look = tf.constant(_look(random, side))
            state = climb(*state, tf.constant(float(number)), rate, chosen, look)
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


def _climber(model: keras.Model, objective: _Objective, side: int, size: int) -> Callable[..., Any]:
    """Compile one step: look, differentiate, and move by Adam."""
    import keras
    import tensorflow as tf

    from hotelviz.models import constant_graph, model_info

    preprocessing = model_info(model).preprocessing
    part = keras.Model(model.input, objective.tensor)
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
            total = objective.value(outputs, chosen)
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
    number = tf.TensorSpec((), tf.float32)
    channels, look = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((1, 8), tf.float32)
    graph: Callable[..., Any] = constant_graph(
        step, spectra, spectra, spectra, number, number, channels, look
    )
    return graph
