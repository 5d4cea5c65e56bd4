"""What the verbs share: the app, their common options, and how errors are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import hotelviz

if TYPE_CHECKING:
    import pandas as pd

# Quiet what TensorFlow prints at every start on processors and missing GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Analyse and interpret the image models of a hotel price comparison.",
)

Catalog = Annotated[
    Path, typer.Argument(help="CSV, Parquet, or a folder with one folder of photos per class.")
]
Classes = Annotated[
    str,
    typer.Option(
        help="The labels that are allowed: 'areas' (the eight of the talk), 'any', or a list "
        "separated by commas."
    ),
]
Unsplit = Annotated[
    Literal["refuse", "deal", "leave"],
    typer.Option(
        help="What becomes of photos without a split where others have one: 'deal' their hotels, "
        "or 'leave' them out."
    ),
]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print errors that speak to the user as one message, without a traceback."""
    from hotelviz.io.escaping import escape_terminal

    try:
        yield
    except (ValueError, OSError) as error:
        typer.secho(escape_terminal(f"{type(error).__name__}: {error}"), fg="red", err=True)
        raise typer.Exit(1) from error


def allowed_classes(classes: str) -> list[str] | None:
    """Read the option of the allowed labels; None allows any."""
    from hotelviz.catalog import AREAS

    if classes == "any":
        return None
    return list(AREAS) if classes == "areas" else [name.strip() for name in classes.split(",")]


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Take what stands before a command."""
    if version:
        typer.echo(hotelviz.__version__)
        raise typer.Exit


def list_problems(problems: pd.DataFrame, count: int, rest: str) -> None:
    """List the first photos with problems, and say how many more there are."""
    from hotelviz.io.escaping import escape_terminal

    for row in problems.head(20).itertuples():
        typer.echo(escape_terminal(f"  {row.image_id}: {row.problem}"), err=True)
    if count > 20:
        typer.echo(f"  and {count - 20:,} more, {rest}", err=True)


def list_notes(notes: Iterable[str]) -> None:
    """List what else there is to know of a run."""
    from hotelviz.io.escaping import escape_terminal

    for note in notes:
        typer.echo(escape_terminal(note), err=True)


def check_table(out: Path) -> None:
    """Refuse a table of another kind, or one that cannot be written, before any work is done."""
    from hotelviz.io.claims import check_output

    check_output(out, suffixes=(".parquet", ".csv"))


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write a table whole or not at all, exactly as it is: hotelviz reads it again."""
    from hotelviz.io.atomic import atomic_path

    with atomic_path(out) as temporary:
        csv = out.suffix.lower() == ".csv"
        write: Callable[..., Any] = table.to_csv if csv else table.to_parquet
        write(temporary, index=False)
