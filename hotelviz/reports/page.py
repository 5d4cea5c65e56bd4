"""Executed notebook in, self-contained page out.

A page makes no request to anywhere, and runs no script but the gallery's.
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Mapping
from pathlib import Path

import hotelviz
from hotelviz.errors import ReportError
from hotelviz.gallery import html
from hotelviz.reports.content import page_parts
from hotelviz.reports.page_head import pages_beside

_TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    executed: Path,
    name: str,
    out: Path,
    *,
    banner: str = "",
    pages: Mapping[str, str] | None = None,
) -> None:
    """Write an executed notebook as a page.

    Parameters
    ----------
    executed : pathlib.Path
        The notebook with its outputs.
    name : str
        The name of the report.
    out : pathlib.Path
        The page.
    banner : str, default ""
        A line at the top, before the verdict.
    pages : mapping of str to str, optional
        Name of a report -> the file of its page beside `out`, whether it is there yet or not; with
        the pages that are there, these are what links to reports lead to.

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
        beside = pages_beside(out) | dict(pages or {})
        report = page_parts(notebook, name, files, beside)
        exporter = HTMLExporter(
            template_name="report",
            extra_template_basedirs=[str(_TEMPLATES)],
            exclude_anchor_links=True,
        )
        report |= {
            "head": html.head(out), "script": html.script(), "banner": banner, "date": now(),
            "version": hotelviz.__version__, "index": beside.get("index", ""),
        }  # fmt: skip
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
        html.write_page(out, page, files)
    except OSError as error:
        raise ReportError(f"{out}: cannot be written: {error.strerror or error}") from error


def now() -> str:
    """Return the date and time as pages show it."""
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
