"""The deck: a page of slides that works from disk, and the figures beside it."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from hotelviz.errors import ReportError
from hotelviz.gallery.html import policy
from hotelviz.io.claims import own_folder
from hotelviz.plots.large_type import is_wide
from hotelviz.reports.page import write_whole
from hotelviz.reports.page_head import Page, banners_of
from hotelviz.reports.slides.material import FIGURES, Figure, Material
from hotelviz.reports.slides.talk import TALK, Slide
from hotelviz.reports.verdict import card_html
from hotelviz.reports.wording import counted

_STATIC = Path(__file__).parent / "static"
#: A sentence on a slide has so many characters at most, unless its first sentence is longer.
_SENTENCE = 200
#: And the last slide has so many figures.
_CARDS = 9


class Deck(NamedTuple):
    """What `write_slides` wrote.

    Attributes
    ----------
    page : pathlib.Path
        The page of slides.
    titles : list of str
        Of its slides.
    missing : list of str
        What was left out, a line for each report, with the command that makes it.
    """

    page: Path
    titles: list[str]
    missing: list[str]


class _Ready(NamedTuple):
    """A slide whose figures are there."""

    title: str
    sentence: str
    report: str
    figures: list[Figure]


def write_slides(
    reports: str | os.PathLike[str], out: str | os.PathLike[str], *, title: str = ""
) -> Deck:
    """Write the talk with the figures that reports exported.

    Parameters
    ----------
    reports : str or path-like
        A folder of reports, with their figures in ``figures/<page>/``, as `hotelviz run` writes
        it. Slides whose figures are not there are left out.
    out : str or path-like
        A folder, new or of slides. Gets ``index.html``, and ``figures`` with the PNG and SVG files
        of each slide in the order of the talk.
    title : str, optional
        Of the talk.

    Returns
    -------
    Deck

    Raises
    ------
    ReportError
        There is no figure, or one is no picture.
    OutputError
        `out` is a folder of something else, or cannot be written to.
    """
    material, title = Material(Path(reports)), title or "What the models see in hotels' photos"
    lacking: dict[str, list[tuple[str, str]]] = {}
    ready = [one for group in TALK for one in _prepared(group, material, lacking)]
    missing = [_missing(report, names, material) for report, names in lacking.items()]
    if not ready:
        place = material.folder / FIGURES
        raise ReportError("\n".join([f"{place}: there are no figures for slides", *missing]))
    folder = own_folder(out, "slides")
    names = _copy_figures(ready, folder / FIGURES)
    closing = _closing(material)
    total = len(ready) + 1 + bool(closing)
    slides = [_opening(title, len(ready), material)]
    for number, (one, files) in enumerate(zip(ready, names, strict=True), start=2):
        slides.append(_slide(one, number, total, files, _source(one.report, material, folder)))
    slides += [closing] if closing else []
    page = folder / "index.html"
    write_whole(page, _page(title, slides))
    titles = [title, *(one.title for one in ready), *(["In short"] if closing else [])]
    return Deck(page, titles, missing)


def _prepared(
    group: tuple[Slide, ...], material: Material, lacking: dict[str, list[tuple[str, str]]]
) -> Iterator[_Ready]:
    """Yield the slides of a group whose figures are there; note the names of the others."""
    first = group[0].figures[0]
    several = material.matches(group[0].report, first) if "*" in first else [""]
    for slide in () if several else group:
        lacking.setdefault(slide.report, []).append((slide.title.format("…"), slide.figures[0]))
    if several and "**" in first:
        together = tuple(first.replace("**", match) for match in several)
        group, several = (group[0]._replace(figures=together),), [""]
    for match in several:
        for slide in group:
            names = [name.replace("*", match) for name in slide.figures]
            found = [material.figure(slide.report, name) for name in names]
            slide_title = slide.title.format(match)
            for name, one in zip(names, found, strict=True):
                if one is None:
                    lacking.setdefault(slide.report, []).append((slide_title, name))
            if found[0] is not None:
                page = material.pages.get(slide.report)
                said = page.said if page and slide.verdict else ""
                sentence = said or first_sentences(found[0].text)
                yield _Ready(slide_title, sentence, slide.report, [one for one in found if one])


def first_sentences(text: str) -> str:
    """Return the first sentences of a text, as many as a slide has room for.

    Examples
    --------
    >>> first_sentences("Right on 80.5 % of 310 photos. " + "Further words follow. " * 9)
    'Right on 80.5 % of 310 photos. Further words follow. ... Further words follow.'
    """
    sentences = re.split(r"(?<=[.!?]) +", text.strip())
    kept = sentences[0]
    for sentence in sentences[1:]:
        if len(kept) + len(sentence) >= _SENTENCE:
            break
        kept += f" {sentence}"
    kept = kept[:1].upper() + kept[1:]
    return kept if len(kept) <= 2 * _SENTENCE else f"{kept[: 2 * _SENTENCE - 1]}…"


def _missing(report: str, names: Sequence[tuple[str, str]], material: Material) -> str:
    """Return what is left out for want of a report's figures, and what makes them."""
    titles = ", ".join(dict.fromkeys(title for title, _ in names))
    files = ", ".join(dict.fromkeys(name for _, name in names))
    page = material.pages.get(report)
    out = page.file if page else material.folder / f"{report}.html"
    command = shlex.join(
        ["hotelviz", "report", report, "-p", f"export={material.place(report)}", "--out", str(out)]
    )
    return f"{report} has not drawn {files} (slides: {titles}): {command}"


