"""Parameters that are paths: where they are looked for, and what writes one that is not there.

A parameters' cell declares them by words: ``"path"`` is read and has to be there, ``"list[path]"``
are several, ``"output"`` is written. ``"path or other"`` may be the word ``other`` instead, and is
not needed where a parameter of this name is given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hotelviz.errors import ReportError, did_you_mean
from hotelviz.io.remote import is_url

_DECLARED = re.compile(r"(?P<kind>path|list\[path\]|output)( or (?P<other>\w+))?")
#: Parameter -> the command that writes such a file, and whether a run leaves it too.
_WRITERS = {
    "catalog": ("", True),
    "model": ("hotelviz train-tagger", True),
    "models": ("hotelviz train-aesthetic", True),
    "tuned": ("hotelviz train-aesthetic", True),
    "original": ("hotelviz train-tagger", True),
    "old": ("hotelviz train-aesthetic", True),
    "new": ("hotelviz train-aesthetic", True),
    "parent": ("hotelviz train-aesthetic", True),
    "scores": ("hotelviz score", True),
    "tags": ("hotelviz tag", True),
    "truth": ("hotelviz demo", False),
    "decisions": ("hotelviz audit", True),
    "store": ("hotelviz label", False),
}


class Declared(NamedTuple):
    """What a parameter is declared as.

    Attributes
    ----------
    kind : str
        ``path``, ``list[path]`` or ``output``.
    other : str
        What may stand there instead; empty where nothing may.
    """

    kind: str
    other: str


def declared_path(annotation: str) -> Declared | None:
    """Return what an annotation says of a path; None where it is of something else.

    Examples
    --------
    >>> declared_path("path or imagenet")
    Declared(kind='path', other='imagenet')
    >>> declared_path("str")
    """
    found = _DECLARED.fullmatch(annotation)
    return Declared(found["kind"], found["other"] or "") if found else None


def search_folders() -> list[Path]:
    """Return where the paths of a notebook may start: the nearest folder first.

    The current folder (JupyterLab runs a notebook in its own) and those above it; then the folder
    in which JupyterLab was started, which kernels are told by ``$PWD``, and those above it.

    Examples
    --------
    >>> search_folders()[0] == Path.cwd()
    True
    """
    starts = [Path.cwd(), *([Path(start)] if (start := os.environ.get("PWD")) else [])]
    return list(dict.fromkeys(place for start in starts for place in (start, *start.parents)))


def resolve_paths(
    values: Mapping[str, Any], kinds: Mapping[str, str], folders: Sequence[Path]
) -> dict[str, Any]:
    """Find the files that parameters name, from the first folder in which they are.

    Parameters
    ----------
    values : mapping of str to object
        All parameters, of their declared types.
    kinds : mapping of str to str
        Parameter -> its annotation, for those that are looked for; what is no path is passed over.
    folders : sequence of pathlib.Path
        Where relative paths may start, the current folder first.

    Returns
    -------
    dict
        The values of parameters that are paths. What is found from the current folder stays as it
        was written, as does what has a scheme, such as ``s3://``, which is not looked for. An
        output starts from the first folder that has the folder it begins with, such as
        ``reports``, else from the current one.

    Raises
    ------
    ReportError
        A file that is read is not there: says where it was looked for, and what writes it.

    Examples
    --------
    >>> resolve_paths({"model": "lost.keras"}, {"model": "path"}, [Path("/a"), Path("/b")])
    Traceback (most recent call last):
    hotelviz.errors.ReportError: the parameter 'model': lost.keras: not there; looked in /a, /b; ...
    """
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        value, declared = values[name], declared_path(kind)
        if declared is None:
            continue
        if declared.kind == "output":
            found[name] = _place(value, folders)
        elif not values.get(declared.other):
            found[name] = (
                [_find(name, one, declared, folders) for one in value]
                if declared.kind == "list[path]"
                else _find(name, value, declared, folders)
            )
    return found


def _find(name: str, path: str, declared: Declared, folders: Sequence[Path]) -> str:
    if path in ("", declared.other) or is_url(path):
        return path
    for folder in folders:
        if (folder / path).exists():
            return path if folder == folders[0] else str(folder / path)
    absolute = Path(path).is_absolute()
    looked = "" if absolute else f"; looked in {', '.join(map(str, folders))}"
    writers = " or ".join(f"`{command}`" for command in _writers(name, path))
    by = f"; {writers} writes it" if writers else ""
    raise ReportError(
        f"the parameter {name!r}: {path}: not there{looked}{by}{_near(folders[0] / path)}"
    )


def _writers(name: str, path: str) -> Iterator[str]:
    command, of_run = _WRITERS.get(name, ("", False))
    if of_run and Path(path).parts[0] == "reports":
        yield "hotelviz demo"
        yield "hotelviz run"
    if command:
        yield command


def _near(path: Path) -> str:
    """Name the file beside a path that was probably meant."""
    try:
        return did_you_mean(path.name, [one.name for one in path.parent.iterdir()])
    except OSError:
        return ""


def _place(path: str, folders: Sequence[Path]) -> str:
    first, *rest = Path(path).parts or ("",)
    if not rest or Path(path).is_absolute() or is_url(path):
        return path
    home = next((folder for folder in folders if (folder / first).is_dir()), None)
    return path if home == folders[0] else str((home or folders[0]) / path)
