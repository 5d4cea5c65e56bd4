"""Batches of training photos that depend on nothing but the seed and their number.

A training that goes on after an interruption then sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hotelviz.training.augmentation import Augmentation
from hotelviz.training.pixel_cache import Pixels


def drawn_views(
    pixels: Pixels,
    weights: np.ndarray,
    kind: Augmentation,
    size: int,
    *,
    batch_size: int,
    seed: int,
) -> Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the function that draws a batch: photos by their weights, and how each is changed.

    Parameters
    ----------
    pixels : Pixels
        Of the photos.
    weights : numpy.ndarray
        float (n_photos,), how often each is drawn, in proportion.
    kind : Augmentation
        What is changed.
    size : int
        Height and width of what is made of them, in pixels.
    batch_size, seed : int
        See `TrainingSettings`.

    Returns
    -------
    callable
        Takes the number of a batch, returns the rows of its photos in rising order, their pixels
        (uint8), and the transforms (float32 (batch_size, 8)) for `augmentation.transform`.
    """
    odds = weights.astype("float64") / weights.sum(dtype="float64")

    def draw(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng((seed, step))
        rows = np.sort(random.choice(len(odds), batch_size, p=odds))
        matrices = kind.matrices(batch_size, pixels.size, size, seed=(seed, step, 1))
        return rows, pixels[rows], matrices

    return draw


def numbered_batches(
    draw: Callable[[int], list[np.ndarray]], like: list[np.ndarray], first: int
) -> tf.data.Dataset:
    """Return the batches from a number on without end, each drawn by its number.

    Parameters
    ----------
    draw : callable
        Takes the number of a batch, returns its arrays.
    like : list of numpy.ndarray
        Arrays of the same types, and of the same shapes but for the first axis.
    first : int
        The number of the first batch.
    """

    def batch(step: tf.Tensor) -> tuple[Any, ...]:
        parts = tf.numpy_function(draw, [step], [values.dtype for values in like])
        for part, values in zip(parts, like, strict=True):
            part.set_shape((None, *values.shape[1:]))
        return tuple(parts)

    return tf.data.Dataset.range(first, np.iinfo("int64").max).map(batch)
