"""How good a tagger's predictions are.

Labels are strings. A missing prediction (a photo that could not be read) is refused rather than
dropped in silence: leave such rows out, and say how many they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from hotelviz.catalog import as_ids, check_table
from hotelviz.errors import MetricsError, did_you_mean
from hotelviz.metrics.bootstrap import Labels, bootstrap_interval
from hotelviz.scores.predictions import class_probabilities

_WITHOUT = "the table has no probabilities: columns p_<class>, of each class that is predicted"


def _table(tags: pd.DataFrame, needs: Sequence[str], where: str) -> pd.DataFrame:
    """Refuse a table that lacks a column or has a photo twice, as a join by a wrong key leaves."""
    names = [name for name in ("image_id", "hotel_id") if name in tags and "image_id" in tags]
    return check_table(tags, needs=[*names, *needs], where=where)


def _pair(true: Labels, predicted: Labels) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(true, pd.Series) and isinstance(predicted, pd.Series):
        same_rows = len(true) == len(predicted) and true.index.sort_values().equals(
            predicted.index.sort_values()
        )
        if same_rows and not true.index.equals(predicted.index):
            raise MetricsError(
                "labels and predictions are of the same rows in different orders; join them by "
                "image_id first"
            )
    true_array, predicted_array = _texts(true, "true"), _texts(predicted, "predicted")
    if len(true_array) != len(predicted_array):
        raise MetricsError(f"{len(true_array)} true labels, but {len(predicted_array)} predictions")
    if not len(true_array):
        raise MetricsError("there are no predictions to judge")
    for name, side in (("true labels", true_array), ("predictions", predicted_array)):
        if side.isna().any():
            raise MetricsError(
                f"{int(side.isna().sum())} of {len(side)} {name} are missing; leave photos without "
                "a label, and those whose 'error' kept them from being read, out, and say so"
            )
    return true_array.to_numpy(dtype=object), predicted_array.to_numpy(dtype=object)


def _texts(side: Labels, name: str) -> pd.Series:
    """Give labels as text; a class 1 that became 1.0 beside a missing one is the class 1."""
    return as_ids(pd.Series(list(side)), name, "the labels")


def _classes(true: np.ndarray, predicted: np.ndarray, classes: Sequence[str] | None) -> list[str]:
    found = sorted({*true.tolist(), *predicted.tolist()})
    if classes is None:
        return found
    unknown = [name for name in found if name not in classes]
    if unknown:
        raise MetricsError(
            f"{unknown[0]!r} is not one of the {len(classes)} classes ({', '.join(classes)})"
            f"{did_you_mean(unknown[0], classes)}"
        )
    return list(classes)


def top1(true: Labels, predicted: Labels) -> float:
    """Compute the share of photos whose most probable class is the right one.

    Parameters
    ----------
    true, predicted
        Labels, equally many.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    MetricsError
        Missing labels, or different numbers of them.

    Examples
    --------
    >>> top1(["Pool", "Foyer"], ["Pool", "Reception"])
    0.5
    """
    true_array, predicted_array = _pair(true, predicted)
    return float((true_array == predicted_array).mean())


def confusion_matrix(
    true: Labels, predicted: Labels, *, classes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Count the photos of each true class by predicted class.

    Parameters
    ----------
    true, predicted
        Labels, equally many.
    classes
        Rows and columns; by default those that occur, in alphabetical order.

    Returns
    -------
    pandas.DataFrame
        Counts; the index is ``true``, the columns are ``predicted``.

    Raises
    ------
    MetricsError
        Missing labels, or one that is not in `classes`.

    Examples
    --------
    >>> confusion_matrix(["Pool", "Foyer"], ["Pool", "Pool"]).loc["Foyer", "Pool"]
    np.int64(1)
    """
    true_array, predicted_array = _pair(true, predicted)
    names = _classes(true_array, predicted_array, classes)
    counts = pd.crosstab(true_array, predicted_array)
    matrix = counts.reindex(index=names, columns=names, fill_value=0)
    return matrix.rename_axis(index="true", columns="predicted")


