"""How good a tagger's predictions are.

Labels are text. A missing prediction (of a photo that could not be read) is refused rather than
dropped silently: leave such rows out, and say how many they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import as_ids, check_table
from hotelviz.errors import MetricsError, check_choice
from hotelviz.metrics.calibration import confidence_bins
from hotelviz.metrics.jackknife import SHARE, Figures, Labels, jackknife_intervals
from hotelviz.metrics.proportions import share_interval
from hotelviz.scores.predictions import class_probabilities


def _checked(true: Labels, predicted: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions as text; refuse those that cannot be compared."""
    if isinstance(true, pd.Series) and isinstance(predicted, pd.Series):
        rows, others = true.index, predicted.index
        if not rows.equals(others) and rows.sort_values().equals(others.sort_values()):
            raise MetricsError(
                "labels and predictions are of the same rows in different orders; join them by "
                "image_id first"
            )
    if len(true) != len(predicted):
        raise MetricsError(f"{len(true)} true labels, but {len(predicted)} predictions")
    if not len(true):
        raise MetricsError("there are no predictions to judge")
    sides = []
    for name, labels in (("true labels", true), ("predictions", predicted)):
        # Text: a class 1 that became 1.0 beside a missing one is the class 1.
        side = as_ids(pd.Series(list(labels)), name, "the labels")
        if n_missing := int(side.isna().sum()):
            raise MetricsError(
                f"{n_missing} of {len(side)} {name} are missing; leave photos without a label, and "
                "those whose 'error' kept them from being read, out, and say so"
            )
        sides.append(side.to_numpy(dtype=object))
    return sides[0], sides[1]


def _class_names(
    true: np.ndarray, predicted: np.ndarray, classes: Sequence[str] | None
) -> list[str]:
    found = sorted({*true.tolist(), *predicted.tolist()})
    if classes is None:
        return found
    for name in found:
        check_choice(name, classes, "class", MetricsError)
    return list(classes)


def top1(true: Labels, predicted: Labels) -> float:
    """Compute the top-1 accuracy: the share of photos whose predicted class is the right one.

    Parameters
    ----------
    true, predicted : array-like of length n_photos
        Labels and predictions.

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
    true_array, predicted_array = _checked(true, predicted)
    return float((true_array == predicted_array).mean())


def in_top_k(true: Labels, probabilities: pd.DataFrame, *, k: int = 2) -> np.ndarray:
    """Return of which photos the right class is among the k most probable ones.

    Parameters
    ----------
    true : array-like of length n_photos
        Labels; one that is no class of the model is among none.
    probabilities : pandas.DataFrame
        0 to 1, a row per photo and a column per class, named after it.
    k : int, default 2
        How many classes may be named.

    Returns
    -------
    numpy.ndarray
        bool; its mean is the top-k accuracy.

    Raises
    ------
    MetricsError
        `k` is less than 1, or there are not as many labels as rows.

    Examples
    --------
    >>> shares = pd.DataFrame({"Bar": [0.5, 0.5], "Foyer": [0.3, 0.1], "Pool": [0.2, 0.4]})
    >>> in_top_k(["Foyer", "Foyer"], shares).tolist()
    [True, False]
    """
    if k < 1 or len(true) != len(probabilities):
        raise MetricsError(
            f"k={k} classes, from 1, of {len(probabilities)} rows of probabilities for {len(true)} "
            "labels"
        )
    own = probabilities.columns.get_indexer(pd.Index(list(true)))
    # Equal ones in the order of the classes, as the most probable one is chosen.
    best = np.argsort(-probabilities.to_numpy(), axis=1, kind="stable")[:, :k]
    return np.asarray((best == own[:, None]).any(axis=1))


def confusion_matrix(
    true: Labels, predicted: Labels, *, classes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compute the confusion matrix.

    Parameters
    ----------
    true, predicted : array-like of length n_photos
        Labels and predictions.
    classes : sequence of str, optional
        Rows and columns; by default those that occur, in alphabetical order.

    Returns
    -------
    pandas.DataFrame
        Numbers of photos; the index is ``true``, the columns are ``predicted``.

    Raises
    ------
    MetricsError
        Missing labels, or one that is not in `classes`.

    See Also
    --------
    hotelviz.metrics.confusions : the pairs of classes that are confused, as a list.

    Examples
    --------
    >>> confusion_matrix(["Pool", "Foyer"], ["Pool", "Pool"]).loc["Foyer", "Pool"]
    np.int64(1)
    """
    from sklearn import metrics

    true_array, predicted_array = _checked(true, predicted)
    names = _class_names(true_array, predicted_array, classes)
    counts = metrics.confusion_matrix(true_array, predicted_array, labels=names)
    return pd.DataFrame(counts, names, names).rename_axis(index="true", columns="predicted")


