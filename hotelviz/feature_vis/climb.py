"""Climb to the picture that makes a channel largest, in compiled steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.fourier import natural_scale, noise_phases, noise_spectrum, picture_of

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

#: How far the picture is shifted (share of its side), scaled and turned (degrees) before each look.
_SHIFT, _SCALE, _TURN = 0.05, 0.1, 8.0
#: How far all steps together may go, and a single one: few steps are longer ones, so that contrast
#: does not depend on their number. Phases go as far as half around.
_WAY, _LONGEST = {"fourier": 6.4, "maco": 12.8}, {"fourier": 0.15, "maco": 0.6}
#: Adam's decays; gradients fainter than a share of the average are noise, and move little.
_BETA1, _BETA2, _FAINT = 0.9, 0.999, 0.2
#: Half a picture of at least so many pixels a side is drawn first.
_WORTH_HALF = 48
#: The share of a picture's places that is opaque.
_OPAQUE = 0.2
#: Opacity is smoothed by this part of a picture's side.
_SOFT = 48


class Task(NamedTuple):
    """What is maximised, and how.

    Attributes
    ----------
    model
        A flat model.
    name
        Of the tensor, as the files of its pictures have it.
    tensor
        Whose channels are maximised: of the model's graph; nothing above it is computed.
    size, steps, seed
        As in `hotelviz.feature_vis.visualize_channels`.
    magnitudes
        (3, size, size // 2 + 1), for ``maco``; None for ``fourier``.
    """

    model: keras.Model
    name: str
    tensor: Any
    size: int
    steps: int
    seed: int
    magnitudes: np.ndarray | None = None

    @property
    def method(self) -> str:
        """The name of the method."""
        return "fourier" if self.magnitudes is None else "maco"


def maximized(task: Task, channels: Sequence[int]) -> np.ndarray:
    """Climb: on half the size first, then on the whole.

    Returns
    -------
    numpy.ndarray
        uint8 (len(channels), size, size, 3), or 4 with the opacity of ``maco``.
    """
    import tensorflow as tf

    _, _, _, size, steps, seed, magnitudes = task
    # Of a small picture half the size saves less time than compiling for it takes.
    n_half = steps // 2 if size // 2 >= _WORTH_HALF else 0
    sides = [size // 2] * n_half + [size] * (steps - n_half)
    chosen = tf.constant(list(channels), tf.int32)
    begin = noise_spectrum if magnitudes is None else noise_phases
    start = np.stack([begin(size, (seed, channel)) for channel in channels])
    state = [tf.constant(start), tf.zeros_like(start), tf.zeros_like(start)]
    scale = tf.constant(natural_scale(size) if magnitudes is None else magnitudes, tf.float32)
    rate = tf.constant(min(_WAY[task.method] / steps, _LONGEST[task.method]), tf.float32)
    random = np.random.default_rng(seed)
    climbs = {side: _climber(task, side) for side in dict.fromkeys(sides)}
    slopes = 0.0
    for number, side in enumerate(sides, start=1):
        look = tf.constant(_look(random, side))
        *state, slope = climbs[side](*state, tf.constant(float(number)), rate, chosen, look, scale)
        # Those of the smaller picture have other places.
        slopes = slopes + slope if side == size else 0.0
    pictures = picture_of(state[0], scale, size)
    if magnitudes is not None:
        pictures = np.concatenate([pictures, _opacity(np.asarray(slopes))], axis=-1)
    return np.asarray(pictures * 255).round().astype("uint8")


def _opacity(slopes: np.ndarray) -> np.ndarray:
    """Return how much each place mattered, 0 to 1, (N, side, side, 1)."""
    from scipy.ndimage import gaussian_filter

    # Gradients of single pixels are noise.
    soft = slopes.shape[1] / _SOFT
    slopes = gaussian_filter(slopes, (0, soft, soft))
    most = np.quantile(slopes, 1 - _OPAQUE, axis=(1, 2), keepdims=True)
    return np.asarray((slopes / np.maximum(most, 1e-12)).clip(0, 1)[..., None])


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


def _climber(task: Task, side: int) -> Any:
    """Return the compiled step at a size of the picture."""
    from hotelviz.models import cached_function

    key = ("climb", id(task.tensor), side, task.size, task.method)
    return cached_function(task.model, key, lambda: _compile_step(task, side))


def _compile_step(task: Task, side: int) -> Any:
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
        state: tf.Tensor, mean: tf.Tensor, square: tf.Tensor, number: tf.Tensor, rate: tf.Tensor,
        chosen: tf.Tensor, look: tf.Tensor, scale: tf.Tensor,
    ) -> list[tf.Tensor]:  # fmt: skip
        with tf.GradientTape() as tape:
            tape.watch(state)
            picture = picture_of(state, scale, side)
            seen = tf.raw_ops.ImageProjectiveTransformV3(
                images=picture, transforms=look,
                output_shape=[side, side], fill_value=0.5, interpolation="BILINEAR",
                fill_mode="REFLECT",
            )  # fmt: skip
            outputs = sized(preprocessing.scale(seen * 255.0), training=False)
            values = tf.reduce_mean(outputs, axis=range(1, len(outputs.shape) - 1))
            total = tf.reduce_sum(values * tf.one_hot(chosen, values.shape[-1]))
        slope, of_pixels = tape.gradient(total, [state, picture])
        # Adam sees each picture's gradient at the same length: how strong a channel answers must
        # not decide how far its picture moves.
        length = tf.sqrt(tf.reduce_mean(slope**2, axis=(1, 2, 3, 4), keepdims=True))
        slope /= length + 1e-12
        mean = _BETA1 * mean + (1 - _BETA1) * slope
        square = _BETA2 * square + (1 - _BETA2) * slope**2
        spread = tf.sqrt(square / (1 - _BETA2**number)) + _FAINT
        move = mean / (1 - _BETA1**number) / spread
        opaque = tf.reduce_mean(tf.abs(of_pixels), axis=-1)
        return [state + rate * move, mean, square, opaque]

    parts = 1 if task.method == "maco" else 2
    frequencies = (3, size, size // 2 + 1)
    state = tf.TensorSpec((None, parts, *frequencies), tf.float32)
    number, scale = tf.TensorSpec((), tf.float32), tf.TensorSpec(frequencies, tf.float32)
    channels, look = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((1, 8), tf.float32)
    return constant_graph(step, state, state, state, number, number, channels, look, scale)
