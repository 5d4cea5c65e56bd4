"""Write one page for each public package, from the names in its ``__all__``."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import hotelviz

#: Packages that are not for the users of Python: the command line has a page of its own.
LEFT_OUT = ("cli", "templates")


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
    return [name for name in names if public_names(importlib.import_module(name))]


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
    for title, members in kinds.items():
        if members:
            lines += ["", title, "-" * len(title), "", ".. autosummary::", "   :toctree: items", ""]
            lines += [f"   {member}" for member in members]
    if data:
        lines += ["", "Constants", "---------", ""]
        for member in data:
            lines += [f".. autodata:: {_assigned_in(module, member)}.{member}", "   :no-index:"]
            shown = repr(getattr(module, member))
            lines += [""] if len(shown) < 120 and "\n" not in shown else ["   :no-value:", ""]
    return "\n".join(lines) + "\n"


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


def write_pages(app: Any, _config: Any) -> None:
    """Write the pages; what an earlier build made of names that have gone is removed."""
    folder = Path(app.srcdir) / "api" / "generated"
    shutil.rmtree(folder / "items", ignore_errors=True)
    for path in folder.glob("*.rst"):
        path.unlink()
    for name in public_modules():
        text = page(importlib.import_module(name))
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Register the extension; its pages are there before Sphinx looks for pages."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