def classification_report(
    true: Labels, predicted: Labels, *, classes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compute precision, recall and F1 of each class.

    Parameters
    ----------
    true, predicted : array-like of length n_photos
        Labels and predictions.
    classes : sequence of str, optional
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

    true_array, predicted_array = _checked(true, predicted)
    names = _class_names(true_array, predicted_array, classes)
    columns = precision_recall_fscore_support(
        true_array, predicted_array, labels=names, zero_division=np.nan
    )
    scores = ["precision", "recall", "f1"]
    report = pd.DataFrame(dict(zip([*scores, "support"], columns, strict=True)), index=names)
    tested = report[report["support"] > 0]
    # A class that is never predicted finds nothing: its precision counts as 0 in an average.
    filled = tested[scores].fillna(0)
    total = int(report["support"].sum())
    report.loc["macro avg"] = [*filled.mean(), total]
    report.loc["weighted avg"] = [*np.average(filled, axis=0, weights=tested["support"]), total]
    return report.astype({"support": int})


class JudgedPhotos(NamedTuple):
    """Photos whose predictions can be compared with their labels.

    Attributes
    ----------
    table
        With names as text.
    shares
        The probability of each class.
    true, predicted
        As text.
    """

    table: pd.DataFrame
    shares: pd.DataFrame
    true: np.ndarray
    predicted: np.ndarray


def judged_photos(
    predictions: pd.DataFrame, classes: Sequence[str] | None, *, where: str
) -> JudgedPhotos:
    """Return what figures of a tagger are made of; parameters and errors are those of `summary`."""
    ids = ["image_id", "hotel_id"] if "image_id" in predictions else []
    needs = [name for name in (*ids, "predicted", "label_2") if name in predictions]
    table = check_table(predictions, needs=["label", *needs], where=where)
    shares = class_probabilities(table, classes)
    if shares.empty:
        raise MetricsError(
            "the table has no probabilities: columns p_<class>, of each class that is predicted"
        )
    best = table["predicted"] if "predicted" in table else shares.idxmax(axis="columns")
    return JudgedPhotos(table, shares, *_checked(table["label"], best))


def summary(
    predictions: pd.DataFrame, *, classes: Sequence[str] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Compute the figures of a tagger on labelled photos, with their intervals.

    Parameters
    ----------
    predictions : pandas.DataFrame
        A row per photo: ``label``, ``predicted`` (by default the most probable class),
        ``p_<class>`` and, for intervals over hotels, ``hotel_id``. Other columns may be there too.
    classes : sequence of str, optional
        The model's; by default those of which there is a column ``p_<class>``.
    seed : int, default 0
        Of the blocks, of more than 200 hotels.

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``value``, ``low`` and ``high`` (95 % interval over hotels): top-1, macro
        precision, recall and F1, and the expected calibration error. The interval of top-1 is that
        of `share_interval`, which there is also where no photo is wrong, the others those of
        `jackknife_intervals`.

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
    judged = judged_photos(predictions, classes, where="summary")
    classes_of, calibrated = class_figures(judged), calibration_figure(judged)
    hotels = judged.table.get("hotel_id")
    table = jackknife_intervals(
        lambda rows: classes_of(rows) | calibrated(rows), len(judged.true),
        groups=hotels, bounds=SHARE, seed=seed,
    )  # fmt: skip
    right = share_interval(judged.true == judged.predicted, groups=hotels)
    table.loc[table["metric"] == "top-1 accuracy", ["low", "high"]] = right[1:]
    return table


def class_figures(judged: JudgedPhotos) -> Figures:
    """Return what computes accuracy and macro averages of some of the photos, by their rows.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "b", "b"], "p_a": [0.9, 0.2, 0.8],
    ...                      "p_b": [0.1, 0.8, 0.2]})
    >>> figures = class_figures(judged_photos(tags, None, where="the tags"))
    >>> float(figures(np.array([0, 1]))["top-1 accuracy"])
    1.0
    """
    names, codes = np.unique([judged.true, judged.predicted], return_inverse=True)
    size = len(names)
    cells = size * codes[0] + codes[1]

    def figures(rows: np.ndarray) -> dict[str, float]:
        matrix = np.bincount(cells[rows], minlength=size**2).reshape(size, size)
        # Of the classes that have photos.
        there = matrix.any(axis=1)
        right, support, taken = np.diag(matrix)[there], matrix.sum(1)[there], matrix.sum(0)[there]
        return {
            "top-1 accuracy": right.sum() / len(rows),
            "macro precision": (right / np.maximum(taken, 1)).mean(),
            "macro recall": (right / support).mean(),
            "macro F1": (2 * right / (support + taken)).mean(),
        }

    return figures


def calibration_figure(judged: JudgedPhotos) -> Figures:
    """Return what computes the expected calibration error of some of the photos, by their rows.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "b"], "p_a": [0.9, 0.2], "p_b": [0.1, 0.8]})
    >>> figure = calibration_figure(judged_photos(tags, None, where="the tags"))
    >>> round(float(figure(np.array([0, 1]))["expected calibration error"]), 2)
    0.15
    """
    classes = judged.shares.columns.to_list()
    binned = confidence_bins(judged.shares.to_numpy(), judged.true, classes)
    bins, gaps = binned["bin"].to_numpy(), (binned["confidence"] - binned["right"]).to_numpy()

    def figure(rows: np.ndarray) -> dict[str, float]:
        gap = abs(np.bincount(bins[rows], gaps[rows])).sum()
        return {"expected calibration error": gap / len(rows)}

    return figure
