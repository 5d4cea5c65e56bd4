r"""Where, and how much, fine-tuning changed a network.

Weights are compared with batch normalisation folded into them, as deployed models have it: the
kernel of channel :math:`k` times :math:`\gamma_k / \sqrt{\sigma_k^2 + \epsilon}`. Functions are
compared on the same photos: the correlation of a channel's activations before and after, and the
linear CKA of whole layers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.activation_maximization import visualize_channels
from hotelviz.feature_vis.channels import (
    PUBLISHED_LAYERS,
    channel_node,
    checked_channels,
    convolutions,
    folded_kernel,
    some_cells,
)
from hotelviz.feature_vis.similarity import PairedSums
from hotelviz.feature_vis.top_activations import patch_pixels, top_photos

if TYPE_CHECKING:
    import keras


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
    changes
        The same columns as `channels`, of all channels of the layers.
    """

    channels: pd.DataFrame
    original: dict[str, np.ndarray]
    tuned: dict[str, np.ndarray]
    profile: pd.DataFrame
    changes: pd.DataFrame


class ChannelExample(NamedTuple):
    """What a channel looks for in two models: pictures, and places in photos.

    Attributes
    ----------
    layer, channel
        Which channel.
    pictures
        Of the model before and of the one after: uint8 (size, size, 3).
    patches
        Of both models: uint8 (n, size, size, 3), the photos that activate it most first.
    activations
        Of both models: those of the patches.
    """

    layer: str
    channel: int
    pictures: list[np.ndarray]
    patches: list[np.ndarray]
    activations: list[pd.Series]


def channel_examples(
    comparison: FilterComparison,
    models: tuple[keras.Model, keras.Model],
    photos: pd.DataFrame,
    *,
    n_channels: int = 2,
) -> Iterator[ChannelExample]:
    """Yield the channels that changed most, with the photos that activate them most.

    Parameters
    ----------
    comparison
        Of `models`.
    models
        The one before and the one after.
    photos
        With ``image_id`` and ``path``: where the places are looked for.
    n_channels
        How many of each layer.

    Yields
    ------
    ChannelExample

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(4, 3, name="conv", activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bed", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> file = f"{tempfile.mkdtemp()}/a.png"
    >>> Image.linear_gradient("L").save(file)
    >>> same = compare_filters(small, small, ["conv"], n_channels=1, size=32, steps=1)
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": [file]})
    >>> one, = channel_examples(same, (small, small), photos, n_channels=1)
    >>> one.layer, [patches.shape for patches in one.patches]
    ('conv', [(1, 96, 96, 3), (1, 96, 96, 3)])
    """
    for layer, pictures in comparison.original.items():
        own = comparison.channels[comparison.channels["layer"] == layer]
        channels = own["channel"].head(n_channels).to_list()
        found = [top_photos(model, photos, layer, channels) for model in models]
        for place, channel in enumerate(channels):
            rows = [table[table["channel"] == channel] for table in found]
            yield ChannelExample(
                layer,
                channel,
                [pictures[place], comparison.tuned[layer][place]],
                [patch_pixels(one) for one in rows],
                [one["activation"] for one in rows],
            )


def compare_filters(
    original: keras.Model,
    tuned: keras.Model,
    layers: Sequence[str] = PUBLISHED_LAYERS,
    *,
    channels: Sequence[int] | None = None,
    n_channels: int = 12,
    photos: Sequence[str] | pd.Series | None = None,
    size: int = 192,
    steps: int = 128,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
) -> FilterComparison:
    """Draw the same channels of two models from the same seeds, beside how much each changed.

    Parameters
    ----------
    original, tuned
        Of the same backbone.
    layers
        By name.
    channels
        Which are drawn, the same of each layer; by default the `n_channels` that changed most:
        those that correlate least on the photos, or without photos those whose weights differ
        most.
    n_channels
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
    >>> same = compare_filters(tagger, tagger, ["conv_pw_1"], n_channels=2, size=48, steps=2)
    >>> float(same.channels["weight_change"].max())
    0.0
    """
    changes = change_by_channel(original, tuned, layers, photos=photos)
    chosen = []
    for layer in layers:
        own = changes[changes["layer"] == layer]
        if channels is not None:
            numbers = checked_channels(channel_node(original, layer), layer, channels)
            own = own.set_index("channel").loc[numbers].reset_index()
        elif "correlation" in own:
            # A channel that is silent on all the photos has no correlation.
            own = own.dropna().sort_values("correlation", kind="stable").head(n_channels)
        else:
            own = own.sort_values("weight_change", ascending=False, kind="stable").head(n_channels)
        chosen.append(own)
    shown = pd.concat(chosen, ignore_index=True)[changes.columns]
    draw = partial(visualize_channels, size=size, steps=steps, seed=seed, cache=cache)
    wanted = {layer: shown.loc[shown["layer"] == layer, "channel"].tolist() for layer in layers}
    before, after = (
        {layer: draw(model, layer, wanted[layer]) for layer in layers}
        for model in (original, tuned)
    )
    profile = pd.DataFrame() if photos is None else change_by_layer(original, tuned, photos)
    return FilterComparison(shown, before, after, profile, changes)


