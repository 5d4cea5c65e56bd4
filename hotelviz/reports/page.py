"""Executed notebook in, self-contained page out.

A page makes no request to anywhere, and runs no script but the gallery's.
"""

from __future__ import annotations

import datetime
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hotelviz
from hotelviz.errors import ReportError
from hotelviz.gallery import html as pages
from hotelviz.gallery.page_form import FILES_MIME
from hotelviz.reports.headline import HEADLINE_MIME
from hotelviz.reports.notebooks import notebook_title

if TYPE_CHECKING:
    from nbformat import NotebookNode

_TEMPLATES = Path(__file__).parent / "templates"
_WIDGET = "application/vnd.jupyter.widget-view+json"


def write_report(executed: Path, name: str, out: Path) -> None:
    """Write an executed notebook as a page.

    Parameters
    ----------
    executed : pathlib.Path
        The notebook with its outputs.
    name : str
        The name of the report.
    out : pathlib.Path
        The page.

    Raises
    ------
    ReportError
        It cannot be written; a page that was there is left as it was.
    """
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(executed, as_version=4)
    with tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
        files = Path(folder) / "files"
        report = _prepare(notebook, name, files)
        exporter = HTMLExporter(
            template_name="report",
            extra_template_basedirs=[str(_TEMPLATES)],
            exclude_anchor_links=True,
        )
        report |= {"head": pages.head(out), "script": pages.script()}
        page, _ = exporter.from_notebook_node(notebook, resources={"report": report})
        write_whole(out, page, files)


def write_whole(out: Path, page: str, files: Path | None = None) -> None:
    """Write a page and the photos beside it, whole or not at all.

    Raises
    ------
    ReportError
        It cannot be written.
    """
    try:
        pages.write_page(out, page, files)
    except OSError as error:
        raise ReportError(f"{out}: cannot be written: {error.strerror or error}") from error


def now() -> str:
    """Return the date and time as pages show it."""
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")


def _prepare(notebook: NotebookNode, name: str, files: Path) -> dict[str, Any]:
    """Return what the template shows beside the cells; photos in folders move to `files`."""
    arguments: list[tuple[str, str]] = []
    headlines: list[dict[str, str]] = []
    contents: list[tuple[str, str]] = []
    heading = title = notebook_title(notebook.cells) or name
    if notebook.cells and notebook.cells[0].source.startswith("# "):
        # The page's header shows it.
        notebook.cells[0].source = notebook.cells[0].source.partition("\n")[2]
    for cell in notebook.cells:
        lines = cell.source.splitlines()
        if cell.cell_type == "markdown":
            for line in lines:
                if line.startswith("#"):
                    heading = line.lstrip("#").strip()
                    if line.startswith("## "):
                        contents.append((heading.replace(" ", "-"), heading))
            continue
        if "injected-parameters" in cell.metadata.get("tags", []):
            parts = (line.partition("=") for line in lines)
            arguments = [(key.strip(), value.strip()) for key, found, value in parts if found]
        cell.outputs = [output for output in cell.get("outputs", []) if not _is_progress(output)]
        for output in cell.outputs:
            headlines += _take_apart(output, heading, files)
    return {
        "title": title,
        "name": name,
        "date": now(),
        "version": hotelviz.__version__,
        "arguments": arguments,
        "headlines": headlines,
        "contents": contents,
    }


def _take_apart(output: NotebookNode, heading: str, files: Path) -> list[dict[str, str]]:
    """Return the headlines of an output; move its photos, and give its pictures a text."""
    data = output.get("data", {})
    if FILES_MIME in data:
        folder = Path(data.pop(FILES_MIME)["folder"])
        files.mkdir(exist_ok=True)
        for one in folder.iterdir():
            shutil.move(one, files / one.name)
        folder.rmdir()
    for kind in {"image/png", "image/jpeg"} & set(data):
        output.metadata.setdefault(kind, {}).setdefault("alt", heading)
    return [data.pop(HEADLINE_MIME)] if HEADLINE_MIME in data else []


def _is_progress(output: NotebookNode) -> bool:
    """Return whether an output is a progress bar or a widget, which say nothing on a page."""
    if output.output_type == "stream" and output.name == "stderr":
        return "it/s" in output.text or "\r" in output.text or "%|" in output.text
    return _WIDGET in output.get("data", {})
