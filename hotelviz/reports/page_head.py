"""What the head of a page says of it: read without the megabytes of photos that follow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

from hotelviz.io.atomic import written_files

#: The meta tags stand at the top, before megabytes of photos; one of them is a small picture.
_HEAD_CHARACTERS = 300_000


class Page(NamedTuple):
    """A page that hotelviz wrote, as its head describes it."""

    file: Path
    #: The name of its notebook.
    report: str
    title: str
    date: str
    #: The sentence of its verdict.
    said: str
    #: Its headline figures, as label, value and detail.
    cards: list[list[str]]
    #: The address of a small picture, or empty.
    thumbnail: str
    #: Its parts that look the same on a dark page; see `picture_html`.
    kept: list[list[float]] | None
    #: Files that it looked at.
    data: list[str]
    models: list[str]
    banner: str


class _Head(HTMLParser):
    """The ``hotelviz:`` meta tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and (values.get("name") or "").startswith("hotelviz:"):
            key = (values["name"] or "").removeprefix("hotelviz:")
            self.meta[key] = values.get("content") or ""


def read_page(file: Path) -> Page | None:
    """Return what the head of a page says; None for one that hotelviz did not write."""
    head = _Head()
    with file.open(encoding="utf-8", errors="replace") as page:
        head.feed(page.read(_HEAD_CHARACTERS))
    meta = head.meta
    if "report" not in meta:
        return None
    try:
        keys = ("cards", "data", "models", "kept")
        lists: dict[str, Any] = {key: json.loads(meta.get(key) or "null") for key in keys}
    except json.JSONDecodeError:
        return None
    own: dict[str, Any] = {
        key: meta.get(key, "") for key in ("report", "title", "date", "thumbnail", "banner")
    }
    return Page(file=file, said=meta.get("verdict", ""), **own, **lists)


def banners_of(pages: Iterable[Page]) -> list[str]:
    """Return the lines at the top of pages, without those that another one begins with."""
    every = list(dict.fromkeys(page.banner for page in pages if page.banner))
    return [
        one for one in every if not any(other != one and other.startswith(one) for other in every)
    ]


def pages_beside(out: Path) -> dict[str, str]:
    """Return the pages of reports in the folder of `out`: name -> file name, and the index.

    A page is known by its report, and by the name of its file without the ending.
    """
    folder = out.parent
    if not folder.is_dir():
        return {}
    files = [file for file in written_files(folder, "*.html") if file != out]
    found = [page for page in map(read_page, files) if page]
    beside = {page.file.stem: page.file.name for page in found}
    beside |= {page.report: page.file.name for page in found}
    return beside | ({"index": "index.html"} if (folder / "index.html").is_file() else {})
