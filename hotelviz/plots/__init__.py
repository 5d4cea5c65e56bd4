"""Displays of what the audit, metrics, training, attribution and filters compute.

Each function draws on ``ax`` or on a new figure, returns the axes (or a display that holds them),
never shows anything by itself, and gives the figure its alternative text.
"""

from hotelviz.plots.audit import issue_counts, stage_comparison
from hotelviz.plots.explain import (
    confusion_sheet,
    deletion_curves,
    map_sheet,
    pattern_montages,
    pattern_text,
)
from hotelviz.plots.filters import (
    change_text,
    channel_card,
    depth_profile,
    filter_comparison,
    picture_row,
)
from hotelviz.plots.labels import rater_bias
from hotelviz.plots.scores import (
    predicted_against_rated,
    rating_bars,
    score_distribution,
    shares_between,
)
from hotelviz.plots.style import figure_png, new_figure, save_figure
from hotelviz.plots.tags import (
    ConfusionMatrixDisplay,
    class_counts,
    per_class_bars,
    reliability,
    training_history,
)

__all__ = [
    "ConfusionMatrixDisplay",
    "change_text",
    "channel_card",
    "class_counts",
    "confusion_sheet",
    "deletion_curves",
    "depth_profile",
    "figure_png",
    "filter_comparison",
    "issue_counts",
    "map_sheet",
    "new_figure",
    "pattern_montages",
    "pattern_text",
    "per_class_bars",
    "picture_row",
    "predicted_against_rated",
    "rater_bias",
    "rating_bars",
    "reliability",
    "save_figure",
    "score_distribution",
    "shares_between",
    "stage_comparison",
    "training_history",
]
