"""What the training and the test of aesthetic models found, in words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels
from hotelviz.metrics import PUBLISHED_RESULTS, Interval
from hotelviz.ranking import largest_hotel
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.training import (
    best_epoch,
    is_linear,
    judges,
    kept_place,
    last_layer_words,
    linear_card,
    phases_words,
    still_improved,
)
from hotelviz.reports.wording import agreeing, counted, percent, photos_of_hotels, started_from
from hotelviz.schema import SPLITS

if TYPE_CHECKING:
    from hotelviz.models import ModelInfo

#: Less of people's range than this is worth a sentence.
_NARROW = 0.85


def known_hotels(photos: pd.DataFrame) -> pd.Series | None:
    """Return the hotels of photos; None where they are not known, or there is only one.

    Examples
    --------
    >>> known_hotels(pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["a", "b"]})) is None
    True
    """
    if not knows_hotels(photos):
        return None
    hotels = photos["hotel_id"].fillna(photos["image_id"])
    return hotels if hotels.nunique() > 1 else None


def training_verdict(
    course: pd.DataFrame,
    photos: pd.DataFrame,
    model: str,
    *,
    catalog: str = "photos.csv",
    training: Mapping[str, Any] | None = None,
    more_steps: Sequence[NextStep] = (),
) -> Verdict:
    """Say what an aesthetic model learned from, and how the training went.

    Parameters
    ----------
    course : pandas.DataFrame
        From `hotelviz.training.history`.
    photos : pandas.DataFrame
        What was trained on: `hotelviz.models.training_photos`, of this model alone.
    model : str
        The model's file.
    catalog : str, default "photos.csv"
        The file of the rated photos, for the next step's command.
    more_steps : sequence of NextStep, default ()
        What to do after looking how good it is: `hotelviz.reports.verdicts.learning.growth_steps`.
    training : mapping, optional
        What the model's description says of its training: `hotelviz.models.ModelInfo`.

    Examples
    --------
    >>> course = pd.DataFrame({"epoch": [1, 2], "loss": [0.2, 0.1], "val_loss": [0.2, 0.15],
    ...                        "val_mean_score_error": [0.5, 0.4], "seconds": [3.0, 3.0]})
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "split": ["train", "val"]})
    >>> training_verdict(course, photos, "a.keras").cards[1].detail
    '1 photo, not comparable with other iterations'
    """
    learned, judged = photos[photos["split"] == "train"], judges(photos, training or {})
    side = "val_" if "val_loss" in course else ""
    best = best_epoch(course)
    on = "on the photos it learned from; says nothing about new ones"
    on = f"{judged.words}, not comparable with other iterations" if side else on
    name = "validation" if side else "training"
    loss, off = f"{best[f'{side}loss']:.3f}", ""
    text = f"{Path(model).name} learned from {photos_of_hotels(learned)}{last_layer_words(course)}."
    cards = [Card(f"{name} loss (earth mover's distance)", loss, on)]
    if f"{side}mean_score_error" in course:
        off = f"{best[f'{side}mean_score_error']:.2f} points"
        cards.insert(0, Card(f"mean score off by, {name}", off, on))
    seen = f"On {judged.words} kept for validation" if side else "On these photos"
    epoch = f" in the best epoch, {kept_place(course)}"
    figure = f"loss (earth mover's distance) is {loss}"
    figure = f"scores are off by {off} on average" if off else figure
    text += f" {seen} its {figure}{'' if is_linear(course) else epoch}{judged.later}."
    cards += linear_card(training or {})
    number = counted(len(learned), "photo")
    of = photos_of_hotels(learned).removeprefix(number).strip(), f"{course['seconds'].sum():,.0f} s"
    cards.append(Card("learned from", number, "; ".join(filter(None, of))))
    given = f"-p catalog={shlex.quote(catalog)} -p " + shlex.quote(f'models=["{model}"]')
    command = f"hotelviz report aesthetic_report {given} --out aesthetic_report.html"
    look = NextStep("See how good it is on unseen photos", "aesthetic_report", command)
    tried = f" {still_improved(course, 0)}".rstrip() if is_linear(course) else ""
    return Verdict(f"{text}{tried}", cards=cards, next_steps=[look, *more_steps])


def report_verdict(
    compared: pd.DataFrame, judged: pd.DataFrame, *, unseen: bool, threshold: float = 5.0
) -> Verdict:
    """Say how well models predict ratings, all on the same photos.

    Parameters
    ----------
    compared : pandas.DataFrame
        From `hotelviz.metrics.compare_scores`.
    judged : pandas.DataFrame
        The photos.
    unseen : bool
        Whether it is known that no model has seen them.
    threshold : float, default 5
        Of the accuracy.

    Examples
    --------
    >>> metrics = ["LCC", "SRCC", "EMD", "accuracy at 5", "range use"]
    >>> compared = pd.DataFrame({"metric": metrics, "model": "iteration 1", "value": 0.861,
    ...                          "low": 0.8, "high": 0.9})
    >>> photos = pd.DataFrame({"image_id": ["a", "b"]})
    >>> report_verdict(compared, photos, unseen=True).text  # doctest: +NORMALIZE_WHITESPACE
    "On 2 unseen photos the model's scores follow people's closely: linear correlation (LCC) .86
    (.80–.90)."
    """
    table = _intervals(compared)
    names = [name for name in compared["model"].unique() if name != "difference"]
    last, on = names[-1], _which(judged, unseen)
    text = (
        f"On {on}{'' if unseen else ','} {_subject(last, names)} {_follow(table['LCC', last])}: "
        f"linear correlation (LCC) {_said(table['LCC', last])}"
    )
    if len(names) > 1:
        first = f"that of the first {_said(table['LCC', names[0]])}"
        text += f", {first}: {_difference(table['LCC', 'difference'])}"
    use = table["range use", last].value
    narrow = ""
    if use < _NARROW:
        narrow = f" It avoids low and high scores: it uses {percent(use)} of people's range."
    cards = [
        _card(table, metric, label, names, on)
        for metric, label in {
            "LCC": "linear correlation (LCC)",
            "SRCC": "rank correlation (SRCC)",
            f"accuracy at {threshold:g}": f"right side of {threshold:g}",
            "EMD": "earth mover's distance",
        }.items()
    ]
    steps = [
        NextStep("See where predictions and people differ most", "#Smallest-and-largest-errors")
    ]
    if len(names) > 1 and largest_hotel(judged):
        steps.append(NextStep("Look at one hotel by both", "#The-same-hotel-by-each-iteration"))
    steps.append(NextStep("See the scores of the whole catalogue", "score_distribution"))
    return Verdict(f"{text}.{narrow}", cards=cards, next_steps=steps)


def compared_table(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of models side by side, as text with their intervals.

    Examples
    --------
    >>> compared_table(pd.DataFrame({"metric": ["LCC"], "model": "a", "value": 0.861, "low": 0.8,
    ...                              "high": 0.9})).to_dict("records")
    [{'metric': 'LCC', 'a': '.861 (.800–.900)'}]
    """
    shown = compared.assign(
        text=[_said(found, digits=3) for found in _intervals(compared).values()],
        metric=compared["metric"].where(compared["metric"] != "EMD", "earth mover's distance"),
    )
    order = list(dict.fromkeys(shown["metric"])), list(dict.fromkeys(shown["model"]))
    table = shown.pivot(index="metric", columns="model", values="text").loc[order]
    return table.rename_axis(columns=None).reset_index()


