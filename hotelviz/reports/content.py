"""From the cells of an executed notebook to the parts of a page."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotelviz.gallery.page_form import FILES_MIME
from hotelviz.io.native_notes import is_native_note
from hotelviz.reports.markup import Markup, plain
from hotelviz.reports.notebooks import notebook_parameters, notebook_title
from hotelviz.reports.pictures import gallery_thumbnail, thumbnail
from hotelviz.reports.verdict import VERDICT_MIME

if TYPE_CHECKING:
    from nbformat import NotebookNode

_WIDGET = "application/vnd.jupyter.widget-view+json"
#: Parameters that say what a report looked at.
_DATA = ("catalog", "scores", "store", "predictions", "reference", "current")
_MODELS = ("model", "models", "original", "tuned", "parent", "old", "new", "others")


def page_parts(
    notebook: NotebookNode, name: str, files: Path, pages: Mapping[str, str]
) -> dict[str, Any]:
    """Take a notebook apart into what the template shows.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Executed.
    name : str
        The name of the report.
    files : pathlib.Path
        Gets the photos that galleries keep in folders.
    pages : mapping of str to str
        Name of another report -> the file of its page; others are not linked.

    Returns
    -------
    dict
        ``title``, ``name``, ``verdict`` (HTML), ``said`` (its sentence), ``cards``, ``sections``
        (each with ``level``, ``text`` and ``shown``, as HTML), ``contents`` (address and text),
        ``arguments`` (name, value, whether it was given), ``code`` and ``messages`` (heading and
        text), ``data`` and ``models`` (names of files), ``thumbnail`` and ``kept`` of it.
    """
    title, arguments = notebook_title(notebook.cells) or name, _arguments(notebook)
    parts: dict[str, Any] = {
        "title": title, "name": name, "verdict": "", "cards": [], "said": "", "code": [],
        "messages": [], "arguments": arguments, "thumbnail": "", "kept": None,
        "data": _named(arguments, _DATA), "models": _named(arguments, _MODELS),
    }  # fmt: skip
    markup, heading = Markup(pages), title
    sections = [_section(1)]
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            source = cell.source
            if number == 0 and source.startswith("# "):
                source = source.partition("\n")[2]  # the page's header shows the title
            text, headings = markup.markdown(source)
            heading = headings[-1][2] if headings else heading
            # What has no heading belongs to what stands above.
            level = headings[0][0] if headings else 7 if sections[1:] else 1
            sections.append(_section(level, text, headings))
        elif not {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", [])):
            if cell.source.strip():
                parts["code"].append((heading, cell.source))
            sections[-1]["cells"] += 1
            for output in cell.get("outputs", []):
                if shown := _take_apart(output, heading, files, markup, parts):
                    sections[-1]["shown"].append(shown)
    parts["sections"] = _without_empty(sections)
    parts["contents"] = [
        (own, text)
        for section in parts["sections"]
        for level, own, text in section["headings"]
        if level == 2
    ]
    return parts


def _section(
    level: int, text: str = "", headings: list[tuple[int, str, str]] | None = None
) -> dict[str, Any]:
    """Return what stands below a cell of text: how deep, and what the cells below it show."""
    return {"level": level, "text": text, "headings": headings or [], "cells": 0, "shown": []}


def _arguments(notebook: NotebookNode) -> list[tuple[str, str, bool]]:
    """Return the parameters with their effective values, and whether they were given."""
    given = {}
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            given = {key: one.default for key, one in notebook_parameters([_as_own(cell)]).items()}
    declared = {key: one.default for key, one in notebook_parameters(notebook.cells).items()}
    return [(key, value, key in given) for key, value in (declared | given).items()]


def _as_own(cell: NotebookNode) -> dict[str, Any]:
    return {"metadata": {"tags": ["parameters"]}, "source": cell.source}


def _named(arguments: list[tuple[str, str, bool]], names: tuple[str, ...]) -> list[str]:
    """Return the names of the files among the arguments; their paths are in the appendix."""
    found = [value for key, value, _ in arguments if key in names]
    texts = [text for value in found for text in re.findall(r"'([^']+)'|\"([^\"]+)\"", value)]
    files = (Path("".join(pair)).name for pair in texts)
    # Where a model may be given, none is no file.
    return [file for file in dict.fromkeys(files) if file != "none"]


def _take_apart(
    output: NotebookNode, heading: str, files: Path, markup: Markup, parts: dict[str, Any]
) -> str:
    """Return an output's markup, after moving what has another place of the page."""
    data = output.get("data", {})
    if output.output_type == "stream" and output.name == "stderr":
        if text := _for_readers(output.text):
            parts["messages"].append((heading, text))
        return ""
    if _WIDGET in data:
        return ""
    if VERDICT_MIME in data:
        verdict = data[VERDICT_MIME]
        parts["verdict"] = markup.links(verdict["html"])
        parts["said"], parts["cards"] = verdict["text"], verdict["cards"]
        return ""
    if FILES_MIME in data:
        folder = Path(data.pop(FILES_MIME)["folder"])
        files.mkdir(exist_ok=True)
        for one in folder.iterdir():
            shutil.move(one, files / one.name)
        folder.rmdir()
    shown = markup.output(output, heading)
    if not parts["thumbnail"]:
        _keep_thumbnail(output, files, parts)
    return shown


def _keep_thumbnail(output: NotebookNode, files: Path, parts: dict[str, Any]) -> None:
    """Keep the first figure of a page for the index, or the first photos of its first gallery."""
    data = output.get("data", {})
    for kind in ("image/png", "image/jpeg"):
        if kind in data and "text/html" not in data:
            parts["thumbnail"] = thumbnail(base64.b64decode(data[kind]))
            parts["kept"] = output.metadata.get(kind, {}).get("kept")
            return
    if "data-hotelviz-gallery" in data.get("text/html", ""):
        parts["thumbnail"] = gallery_thumbnail(data["text/html"], files)


def _for_readers(text: str) -> str:
    """Return what was said on the way, without bars of progress and notes of libraries' own."""
    lines = (line.rpartition("\r")[2] for line in plain(text).split("\n"))
    told = [line for line in lines if line.strip()]
    return "\n".join(line for line in told if not _is_progress(line) and not is_native_note(line))


def _is_progress(line: str) -> bool:
    return "it/s" in line or "s/it" in line or "%|" in line


def _without_empty(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sections without those whose cells show nothing."""
    kept = []
    for place, section in enumerate(sections):
        shown, cells = len(section["shown"]), section["cells"]
        for below in sections[place + 1 :]:
            if below["level"] <= section["level"]:
                break
            shown, cells = shown + len(below["shown"]), cells + below["cells"]
        has_any = section["text"].strip() or section["shown"]
        if has_any and (section["level"] == 1 or shown or not cells):
            kept.append(section)
    return kept
