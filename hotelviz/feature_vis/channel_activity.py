"""How active channels are on photos, which are alike, and what they do to the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.channels import activated_node, some_cells

if TYPE_CHECKING:
    import keras

#: Fewer photos say nothing of which channels are alike.
FEWEST_PHOTOS = 10
#: A channel that correlates as much with another, over all places, is its duplicate.
DUPLICATE = 0.95
#: A channel whose values spread by less than this share of the layer's largest spread is dead.
_DEAD = 1e-6
#: The share of means that is beyond a histogram's last edge.
_ABOVE = 0.005
#: Outputs whose gradients are taken; of models with more, those that are predicted most often.
_MAX_OUTPUTS = 20
#: Photos whose gradients are taken.
_MAX_GRADIENTS = 64


class ChannelActivity(NamedTuple):
    """What channels do on photos, after their activation.

    Attributes
    ----------
    rows
        The photos that could be read, by number.
    mean, strongest
        float32 (channels, photos): over the places of each photo, and at its strongest one.
    weakest
        float32 (channels,): the smallest value at any place of any photo.
    alike
        float32 (channels, channels): Pearson's correlation over places of all photos; NaN for
        channels that are the same everywhere.
    """

    rows: np.ndarray
    mean: np.ndarray
    strongest: np.ndarray
    weakest: np.ndarray
    alike: np.ndarray

    @property
    def dead(self) -> np.ndarray:
        """Which channels are the same at all places of all photos, (channels,)."""
        spread = self.strongest.max(axis=1) - self.weakest
        return np.asarray(spread <= _DEAD * max(float(spread.max()), 1e-30))

    def duplicate_of(self) -> np.ndarray:
        """Return the first channel that each is a duplicate of, -1 for none, (channels,)."""
        first = np.full(len(self.alike), -1)
        for channel, alike in enumerate(self.alike):
            earlier = np.flatnonzero((alike[:channel] >= DUPLICATE) & (first[:channel] < 0))
            if len(earlier):
                first[channel] = earlier[0]
        return first

    def histograms(self, n_bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Return how often channels are how strong in photos, on average over places.

        Parameters
        ----------
        n_bins
            From the layer's smallest mean to one that few are above, which are in the last bin:
            one scale, so that channels can be compared.

        Returns
        -------
        shares, edges
            float32 (channels, n_bins), each row adds up to 1; float64 (n_bins + 1,).
        """
        most = float(np.quantile(self.mean, 1 - _ABOVE))
        edges = np.linspace(float(self.mean.min()), most, n_bins + 1)
        places = np.searchsorted(edges[1:-1], self.mean, side="right")
        counts = np.stack([(places == place).sum(axis=1) for place in range(n_bins)], axis=1)
        return (counts / self.mean.shape[1]).astype("float32"), edges


def channel_activity(
    model: keras.Model, layer: str, photos: pd.DataFrame, *, progress: bool = True
) -> ChannelActivity:
    """Show photos to a network once, and keep what its channels make of each.

    Parameters
    ----------
    model, layer
        As in `hotelviz.feature_vis.visualize_channels`.
    photos
        With ``path``.
    progress
        Show a bar.

    Raises
    ------
    FeatureVisError
        Fewer than 10 photos can be read.
    """
    from tqdm.auto import tqdm

    from hotelviz.images import iterate_images
    from hotelviz.models import model_info

    wanted, run = model_info(model).preprocessing, _measures(model, layer)
    rows, found, weakest, sums = [], [], [], _Correlations()
    with tqdm(total=len(photos), unit="photos", disable=not progress) as bar:
        for batch in iterate_images(
            photos["path"], size=wanted.size, batch_size=32, resample=wanted.resample
        ):
            if len(batch.rows):
                mean, strongest, low, some = run(batch.pixels)
                rows.append(batch.rows)
                found.append(np.stack([mean, strongest], axis=0))
                weakest.append(low.min(axis=0))
                sums.add(some.reshape(-1, some.shape[-1]))
            bar.update(len(batch.rows) + len(batch.errors))
    n_read = sum(map(len, rows))
    if n_read < FEWEST_PHOTOS:
        raise FeatureVisError(
            f"an atlas needs at least {FEWEST_PHOTOS} photos to see which channels are alike; "
            f"{n_read} of {len(photos)} can be read: give more"
        )
    mean, strongest = np.concatenate(found, axis=1).transpose(0, 2, 1)
    low = np.min(weakest, axis=0)
    return ChannelActivity(np.concatenate(rows), mean, strongest, low, sums.correlations())


