"""When a tag can be trusted: from which confidence on, and which areas a photo may show."""

from __future__ import annotations

import math
import shlex
from typing import NamedTuple

import pandas as pd

from hotelviz import metrics
from hotelviz.catalog import knows_hotels
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep
from hotelviz.reports.wording import counted, in_words, percent, photos_of_hotels
from hotelviz.scores.predictions import class_columns


class Trust(NamedTuple):
    """From which confidence on tags are trusted, and what that is worth on the photos judged.

    Attributes
    ----------
    precision
        The share of right tags that was wished for.
    threshold
        What was chosen; None where the photos are of fewer than three hotels.
    chosen_on
        In words, the photos that it was chosen on.
    figures
        The table of `hotelviz.metrics.rejection_figures`.
    sets
        The sets of classes that hold the true one as often as wished; without rows where the
        hotels are too few.
    calibrated_on
        In words, the photos that the sets were calibrated by, or why there are none.
    """

    precision: float
    threshold: metrics.Threshold | None
    chosen_on: str
    figures: pd.DataFrame
    sets: pd.DataFrame
    calibrated_on: str


def measure_trust(
    judged: pd.DataFrame, validated: pd.DataFrame, *, precision: float = 0.95, seed: int = 0
) -> Trust:
    """Choose a threshold and sets by validation photos, and judge them on others.

    Parameters
    ----------
    judged : pandas.DataFrame
        The photos shown, with ``label``, ``predicted``, ``p_<class>``, ``image_id`` and
        ``hotel_id``.
    validated : pandas.DataFrame
        Likewise, the photos to choose by, of other hotels; those that could not be read are left
        out. Where they are of too few hotels, what is said of a photo is chosen by the photos
        judged of other hotels than its own.
    precision : float, default 0.95
        The wished share of right tags, and how often a set is to hold the true area.
    seed : int, default 0
        Of the folds of hotels.

    Returns
    -------
    Trust
    """
    empty = pd.DataFrame()
    if len(validated):
        validated = validated[validated["predicted"].notna()]
    own = bool(validated["hotel_id"].nunique() >= 2)
    chosen_on = f"{photos_of_hotels(validated if own else judged)} {_ORIGIN[own]}"
    # What is said of one hotel is chosen by at least two others.
    if not own and judged["hotel_id"].nunique() < 3:
        return Trust(precision, None, chosen_on, empty, empty, chosen_on)
    threshold = metrics.threshold_for_precision(validated if own else judged, precision)
    if own:
        answered = metrics.confident(judged, threshold.value)
    else:
        answered = metrics.cross_hotels(
            judged,
            lambda others, part: metrics.confident(
                part, metrics.threshold_for_precision(others, precision).value
            ),
            seed=seed,
        )
    figures = metrics.rejection_figures(judged, answered)
    sets, calibrated_on = _sets(judged, validated, precision, seed)
    return Trust(precision, threshold, chosen_on, figures, sets, calibrated_on)


#: Whether the photos are others than those judged -> where they are from.
_ORIGIN = {
    True: "kept for validation",
    False: "shown here, as there are no validation photos of enough other hotels: the figures of "
    "each photo come from the photos of other hotels",
}