def classification_report(
    true: Labels, predicted: Labels, *, classes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compute precision, recall and F1 of each class.

    Parameters
    ----------
    true, predicted
        Labels, equally many.
    classes
        Rows; by default those that occur.

    Returns
    -------
    pandas.DataFrame
        A row per class, then ``macro avg`` (over classes that have photos) and ``weighted avg``
        (by photos). Columns ``precision``, ``recall``, ``f1`` (0 to 1; missing where undefined:
        recall of a class without photos, precision of one that was never predicted) and
        ``support``, the number of photos.

    Raises
    ------
    MetricsError
        Missing labels, or one that is not in `classes`.

    Examples
    --------
    >>> classification_report(["Pool", "Pool", "Bed"], ["Pool", "Bed", "Bed"]).round(2)
                  precision  recall    f1  support
    Bed                0.50    1.00  0.67        1
    Pool               1.00    0.50  0.67        2
    macro avg          0.75    0.75  0.67        3
    weighted avg       0.83    0.67  0.67        3
    """
    from sklearn.metrics import precision_recall_fscore_support

    true_array, predicted_array = _pair(true, predicted)
    names = _classes(true_array, predicted_array, classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        true_array, predicted_array, labels=names, zero_division=np.nan
    )
    report = pd.DataFrame(
        {"precision": precision, "recall": recall, "f1": f1, "support": support}, index=names
    )
    tested = report[report["support"] > 0]
    scores = ["precision", "recall", "f1"]
    # A class that was never predicted has found nothing: its precision counts as 0 in an average.
    filled = tested[scores].fillna(0)
    total = int(report["support"].sum())
    report.loc["macro avg"] = [*filled.mean(), total]
    report.loc["weighted avg"] = [*np.average(filled, axis=0, weights=tested["support"]), total]
    return report.astype({"support": int})


def calibration(
    probabilities: np.ndarray, true: Labels, classes: Sequence[str], *, bins: int = 15
) -> pd.DataFrame:
    """Compare how sure a model is with how often it is right.

    Parameters
    ----------
    probabilities
        float (N, len(classes)).
    true
        The N right labels; one that is not among `classes` cannot be predicted right.
    classes
        What the columns stand for.
    bins
        Of equal width between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row per bin that has photos: ``lower``, ``upper``, ``confidence`` (mean probability of
        the predicted class), ``accuracy`` and ``count``.

    Raises
    ------
    MetricsError
        When shapes do not fit, probabilities or labels are missing, or there are no photos.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017, section 2.

    Examples
    --------
    >>> calibration(np.array([[0.9, 0.1], [0.8, 0.2]]), ["a", "b"], ["a", "b"], bins=2)
       lower  upper  confidence  accuracy  count
    0    0.5    1.0        0.85       0.5      2
    """
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.shape != (len(true), len(classes)):
        raise MetricsError(
            f"probabilities have the shape {probabilities.shape}; "
            f"expected {(len(true), len(classes))}"
        )
    if not np.isfinite(probabilities).all():
        raise MetricsError("some probabilities are missing; leave out photos that were not read")
    if not len(probabilities) or pd.isna(np.asarray(true, dtype=object)).any():
        raise MetricsError("calibration needs photos, each with a label")
    if probabilities.min() < 0 or probabilities.max() > 1 + 1e-6:
        raise MetricsError(
            f"probabilities are {probabilities.min():.3g} to {probabilities.max():.3g}; expected "
            "0 to 1 (of logits take the softmax)"
        )
    confidence = probabilities.max(axis=1)
    predicted = np.asarray(classes, dtype=object)[probabilities.argmax(axis=1)]
    frame = pd.DataFrame(
        {
            "bin": np.minimum((confidence * bins).astype(int), bins - 1),
            "confidence": confidence,
            "accuracy": predicted == np.asarray(true, dtype=object),
        }
    )
    table = frame.groupby("bin").agg(
        confidence=("confidence", "mean"), accuracy=("accuracy", "mean"), count=("bin", "size")
    )
    table.insert(0, "lower", table.index / bins)
    table.insert(1, "upper", (table.index + 1) / bins)
    return table.reset_index(drop=True)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Compute the mean distance between confidence and accuracy, weighted by photos.

    Parameters
    ----------
    table
        From `calibration`.

    Returns
    -------
    float
        0 (as sure as it is right) to 1.

    References
    ----------
    Guo et al. 2017 (see `calibration`), eq. 3.

    Examples
    --------
    >>> table = calibration(np.array([[0.9, 0.1], [0.8, 0.2]]), ["a", "b"], ["a", "b"], bins=2)
    >>> round(expected_calibration_error(table), 3)
    0.35
    """
    if table.empty:
        raise MetricsError("the table of the calibration has no photos")
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float(np.average(gap, weights=table["count"]))


def summary(
    tags: pd.DataFrame, *, classes: Sequence[str] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Put the figures of a tagger on labelled photos into one table.

    Parameters
    ----------
    tags
        ``label``, ``predicted`` (else the most probable class), ``p_<class>`` and, for intervals
        over hotels, ``hotel_id``. Other columns may be there too.
    classes
        The model's; None for those that `hotelviz.scores.predictions.class_columns` finds.
    seed
        For the bootstrap.

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``value``, ``low`` and ``high`` (95 % bootstrap interval over hotels): top-1,
        macro precision, recall and F1, and the expected calibration error.

    Raises
    ------
    MetricsError
        Missing labels, predictions or probabilities.
    HotelvizError
        Columns of which it cannot be told whether they are a class's.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "b"], "predicted": ["a", "b"],
    ...                      "p_a": [0.9, 0.2], "p_b": [0.1, 0.8]})
    >>> summary(tags)[["metric", "value"]].head(2)
                metric  value
    0   top-1 accuracy    1.0
    1  macro precision    1.0
    """
    tags = _table(tags, ["label", *(["predicted"] if "predicted" in tags else [])], "summary")
    shares = class_probabilities(tags, classes)
    if shares.empty:
        raise MetricsError(_WITHOUT)
    classes, probabilities = list(shares), shares.to_numpy()
    said = tags["predicted"] if "predicted" in tags else shares.idxmax(axis="columns")
    true, predicted = _pair(tags["label"], said)
    names = _classes(true, predicted, None)
    codes_true, codes_predicted = (
        pd.Categorical(side, categories=names).codes.astype(int) for side in (true, predicted)
    )

    def macro(rows: np.ndarray) -> np.ndarray:
        """Macro precision, recall and F1 over the classes that have photos among `rows`."""
        cells = np.bincount(
            codes_true[rows] * len(names) + codes_predicted[rows], minlength=len(names) ** 2
        ).reshape(len(names), len(names))
        right, support, taken = np.diag(cells), cells.sum(1), cells.sum(0)
        there = support > 0
        precision = right[there] / np.maximum(taken[there], 1)
        recall = right[there] / support[there]
        f1 = 2 * right[there] / (support[there] + taken[there])
        return np.array([precision.mean(), recall.mean(), f1.mean()])

    def calibration_error(rows: np.ndarray) -> float:
        return expected_calibration_error(calibration(probabilities[rows], true[rows], classes))

    figures: dict[str, tuple[Callable[[np.ndarray], float], int]] = {
        "top-1 accuracy": (lambda rows: float((true == predicted)[rows].mean()), 1000),
        "macro precision": (lambda rows: float(macro(rows)[0]), 1000),
        "macro recall": (lambda rows: float(macro(rows)[1]), 1000),
        "macro F1": (lambda rows: float(macro(rows)[2]), 1000),
        "expected calibration error": (calibration_error, 200),
    }
    groups = tags.get("hotel_id")
    rows = [
        (name, *bootstrap_interval(statistic, len(true), groups=groups, draws=draws, seed=seed))
        for name, (statistic, draws) in figures.items()
    ]
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])
