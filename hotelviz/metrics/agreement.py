"""How far labellers agree: no model can be expected to agree with them more."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from hotelviz.catalog import as_shares, class_votes
from hotelviz.metrics.ambiguity import labeller_accuracy
from hotelviz.schema import RATINGS, SCORES


def agreement_ceiling(
    catalog: pd.DataFrame, *, by: Literal["label", "ratings"] = "label"
) -> dict[str, float]:
    """Compute how far labellers agree with one another, where several saw the same photo.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``label`` and how many labellers gave each class, ``votes_<Class>``, or each score,
        ``rating_1`` to ``rating_10``. Photos of fewer than two labellers say nothing; shares of
        labellers do not say how many they were.
    by : {"label", "ratings"}, default "label"
        What they gave.

    Returns
    -------
    dict of str to float
        Of labels how often one labeller chooses what most of the others chose
        (`labeller_accuracy`), over all photos (empty) and by class. Of ratings (empty) the highest
        correlation with their means that can be expected: the root of their reliability. Nothing
        where it is not known.

    References
    ----------
    Shrout and Fleiss: Intraclass correlations, Psychological Bulletin 86, 1979: ICC(1, k) is the
    reliability of means of k raters.

    Examples
    --------
    >>> photos = pd.DataFrame({"label": ["Pool", "Foyer"], "votes_Pool": [3, 0],
    ...                        "votes_Foyer": [0, 2], "votes_Bar": [0, 0]})
    >>> agreement_ceiling(photos)
    {'': 1.0, 'Foyer': 1.0, 'Pool': 1.0}
    """
    return _of_labels(catalog) if by == "label" else _of_ratings(catalog)


def _of_labels(catalog: pd.DataFrame) -> dict[str, float]:
    accuracy = labeller_accuracy(class_votes(catalog)).dropna()
    if accuracy.empty:
        return {}
    by_class = accuracy.groupby(catalog["label"]).mean()
    return {"": float(accuracy.mean()), **{str(name): one for name, one in by_class.items()}}


def _of_ratings(catalog: pd.DataFrame) -> dict[str, float]:
    if not set(RATINGS) <= set(catalog):
        return {}
    counts = catalog[list(RATINGS)].dropna().to_numpy(dtype=float)
    raters = counts.sum(axis=1)
    counts, raters = counts[raters >= 2], raters[raters >= 2]
    if len(counts) < 2:
        return {}
    means = as_shares(counts) @ np.asarray(SCORES, float)
    squares = as_shares(counts) @ np.asarray(SCORES, float) ** 2
    # Unbiased, of one rating; that of a mean is so many times less.
    within = float(((squares - means**2) * raters).sum() / (raters - 1).sum())
    noise = within * float((1 / raters).mean())
    spread = float(means.var(ddof=1))
    return {"": float(np.sqrt(max(spread - noise, 0.0) / spread))} if spread > 0 else {}
