"""Measure how good predictions are: tags against labels, scores against ratings."""

from hotelviz.errors import MetricsError
from hotelviz.metrics.bootstrap import Interval, bootstrap_interval
from hotelviz.metrics.classification import (
    calibration,
    classification_report,
    confusion_gaps,
    confusion_matrix,
    expected_calibration_error,
    most_confused,
    summary,
    top1,
)
from hotelviz.metrics.ratings import PUBLISHED_RESULTS, compare_scores, score_metrics

__all__ = [
    "PUBLISHED_RESULTS",
    "Interval",
    "MetricsError",
    "bootstrap_interval",
    "calibration",
    "classification_report",
    "compare_scores",
    "confusion_gaps",
    "confusion_matrix",
    "expected_calibration_error",
    "most_confused",
    "score_metrics",
    "summary",
    "top1",
]
