"""How far labellers agree: no model can be expected to agree with them more."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from hotelviz.catalog import as_shares
from hotelviz.schema import RATINGS, SCORES

#: Columns of how many labellers gave each class.
_VOTES = "votes_"


def agreement_ceiling(
    catalog: pd.DataFrame, *, by: Literal["label", "ratings"] = "label"
) -> dict[str, float]:
    """Compute how far labellers agree with one another, where several saw the same photo.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With how many labellers gave each class, ``votes_<Class>``, or each score, ``rating_1`` to
        ``rating_10``. Photos of fewer than two labellers say nothing; shares of labellers do not
        say how many they were.
    by : {"label", "ratings"}, default "label"
        What they gave.

    Returns
    -------
    dict of str to float
        Of labels how often one labeller says of a photo what another says: of all photos (empty),
        and of those that one of them gave a class, by class. Of ratings (empty) the highest
        correlation with the means that can be expected: the root of their reliability. Nothing
        where it is not known.

    References
    ----------
    Shrout and Fleiss: Intraclass correlations, Psychological Bulletin 86, 1979: ICC(1, k) is the
    reliability of means of k raters.

    Examples
    --------
    >>> agreement_ceiling(pd.DataFrame({"votes_Pool": [3, 2], "votes_Foyer": [0, 1]}))
    {'': 0.66..., 'Foyer': 0.0, 'Pool': 0.8}
    """
    return _of_labels(catalog) if by == "label" else _of_ratings(catalog)


def _of_labels(catalog: pd.DataFrame) -> dict[str, float]:
    columns = sorted(str(name) for name in catalog if str(name).startswith(_VOTES))
    if not columns:
        return {}
    votes = catalog[columns].fillna(0).to_numpy(dtype=float)
    votes = votes[votes.sum(axis=1) >= 2]
    if not len(votes):
        return {}
    others = votes.sum(axis=1, keepdims=True) - 1
    agreeing = votes * (votes - 1) / others
    found = {"": float((agreeing.sum(axis=1) / votes.sum(axis=1)).mean())}
    for column, both, given in zip(columns, agreeing.sum(0), votes.sum(0), strict=True):
        if given:
            found[column.removeprefix(_VOTES)] = float(both / given)
    return found


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
