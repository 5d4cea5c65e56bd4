"""Metrics: predicted classes against labels, predicted scores against ratings."""

from hotelviz.errors import MetricsError
from hotelviz.metrics.agreement import agreement_ceiling
from hotelviz.metrics.ambiguity import ambiguity, labeller_accuracy
from hotelviz.metrics.calibration import calibration, expected_calibration_error, fit_temperature
from hotelviz.metrics.classification import (
    classification_report,
    confusion_matrix,
    in_top_k,
    summary,
    top1,
)
from hotelviz.metrics.comparison import (
    Change,
    Comparison,
    Flip,
    compare_aesthetics,
    compare_taggers,
)
from hotelviz.metrics.conditions import Condition, Outcome, judge_conditions, read_condition
from hotelviz.metrics.conformal import (
    ConformalSets,
    conformal_figures,
    conformal_sets,
    hotels_for_coverage,
)
from hotelviz.metrics.confusions import (
    confusion_names,
    confusions,
    correctly_classified,
    misclassified,
)
from hotelviz.metrics.corrections import holm
from hotelviz.metrics.delivery_figures import drift_figures, figure_changes
from hotelviz.metrics.drift import Shift, column_drift, score_drift
from hotelviz.metrics.jackknife import (
    CORRELATION,
    DISTANCE,
    SHARE,
    Interval,
    jackknife_interval,
    jackknife_intervals,
    jackknife_table,
    mean_interval,
    paired_difference,
)
from hotelviz.metrics.learning_curve import LearningCurve, learning_curve
from hotelviz.metrics.proportions import share_interval
from hotelviz.metrics.ratings import PUBLISHED_RESULTS, compare_scores, score_metrics
from hotelviz.metrics.rejection import (
    Threshold,
    confident,
    coverage_accuracy,
    cross_hotels,
    rejection_figures,
    threshold_for_precision,
)
from hotelviz.metrics.required import required_photos
from hotelviz.metrics.two_samples import TwoSamples, classifier_test

__all__ = [
    "CORRELATION",
    "DISTANCE",
    "PUBLISHED_RESULTS",
    "SHARE",
    "Change",
    "Comparison",
    "Condition",
    "ConformalSets",
    "Flip",
    "Interval",
    "LearningCurve",
    "MetricsError",
    "Outcome",
    "Shift",
    "Threshold",
    "TwoSamples",
    "agreement_ceiling",
    "ambiguity",
    "calibration",
    "classification_report",
    "classifier_test",
    "column_drift",
    "compare_aesthetics",
    "compare_scores",
    "compare_taggers",
    "confident",
    "conformal_figures",
    "conformal_sets",
    "confusion_matrix",
    "confusion_names",
    "confusions",
    "correctly_classified",
    "coverage_accuracy",
    "cross_hotels",
    "drift_figures",
    "expected_calibration_error",
    "figure_changes",
    "fit_temperature",
    "holm",
    "hotels_for_coverage",
    "in_top_k",
    "jackknife_interval",
    "jackknife_intervals",
    "jackknife_table",
    "judge_conditions",
    "labeller_accuracy",
    "learning_curve",
    "mean_interval",
    "misclassified",
    "paired_difference",
    "read_condition",
    "rejection_figures",
    "required_photos",
    "score_drift",
    "score_metrics",
    "share_interval",
    "summary",
    "threshold_for_precision",
    "top1",
]
