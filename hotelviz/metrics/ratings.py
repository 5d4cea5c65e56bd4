"""How good an aesthetic model's predictions are, against people's ratings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hotelviz.catalog import as_shares, check_table, mean_and_std
from hotelviz.errors import MetricsError
from hotelviz.metrics.jackknife import (
    CORRELATION,
    DISTANCE,
    SHARE,
    Bounds,
    Figures,
    Labels,
    jackknife_intervals,
)
from hotelviz.schema import RATINGS

#: What Lennan and Jain (talk at PyParis 2018) report for their aesthetic models. Which exponent the
#: EMD has is not said.
PUBLISHED_RESULTS = pd.DataFrame(
    {
        "talk, first iteration": [0.5987, 0.6072, 0.2018, 0.74],
        "talk, second iteration": [0.7986, 0.7743, 0.1236, 0.85],
    },
    index=pd.Index(["LCC", "SRCC", "EMD", "accuracy at 5"], name="metric"),
)


def score_metrics(
    rated: np.ndarray | pd.DataFrame,
    predicted: np.ndarray,
    *,
    threshold: float = 5.0,
    groups: Labels | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Compare predicted distributions of scores with rated ones.

    Parameters
    ----------
    rated : array of shape (n_photos, 10) or pandas.DataFrame
        Ratings of the photos, counts or shares; a table has ``rating_1`` to ``rating_10``.
    predicted : array of shape (n_photos, 10)
        Probabilities of the scores 1 to 10, of the same photos.
    threshold : float, default 5
        A mean score above it is good, one up to it is not.
    groups : array-like of length n_photos, optional
        The hotel of each photo, for intervals over hotels.
    seed : int, default 0
        Of the blocks, of more than 200 hotels.

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``value``, ``low`` and ``high`` (95 % interval over hotels, see
        `jackknife_intervals`):

        - ``LCC``, ``SRCC``: linear and rank correlation of the mean scores;
        - ``EMD``: mean of :math:`\sqrt{\frac{1}{10}\sum_k |\Delta CDF(k)|^2}`, the loss;
        - ``mean |CDF difference|``: the same with exponent 1;
        - ``accuracy at 5``: share of photos that both means put on the same side of `threshold`;
        - ``RMSE of the mean``: on the scale of the scores;
        - ``range use``: width between the 1st and the 99th percentile of the predicted means,
          divided by that of the rated means.

    Raises
    ------
    MetricsError
        Photos without ratings or predictions, different numbers of them, fewer than two.

    References
    ----------
    Talebi and Milanfar: NIMA: Neural Image Assessment, IEEE TIP 2018, arXiv 1709.05424.

    Examples
    --------
    >>> shares = np.eye(10)[[2, 4, 7]]
    >>> score_metrics(shares, shares).set_index("metric").loc["SRCC", "value"]
    np.float64(1.0)
    """
    figures, count = score_figures(rated, predicted, threshold)
    bounds = _bounds(threshold)
    return jackknife_intervals(figures, count, groups=groups, bounds=bounds, seed=seed)


def _bounds(threshold: float) -> dict[str, Bounds]:
    distances = ("EMD", "mean |CDF difference|", "RMSE of the mean", "range use")
    return {
        "LCC": CORRELATION, "SRCC": CORRELATION, f"accuracy at {threshold:g}": SHARE,
        **dict.fromkeys(distances, DISTANCE),
    }  # fmt: skip


