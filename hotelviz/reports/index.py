"""The page that links the reports of a folder, in the order of the work."""

from __future__ import annotations

import html
import os
from pathlib import Path
from urllib.parse import quote

from hotelviz.io.atomic import written_files
from hotelviz.reports.page_head import Page, read_page
from hotelviz.reports.verdict import card_html

#: The work, part by part: its heading, and the reports that belong to it.
PARTS = {
    "Data": ("cleaning_audit", "cleaning_effect", "rating_quality"),
    "Tagger": ("tagger_report", "tagger_training"),
    "Why": ("explain_tagger",),
    "Aesthetics": ("aesthetic_report", "aesthetic_training", "compare_filters"),
    "Scores": ("score_distribution",),
    "Ranking": ("hotel_ranking",),
}


def write_index(directory: str | os.PathLike[str]) -> Path:
    """Write ``index.html``, which links the reports of a folder with what they found.

    Parameters
    ----------
    directory : str or path-like
        Its ``.html`` files that hotelviz wrote are listed in the order of the work; others are
        passed over.

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
    from hotelviz.gallery import html as frame
    from hotelviz.reports.page import now, write_whole

    index = Path(directory) / "index.html"
    files = [file for file in written_files(index.parent, "*.html") if file != index]
    pages = [page for page in map(read_page, files) if page]
    known = {name for names in PARTS.values() for name in names}
    others = tuple(sorted({page.report for page in pages} - known))
    parts = [_part(heading, names, pages) for heading, names in {**PARTS, "Other": others}.items()]
    banners = dict.fromkeys(page.banner for page in pages if page.banner)
    said = "".join(f"<p class=banner>{html.escape(banner)}</p>" for banner in banners)
    write_whole(
        index,
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"{frame.head(index)}<title>hotelviz reports</title></head>"
        f'<body class="index"><main><header><h1>hotelviz reports</h1><p class=quiet>{now()}</p>'
        f"{said}</header>{''.join(parts) or '<p>No reports yet.</p>'}</main></body></html>\n",
    )
    return index


def _part(heading: str, names: tuple[str, ...], pages: list[Page]) -> str:
    """Return a part of the work with its pages; nothing where there are none."""
    own = [page for name in names for page in pages if page.report == name]
    listed = "".join(map(_entry, own))
    return f"<section><h2>{heading}</h2><ul class=reports>{listed}</ul></section>" if own else ""


def _entry(page: Page) -> str:
    """Return a page as an entry of the list."""
    title = html.escape(page.title)
    used = "; ".join(
        f"{word} {', '.join(Path(file).name for file in files)}"
        for word, files in (("data", page.data), ("models", page.models))
        if files
    )
    picture = (
        f'<img class=thumbnail src="{html.escape(page.thumbnail)}" alt="">'
        if page.thumbnail
        else ""
    )
    cards = "".join(card_html(*card) for card in page.cards[:2])
    used = html.escape(f"{used}; {page.date}" if used else page.date)
    return (
        f'<li><a href="{quote(page.file.name)}">{picture}<h3>{title}</h3></a>'
        f"<p>{html.escape(page.said)}</p>"
        + (f"<ul class=cards>{cards}</ul>" if cards else "")
        + f"<p class=quiet>{used}</p></li>"
    )
