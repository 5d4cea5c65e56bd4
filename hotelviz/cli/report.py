"""Verbs that end in pages: report, demo, slides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from hotelviz.cli.options import app, say


@app.command()
def demo(
    out: Annotated[Path, Option(help="The folder that gets the reports.")] = Path("reports"),
    seed: Annotated[int, Option(help="Of the drawings and the training.")] = 0,
    hotels: Annotated[int, Option(help="How many hotels are drawn.")] = 60,
    epochs: Annotated[int, Option(help="Most epochs of the tagger's training.")] = 18,
) -> None:
    """Draw a catalogue, train small models on it from scratch, and write all reports."""
    from hotelviz.demo import make_demo_catalog
    from hotelviz.io.claims import own_folder
    from hotelviz.pipeline import run_pipeline

    folder = own_folder(out / "demo", "demo")
    say(f"drawing {hotels} hotels into {folder}")
    make_demo_catalog(folder, n_hotels=hotels, seed=seed)
    index = run_pipeline(
        folder / "catalog.csv", out, public=folder / "public.csv", truth=folder,
        fine_tune_epochs=epochs, seed=seed, say=say,
    )  # fmt: skip
    say(f"open {index}")


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
    parameters = dict(_assignment(text) for text in parameter or [])
    say(run_report(name, parameters, out))


def _assignment(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is not name=value", param_hint="-p")
    return name.strip(), value


@app.command()
def slides(
    reports: Annotated[Path, Argument(help="A folder of reports, with their figures.")],
    out: Annotated[Path, Option(help="The folder that gets the slides.")] = Path("slides"),
    title: Annotated[str, Option(help="Of the talk.")] = "",
) -> None:
    """Make a talk of reports: one page of slides, and each figure as PNG and SVG."""
    from hotelviz.reports.slides import write_slides

    deck = write_slides(reports, out, title=title)
    for line in deck.missing:
        say(f"left out: {line}", err=True)
    say(f"{len(deck.titles)} slides: open {deck.page}")