def score_figures(
    rated: np.ndarray | pd.DataFrame, predicted: np.ndarray, threshold: float
) -> tuple[Figures, int]:
    """Return what computes the figures of some of the photos by their rows, and how many there are.

    Parameters, figures and errors are those of `score_metrics`.

    Examples
    --------
    >>> shares = np.eye(10)[[2, 4, 7]]
    >>> figures, n_photos = score_figures(shares, shares, 5.0)
    >>> n_photos, float(figures(np.arange(3))["EMD"])
    (3, 0.0)
    """
    from scipy.stats import rankdata

    if isinstance(rated, pd.DataFrame):
        names = ["image_id"] if "image_id" in rated else []
        rated = check_table(rated, needs=[*names, *RATINGS], where="score_metrics")
        rated = rated[list(RATINGS)].to_numpy()
    shares, guesses = as_shares(rated), as_shares(predicted)
    if shares.shape != guesses.shape or len(shares) < 2:
        raise MetricsError(
            f"{len(shares)} rated and {len(guesses)} predicted photos; expected equally many, at "
            "least two"
        )
    for side, name in ((shares, "ratings"), (guesses, "predictions")):
        if missing := int(np.isnan(side).any(axis=1).sum()):
            raise MetricsError(
                f"{missing} of {len(side)} photos have no {name}; leave them out, and say so"
            )
    truth, guess = (mean_and_std(np.asarray(side, dtype=float))[0] for side in (rated, predicted))
    difference = np.abs(np.cumsum(shares - guesses, axis=1))
    root, flat = np.sqrt((difference**2).mean(axis=1)), difference.mean(axis=1)
    same_side, error = (truth > threshold) == (guess > threshold), (truth - guess) ** 2

    def figures(rows: np.ndarray) -> dict[str, float]:
        ours, theirs = guess[rows], truth[rows]
        return {
            "LCC": _correlation(ours, theirs),
            "SRCC": _correlation(rankdata(ours), rankdata(theirs)),
            "EMD": root[rows].mean(),
            "mean |CDF difference|": flat[rows].mean(),
            f"accuracy at {threshold:g}": same_side[rows].mean(),
            "RMSE of the mean": np.sqrt(error[rows].mean()),
            "range use": _width(ours) / _width(theirs) if _width(theirs) else np.nan,
        }

    return figures, len(truth)


def compare_scores(
    rated: np.ndarray | pd.DataFrame,
    predictions: Mapping[str, np.ndarray],
    *,
    threshold: float = 5.0,
    groups: Labels | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute the figures of several models on the same photos, and how they differ.

    Parameters
    ----------
    rated, threshold, groups, seed
        As in `score_metrics`.
    predictions : mapping
        Name of the model, such as ``iteration 1`` -> its predictions, (n_photos, 10).

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``model``, ``value``, ``low`` and ``high``, see `score_metrics`. Of several
        models also ``difference``, the last one's figure less the first one's: each hotel is left
        out of both, so that its interval is that of a paired comparison.

    Examples
    --------
    >>> shares = np.eye(10)[[2, 4, 7]]
    >>> compare_scores(shares, {"first": shares, "second": shares})["model"].unique().tolist()
    ['first', 'second', 'difference']
    """
    models = {name: score_figures(rated, one, threshold) for name, one in predictions.items()}
    first, *_, last = [*models, *models]
    count = models[last][1]

    def figures(rows: np.ndarray) -> dict[str, float]:
        found = {name: compute(rows) for name, (compute, _) in models.items()}
        if len(models) > 1:
            pairs = zip(found[last].items(), found[first].values(), strict=True)
            found["difference"] = {metric: ours - theirs for (metric, ours), theirs in pairs}
        # No metric has a line break in its name.
        return {f"{metric}\n{name}": one[metric] for name, one in found.items() for metric in one}

    # A difference has no bounds.
    bounds = {f"{metric}\n{name}": ends for metric, ends in _bounds(threshold).items()
              for name in models}  # fmt: skip
    table = jackknife_intervals(figures, count, groups=groups, bounds=bounds, seed=seed)
    table[["metric", "model"]] = table["metric"].str.split("\n", n=1, expand=True)
    return table[["metric", "model", "value", "low", "high"]]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first - first.mean(), second - second.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")


def _width(values: np.ndarray) -> float:
    return float(np.ptp(np.quantile(values, [0.01, 0.99])))
