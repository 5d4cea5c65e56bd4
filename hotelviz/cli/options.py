"""What the verbs share: the app, their common options, and how errors are told."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import hotelviz
from hotelviz.errors import HotelvizError, RemoteError
from hotelviz.io.escaping import escape_terminal

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
AllowMissing = Annotated[
    bool, typer.Option(help="Go on where more than a tenth of the photos are unavailable.")
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


#: What stood before the command.
_settings = {"debug": False}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print errors that speak to the user as one message; anything else shows its traceback.

    Errors of hotelviz speak to the user, and those of the system that name a file or an address.
    ``hotelviz --debug`` shows the traceback of these, too.
    """
    form = warnings.formatwarning
    warnings.formatwarning = _plain_warning
    try:
        yield
    except (HotelvizError, OSError) as error:
        told = isinstance(error, HotelvizError | RemoteError) or error.filename is not None
        if _settings["debug"] or not told:
            raise
        say(f"{type(error).__name__}: {error}", err=True, fg="red")
        raise typer.Exit(1) from error
    finally:
        warnings.formatwarning = form


def _plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    line: str | None = None,
) -> str:  # fmt: skip
    """Show a warning as a message, without the line of code that it comes from."""
    del filename, lineno, line
    return f"{category.__name__}: {escape_terminal(message)}\n"


def say(text: object = "", *, err: bool = False, fg: str | None = None) -> None:
    """Print text, of which control characters are escaped: they would steer the terminal."""
    typer.secho(escape_terminal(text), err=err, fg=fg)


def on_one_line(text: object) -> str:
    """Return text from data as a part of a line, which it cannot end."""
    return escape_terminal(str(text).replace("\n", "\\n").replace("\t", "\\t"))


def allowed_classes(classes: str) -> list[str] | None:
    """Read the option of the allowed labels; None allows any."""
    from hotelviz.schema import AREAS

    if classes == "any":
        return None
    return list(AREAS) if classes == "areas" else [name.strip() for name in classes.split(",")]


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Take what stands before a command."""
    _settings["debug"] = debug
    if version:
        say(hotelviz.__version__)
        raise typer.Exit


def list_problems(problems: pd.DataFrame, count: int, rest: str) -> None:
    """List the first photos with problems, and say how many more there are."""
    for row in problems.head(20).itertuples():
        say(f"  {on_one_line(row.image_id)}: {on_one_line(row.error)}", err=True)
    if count > 20:
        say(f"  and {count - 20:,} more, {rest}", err=True)


def list_notes(notes: Iterable[str]) -> None:
    """List what else there is to know of a run."""
    for note in notes:
        say(note, err=True)


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
