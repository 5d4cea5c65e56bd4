"""See what the channels of a network look for, before and after fine-tuning."""

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.activation_maximization import (
    METHODS,
    visualize_channels,
    visualize_outputs,
)
from hotelviz.feature_vis.channels import (
    PUBLISHED_LAYERS,
    activated_node,
    channel_node,
    convolutions,
)
from hotelviz.feature_vis.compare import (
    ChannelExample,
    FilterComparison,
    change_by_channel,
    change_by_layer,
    channel_examples,
    compare_filters,
)
from hotelviz.feature_vis.layer_atlas import ChannelAtlas, atlas
from hotelviz.feature_vis.magnitudes import natural_magnitudes, photo_magnitudes
from hotelviz.feature_vis.top_activations import patch_pixels, top_photos

__all__ = [
    "METHODS",
    "PUBLISHED_LAYERS",
    "ChannelAtlas",
    "ChannelExample",
    "FeatureVisError",
    "FilterComparison",
    "activated_node",
    "atlas",
    "change_by_channel",
    "change_by_layer",
    "channel_examples",
    "channel_node",
    "compare_filters",
    "convolutions",
    "natural_magnitudes",
    "patch_pixels",
    "photo_magnitudes",
    "top_photos",
    "visualize_channels",
    "visualize_outputs",
]
