"""How long a training takes, measured on this machine before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from hotelviz.errors import ImageError
from hotelviz.images import read_image, usable_cores
from hotelviz.models import activations, model_info
from hotelviz.training.head import dense_layer
from hotelviz.training.hints import Hints
from hotelviz.training.layer_rates import frozen_layers

#: Photos in what is measured.
_BATCH = 16
#: Photos that are decoded for it.
_DECODED = 8
#: How much longer it takes to compile a training step than features.
_COMPILED = 4
#: Seconds per photo, feature and output: fitting the linear head, its penalty chosen by folds.
_FITTED = 1e-6


class Estimate(NamedTuple):
    """About how long a training takes.

    Attributes
    ----------
    decoding, head, epoch
        Seconds: of the photos and of whatever is compiled, both once, of phase one, and of an
        epoch.
    epochs
        How many there are at most.
    hints
        Seconds of all epochs of hints.
    """

    decoding: float
    head: float
    epoch: float
    epochs: int
    hints: float = 0.0

    def __str__(self) -> str:
        """Return it as a sentence.

        Examples
        --------
        >>> print(Estimate(20, 45, 90, 12))
        about 65 s for decoding and the linear head, then up to 12 epochs of 90 s: 19 min at most
        >>> print(Estimate(20, 45, 0, 0, hints=600))
        about 11 min for decoding, hints and the linear head
        """
        parts = []
        if self.head:
            first = self.decoding + self.hints + self.head
            what = f"decoding{', hints' if self.hints else ''} and the linear head"
            parts.append(f"{_about(first)} for {what}")
        elif self.epochs:
            parts.append(f"{_about(self.decoding)} for decoding")
        if self.epochs:
            most = self.hints + self.decoding + self.head + self.epochs * self.epoch
            parts.append(
                f"up to {self.epochs} epoch{'s' * (self.epochs > 1)} of {_about(self.epoch)}: "
                f"{_about(most)} at most"
            )
        return f"about {', then '.join(parts)}"


def _about(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


def estimate(
    model: keras.Model,
    paths: Sequence[str],
    n_train: int,
    n_val: int,
    *,
    epochs: int,
    last: int,
    views: int,
    share: float,
    pretrained: bool,
    hints: Hints | None = None,
) -> Estimate:
    """Measure a few photos and a few steps, and return about how long all of them take.

    Parameters
    ----------
    model : keras.Model
        What learns.
    paths : sequence of str
        Of the photos; the first that can be read are decoded.
    n_train, n_val : int
        How many are learned from, and judge.
    epochs : int
        Most epochs of fine-tuning, or from scratch.
    last : int
        Epochs after these, in which those that judged are learned from, too.
    views : int
        How often the features of each photo are computed.
    share : float
        Of the weights that learn in these epochs, see `frozen_layers`.
    pretrained : bool
        Whether there is a phase one.
    hints : Hints, optional
        What is learned before it.
    """
    size = model_info(model).preprocessing.size
    n_photos = n_train + n_val
    # Where layers learn after the head, photos are decoded for either.
    twice = (n_photos if last else n_train) if pretrained and epochs else 0
    decoded = (n_photos + twice) * _decoding(paths, size) / usable_cores()
    if not pretrained and not epochs:
        return Estimate(decoded, 0.0, 0.0, 0)
    dense, features = dense_layer(model)
    pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, *size, 3), dtype="uint8")
    compiled = time.perf_counter()
    compute = activations(model, features, resize=True)
    compiled = time.perf_counter() - compiled
    forward = _seconds(lambda: compute(pixels)) / _BATCH
    step = (
        _seconds(lambda: _step(model, pixels, share if pretrained else 1.0)) / _BATCH
        if epochs
        else 0.0
    )
    head = 0.0
    if pretrained:
        numbers = features.output.shape[-1] * dense.units
        head = views * n_photos * (forward + numbers * _FITTED)
    first = _COMPILED * compiled if epochs else 0.0
    taught = 0.0
    if hints is not None:
        values = tf.cast(pixels, tf.float32)
        both = _seconds(lambda: _step(model, pixels, 1.0)) + _seconds(
            lambda: hints.teacher(values, training=False)
        )
        taught = hints.settings.hint_epochs * n_train * both / _BATCH
    # All epochs are shown as equally long.
    every = epochs * (n_train * step + n_val * forward) + last * n_photos * step
    count = epochs + last
    return Estimate(decoded + first, head, every / max(1, count), count, taught)


def _decoding(paths: Sequence[str], size: tuple[int, int]) -> float:
    """Return the seconds that a photo takes on one core."""
    seconds: list[float] = []
    for path in paths[: 4 * _DECODED]:
        started = time.perf_counter()
        try:
            read_image(path, size=size)
        except (ImageError, OSError):
            continue
        seconds.append(time.perf_counter() - started)
        if len(seconds) == _DECODED:
            break
    return float(np.mean(seconds)) if seconds else 0.0


def _step(model: keras.Model, pixels: np.ndarray, share: float) -> None:
    """Compute the gradient of the weights that learn, which is what takes time in a step."""
    frozen = {layer.name for layer in frozen_layers(model, share)}
    learning = [
        weight
        for layer in model.layers
        if layer.name not in frozen
        for weight in layer.trainable_variables
    ]
    scaled = model_info(model).preprocessing.scale(tf.cast(pixels, tf.float32))
    with tf.GradientTape() as tape:
        # Not as in training: the statistics of batch normalisation would change.
        loss = tf.reduce_sum(model(scaled, training=False)[:, 0])
    tape.gradient(loss, learning)


def _seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes that is not the first one."""
    call()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
