"""What cells say and show, as markup of a page: Markdown, tables, pictures, text."""

from __future__ import annotations

import base64
import html
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hotelviz.reports.pictures import picture_html

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Kinds of pictures, those that are shown first if there are several.
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
#: A link to another report, as cells write it.
_REPORT_LINK = re.compile(r'<a href="report:([\w-]+)((?:#[^"]*)?)">(.*?)</a>', re.DOTALL)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Markup:
    """Makes the markup of one page.

    Parameters
    ----------
    pages : mapping of str to str
        Name of another report -> the file of its page; links to others become plain text.
    """

    def __init__(self, pages: Mapping[str, str]) -> None:
        self.pages = pages
        self._ids: set[str] = set()
        self._names: Counter[str] = Counter()

    def markdown(self, source: str) -> tuple[str, list[tuple[int, str, str]]]:
        """Return Markdown as HTML, and its headings as level, id and text.

        The id is the text with dashes for spaces, as in JupyterLab; a second one of the same text
        has a number.
        """
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

        renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
        found: list[tuple[int, str, str]] = []

        def name(match: re.Match[str]) -> str:
            level, inner = match.groups()
            text = html.unescape(re.sub(r"<[^>]*>", "", inner)).strip()
            first = own = "-".join(text.split())
            number = 1
            while own in self._ids:
                number += 1
                own = f"{first}-{number}"
            self._ids.add(own)
            found.append((int(level), own, text))
            return f'<h{level} id="{html.escape(own)}">{inner}</h{level}>'

        return _HEADING.sub(name, MarkdownWithMath(renderer=renderer).render(source)), found

    def links(self, markup: str) -> str:
        """Return markup whose links to reports lead to their pages; others become plain text."""

        def resolve(match: re.Match[str]) -> str:
            name, anchor, text = match.groups()
            if name not in self.pages:
                return text
            return f'<a href="{html.escape(quote(self.pages[name]) + anchor)}">{text}</a>'

        return _REPORT_LINK.sub(resolve, markup)

    def output(self, output: NotebookNode, heading: str) -> str:
        """Return what a cell shows; empty where there is nothing to see.

        Parameters
        ----------
        output : nbformat.NotebookNode
            Of a cell.
        heading : str
            What stands above it: names it for those who do not see it.
        """
        if output.output_type == "stream":
            return _pre(output.text)
        if output.output_type == "error":
            return _pre("\n".join(output.traceback))
        data: dict[str, Any] = output.data
        if (markup := data.get("text/html")) is not None:
            if "data-hotelviz-gallery" in markup:
                return self._framed(markup, "gallery", heading)
            if not markup.strip() or ("<table" in markup and "<td" not in markup):
                return ""  # a table without rows
            # The corner of a table of pandas is no heading.
            markup = self.links(markup).replace("<th></th>", "<td></td>")
            return self._framed(markup, "scroll", heading)
        for kind in PICTURES:
            if kind in data:
                shown = _picture(kind, data[kind], output.metadata.get(kind, {}), heading)
                return self._framed(shown, "scroll figure", heading)
        if (text := data.get("text/markdown")) is not None:
            # What a cell says may hold data: no tag in it is one of ours.
            said = self.markdown(text.replace("<", "&lt;"))[0]
            return f'<div class="text">{said}</div>' if said.strip() else ""
        return _pre(data.get("text/plain", ""))

    def _framed(self, markup: str, kind: str, heading: str) -> str:
        """Return markup in a frame whose name no other has: what is below a heading is counted."""
        self._names[heading] += 1
        number = f", {self._names[heading]}" if self._names[heading] > 1 else ""
        return f'<div class="{kind}" data-name="{html.escape(heading + number)}">{markup}</div>'


def _picture(kind: str, data: str, metadata: Mapping[str, Any], heading: str) -> str:
    if kind == "image/svg+xml":
        data = base64.b64encode(data.encode()).decode()
    address = f"data:{kind};base64,{''.join(data.split())}"
    alt, width, kept = (metadata.get(key) for key in ("alt", "width", "kept"))
    return picture_html(address, alt or heading, width=width, kept=kept)


def plain(text: str) -> str:
    """Return text without the colours of a terminal."""
    return _COLOURS.sub("", text)


def _pre(text: str) -> str:
    return f"<pre>{html.escape(plain(text))}</pre>" if text.strip() else ""
