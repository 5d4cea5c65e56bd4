"""Executed notebook in, self-contained page out.

A page makes no request to anywhere, and runs no script but the gallery's.
"""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hotelviz
from hotelviz.errors import ReportError
from hotelviz.gallery import html
from hotelviz.io.json_schemas import load_jsonschema
from hotelviz.reports.content import page_parts
from hotelviz.reports.order import COMPARED, neighbours
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
        Name of a report, or of a page -> its file beside `out`, whether it is there yet or not.
        With the pages that are there, these are what links to reports lead to. ``index`` is the
        page of all reports, by default ``index.html``.

    Raises
    ------
    ReportError
        It cannot be written; a page that was there is left as it was.
    """
    load_jsonschema()
    import nbformat

    notebook = nbformat.read(executed, as_version=4)
    with tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
        files = Path(folder) / "files"
        beside = pages_beside(out) | dict(pages or {})
        # Who names pages to come writes an index of them.
        index = beside.pop("index", "index.html" if pages else "")
        parts = page_parts(notebook, name, files, beside)
        described = {key: json.dumps(parts[key]) for key in ("data", "models", "cards", "kept")}
        page = filled(
            "report.html.j2", out, **parts, described=described, script=html.script(),
            banner=banner, version=hotelviz.__version__, index=index,
            others=neighbours(name, beside), compared=beside.get(COMPARED.get(name, "")),
        )  # fmt: skip
        write_whole(out, page, files)


def filled(template: str, out: Path, **parts: Any) -> str:
    """Return a template of pages with its parts, of which text is escaped."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
    date = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return environment.get_template(template).render(**parts, head=html.head(out), date=date)


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
