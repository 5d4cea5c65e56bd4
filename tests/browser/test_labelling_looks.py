"""How the labelling page looks: on a phone, a laptop and a wall, by day and by night."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from looks import THEMES, WIDTHS
from served import APP, Served, enter

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("theme", THEMES)
def test_pages_are_accessible_and_fit_every_width(
    theme: str, scores: Served, tags: Served, open_page: Callable[..., Page],
    axe: Callable[..., list[str]], shots: Path,
) -> None:  # fmt: skip
    refused = open_page(scores.address, theme=theme)
    page = open_page(scores.link, theme=theme)
    other = open_page(tags.link, theme=theme)
    page.wait_for_selector(f"{APP} input")

    def look(what: str, page: Page) -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 740 if width < 500 else 1000})
            page.wait_for_timeout(60)
            page.screenshot(path=shots / f"label-{what}-{width}-{theme}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width < 500:
                assert axe(page) == []
        page.set_viewport_size({"width": 1200, "height": 900})
        assert axe(page) == []

    refused.wait_for_selector("h1")
    look("refused", refused)
    look("name", page)
    enter(page, "Iris")
    look("photo", page)
    page.keyboard.press("s")
    look("skip", page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    look("help", page)
    enter(other, "Ada")
    look("tags", other)
