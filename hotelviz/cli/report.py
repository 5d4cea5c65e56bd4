"""Verbs that end in pages: run, demo, report, slides."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from hotelviz.cli.options import app, assignment, say


@app.command()
def run(
    catalog: Annotated[
        Path, Argument(help="CSV, Parquet, class folders, a folder with catalog.csv, or photos.")
    ],
    out: Annotated[Path, Option(help="The folder that gets the reports.")] = Path("reports"),
    first: Annotated[
        Path | None, Option(help="Other people's ratings: the first aesthetic iteration.")
    ] = None,
    model: Annotated[
        list[str] | None,
        Option(help="A model that exists: tagger=, aesthetic_1= or aesthetic=FILE; may repeat."),
    ] = None,
    setting: Annotated[
        list[str] | None, Option("--set", help="A parameter: step.name=value; may be repeated.")
    ] = None,
    quick: Annotated[bool, Option("--quick", help="No fine-tuning, smaller drawings.")] = False,
    only: Annotated[str | None, Option(help="This step, and what it needs.")] = None,
    start: Annotated[
        str | None, Option("--from", help="This step again, and what needs it.")
    ] = None,
    seed: Annotated[int, Option(help="Of the split, the trainings and the samples.")] = 0,
    dry_run: Annotated[bool, Option("--dry-run", help="Print the plan, and do nothing.")] = False,
) -> None:
    """Do all that can be done with photos: audit, train, explain, score, rank, report.

    What is done is not done again: a run that was stopped goes on when it is called again.
    """
    from hotelviz import pipeline

    choices: dict[str, Any] = {
        "first": first, "models": dict(assignment(text, "--model") for text in model or []),
        "settings": _settings(setting), "quick": quick, "only": only, "start": start, "seed": seed,
    }  # fmt: skip
    if dry_run:
        say(pipeline.plan(catalog, out, **choices))
    else:
        _run(catalog, out, **choices)


@app.command()
def demo(
    out: Annotated[Path, Option(help="The folder that gets the reports.")] = Path("reports"),
    seed: Annotated[int, Option(help="Of the drawings and the training.")] = 0,
    hotels: Annotated[int, Option(help="How many hotels are drawn.")] = 60,
    epochs: Annotated[int, Option(help="A measure of all trainings: each has a share.")] = 30,
    setting: Annotated[
        list[str] | None, Option("--set", help="A parameter: step.name=value; may be repeated.")
    ] = None,
) -> None:
    """Draw a catalogue of hotels with known faults, then run everything on it."""
    from hotelviz import pipeline
    from hotelviz.demo import make_demo_catalog, make_demo_network
    from hotelviz.demo.settings import demo_banner, demo_settings
    from hotelviz.io.claims import own_folder

    own = _settings(setting)
    folder = own_folder(out / "demo", "demo")
    say(f"drawing {hotels} hotels into {folder}")
    pretrained = pipeline.weights_available(out)
    # Networks fall for different rails.
    make_demo_catalog(folder, n_hotels=hotels, seed=seed, rails="chrome" if pretrained else "red")
    settings = demo_settings(pretrained, epochs)
    if not pretrained and "backbone" not in own.get("tagger_training", {}):
        others, few = max(3, hotels * 2 // 3), max(1, epochs // 2)
        say(f"ImageNet's weights are not there: a network learns from {others} other hotels first")
        network = make_demo_network(folder / "network", n_hotels=others, seed=seed, epochs=few)
        settings["tagger_training"]["backbone"] = str(network)
    # What the tagger has learned of these drawings is worth many epochs.
    settings["aesthetic_training_1"]["parent"] = "tagger"
    for step, given in own.items():
        settings[step] = settings.get(step, {}) | given
    _run(
        folder / "catalog.csv", out, first=folder / "public.csv", truth=folder, seed=seed,
        settings=settings, banner=demo_banner(pretrained), pretrained=pretrained,
    )  # fmt: skip


def _settings(texts: list[str] | None) -> dict[str, dict[str, Any]]:
    """Return settings of steps, of ``step.name=value``."""
    settings: dict[str, dict[str, Any]] = {}
    for text in texts or []:
        name, value = assignment(text, "--set")
        step, found, parameter = name.partition(".")
        if not found:
            raise typer.BadParameter(f"{text!r} is not step.name=value", param_hint="--set")
        settings.setdefault(step, {})[parameter] = value
    return settings


def _say_beside_bars(text: str) -> None:
    """Print lines while bars of progress are drawn."""
    from tqdm import tqdm

    with tqdm.external_write_mode():
        say(text)


def _run(catalog: Path, out: Path, **choices: Any) -> None:
    """Run everything; end with what failed, and with a code that says whether something did."""
    from hotelviz import pipeline

    try:
        outcome = pipeline.run(catalog, out, say=_say_beside_bars, **choices)
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here", err=True)
        sys.stdout.flush()
        # Kernels end with this process; waiting for what runs in its threads could take hours.
        os._exit(130)
    say(f"open {out / 'index.html'}")
    if outcome.failed:
        say(outcome, err=True, fg="red")
        raise typer.Exit(1)


@app.command()
def report(
    name: Annotated[str | None, Argument(help="A report, or the path of a notebook.")] = None,
    parameter: Annotated[
        list[str] | None, Option("-p", help="A parameter: name=value; may be repeated.")
    ] = None,
    out: Annotated[Path | None, Option(help="The page (.html).")] = None,
    show_list: Annotated[bool, Option("--list", help="List reports and parameters.")] = False,
) -> None:
    """Run a notebook and write what it shows as one self-contained HTML page."""
    from hotelviz.reports import list_reports, run_report

    if show_list:
        for row in list_reports().to_dict("records"):
            say(f"{row['name']}: {row['title']}")
            for line in row["parameters"]:
                say(f"    {line}")
        return
    if name is None or out is None:
        raise typer.BadParameter("a report needs its name and --out; see --list")
    parameters = dict(assignment(text, "-p") for text in parameter or [])
    say(run_report(name, parameters, out))


@app.command()
def slides(
    reports: Annotated[Path, Argument(help="A folder of reports, with their figures.")],
    out: Annotated[Path, Option(help="The folder that gets the slides.")] = Path("slides"),
    title: Annotated[str, Option(help="Of the talk.")] = "",
) -> None:
    """Make a talk of reports: one page of slides, and each figure as PNG and SVG."""
    from hotelviz.reports.slides import write_slides
    from hotelviz.reports.wording import counted

    deck = write_slides(reports, out, title=title)
    for line in deck.missing:
        say(f"left out: {line}", err=True)
    say(f"{counted(len(deck.titles), 'slide')}: open {deck.page}")
