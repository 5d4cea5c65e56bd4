"""Checks of what more than one label says: votes of several labellers, and second areas."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hotelviz.catalog.columns import Columns
from hotelviz.errors import CatalogError, CatalogWarning, did_you_mean

#: How far shares of votes may be from adding up to 1: they were rounded.
_ROUNDED = 0.01


def check_votes(
    columns: Columns, given: Mapping[str, str], classes: Sequence[str] | None, where: object
) -> pd.DataFrame:
    """Return the votes for each class, a column per class; missing where nobody voted.

    Parameters
    ----------
    columns
        Of the catalogue.
    given
        Class -> column, from `hotelviz.schema.vote_columns`.
    classes
        Those that are allowed; None allows any.
    where
        The file, for errors.

    Raises
    ------
    CatalogError
        A class that is not allowed; votes that are negative or no numbers; a photo whose votes are
        all 0; shares that do not add up to 1; or votes that do not add up to the column ``votes``.
    """
    votes = pd.DataFrame(index=columns.frame.index)
    for name, column in given.items():
        if classes is not None and name not in classes:
            raise CatalogError(
                f"{where}: the column {column!r} counts votes for {name!r}, which is not one of "
                f"the {len(classes)} classes ({', '.join(classes)}){did_you_mean(name, classes)}"
            )
        votes[name], filled = columns.numbers(column)
        wrong = filled & ~votes[name].between(0, np.inf, inclusive="left")
        columns.refuse(column, wrong, "is not a number of votes, from 0")
    there, total = votes.notna().any(axis=1), votes.sum(axis=1)
    first = next(iter(given.values()))
    why = "no class has a vote; leave all votes of a photo empty on which nobody voted"
    columns.refuse(first, there & (total == 0), why, pd.Series(np.nan, total.index))
    if (votes % 1 > 0).any(axis=None):
        why = "is what the votes of this photo add up to; votes are whole numbers, or all are "
        why += "shares, of which those of a photo add up to 1"
        wrong = there & ((total - 1).abs() > _ROUNDED)
        columns.refuse(first, wrong, why, total.map("{:g}".format))
    elif "votes" in columns.frame:
        said, filled = columns.numbers("votes")
        why = "is not what the votes for the classes add up to"
        columns.refuse("votes", filled & there & (said != total), why)
    return votes.fillna(0.0).where(there)


def check_second(columns: Columns, labels: pd.Series | None, second: pd.Series) -> None:
    """Refuse a second area without a first one, or the same as that."""
    labels = pd.Series(pd.NA, second.index) if labels is None else labels
    why = "is the label of this photo as well; leave 'label_2' empty where there is one area"
    columns.refuse("label_2", second.notna() & (second == labels), why)
    why = "stands beside no label; a photo of one area has it as its label"
    columns.refuse("label_2", second.notna() & labels.isna(), why)


def label_by_votes(columns: Columns, labels: pd.Series | None, votes: pd.DataFrame) -> pd.Series:
    """Return labels, where there is none the class of most votes.

    Parameters
    ----------
    columns
        Of the catalogue, for the names of places.
    labels
        What is given; None where there is no such column.
    votes
        From `check_votes`; of a tie its first column is taken.

    Returns
    -------
    pandas.Series

    Warns
    -----
    CatalogWarning
        How many photos have a tie for a label, or a label that is not of most votes, and which is
        the first.
    """
    counts, names = votes.to_numpy(), votes.columns
    voted = ~np.isnan(counts).any(axis=1)
    leads = counts == counts.max(axis=1, keepdims=True)
    given = pd.Series(pd.NA, votes.index, dtype="str") if labels is None else labels
    free = voted & given.isna().to_numpy()
    result = given.mask(free, pd.Series(names[leads.argmax(axis=1)], votes.index))
    own = names.get_indexer(pd.Index(result))
    against = voted & ~((own >= 0) & leads[np.arange(len(own)), own])
    tied = free & (leads.sum(axis=1) > 1)

    def say(rows: np.ndarray, what: str, counts_as: str) -> None:
        if not (places := np.flatnonzero(rows)).size:
            return
        votes_said = ", ".join(
            f"{counts[places[0], place]:g} for {name}"
            for place, name in enumerate(names)
            if counts[places[0], place]
        )
        warnings.warn(
            f"{columns.place(int(places[0]))}, column 'label': {what} ({votes_said}); "
            f"{result.iloc[places[0]]!r} {counts_as} ({len(places):,} such rows)",
            CatalogWarning,
            stacklevel=5,
        )

    say(tied, "is empty, and several classes have most votes", "is the first of them, and is taken")
    say(against, "is not the class of most votes", "is what counts")
    return result
