"""Displays of what `hotelviz.audit`, `hotelviz.metrics` and `hotelviz.training` compute.

Each function draws on ``ax`` or on a new figure, returns the axes (or a display that holds them),
never shows anything by itself, and gives the figure its alternative text.
"""

from hotelviz.plots.audit import issue_counts, stage_comparison
from hotelviz.plots.scores import (
    predicted_against_rated,
    rating_bars,
    score_distribution,
    shares_between,
)
from hotelviz.plots.tags import (
    ConfusionMatrixDisplay,
    class_counts,
    per_class_bars,
    reliability,
    training_history,
)

__all__ = [
    "ConfusionMatrixDisplay",
    "class_counts",
    "issue_counts",
    "per_class_bars",
    "predicted_against_rated",
    "rating_bars",
    "reliability",
    "score_distribution",
    "shares_between",
    "stage_comparison",
    "training_history",
]
