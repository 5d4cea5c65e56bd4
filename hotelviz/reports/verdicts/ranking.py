"""What a new order of hotels' photos is worth, and what their photos lack, in words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hotelviz.metrics import mean_interval
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import agreeing, counted, in_words, percent

_NEW = "with coverage"

#: Label of a card -> the figure it shows, and what is gained of it.
_GAINS = {
    "areas among the first 8": ("areas_in_8", "areas_gained"),
    "mean score of the first 5": ("mean_of_5", "score_gained"),
}
_MEANS = ["areas_in_8", "possible_areas_in_8", "mean_of_5"]

#: What orders are called on pages.
_ORDERS = {"current": "today", "by score": "by score alone", _NEW: "new order"}

#: Columns of tables -> what they are called on pages.
GAINED = {
    "hotel_id": "hotel",
    "areas_gained": "areas gained among the first 8",
    "score_gained": "gained in the mean score of the first 5 (points)",
}
_ORDERED = {
    "hotel_id": "hotel",
    "order": "order",
    "rank": "place",
    "image_id": "photo",
    "score": "predicted score (1–10)",
    "move": "moved",
    "area": "area",
    "confidence": "the tagger's confidence",
    "reason": "why",
}
AREAS = {
    "hotel_id": "hotel",
    "area": "area",
    "known": "what is known",
    "candidate": "best candidate (photo)",
    "probability": "its probability",
    "photos": "photos of the hotel",
}
RECALL = {
    "area": "area",
    "hotels": "hotels",
    "seen": "surely seen in (hotels)",
    "there": "there by the labels in (hotels)",
    "recall": "recall",
}
_KNOWN = {
    "missing": "missing, by the labels",
    "not seen": "none seen surely",
    "overlooked": "overlooked, by the labels",
}
_SUMMARY = {
    "areas_in_5": "areas among the first 5",
    "possible_areas_in_5": "possible areas among 5",
    "areas_in_8": "areas among the first 8",
    "possible_areas_in_8": "possible areas among 8",
    "all_areas_in_8": "share of hotels that show all they can among 8",
    "mean_of_5": "mean score of the first 5",
    "duplicates_in_8": "near-duplicates among the first 8",
    "duplicates_beside": "near-duplicates beside each other",
    "best_at": "place of the best photo",
    "ndcg": "how well it follows the scores (NDCG)",
}


def ranking_verdict(
    figures: pd.DataFrame,
    gained: pd.DataFrame,
    areas: pd.DataFrame | None = None,
    *,
    scores: str = "scores",
) -> Verdict:
    """Say what the new order shows that the current one does not, and who loses by it.

    Parameters
    ----------
    figures : pandas.DataFrame
        From `hotelviz.ranking.ranking_figures`.
    gained : pandas.DataFrame
        From `hotelviz.ranking.compare_with_current`.
    areas : pandas.DataFrame, optional
        From `hotelviz.ranking.completeness`.
    scores : str, default "scores"
        Where the scores are, for the command that keeps the order.

    Examples
    --------
    >>> from hotelviz.ranking import compare_with_current, rank_hotel_photos, ranking_figures
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [6.0, 5.5]})
    >>> figures = ranking_figures(rank_hotel_photos(photos))
    >>> ranking_verdict(figures, compare_with_current(figures)).text
    'The photos are ordered by score; without tags and current positions no more can be said.'
    """
    new = figures[figures["order"] == _NEW]
    old, before = ("current", "today") if _has(figures, "current") else ("by score", "by score")
    # Both sides are means of the same hotels.
    both = figures[figures["hotel_id"].isin(gained["hotel_id"])]
    was, now = (
        {name: float(both.loc[both["order"] == order, name].mean()) for name in _MEANS}
        for order in (old, _NEW)
    )
    some = counted(len(new), "hotel")
    if len(gained) < len(new):
        known = "one" if len(gained) == 1 else f"{len(gained):,}"
        some = f"the {known} of {some} whose current order is known"
    said, cards = [], []
    if (possible := now["possible_areas_in_8"]) > 0:
        said.append(
            f"the new order shows {now['areas_in_8']:.1f} of {possible:.1f} possible areas among "
            f"the first eight photos, {before} {was['areas_in_8']:.1f}"
        )
        detail = f"of {possible:.1f} possible; {some}"
        cards.append(_card("areas among the first 8", was, now, gained, detail))
    if old == "current" or said:
        instead = "today" if old == "current" else "by score alone"
        mean, earlier = f"{now['mean_of_5']:.2f}", f"{was['mean_of_5']:.2f}"
        said.append(
            f"the mean score of the first five stays {mean}"
            if mean == earlier
            else f"the mean score of the first five is {mean}, {instead} {earlier}"
        )
        cards.append(_card("mean score of the first 5", was, now, gained, some))
    losers = gained[gained["loses"]]
    if old == "current":
        cards.append(Card("hotels that lose", f"{len(losers):,}", f"of {some}"))
        said.append(_losers_said(losers, len(gained)))
    if not said:
        said = ["the photos are ordered by score; without tags and current positions no more can "
                "be said"]  # fmt: skip
    text = f"{'; '.join(said)}."
    if beside := int((new["duplicates_beside"] > 0).sum()):
        text += f" {beside_said(beside, len(new))}"
    ranked = counted(int(new["photos"].sum()), "photo")
    cards.append(Card("ranked", ranked, f"of {counted(len(new), 'hotel')}"))
    keep = NextStep("Keep the order", command=f"hotelviz rank --scores {shlex.quote(scores)} "
                    "--out ranking.parquet")  # fmt: skip
    return Verdict(
        text[0].upper() + text[1:], cards=cards, next_steps=[*_steps(losers, old, areas), keep]
    )


def beside_said(n_hotels: int, total: int) -> str:
    """Return in how many hotels near-duplicates could not be kept apart.

    Examples
    --------
    >>> beside_said(1, 60)
    'In 1 of 60 hotels near-duplicates stay side by side: too few other photos.'
    """
    return (
        f"In {n_hotels:,} of {counted(total, 'hotel')} near-duplicates stay side by side: too few "
        "other photos."
    )


def completeness_said(areas: pd.DataFrame, recall: pd.DataFrame) -> str:
    """Say how many areas are not surely seen, what labels know of them, and the tagger's recall.

    Parameters
    ----------
    areas : pandas.DataFrame
        From `hotelviz.ranking.completeness`.
    recall : pandas.DataFrame
        From `hotelviz.ranking.area_recall`.

    Examples
    --------
    >>> areas = pd.DataFrame({"hotel_id": "h", "area": ["a", "b"], "state": ["seen", "not seen"],
    ...                       "labelled": 0})
    >>> from hotelviz.ranking import area_recall
    >>> completeness_said(areas, area_recall(areas))
    'Of 2 areas of 1 hotel the tagger surely sees 1; of 1 there may be a photo all the same.'
    """
    counts = areas["state"].value_counts()
    hotels = counted(areas["hotel_id"].nunique(), "hotel")
    seen = counts.get("seen", 0) or "none"
    said = [f"Of {counted(len(areas), 'area')} of {hotels} the tagger surely sees {seen}"]
    if number := counts.get("overlooked", 0):
        said.append(f"by the labels {number:,} more {agreeing(number)} there and overlooked")
    if number := counts.get("missing", 0):
        said.append(f"by the labels {number:,} {agreeing(number)} missing")
    if number := counts.get("not seen", 0):
        said.append(f"of {number:,} there may be a photo all the same")
    text = f"{'; '.join(said)}."
    if there := int(recall["there"].sum()):
        found = percent((recall["recall"] * recall["there"]).sum() / there)
        text += f" Where labels say that an area is there, the tagger surely sees it in {found} of "
        text += f"{counted(there, 'case')}."
    return text


def unseen_areas(areas: pd.DataFrame) -> pd.DataFrame:
    """Return the areas that are not surely seen, with what is ``known``: missing ones first.

    Examples
    --------
    >>> areas = pd.DataFrame({"hotel_id": "h", "area": ["View_of_Exterior", "Pool", "Foyer"],
    ...                       "state": ["overlooked", "missing", "seen"]})
    >>> unseen_areas(areas)["area"].to_list()
    ['Pool', 'View of Exterior']
    """
    rows = areas[areas["state"] != "seen"]
    rows = rows.assign(
        place=rows["state"].map(list(_KNOWN).index), known=rows["state"].map(_KNOWN),
        area=rows["area"].map(in_words),
    )  # fmt: skip
    return rows.sort_values(["place", "hotel_id"], kind="stable", ignore_index=True)


def summary_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the means of each order's figures as rows in words, a column per order.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `hotelviz.ranking.ranking_summary`.

    Examples
    --------
    >>> summary = pd.DataFrame({"hotels": [3], "ndcg": [1.0]}, index=["with coverage"])
    >>> summary_table(summary).columns.to_list()
    ['mean over hotels', 'new order (3 hotels)']
    """
    shown = [name for name in _SUMMARY if name in summary]
    if not summary.get("possible_areas_in_8", pd.Series([1])).any():
        shown = [name for name in shown if "areas" not in name]
    heads = [f"{_ORDERS[name]} ({counted(int(summary.loc[name, 'hotels']), 'hotel')})"
             for name in summary.index]  # fmt: skip
    table = summary[shown].T.set_axis(heads, axis="columns")
    table.insert(0, "mean over hotels", [_SUMMARY[name] for name in shown])
    return table


