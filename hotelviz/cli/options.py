"""What the verbs share: the app, their common options, and how errors are printed."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option
from typer.core import TyperGroup

import hotelviz
from hotelviz.errors import HotelvizError, RemoteError
from hotelviz.io.escaping import escape_terminal
from hotelviz.io.native_notes import quiet_tensorflow

if TYPE_CHECKING:
    import pandas as pd

# Quiet what TensorFlow prints at every start on processors and missing GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class _Verbs(TyperGroup):
    """Run a verb, and print errors that are for the user as one message.

    These are hotelviz's own, and those of the system that name a file or an address. Anything else
    is a bug and shows its traceback; ``hotelviz --debug`` always shows it.
    """

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        form = warnings.formatwarning
        warnings.formatwarning = _plain_warning
        try:
            return super().invoke(ctx)
        except (HotelvizError, OSError) as error:
            told = isinstance(error, HotelvizError | RemoteError) or error.filename is not None
            if ctx.params["debug"] or not told:
                raise
            say(f"{type(error).__name__}: {error}", err=True, fg="red")
            raise typer.Exit(1) from error
        finally:
            warnings.formatwarning = form


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Analyse and interpret the image models of a hotel price comparison.",
)

Catalog = Annotated[
    Path, Argument(help="CSV, Parquet, or a folder with one folder of photos per class.")
]
AllowMissing = Annotated[
    bool, Option(help="Go on where more than a tenth of the photos are unavailable.")
]
Classes = Annotated[
    str,
    Option(
        help="The labels that are allowed: 'areas' (the eight of the tagger), 'any', or a list "
        "separated by commas."
    ),
]
Unsplit = Annotated[
    Literal["refuse", "deal", "leave"],
    Option(
        help="What becomes of photos without a split where others have one: 'deal' their hotels, "
        "or 'leave' them out."
    ),
]


def _plain_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> str:
    """Return a warning as a message, without the line of code that it comes from."""
    return f"{category.__name__}: {escape_terminal(message)}\n"


def say(text: object = "", *, err: bool = False, fg: str | None = None) -> None:
    """Print text with its control characters escaped, which would steer the terminal."""
    typer.secho(escape_terminal(text), err=err, fg=fg)


def on_one_line(text: object) -> str:
    """Return text from data as a part of a line, which it cannot end."""
    return escape_terminal(str(text).replace("\n", "\\n").replace("\t", "\\t"))


def allowed_classes(classes: str) -> list[str] | None:
    """Return the labels that the option allows; None allows any."""
    from hotelviz.schema import AREAS

    if classes == "any":
        return None
    return list(AREAS) if classes == "areas" else [name.strip() for name in classes.split(",")]


def assignment(text: str, option: str) -> tuple[str, str]:
    """Return name and value of an option that is given as ``name=value``."""
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is not name=value", param_hint=option)
    return name.strip(), value


def assigned_values(texts: Iterable[str] | None, option: str) -> dict[str, Any]:
    """Return what an option that may be repeated assigns: numbers, true, false, or text."""
    values: dict[str, Any] = {}
    for text in texts or []:
        name, value = assignment(text, option)
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Handle the options that stand before a verb."""
    del debug  # whoever catches errors looks for it
    quiet_tensorflow()
    if version:
        say(hotelviz.__version__)
        raise typer.Exit


def list_errors(photos: pd.DataFrame, n_errors: int, rest: str) -> None:
    """Print the first photos with errors, and how many more there are."""
    shown = photos.head(20)
    for image_id, error in zip(shown["image_id"], shown["error"], strict=True):
        say(f"  {on_one_line(image_id)}: {on_one_line(error)}", err=True)
    if n_errors > 20:
        say(f"  and {n_errors - 20:,} more, {rest}", err=True)


def list_notes(notes: Iterable[str]) -> None:
    """Print what else there is to know of a run."""
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
