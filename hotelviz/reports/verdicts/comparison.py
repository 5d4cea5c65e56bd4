"""What a comparison of two models found: better, worse, none, or that it cannot be told."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pandas as pd

from hotelviz import metrics
from hotelviz.metrics import Change, Flip
from hotelviz.metrics.comparison import LESS_IS_BETTER, RECALL
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.compared import Compared, has_record
from hotelviz.reports.verdicts.gate import outcome_card, outcomes_said
from hotelviz.reports.wording import agreeing, counted, in_words, photos_of_hotels

#: Figures that are no shares: their differences are no points of a hundred.
_PLAIN = ("LCC", "SRCC", "EMD", "mean |CDF difference|", "RMSE of the mean")
#: What is known of the first figure -> the answer that the page leads with.
_ANSWERS = {
    Change.BETTER: "The new model is better.",
    Change.WORSE: "The new model is worse.",
    Change.NONE: "Neither model is measurably better.",
    Change.TOO_FEW: "There are not enough photos to tell which model is better.",
}
#: Classes that the verdict names.
_NAMED = 3


def comparison_verdict(compared: Compared, outcomes: pd.DataFrame | None = None) -> Verdict:
    """Say whether the new model is better than the old one, where, and how many photos flipped.

    Parameters
    ----------
    compared : Compared
        From `hotelviz.reports.verdicts.compared.read_compared`.
    outcomes : pandas.DataFrame, optional
        The table of `hotelviz.metrics.judge_conditions`.

    Returns
    -------
    Verdict
    """
    table = _by_metric(compared.found.figures)
    first = "top-1 accuracy" if compared.task == "tagger" else "SRCC"
    row, on = table[first], photos_of_hotels(compared.found.photos)
    if compared.task == "tagger":
        said = (
            f"The new model is right on {_share(row['new'])} of {on}, the old one on "
            f"{_share(row['old'])}: {change_words(row, compared.margin)}." + _seen_said(compared)
        )
        figures = compared.found.figures
        said += _others_said(figures[figures["metric"] == "expected calibration error"], first)
        said += _classes_said(figures) + _flips_said(compared)
        shown = [first, "macro recall", "expected calibration error"]
    else:
        said = (
            f"On {on} the new model orders photos as people do to {row['new']:.2f} of 1 (rank "
            f"correlation, SRCC), the old one to {row['old']:.2f}: "
            f"{change_words(row, compared.margin)}."
            + _seen_said(compared)
            + _others_said(compared.found.figures, first)
        )
        shown = [first, "LCC", "EMD", "accuracy at 5"]
    if outcomes is not None and len(outcomes):
        said = f"{outcomes_said(outcomes)} {said}"
    else:
        said = f"{_ANSWERS[Change(row['change'])]} {said}"
    cards = [_card(table[name], on) for name in shown]
    if outcomes is not None and len(outcomes):
        cards.insert(0, outcome_card(outcomes))
    return Verdict(said + _left_out_said(compared), cards=cards,
                   next_steps=_next_steps(compared, row))  # fmt: skip


def change_words(row: pd.Series, margin: float) -> str:
    """Return in words what is known of a difference.

    Parameters
    ----------
    row : pandas.Series
        A row of the figures of `hotelviz.metrics.Comparison`, named by its metric.
    margin : float
        The smallest difference that matters.

    Examples
    --------
    >>> row = pd.Series({"difference": 0.021, "low": 0.004, "high": 0.038, "change": "better",
    ...                  "required": 900}, name="top-1 accuracy")
    >>> change_words(row, 0.02)
    '2.1 points better (0.4 to 3.8)'
    >>> print(change_words(row.replace({"better": "not enough photos", 0.004: -0.01}), 0.02))
    not enough photos to tell (−1.0 to 3.8 points); about 900 would show a difference of 2.0 ...
    """
    name, better = str(row.name), 1
    if str(name) in LESS_IS_BETTER:
        better = -1
    value, low, high = (float(row[column]) for column in ("difference", "low", "high"))
    if row["change"] in (Change.BETTER, Change.WORSE):
        good = row["change"] == Change.BETTER
        ends = sorted(better * (1 if good else -1) * end for end in (low, high))
        interval = f"{_number(ends[0], name)} to {_number(ends[1], name)}"
        return f"{_amount(abs(value), name)} {'better' if good else 'worse'} ({interval})"
    if low == high == 0:
        return "they do not differ"
    if not np.isfinite(low):
        return "it cannot be told: too few hotels have such photos"
    interval = f"({_number(low, name)} to {_amount(high, name)})"
    if row["change"] == Change.NONE:
        return f"no measurable difference {interval}"
    sought = _amount(row.get("to_find", margin), name)
    enough = f"; about {row['required']:,} would show a difference of {sought}"
    return f"not enough photos to tell {interval}{'' if pd.isna(row['required']) else enough}"


def figures_table(compared: Compared) -> Table:
    """Return the figures of both models with what became better or worse.

    Parameters
    ----------
    compared : Compared
        With the comparison.

    Returns
    -------
    Table
    """
    figures = compared.found.figures
    rows = [
        {
            "figure": in_words(row["metric"]) + (
                ", less is better" if row["metric"] in LESS_IS_BETTER else ""
            ),
            "old": row["old"], "new": row["new"],
            "difference": f"{_number(row['difference'], name, signed=True)} "
            f"({_number(row['low'], name)} to {_number(row['high'], name)})"
            if np.isfinite(row["low"]) else _number(row["difference"], name, signed=True),
            "change": row["change"], "p": row["p_corrected"], "photos": row["n_photos"],
            "hotels": row["n_hotels"], "required": row["required"],
        }
        for name, row in zip(figures["metric"], figures.to_dict("records"), strict=True)
    ]  # fmt: skip
    unit = "points of 100" if compared.task == "tagger" else "accuracy and range use: points of 100"
    words = {
        "figure": "figure", "old": "old", "new": "new", "difference": f"difference ({unit})",
        "change": "what follows", "p": "p", "photos": "photos", "hotels": "hotels",
        "required": "photos that would do",
    }  # fmt: skip
    return Table(pd.DataFrame(rows), words, digits=3, noun="figures")


def drawn_figures(compared: Compared) -> list[tuple[pd.DataFrame, str]]:
    """Return the figures that a plot shows, by their unit: ``points`` of shares, or ``none``.

    Classes come after the figures over all, those that fell most first.
    """
    figures = compared.found.figures
    figures = figures.assign(less_is_better=figures["metric"].isin(LESS_IS_BETTER))
    classes = figures["metric"].str.startswith(RECALL)
    plain = figures["metric"].isin(_PLAIN)
    shares = [figures[~classes & ~plain], figures[classes].sort_values("difference")]
    both = [(pd.concat(shares), "points"), (figures[plain], "none")]
    return [(rows, unit) for rows, unit in both if len(rows)]


def models_table(compared: Compared, measured: pd.DataFrame) -> Table:
    """Return all models with their figures, how they differ from the old one, speed and size.

    Parameters
    ----------
    compared : Compared
        With the comparisons.
    measured : pandas.DataFrame
        From `hotelviz.reports.verdicts.compared.measure_models`.

    Returns
    -------
    Table
    """
    shown = {"top-1 accuracy": "accuracy", "macro F1": "macro F1",
             "expected calibration error": "calibration error"}  # fmt: skip
    if compared.task == "aesthetic":
        shown = {name: name for name in ("SRCC", "LCC", "EMD")}
    first, rows = next(iter(shown)), []
    tables = [compared.found, compared.found, *compared.others]
    for place, (side, found) in enumerate(zip(compared.sides, tables, strict=True)):
        figures = _by_metric(found.figures)
        row: dict[str, Any] = {"model": side.name}
        row["which"] = ("old", "new")[place] if place < 2 else "other"
        row |= {word: figures[name]["new" if place else "old"] for name, word in shown.items()}
        told = change_words(figures[first], compared.margin) if place else ""
        row |= {"against": told, "photos": len(found.photos)}
        own = measured[measured["name"] == side.name] if len(measured) else measured
        rows.append(row | (own.iloc[0].drop("name").to_dict() if len(own) else {}))
    words = {
        "model": "model", "which": "which", **{word: word for word in shown.values()},
        "against": f"{shown[first]}, against the old one", "photos": "photos",
    }  # fmt: skip
    if len(measured):
        words |= {
            "backbone": "backbone", "pixels": "input (pixels)", "weights": "weights (million)",
            "megabytes": "file (MB)", "photos_per_second": "photos/s here, without decoding",
        }  # fmt: skip
    return Table(pd.DataFrame(rows), words, digits=3 if compared.task == "aesthetic" else 2,
                 noun="models")  # fmt: skip


def confusion_sides(compared: Compared) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the confusion matrices of both models, of the same classes and photos."""
    photos = compared.found.photos
    predicted = ("predicted_old", "predicted_new")
    classes = sorted({str(one) for name in ("label", *predicted) for one in photos[name]})
    old, new = (metrics.confusion_matrix(photos["label"], photos[name], classes=classes)
                for name in predicted)  # fmt: skip
    return old, new


