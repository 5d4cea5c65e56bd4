"""Write one page for each public package, from the names in its ``__all__``."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import pkgutil
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.pycode import ModuleAnalyzer

import hotelviz
from hotelviz import errors

#: Packages that are not for the users of Python: the command line has a page of its own.
LEFT_OUT = ("cli", "templates")
#: Modules that are public beside their package, which does not load them.
BESIDE = tuple(
    f"hotelviz.labelling.{name}" for name in ("active_learning", "export", "inter_rater")
)
#: Longer values of constants are not shown.
_LONGEST = 400


def public_names(module: ModuleType) -> list[str]:
    """Return what a module offers: its ``__all__``, else the functions and classes it defines."""
    defined = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return sorted(getattr(module, "__all__", defined), key=str.lower)


def public_modules() -> list[str]:
    """Return the names of the packages and modules that offer something."""
    names = [
        f"hotelviz.{module.name}"
        for module in pkgutil.iter_modules(hotelviz.__path__)
        if module.name not in LEFT_OUT
    ]
    return [name for name in (*names, *BESIDE) if public_names(importlib.import_module(name))]


def page(module: ModuleType) -> str:
    """Return the page of a module as reStructuredText: its docstring, then its names by kind."""
    kinds: dict[str, list[str]] = {"Functions": [], "Classes": [], "Exceptions": []}
    data: list[str] = []
    for name in public_names(module):
        value = getattr(module, name)
        if inspect.isclass(value):
            kinds["Exceptions" if issubclass(value, Exception) else "Classes"].append(name)
        elif inspect.isfunction(value) or (callable(value) and hasattr(value, "__wrapped__")):
            kinds["Functions"].append(name)
        elif not inspect.ismodule(value):
            data.append(name)
    name = module.__name__
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "", f".. currentmodule:: {name}"]
    for title in ("Functions", "Classes"):
        if members := kinds[title]:
            lines += ["", title, "-" * len(title), "", ".. autosummary::", "   :toctree: items", ""]
            lines += [f"   {member}" for member in members]
    if kinds["Exceptions"]:
        lines += ["", "Exceptions", "----------", "", *_exceptions(module, kinds["Exceptions"])]
    if data:
        lines += ["", "Constants", "---------", ""]
        lines += [line for member in data for line in _constant(module, member)]
    return "\n".join(lines) + "\n"


def _exceptions(module: ModuleType, members: list[str]) -> list[str]:
    """Return what is said of exceptions: all stand on the page of `hotelviz.errors`."""
    if module is errors:
        return [line for name in members for line in (f".. autoexception:: {name}", "")]
    # Named from there: a package that has imported `hotelviz` would find them in itself.
    there, back = (f".. currentmodule:: {one}" for one in (errors.__name__, module.__name__))
    return [there, "", ".. autosummary::", "", *(f"   {name}" for name in members), "", back]


def _constant(module: ModuleType, name: str) -> list[str]:
    """Return what is said of a constant: its comment, and its value if that is short."""
    value = getattr(module, name)
    lines = [f".. py:data:: {name}"]
    entries = isinstance(value, Mapping) and all(
        isinstance(one, str | float) for one in value.values()
    )
    shown = repr(value).replace("typing.", "")
    if isinstance(value, frozenset):  # in the same order whenever the site is built
        shown = f"frozenset({{{', '.join(map(repr, sorted(value)))}}})"
    if not entries and "\n" not in shown and len(shown) < _LONGEST:
        lines.append(f"   :value: {shown}")
    comments = ModuleAnalyzer.for_module(_assigned_in(module, name)).find_attr_docs()
    lines += ["", *(f"   {line}" for line in comments.get(("", name), []))]
    if entries:
        lines += ["", *(f"   - ``{key}``: {_short(one)}" for key, one in value.items()), ""]
    return lines


def _short(value: object) -> str:
    """Return a value of a table as people write it: a third is 0.333."""
    return f"{value:.3g}" if isinstance(value, float) and value < 1 else str(value)


def _assigned_in(module: ModuleType, name: str) -> str:
    """Return the module that assigns a constant: its comment there describes it."""
    root = Path(hotelviz.__path__[0])
    for path in sorted(root.rglob("*.py")):
        targets = [
            target
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            for target in getattr(node, "targets", [getattr(node, "target", None)])
        ]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            parts = path.relative_to(root.parent).with_suffix("").parts
            found = importlib.import_module(".".join(parts).removesuffix(".__init__"))
            if getattr(found, name) is getattr(module, name):
                return found.__name__
    return module.__name__


def inheriting() -> list[str]:
    """Return the classes with methods of another one of the package: their pages show these."""
    return [
        f"{module.__name__}.{name}"
        for module in map(importlib.import_module, public_modules())
        for name in public_names(module)
        if inspect.isclass(value := getattr(module, name))
        and any(
            not member.startswith("_") and inspect.isroutine(one)
            for base in value.__mro__[1:]
            if base.__module__.startswith("hotelviz.") and not issubclass(value, Exception)
            for member, one in vars(base).items()
        )
    ]


def write_pages(app: Any, _config: Any) -> None:
    """Write the pages; what an earlier build made of names that have gone is removed."""
    folder = Path(app.srcdir) / "api" / "generated"
    shutil.rmtree(folder / "items", ignore_errors=True)
    for path in folder.glob("*.rst"):
        path.unlink()
    names = public_modules()
    for name in names:
        text = page(importlib.import_module(name))
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")
    # What each is for, on the page that lists them.
    listed = "\n".join([".. autosummary::", "", *(f"   {name}" for name in names), ""])
    (folder / "packages.inc").write_text(listed, encoding="utf-8")


def leave_fields_out(
    _app: Any, _what: str, _name: str, value: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out fields of named tuples and members of enumerations: *Attributes* has them."""
    return True if type(value).__name__ == "_tuplegetter" or isinstance(value, enum.Enum) else None


def setup(app: Any) -> dict[str, Any]:
    """Register the extension; its pages are there before Sphinx looks for pages."""
    app.connect("config-inited", write_pages)
    app.connect("autodoc-skip-member", leave_fields_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
