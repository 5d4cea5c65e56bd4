"""Say the types and defaults of arguments that a docstring describes but does not type.

numpydoc shows ``name : type`` as a docstring has it. Where that says ``name`` alone, the annotation
and the default say the rest, so that neither is written twice. Types of the package lead to their
pages.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
from collections.abc import Mapping
from typing import Any

from api_pages import public_modules, public_names
from numpydoc.xref import DEFAULT_LINKS
from sphinx.pycode import ModuleAnalyzer

_SHORT = {
    " | ": " or ", "np.": "numpy.", "pd.": "pandas.", "pa.": "pyarrow.", "tf.": "tensorflow.",
    "StrPath": "path", "str or os.PathLike[str]": "path", "os.PathLike[str]": "path",
    "Callable[..., Any]": "callable",
}  # fmt: skip
#: Names that only the code has for types, and what readers are told.
_CODE_NAMES = {
    "Any": "object", "Labels": "array-like of str", "Values": "array-like of float",
    "Bounds": "tuple[float, float]", "Figures": "callable", "Wanted": "str or Node or tensor",
    "Precision": "{'float32', 'bfloat16'}", "Method": "{'fourier', 'maco'}",
    "Outputs": "{'logits', 'sigmoid', 'probabilities'}",
}  # fmt: skip

#: Texts in types; an apostrophe begins none.
_QUOTED = re.compile(r"(?<=default )'[^']*'|'[^' ]*'|\"[^\"]*\"")


def linked_types() -> dict[str, str]:
    """Return the classes of the package and where they are described, for numpydoc's links.

    What numpydoc would link to other sites stays as it is: they are out of reach. Of a name that
    two packages have, each page means its own.
    """
    linked = {name: name for name in DEFAULT_LINKS}
    for module in map(importlib.import_module, public_modules()):
        for name in public_names(module):
            value = getattr(module, name)
            # Classes, and names of types such as `hotelviz.attribution.Target`.
            if inspect.isclass(value) or (name[0].isupper() and not name.isupper()):
                error = inspect.isclass(value) and issubclass(value, Exception)
                place = f"hotelviz.errors.{name}" if error else f"{module.__name__}.{name}"
                linked[name] = place if linked.get(name, place) == place else f".{name}"
    return linked


def in_words(annotation: Any) -> str:
    """Return a type in numpydoc's words."""
    # Named tuples keep the text of their annotations in an object of its own.
    annotation = getattr(annotation, "__forward_arg__", annotation)
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    for long, short in _SHORT.items():
        text = text.replace(long, short)
    # As numpydoc writes a choice: {'one', 'other'}.
    text = re.sub(r"\bLiteral\[([^\]]*)\]", r"{\1}", text)
    for name, words in _CODE_NAMES.items():
        text = re.sub(rf"(?<![\w.]){name}\b", words, text)
    return text


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
    if "<" in shown or dataclasses.is_dataclass(parameter.default):
        return f"{text}, optional"
    return f"{text}, default {shown}" if len(shown) < 40 else f"{text}, optional"


def fill_section(lines: list[str], section: str, known: Mapping[str, str]) -> None:
    """Add types to the names in a section."""
    if section not in lines:
        return
    place = lines.index(section) + 2
    while place < len(lines) and not lines[min(place + 1, len(lines) - 1)].startswith("---"):
        line = lines[place]
        names = line.split(", ")
        types = [known.get(name.lstrip("*"), "") for name in names]
        typed = " : " in line or line.startswith(" ")
        if any(types) and not typed:
            if len(set(types)) == 1:
                lines[place] = f"{line} : {types[0]}"
            else:  # a line for each; what is said of all stands below the last
                each = [f"{name} : {one}" for name, one in zip(names, types, strict=True)]
                lines[place : place + 1] = [one.removesuffix(" : ") for one in each]
                place += len(names) - 1
        place += 1


def polish(lines: list[str]) -> None:
    """Write types that are annotations in words, and texts in types as code.

    Typography would bend the quotes of texts.
    """
    for place, line in enumerate(lines):
        name, colon, types = line.partition(" : ")
        if colon and re.fullmatch(r"[\w*][\w*, ]*", name) and "``" not in types:
            types = types.replace(" | None, default None", ", optional")
            types = re.sub(r", default \w+\(.*\)$", ", optional", types)
            if " | " in types or "Literal[" in types:
                types = in_words(types)
            lines[place] = name + colon + _QUOTED.sub(r"``\g<0>``", types)


def list_members(value: type[enum.Enum]) -> list[str]:
    """Return what an enumeration can be, with its comments."""
    analyzer = ModuleAnalyzer.for_module(value.__module__)
    comments = analyzer.find_attr_docs()
    found = ["", "Attributes", "----------"]
    for one in value:
        said = [line for line in comments.get((value.__name__, one.name), []) if line]
        found += [f"{one.name} : ``{one.value!r}``", *(f"    {line}" for line in said)]
    return [*found, ""]


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
        if issubclass(value, enum.Enum):
            lines.extend(list_members(value))
        fields = inspect.get_annotations(value)
        fill_section(lines, "Attributes", {name: in_words(one) for name, one in fields.items()})
    polish(lines)


def setup(app: Any) -> dict[str, Any]:
    """Register the extension, to run before numpydoc reads a docstring."""
    app.connect("autodoc-process-docstring", add_types, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
