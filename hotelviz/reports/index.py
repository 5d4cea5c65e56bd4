"""The page that links the reports of a folder."""

from __future__ import annotations

import html
import json
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

from hotelviz.io.atomic import written_files
from hotelviz.reports.headline import headline_html


class _Head(HTMLParser):
    """The ``hotelviz:`` meta tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.meta: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and (values.get("name") or "").startswith("hotelviz:"):
            key = (values["name"] or "").removeprefix("hotelviz:")
            self.meta.append((key, values.get("content") or ""))


def write_index(directory: str | os.PathLike[str]) -> Path:
    """Write ``index.html``, which links the reports of a folder with their headline figures.

    Parameters
    ----------
    directory : str or path-like
        Its ``.html`` files that hotelviz wrote are listed by name; others are passed over.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    ReportError
        It cannot be written.
    """
    # A list of reports need not wait for what pages need.
    from hotelviz.gallery import html as pages
    from hotelviz.reports.page import now, write_whole

    index = Path(directory) / "index.html"
    cards = [_card(file) for file in written_files(index.parent, "*.html") if file != index]
    listed = "".join(cards)
    body = f"<ul class=reports>{listed}</ul>" if listed else "<p>No reports yet.</p>"
    write_whole(
        index,
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"{pages.head(index)}<title>hotelviz reports</title></head>"
        f"<body><main><header><h1>hotelviz reports</h1><p class=quiet>{now()}</p></header>"
        f"{body}</main></body></html>\n",
    )
    return index


def _card(file: Path) -> str:
    """Return a report as an entry of the list; nothing for a page that is none."""
    head = _Head()
    with file.open(encoding="utf-8", errors="replace") as page:
        # The meta tags stand at the top, before megabytes of photos.
        head.feed(page.read(20_000))
    meta = dict(head.meta)
    if "report" not in meta:
        return ""
    figures = "".join(
        headline_html(*json.loads(content)) for key, content in head.meta if key == "headline"
    )
    return (
        f'<li><a href="{quote(file.name)}"><h2>{html.escape(meta["report"])}</h2></a>{figures}'
        f"<p class=quiet>{html.escape(meta.get('date', ''))}</p></li>"
    )