def order_table(orders: pd.DataFrame, *, max_photos: int) -> Table:
    """Return the new order of a hotel without its photos, with the columns of which it has some.

    Parameters
    ----------
    orders : pandas.DataFrame
        From `hotelviz.ranking.current_and_new`.
    max_photos : int
        The most rows.

    Returns
    -------
    Table
    """
    new = orders[orders["order"] == "new order"]
    words = {key: word for key, word in _ORDERED.items() if new[key].notna().any()}
    return Table(new, words, max_rows=max_photos, noun="photos")


def left_out_said(figures: pd.DataFrame, n_photos: int, unmatched: int = 0) -> str:
    """Return how many photos could not be ranked, or have only a score or a tag; empty for none.

    Parameters
    ----------
    figures : pandas.DataFrame
        From `hotelviz.ranking.ranking_figures`.
    n_photos : int
        How many there are in all.
    unmatched : int, default 0
        Photos that have only a score or only a tag.

    Examples
    --------
    >>> figures = pd.DataFrame({"order": ["by score", "with coverage"], "photos": 8})
    >>> left_out_said(figures, 10)
    'Without a score, and not ranked: 2 photos.'
    """
    said, unscored = [], n_photos - int(figures.loc[figures["order"] == _NEW, "photos"].sum())
    if unscored:
        said.append(f"Without a score, and not ranked: {counted(unscored, 'photo')}.")
    if unmatched:
        said.append(f"With only a score or only a tag: {counted(unmatched, 'photo')}.")
    return " ".join(said)