def _sets(
    judged: pd.DataFrame, validated: pd.DataFrame, coverage: float, seed: int
) -> tuple[pd.DataFrame, str]:
    """Return the sets of the photos whose label the model knows, and by which they were made."""
    known, others = (
        table[table["label"].isin(list(class_columns(judged)))] for table in (judged, validated)
    )
    needed = metrics.hotels_for_coverage(coverage)
    n_hotels = known["hotel_id"].nunique()

    def sets(calibration: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
        return metrics.conformal_sets(calibration, photos, coverage=coverage, seed=seed).sets

    left_out = ""
    if len(known) < len(judged):
        n_unknown = counted(len(judged) - len(known), "photo")
        left_out = f"; {n_unknown} of areas that the model does not know are left out"
    if len(others) and others["hotel_id"].nunique() >= needed:
        return sets(others, known), f"{photos_of_hotels(others)} {_ORIGIN[True]}{left_out}"
    # The largest of five folds is left out once.
    if n_hotels - math.ceil(n_hotels / 5) >= needed:
        made = metrics.cross_hotels(known, sets, seed=seed)
        return made, f"{photos_of_hotels(known)} {_ORIGIN[False]}{left_out}"
    return pd.DataFrame(), (
        f"sets that hold the true area for {percent(coverage)} of the photos of other hotels need "
        f"photos of {needed} hotels to be calibrated by; there are "
        f"{max(n_hotels, others['hotel_id'].nunique())}"
    )


def threshold_words(trust: Trust) -> str:
    """Return from which confidence on a tag can be trusted, and what that leaves."""
    chosen, wished = trust.threshold, percent(trust.precision)
    if chosen is None:
        return (
            "The photos are of too few hotels to tell from which confidence on tags are right on "
            "other hotels: at least three are needed."
        )
    if math.isnan(chosen.value):
        return (
            f"No tag can be trusted on {wished}: not even of the surest tags are so many right "
            f"({trust.chosen_on})."
        )
    if chosen.promised:
        said = (
            f"Trust a tag from a confidence of {chosen.value:.2f} on: on other hotels at least "
            f"{wished} of such tags are right, with a certainty of 95 %."
        )
    else:
        said = (
            f"That {wished} of the tags are right on other hotels cannot be promised for any "
            f"confidence. From {chosen.value:.2f} on {percent(chosen.precision)} were right, but "
            f"on other hotels it may be {percent(chosen.bound)}: more validation photos, of more "
            "hotels, would tell."
        )
    share, right, every = (row for _, row in trust.figures.iterrows())
    said += (
        f" It was chosen on {trust.chosen_on}. Of the {counted(int(share['n_photos']), 'photo')}"
        f" judged here {percent(share['value'], share['low'], share['high'])} keep their tag"
    )
    if right["n_photos"]:
        said += (
            f", and {percent(right['value'], right['low'], right['high'])} of these are right; "
            f"with all tags it is {percent(every['value'])}"
        )
    return f"{said}. The others are better left without a tag, or shown to a person."


def threshold_card(trust: Trust) -> Card | None:
    """Return the share of photos whose tags can be trusted."""
    chosen = trust.threshold
    if chosen is None or math.isnan(chosen.value):
        return None
    share, right = (trust.figures.iloc[row] for row in (0, 1))
    label = f"tags to trust, for {percent(trust.precision)} right"
    value, kept, detail = percent(share["value"]), "", f"confidence at least {chosen.value:.2f}"
    if not chosen.promised:
        # A share would be read as that of tags that can be trusted.
        value, kept = "none surely", f"{value} of the photos have it, "
    if right["n_photos"]:
        detail += f": {kept}{percent(right['value'], right['low'], right['high'])} of these right"
    return Card(label, value, detail)


def threshold_step(trust: Trust, tags: str = "") -> NextStep | None:
    """Return the next step that uses the threshold in a ranking; None where nothing is promised.

    Parameters
    ----------
    trust : Trust
        From `measure_trust`.
    tags : str
        The file of the predictions.
    """
    chosen = trust.threshold
    if chosen is None or not chosen.promised:
        return None
    # Upwards, so that no photo below the threshold is let in.
    least = math.ceil(1e4 * chosen.value) / 1e4
    return NextStep(
        f"Rank by tags that are right on {percent(trust.precision)}: those from a confidence of "
        f"{chosen.value:.2f} on",
        "#When-to-trust-a-tag",
        f"hotelviz rank --scores scores/ --tags {shlex.quote(tags or 'tags.parquet')} "
        f"--min-confidence {least:g} --out ranking.parquet",
    )


def sets_words(judged: pd.DataFrame, trust: Trust) -> str:
    """Return what sets of areas promise and how large they are."""
    wished = percent(trust.precision)
    if not len(trust.sets):
        return f"No sets: {trust.calibrated_on}."
    every = metrics.conformal_figures(judged, trust.sets).iloc[-1]
    single = float((trust.sets.sum(axis=1) == 1).mean())
    said = (
        f"Made to hold the true area for {wished} of the photos of other hotels, the sets hold it "
        f"for {percent(every['coverage'], every['low'], every['high'])}, with "
        f"{every['mean_size']:.2f} areas on average; {percent(single)} have one area, and need no "
        f"second look. They were calibrated by {trust.calibrated_on}."
    )
    if not knows_hotels(judged):
        said += " The hotels are not known: photos count as independent, which promises too much."
    return said


def sets_table(judged: pd.DataFrame, trust: Trust) -> Table:
    """Return how often the sets of each area's photos hold it, the least often first.

    Parameters
    ----------
    judged : pandas.DataFrame
        As for `measure_trust`.
    trust : Trust
        From that.

    Returns
    -------
    Table
    """
    if not len(trust.sets):
        return Table(pd.DataFrame({"area": []}))
    areas = metrics.conformal_figures(judged, trust.sets).drop(index="all photos")
    areas = areas.sort_values("coverage", kind="stable")
    rows = areas.assign(area=[in_words(name) for name in areas.index])
    words = {
        "area": "area, least often first", "n_photos": "photos", "coverage": "in the set",
        "low": "from", "high": "to", "mean_size": "areas in the set (mean)",
    }  # fmt: skip
    return Table(rows, words, percent=["coverage", "low", "high"], noun="areas")
