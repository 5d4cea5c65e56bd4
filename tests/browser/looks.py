"""How pages are looked at, on a phone, a laptop and a wall, by day and by night; what they show."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTHS, THEMES = (360, 1200, 2560), ("light", "dark")
CLASSES = ["Bathroom", "Bedroom", "Pool"]
EVIL = "\"><img src=x onerror=alert(1)> 🏊 </script><script>alert(2)</script> 'مسبح' .jpg"


def wait_until(page: Page, expression: str, *, seconds: float = 20) -> None:
    """Wait for what is true in a page whose policy allows no code from text.

    Playwright's own wait asks again from within the page, where such a policy forbids it.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not true within {seconds:g} s: {expression}"
        page.wait_for_timeout(50)
