"""Say in signatures what the sections below them do not.

Where a docstring has a section *Parameters*, this says the types of arguments; *Returns* says that
of the result. Where it has none, since one sentence is enough, the signature says the types.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Mapping
from typing import Any

from sphinx.util.inspect import stringify_signature

#: What describes the arguments, and what the result.
_ARGUMENTS, _RESULT = ("Parameters", "Attributes"), ("Returns", "Yields")


class _Words:
    """A default that shows itself as the words a reader would write."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return self.words


def readable(one: inspect.Parameter, fields: Mapping[str, Any]) -> inspect.Parameter:
    """Return a parameter whose default is as one would write it, such as a function's name."""
    default, field = one.default, fields.get(one.name)
    if field is not None and field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return one.replace(default=_Words(f"{type(default).__name__}()"))
    if inspect.isroutine(default):
        return one.replace(default=_Words(default.__name__))
    return one.replace(default=default)


def written(signature: inspect.Signature, *, types: bool, result: bool) -> tuple[str, str]:
    """Return the arguments as text, with or without types; and the result, if it is to be said."""
    if not types:
        bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
        signature = signature.replace(parameters=bare)
    text = stringify_signature(signature, unqualified_typehints=True)
    arguments, arrow, returned = text.rpartition(" -> ")
    return (arguments, returned if result else "") if arrow else (text, "")


def take_settings_together(signature: inspect.Signature) -> inspect.Signature:
    """Write the settings of a training once: a function that takes them takes each by name, too."""
    settings = signature.parameters.get("settings")
    if settings is None or not dataclasses.is_dataclass(settings.default):
        return signature
    fields = {field.name for field in dataclasses.fields(settings.default)}
    kept = [one for one in signature.parameters.values() if one.name not in fields]
    changes = inspect.Parameter("changes", inspect.Parameter.VAR_KEYWORD)
    return signature.replace(parameters=[*kept, changes])


def say_what_is_missing(
    _app: Any, what: str, _name: str, value: Any, _options: object, shown: str | None, *_result: str
) -> tuple[str, str] | None:
    """Return a signature that says types which no section says; none of an enumeration."""
    if inspect.isclass(value) and issubclass(value, enum.Enum):
        return "", ""  # nobody calls it
    if what not in ("function", "method", "class") or not shown:
        return None
    signature = take_settings_together(inspect.signature(value))
    if list(signature.parameters) == ["args", "kwargs"]:  # widgets hide their own
        value, what = value.__init__, "method"
        signature = inspect.signature(value)
    fields = getattr(value, "__dataclass_fields__", {})
    # autodoc has left out what a method is called on.
    kept = list(signature.parameters.values())
    if what == "method" and kept and kept[0].name == "self":
        kept.pop(0)
    signature = signature.replace(parameters=[readable(one, fields) for one in kept])
    sections = set((inspect.getdoc(value) or "").splitlines())
    arguments, result = written(
        signature,
        types=sections.isdisjoint(_ARGUMENTS),
        result=what != "class" and sections.isdisjoint(_RESULT),
    )
    return arguments, "" if result == "None" else result


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-signature", say_what_is_missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
