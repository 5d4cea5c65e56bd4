"""The losses of the aesthetic model; what Keras saves with it, it saves by name."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("hotelviz")  # type: ignore[untyped-decorator]
def earth_movers_distance(y_true: Any, y_pred: Any) -> Any:
    r"""Compute the earth mover's distance of distributions over ordered scores.

    .. math:: \sqrt{\frac{1}{N} \sum_{k=1}^{N} |CDF_{true}(k) - CDF_{pred}(k)|^2}, \quad N = 10

    Papers differ in it: NIMA's equation 1 has an exponent r, with r = 2 for training and r = 1 for
    the distances it reports. This is r = 2, as the talk trained with. With r = 1 it would be
    `scipy.stats.wasserstein_distance` divided by N; where mass is moved between two neighbouring
    scores only, this is that distance divided by the root of N.

    Parameters
    ----------
    y_true, y_pred
        Distributions, shape (..., N); sums of 1 along the last axis.

    Returns
    -------
    tensor
        Shape (...), from 0 for equal ones to :math:`\sqrt{(N - 1) / N}`.

    References
    ----------
    Talebi and Milanfar: NIMA: Neural Image Assessment, IEEE TIP 2018, arXiv 1709.05424.

    Examples
    --------
    >>> import numpy as np
    >>> one, two = np.eye(10, dtype="float32")[[4, 5]]
    >>> float(earth_movers_distance(one, two)), 10 ** -0.5
    (0.31622776..., 0.31622776...)
    """
    difference = ops.cumsum(ops.cast(y_true, y_pred.dtype) - y_pred, axis=-1)
    # The root has no slope at zero; below 1e-6 nobody sees a difference.
    return ops.sqrt(ops.maximum(ops.mean(ops.square(difference), axis=-1), 1e-12))


@keras.saving.register_keras_serializable("hotelviz")  # type: ignore[untyped-decorator]
def mean_score_error(y_true: Any, y_pred: Any) -> Any:
    """Compute how far the predicted mean score is from the rated one, on the scale 1 to 10.

    Parameters
    ----------
    y_true, y_pred
        Distributions over the scores 1 to N, shape (..., N).

    Returns
    -------
    tensor
        Shape (...), 0 to N - 1.

    Examples
    --------
    >>> import numpy as np
    >>> one, two = np.eye(10, dtype="float32")[[4, 6]]
    >>> float(mean_score_error(one, two))
    2.0
    """
    scores = ops.cast(ops.arange(1, y_pred.shape[-1] + 1), y_pred.dtype)
    return ops.abs(ops.sum((ops.cast(y_true, y_pred.dtype) - y_pred) * scores, axis=-1))


def uncorrelated(y_true: Any, y_pred: Any) -> Any:
    """Compute how far predicted mean scores are from rising and falling with the rated ones.

    Parameters
    ----------
    y_true, y_pred
        Distributions over the scores 1 to N, shape (photos, N).

    Returns
    -------
    tensor
        Shape (): 1 minus their linear correlation (LCC) over these photos, 0 to 2.

    Examples
    --------
    >>> import numpy as np
    >>> rated = np.eye(10, dtype="float32")[[2, 4, 6]]
    >>> [round(float(uncorrelated(rated, predicted)), 3) for predicted in (rated, rated[::-1])]
    [0.0, 2.0]
    """
    scores = ops.cast(ops.arange(1, y_pred.shape[-1] + 1), y_pred.dtype)
    one, two = (
        each - ops.mean(each)
        for each in (ops.sum(ops.cast(y, y_pred.dtype) * scores, axis=-1) for y in (y_true, y_pred))
    )
    # The root has no slope at zero: photos that are all predicted alike are uncorrelated.
    sizes = ops.sqrt(ops.maximum(ops.sum(one**2) * ops.sum(two**2), 1e-12))
    return 1 - ops.sum(one * two) / sizes