def _copy_figures(ready: Sequence[_Ready], folder: Path) -> list[list[str]]:
    """Put the figures of all slides into a folder, in their order; return their names."""
    folder.mkdir(exist_ok=True)
    names = [
        [f"{number:02d}-{one.report}-{figure.png.stem}" for figure in one.figures]
        for number, one in enumerate(ready, start=2)
    ]
    kept = set()
    for one, own in zip(ready, names, strict=True):
        for figure, name in zip(one.figures, own, strict=True):
            for suffix in (".png", ".svg"):
                if (source := figure.png.with_suffix(suffix)).is_file():
                    shutil.copyfile(source, folder / f"{name}{suffix}")
                    kept.add(f"{name}{suffix}")
    for file in folder.iterdir():
        if file.name not in kept and re.fullmatch(r"\d\d-.*\.(png|svg)", file.name):
            file.unlink()
    return names


def _page(title: str, slides: Sequence[str]) -> str:
    style, script = (
        (_STATIC / f"deck.{kind}").read_text(encoding="utf-8") for kind in ("css", "js")
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy(script))}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(slides)}</main>"
        '<nav aria-label="Slides" hidden><button type="button" class="previous">Previous</button>'
        '<button type="button" class="next">Next</button></nav>'
        f'<script type="module">{script}</script></body></html>\n'
    )


def _opening(title: str, n_slides: int, material: Material) -> str:
    """Return the first slide: the title, and what it is all about."""
    pages = list(material.pages.values())
    used = [
        f"{word}: {', '.join(dict.fromkeys(Path(file).name for file in files))}"
        for word, files in (
            ("Data", [file for page in pages for file in page.data or []]),
            ("Models", [file for page in pages for file in page.models or []]),
        )
        if files
    ]
    said = counted(n_slides, "slide") + (f" from {counted(len(pages), 'report')}" if pages else "")
    lines = [*used, *[max(page.date for page in pages)][:1]] if pages else used
    return (
        '<section class="slide opening" aria-labelledby="title-1"><header>'
        f'<h1 id="title-1" tabindex="-1">{html.escape(title)}</h1><p>{said}.</p>'
        + "".join(f'<p class="banner">{html.escape(banner)}</p>' for banner in banners_of(pages))
        + "".join(f'<p class="quiet">{html.escape(line)}</p>' for line in lines)
        + "</header></section>"
    )


def _slide(one: _Ready, number: int, total: int, files: Sequence[str], source: str) -> str:
    """Return a slide: title, sentence, figures, where they come from, its number."""
    wide = len(one.figures) > 1 or is_wide(*one.figures[0].size)
    pictures = "".join(
        f'<img src="{figure.address()}" alt="{html.escape(figure.text or one.title)}" '
        f'style="flex: {figure.size[0] / figure.size[1]:.3f}">'
        for figure in one.figures
    )
    links = " ".join(
        f'<a href="{FIGURES}/{quote(name)}{suffix}">{suffix[1:].upper()}</a>'
        for name, figure in zip(files, one.figures, strict=True)
        for suffix in (".png", ".svg")
        if figure.png.with_suffix(suffix).is_file()
    )
    return (
        f'<section class="slide {"wide" if wide else "beside"}" aria-labelledby="title-{number}">'
        f'<header><h2 id="title-{number}" tabindex="-1">{html.escape(one.title)}</h2>'
        f"<p>{html.escape(one.sentence)}</p></header>"
        f'<div class="figures">{pictures}</div>'
        f"<footer><span>{source} {links}</span><span>{number} / {total}</span></footer></section>"
    )


def _source(report: str, material: Material, folder: Path) -> str:
    """Return a link to the page that a figure is of, where there is one."""
    page = material.pages.get(report)
    if page is None:
        return html.escape(report)
    target = Path(os.path.relpath(page.file, folder)).as_posix()
    return f'<a href="{quote(target)}">{html.escape(page.title)}</a>'


def _closing(material: Material) -> str:
    """Return the last slide: the first figure of each report; empty where none has one."""
    reports = dict.fromkeys(slide.report for group in TALK for slide in group)
    pages: list[Page] = [material.pages[name] for name in reports if name in material.pages]
    cards = "".join(card_html(*page.cards[0]) for page in pages[:_CARDS] if page.cards)
    return cards and (
        '<section class="slide closing" aria-labelledby="title-last"><header>'
        '<h2 id="title-last" tabindex="-1">In short</h2></header>'
        f'<ul class="cards">{cards}</ul></section>'
    )