def scope_notes(compared: Compared) -> list[str]:
    """Return what the figures are of: photos, hotels, intervals, tests, what is left out."""
    found, on = compared.found, photos_of_hotels(compared.found.photos)
    known = "hotels" if " of " in on else "photos, as their hotels are not known"
    notes = [
        f"Compared on {on} that both judge. Intervals: 95 %, of the paired difference, by leaving "
        f"out {known}; tests of recalls are corrected over the classes (Holm).",
        f"Better and worse are differences that can be measured, however small. No measurable "
        f"difference: the interval holds 0 and nothing as large as {compared.margin:g}.",
        *compared.notes,
    ]
    for count, which in ((found.n_old_only, "old"), (found.n_new_only, "new")):
        if count:
            notes.append(f"{counted(count, 'photo')} that only the {which} model judges "
                         f"{agreeing(count)} not counted.")  # fmt: skip
    return notes


def _left_out_said(compared: Compared) -> str:
    """Return which classes not both models know, and how many photos that leaves out."""
    lost = compared.found.left_out
    if not lost:
        return ""
    names = ", ".join(in_words(name) for name in lost)
    photos = counted(sum(lost.values()), "photo")
    return f" Compared on the classes that both know: {photos} of {names} left out."


def _seen_said(compared: Compared) -> str:
    """Return that photos were seen in training, or may have been; nothing where all are new."""
    if any(side.model is not None for side in compared.sides):
        photos = compared.photos
        judged = photos[photos["image_id"].isin(compared.found.photos["image_id"])]
        if seen := int(judged["seen"].ne("").sum()):
            return (f" In training {seen:,} of them, or others of their hotels, were seen: this "
                    "says nothing about new hotels.")  # fmt: skip
    unknown = [which for which, side in zip(("old", "new"), compared.sides, strict=False)
               if not has_record(side)]  # fmt: skip
    if not unknown:
        return ""
    who = "Both models" if len(unknown) == 2 else f"The {unknown[0]} model"
    return f" {who} may have seen these photos in training: that is not known."