def beside_published(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the talk's figures with those of `compared` beside them.

    Examples
    --------
    >>> compared = pd.DataFrame({"metric": ["LCC"], "model": "a", "value": [0.5], "low": 0.4,
    ...                          "high": 0.6})
    >>> beside_published(compared).columns.to_list()
    ['metric', 'talk, first iteration', 'talk, second iteration', 'a']
    """
    own = compared[compared["model"] != "difference"]
    order = list(dict.fromkeys(own["model"]))
    values = own.pivot(index="metric", columns="model", values="value")[order]
    table = PUBLISHED_RESULTS.join(values, how="left").round(4).rename_axis("metric")
    return table.rename(index={"EMD": "earth mover's distance"}).reset_index()


def notes_beside(judged: pd.DataFrame, rated: int, notes: Sequence[str]) -> list[str]:
    """Return what stands beside the figures: how intervals are made, what the models had seen.

    Parameters
    ----------
    judged : pandas.DataFrame
        The photos.
    rated : int
        How many there were before those that cannot be read were left out.
    notes : sequence of str
        Of `hotelviz.models.evaluation_photos`.

    Examples
    --------
    >>> notes_beside(pd.DataFrame({"image_id": ["a", "b"]}), 2, [])
    ['Intervals: 95 %, over 2 photos (jackknife).']
    """
    hotels = known_hotels(judged)
    drawn = counted(len(judged), "photo") if hotels is None else counted(hotels.nunique(), "hotel")
    said = [f"Intervals: 95 %, over {drawn} (jackknife).", *notes]
    if lost := rated - len(judged):
        are = agreeing(lost)
        said.append(f"{lost:,} of {rated:,} rated photos could not be read, and {are} not counted.")
    return said


def ratings_table(rated: pd.DataFrame) -> pd.DataFrame:
    """Return for each split how its photos are rated.

    Parameters
    ----------
    rated : pandas.DataFrame
        With ``split`` and the columns of `hotelviz.catalog.rating_summary`.

    Examples
    --------
    >>> rated = pd.DataFrame({"image_id": ["a", "b"], "split": "train", "raters": [3, 4],
    ...                       "rated_mean": [5.0, 6.0], "rated_std": 1.0})
    >>> ratings_table(rated).iloc[0].to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'split': 'train', 'photos': 2, 'hotels': None, 'raters': '3 to 4', 'mean': 5.5,
     'spread': 1.0}
    """
    rows = []
    for split in [name for name in SPLITS if (rated["split"] == name).any()]:
        part = rated[rated["split"] == split]
        hotels, raters = known_hotels(part), part["raters"].dropna()
        told = "not known"
        if len(raters):
            low, high = int(raters.min()), int(raters.max())
            told = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        rows.append(
            {
                "split": split, "photos": len(part),
                "hotels": None if hotels is None else int(hotels.nunique()), "raters": told,
                "mean": part["rated_mean"].mean(), "spread": part["rated_std"].mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def model_table(info: ModelInfo, file: str) -> pd.DataFrame:
    """Return what a trained model is and where it came from: ``what`` and ``is``."""
    ancestors, ancestor = [], info.parent
    while ancestor:
        learned = ancestor["training"].get("catalog", "unknown")
        ancestors.append(f"{ancestor['task']} model {ancestor['backbone']} (catalogue {learned})")
        ancestor = ancestor["parent"]
    weights = info.training["settings"]["weights"]
    rows = {
        "task": info.task,
        "backbone": info.backbone,
        "input": f"{info.preprocessing.height:d} pixels",
        "started from": started_from(weights),
        "learned by": _learned_by(info.training),
        "ancestors": ", ".join(ancestors),
        "learned from": counted(info.training["photos"]["train"], "photo"),
        "left out": counted(info.training["left_out"]["without ratings"], "photo")
        + " without ratings",
        "catalogue": info.training["catalog"],
        "saved as": file,
    }
    shown = {what: value for what, value in rows.items() if value and not value.startswith("0 ")}
    return pd.DataFrame({"what": list(shown), "is": list(shown.values())})


def _learned_by(training: Mapping[str, Any]) -> str:
    """Return which layers learned, and why no more; empty for models that do not say it."""
    why = f" ({training['why']})" if training.get("why") else ""
    layers = {"linear head": "its last layer alone", "fine-tuned": "more layers than its last"}
    kept = layers.get(training.get("kept", ""), "")
    return f"{kept}{why}" if kept else ""


def course_words(course: pd.DataFrame) -> str:
    """Return how a training went and how to read its figure.

    Parameters
    ----------
    course : pandas.DataFrame
        The table of `hotelviz.training.history`.

    Examples
    --------
    >>> course_words(pd.DataFrame({"phase": ["head"], "kept": [True]})).rpartition(". ")[2]
    'There is no course to draw.'
    """
    if len(course) == 1 and is_linear(course):
        return phases_words(course)
    return (
        "Left the loss, right the mean absolute error of the mean score, in points. Both should "
        "fall. If validation stops improving while training goes on, the model is overfitting."
    )


def problems_said(info: ModelInfo) -> str:
    """Return how many photos of a training had errors; empty for none."""
    counts = info.training["problem_counts"].items()
    return ", ".join(f"{count:,} {status}" for status, count in counts)


def _which(judged: pd.DataFrame, unseen: bool) -> str:
    """Return which photos were judged."""
    hotel = "unseen hotel" if unseen else "hotel"
    return photos_of_hotels(judged, hotel=hotel) + ("" if unseen else ", not known to be unseen")


def _subject(last: str, names: Sequence[str]) -> str:
    """Return the scores of the last model as the subject of a sentence."""
    if last == "predictions":
        return "the stored scores"
    if len(names) == 1:
        return "the model's scores"
    return f"{'the second iteration' if len(names) == 2 else last}'s scores"


def _follow(correlation: Interval) -> str:
    """Return in a word how closely predicted scores follow people's."""
    grades = ((0.8, "closely"), (0.6, "fairly well"), (0.3, "in part"), (-np.inf, "hardly"))
    how = next((word for least, word in grades if correlation.value >= least), "")
    return f"follow people's {how}" if how else "do not follow people's"


