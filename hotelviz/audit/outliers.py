"""Find photos that belong nowhere: unlike all others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.embeddings.neighbours import Neighbours

#: Neighbours whose mean similarity says whether a photo belongs anywhere.
_N_NEIGHBOURS = 5
#: A photo is an outlier when its similarity is this many deviations below the usual one.
_DEVIATIONS = 3.5


def outlier_scores(neighbours: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Compute how much photos are like others.

    Parameters
    ----------
    neighbours : Neighbours
        Of each photo, at least five.

    Returns
    -------
    score : float array of shape (n_photos,)
        The mean similarity to the five nearest photos, from 0 (like nothing else) to 1.
    outlier : bool array of shape (n_photos,)
        Those far below the others: by 3.5 times the median deviation (scaled to that of a normal
        distribution).
    """
    similarity = neighbours.similarity[:, :_N_NEIGHBOURS]
    if not similarity.size:
        return np.ones(len(similarity)), np.zeros(len(similarity), bool)
    score = similarity.mean(axis=1).clip(0, 1)
    middle = np.median(score)
    deviation = 1.4826 * np.median(abs(score - middle))
    return score, score < middle - _DEVIATIONS * deviation


def outlier_issues(neighbours: Neighbours, copies: pd.DataFrame) -> pd.DataFrame:
    """Return the issues of outliers: ``row``, ``issue``, ``score`` and so on.

    Photos that have a copy (``row`` in `copies`) are no outliers, and do not say what is usual.
    """
    rows = np.flatnonzero((neighbours.rows >= 0).any(axis=1))
    rows = np.setdiff1d(rows, copies["row"])
    score, outlier = outlier_scores(Neighbours(neighbours.rows[rows], neighbours.similarity[rows]))
    found = score[outlier]
    text = "mean similarity to its nearest photos {:.2f}, usually {:.2f}"
    detail = [text.format(value, np.median(score)) for value in found]
    issues = pd.DataFrame({"row": rows[outlier], "score": found, "detail": detail})
    return issues.assign(issue="outlier", suggestion="look")
