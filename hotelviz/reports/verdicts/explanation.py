"""What the explanation of a tagger found: which shortcuts are suspected, and whether maps hold."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from hotelviz.concepts import SHORTCUT_ERRORS
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.tagger import confusion_anchor, confusion_name
from hotelviz.reports.wording import agreeing, counted, in_words, percent

if TYPE_CHECKING:
    from hotelviz.attribution import Confusion
    from hotelviz.reports.verdicts.tried_concepts import TriedConcepts


def explanation_verdict(
    found: Sequence[Confusion],
    tried: TriedConcepts,
    gaps: pd.DataFrame,
    *,
    n_photos: int,
    catalog: str = "photos.csv",
    model: str = "tagger.keras",
) -> Verdict:
    """Say which shortcuts are suspected, for which confusions; or that none is.

    Parameters
    ----------
    found : sequence of hotelviz.attribution.Confusion
        The confusions that are shown.
    tried : TriedConcepts
        Of all confusions.
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
    photos, suspects = counted(n_photos, "photo"), tried.suspects
    shown = [one for one in found if len(one.photos)]
    if gaps.empty:
        said = f"No error among {photos} to explain."
    elif tried.why_not:
        said = f"Shortcuts could not be looked for: {tried.why_not}."
    elif len(suspects):
        said = " ".join(f"{_suspicion(row)}." for _, row in suspects.iterrows())
    else:
        every = "the only confusion" if len(gaps) == 1 else f"any of the {len(gaps):,} confusions"
        said = f"No shortcut is suspected in {every} among {photos}."
    enough = int((gaps["n_photos"] >= SHORTCUT_ERRORS).sum())
    if not gaps.empty and not tried.why_not and (enough < len(gaps) or suspects.empty):
        has = f"{enough} of the {len(gaps):,} confusions {agreeing(enough, 'has', 'have')}"
        if enough in (0, len(gaps)):
            has = "all confusions have" if enough else "no confusion has"
        if len(gaps) == 1:
            has = "it has" if enough else "it does not have"
        said += f" The test needs {SHORTCUT_ERRORS} misclassified photos, which {has}."
    if found and not shown:
        said += " The confusion that was asked for does not occur."
    rows = tried.shortcuts
    n_tried = len(rows[["label", "predicted"]].drop_duplicates())
    detail = (
        f"of {len(rows):,} that were tried in {n_tried} of {counted(len(gaps), 'confusion')} among "
        f"{photos}; chance corrected for all"
    )
    cards = [Card("suspected shortcuts", "–" if tried.why_not else f"{len(suspects)}", detail)]
    for _, row in (suspects if len(suspects) else rows.head(1)).iterrows():
        n = len(row["together"])
        has, right = agreeing(n, "it", "one"), _right(row["right_true"], in_words(row["label"]))
        detail = (
            f"of the {int(row['n_photos'])} errors that have {has} are predicted right; "
            f"{has} is in {right}"
        )
        name = confusion_name(row["label"], row["predicted"])
        which = agreeing(n, "one concept", f"{n} concepts")
        cards.append(Card(f"{name}: without {which}", percent(row["repaired"]), detail))
    return Verdict(said, cards=cards, next_steps=_next_steps(tried, shown, gaps, catalog, model))


def suspected_first(gaps: pd.DataFrame, tried: TriedConcepts) -> pd.DataFrame:
    """Return confusions, those with a suspected shortcut first.

    Parameters
    ----------
    gaps : pandas.DataFrame
        The table of `hotelviz.metrics.confusions`.
    tried : TriedConcepts
        Of them all.
    """
    pairs = set(zip(tried.suspects["label"], tried.suspects["predicted"], strict=True))
    suspected = [pair in pairs for pair in zip(gaps["label"], gaps["predicted"], strict=True)]
    order = pd.Series(suspected, gaps.index, bool).sort_values(ascending=False, kind="stable")
    return gaps.loc[order.index].reset_index(drop=True)