def _intervals(compared: pd.DataFrame) -> dict[tuple[str, str], Interval]:
    """Return the figures by metric and model."""
    keys = zip(compared["metric"], compared["model"], strict=True)
    bounds = compared[["value", "low", "high"]].to_numpy(dtype=float).tolist()
    return {key: Interval(*one) for key, one in zip(keys, bounds, strict=True)}


def _difference(found: Interval) -> str:
    """Return a paired difference in words."""
    value, low, high = found
    if np.isnan(value):
        return "they cannot be compared"
    if not low <= high:
        return "whether they differ cannot be told"
    if low <= 0 <= high:
        return f"no measurable difference ({_short(low)} to {_short(high)})"
    return (
        f"{_said(found)} better" if value > 0 else f"{_said(Interval(-value, -high, -low))} worse"
    )


def _card(
    table: dict[tuple[str, str], Interval], metric: str, label: str, names: Sequence[str], on: str
) -> Card:
    """Return a card of one model, or of several on the same photos."""

    def written(value: float) -> str:
        if metric.startswith("accuracy"):
            return percent(value)
        return _short(value, 3 if metric == "EMD" else 2)

    values = [written(table[metric, name].value) for name in names]
    _, low, high = table[metric, names[-1] if len(names) == 1 else "difference"]
    bounds = f"{written(low)} to {written(high)}" if low <= high else "no interval"
    if len(names) == 1:
        return Card(label, values[0], f"{bounds}; {on}")
    label = f"{label}, {' → '.join(names)}"
    return Card(label, " → ".join(values), f"the same {on}; difference {bounds}")


def _said(found: Interval, *, digits: int = 2) -> str:
    if np.isnan(found.value):
        return "none, as all predictions are the same"
    value, low, high = (_short(one, digits) for one in found)
    if not found.low <= found.high:
        return value
    return f"{value} ({low} to {high})" if "-" in low else f"{value} ({low}–{high})"


def _short(value: float, digits: int = 2) -> str:
    """Return a number without the zero before its point."""
    text = f"{value:z.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
