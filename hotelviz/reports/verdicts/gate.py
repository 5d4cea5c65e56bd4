"""May a new model or delivery go live? What is known of conditions, for people and programs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hotelviz
from hotelviz.io.atomic import atomic_path
from hotelviz.io.content import content_name
from hotelviz.metrics import Outcome
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card
from hotelviz.reports.verdicts.compared import Compared
from hotelviz.reports.verdicts.deliveries import Deliveries, Delivery
from hotelviz.reports.verdicts.shifted import changes_said
from hotelviz.reports.wording import counted

#: What a comparison ends with, by what is known of its conditions.
EXIT_CODES = {Outcome.PASSED: 0, Outcome.FAILED: 3, Outcome.TOO_FEW: 4}


def overall(outcomes: pd.DataFrame) -> Outcome:
    """Return what is known of all conditions: failed if one failed, passed only if all passed.

    Examples
    --------
    >>> overall(pd.DataFrame({"outcome": ["passed", "not enough photos to tell"]})).name
    'TOO_FEW'
    """
    known = set(outcomes["outcome"])
    order = (Outcome.FAILED, Outcome.TOO_FEW)
    return next((one for one in order if one in known), Outcome.PASSED)


def outcome_line(row: pd.Series, what: str = "the difference") -> str:
    """Return in a line what is known of a condition, and why.

    Parameters
    ----------
    row : pandas.Series
        Of `hotelviz.metrics.judge_conditions`.
    what : str, default "the difference"
        What the condition is about.

    Examples
    --------
    >>> row = pd.Series({"condition": "accuracy < -0.01", "outcome": "failed", "difference": -0.03,
    ...     "low": -0.05, "high": -0.02, "n_photos": 310, "n_hotels": 18, "required": None})
    >>> outcome_line(row)
    'failed: accuracy < -0.01: the difference is -0.030 (-0.050 to -0.020) on 310 photos'
    """
    interval = "(no interval: too few hotels)"
    if pd.notna(row["low"]):
        interval = f"({row['low']:.3f} to {row['high']:.3f})"
    said = f"{row['outcome']}: {row['condition']}: {what} is {row['difference']:.3f} "
    said += f"{interval} on {counted(int(row['n_photos']), 'photo')}"
    if row["outcome"] != Outcome.TOO_FEW:
        return said
    if pd.notna(row["required"]):
        return f"{said}; about {int(row['required']):,} would do"
    return f"{said}; photos of more hotels are needed"


def outcomes_said(outcomes: pd.DataFrame) -> str:
    """Return in a sentence whether the new model may replace the old one.

    Examples
    --------
    >>> outcomes_said(pd.DataFrame({"outcome": ["passed", "passed"], "condition": ["a", "b"]}))
    'Both conditions passed.'
    """
    total = len(outcomes)
    if overall(outcomes) == Outcome.PASSED:
        which = {1: "The condition", 2: "Both conditions"}.get(total, f"All {total} conditions")
        return f"{which} passed."
    told = []
    for one, word in ((Outcome.FAILED, "failed"), (Outcome.TOO_FEW, "cannot be told")):
        names = outcomes.loc[outcomes["outcome"] == one, "condition"].to_list()
        if names:
            of = counted(total, "condition")
            told.append(f"{len(names)} of {of} {word}: {', '.join(names)}.")
    return " ".join(told)


def outcome_card(outcomes: pd.DataFrame) -> Card:
    """Return the headline of a gate."""
    words = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.TOO_FEW: "cannot be told"}
    return Card("gate", words[overall(outcomes)], counted(len(outcomes), "condition"))


def conditions_table(outcomes: pd.DataFrame, what: str = "difference") -> Table:
    """Return what is known of each condition, which is about `what`."""
    sign = "+" if what == "difference" else ""
    intervals = [
        f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
        if np.isfinite(low) else f"{value:{sign}.3f}"
        for value, low, high in outcomes[["difference", "low", "high"]].to_numpy(float)
    ]  # fmt: skip
    words = {
        "condition": "fails if", "outcome": "outcome", "interval": f"{what} (95 %)",
        "n_photos": "photos", "n_hotels": "hotels",
        "required": "photos that would do",
    }  # fmt: skip
    return Table(outcomes.assign(interval=intervals), words, noun="conditions")


def comparison_facts(compared: Compared, outcomes: pd.DataFrame) -> dict[str, Any]:
    """Return what a comparison found, for other programs.

    Parameters
    ----------
    compared : Compared
        From `hotelviz.reports.verdicts.compared.read_compared`.
    outcomes : pandas.DataFrame
        From `hotelviz.metrics.judge_conditions`; may have no rows.

    Returns
    -------
    dict
        ``outcome``, ``exit_code``, ``conditions``, ``figures``, ``flips`` (how many of each),
        ``photos`` (how many were compared, and how many are left out), ``models``, ``notes`` and
        what it was computed with. Figures that are not defined are None.
    """
    found = compared.found
    flips = found.photos.get("flip", pd.Series(dtype=object)).value_counts()
    outcome = overall(outcomes)
    return {
        "outcome": outcome.value if len(outcomes) else None,
        "exit_code": EXIT_CODES[outcome],
        "conditions": _records(outcomes),
        "figures": _records(found.figures),
        "flips": {str(name): int(n) for name, n in flips.items()},
        "photos": {
            "compared": len(found.photos), "only_old": found.n_old_only,
            "only_new": found.n_new_only, "of_classes_not_shared": found.left_out,
        },
        "task": compared.task,
        "models": [
            {
                "which": which, "name": side.name, "file": side.file,
                "content": content_name(side.file),
            }
            for which, side in zip(("old", "new"), compared.sides, strict=False)
        ],
        "catalog": {"file": compared.catalog, "content": content_name(compared.catalog)}
        if compared.catalog else None,
        "margin": compared.margin, "level": 0.95, "unseen": compared.unseen,
        "notes": compared.notes, "hotelviz": hotelviz.__version__,
    }  # fmt: skip


def drift_facts(found: Deliveries, outcomes: pd.DataFrame) -> dict[str, Any]:
    """Return what a comparison of deliveries found, for other programs.

    Parameters
    ----------
    found : Deliveries
        From `hotelviz.reports.verdicts.deliveries.read_deliveries`.
    outcomes : pandas.DataFrame
        From `hotelviz.metrics.judge_conditions`; may have no rows.

    Returns
    -------
    dict
        ``outcome``, ``exit_code``, ``conditions``, ``changes`` (in words, a line each),
        ``columns``, ``c2st`` (None where no photo was
        looked at), ``figures`` of the model (None where not both have truth), ``deliveries``,
        ``notes`` and what it was computed with. Figures that are not defined are None.
    """
    outcome, test = overall(outcomes), found.classifier
    return {
        "outcome": outcome.value if len(outcomes) else None,
        "exit_code": EXIT_CODES[outcome],
        "conditions": _records(outcomes),
        "changes": changes_said(found),
        "columns": _records(found.columns),
        "c2st": None if test is None else {
            name: _plain(value) for name, value in test._asdict().items() if name != "unlike"
        },
        "figures": None if found.changes is None else _records(found.changes),
        "deliveries": [
            _delivery(which, one)
            for which, one in (("reference", found.reference), ("current", found.current))
        ],
        "model": {"file": found.model, "content": content_name(found.model)}
        if found.model else None,
        "margin": found.margin, "level": found.level, "notes": found.notes,
        "hotelviz": hotelviz.__version__,
    }  # fmt: skip


def _delivery(which: str, one: Delivery) -> dict[str, Any]:
    """Return what a delivery is: of a folder its place alone."""
    scored, folder = one.scores is not None, Path(one.file).is_dir()
    return {
        "which": which, "file": one.file, "content": None if folder else content_name(one.file),
        "photos": len(one.scores) if one.scores is not None else len(one.photos),
        "scores": scored,
    }  # fmt: skip


def write_facts(facts: dict[str, Any], out: str | os.PathLike[str]) -> None:
    """Write what a comparison found as JSON, whole or not at all."""
    with atomic_path(out) as temporary:
        text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows with None for what is missing or not finite."""
    rows = table.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if pd.isna(value) or value in (np.inf, -np.inf) else value
