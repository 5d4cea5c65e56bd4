"""The concepts of a tagger, each tried in each confusion: what a page on its errors rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.attribution import read_pixels
from hotelviz.concepts import (
    ConceptActivity,
    Concepts,
    concept_activity,
    concept_maps,
    find_concepts,
    find_shortcuts,
    shortcut_examples,
    unexplained_share,
)
from hotelviz.errors import ConceptError
from hotelviz.reports.tables import Table
from hotelviz.reports.verdicts.found_concepts import PAGE_CELLS
from hotelviz.reports.verdicts.tagger import confusion_name
from hotelviz.reports.wording import agreeing, counted, percent

if TYPE_CHECKING:
    import keras

    from hotelviz.attribution import Confusion
    from hotelviz.plots import Display

#: Concepts that are tried, where no number is asked for, at least.
_FEWEST = 8
#: More are tried, up to twice as many, while more than this share of what misleads is in none.
_UNEXPLAINED = 0.2
_MORE = (1.0, 1.25, 1.5, 2.0)


class TriedConcepts(NamedTuple):
    """The concepts of a tagger in the photos of a page, each tried in each confusion.

    Attributes
    ----------
    concepts, activity
        None where they could not be tried.
    shortcuts : pandas.DataFrame
        Of `hotelviz.concepts.find_shortcuts`.
    why_not : str
        Why they could not be tried; empty where they were.
    unexplained : float
        Of `hotelviz.concepts.unexplained_share`.
    """

    concepts: Concepts | None
    activity: ConceptActivity | None
    shortcuts: pd.DataFrame
    why_not: str
    unexplained: float = np.nan

    def of(self, confusion: Confusion) -> pd.DataFrame:
        """Return what was tried in one confusion."""
        known = self.shortcuts
        rows = (known["label"] == confusion.true) & (known["predicted"] == confusion.predicted)
        return known[rows].reset_index(drop=True)

    @property
    def suspects(self) -> pd.DataFrame:
        """The suspected shortcuts."""
        return self.shortcuts[self.shortcuts["suspect"].astype(bool)]


def tried_concepts(
    model: keras.Model, tags: pd.DataFrame, n_concepts: int, *, seed: int = 0
) -> TriedConcepts:
    """Find concepts in photos, and try each in each of their confusions.

    Parameters
    ----------
    model : keras.Model
        A tagger. Of one whose features can be negative, or whose head is not global average
        pooling under one dense layer, none are tried, and it is said why.
    tags : pandas.DataFrame
        The photos with ``label`` and ``predicted``.
    n_concepts : int
        How many; 0: as many as classes, and at least 8; up to twice as many where what speaks for
        the wrong classes is not in these. Fewer where there are fewer photos.
    seed : int, default 0
        Of the factorisation and of random concepts.
    """
    from hotelviz.models import model_info

    none = pd.DataFrame({"label": [], "predicted": [], "suspect": []})
    if not (tags["predicted"].notna() & (tags["label"] != tags["predicted"])).any():
        return TriedConcepts(None, None, none, "")
    try:
        fewest = max(_FEWEST, len(model_info(model).classes))
        for asked in [n_concepts] if n_concepts else [round(fewest * more) for more in _MORE]:
            # Of few photos there are as many concepts as photos.
            found = find_concepts(model, tags, candidates=[asked], max_cells=PAGE_CELLS, seed=seed)
            activity = concept_activity(found, tags)
            left = unexplained_share(found, activity)
            if not left > _UNEXPLAINED or len(found) < asked:
                break
        shortcuts = find_shortcuts(found, activity, seed=seed)
        return TriedConcepts(found, activity, shortcuts, "", left)
    except ConceptError as error:
        return TriedConcepts(None, None, none, str(error))


def tried_titles(rows: pd.DataFrame) -> dict[int, str]:
    """Return what is said above the photos of each concept that was tried in a confusion.

    Parameters
    ----------
    rows : pandas.DataFrame
        Those of `hotelviz.concepts.find_shortcuts` of one confusion.

    Examples
    --------
    >>> rows = pd.DataFrame({"concept": [4], "together": [(4, 2)], "suspect": True,
    ...                      "repaired": 0.75, "errors": 0.8})
    >>> tried_titles(rows)[4]
    'SUSPECTED SHORTCUT: concept 4 with 2, in 80 % of the errors; 75 % right without them'
    """
    return {
        int(row["concept"]): (
            f"{'SUSPECTED SHORTCUT: ' if row['suspect'] else ''}concept "
            f"{' with '.join(map(str, row['together']))}, in {percent(row['errors'])} of the "
            f"errors; {percent(row['repaired'])} right without "
            f"{agreeing(len(row['together']), 'it', 'them')}"
        )
        for _, row in rows.iterrows()
    }


def tried_sheet(
    tried: TriedConcepts, confusion: Confusion, *, max_concepts: int = 3, n_columns: int = 6
) -> Display:
    """Draw the errors in which the concepts that were tried in a confusion are strongest.

    Parameters
    ----------
    tried : TriedConcepts
        Of all confusions.
    confusion : hotelviz.attribution.Confusion
        One in which some were tried.
    max_concepts : int, default 3
        Most concepts, the first.
    n_columns : int, default 6
        Most photos of each.

    Returns
    -------
    hotelviz.plots.Display
    """
    from hotelviz.plots import concept_sheet

    if tried.concepts is None or tried.activity is None:
        raise ConceptError(f"no concepts were tried: {tried.why_not or 'there are no errors'}")
    rows = tried.of(confusion).head(max_concepts)
    shown = shortcut_examples(tried.concepts, tried.activity, rows, n_photos=n_columns)
    pixels, read = read_pixels(tried.concepts.model, shown["path"])
    shown = shown.iloc[read].reset_index(drop=True)
    maps = concept_maps(tried.concepts, shown)
    return concept_sheet(shown, pixels, maps, titles=tried_titles(rows), n_columns=n_columns)


def tried_words(tried: TriedConcepts) -> str:
    """Say how many concepts were tried, and how much of what misleads they hold.

    Parameters
    ----------
    tried : TriedConcepts
        Of all confusions.

    Examples
    --------
    >>> tried_words(TriedConcepts(None, None, pd.DataFrame(), ""))
    ''
    """
    if tried.concepts is None or np.isnan(tried.unexplained):
        return ""
    said = (
        f"{counted(len(tried.concepts), 'concept')} of these photos were tried. They hold "
        f"{percent(1 - tried.unexplained)} of what speaks for the wrong areas in the confusions."
    )
    if tried.unexplained > _UNEXPLAINED:
        said += " What they do not hold may be a shortcut as well: look at the maps."
    return said


def tried_table(tried: TriedConcepts, *, max_rows: int = 12) -> Table:
    """Return what was tried in all confusions, what sets most errors right first.

    Parameters
    ----------
    tried : TriedConcepts
        Of all confusions.
    max_rows : int, default 12
        Most rows.

    Returns
    -------
    Table
    """
    rows = tried.shortcuts
    if rows.empty:
        return Table(rows, {}, noun="concepts")
    pairs = zip(rows["label"], rows["predicted"], strict=True)
    ends = zip(rows["low"], rows["high"], strict=True)
    rows = rows.assign(
        confusion=[confusion_name(*pair) for pair in pairs],
        removed=[" + ".join(map(str, one)) for one in rows["together"]],
        interval=["–" if pd.isna(low) else f"{100 * low:+.0f} to {100 * high:+.0f} points"
                  for low, high in ends],
        suspected=["yes" if one else "" for one in rows["suspect"]],
    )  # fmt: skip
    words = {
        "confusion": "confusion", "removed": "concept", "suspected": "suspected",
        "errors": "in so many errors",
        "right_true": "in right photos of the area", "repaired": "errors right without it",
        "random": "without random ones", "interval": "difference (95 %, hotels)",
        "p_corrected": "p (corrected)",
    }  # fmt: skip
    share = ["errors", "right_true", "repaired", "random"]
    return Table(rows, words, percent=share, max_rows=max_rows, noun="concepts")
