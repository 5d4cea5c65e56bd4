"""What the evidence of a model is, in words: concepts, what they speak for, what training kept."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.concepts import contributions
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.found_concepts import names_file
from hotelviz.reports.wording import agreeing, counted, in_words, percent, photos_of_hotels

if TYPE_CHECKING:
    from hotelviz.concepts import ConceptActivity, Concepts, ExampleConcept


def concept_verdict(
    concepts: Concepts,
    activity: ConceptActivity,
    table: pd.DataFrame,
    *,
    keep: str = "",
    catalog: str = "photos.csv",
    model: str = "model.keras",
) -> Verdict:
    """Return what the evidence of a model is.

    Parameters
    ----------
    concepts, activity
        Of photos that they were not found in.
    table : pandas.DataFrame
        From `concept_table`.
    keep : str, default ""
        The file in which they are kept; empty: none.
    catalog, model : str
        For the commands of next steps.

    Returns
    -------
    Verdict
    """
    from hotelviz.models import model_info

    info = model_info(concepts.model)
    photos = photos_of_hotels(activity.photos)
    left, of, detail = activity.residual_share, "the logits", "of the largest logit"
    if info.task != "tagger":
        # The largest logit of scores is much the same in all photos: little is left of that.
        left = residual_of_scores(concepts, activity)
        of, detail = "what moves the mean scores", "of what moves the mean score"
    how = "make up" if concepts.exact else "make up, by gradients at each photo,"
    said = (
        f"{counted(len(concepts), 'concept')} {how} {percent(1 - left)} of {of} of {photos} that "
        f"they were not found in; {percent(left)} is of no concept."
    )
    said += f" {_heaviest(table, info.task)}"
    row = concepts.choice[concepts.choice["n_concepts"] == len(concepts)]
    stability = float(row["stability"].iloc[0]) if len(row) else float("nan")
    again = f"found again in the other half of the hotels: cosine {stability:.2f}"
    cards = [
        Card("concepts", f"{len(concepts)}", again if np.isfinite(stability) else ""),
        Card("of no concept", percent(left), f"{detail}, {photos}"),
        *_change_card(table, info.task),
    ]
    steps = [NextStep("Look at the concepts: does each belong to what it speaks for?", "#Concepts")]
    command = (
        f"hotelviz report concepts -p catalog={shlex.quote(catalog)} -p model={shlex.quote(model)} "
        f"-p keep={shlex.quote(keep or 'concepts.npz')} --out concepts.html"
    )
    if not concepts.names:
        listed = names_file(keep or "concepts.npz").name
        text = f"Give them names: fill in {listed}, and run again"
        steps.append(NextStep(text if keep else f"{text} (this keeps them)", command=command))
    report = "explain_tagger" if info.task == "tagger" else "aesthetic_report"
    text = "Which errors do they explain?" if info.task == "tagger" else "How good are the scores?"
    return Verdict(said, cards=cards, next_steps=[*steps, NextStep(text, report)])


def residual_of_scores(concepts: Concepts, activity: ConceptActivity) -> float:
    """Return what no concept holds, as a share of what moves the mean score.

    Parameters
    ----------
    concepts, activity
        Of an aesthetic model; NaN where nothing moves its scores.
    """
    parts = contributions(concepts, activity)
    moved = (parts["value"] - parts["bias"]).abs().mean()
    return float(parts["residual"].abs().mean() / moved) if moved else float("nan")


def concept_table(
    concepts: Concepts,
    effects: pd.DataFrame,
    removed: pd.DataFrame | None,
    ends: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return a row per concept: what it speaks for and against, and what its removal does.

    Parameters
    ----------
    concepts : hotelviz.concepts.Concepts
        With names.
    effects, removed, ends : pandas.DataFrame
        The tables of `hotelviz.concepts.concept_effects`, `removal_effects` and, of an aesthetic
        model, `score_ends`.
    """
    rows = []
    for concept, own in effects.dropna(subset=["share"]).groupby("concept"):
        ordered = own.sort_values("share", kind="stable")
        best, worst = ordered.iloc[-1], ordered.iloc[0]
        rows.append({
            "concept": concept, "name": concepts.name(int(str(concept))),
            "for": in_words(best["class"]) if best["share"] > 0 else "", "for_share": best["share"],
            "against": in_words(worst["class"]) if worst["share"] < 0 else "",
            "against_share": worst["share"],
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if removed is not None:
        table = table.merge(removed, on="concept")
    if ends is not None:
        table = table.merge(ends[["concept", "pull", "points"]], on="concept")
    return table


def shown_table(table: pd.DataFrame, task: str) -> Table:
    """Return the table of `concept_table` with words and units.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per concept.
    task : str
        Of the model.
    """
    words, share = {"name": "concept"}, ["for_share", "against_share"]
    if task == "tagger":
        words |= {
            "for": "speaks most for", "for_share": "its share there",
            "against": "most against", "against_share": "its share",
        }  # fmt: skip
    else:
        words |= {
            "points": "adds to the mean score (points)",
            "pull": "8 and 9 over 2 and 3 (logit)",
        }
    if "change" in table:
        flips = task == "tagger"
        share += ["change", "random"] if flips else []
        ends = zip(table["low"], table["high"], strict=True)
        interval = [_interval(low, high, flips) for low, high in ends]
        table = table.assign(interval=interval)
        what = "predictions that flip" if flips else "change of the score"
        words |= {
            "n_photos": "photos it is in", "change": f"without it: {what}",
            "random": "without random ones", "interval": "difference (95 %, hotels)",
        }  # fmt: skip
    return Table(table, words, percent=share, noun="concepts")


def heaviest_ends(ends: pd.DataFrame) -> str:
    """Return what speaks most for high scores and what for low ones, in a sentence.

    Parameters
    ----------
    ends : pandas.DataFrame
        With ``name``, and ``pull`` and ``points`` of `hotelviz.concepts.score_ends`.

    Examples
    --------
    >>> ends = pd.DataFrame({"name": ["sky", "bed"], "pull": [0.5, -0.2], "points": [0.3, -0.1]})
    >>> heaviest_ends(ends)[:63]
    'What speaks most for 8 and 9 is sky (+0.30 points where it is),'
    """
    known = ends.dropna(subset=["pull"]).sort_values("pull", kind="stable")
    if known.empty:
        return "None of them is in these photos."
    first, last = known.iloc[-1], known.iloc[0]
    return (
        f"What speaks most for 8 and 9 is {first['name']} ({first['points']:+.2f} points where "
        f"it is), and for 2 and 3 {last['name']} ({last['points']:+.2f})."
    )


def concept_titles(table: pd.DataFrame, task: str) -> dict[int, str]:
    """Return what is said above the photos of each concept.

    Examples
    --------
    >>> table = pd.DataFrame({"concept": [0], "name": ["water"], "for": ["Pool"],
    ...                       "for_share": [0.4], "against": [""], "against_share": [0.1]})
    >>> concept_titles(table, "tagger")
    {0: 'water: speaks for Pool (40 %)'}
    """
    titles = {}
    for row in table.to_dict("records"):
        if task != "tagger":
            adds = f"adds {row['points']:+.2f} points where it is"
            titles[row["concept"]] = f"{row['name']}: {adds}"
            continue
        said = []
        if row["for"]:
            said.append(f"speaks for {row['for']} ({percent(row['for_share'])})")
        if row["against"]:
            said.append(f"against {row['against']} ({percent(-row['against_share'])})")
        titles[row["concept"]] = f"{row['name']}: {', '.join(said) or 'speaks for nothing'}"
    return titles


def choice_table(concepts: Concepts) -> Table:
    """Return which numbers of concepts were tried, and which was taken."""
    table = concepts.choice.assign(taken=concepts.choice["n_concepts"] == len(concepts))
    words = {
        "n_concepts": "concepts", "stability": "found again (cosine)",
        "residual": "of no concept", "taken": "taken",
    }  # fmt: skip
    return Table(table, words, percent=["residual"])


def how_words(concepts: Concepts, activity: ConceptActivity, points_error: float = 0.0) -> str:
    """Return how exact the contributions are.

    Parameters
    ----------
    concepts, activity
        What is shown.
    points_error : float, default 0.0
        The largest error of the sum of contributions to a mean score.
    """
    if concepts.exact:
        said = (
            "The head is global average pooling under one dense layer: concepts, what no concept "
            f"holds, and the bias sum to each logit (largest difference {activity.error:.1e})."
        )
    else:
        said = (
            "Above this layer there is more than global average pooling and one dense layer: "
            "contributions are gradients at each photo times the concept's part of the features, "
            "and hold for small changes only. What the removal of a concept does is not tested."
        )
    if points_error:
        said += (
            " The mean score is not linear in the logits: its slopes are averaged on the way from "
            f"the bias to the logits, with which contributions sum to it within {points_error:.1e}."
        )
    if len(activity.skipped):
        n_skipped, first = len(activity.skipped), activity.skipped.iloc[0]
        said += (
            f" {counted(n_skipped, 'photo')} could not be read and {agreeing(n_skipped)} left out "
            f"(the first: {first['image_id']}: {first['error']})."
        )
    return said


def matched_words(matches: pd.DataFrame, names: tuple[str, str]) -> str:
    """Return how many concepts training kept, lost and made new.

    Examples
    --------
    >>> table = pd.DataFrame({"status": ["kept", "lost", "new"]})
    >>> matched_words(table, ("ImageNet", "aesthetic"))
    'From ImageNet to aesthetic: 1 concept is kept, 1 is lost, 1 is new.'
    """
    counts = matches["status"].value_counts()
    kept, lost, new = (int(counts.get(one, 0)) for one in ("kept", "lost", "new"))
    return (
        f"From {names[0]} to {names[1]}: {counted(kept, 'concept')} {agreeing(kept)} kept, {lost} "
        f"{agreeing(lost)} lost, {new} {agreeing(new)} new."
    )


def matched_table(matches: pd.DataFrame, original: Concepts, tuned: Concepts) -> Table:
    """Return the table of `hotelviz.concepts.match_concepts` with names."""
    table = matches.assign(
        before=[_named(original, one) for one in matches["original"]],
        after=[_named(tuned, one) for one in matches["tuned"]],
    )
    words = {
        "status": "status", "before": "before", "after": "after",
        "correlation": "correlation with its match, or the most similar one",
    }  # fmt: skip
    return Table(table, words)


def example_words(found: ExampleConcept, target: str) -> str:
    """Return what is known of a concept by example.

    Parameters
    ----------
    found : hotelviz.concepts.ExampleConcept
        What was found.
    target : str
        What it was tested for, in words.
    """
    n_random = len(found.random)
    # Photos of a folder are of no hotel that is known.
    of = f" of {counted(found.n_hotels, 'hotel')}" if found.n_hotels < found.n_examples else ""
    known = found.p_accuracy <= 0.05
    counts = found.p_value <= 0.05
    sign = "for" if found.effect > 0 else "against"
    tells = "tells" if known else "does not surely tell"
    speaks = f"speaks {sign} {target}" if counts else f"does not measurably speak for {target}"
    return (
        f"On {counted(found.n_examples, 'example')}{of}: the "
        f"model {tells} them from other photos ({percent(found.accuracy)} right on other hotels, "
        f"p = {found.p_accuracy:.2f}). What they have in common {speaks}: one standard deviation "
        f"more of it adds {found.effect:+.2f} (p = {found.p_value:.2f}, by {n_random} random sets "
        "of as many hotels)."
    )


def example_caption(row: pd.Series) -> str:
    """Return what stands under a photo of a concept.

    Examples
    --------
    >>> example_caption(pd.Series({"peak": 1.234, "label": "Pool", "hotel_id": "h1"}))
    '1.2 times as strong as usual where it is; labelled Pool; hotel h1'
    """
    said = f"{row['peak']:.1f} times as strong as usual where it is"
    if pd.notna(row.get("label")):
        said += f"; labelled {in_words(row['label'])}"
    return f"{said}; hotel {row['hotel_id']}"


def names_by_concept(concepts: Concepts) -> Mapping[int, str]:
    """Return the name, or the number, of each concept."""
    return {one: concepts.name(one) for one in range(len(concepts))}


def _named(concepts: Concepts, number: Any) -> str:
    return "" if pd.isna(number) else concepts.name(int(number))


def _interval(low: float, high: float, flips: bool) -> str:
    if np.isnan(low):
        return "–"
    if flips:
        return f"{100 * low:+.0f} to {100 * high:+.0f} points"
    return f"{low:+.2f} to {high:+.2f}"


def _heaviest(table: pd.DataFrame, task: str) -> str:
    """Return what matters most, in a sentence."""
    if task != "tagger":
        return heaviest_ends(table)
    if "change" in table and table["difference"].notna().any():
        row = table.sort_values("difference", na_position="first").iloc[-1]
        return (
            f"The one that counts most, {row['name']}, speaks for {row['for']}: it is in "
            f"{counted(row['n_photos'], 'photo')}; without it {percent(row['change'])} of their "
            f"predictions flip, without random ones of its size {percent(row['random'])}."
        )
    row = table.sort_values("for_share", na_position="first").iloc[-1]
    return (
        f"Most of a class is of {row['name']}: {percent(row['for_share'])} of all that speaks for "
        f"or against {row['for']}."
    )


def _change_card(table: pd.DataFrame, task: str) -> list[Card]:
    if "change" not in table or not table["difference"].notna().any():
        return []
    flips = task == "tagger"
    row = table.iloc[int(np.nanargmax(table["difference"] if flips else table["difference"].abs()))]
    value = percent(row["difference"]) if flips else f"{row['difference']:+.2f}"
    what = "predictions that flip" if flips else "points of the score"
    told = "" if np.isnan(row["low"]) else f" ({_interval(row['low'], row['high'], flips)})"
    detail = f"{what} without it, beyond random ones{told}; {counted(row['n_photos'], 'photo')}"
    return [Card(f"counts most: {row['name']}", value, detail)]
