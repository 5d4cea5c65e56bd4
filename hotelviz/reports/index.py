"""The page that links the reports of a folder, in the order of the work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hotelviz.io.atomic import written_files
from hotelviz.reports.order import PARTS, UNDER
from hotelviz.reports.page_head import Page, banners_of, read_page
from hotelviz.reports.pictures import picture_html
from hotelviz.reports.verdict import NextStep, card_html


def write_index(directory: str | os.PathLike[str], *, notes: Sequence[NextStep | str] = ()) -> Path:
    """Write ``index.html``, which links the reports of a folder with what they found.

    Parameters
    ----------
    directory : str or path-like
        Its ``.html`` files that hotelviz wrote are listed in the order of the work; others are
        passed over.
    notes : sequence of NextStep or str, default ()
        What failed or was left out, and what to add: stands at the top, with the command that
        does it.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    ReportError
        It cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> write_index(tempfile.mkdtemp()).name
    'index.html'
    """
    # A list of reports need not wait for what pages need.
    from hotelviz.reports.page import filled, write_whole

    index = Path(directory) / "index.html"
    files = [file for file in written_files(index.parent, "*.html") if file != index]
    pages = [page for page in map(read_page, files) if page]
    there = {page.report for page in pages}
    under = [page for page in pages if UNDER.get(page.report) in there]
    alone = [page for page in pages if page not in under]
    known = {name for names in PARTS.values() for name in names}
    others = tuple(sorted({page.report for page in alone} - known))
    entries = [
        (part, page, *_entry(page, under))
        for part, names in {**PARTS, "Other": others}.items()
        for name in names
        for page in alone
        if page.report == name
    ]
    text = filled(
        "index.html.j2", index, card_html=card_html, entries=entries,
        banners=banners_of(pages),
        notes=[NextStep(note) if isinstance(note, str) else note for note in notes],
    )  # fmt: skip
    write_whole(index, text)
    return index


def _entry(page: Page, under: Sequence[Page]) -> tuple[str, list[tuple[Page, str]]]:
    """Return the picture of a page, and how the models were trained that it judges."""
    trainings = [
        (one, f"training on {', '.join(one.data) or one.file.stem}")
        for one in under
        if UNDER[one.report] == page.report
    ]
    return picture_html(page.thumbnail, "", kept=page.kept) if page.thumbnail else "", trainings
