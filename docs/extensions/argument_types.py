"""Say the types and defaults of arguments that a docstring describes but does not type.

numpydoc shows ``name : type`` as a docstring has it. Where that says ``name`` alone, the annotation
and the default of the function say the rest, so that neither is written twice.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

_SHORT = {
    " | ": " or ", "np.": "numpy.", "pd.": "pandas.", "pa.": "pyarrow.", "tf.": "tensorflow.",
    "StrPath": "path", "str or os.PathLike[str]": "path", "os.PathLike[str]": "path",
    "Callable[..., Any]": "callable",
}  # fmt: skip


def described(parameter: inspect.Parameter) -> str:
    """Return the type and the default of an argument in numpydoc's words; empty if unknown."""
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    for long, short in _SHORT.items():
        text = text.replace(long, short)
    text = re.sub(r"\bAny\b", "object", text)
    if parameter.default is inspect.Parameter.empty:
        return text
    if parameter.default is None:
        return re.sub(r" or None\b", "", text) + ", optional"
    shown = repr(parameter.default)
    return f"{text}, default {shown}" if len(shown) < 40 else f"{text}, optional"


def add_types(
    _app: Any, what: str, _name: str, value: Any, _options: object, lines: list[str]
) -> None:
    """Add types to the names in the section *Parameters*."""
    if what not in ("function", "method", "class") or "Parameters" not in lines:
        return
    try:
        known = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return
    place = lines.index("Parameters") + 2
    while place < len(lines) and not (
        place + 1 < len(lines) and lines[place + 1].startswith("---")
    ):
        line = lines[place]
        names = [name.lstrip("*") for name in line.split(", ")]
        if line and not line.startswith(" ") and all(name in known for name in names):
            types = {described(known[name]) for name in names}
            if len(types) == 1 and (text := types.pop()):
                lines[place] = f"{line} : {text}"
        place += 1


def setup(app: Any) -> dict[str, Any]:
    """Register the extension, to run before numpydoc reads a docstring."""
    app.connect("autodoc-process-docstring", add_types, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
