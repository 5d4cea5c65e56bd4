"""See what the channels of a network look for, before and after fine-tuning."""

from hotelviz.filters.compare import (
    TALK_LAYERS,
    FilterComparison,
    change_by_channel,
    change_by_layer,
    compare_filters,
)
from hotelviz.filters.maximise import FilterError, visualize_channels, visualize_outputs
from hotelviz.filters.photos import patch_pixels, top_photos

__all__ = [
    "TALK_LAYERS",
    "FilterComparison",
    "FilterError",
    "change_by_channel",
    "change_by_layer",
    "compare_filters",
    "patch_pixels",
    "top_photos",
    "visualize_channels",
    "visualize_outputs",
]