def _has(figures: pd.DataFrame, order: str) -> bool:
    return bool((figures["order"] == order).any())


def _losers_said(losers: pd.DataFrame, total: int) -> str:
    if losers.empty:
        return "the hotel does not lose" if total == 1 else f"none of {total:,} hotels loses"
    how = []
    if fewer := int((losers["areas_gained"] < 0).sum()):
        how.append(f"{fewer:,} with fewer areas")
    if lower := int((losers["score_gained"] <= -0.01).sum()):
        how.append(f"{lower:,} in this score, by at most {-losers['score_gained'].min():.2f}")
    verb = agreeing(len(losers), "loses", "lose")
    return f"{len(losers):,} of {counted(total, 'hotel')} {verb} ({', '.join(how)})"


def _card(
    label: str, was: Mapping[str, float], now: Mapping[str, float], gained: pd.DataFrame, on: str
) -> Card:
    """Return a card of a mean that was, and is; with the interval of its gain over hotels."""
    column, gain = _GAINS[label]
    values = gained[gain].to_numpy(dtype=float)
    found = mean_interval(values)
    bounds = f"gain {found.low:+.2f} to {found.high:+.2f} (95 %)" if found.low <= found.high else ""
    detail = "; ".join(filter(None, [bounds, on]))
    return Card(label, f"{was[column]:.2f} → {now[column]:.2f}", detail)


def _steps(losers: pd.DataFrame, old: str, areas: pd.DataFrame | None) -> Sequence[NextStep]:
    steps = []
    if len(losers) and old == "current":
        steps.append(NextStep("Look at the hotels that lose", "#Hotels-that-lose"))
    if areas is not None and len(areas):
        missing = areas[areas["state"] == "missing"]
        if len(missing):
            n_hotels = missing["hotel_id"].nunique()
            steps.append(NextStep(
                f"Ask {counted(n_hotels, 'hotel')} for photos of {counted(len(missing), 'area')} "
                f"that {agreeing(n_hotels, 'it lacks', 'they lack')}", "#Areas-not-surely-seen",
            ))  # fmt: skip
        elif np.isin(areas["state"], ["not seen"]).any():
            steps.append(NextStep("See of which areas no photo is sure", "#Areas-not-surely-seen"))
        if (areas["state"] == "overlooked").any():
            steps.append(NextStep("See where the tagger is wrong", "tagger_report"))
    return steps
