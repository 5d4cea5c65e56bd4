"""Verbs that compare: compare, drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from hotelviz.cli.options import app, say


@app.command()
def compare(
    old: Annotated[Path, Option(help="The model in use (.keras), or its predictions (a table).")],
    new: Annotated[Path, Option(help="The model that may replace it, or its predictions.")],
    catalog: Annotated[
        Path | None,
        Argument(help="Labelled or rated photos; not needed where a table has labels or ratings."),
    ] = None,
    out: Annotated[
        Path | None,
        Option(help="The page (.html), with a .json of its name beside it; or the .json alone."),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        Option(help="A condition on the difference: 'accuracy < -0.01'; may be repeated."),
    ] = None,
    other: Annotated[list[Path] | None, Option(help="A further model; may be repeated.")] = None,
    split: Annotated[str, Option(help="The photos to judge: test, val, train, or all.")] = "test",
    margin: Annotated[float, Option(help="The smallest difference that matters.")] = 0.02,
    seed: Annotated[int, Option(help="Of the split and the intervals.")] = 0,
) -> None:
    """Compare two models on the same photos; end with 3 if a condition fails, 4 if it is unknown.

    Models are files (.keras) or tables of their predictions (.csv, .parquet).
    """
    from hotelviz.io.claims import check_apart, check_output
    from hotelviz.metrics import read_condition

    conditions = [read_condition(text) for text in fail_if or []]
    if out is not None:
        check_output(out, suffixes=[".html", ".json"])
        check_apart(out, old, new, catalog)
    choices: dict[str, Any] = {
        "others": [str(one) for one in other or []],
        "split": split, "margin": margin, "seed": seed,
    }  # fmt: skip
    sides: dict[str, Any] = {"old": str(old), "new": str(new), "catalog": str(catalog or "")}
    if out is not None and out.suffix == ".html":
        parameters = sides | choices | {"fail_if": [one.text for one in conditions]}
        facts = _page("compare_models", out, parameters)
    else:
        from hotelviz.metrics import judge_conditions
        from hotelviz.reports.verdicts import compared, gate

        found = compared.read_compared(**sides, **choices)
        facts = gate.comparison_facts(found, judge_conditions(conditions, found.found.figures))
        if out is not None:
            gate.write_facts(facts, out)
    _say(facts)
    if out is not None:
        say(f"open {out}" if out.suffix == ".html" else out)
    raise typer.Exit(facts["exit_code"])


def _page(report: str, out: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Write the page; return what it found, which lies beside it."""
    from hotelviz.reports import run_report

    beside = out.with_suffix(".json")
    run_report(report, {**parameters, "facts": str(beside)}, out)
    facts: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
    return facts


def _say(facts: dict[str, Any]) -> None:
    """Print what differs, the first figure first, and a line for each condition."""
    from hotelviz.metrics import Change

    for place, row in enumerate(facts["figures"]):
        if not place or row["change"] in (Change.BETTER, Change.WORSE):
            interval = "" if row["low"] is None else f" ({row['low']:+.3f} to {row['high']:+.3f})"
            say(f"{row['metric']}: {row['old']:.3f} to {row['new']:.3f}, "
                f"{row['difference']:+.3f}{interval}: {row['change']}")  # fmt: skip
    _say_outcomes(facts, "the difference")


def _say_outcomes(facts: dict[str, Any], what: str) -> None:
    """Print a line for each condition; what did not pass goes to where errors go."""
    import pandas as pd

    from hotelviz.metrics import Outcome
    from hotelviz.reports.verdicts.gate import outcome_line

    for _, outcome in pd.DataFrame(facts["conditions"]).iterrows():
        passed = outcome["outcome"] == Outcome.PASSED
        say(outcome_line(outcome, what), err=not passed, fg=None if passed else "red")


@app.command()
def drift(
    reference: Annotated[Path, Option(help="The photos that the model knows, or their scores.")],
    current: Annotated[Path, Option(help="The photos that came in, or their scores.")],
    model: Annotated[
        str,
        Option(
            help="A model (.keras) whose tags or scores, and figures, are compared as well; or "
            "none: no network at all, properties and files alone."
        ),
    ] = "",
    out: Annotated[
        Path | None,
        Option(help="The page (.html), with a .json of its name beside it; or the .json alone."),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        Option(help="A condition: 'c2st > 0.6', 'ks[brightness] > 0.2'; may be repeated."),
    ] = None,
    margin: Annotated[float, Option(help="The smallest distance that matters.")] = 0.1,
    seed: Annotated[int, Option(help="Of folds, permutations and intervals.")] = 0,
) -> None:
    """Compare two deliveries of photos; end with 3 if a condition fails, 4 if it is unknown.

    Deliveries are catalogues of photos, or two datasets of their scores (Parquet).
    """
    from hotelviz.io.claims import check_apart, check_output
    from hotelviz.metrics import read_condition

    conditions = [read_condition(text) for text in fail_if or []]
    if out is not None:
        check_output(out, suffixes=[".html", ".json"])
        check_apart(out, reference, current, model or None)
    choices: dict[str, Any] = {
        "reference": str(reference), "current": str(current), "model": model,
        "margin": margin, "seed": seed,
    }  # fmt: skip
    if out is not None and out.suffix == ".html":
        parameters = choices | {"fail_if": [one.text for one in conditions]}
        facts = _page("compare_deliveries", out, parameters)
    else:
        from hotelviz.metrics import drift_figures, judge_conditions
        from hotelviz.reports.verdicts import deliveries, gate

        found = deliveries.read_deliveries(**choices)
        figures = drift_figures(found.columns, found.classifier, found.changes)
        facts = gate.drift_facts(found, judge_conditions(conditions, figures))
        if out is not None:
            gate.write_facts(facts, out)
    for line in facts["changes"]:
        say(line)
    _say_outcomes(facts, "it")
    if out is not None:
        say(f"open {out}" if out.suffix == ".html" else out)
    raise typer.Exit(facts["exit_code"])
