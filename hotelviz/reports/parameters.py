"""Parameters of notebooks: from whatever was typed on a command line to the declared type.

papermill guesses types: ``-p classes Pool,Kitchen`` gives a notebook a text, ``-p round 7`` a
number, ``-y`` whatever YAML makes of it. What a notebook declares in its parameters' cell counts.
"""

from __future__ import annotations

import ast
import csv
import json
import math
import os
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from inspect import formatannotation
from pathlib import Path
from typing import Any

from hotelviz.errors import ReportError, did_you_mean
from hotelviz.reports.notebooks import Parameter, notebook_parameters, read_cells
from hotelviz.reports.paths import declared_path, resolve_paths, search_folders


def read_parameters(namespace: MutableMapping[str, Any]) -> None:
    """Convert the parameters of a notebook to the types that they are declared with.

    It is the first call after the parameters' cell: whether `run_report`, papermill or JupyterLab
    runs the notebook, the cells below find a list where a list is declared, and a file where a path
    is declared, wherever JupyterLab was started.

    Parameters
    ----------
    namespace : dict
        The ``globals()`` of the notebook; its declared parameters are replaced.

    Raises
    ------
    ReportError
        A value is not of its parameter's type, or a file that is read is not there.

    Examples
    --------
    >>> cell = {"__annotations__": {"classes": list[str], "seed": int},
    ...     "classes": "Pool,Kitchen", "seed": "3"}
    >>> read_parameters(cell)
    >>> cell["classes"], cell["seed"]
    (['Pool', 'Kitchen'], 3)
    """
    kinds = {
        name: _as_text(annotation)
        for name, annotation in namespace.get("__annotations__", {}).items()
        if name in namespace
    }
    values = {name: convert_parameter(name, namespace[name], kind) for name, kind in kinds.items()}
    namespace.update(values | resolve_paths(values, kinds, search_folders()))


def _as_text(annotation: Any) -> str:
    # Where annotations are not evaluated, what is a text already has quotes around it.
    text = annotation if isinstance(annotation, str) else formatannotation(annotation)
    return text.strip("'\"")


def convert_parameter(name: str, value: Any, kind: str) -> Any:
    """Convert one parameter to its declared type.

    Parameters
    ----------
    name : str
        The name of the parameter, for the message.
    value : object
        A value of the type, or text, a number or None that stands for one. A list may be JSON, a
        Python literal, or text separated by commas, with quotes around what has a comma itself.
        None stands for an empty text, list or dict.
    kind : str
        ``str``, ``int``, ``float``, ``bool``, ``dict``, ``list``, ``list[str]``, ``list[int]``,
        ``list[float]``, or a path (``path``, ``list[path]``, ``output``), which is text; values of
        other types stay as they are.

    Raises
    ------
    ReportError
        The value is not of this type; the message names the parameter and says what is expected.

    Examples
    --------
    >>> convert_parameter("hotels", 123, "list[str]"), convert_parameter("loud", "yes", "bool")
    (['123'], True)
    >>> convert_parameter("seed", "many", "int")
    Traceback (most recent call last):
    hotelviz.errors.ReportError: the parameter 'seed' is of type int, which 'many' is not: ...
    """
    declared = declared_path(kind)
    known = declared.kind if declared else kind
    if known not in _CONVERTERS:
        return value
    convert, expected = _CONVERTERS[known]
    try:
        return convert(value)
    except _NOT_OF_THE_TYPE as error:
        raise ReportError(
            f"the parameter {name!r} is of type {kind}, which {value!r} is not: {expected}"
        ) from error


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the arguments of a report to their declared types, and look for its files.

    Parameters
    ----------
    notebook : pathlib.Path
        The notebook.
    parameters : mapping of str to object
        Arguments by name. Relative paths start from the current folder, as in any command; the
        notebook's own defaults are looked for as `read_parameters` does it.

    Returns
    -------
    dict
        The converted arguments.

    Raises
    ------
    ReportError
        A parameter is unknown, or a value of another type; the message lists the parameters. Or a
        file that is read, given or by default, is not there.
    """
    known = notebook_parameters(read_cells(notebook))
    result = convert_parameters(notebook.stem, known, parameters)
    return result | _check_files(known, result)


def convert_parameters(
    where: str, known: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Convert arguments to their declared types.

    Parameters
    ----------
    where : str
        What has the parameters: messages begin with it.
    known : mapping of str to Parameter
        What may be given.
    given : mapping of str to object
        Arguments by name.

    Raises
    ------
    ReportError
        A parameter is unknown, or a value of another type; the message lists the parameters.
    """
    signature = "".join(
        f"\n  {name}: {about.type or 'any'} = {about.default}  {about.help}".rstrip()
        for name, about in known.items()
    )
    result = {}
    for name, value in given.items():
        if name not in known:
            raise ReportError(
                f"{where} has no parameter {name!r}{did_you_mean(name, list(known))}; "
                f"its parameters are{signature or ' none'}"
            )
        try:
            result[name] = convert_parameter(name, value, known[name].type)
        except ReportError as error:
            raise ReportError(f"{where}: {error}; its parameters are{signature}") from error
    return result


