"""From the cells of an executed notebook to the parts of a page."""

from __future__ import annotations

import base64
import html
import io
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from PIL import Image

from hotelviz.gallery.page_form import FILES_MIME
from hotelviz.reports.notebooks import notebook_parameters, notebook_title
from hotelviz.reports.verdict import VERDICT_MIME

if TYPE_CHECKING:
    from nbformat import NotebookNode

_WIDGET = "application/vnd.jupyter.widget-view+json"
#: A link to another report, as cells write it.
_REPORT_LINK = re.compile(r'<a href="report:([\w-]+)((?:#[^"]*)?)">(.*?)</a>', re.DOTALL)
#: Parameters that say what a report looked at.
_DATA = ("catalog", "scores", "store", "predictions")
_MODELS = ("model", "models", "original", "tuned", "parent")


def page_parts(
    notebook: NotebookNode, name: str, files: Path, pages: Mapping[str, str]
) -> dict[str, Any]:
    """Take a notebook apart: what the template shows beside the cells that stay.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Executed; loses its title, the outputs that move elsewhere, and sections with nothing in
        them.
    name : str
        The name of the report.
    files : pathlib.Path
        Gets the photos that galleries keep in folders.
    pages : mapping of str to str
        Name of another report -> the file of its page; others are not linked.

    Returns
    -------
    dict
        ``title``, ``name``, ``verdict`` (HTML), ``cards``, ``thumbnail``, ``contents`` (address and
        text), ``arguments`` (name, value, whether it was given), ``code`` and ``messages``
        (heading and text), ``data`` and ``models``.
    """
    title = notebook_title(notebook.cells) or name
    arguments = _arguments(notebook)
    if notebook.cells and notebook.cells[0].source.startswith("# "):
        # The page's header shows it.
        notebook.cells[0].source = notebook.cells[0].source.partition("\n")[2]
    parts: dict[str, Any] = {
        "title": title, "name": name, "verdict": "", "cards": [], "said": "", "code": [],
        "messages": [], "arguments": arguments,
        "data": _named(arguments, _DATA), "models": _named(arguments, _MODELS),
    }  # fmt: skip
    heading = title
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = _headings(cell.source)[-1][1] if _headings(cell.source) else heading
        elif not {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", [])):
            _take_apart(cell, heading, files, pages, parts)
    _drop_empty_sections(notebook)
    parts["contents"] = [
        (text.replace(" ", "-"), text)
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for level, text in _headings(cell.source)
        if level == 2
    ]
    parts["thumbnail"] = _thumbnail(notebook)
    return parts


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
    """Return the files among the arguments, without quotes and brackets."""
    found = [value for key, value, _ in arguments if key in names]
    texts = [text for value in found for text in re.findall(r"'([^']+)'|\"([^\"]+)\"", value)]
    return list(dict.fromkeys("".join(pair) for pair in texts))


def _headings(source: str) -> list[tuple[int, str]]:
    lines = [line for line in source.splitlines() if re.match(r"#{1,6} ", line)]
    return [(len(line) - len(line.lstrip("#")), line.lstrip("#").strip()) for line in lines]


def _take_apart(
    cell: NotebookNode, heading: str, files: Path, pages: Mapping[str, str], parts: dict[str, Any]
) -> None:
    """Move what a cell's outputs have for other places of the page; give its pictures a text."""
    if cell.source.strip():
        parts["code"].append((heading, cell.source))
    kept = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stderr":
            if not _is_progress(output.text):
                parts["messages"].append((heading, output.text))
            continue
        if _WIDGET in data:
            continue
        if VERDICT_MIME in data:
            verdict = data[VERDICT_MIME]
            parts["verdict"] = link_reports(verdict["html"], pages)
            parts["said"], parts["cards"] = verdict["text"], verdict["cards"]
            continue
        if FILES_MIME in data:
            folder = Path(data.pop(FILES_MIME)["folder"])
            files.mkdir(exist_ok=True)
            for one in folder.iterdir():
                shutil.move(one, files / one.name)
            folder.rmdir()
        for kind in {"image/png", "image/jpeg"} & set(data):
            output.metadata.setdefault(kind, {}).setdefault("alt", heading)
        if "text/html" in data:
            data["text/html"] = link_reports(data["text/html"], pages)
        if data.get("text/html", "-").strip() or "image/png" in data:
            kept.append(output)
    cell.outputs = kept


def link_reports(markup: str, pages: Mapping[str, str]) -> str:
    """Return markup whose links to reports lead to their pages; others become plain text."""

    def resolve(match: re.Match[str]) -> str:
        name, anchor, text = match.groups()
        if name not in pages:
            return text
        return f'<a href="{html.escape(quote(pages[name]) + anchor)}">{text}</a>'

    return _REPORT_LINK.sub(resolve, markup)


def _is_progress(text: str) -> bool:
    return "it/s" in text or "\r" in text or "%|" in text


def _drop_empty_sections(notebook: NotebookNode) -> None:
    """Take out headings under which no cell shows anything."""
    kept, cells = [], notebook.cells
    for place, cell in enumerate(cells):
        headings = _headings(cell.source) if cell.cell_type == "markdown" else []
        if headings and headings[0][0] > 1:
            section = []
            for below in cells[place + 1 :]:
                deeper = _headings(below.source) if below.cell_type == "markdown" else []
                if deeper and deeper[0][0] <= headings[0][0]:
                    break
                section.append(below)
            code = [below for below in section if below.cell_type == "code"]
            if code and not any(below.outputs for below in code):
                continue
        kept.append(cell)
    notebook.cells = kept


def _thumbnail(notebook: NotebookNode) -> str:
    """Return the first figure of the page, small, as the address of a WebP; empty without one."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
                picture.thumbnail((480, 300))
                small = io.BytesIO()
                picture.save(small, "WEBP", quality=80)
                return "data:image/webp;base64," + base64.b64encode(small.getvalue()).decode()
    return ""
