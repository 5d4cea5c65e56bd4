"""Show the picture that ``docs/pictures.py`` made of a drawing function under its docstring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def add_picture(
    app: Any, what: str, name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Put the picture below the first paragraph of the docstring."""
    folder = Path(app.srcdir) / "api" / "generated" / "pictures"
    alternatives = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
    if what not in ("function", "class") or name not in alternatives:
        return
    # Empty lines may stand before the first paragraph, too.
    begin = next(place for place, line in enumerate(lines) if line)
    end = lines.index("", begin) if "" in lines[begin:] else len(lines)
    text = " ".join(alternatives[name].split())
    lines[end:end] = [
        "",
        f".. image:: /api/generated/pictures/{name}.png",
        f"   :alt: {text}",
        "   :class: plot-picture",
        "",
    ]


def setup(app: Any) -> dict[str, Any]:
    """Register the extension, to run after numpydoc has rewritten a docstring."""
    app.connect("autodoc-process-docstring", add_picture, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
