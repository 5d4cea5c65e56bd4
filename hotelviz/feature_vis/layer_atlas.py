"""Every channel of a layer: its picture, what activates it, what it drives, what is like it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.embeddings import layout
from hotelviz.errors import FeatureVisError, HotelvizError
from hotelviz.feature_vis.activation_maximization import Method, draw_channels
from hotelviz.feature_vis.channel_activity import ChannelActivity, channel_activity, output_effects
from hotelviz.feature_vis.channels import channel_node
from hotelviz.feature_vis.compare import change_by_channel
from hotelviz.feature_vis.magnitudes import photo_magnitudes
from hotelviz.io.cache import cache_folder

if TYPE_CHECKING:
    import keras


class ChannelAtlas(NamedTuple):
    """What `atlas` found.

    Attributes
    ----------
    layer
        By name.
    channels
        A row per channel: ``channel``, from 0; ``path`` of its picture; ``state``, which is
        ``active``, ``dead`` (the same at all places of all photos) or ``duplicate`` (it correlates
        by 0.95 or more with an earlier channel, ``duplicate_of``); ``strength``, the mean over all
        places of all photos; ``active``, the share of photos in which it is above a tenth
        of its own range; ``x`` and ``y``, its place on the map, missing for dead ones;
        ``drives``, the output that it adds most to, compared with the others, and ``effect``, by
        how much of a logit; with labels ``active_in``, the label whose photos activate it most;
        with an original ``correlation`` and ``weight_change``, as in `change_by_channel`, and
        ``change``, 1 less the correlation.
    histograms
        float32 (channels, 10): shares of photos by how strong the channel is on average over
        their places.
    edges
        float64 (11,), of their bins; what is beyond the last one is in the last bin.
    effects
        A row per channel, a column per output: what it adds to the logit on average over 64
        photos, activation times gradient summed over places. Under global average pooling and a
        dense layer that is its mean times its weight, exactly. No column without outputs; of more
        than 20 those that are predicted most often.
    n_photos
        How many could be read.
    """

    layer: str
    channels: pd.DataFrame
    histograms: np.ndarray
    edges: np.ndarray
    effects: pd.DataFrame
    n_photos: int

    @property
    def lead(self) -> pd.DataFrame:
        """`effects` less what a channel adds to all outputs: softmax sees differences only."""
        return lead_of(self.effects)

    @property
    def positions(self) -> pd.DataFrame | None:
        """Places on the map by row; None where all channels are dead."""
        places = self.channels[["x", "y"]]
        return None if places.isna().all(axis=None) else places


def atlas(
    model: keras.Model,
    layer: str,
    photos: pd.DataFrame,
    *,
    original: keras.Model | None = None,
    outputs: bool = True,
    size: int = 96,
    steps: int = 32,
    method: Method = "fourier",
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> ChannelAtlas:
    """Draw every channel of a layer, and say what each does on photos.

    Channels whose activations rise and fall over the same photos lie near each other on the map.

    Parameters
    ----------
    model
        Any flat model.
    layer
        By name, such as ``conv_pw_13``. Nothing above it is computed for the pictures.
    photos
        With ``path``, at least 10 of them that can be read; some hundreds are better. With
        ``label`` it is said which photos activate a channel most.
    original
        The model that the training began from: how much did each channel change?
    outputs
        Whether it is asked what channels add to the model's outputs.
    size, steps, method, seed
        Of the pictures, as in `visualize_channels`. The magnitudes of ``maco`` are those of the
        photos.
    cache
        A folder for the pictures, which are found again by the model's weights: a run that was
        stopped goes on. By default in hotelviz's cache.
    progress
        Show bars.

    Returns
    -------
    ChannelAtlas

    Raises
    ------
    ModelError
        A layer that is not there (with the nearest), or that has no height and width.
    FeatureVisError
        Too few photos that can be read, or an original of another architecture.
    CatalogError
        A column that is missing.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> folder = tempfile.mkdtemp()
    >>> photos = make_demo_catalog(folder, n_hotels=3, size=(96, 128)).head(12)
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> found = atlas(tagger, "conv1", photos, size=32, steps=1, cache=folder, progress=False)
    >>> len(found.channels), found.effects.columns.to_list()
    (32, ['Bedroom', 'Pool'])
    """
    photos = check_table(photos, needs=["path"], where="atlas", unique=False)
    photos = photos.reset_index(drop=True)
    n_channels = int(channel_node(model, layer).output.shape[-1])
    if original is not None:
        _check_original(original, layer, n_channels)
    activity = channel_activity(model, layer, photos, progress=progress)
    channels = _states(activity).join(_map(activity, seed))
    if "label" in photos:
        channels["active_in"] = _active_in(activity, photos["label"])
    effects = pd.DataFrame(index=range(n_channels))
    if outputs:
        effects = output_effects(model, layer, photos.iloc[activity.rows])
        channels = channels.join(_driven(effects, activity.dead))
    if original is not None:
        change = change_by_channel(original, model, [layer], photos=photos["path"])
        channels = channels.join(change[["weight_change", "correlation"]])
        channels["change"] = 1 - channels["correlation"]
    magnitudes = photo_magnitudes(photos["path"], size=size) if method == "maco" else None
    files = draw_channels(
        model, layer, size=size, steps=steps, seed=seed, method=method, magnitudes=magnitudes,
        cache=cache_folder("channels") if cache is None else cache, progress=progress,
    )  # fmt: skip
    channels.insert(1, "path", list(map(str, files)))
    return ChannelAtlas(layer, channels, *activity.histograms(), effects, len(activity.rows))


def lead_of(effects: pd.DataFrame) -> pd.DataFrame:
    """Return what channels add to outputs, less what they add to all of them on average."""
    return effects.sub(effects.mean(axis=1), axis=0)


def _check_original(original: keras.Model, layer: str, n_channels: int) -> None:
    try:
        there = int(channel_node(original, layer).output.shape[-1])
    except HotelvizError as error:
        raise FeatureVisError(
            f"the original is of another architecture, and cannot be compared: {error}"
        ) from error
    if there != n_channels:
        raise FeatureVisError(
            f"the original is of another architecture, and cannot be compared: its {layer} has "
            f"{there} channels, the model's {n_channels}"
        )


def _states(activity: ChannelActivity) -> pd.DataFrame:
    """Return which channels are dead or duplicates, and how active they are."""
    dead, first = activity.dead, activity.duplicate_of()
    low, high = activity.weakest[:, None], activity.strongest.max(axis=1)[:, None]
    active = (activity.strongest > low + 0.1 * (high - low)).mean(axis=1)
    copied = pd.Series(first).where(first >= 0).astype("Int64")
    return pd.DataFrame(
        {
            "channel": range(len(dead)),
            "state": np.select([dead, first >= 0], ["dead", "duplicate"], "active"),
            "duplicate_of": copied,
            "strength": activity.mean.mean(axis=1),
            "active": np.where(dead, 0.0, active),
        }
    )


def _map(activity: ChannelActivity, seed: int) -> pd.DataFrame:
    """Lay channels out by the correlation of their means over photos."""
    # The cosine of profiles around their mean is their correlation.
    profiles = activity.mean - activity.mean.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(profiles, axis=1, keepdims=True)
    silent = activity.dead[:, None] | (lengths <= 1e-6 * max(float(lengths.max()), 1e-30))
    directions = profiles / np.where(silent, 1, lengths)
    return layout(pd.DataFrame(np.where(silent, np.nan, directions)), seed=seed)


def _active_in(activity: ChannelActivity, labels: pd.Series) -> pd.Series:
    """Return the label whose photos activate each channel most."""
    names = labels.iloc[activity.rows].reset_index(drop=True)
    if names.isna().all():
        return pd.Series(None, range(len(activity.mean)), dtype="object")
    means = pd.DataFrame(activity.mean.T).groupby(names).mean()
    return means.idxmax().where(~activity.dead)


def _driven(effects: pd.DataFrame, dead: np.ndarray) -> pd.DataFrame:
    """Return the output that each channel adds most to: more than to the others, on average."""
    lead = lead_of(effects)
    found = pd.DataFrame({"drives": lead.idxmax(axis=1), "effect": lead.max(axis=1)})
    return found.where(~dead & (found["effect"] > 0))
