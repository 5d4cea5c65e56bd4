"""Concepts on pages that ask something else: what speaks for high scores, what training kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.attribution import read_pixels
from hotelviz.concepts import (
    ConceptActivity,
    Concepts,
    concept_activity,
    concept_examples,
    concept_maps,
    find_concepts,
    match_concepts,
    score_ends,
)
from hotelviz.errors import AttributionError, ConceptError, ModelError
from hotelviz.plots import concept_ends, concept_sheet, spotlight
from hotelviz.reports.verdicts.concepts import (
    heaviest_ends,
    matched_words,
    names_by_concept,
    residual_of_scores,
)
from hotelviz.reports.verdicts.found_concepts import PAGE_CELLS
from hotelviz.reports.wording import agreeing, counted, percent, photos_of_hotels

if TYPE_CHECKING:
    import keras

    from hotelviz.plots import Display

#: Photos of a page that concepts are found in, at least and at most.
FEWEST, MOST = 40, 600
#: Concepts of a page: the fewest that are tried where their number is chosen.
_N_CONCEPTS = 6
#: Networks whose concepts cannot be found: the page is about something else, and says why.
_NONE_THERE = (ConceptError, ModelError, AttributionError)


class PageConcepts(NamedTuple):
    """Concepts of a page.

    Attributes
    ----------
    said : str
        What was found, or why nothing was, as a paragraph.
    figures : dict of str to hotelviz.plots.Display
        File name -> figure.
    """

    said: str
    figures: dict[str, Display]


def score_concepts(model: keras.Model, photos: pd.DataFrame, *, seed: int = 0) -> PageConcepts:
    """Find what speaks for high scores and what for low ones, the two ends of one figure.

    Parameters
    ----------
    model : keras.Model
        An aesthetic model.
    photos : pandas.DataFrame
        Those that its page judges; more than 600 are sampled.
    seed : int, default 0
        Of the sample and of the factorisation.
    """
    if len(photos) < FEWEST:
        return _too_few(photos)
    drawn = photos.sample(min(MOST, len(photos)), random_state=seed).sort_index()
    try:
        found, activity = _concepts(model, drawn, seed)
        ends = score_ends(found, activity)
        ends = ends.assign(name=[found.name(one) for one in ends["concept"]])
        shown, pixels, maps = _strongest(found, activity, range(len(found)), n_photos=3)
    except _NONE_THERE as error:
        return PageConcepts(f"What speaks for high scores cannot be told: {error}.", {})
    lit = spotlight(pixels, maps)
    pictures = {int(str(one)): lit[own.index] for one, own in shown.groupby("concept")}
    left = percent(residual_of_scores(found, activity))
    how = "" if found.exact else ", by gradients at each photo"
    said = (
        f"{heaviest_ends(ends)} Found, and looked at, in {photos_of_hotels(activity.photos)}"
        f"{_of(photos, drawn)}: {counted(len(found), 'concept')}; {left} of what moves the mean "
        f"scores is of none{how}."
    )
    figure = concept_ends(ends, names=names_by_concept(found), pictures=pictures)
    return PageConcepts(said, {"speaks_for": figure})


def trained_concepts(
    before: keras.Model,
    after: keras.Model,
    photos: pd.DataFrame,
    names: tuple[str, str],
    *,
    seed: int = 0,
) -> PageConcepts:
    """Find which concepts a training kept, which it lost and which are new.

    Parameters
    ----------
    before, after : keras.Model
        Of the same backbone.
    photos : pandas.DataFrame
        That both look at; more than 600 are sampled.
    names : tuple of str
        What they are called.
    seed : int, default 0
        Of the sample and of the factorisations.
    """
    if len(photos) < FEWEST:
        return _too_few(photos)
    drawn = photos.sample(min(MOST, len(photos)), random_state=seed).sort_index()
    try:
        new, now = _concepts(after, drawn, seed)
        old, then = _concepts(before, drawn, seed, like=new)
        matches = match_concepts(old, new, (then, now))
        figures = {"concepts_now": _sheet(new, now, _now_titles(matches))}
        if lost := _lost_titles(matches):
            figures["concepts_lost"] = _sheet(old, then, lost)
    except _NONE_THERE as error:
        return PageConcepts(f"What training made of concepts cannot be told: {error}.", {})
    said = (
        f"{matched_words(matches, names)} They were found, and matched by their strength, in "
        f"{photos_of_hotels(now.photos)}{_of(photos, drawn)}."
    )
    return PageConcepts(said, figures)


def _concepts(
    model: keras.Model, photos: pd.DataFrame, seed: int, like: Concepts | None = None
) -> tuple[Concepts, ConceptActivity]:
    """Find concepts in photos; such as may be matched with those of another model."""
    found = find_concepts(
        model, photos, candidates=[len(like) if like else _N_CONCEPTS],
        layer=like.layer if like else None, head_of=like.model if like else None,
        max_cells=PAGE_CELLS, seed=seed,
    )  # fmt: skip
    return found, concept_activity(found, photos)


def _strongest(
    found: Concepts, activity: ConceptActivity, wanted: Collection[int], n_photos: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the photos in which concepts are strongest, their pixels, and where these are."""
    examples = concept_examples(found, activity, n_photos=n_photos)
    examples = examples[examples["concept"].isin(list(wanted))]
    pixels, read = read_pixels(found.model, examples["path"])
    examples = examples.iloc[read].reset_index(drop=True)
    return examples, pixels, concept_maps(found, examples)


def _sheet(found: Concepts, activity: ConceptActivity, titles: dict[int, str]) -> Display:
    examples, pixels, maps = _strongest(found, activity, titles, n_photos=5)
    return concept_sheet(examples, pixels, maps, titles=titles)


def _now_titles(matches: pd.DataFrame) -> dict[int, str]:
    """Return what is said of each concept of the model after, kept or new."""
    rows = matches.dropna(subset=["tuned"]).sort_values("tuned", kind="stable")
    return {
        int(row["tuned"]): f"concept {row['tuned']}, {row['status']}: {_like(row)}"
        for _, row in rows.iterrows()
    }


def _lost_titles(matches: pd.DataFrame) -> dict[int, str]:
    """Return what is said of each concept of the model before that is lost."""
    rows = matches[matches["status"] == "lost"].sort_values("original", kind="stable")
    return {
        int(row["original"]): f"concept {row['original']} of before, lost: {_like(row)}"
        for _, row in rows.iterrows()
    }


def _like(row: pd.Series) -> str:
    if pd.isna(row["correlation"]):
        return "in none of these photos"
    if row["status"] == "kept":
        return f"concept {row['original']} of before, correlation {row['correlation']:.2f}"
    when = "before" if row["status"] == "new" else "now"
    return f"correlation {row['correlation']:.2f} with the most similar one {when}"


def _too_few(photos: pd.DataFrame) -> PageConcepts:
    there = f"there {agreeing(len(photos), 'is', 'are')} {len(photos)}"
    return PageConcepts(f"Concepts take at least {FEWEST} photos to be found in; {there}.", {})


def _of(photos: pd.DataFrame, drawn: pd.DataFrame) -> str:
    """Return of how many photos some were sampled, where it was not all."""
    return f" (sampled from {len(photos):,})" if len(drawn) < len(photos) else ""