def _by_metric(figures: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the rows of figures by their names."""
    table = figures.set_index("metric")
    return {str(name): row for name, row in table.iterrows()}


def _classes_said(figures: pd.DataFrame) -> str:
    """Return the classes whose recall fell or rose, those that fell first."""
    rows = figures[figures["metric"].str.startswith(RECALL)].set_index("metric")
    rows = rows[rows["change"].isin([Change.BETTER, Change.WORSE])].sort_values("difference")
    said = ""
    for name, row in rows.head(_NAMED).iterrows():
        ends = sorted(100 * abs(row[end]) for end in ("low", "high"))
        moved = "more" if row["difference"] > 0 else "fewer"
        said += (
            f" Of {in_words(str(name).removeprefix(RECALL))} photos "
            f"{100 * abs(row['difference']):.0f} of 100 {moved} are found "
            f"(recall; {ends[0]:.0f} to {ends[1]:.0f})."
        )
    if len(rows) > _NAMED:
        more = len(rows) - _NAMED
        said += f" {counted(more, 'more class', 'more classes')} changed measurably."
    return said


def _flips_said(compared: Compared) -> str:
    counts = compared.found.photos["flip"].value_counts()
    right, wrong = (int(counts.get(flip, 0)) for flip in (Flip.RIGHT, Flip.WRONG))
    if not right and not wrong:
        return " No photo went from right to wrong, or from wrong to right."
    return f" {counted(right, 'photo')} went from wrong to right, {wrong:,} from right to wrong."


def _others_said(figures: pd.DataFrame, first: str) -> str:
    table = figures.set_index("metric")
    changed = table[table["change"].isin([Change.BETTER, Change.WORSE])].drop(
        first, errors="ignore"
    )
    said = ""
    for change, word in ((Change.BETTER, "Better"), (Change.WORSE, "Worse")):
        names = ", ".join(map(str, changed.index[changed["change"] == change]))
        too = " too" * (table["change"].get(first) == change)
        said += f" {word}{too}: {names}." * bool(names)
    return said


def _card(row: pd.Series, on: str) -> Card:
    name, plain = str(row.name), row.name in _PLAIN
    values = [f"{row[side]:.3f}" if plain else _share(row[side]) for side in ("old", "new")]
    detail = f"difference {_number(row['difference'], name, signed=True)}"
    if np.isfinite(row["low"]):
        detail += f" ({_number(row['low'], name)} to {_amount(row['high'], name)})"
    return Card(name, " → ".join(values), f"{detail}: {row['change']}; {on}")


def _next_steps(compared: Compared, row: pd.Series) -> list[NextStep]:
    steps = []
    counts = compared.found.photos.get("flip", pd.Series(dtype=object)).value_counts()
    if wrong := int(counts.get(Flip.WRONG, 0)):
        text = f"Look at the {counted(wrong, 'photo')} that became wrong"
        steps.append(NextStep(text, "#Photos-that-flipped"))
    if compared.task == "aesthetic":
        steps.append(NextStep("Look at the photos whose score moved most", "#Scores-that-moved"))
    if row["change"] == Change.TOO_FEW:
        task = "tags" if compared.task == "tagger" else "scores"
        file = shlex.quote(compared.catalog or "photos.csv")
        more = f": about {row['required']:,} in all" if pd.notna(row["required"]) else ""
        steps.append(NextStep(f"Label more photos of other hotels{more}", command=(
            f"hotelviz label {file} --store labels.sqlite --task {task}")))  # fmt: skip
    report = "tagger_report" if compared.task == "tagger" else "aesthetic_report"
    return [*steps, NextStep("See how good the new model is by itself", report)]


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(value: float, name: str, *, signed: bool = False) -> str:
    """Return a difference as a number: of shares in points."""
    value, digits = (value, 3) if name in _PLAIN else (100 * value, 1)
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return (text.lstrip("+-") if not float(text) else text).replace("-", "−")


def _amount(value: float, name: str) -> str:
    return _number(value, name) + ("" if name in _PLAIN else " points")