def change_by_channel(
    original: keras.Model,
    tuned: keras.Model,
    layers: Sequence[str],
    *,
    photos: Sequence[str] | pd.Series | None = None,
) -> pd.DataFrame:
    """Compute how much each channel of some layers changed.

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
        (missing where a channel is the same everywhere).

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
    _check_same_layers(original, tuned, layers)
    parts = []
    for layer in layers:
        n_channels = int(channel_node(original, layer).output.shape[-1])
        change = _weight_change(original, tuned, layer, by_channel=True)
        columns = {"layer": layer, "channel": range(n_channels), "weight_change": change}
        parts.append(pd.DataFrame(columns))
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
    """Compute how much each layer of a network changed.

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

    Examples
    --------
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(4, 3, name="conv", activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bed", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> import tempfile
    >>> from PIL import Image
    >>> file = f"{tempfile.mkdtemp()}/a.png"
    >>> Image.linear_gradient("L").save(file)
    >>> change_by_layer(small, small, [file])[["layer", "weight_change"]].values.tolist()
    [['conv', 0.0]]
    """
    if layers is None:
        layers = convolutions(original)
    _check_same_layers(original, tuned, layers)
    sums = _sums(original, tuned, layers, photos)
    correlations = [pd.Series(sums[layer].correlations()).mean() for layer in layers]
    changes = [_weight_change(original, tuned, layer, by_channel=False) for layer in layers]
    columns = {"layer": layers, "cka": [sums[layer].cka() for layer in layers]}
    return pd.DataFrame({**columns, "weight_change": changes, "correlation": correlations})


def _weight_change(
    original: keras.Model, tuned: keras.Model, layer: str, *, by_channel: bool
) -> Any:
    """Compute the relative change of a kernel, (channels,) or a number; NaN for none."""
    before, after = folded_kernel(original, layer), folded_kernel(tuned, layer)
    if before is None or after is None:
        return np.nan
    axes = tuple(range(before.ndim - 1)) if by_channel else None
    difference = np.sqrt(((after - before) ** 2).sum(axis=axes))
    return difference / np.maximum(np.sqrt((before**2).sum(axis=axes)), 1e-12)


def _check_same_layers(original: keras.Model, tuned: keras.Model, layers: Sequence[str]) -> None:
    for layer in layers:
        shapes = [channel_node(model, layer).output.shape[-1] for model in (original, tuned)]
        if shapes[0] != shapes[1]:
            raise FeatureVisError(
                f"the models cannot be compared: {layer} has {shapes[0]} channels in the one and "
                f"{shapes[1]} in the other"
            )


def _sums(
    original: keras.Model,
    tuned: keras.Model,
    layers: Sequence[str],
    photos: Sequence[str] | pd.Series,
) -> dict[str, PairedSums]:
    """Show both models the same photos, each prepared as it wants them, and add up."""
    from hotelviz.images import View, iterate_views
    from hotelviz.models import model_info

    runs = [_coarse_outputs(model, layers) for model in (original, tuned)]
    wanted = [model_info(model).preprocessing for model in (original, tuned)]
    views = list(dict.fromkeys(View(each.size, each.resample) for each in wanted))
    places = [views.index(View(each.size, each.resample)) for each in wanted]
    sums: dict[str, PairedSums] = {}
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
            sums.setdefault(layer, PairedSums(before.shape[-1])).add(before, after)
    if not sums:
        raise FeatureVisError("none of the photos can be read: there is nothing to compare")
    return sums


def _coarse_outputs(model: keras.Model, layers: Sequence[str]) -> Any:
    """Return the function from pixels to some cells of layers: neighbours are alike."""
    from hotelviz.models import activations, cached_function

    def make() -> Any:
        return activations(
            model, [some_cells(channel_node(model, layer).output) for layer in layers]
        )

    return cached_function(model, ("coarse outputs", *layers), make)
