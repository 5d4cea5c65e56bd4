"""What the explanation of a tagger found: which shortcut is suspected, and whether maps hold."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from hotelviz.attribution import SHORTCUT_ERRORS
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.tagger import confusion_anchor, confusion_name
from hotelviz.reports.wording import agreeing, counted, in_words, percent, the_counted

if TYPE_CHECKING:
    from hotelviz.attribution import Confusion


def explanation_verdict(
    found: Sequence[Confusion],
    gaps: pd.DataFrame,
    *,
    n_photos: int,
    catalog: str = "photos.csv",
    model: str = "tagger.keras",
) -> Verdict:
    """Say which shortcut is suspected, for which confusion; or that none is.

    Parameters
    ----------
    found : sequence of hotelviz.attribution.Confusion
        The confusions that were explained.
    gaps : pandas.DataFrame
        All confusions: the table of `hotelviz.metrics.confusions`.
    n_photos : int
        How many photos were judged.
    catalog, model : str
        The files, for the command that explains another confusion.

    Returns
    -------
    Verdict
    """
    explained = [one for one in found if len(one.photos)]
    suspects = [one for one in explained if suspect(one) is not None]
    photos = counted(n_photos, "photo")
    if not explained:
        said = f"No error among {photos} to explain."
        if len(gaps) and not found:
            said = f"None of the {len(gaps):,} confusions among {photos} was explained."
            if len(gaps) == 1:
                said = f"The only confusion among {photos} was not explained."
        elif len(gaps):
            said = f"The confusion that was asked for does not occur among {photos}."
    elif suspects:
        said = " ".join(f"{_suspicion(one)}." for one in suspects)
        if len(suspects) < len(explained):
            rest = len(explained) - len(suspects)
            said += f" None in {the_counted(rest, 'other confusion')} that {_was(rest)} explained."
    else:
        said = f"No shortcut is suspected in {_explained(len(explained), len(gaps))}."
    enough = sum(len(one.photos) >= SHORTCUT_ERRORS for one in explained)
    if enough < len(explained) or (explained and not suspects):
        having = {0: "none of them has", 1: "1 of them has", len(explained): "all of them have"}
        has = having.get(enough, f"{enough} of them have")
        if len(explained) == 1:
            has = "it has" if enough else "it does not have"
        said += f" The test needs {SHORTCUT_ERRORS} misclassified photos, which {has}."
    of = f"{counted(len(gaps), 'confusion')} among {photos}"
    cards = [
        Card("suspected shortcuts", f"{len(suspects)}", f"in {len(explained)} explained of {of}")
    ]
    for one in suspects or [one for one in explained if len(one.patterns)][:1]:
        pattern, name = _weightiest(one), confusion_name(one.true, one.predicted)
        detail = (
            f"of the evidence; in {_errors(pattern, len(one.photos))}, and in "
            f"{_right(pattern['right_true'], in_words(one.true))}"
        )
        cards.append(Card(f"{name}: one pattern has", percent(pattern["weight"]), detail))
    return Verdict(
        said, cards=cards, next_steps=_next_steps(suspects, explained, gaps, catalog, model)
    )


def _explained(count: int, total: int) -> str:
    """Return which confusions were explained: some, all, or the only one."""
    if count == total:
        return "the only confusion" if total == 1 else f"any of the {total:,} confusions"
    return f"the {count} of {total:,} confusions that {_was(count)} explained"


def _was(count: int) -> str:
    return agreeing(count, "was", "were")


def suspect(confusion: Confusion) -> pd.Series | None:
    """Return the pattern of a confusion that is a suspected shortcut; None where none is."""
    if confusion.patterns.empty or not confusion.patterns["suspect"].any():
        return None
    return confusion.patterns[confusion.patterns["suspect"]].iloc[0]


def _weightiest(confusion: Confusion) -> pd.Series:
    """Return the suspected shortcut of a confusion, or else its first pattern."""
    pattern = suspect(confusion)
    return confusion.patterns.iloc[0] if pattern is None else pattern


def confusion_words(confusion: Confusion) -> str:
    """Return in a few sentences what was found about a confusion.

    Parameters
    ----------
    confusion : hotelviz.attribution.Confusion
        The result of `hotelviz.attribution.explain_confusion`.
    """
    n_errors = len(confusion.photos)
    true, predicted = in_words(confusion.true), in_words(confusion.predicted)
    if not n_errors:
        return f"No {true} photo is predicted as {predicted}."
    said = f"{counted(n_errors, f'{true} photo')} {agreeing(n_errors)} predicted as {predicted}."
    if n_errors < SHORTCUT_ERRORS:
        return f"{said} To test for a shortcut, at least {SHORTCUT_ERRORS} are needed."
    if (pattern := suspect(confusion)) is not None:
        return f"{said} {_suspicion(confusion)}."
    if confusion.patterns.empty:
        return f"{said} Nothing in them speaks more for {predicted} than for {true}."
    pattern, several = confusion.patterns.iloc[0], len(confusion.patterns)
    which = "the only pattern" if several == 1 else f"the weightiest of {several} patterns"
    return (
        f"{said} No shortcut is suspected: {which} carries {percent(pattern['weight'])} of "
        f"the evidence, is in {_errors(pattern, n_errors)} and in "
        f"{_right(pattern['right_true'], true)}, and blurring it corrects "
        f"{percent(pattern['repaired'])} of the errors that have it."
    )


def gaps_table(gaps: pd.DataFrame, found: Sequence[Confusion], *, max_rows: int = 12) -> Table:
    """Return the confusions by confidence gap, with links to those that were explained.

    Parameters
    ----------
    gaps : pandas.DataFrame
        The table of `hotelviz.metrics.confusions`.
    found : sequence of hotelviz.attribution.Confusion
        Those that were explained.
    max_rows : int, default 12
        Most confusions.

    Returns
    -------
    Table
    """
    pairs = list(zip(gaps["label"], gaps["predicted"], strict=True))
    links = {pair: confusion_anchor(*pair) for pair in ((one.true, one.predicted) for one in found)}
    words = {
        "confusion": "confusion", "n_photos": "photos", "share": "share of the area",
        "confidence_gap": "confidence gap (sum)",
    }  # fmt: skip
    return Table(
        gaps.assign(confusion=[confusion_name(*pair) for pair in pairs]), words,
        percent=["share"], max_rows=max_rows, noun="confusions",
        links={"confusion": lambda row: links.get((row["label"], row["predicted"]), "")},
    )  # fmt: skip


def checked_words(n_checked: int, n_right: int) -> str:
    """Return what maps were checked on.

    Examples
    --------
    >>> checked_words(20, 99)
    'Checked on 20 of 99 correctly predicted photos.'
    """
    return f"Checked on {n_checked:,} of {counted(n_right, 'correctly predicted photo')}."


def randomized_table(stages: pd.DataFrame, method: str) -> Table:
    """Return the table of `hotelviz.attribution.parameter_randomization` with words and units.

    Parameters
    ----------
    stages : pandas.DataFrame
        A row per stage.
    method : str
        Whose maps were compared.

    Returns
    -------
    Table
    """
    words = {
        "layer": "random weights from the head down to",
        "correlation": f"likeness of {method} maps to those of the whole model (rank correlation)",
    }
    return Table(stages.assign(layer=stages["layer"].replace("", "nothing")), words)


def trust_words(trust: pd.DataFrame) -> Table:
    """Return the checks of `hotelviz.attribution.trust_table` with words and units.

    Parameters
    ----------
    trust : pandas.DataFrame
        A row per method.

    Returns
    -------
    Table
    """
    rows = trust.reset_index()
    words = {"method": "method"}
    for check, what in (("deletion", "hiding"), ("insertion", "uncovering")):
        columns = rows[[check, f"{check}_low", f"{check}_high"]].itertuples(index=False)
        rows[f"{check}_words"] = [
            f"{mean:.2f} ({low:.2f} to {high:.2f})" if low <= high else f"{mean:.2f}"
            for mean, low, high in columns
        ]
        words[f"{check}_words"] = f"{what}, over random order (probability)"
    if "hit" in rows:
        words |= {"hit": "peak on the object (share of photos)"}
        words |= {"energy": "evidence on the object (share of the map)"}
    words |= {
        "randomised": "with random weights (rank correlation)",
        "agreement": "with other methods (rank correlation)",
        "ms": "time (ms per photo)",
    }
    return Table(rows, words, digits={"ms": 0}, percent=["hit", "energy"], noun="methods")


def _suspicion(one: Confusion) -> str:
    """Return the suspicion about a confusion, with its shares."""
    pattern, n_errors = suspect(one), len(one.photos)
    assert pattern is not None
    return (
        f"A shortcut is suspected where {in_words(one.true)} is predicted as "
        f"{in_words(one.predicted)}: one pattern carries {percent(pattern['weight'])} of the "
        f"evidence, is in {_errors(pattern, n_errors)} and in "
        f"{_right(pattern['right_true'], in_words(one.true))}, and blurring it corrects "
        f"{percent(pattern['repaired'])} of the errors that have it"
    )


def _errors(pattern: pd.Series, n_errors: int) -> str:
    return f"{round(pattern['errors'] * n_errors)} of {counted(n_errors, 'error')}"


def _right(share: float, true: str) -> str:
    return (
        f"{percent(share)} of the right {true} photos"
        if pd.notna(share)
        else "no right photo, as there is none"
    )


def _next_steps(
    suspects: Sequence[Confusion],
    explained: Sequence[Confusion],
    gaps: pd.DataFrame,
    catalog: str,
    model: str,
) -> list[NextStep]:
    """Return what to do: look at the pattern, add photos that break it, explain others."""
    steps = []
    for one in suspects:
        anchor = confusion_anchor(one.true, one.predicted)
        steps.append(NextStep("Look at the pattern: does it belong to the area?", anchor))
        true, predicted = in_words(one.true), in_words(one.predicted)
        text = f"Add photos of {true} with it, and of {predicted} without it, and train again"
        steps.append(NextStep(text, "tagger_training"))
    if explained and not suspects:
        one = explained[0]
        text = "Look at what speaks for the wrong area in the largest confusion"
        steps.append(NextStep(text, confusion_anchor(one.true, one.predicted)))
    pairs = {(one.true, one.predicted) for one in explained}
    others = [
        pair for pair in zip(gaps["label"], gaps["predicted"], strict=True) if pair not in pairs
    ]
    if others:
        asked = json.dumps(others[0], ensure_ascii=False)
        command = (
            f"hotelviz report explain_tagger -p catalog={shlex.quote(catalog)} "
            f"-p model={shlex.quote(model)} -p confusion={shlex.quote(asked)} --out why.html"
        )
        steps.append(NextStep(f"Explain another: {confusion_name(*others[0])}", command=command))
    return [*steps, NextStep("How often is the tagger right?", "tagger_report")]