def _check_files(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse files that are not there; return the paths that were given, and where they are."""
    values = dict(given)
    for name, about in known.items():
        with suppress(ValueError):  # A default that is computed is not known yet.
            values.setdefault(name, ast.literal_eval(about.default))
    kinds = {name: known[name].type for name in values}
    found = resolve_paths(values, {name: kinds[name] for name in given}, [Path.cwd()])
    by_default = {name: kind for name, kind in kinds.items() if name not in given}
    resolve_paths(values, by_default, search_folders())
    return found


_NOT_OF_THE_TYPE = (
    ValueError, TypeError, KeyError, SyntaxError, OverflowError, RecursionError, csv.Error,
)  # fmt: skip


def _text(value: Any) -> str:
    if value is None:
        return ""
    # How a float (1.50) or a bool (yes) was typed is no longer known.
    if isinstance(value, bool) or not isinstance(value, str | os.PathLike | int):
        raise TypeError
    return str(value)


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    words = dict.fromkeys(["true", "yes", "on", "1"], True)
    words |= dict.fromkeys(["false", "no", "off", "0"], False)
    return words[str(value).strip().lower()]


def _list_of(convert: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def read(value: Any) -> list[Any]:
        if value is None:
            return []
        if isinstance(value, str):
            text = value.strip()
            if text.startswith("["):
                value = _literal(text)
            else:
                value = next(csv.reader([text], skipinitialspace=True, strict=True), [])
                value = [part.strip() for part in value]
        elif isinstance(value, os.PathLike | int | float):
            value = [value]
        if not isinstance(value, list | tuple) or None in value:
            raise TypeError
        return [convert(part) for part in value]

    return read


def _dict(value: Any) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    result = _literal(value) if isinstance(value, str) else value
    if not isinstance(result, dict):
        raise TypeError
    return result


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return ast.literal_eval(text)


#: Type -> how a value becomes one, and what is one, in words.
_CONVERTERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "str": (_text, "expected a text (papermill's -r keeps one that looks like a number as it is)"),
    "int": (_whole, "expected a whole number"),
    "float": (_float, "expected a number"),
    "bool": (_boolean, "expected true or false"),
    "dict": (_dict, 'expected JSON such as {"alpha": 0.25}'),
    "list": (_list_of(lambda one: one), "expected values separated by commas, or a JSON list"),
    "list[str]": (
        _list_of(_text),
        "expected texts separated by commas, or a list of texts in JSON (papermill's -r keeps "
        "what looks like a number as it is)",
    ),
    "list[int]": (_list_of(_whole), "expected whole numbers separated by commas"),
    "list[float]": (_list_of(_float), "expected numbers separated by commas"),
}
_CONVERTERS |= {"path": _CONVERTERS["str"], "output": _CONVERTERS["str"]}
_CONVERTERS["list[path]"] = _CONVERTERS["list[str]"]
