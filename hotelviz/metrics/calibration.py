"""Whether a tagger is as often right as it is confident."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from hotelviz.errors import MetricsError
from hotelviz.metrics.jackknife import Labels

#: The deviation of the logarithm of a temperature before any photo is seen.
_USUAL = 0.5


def calibration(
    probabilities: np.ndarray, true: Labels, classes: Sequence[str], *, n_bins: int = 15
) -> pd.DataFrame:
    """Compute accuracy by confidence.

    Parameters
    ----------
    probabilities : float array of shape (n_photos, n_classes)
        Predicted, 0 to 1.
    true : array-like of length n_photos
        The labels. One that is not among `classes` cannot be predicted right.
    classes : sequence of str
        What the columns stand for.
    n_bins : int, default 15
        Number of bins of equal width between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row per bin that has photos: ``lower``, ``upper``, ``confidence`` (mean probability of
        the predicted class), ``accuracy`` and ``count``.

    Raises
    ------
    MetricsError
        Shapes that do not fit, missing probabilities or labels, or no photos.

    See Also
    --------
    expected_calibration_error : this table as one figure.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017, section 2.

    Examples
    --------
    >>> calibration(np.array([[0.9, 0.1], [0.8, 0.2]]), ["a", "b"], ["a", "b"], n_bins=2)
       lower  upper  confidence  accuracy  count
    0    0.5    1.0        0.85       0.5      2
    """
    bins = confidence_bins(probabilities, true, classes, n_bins=n_bins).groupby("bin")
    table = bins.agg(
        confidence=("confidence", "mean"), accuracy=("right", "mean"), count=("right", "size")
    )
    table.insert(0, "lower", table.index / n_bins)
    table.insert(1, "upper", (table.index + 1) / n_bins)
    return table.reset_index(drop=True)


def confidence_bins(
    probabilities: np.ndarray, true: Labels, classes: Sequence[str], *, n_bins: int = 15
) -> pd.DataFrame:
    """Return the ``bin`` of each photo, its ``confidence``, and whether its class is ``right``.

    Parameters and errors are those of `calibration`.
    """
    probabilities, expected = np.asarray(probabilities, dtype=float), (len(true), len(classes))
    if probabilities.shape != expected:
        raise MetricsError(
            f"probabilities have the shape {probabilities.shape}; expected {expected}"
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
    numbers = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    right = predicted == np.asarray(true, dtype=object)
    return pd.DataFrame({"bin": numbers, "confidence": confidence, "right": right})


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Compute the mean distance between confidence and accuracy, weighted by photos.

    Parameters
    ----------
    table : pandas.DataFrame
        From `calibration`.

    Returns
    -------
    float
        0 (as often right as confident) to 1.

    References
    ----------
    Guo et al. 2017 (see `calibration`), eq. 3.

    Examples
    --------
    >>> table = calibration(np.array([[0.9, 0.1], [0.8, 0.2]]), ["a", "b"], ["a", "b"], n_bins=2)
    >>> round(expected_calibration_error(table), 3)
    0.35
    """
    if table.empty:
        raise MetricsError("the table of the calibration has no photos")
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float(np.average(gap, weights=table["count"]))


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Fit what logits are divided by, so that a tagger is as often right as it is confident.

    A few photos that are all right would have it at 0: it is held near 1, as if its logarithm were
    normal with a deviation of 0.5.

    Parameters
    ----------
    probabilities : float array of shape (n_photos, n_classes)
        Predicted, 0 to 1, of photos that were not learned from.
    targets : float array of shape (n_photos, n_classes)
        True shares of the classes.

    Returns
    -------
    float
        Below 1 where the tagger doubts too much, above where it is too sure. Probabilities to the
        power of its reciprocal, brought to a sum of 1, are the better ones.

    Raises
    ------
    MetricsError
        Shapes that do not fit, values that are missing, or no photos.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017, section 4.2.

    Examples
    --------
    >>> doubting = np.array([[0.6, 0.4]] * 40)
    >>> fit_temperature(doubting, np.array([[1, 0]] * 36 + [[0, 1]] * 4)) < 0.5
    True
    """
    probabilities, targets = (np.asarray(each, dtype=float) for each in (probabilities, targets))
    if probabilities.shape != targets.shape or probabilities.ndim != 2 or not len(targets):
        raise MetricsError(
            f"probabilities {probabilities.shape} and targets {targets.shape} are not those of the "
            "same photos and classes"
        )
    if not (np.isfinite(probabilities).all() and np.isfinite(targets).all()):
        raise MetricsError("some probabilities are missing; leave out photos that were not read")
    logits = np.log(np.maximum(probabilities, 1e-12))

    def loss(exponent: float) -> float:
        logs = log_softmax(logits * np.exp(-exponent), axis=1)
        return float(-(targets * logs).sum() + (exponent / _USUAL) ** 2 / 2)

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
