"""Batches of training photos that depend on nothing but the seed and their number.

A training that goes on after an interruption then sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hotelviz.models import model_info
from hotelviz.training.augmentation import Augmentation, mixing, recolour, transform
from hotelviz.training.head import AT_ONCE, Photos
from hotelviz.training.pixel_cache import Pixels
from hotelviz.training.settings import TrainingSettings

_UNCHANGED = Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)


def augmented_batches(
    model: keras.Model, photos: Photos, settings: TrainingSettings, first: int
) -> tf.data.Dataset:
    """Return batches without end: photos drawn by their weights, changed at random, and mixed.

    Parameters
    ----------
    model : keras.Model
        What learns from them: its preprocessing is theirs.
    photos : Photos
        What is drawn from.
    settings : TrainingSettings
        `batch_size`, `augmentation`, `mixing` and `seed`.
    first : int
        The number of the first batch.

    Returns
    -------
    tf.data.Dataset
        Of inputs, float32 (batch_size, height, width, 3), and targets (batch_size, n_classes).
    """
    preprocessing = model_info(model).preprocessing
    scale, size = preprocessing.scale, preprocessing.height
    n_photos, seed = settings.batch_size, settings.seed
    kind = settings.augmentation or _UNCHANGED
    view = drawn_views(photos.pixels, photos.weights, kind, size, batch_size=n_photos, seed=seed)

    def draw(step: int) -> list[np.ndarray]:
        rows, pixels, matrices = view(step)
        mask, order = mixing(settings.mixing, n_photos, size, seed=(seed, step, 3))
        targets, own = photos.targets[rows], mask.mean()
        mixed = own * targets + (1 - own) * targets[order]
        colours = kind.colours(n_photos, seed=(seed, step, 4))
        return [pixels, matrices, colours, mask, order, mixed]

    def change(
        pixels: Any, matrices: Any, colours: Any, mask: Any, order: Any, targets: Any
    ) -> tuple[Any, Any]:
        values = transform(pixels, matrices, size, resample=preprocessing.resample)
        if kind.colour:
            values = recolour(values, colours)
        if settings.mixing:
            values = mask * values + (1 - mask) * tf.gather(values, order)
        return scale(values), targets

    drawn = [np.empty((0, *shape), "float32") for shape in ((8,), (3,), (size, 1))]
    like = [photos.pixels[:0], *drawn, np.empty(0, "int32"), photos.targets]
    return numbered_batches(draw, like, first).map(change).prefetch(2)


def plain_batches(model: keras.Model, photos: Photos) -> tf.data.Dataset:
    """Return photos as a model sees them in use, with their targets, in their order."""
    scale, seen = model_info(model).preprocessing.scale, photos.seen

    def draw(step: int) -> list[np.ndarray]:
        rows = slice(step * AT_ONCE, (step + 1) * AT_ONCE)
        return [seen[rows], photos.targets[rows]]

    batches = numbered_batches(draw, [seen[:0], photos.targets], 0).map(
        lambda pixels, targets: (scale(tf.cast(pixels, tf.float32)), targets)
    )
    return batches.take(-(-len(seen) // AT_ONCE)).prefetch(2)


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
