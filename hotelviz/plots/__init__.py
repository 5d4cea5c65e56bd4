"""Plots of what the audit, metrics, training, attribution and feature visualisation compute.

Each function takes arrays or tables, draws them on ``ax`` or on a new figure, and returns a
`Display` with its ``ax_``, ``figure_`` and artists. A display shows itself as the last line of a
notebook's cell. Every figure has an alternative text.
"""

from typing import TYPE_CHECKING, Any

from hotelviz.plots.attribution import (
    confusion_sheet,
    deletion_curves,
    map_sheet,
)
from hotelviz.plots.audit import (
    class_comparison,
    issue_counts,
    stage_classes,
    stage_comparison,
    stage_confusions,
)
from hotelviz.plots.classification import class_counts, per_class_bars, reliability
from hotelviz.plots.comparison import confusion_differences, difference_intervals
from hotelviz.plots.concepts import concept_ends, concept_shares, concept_sheet, spotlight
from hotelviz.plots.display import Display
from hotelviz.plots.drift import distribution_change, drift_distances
from hotelviz.plots.embeddings import photo_map, photo_map_facets
from hotelviz.plots.feature_vis import (
    change_text,
    channel_card,
    depth_profile,
    filter_comparison,
    picture_row,
)
from hotelviz.plots.labelling import rater_bias
from hotelviz.plots.learning_curve import learning_curve
from hotelviz.plots.number_table import number_table
from hotelviz.plots.photo_grid import photo_grid
from hotelviz.plots.rejection import coverage_curve, set_sizes
from hotelviz.plots.scores import (
    hotel_orders,
    predicted_against_rated,
    rating_bars,
    score_distribution,
    score_limits,
    shares_between,
)
from hotelviz.plots.slices import error_slices
from hotelviz.plots.style import exported, figure_png, new_figure, save_figure
from hotelviz.plots.training import training_history

if TYPE_CHECKING:
    from hotelviz.plots.confusion_matrix import ConfusionMatrixDisplay

__all__ = [
    "ConfusionMatrixDisplay",
    "Display",
    "change_text",
    "channel_card",
    "class_comparison",
    "class_counts",
    "concept_ends",
    "concept_shares",
    "concept_sheet",
    "confusion_differences",
    "confusion_sheet",
    "coverage_curve",
    "deletion_curves",
    "depth_profile",
    "difference_intervals",
    "distribution_change",
    "drift_distances",
    "error_slices",
    "exported",
    "figure_png",
    "filter_comparison",
    "hotel_orders",
    "issue_counts",
    "learning_curve",
    "map_sheet",
    "new_figure",
    "number_table",
    "per_class_bars",
    "photo_grid",
    "photo_map",
    "photo_map_facets",
    "picture_row",
    "predicted_against_rated",
    "rater_bias",
    "rating_bars",
    "reliability",
    "save_figure",
    "score_distribution",
    "score_limits",
    "set_sizes",
    "shares_between",
    "spotlight",
    "stage_classes",
    "stage_comparison",
    "stage_confusions",
    "training_history",
]


def __getattr__(name: str) -> Any:
    # Its base needs scikit-learn, which takes longer to import than all plots.
    if name == "ConfusionMatrixDisplay":
        from hotelviz.plots.confusion_matrix import ConfusionMatrixDisplay

        return ConfusionMatrixDisplay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
