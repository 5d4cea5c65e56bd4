"""What the training of a tagger came to: what it learned from, how it ended, whether to go on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.tagger import few_photos, too_few
from hotelviz.reports.wording import counted, in_words, percent, photos_of_hotels

#: What the phases of a training are called, and what learns in them.
_PHASES = {
    "head": "first only its new head",
    "fine_tune": "more layers at a low learning rate",
    "from_scratch": "all layers, from random weights",
    "all_photos": "the same from all photos, those that had judged it among them",
}
#: Those of one step.
_LINEAR = "its last layer alone, in one step (a linear head)"


class Judges(NamedTuple):
    """Which photos chose the epoch.

    Attributes
    ----------
    n_photos
        How many.
    words
        The same, and of how many hotels.
    few
        Whether they are too few for more than a rough figure.
    later
        That they were learned from in the end, as the end of a sentence; empty where they were not.
    """

    n_photos: int
    words: str
    few: bool
    later: str


def judges(photos: pd.DataFrame, training: Mapping[str, Any]) -> Judges:
    """Return which photos chose the epoch that is kept.

    Parameters
    ----------
    photos : pandas.DataFrame
        What was trained on: `hotelviz.models.training_photos`, of this model alone.
    training : mapping
        What the model's description says of its training: ``judged_by``.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "h"], "split": "train"})
    >>> judges(photos, {"judged_by": {"photos": 70, "hotels": 9}}).words
    '70 photos of 9 hotels'
    """
    val = photos[photos["split"] == "val"]
    n_photos, n_hotels = (
        training.get("judged_by", {}).get(name, 0) for name in ("photos", "hotels")
    )
    if len(val) or not n_photos:
        return Judges(len(val), photos_of_hotels(val), too_few(val, 0, 0), "")
    words = counted(n_photos, "photo")
    # As many hotels as photos: they are not known, or have one photo each.
    words += f" of {counted(n_hotels, 'hotel')}" * (n_hotels < n_photos)
    later = "; then it learned from them, too"
    return Judges(n_photos, words, few_photos(n_photos, n_hotels), later)


def training_verdict(
    course: pd.DataFrame,
    photos: pd.DataFrame,
    *,
    labels: pd.Series,
    most_epochs: int,
    catalog: str = "photos.csv",
    out: str = "tagger.keras",
    more_steps: Sequence[NextStep] = (),
    training: Mapping[str, Any] | None = None,
) -> Verdict:
    """Say what a tagger learned from, how its training ended and whether it still improved.

    Parameters
    ----------
    course : pandas.DataFrame
        The table of `hotelviz.training.history`.
    photos : pandas.DataFrame
        What was trained on: `hotelviz.models.training_photos`, of this model alone.
    labels : pandas.Series
        The labels of the photos that were learned from.
    most_epochs : int
        How many epochs the last phase may have.
    catalog, out : str
        The files of the photos and of the model, for the next step's command.
    more_steps : sequence of NextStep, default ()
        What to do after looking how good it is: `hotelviz.reports.verdicts.learning.growth_steps`.
    training : mapping, optional
        What the model's description says of its training: `hotelviz.models.ModelInfo`.

    Returns
    -------
    Verdict
    """
    learned = photos_of_hotels(photos[photos["split"] == "train"])
    val = judges(photos, training or {})
    sizes = labels.value_counts()
    said = f"Learned {counted(len(sizes), 'area')} from {learned}{last_layer_words(course)}."
    cards = []
    if "val_accuracy" in course:
        best = best_epoch(course)
        right = percent(best["val_accuracy"])
        place = f"epoch {kept_place(course)}"
        few = " (few: a rough figure)" if val.few else ""
        right_on = f"right on {right} of {counted(val.n_photos, 'validation photo')}{few}"
        said += f" {right_on.capitalize()}"
        if is_linear(course):
            detail = f"{val.words}, from which it did not learn" if not val.later else val.words
        else:
            said += f" after {place}, which they chose{_before(training or {})}"
            detail = f"{val.words}, by which {place} was chosen"
        said, detail = f"{said}{val.later}", f"{detail}{val.later}"
        said += f". {still_improved(course, most_epochs)}".rstrip()
        cards.append(Card("validation accuracy", right, detail))
    else:
        said += " No photos were kept for validation: whether it fits new photos was not looked at."
    cards += linear_card(training or {})
    last = course.iloc[-1]
    fewest = f"fewest of {in_words(sizes.idxmin())}: {sizes.min():,}"
    learned_on = "last epoch, on changed photos" if len(course) > 1 else "on what it learned from"
    n_learned = photos["split"].eq("train").sum()
    of = learned.removeprefix(counted(int(n_learned), "photo")).strip()
    of = f"{of}; " if of else ""
    took = f"{_duration(course['seconds'].sum())} ({_steps_done(course)})"
    cards += [
        Card("photos learned from", f"{n_learned:,}", f"{of}{fewest}; in {took}"),
        Card("training accuracy", percent(last["accuracy"]), learned_on),
    ]
    command = (
        f"hotelviz report tagger_report -p catalog={shlex.quote(catalog)} "
        f"-p model={shlex.quote(out)} --out tagger_report.html"
    )
    steps = [
        NextStep("See how good it is on hotels that it never saw", "tagger_report", command),
        *more_steps,
        NextStep(f"The model file is {out}", "#The-model"),
    ]
    return Verdict(said, cards=cards, next_steps=steps)


def linear_card(training: Mapping[str, Any]) -> list[Card]:
    """Return how good the linear model is that a training began with, as a card; none if unknown.

    Parameters
    ----------
    training : mapping
        What the model's description says of its training.

    Examples
    --------
    >>> figures = [{"metric": "LCC", "value": 0.531, "low": 0.48, "high": 0.58}]
    >>> about = {"photos": 90, "hotels": 9, "figures": figures}
    >>> linear_card({"linear": about})[0].detail
    'LCC, .48 to .58; 90 photos of 9 hotels, each predicted without its hotel'
    >>> linear_card({"linear": {**about, "hotels": 90}})[0].detail
    'LCC, .48 to .58; 90 photos, each predicted without itself'
    >>> linear_card({"linear": {**about, "seen": 30}})[0].detail.rpartition("; ")[2]
    'too good: the networks before it had learned from the hotels of 30'
    """
    about = training.get("linear") or {}
    if not about.get("figures") or about["figures"][0]["value"] is None:
        return []
    figure = about["figures"][0]
    value, low, high = (
        percent(figure[name])
        if "accuracy" in figure["metric"]
        else f"{figure[name]:.2f}".replace("0.", ".", 1)
        for name in ("value", "low", "high")
    )
    others, without = "hotels", "its hotel"
    of = f"{counted(about['photos'], 'photo')} of {counted(about['hotels'], 'hotel')}"
    if about["hotels"] == about["photos"]:
        # Hotels are not known, or have one photo each.
        others, of, without = "photos", counted(about["photos"], "photo"), "itself"
    detail = f"{figure['metric']}, {low} to {high}; {of}, each predicted without {without}"
    if seen := about.get("seen"):
        detail += f"; too good: the networks before it had learned from the hotels of {seen:,}"
    return [Card(f"last layer alone, on other {others}", value, detail)]


def last_layer_words(course: pd.DataFrame) -> str:
    """Return that a model learned by its last layer alone, as the end of a sentence.

    Examples
    --------
    >>> last_layer_words(pd.DataFrame({"phase": ["head"], "kept": [True]}))
    ' by its last layer alone: the layers before it are as they came'
    """
    if is_linear(course):
        return " by its last layer alone: the layers before it are as they came"
    return ""


def _before(training: Mapping[str, Any]) -> str:
    """Return how often a tagger was right on the same photos before more layers learned."""
    first = (training.get("judged", {}).get("linear head") or [{}])[0]
    if first.get("metric") != "top-1 accuracy" or first.get("value") is None:
        return ""
    return f" (before more layers than the last one learned: on {percent(first['value'])})"


def best_epoch(course: pd.DataFrame) -> pd.Series:
    """Return the epoch whose weights a model has, or that of the lowest loss where it is not said.

    Without validation photos it is that of the lowest loss in training. Where a model learned on
    from the photos that chose, it is the one that they chose.
    """
    if "phase" in course:
        course = course[course["phase"] != "all_photos"]
    if "kept" in course and course["kept"].any():
        return course[course["kept"]].iloc[0]
    loss = "val_loss" if "val_loss" in course else "loss"
    return course.iloc[int(course[loss].to_numpy().argmin())]


def epochs_of(course: pd.DataFrame) -> pd.DataFrame:
    """Return the epochs of which one is chosen, without those from all photos after it.

    Examples
    --------
    >>> len(epochs_of(pd.DataFrame({"phase": ["head", "fine_tune", "all_photos"]})))
    2
    """
    return course[course["phase"] != "all_photos"] if "phase" in course else course


def kept_place(course: pd.DataFrame) -> str:
    """Return which of the epochs a model has.

    Examples
    --------
    >>> kept_place(pd.DataFrame({"phase": ["fine_tune", "all_photos"], "epoch": [1, 2],
    ...                          "loss": [0.5, 0.4]}))
    '1 of 1'
    """
    epochs = epochs_of(course)
    return f"{best_epoch(epochs)['epoch']:.0f} of {len(epochs)}"


def is_linear(course: pd.DataFrame) -> bool:
    """Return whether a model has a linear head on the features that its training began with.

    Examples
    --------
    >>> is_linear(pd.DataFrame({"epoch": [1, 2], "phase": ["head", "fine_tune"],
    ...                         "kept": [True, False]}))
    True
    """
    return "kept" in course and bool((course["kept"] & course["phase"].eq("head")).any())


def still_improved(course: pd.DataFrame, most_epochs: int) -> str:
    """Return in a sentence whether validation improved to the end, and what ended the training.

    Parameters
    ----------
    course : pandas.DataFrame
        The table of `hotelviz.training.history`, with ``val_loss``.
    most_epochs : int
        How many epochs the last phase may have.

    Examples
    --------
    >>> course = pd.DataFrame({"epoch": [1, 2], "phase": "fine_tune", "val_loss": [2.0, 1.0]})
    >>> still_improved(course, 2)
    'Validation improved to the last of 2 epochs: more may help.'
    """
    if is_linear(course):
        more = len(course) - 1
        tried = f"Fine-tuning more layers, in {counted(more, 'epoch')}, made it no better"
        return f"{tried}, and was not kept." if more else ""
    course = epochs_of(course)
    last = course[course["phase"] == course["phase"].iloc[-1]]
    after = len(course) - int(best_epoch(course)["epoch"])
    if len(course) == 1:
        return "There was one epoch: more may help."
    if after == 0:
        return f"Validation improved to the last of {len(course):,} epochs: more may help."
    ended = ", which ended it" if len(last) < most_epochs else ""
    which = "last epoch" if after == 1 else f"last {after:,} epochs"
    return f"Validation did not improve in the {which}{ended}."


def phases_words(course: pd.DataFrame) -> str:
    """Return how a training went and how to read its figure.

    Examples
    --------
    >>> phases_words(pd.DataFrame({"phase": ["from_scratch"] * 2, "val_loss": [1.0, 2.0]}))[:54]
    'The network learned all layers, from random weights, i'
    >>> phases_words(pd.DataFrame({"phase": ["head"], "kept": [True]}))[:69]
    'The network learned its last layer alone, in one step (a linear head)'
    """
    sizes = course["phase"].astype(str).value_counts(sort=False).to_dict()
    steps = {"head": _LINEAR} if "kept" in course else {}
    phases = [
        steps.get(name) or f"{_PHASES.get(name, in_words(name))}, in {counted(n, 'epoch')}"
        for name, n in ((str(name), n) for name, n in sizes.items())
    ]
    said = f"The network learned {'; then '.join(phases)}."
    if len(course) == 1 and is_linear(course):
        return f"{said} The layers before it are as they came. There is no course to draw."
    if "val_loss" in course:
        said += (
            " The loss should fall and the accuracy rise, in training and validation alike: where "
            "validation stops improving while training goes on, the model begins to overfit."
        )
    else:
        said += " The loss should fall and the accuracy rise."
    if "all_photos" in sizes:
        said += " In the last epochs the loss may be higher: some photos are new to the network."
    return said + (" A dashed line marks the change of phase." if len(sizes) > 1 else "")


def _steps_done(course: pd.DataFrame) -> str:
    """Return of how many epochs a training was; the last layer is fitted in one step, without."""
    fitted = int("kept" in course and course["phase"].iloc[0] == "head")
    n_epochs = len(epochs_of(course)) - fitted
    epochs = counted(n_epochs, "epoch") if n_epochs else ""
    more = len(course) - len(epochs_of(course))
    after = f"{more:,} from all photos" if more else ""
    *first, last = filter(None, ["the last layer" * fitted, epochs, after])
    return f"{', '.join(first)} and {last}" if first else last


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
