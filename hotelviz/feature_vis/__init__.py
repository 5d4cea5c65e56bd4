"""See what the channels of a network look for, before and after fine-tuning."""

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.activation_maximization import visualize_channels, visualize_outputs
from hotelviz.feature_vis.channels import PUBLISHED_LAYERS, channel_node, convolutions
from hotelviz.feature_vis.compare import (
    ChannelExample,
    FilterComparison,
    change_by_channel,
    change_by_layer,
    channel_examples,
    compare_filters,
)
from hotelviz.feature_vis.top_activations import patch_pixels, top_photos

__all__ = [
    "PUBLISHED_LAYERS",
    "ChannelExample",
    "FeatureVisError",
    "FilterComparison",
    "change_by_channel",
    "change_by_layer",
    "channel_examples",
    "channel_node",
    "compare_filters",
    "convolutions",
    "patch_pixels",
    "top_photos",
    "visualize_channels",
    "visualize_outputs",
]
