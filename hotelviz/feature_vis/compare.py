r"""Measure where, and how much, fine-tuning changed a network.

Weights are compared with batch normalisation folded into them, as deployed models have it: the
kernel of channel :math:`k` times :math:`\gamma_k / \sqrt{\sigma_k^2 + \epsilon}`. Functions are
compared on the same photos: the correlation of a channel's activations before and after, and the
linear CKA of whole layers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.activation_maximization import channel_step, visualize_channels

if TYPE_CHECKING:
    import keras

#: The layers whose filters the talk shows: 23, 51 and 79 of the Keras of that time.
PUBLISHED_LAYERS = ("conv_pw_3", "conv_pw_7", "conv_pw_11")
#: Cells of a feature map that are compared along each of its sides; neighbours say the same.
_CELLS = 14


class FilterComparison(NamedTuple):
    """What `compare_filters` found.

    Attributes
    ----------
    channels
        A row per shown channel: ``layer``, ``channel``, ``weight_change`` and, with photos,
        ``correlation`` (see `change_by_channel`).
    original, tuned
        Layer -> uint8 (channels, size, size, 3), in the order of `channels`.
    profile
        See `change_by_layer`; empty without photos.
    """

    channels: pd.DataFrame
    original: dict[str, np.ndarray]
    tuned: dict[str, np.ndarray]
    profile: pd.DataFrame


def compare_filters(
    original: keras.Model,
    tuned: keras.Model,
    layers: Sequence[str] = PUBLISHED_LAYERS,
    *,
    channels: Sequence[int] | None = None,
    count: int = 12,
    photos: Sequence[str] | pd.Series | None = None,
    size: int = 192,
    steps: int = 128,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
) -> FilterComparison:
    """Draw the same channels of two models from the same seeds, and say how much each changed.

    Parameters
    ----------
    original, tuned
        Of the same backbone.
    layers
        By name.
    channels
        Which are drawn, the same of each layer; by default the `count` that changed most: those
        that correlate least on the photos, or without photos those whose weights differ most.
    count
        How many of each layer.
    photos
        Paths of photos that both models look at; a hundred are enough.
    size, steps, seed, cache
        As in `hotelviz.feature_vis.visualize_channels`.

    Returns
    -------
    FilterComparison

    Raises
    ------
    FeatureVisError
        When the models do not have the same layers.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> same = compare_filters(tagger, tagger, ["conv_pw_1"], count=2, size=48, steps=2)
    >>> float(same.channels["weight_change"].max())
    0.0
    """
    changes = change_by_channel(original, tuned, layers, photos=photos)
    chosen = []
    for layer in layers:
        own = changes[changes["layer"] == layer]
        if channels is not None:
            past = [channel for channel in channels if channel not in set(own["channel"])]
            if past:
                raise FeatureVisError(
                    f"{layer} has the channels 0 to {len(own) - 1}; there is no {past[0]}"
                )
            chosen.append(own.set_index("channel").loc[list(channels)].reset_index())
        elif "correlation" in own:
            # A channel that is silent on all the photos has no correlation, and says nothing.
            chosen.append(own.dropna().sort_values("correlation", kind="stable").head(count))
        else:
            chosen.append(
                own.sort_values("weight_change", ascending=False, kind="stable").head(count)
            )
    shown = pd.concat(chosen, ignore_index=True)[changes.columns]
    pictures: list[dict[str, np.ndarray]] = [
        {
            layer: visualize_channels(
                model, layer, shown.loc[shown["layer"] == layer, "channel"].tolist(),
                size=size, steps=steps, seed=seed, cache=cache,
            )
            for layer in layers
        }
        for model in (original, tuned)
    ]  # fmt: skip
    profile = pd.DataFrame() if photos is None else change_by_layer(original, tuned, photos)
    return FilterComparison(shown, pictures[0], pictures[1], profile)


def change_by_channel(
    original: keras.Model,
    tuned: keras.Model,
    layers: Sequence[str],
    *,
    photos: Sequence[str] | pd.Series | None = None,
) -> pd.DataFrame:
    """Say how much each channel of some layers changed.

    Parameters
    ----------
    original, tuned
        Of the same backbone.
    layers
        By name.
    photos
        Paths; None leaves the correlation out.

    Returns
    -------
    pandas.DataFrame
        A row per layer and channel: ``layer``; ``channel``, from 0; ``weight_change``, the length
        of the difference of both kernels, batch normalisation folded in, as a share of the
        original's length (0: the same; missing for a layer without a kernel); with photos
        ``correlation``, Pearson's, of the channel's values over all places of all photos, -1 to 1
        (missing where a channel says the same everywhere).

    Raises
    ------
    FeatureVisError
        When the models do not have the same layers.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> change_by_channel(tagger, tagger, ["conv1"]).shape
    (32, 3)
    """
    _same_layers(original, tuned, layers)
    parts = []
    for layer in layers:
        before, after = folded_kernel(original, layer), folded_kernel(tuned, layer)
        count = int(channel_step(original, layer).output.shape[-1])
        change = np.full(count, np.nan)
        if before is not None and after is not None:
            change = _relative(before, after)
        parts.append(
            pd.DataFrame({"layer": layer, "channel": range(count), "weight_change": change})
        )
    table = pd.concat(parts, ignore_index=True)
    if photos is not None:
        sums = _sums(original, tuned, layers, photos)
        table["correlation"] = np.concatenate([sums[layer].correlations() for layer in layers])
    return table


def change_by_layer(
    original: keras.Model,
    tuned: keras.Model,
    photos: Sequence[str] | pd.Series,
    *,
    layers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Say where in its depth a network was changed.

    Parameters
    ----------
    original, tuned
        Of the same backbone.
    photos
        Paths of photos that both look at.
    layers
        By name; None takes all convolutions but depthwise ones.

    Returns
    -------
    pandas.DataFrame
        A row per layer, in order: ``layer``; ``cka``, how alike the layer's outputs are, 0 to 1
        (1: the same up to rotation and scale); ``weight_change``, as in `change_by_channel`, of
        the whole kernel; ``correlation``, the mean over channels.

    Raises
    ------
    FeatureVisError
        When the models do not have the same layers, or no photo can be read.

    References
    ----------
    Kornblith, Norouzi, Lee, Hinton: Similarity of Neural Network Representations Revisited, ICML
    2019, arXiv 1905.00414, eq. 5 (linear CKA); every place of every photo counts as an example.
    """
    if layers is None:
        layers = convolutions(original)
    _same_layers(original, tuned, layers)
    sums = _sums(original, tuned, layers, photos)
    rows = []
    for layer in layers:
        before, after = folded_kernel(original, layer), folded_kernel(tuned, layer)
        change = np.nan
        if before is not None and after is not None:
            change = float(_relative(before.reshape(-1, 1), after.reshape(-1, 1))[0])
        correlations = sums[layer].correlations()
        rows.append(
            {
                "layer": layer, "cka": sums[layer].cka(), "weight_change": change,
                "correlation": float(np.nanmean(correlations))
                if np.isfinite(correlations).any() else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def convolutions(model: keras.Model) -> list[str]:
    """List the convolutions of a model, but for depthwise ones, in order."""
    import keras

    from hotelviz.models import iter_nodes

    return [
        name
        for name, step in iter_nodes(model).items()
        if isinstance(step.layer, keras.layers.Conv2D)
        and not isinstance(step.layer, keras.layers.DepthwiseConv2D)
        and step.output.shape[1] != 1
    ]


def folded_kernel(model: keras.Model, layer: str) -> np.ndarray | None:
    """Give a convolution's kernel with its batch normalisation folded in, (..., channels).

    None for a layer without a kernel.
    """
    import keras

    from hotelviz.models import spatial_node

    step = spatial_node(model, layer)
    norm = channel_step(model, layer).layer
    kernel = getattr(step.layer, "kernel", None)
    if kernel is None:
        return None
    values = np.asarray(kernel)
    if isinstance(step.layer, keras.layers.DepthwiseConv2D):
        values = values.reshape(*values.shape[:2], -1)
    if isinstance(norm, keras.layers.BatchNormalization):
        scale = 1 / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
        values = values * (scale if norm.gamma is None else scale * np.asarray(norm.gamma))
    return np.asarray(values)


def _relative(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    axes = tuple(range(before.ndim - 1))
    difference = np.sqrt(((after - before) ** 2).sum(axis=axes))
    length = np.sqrt((before**2).sum(axis=axes))
    return np.asarray(difference / np.maximum(length, 1e-12))


def _same_layers(original: keras.Model, tuned: keras.Model, layers: Sequence[str]) -> None:
    for layer in layers:
        shapes = [channel_step(model, layer).output.shape[-1] for model in (original, tuned)]
        if shapes[0] != shapes[1]:
            raise FeatureVisError(
                f"the models cannot be compared: {layer} has {shapes[0]} channels in the one and "
                f"{shapes[1]} in the other"
            )


class _Sums:
    """Sums over examples, from which correlations and CKA follow; examples are not kept."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.means = np.zeros((2, channels))
        self.products = np.zeros((3, channels, channels))

    def add(self, before: np.ndarray, after: np.ndarray) -> None:
        sides = [side.reshape(-1, side.shape[-1]).astype("float64") for side in (before, after)]
        self.count += len(sides[0])
        self.means += [side.sum(axis=0) for side in sides]
        self.products += [
            one.T @ other for one, other in (sides[:1] * 2, sides[1:] * 2, sides)
        ]  # fmt: skip

    def centred(self) -> np.ndarray:
        """Give the covariances of before, after, and before with after, times the count."""
        one, other = self.means / self.count
        return self.products - self.count * np.stack(
            [np.outer(one, one), np.outer(other, other), np.outer(one, other)]
        )

    def correlations(self) -> np.ndarray:
        own, others, both = (np.diagonal(part) for part in self.centred())
        squares = np.maximum(own, 0) * np.maximum(others, 0)
        least = 1e-12 * max(float(squares.max()), 1e-300)
        result = np.full(len(both), np.nan)
        np.divide(both, np.sqrt(squares), out=result, where=squares > least)
        return result.clip(-1, 1)

    def cka(self) -> float:
        own, others, both = self.centred()
        norms = np.linalg.norm(own) * np.linalg.norm(others)
        return float(np.linalg.norm(both) ** 2 / norms) if norms > 0 else np.nan


def _sums(
    original: keras.Model,
    tuned: keras.Model,
    layers: Sequence[str],
    photos: Sequence[str] | pd.Series,
) -> dict[str, _Sums]:
    """Show both models the same photos, each prepared as it wants them, and add up."""
    from hotelviz.images import View, iterate_views
    from hotelviz.models import model_info

    runs = [_outputs(model, layers) for model in (original, tuned)]
    wanted = [model_info(model).preprocessing for model in (original, tuned)]
    views = list(dict.fromkeys(View(each.size, each.resample) for each in wanted))
    places = [views.index(View(each.size, each.resample)) for each in wanted]
    sums: dict[str, _Sums] = {}
    for batch in iterate_views(photos, views, batch_size=16):
        if not len(batch.rows):
            continue
        sides = [run(batch.views[place]) for run, place in zip(runs, places, strict=True)]
        for layer, before, after in zip(layers, *sides, strict=True):
            if before.shape != after.shape:
                raise FeatureVisError(
                    f"the models cannot be compared on photos: {layer} gives {before.shape[1:]} in "
                    f"the one and {after.shape[1:]} in the other"
                )
            sums.setdefault(layer, _Sums(before.shape[-1])).add(before, after)
    if not sums:
        raise FeatureVisError("none of the photos can be read: there is nothing to compare")
    return sums


def _outputs(model: keras.Model, layers: Sequence[str]) -> Callable[[np.ndarray], list[np.ndarray]]:
    import keras
    import tensorflow as tf

    from hotelviz.models import cached_function, freeze, model_info

    preprocessing = model_info(model).preprocessing
    tensors = [channel_step(model, layer).output for layer in layers]

    def make() -> Callable[..., list[np.ndarray]]:
        part = keras.Model(model.input, tensors)

        def run(pixels: tf.Tensor) -> list[tf.Tensor]:
            outputs = part(preprocessing.scale(tf.cast(pixels, tf.float32)), training=False)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            steps = [max(1, output.shape[1] // _CELLS) for output in outputs]
            return [
                output[:, step // 2 :: step, step // 2 :: step]
                for output, step in zip(outputs, steps, strict=True)
            ]

        return freeze(run, tf.TensorSpec((None, *preprocessing.size, 3), tf.uint8))

    run: Callable[[np.ndarray], list[np.ndarray]] = cached_function(
        model, f"outputs of {list(layers)}", make
    )
    return run