def confusion_words(confusion: Confusion, tried: TriedConcepts) -> str:
    """Return in a few sentences what was found about a confusion.

    Parameters
    ----------
    confusion : hotelviz.attribution.Confusion
        The result of `hotelviz.attribution.explain_confusion`.
    tried : TriedConcepts
        Of all confusions.
    """
    n_errors, rows = len(confusion.photos), tried.of(confusion)
    true, predicted = in_words(confusion.true), in_words(confusion.predicted)
    if not n_errors:
        return f"No {true} photo is predicted as {predicted}."
    said = f"{counted(n_errors, f'{true} photo')} {agreeing(n_errors)} predicted as {predicted}."
    if tried.why_not:
        return said
    if n_errors < SHORTCUT_ERRORS:
        return f"{said} To test for a shortcut, at least {SHORTCUT_ERRORS} are needed."
    if rows.empty:
        return f"{said} No concept that several of them have speaks more for {predicted}."
    if rows["suspect"].any():
        suspects = rows[rows["suspect"].astype(bool)]
        return " ".join([said, *(f"{_suspicion(row)}." for _, row in suspects.iterrows())])
    first = rows.iloc[0]
    which = "the only concept" if len(rows) == 1 else f"the weightiest of {len(rows)} concepts"
    if len(first["together"]) > 1:
        which = f"one of {len(first['together'])} concepts"
    return f"{said} No shortcut is suspected: {which} {_removal(first)}."


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


def _suspicion(row: pd.Series) -> str:
    """Return the suspicion about concepts in a confusion, with their shares."""
    n = len(row["together"])
    return (
        f"A shortcut is suspected where {in_words(row['label'])} is predicted as "
        f"{in_words(row['predicted'])}: {agreeing(n, 'one concept', f'one of {n} concepts')} "
        f"{_removal(row)}"
    )


def _removal(row: pd.Series) -> str:
    """Return where concepts are, and what is said without them."""
    n = len(row["together"])
    errors = counted(round(row["n_photos"] / row["errors"]), "error")
    return (
        f"is in {int(row['n_photos'])} of {errors} and in "
        f"{_right(row['right_true'], in_words(row['label']))}, and without "
        f"{agreeing(n, 'it', 'them')} {percent(row['repaired'])} of the errors that have "
        f"{agreeing(n, 'it', 'one')} are predicted right (without random ones of "
        f"{agreeing(n, 'its', 'their')} size {percent(row['random'])})"
    )


def _right(share: float, true: str) -> str:
    return (
        f"{percent(share)} of the right {true} photos"
        if pd.notna(share)
        else "no right photo, as there is none"
    )


def _next_steps(
    tried: TriedConcepts,
    shown: Sequence[Confusion],
    gaps: pd.DataFrame,
    catalog: str,
    model: str,
) -> list[NextStep]:
    """Return what to do: look at the concept, add photos that break it, explain others."""
    steps = []
    pairs = ["label", "predicted"]
    for label, other, what in (
        tried.suspects[[*pairs, "together"]].drop_duplicates(pairs).to_numpy()
    ):
        n, anchor = len(what), confusion_anchor(label, other)
        look = agreeing(n, "concept: does it belong", "concepts: do they belong")
        steps.append(NextStep(f"Look at the {look} to the area?", anchor))
        true, predicted, it = in_words(label), in_words(other), agreeing(n, "it", "them")
        text = f"Add photos of {true} with {it}, and of {predicted} without {it}, and train again"
        steps.append(NextStep(text, "tagger_training"))
    if shown and tried.suspects.empty:
        one = shown[0]
        text = "Look at what speaks for the wrong area in the largest confusion"
        steps.append(NextStep(text, confusion_anchor(one.true, one.predicted)))
    known = {(one.true, one.predicted) for one in shown}
    others = [
        pair for pair in zip(gaps["label"], gaps["predicted"], strict=True) if pair not in known
    ]
    if others:
        asked = json.dumps(others[0], ensure_ascii=False)
        command = (
            f"hotelviz report explain_tagger -p catalog={shlex.quote(catalog)} "
            f"-p model={shlex.quote(model)} -p confusion={shlex.quote(asked)} --out why.html"
        )
        steps.append(NextStep(f"Explain another: {confusion_name(*others[0])}", command=command))
    return [*steps, NextStep("How often is the tagger right?", "tagger_report")]
