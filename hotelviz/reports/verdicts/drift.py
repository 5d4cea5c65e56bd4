"""What two deliveries differ in, in words, and which photos and hotels carry it."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from hotelviz.metrics import Change, Shift
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.deliveries import OF_HOTELS, Deliveries
from hotelviz.reports.verdicts.gate import outcome_card, outcomes_said
from hotelviz.reports.verdicts.shifted import (
    amount,
    any_change,
    number_words,
    shift_words,
    told_apart,
)
from hotelviz.reports.wording import counted, in_words, percent
from hotelviz.scores import bin_scores
from hotelviz.scores.blocks import SCORE_ENDS

#: Bins of a distribution that is drawn.
_BINS = 40
#: Changes that the verdict names.
_NAMED = 3


def drift_verdict(found: Deliveries, outcomes: pd.DataFrame | None = None) -> Verdict:
    """Say whether the photos are still those of the reference, and in what they differ.

    Parameters
    ----------
    found : Deliveries
        From `hotelviz.reports.verdicts.deliveries.read_deliveries`.
    outcomes : pandas.DataFrame, optional
        The table of `hotelviz.metrics.judge_conditions`.

    Returns
    -------
    Verdict
    """
    columns = found.columns
    changed = columns[columns["change"] == Shift.CHANGED]
    those, these = (amount(one) for one in (found.reference, found.current))
    if len(changed):
        said = f"The {these} differ from the {those} of the reference in {len(changed)} of "
        said += f"{counted(len(columns), 'respect')}: "
        said += "; ".join(shift_words(row) for _, row in changed.head(_NAMED).iterrows()) + "."
    elif told_apart(found):
        said = f"The {these} differ from the {those} of the reference as a whole, in no respect "
        said += "by itself."
    elif (columns["change"] == Shift.TOO_FEW).any():
        said = f"Not enough photos to tell: no change can be measured between the {these} and the "
        said += f"{those} of the reference, nor can one as large as {found.margin:g} be ruled out."
    else:
        said = f"No measurable change between the {these} and the {those} of the reference."
    said += _classifier_said(found) + _changes_said(found)
    cards = [_distance_card(row) for _, row in columns.head(2).iterrows()]
    if found.classifier is not None:
        one = found.classifier
        interval = f"({percent(one.low)} to {percent(one.high)})"
        detail = f"{interval} of {counted(one.n_photos, 'photo')}; 50 % is chance"
        cards.insert(0, Card("told apart by a classifier (c2st)", percent(one.accuracy), detail))
    if found.changes is not None:
        first = found.changes.iloc[0]
        cards.append(Card(str(first["metric"]), f"{first['old']:.3f} → {first['new']:.3f}",
                          f"{first['change']}; {counted(first['n_photos'], 'photo')}"))  # fmt: skip
    if outcomes is not None and len(outcomes):
        said = f"{outcomes_said(outcomes)} {said}"
        cards.insert(0, outcome_card(outcomes))
    return Verdict(said, cards=cards, next_steps=_next_steps(found))


def columns_table(found: Deliveries) -> Table:
    """Return what is known of each column."""
    rows = [
        {
            "column": in_words(row["column"]),
            "distance": f"{row['distance']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
            "change": row["change"], "p": row["p_corrected"],
            "words": shift_words(row) if row["change"] == Shift.CHANGED else None,
            "reference": row["n_reference"], "current": row["n_current"],
        }
        for _, row in found.columns.iterrows()
    ]  # fmt: skip
    words = {
        "column": "what", "distance": "distance (95 %)", "change": "what follows",
        "words": "in words", "p": "p", "reference": "photos of the reference",
        "current": "current photos",
    }  # fmt: skip
    table = pd.DataFrame(rows)
    if table["words"].isna().all():
        del table["words"], words["words"]
    return Table(table, words, digits=3, noun="columns")


def unlike_photos(found: Deliveries, n_photos: int) -> pd.DataFrame:
    """Return the current photos that are most unlike the reference, with ``unlike`` and ``why``.

    Parameters
    ----------
    found : Deliveries
        With a classifier.
    n_photos : int
        How many, at most.

    Returns
    -------
    pandas.DataFrame
        Those with the largest odds of being a current photo, by a classifier that has not seen
        their hotel; those alone that are more likely current. None where no change is known.
    """
    if found.classifier is None or not any_change(found):
        return found.current.photos.head(0)
    photos = found.current.photos.assign(unlike=found.classifier.unlike)
    photos = photos[photos["unlike"] > 0].nlargest(n_photos, "unlike")
    return photos.assign(why=[_why(row, found) for _, row in photos.iterrows()])


def unlike_caption(row: pd.Series) -> str:
    """Return how unlike the reference a photo is, and what it has of the changes.

    Examples
    --------
    >>> unlike_caption(pd.Series({"unlike": 2.3, "why": "brightness 0.41"}))
    '10 to 1 current; brightness 0.41'
    """
    odds = np.exp(min(float(row["unlike"]), np.log(1000)))
    more = f"; {row['why']}" if row["why"] else ""
    return f"{odds:.{0 if odds >= 2 else 1}f} to 1 current{more}"


def _why(photo: pd.Series, found: Deliveries) -> str:
    """Return the values of the properties that changed and that a photo is at the new end of."""
    told = []
    changed = found.columns[(found.columns["change"] == Shift.CHANGED) & found.columns["ordered"]]
    for _, row in changed.iterrows():
        value = photo.get(row["column"])
        if row["column"] in OF_HOTELS or value is None or pd.isna(value):
            continue
        low = row["share_current"] > row["share_reference"]
        if (value <= row["value"]) == low:
            told.append(f"{in_words(row['column'])} {number_words(float(value))}")
    return ", ".join(told[:_NAMED])


def groups_table(found: Deliveries, by: str, max_rows: int = 12) -> Table | None:
    """Return the hotels or sources of the current photos that are most unlike the reference.

    Parameters
    ----------
    found : Deliveries
        With a classifier.
    by : {"hotel_id", "source"}
        What is told apart.
    max_rows : int, default 12
        The most rows.

    Returns
    -------
    Table or None
        None where the photos have no such column, or one value of it, and where no change is known.
    """
    photos = found.current.photos
    if (
        found.classifier is None
        or not any_change(found)
        or by not in photos
        or photos[by].nunique() < 2
    ):
        return None
    photos = photos.assign(unlike=found.classifier.unlike)
    if len(photos) == photos[by].nunique():
        return None
    if {"label", "predicted"} <= {*photos}:
        known = photos["label"].notna() & photos["predicted"].notna()
        photos["right"] = (photos["label"] == photos["predicted"]).where(known).astype(float)
    kept = {"photos": ("image_id", "size"), "unlike": ("unlike", lambda part: (part > 0).mean())}
    if "right" in photos:
        kept["right"] = ("right", "mean")
    table = photos.groupby(by).agg(**kept).reset_index()
    table = table.sort_values(["unlike", "photos"], ascending=False)
    words = {by: {"hotel_id": "hotel"}.get(by, by), "photos": "photos",
             "unlike": "taken for current ones", "right": "model is right"}  # fmt: skip
    shown = {name: word for name, word in words.items() if name in table}
    return Table(table, shown, percent=["unlike", "right"], max_rows=max_rows,
                 noun={"hotel_id": "hotels"}.get(by, f"{by}s"))  # fmt: skip


def changes_table(found: Deliveries) -> Table | None:
    """Return how the figures of the model change; None where that is not known."""
    if found.changes is None:
        return None
    rows = found.changes.assign(
        metric=[in_words(name) for name in found.changes["metric"]],
        interval=[
            f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
            if np.isfinite(row["low"]) else f"{row['difference']:+.3f}"
            for _, row in found.changes.iterrows()
        ],
    )  # fmt: skip
    words = {
        "metric": "figure", "old": "reference", "new": "current", "interval": "difference (95 %)",
        "change": "what follows", "n_photos": "photos", "n_hotels": "hotels",
    }  # fmt: skip
    return Table(rows, words, digits=3, noun="figures")


def drift_notes(found: Deliveries) -> list[str]:
    """Return what the figures are of."""
    notes = [
        f"The reference: {found.reference.file}; the current delivery: {found.current.file}.",
        "Tests deal whole hotels anew, corrected over all that is compared; intervals: 95 %, over "
        "hotels. A distance is the largest difference of the shares up to a value (Kolmogorov and "
        "Smirnov), of texts half the sum of the differences of all shares.",
        "Changed is what can be measured, however small; no measurable change: the distance is "
        f"below {found.margin:g}.",
        *found.notes,
    ]
    if found.classifier is not None:
        said = "A classifier looks at brightness, sharpness, colour and the like of each photo"
        if found.by:
            said += f", another one at the {found.by}"
        said += "; hotels that are judged have not been learned from."
        if found.by:
            said += (
                f" The accuracy is that of the one on {found.classifier.by}, and the photos that "
                f"carry it those of the one on {found.classifier.unlike_by}."
            )
        notes.insert(2, said)
    return notes


def _classifier_said(found: Deliveries) -> str:
    one = found.classifier
    if one is None:
        return ""
    interval = percent(one.accuracy, one.low, one.high)
    if told_apart(found):
        return f" A classifier tells {interval} of the photos apart; 50 % would be chance."
    return f" A classifier tells them apart no better than chance: {interval}."


def _changes_said(found: Deliveries) -> str:
    if found.changes is None:
        return ""
    row = found.changes.iloc[0]
    values = f"{row['metric']} {row['new']:.3f} against {row['old']:.3f}"
    words = {Change.BETTER: "better", Change.WORSE: "worse"}.get(row["change"], row["change"])
    return f" The model on them: {values}, {words}."


def _distance_card(row: pd.Series) -> Card:
    detail = f"distance ({row['low']:.2f} to {row['high']:.2f}): {row['change']}"
    return Card(in_words(row["column"]), f"{row['distance']:.2f}", detail)


def _next_steps(found: Deliveries) -> list[NextStep]:
    steps = []
    if any_change(found):
        if found.classifier is not None:
            text = "Look at the photos that are most unlike the reference"
            steps.append(NextStep(text, "#The-photos-that-carry-it"))
        if found.changes is None and found.current.scores is None:
            file = shlex.quote(found.current.file)
            steps.append(NextStep(
                "Label some of the new photos, to see what the model makes of them",
                command=f"hotelviz label {file} --store labels.sqlite --task tags"))  # fmt: skip
    elif (found.columns["change"] == Shift.TOO_FEW).any():
        steps.append(NextStep("Compare photos of more hotels"))
    if found.current.scores is not None:
        steps.append(NextStep("Look at the photos behind the scores", "score_distribution"))
    return [*steps, NextStep("See what the photos are of", "photo_map")]


def drawn_columns(
    found: Deliveries, n_columns: int
) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Return the numbers that changed most, binned: their names, the reference, the other delivery.

    Parameters
    ----------
    found : Deliveries
        Of photos, or of scores.
    n_columns : int
        How many, at most.
    """
    numbers = found.columns[found.columns["ordered"]]
    changed = numbers[numbers["change"] == Shift.CHANGED]
    drawn = []
    for name in changed["column"].head(n_columns):
        sides = (found.reference, found.current)
        if found.current.scores is not None:
            low, high = SCORE_ENDS[name]
            binned = [one.scores.histogram(name, bins=_BINS, low=low, high=high) for one in sides
                      if one.scores is not None]  # fmt: skip
        else:
            both = pd.concat([one.photos[name] for one in sides]).dropna().astype(float)
            low, high = both.quantile([0.001, 0.999])
            binned = [bin_scores(one.photos[name].astype(float), bins=_BINS, low=low, high=high)
                      for one in sides]  # fmt: skip
        drawn.append((str(name), binned[0], binned[1]))
    return drawn


def delivery_names(found: Deliveries) -> tuple[str, str]:
    """Return what plots call the two deliveries: their files, where these tell them apart."""
    names = [Path(one.file).stem for one in (found.reference, found.current)]
    if names[0] == names[1]:
        return "reference", "current"
    return f"reference: {names[0]}", f"current: {names[1]}"
