"""How much a photo belongs to each class: by its label, a second area, or votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hotelviz.catalog.columns import columns_by_hand
from hotelviz.catalog.validation import check_table
from hotelviz.catalog.votes import check_votes
from hotelviz.errors import CatalogError
from hotelviz.schema import vote_columns


def class_votes(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many labellers chose each class, from the columns ``votes_<Class>``.

    Parameters
    ----------
    table
        A catalogue, or a table of predictions that has its columns.

    Returns
    -------
    pandas.DataFrame
        A column per class, without the prefix; missing for photos that nobody voted on. Without
        columns where the table has no votes.

    Raises
    ------
    CatalogError
        As `read_catalog` raises it for votes.

    Examples
    --------
    >>> class_votes(pd.DataFrame({"votes_Foyer": [2, None], "votes_Pool": [None, None]}))
       Foyer  Pool
    0    2.0   0.0
    1    NaN   NaN
    """
    given = vote_columns(table)
    if not given:
        return pd.DataFrame(index=table.index)
    return check_votes(columns_by_hand(table, "class_votes"), given, None, "the table")


def class_shares(table: pd.DataFrame, classes: Sequence[str], *, second: float = 0.5) -> np.ndarray:
    """Return how much each photo belongs to each class: what a tagger learns.

    A photo belongs to its ``label`` alone, unless the table says more: with a ``label_2`` it
    belongs to both, and with votes to each class by its share of them. Where the label is not among
    the classes of most votes, somebody decided after the vote, and the votes do not count.

    Parameters
    ----------
    table
        With ``label``; perhaps with ``label_2`` and ``votes_<Class>``.
    classes
        Those of the tagger. Second areas and votes for other classes are left out.
    second
        The share of the second area, 0 to 1.

    Returns
    -------
    numpy.ndarray
        Of shape (n_photos, n_classes); each row sums to one.

    Raises
    ------
    CatalogError
        A photo without a label, or with one that is not among `classes`; and as `read_catalog`
        raises it for votes.

    Examples
    --------
    >>> photos = pd.DataFrame({"label": ["Foyer", "Foyer", "Pool"], "label_2": [None, "Bar", None],
    ...                        "votes_Foyer": [3, None, 0], "votes_Pool": [1, None, 2]})
    >>> class_shares(photos, ["Bar", "Foyer", "Pool"])
    array([[0.  , 0.75, 0.25],
           [0.5 , 0.5 , 0.  ],
           [0.  , 0.  , 1.  ]])
    """
    if not 0 <= second <= 1:
        raise CatalogError(f"second={second}: the share of a second area is from 0 to 1")
    names, where = pd.Index(classes), "class_shares"
    seconds = ["label_2"] if "label_2" in table else []
    table = check_table(table, needs=["label", *seconds], where=where)
    columns, rows = columns_by_hand(table, where), np.arange(len(table))
    labels = columns.choice("label", list(classes), "classes")
    columns.refuse("label", labels.isna(), "is empty; every photo that is learned from needs one")
    own = names.get_indexer(pd.Index(labels))
    shares = np.eye(len(names))[own]
    for column in seconds:
        other = names.get_indexer(pd.Index(table[column]))
        both = (other >= 0) & (other != own)
        shares[both] = (1 - second) * shares[both] + second * np.eye(len(names))[other[both]]
    votes = class_votes(table).reindex(columns=names).fillna(0.0).to_numpy()
    leads = (votes[rows, own] > 0) & (votes[rows, own] == votes.max(axis=1))
    shares[leads] = votes[leads] / votes[leads].sum(axis=1, keepdims=True)
    return shares