class _Correlations:
    """Sums over places, from which the correlations of all channels with each other follow."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: Any = 0.0
        self.products: Any = 0.0

    def add(self, values: np.ndarray) -> None:
        self.count += len(values)
        self.sums = self.sums + values.sum(axis=0, dtype="float64")
        self.products = self.products + values.T @ values

    def correlations(self) -> np.ndarray:
        mean = self.sums / self.count
        covariance = self.products / self.count - np.outer(mean, mean)
        deviation = np.sqrt(np.maximum(np.diagonal(covariance), 0))
        # What is left of a constant by rounding is no deviation.
        deviation[deviation <= 1e-5 * max(float(deviation.max()), 1e-30)] = np.nan
        return np.asarray(covariance / np.outer(deviation, deviation), "float32")


def _measures(model: keras.Model, layer: str) -> Any:
    """Return the function from pixels to means, largest, smallest values, and some cells."""
    from keras import ops

    from hotelviz.models import activations, cached_function

    def make() -> Any:
        output = activated_node(model, layer).output
        each = [take(output, axis=(1, 2)) for take in (ops.mean, ops.max, ops.min)]
        return activations(model, [*each, some_cells(output)])

    return cached_function(model, ("channel activity", layer), make)


def output_effects(model: keras.Model, layer: str, photos: pd.DataFrame) -> pd.DataFrame:
    r"""Compute what each channel of a layer adds to the logits of photos.

    Parameters
    ----------
    model, layer
        As in `hotelviz.feature_vis.visualize_channels`.
    photos
        With ``path``: the first 64 are looked at.

    Returns
    -------
    pandas.DataFrame
        A row per channel, a column per output: :math:`\sum_{xy} f_k(x, y) \, \partial z_c /
        \partial f_k(x, y)`, the mean over photos. Where the head is global average pooling under a
        dense layer that is exactly the channel's part of the logit: its mean times its weight. Of a
        model with more than 20 outputs only those that are predicted most often.

    Notes
    -----
    Gradient times input, as in Shrikumar et al.: Not Just a Black Box, 2016, arXiv 1605.01713.
    """
    import tensorflow as tf

    from hotelviz.images import iterate_images
    from hotelviz.models import activations, model_info

    info = model_info(model)
    wanted = info.preprocessing
    batches = [
        batch.pixels
        for batch in iterate_images(
            photos["path"].head(_MAX_GRADIENTS), size=wanted.size, batch_size=16,
            resample=wanted.resample,
        )
        if len(batch.rows)
    ]  # fmt: skip
    outputs = list(range(len(info.classes)))
    if len(outputs) > _MAX_OUTPUTS:
        run = activations(model)
        predicted = np.concatenate([run(pixels).argmax(axis=1) for pixels in batches])
        most = pd.Series(predicted).value_counts(sort=True).index[:_MAX_OUTPUTS]
        outputs = sorted(int(number) for number in most)
    effects = _effects(model, layer)
    chosen = tf.constant(outputs, tf.int32)
    sums = np.stack([effects(tf.constant(pixels), chosen) for pixels in batches])
    means = sums.sum(axis=0) / sum(map(len, batches))
    return pd.DataFrame(means.T, columns=[info.classes[number] for number in outputs])


def _effects(model: keras.Model, layer: str) -> Any:
    """Return the function from pixels and outputs to effects, summed, (outputs, channels)."""
    import keras
    import tensorflow as tf

    from hotelviz.models import cached_function, logits, model_info

    def make() -> Any:
        scale = model_info(model).preprocessing.scale
        both = keras.Model(model.input, [activated_node(model, layer).output, logits(model)])

        @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
        def run(pixels: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
            values = scale(tf.cast(pixels, tf.float32))
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(values)
                features, found = both(values, training=False)
                sums = tf.reduce_sum(tf.gather(tf.cast(found, tf.float32), chosen, axis=1), axis=0)
                each = tf.unstack(sums)
            # One row of the Jacobian after the other: all at once would not fit into memory.
            return tf.stack(
                [
                    tf.reduce_sum(tape.gradient(one, features) * features, axis=(0, 1, 2))
                    for one in each
                ]
            )

        return run

    return cached_function(model, ("channel effects", layer), make)
