"""What a cleaning gained, in words."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import pandas as pd

from hotelviz.audit import Ablation, Cleaned, StageDifference
from hotelviz.metrics import Interval
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import agreeing, counted, in_words, percent
from hotelviz.scores.predictions import join_photos


def cleaning_verdict(
    difference: StageDifference,
    stages: Ablation,
    changes: pd.DataFrame,
    *,
    before: str,
    after: str = "cleaned",
    unseen: bool = True,
    undecided: int = 0,
    name: str = "",
    decisions: Sequence[str] = (),
) -> Verdict:
    """Say how much cleaning changed the accuracy on the same photos, and whether that is chance.

    Parameters
    ----------
    difference : hotelviz.audit.StageDifference
        Of the stages `before` and `after`.
    stages : hotelviz.audit.Ablation
        From `hotelviz.audit.compare_datasets`.
    changes : pandas.DataFrame
        Of `hotelviz.audit.apply_decisions`.
    before, after : str
        The stages that are compared.
    unseen : bool, default True
        Whether the network of the features knows none of the hotels.
    undecided : int, default 0
        Label suspects on which nobody has decided.
    name : str, default ""
        The catalogue's file, for commands.
    decisions : sequence of str, default ()
        The files with the decisions.

    Returns
    -------
    Verdict
    """
    n_photos = counted(difference.photos, "photo")
    hotels = counted(difference.hotels, "hotel")
    same = "the same photo" if difference.photos == 1 else f"the same {n_photos}"
    where = counted(difference.hotels, "unseen hotel") if unseen else hotels
    figures = stages.figures[
        (stages.figures["metric"] == "top-1 accuracy") & (stages.figures["tested"] == "same")
    ].set_index("stage")
    counts = changes["change"].value_counts()
    dropped, relabelled = (int(counts.get(kind, 0)) for kind in ("dropped", "relabelled"))
    untouched = not (dropped or relabelled or difference.gained or difference.lost)
    text = _changed_by(difference, f"{same} of {where}")
    if untouched:
        text = (
            "Nothing is cleaned yet: no photo was dropped and no label changed. With the data as "
            f"they are, the model is right on {percent(float(figures['value'][before]))} of "
            f"{n_photos} of {where}."
        )
    cards = [
        Card(
            "change of accuracy",
            f"{100 * difference.accuracy.value:+.1f} points",
            f"{_bounds(difference.accuracy)}, 95 % interval over {hotels}, photo by photo",
        ),
        *(
            Card(
                f"accuracy, {stage}",
                f"{100 * float(figures['value'][stage]):.1f} %",
                _range(*(float(figures[name][stage]) for name in ("low", "high")))
                + f"{n_photos}, trained on {figures['trained'][stage]:,}",
            )
            for stage in (after, before)
        ),
        Card(
            "photos changed",
            f"{dropped + relabelled:,}",
            f"{dropped:,} dropped, {relabelled:,} relabelled",
        ),
    ]
    steps = _next_steps(difference.accuracy, dropped + relabelled, undecided, name, decisions)
    # Two equal figures of the same data say nothing of cleaning.
    return Verdict(text, cards=cards[2:] if untouched else cards, next_steps=steps)


def _changed_by(difference: StageDifference, on: str) -> str:
    """Return how much cleaning changed the accuracy on some photos."""
    if not (difference.gained or difference.lost):
        return (
            f"Cleaning did not change the accuracy on {on}. The model is right and wrong about the "
            "same photos as before."
        )
    gained = _turned(difference.gained, "wrong", "right after it")
    return (
        f"Cleaning changed the accuracy on {on} by {points(difference.accuracy)}: "
        f"{in_a_word(difference.accuracy)}. {gained[0].upper()}{gained[1:]}, "
        f"{_turned(difference.lost, 'right', 'wrong')}."
    )


def stage_table(stages: Ablation) -> pd.DataFrame:
    """Return the figures of each stage as a table for people.

    Parameters
    ----------
    stages : hotelviz.audit.Ablation
        From `hotelviz.audit.compare_datasets`.

    Returns
    -------
    pandas.DataFrame
        A row per stage and test photos: ``stage``, ``judged on``, ``trained on (photos)``,
        ``accuracy`` and ``macro F1`` with their intervals.
    """
    bounds = stages.figures[["value", "low", "high"]].to_numpy(float)
    told = [accuracy(*map(float, row)) for row in bounds]
    wide = stages.figures.assign(told=told).pivot_table(
        index=["stage", "tested", "trained", "photos"],
        columns="metric", values="told", aggfunc="first", sort=False,
    ).reset_index()  # fmt: skip
    wide = wide.sort_values("tested", ascending=False, kind="stable")
    where = wide["tested"].map({"same": "the same", "own": "its own"})
    return pd.DataFrame(
        {
            "stage": wide["stage"],
            "judged on": where + wide["photos"].map(" {:,} photos".format),
            "trained on (photos)": wide["trained"],
            "accuracy": wide["top-1 accuracy"],
            "macro F1": wide["macro F1"],
        }
    )


def class_table(stages: Ablation, before: str, after: str = "cleaned") -> Table:
    """Return the F1 of each class by stage, on the same photos; what gained most comes first.

    Parameters
    ----------
    stages : hotelviz.audit.Ablation
        From `hotelviz.audit.compare_datasets`.
    before, after : str
        The stages between which the change is taken.

    Returns
    -------
    Table
    """
    same = stages.per_class[stages.per_class["tested"] == "same"]
    names = list(dict.fromkeys(same["stage"]))
    table = same.pivot_table(index="label", columns="stage", values="f1", sort=False)[names]
    table.insert(0, "photos", same.groupby("label")["support"].first())
    table["change"] = table[after] - table[before]
    table = table.sort_values("change", ascending=False, kind="stable").rename(index=in_words)
    # Less than a hundredth has no sign.
    table["change"] = table["change"].round(2) + 0.0
    words = {"label": "label", "photos": "photos", **{name: f"F1, {name}" for name in names}}
    return Table(table.reset_index(), words | {"change": "change by cleaning"})


def changes_table(cleaned: Cleaned) -> Table:
    """Return how many photos each class lost and got; no rows where nothing was changed.

    Parameters
    ----------
    cleaned : hotelviz.audit.Cleaned
        From `hotelviz.audit.apply_decisions`.

    Returns
    -------
    Table
    """
    rows = cleaned.per_class.rename(index=in_words).reset_index()
    words = {
        "label": "label", "before": "photos before", "dropped": "dropped",
        "relabelled_away": "got another label", "relabelled_here": "got this label",
        "after": "photos after",
    }  # fmt: skip
    return Table(rows if len(_changed(cleaned)) else rows.head(0), words)


def changed_photos(cleaned: Cleaned, photos: pd.DataFrame, *, max_photos: int) -> pd.DataFrame:
    """Return the photos that were changed: ``change`` with how many are shown, and a ``note``.

    Parameters
    ----------
    cleaned : hotelviz.audit.Cleaned
        From `hotelviz.audit.apply_decisions`.
    photos : pandas.DataFrame
        The catalogue before, with ``image_id`` and ``path``.
    max_photos : int
        The most of each kind of change.

    Returns
    -------
    pandas.DataFrame
    """
    changed = _changed(cleaned)
    rows = join_photos(photos[["image_id", "path"]], changed, how="right")
    labels = rows["before"].fillna("") + (" to " + rows["after"]).fillna("")
    reason = rows["reason"].str.replace(r"^\w+:", lambda kind: in_words(kind[0]), regex=True)
    rows["note"] = labels.map(in_words) + "; " + reason
    shown = rows.groupby("change", sort=False).head(max_photos)
    counts, total = shown["change"].value_counts(), rows["change"].value_counts()
    told = {kind: f"{kind}: {counts[kind]:,} of {total[kind]:,}" for kind in counts.index}
    return shown.assign(change=shown["change"].map(told))


def how_measured(
    decided: pd.DataFrame, origin: str, judged_by: str, notes: Sequence[str], *, mode: str = "fast"
) -> list[str]:
    """Return how a cleaning was measured, a line for each thing to know.

    Parameters
    ----------
    decided : pandas.DataFrame
        The decisions, with ``reviewer``.
    origin : str
        What gave the features, as `hotelviz.embeddings.feature_model` says it.
    judged_by : str
        Whose labels the test photos have.
    notes : sequence of str
        What else there is to know.
    mode : {"fast", "full"}, default "fast"
        As in `hotelviz.audit.compare_datasets`.

    Examples
    --------
    >>> decided = pd.DataFrame({"reviewer": ["Bo", "", "Ada"]})
    >>> how_measured(decided, "features of x", "as given", [])[0]
    'Trained by the last layer alone (a linear head); features of x; decisions of Ada, Bo, unnamed.'
    """
    how = "the last layer alone (a linear head)" if mode == "fast" else "training in two phases"
    names = sorted(decided["reviewer"].replace("", "unnamed").unique())
    who = f"decisions of {', '.join(names)}" if names else "no decisions"
    return [
        f"Trained by {how}; {origin}; {who}.",
        f"The test photos are judged by their labels: {judged_by}.",
        "The interval says how far the change would vary with other hotels, not with another "
        "training.",
        *notes,
    ]


def accuracy(value: float, low: float, high: float) -> str:
    """Return a share to a tenth of a per cent, beside differences that are told so.

    Examples
    --------
    >>> accuracy(0.845, 0.8151, 0.875)
    '84.5 % (81.5–87.5)'
    """
    bounds = f" ({100 * low:.1f}–{100 * high:.1f})" if low <= high else ""
    return f"{100 * value:.1f} %{bounds}"


def _range(low: float, high: float) -> str:
    """Return the interval of a share, before more is said of it; empty where there is none."""
    return f"{100 * low:.1f}–{100 * high:.1f} %; " if low <= high else ""


def points(change: Interval) -> str:
    """Return a difference of shares in points, with its interval.

    Examples
    --------
    >>> points(Interval(0.0131, -0.006, 0.032))
    '+1.3 points (-0.6 to +3.2)'
    """
    return f"{100 * change.value:+.1f} points ({_bounds(change)})"


def in_a_word(change: Interval) -> str:
    """Say whether a difference is one.

    Examples
    --------
    >>> in_a_word(Interval(0.02, 0.01, 0.03)), in_a_word(Interval(0.01, -0.01, 0.03))
    ('better', 'no measurable difference')
    """
    if change.low > 0:
        return "better"
    return "worse" if change.high < 0 else "no measurable difference"


def _turned(count: int, before: str, after: str) -> str:
    """Return how many photos are judged otherwise after a cleaning."""
    of_one = max(count, 1)
    return (
        f"{f'{count:,}' if count else 'none'} that {agreeing(of_one, 'was', 'were')} {before} "
        f"{agreeing(of_one)} {after}"
    )


def _changed(cleaned: Cleaned) -> pd.DataFrame:
    return cleaned.changes[cleaned.changes["change"].isin(["dropped", "relabelled"])]


def _bounds(change: Interval) -> str:
    if not change.low <= change.high:
        return "no interval"
    return f"{100 * change.low:+.1f} to {100 * change.high:+.1f}"


def _next_steps(
    change: Interval, changed: int, undecided: int, name: str, decisions: Sequence[str]
) -> list[NextStep]:
    steps = []
    if undecided:
        suspects = counted(undecided, "label suspect")
        text = f"Decide on {suspects} that nobody has looked at yet"
        steps.append(NextStep(text, "cleaning_audit#Label-suspects"))
    if changed and not change.low > 0:
        steps.append(NextStep("Look at what was changed", "#What-was-changed"))
    if change.low <= 0 <= change.high and change.low < change.high:
        least = 50 * (change.high - change.low)
        steps.append(
            NextStep(f"Test on more hotels: with these, less than {least:.1f} points is not seen")
        )
    if decisions and changed and not change.high < 0:
        files = " ".join(f"--decisions {quote(file)}" for file in decisions)
        clean = f"hotelviz clean {quote(name)} {files} --out cleaned.csv"
        steps.append(NextStep("Write the cleaned catalogue, to train on", command=clean))
    return steps
