"""Metrics: predicted classes against labels, predicted scores against ratings."""

from hotelviz.errors import MetricsError
from hotelviz.metrics.ambiguity import ambiguity, labeller_accuracy
from hotelviz.metrics.bootstrap import (
    Interval,
    bootstrap_interval,
    bootstrap_table,
    paired_difference,
)
from hotelviz.metrics.calibration import calibration, expected_calibration_error
from hotelviz.metrics.classification import (
    classification_report,
    confusion_matrix,
    in_top_k,
    summary,
    top1,
)
from hotelviz.metrics.confusions import confusion_names, confusions, misclassified
from hotelviz.metrics.ratings import PUBLISHED_RESULTS, compare_scores, score_metrics

__all__ = [
    "PUBLISHED_RESULTS",
    "Interval",
    "MetricsError",
    "ambiguity",
    "bootstrap_interval",
    "bootstrap_table",
    "calibration",
    "classification_report",
    "compare_scores",
    "confusion_matrix",
    "confusion_names",
    "confusions",
    "expected_calibration_error",
    "in_top_k",
    "labeller_accuracy",
    "misclassified",
    "paired_difference",
    "score_metrics",
    "summary",
    "top1",
]
