"""Measure how good predictions are: tags against labels, scores against ratings."""

from hotelviz.metrics.interval import Interval, MetricsError, bootstrap_interval
from hotelviz.metrics.scores import TALK, compare_scores, score_metrics
from hotelviz.metrics.tags import (
    calibration,
    classification_report,
    confusion_costs,
    confusion_matrix,
    expected_calibration_error,
    most_confused,
    summary,
    top1,
)

__all__ = [
    "TALK",
    "Interval",
    "MetricsError",
    "bootstrap_interval",
    "calibration",
    "classification_report",
    "compare_scores",
    "confusion_costs",
    "confusion_matrix",
    "expected_calibration_error",
    "most_confused",
    "score_metrics",
    "summary",
    "top1",
]
