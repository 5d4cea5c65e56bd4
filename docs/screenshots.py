"""Take the pictures of `docs/images` that come from a demo: ``python docs/screenshots.py REPORTS``.

`REPORTS` is the folder of a finished ``hotelviz demo``, started from ImageNet's weights. Its pages
and figures give ``gallery.png``, ``ranking.png`` and ``iterations.png``; ``labelling.png`` is the
rater's page, served for its catalogue. Needs Chromium, as the tests in a browser do.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "browser"))

from check_pages import FLAGS, find_chromium  # noqa: E402
from served import Served, enter, press  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: More bytes than this have no picture in a repository.
MAX_BYTES = 300_000


def keep(picture: Image.Image, name: str) -> None:
    """Write a picture with as many colours as fit into its bytes."""
    picture = reduced = picture.convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        reduced.save(out, "PNG", optimize=True)
        if out.tell() < MAX_BYTES:
            break
        # By a palette that is given, Pillow dithers: maps and lit walls have no bands.
        palette = picture.quantize(colours, method=Image.Quantize.MAXCOVERAGE)
        reduced = picture.quantize(palette=palette)
    (HERE / "images" / name).write_bytes(out.getvalue())
    print(f"{name}: {picture.width} x {picture.height}, {out.tell() / 1000:.0f} kB")


def gallery(browser: Browser, reports: Path) -> Image.Image:
    """Return the tagger report's gallery: the matrix, the filters, and maps over wrong photos."""
    page = browser.new_page(viewport={"width": 1200, "height": 1300})
    page.goto((reports / "tagger_report.html").resolve().as_uri())
    shown = page.locator(".hotelviz-gallery").first
    shown.get_by_label("What the photos show").select_option(index=1)
    page.mouse.move(0, 0)
    shown.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    taken = shown.screenshot()
    page.close()
    picture = Image.open(io.BytesIO(taken))
    return picture.crop((0, 0, picture.width, 1180))


def labelling(browser: Browser, reports: Path) -> Image.Image:
    """Return the page of a rater who has rated a few photos."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(reports / "demo" / "catalog.csv", Path(folder) / "labels.sqlite")
        try:
            page = browser.new_page(viewport={"width": 1000, "height": 720})
            page.goto(served.link)
            enter(page, "Ada")
            for key in "7564":
                press(page, key)
            page.mouse.move(0, 0)
            page.wait_for_timeout(500)
            taken = page.screenshot()
        finally:
            served.stop()
    return Image.open(io.BytesIO(taken))


def figures(reports: Path, *names: str) -> Image.Image:
    """Return figures of reports, one beside the other."""
    opened = [Image.open(reports / "figures" / f"{name}.png").convert("RGB") for name in names]
    beside = Image.new("RGB", (sum(one.width for one in opened), opened[0].height), "white")
    for place, one in enumerate(opened):
        beside.paste(one, (sum(before.width for before in opened[:place]), 0))
    beside.thumbnail((1100, 1100))
    return beside


def main(reports: Path) -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        keep(gallery(browser, reports), "gallery.png")
        keep(labelling(browser, reports), "labelling.png")
        browser.close()
    scatter = "aesthetic_report/predicted_against_rated_iteration_"
    keep(figures(reports, f"{scatter}1", f"{scatter}2"), "iterations.png")
    keep(figures(reports, "aesthetic_report/one_hotel"), "ranking.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
