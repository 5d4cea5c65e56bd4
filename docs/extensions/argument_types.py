"""Say the types and defaults of arguments that a docstring describes but does not type.

numpydoc shows ``name : type`` as a docstring has it. Where that says ``name`` alone, the annotation
and the default say the rest, so that neither is written twice.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

_SHORT = {
    " | ": " or ", "np.": "numpy.", "pd.": "pandas.", "pa.": "pyarrow.", "tf.": "tensorflow.",
    "StrPath": "path", "str or os.PathLike[str]": "path", "os.PathLike[str]": "path",
    "Callable[..., Any]": "callable",
}  # fmt: skip


def in_words(annotation: Any) -> str:
    """Return a type in numpydoc's words."""
    # Named tuples keep the text of their annotations in an object of its own.
    annotation = getattr(annotation, "__forward_arg__", annotation)
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    for long, short in _SHORT.items():
        text = text.replace(long, short)
    return re.sub(r"\bAny\b", "object", text)


def described(parameter: inspect.Parameter) -> str:
    """Return the type and the default of an argument; empty if unknown."""
    if parameter.annotation is parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
        return ""
    text = in_words(parameter.annotation)
    if parameter.default is parameter.empty:
        return text
    if parameter.default is None:
        return re.sub(r" or None\b", "", text) + ", optional"
    shown = repr(parameter.default)
    return f"{text}, default {shown}" if len(shown) < 40 else f"{text}, optional"


def fill_section(lines: list[str], section: str, known: Mapping[str, str]) -> None:
    """Add types to the names in a section."""
    if section not in lines:
        return
    place = lines.index(section) + 2
    while place < len(lines) and not lines[min(place + 1, len(lines) - 1)].startswith("---"):
        line = lines[place]
        names = [name.lstrip("*") for name in line.split(", ")]
        if line and not line.startswith(" ") and all(name in known for name in names):
            types = {known[name] for name in names}
            if len(types) == 1 and (text := types.pop()):
                lines[place] = f"{line} : {text}"
        place += 1


def add_types(
    _app: Any, what: str, _name: str, value: Any, _options: object, lines: list[str]
) -> None:
    """Add types to the names in the sections *Parameters* and *Attributes*."""
    if what not in ("function", "method", "class"):
        return
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        parameters = {}
    fill_section(lines, "Parameters", {name: described(one) for name, one in parameters.items()})
    if what == "class":
        fields = inspect.get_annotations(value)
        fill_section(lines, "Attributes", {name: in_words(one) for name, one in fields.items()})


def setup(app: Any) -> dict[str, Any]:
    """Register the extension, to run before numpydoc reads a docstring."""
    app.connect("autodoc-process-docstring", add_types, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
