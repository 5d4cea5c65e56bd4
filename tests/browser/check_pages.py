"""Open every page of a folder in Chromium: ``python tests/browser/check_pages.py FOLDER``.

A page fails when it asks for anything outside of the folder, writes to the console, or has a
picture that is missing or has no alternative text. With ``--out SHOTS`` each page is also looked at
as people see it, 1,280, 400 and 2,560 pixels wide, dark, and printed: it fails where it is wider
than the window or axe-core finds anything, and its first screens (PNG) and its print (PDF) are
written to ``SHOTS``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-precise-memory-info",
]  # fmt: skip
#: How pages are looked at: name, width, height and theme.
LOOKS = [
    ("1280", 1280, 900, "light"),
    ("400", 400, 800, "light"),
    ("2560", 2560, 1300, "light"),
    ("1280-dark", 1280, 900, "dark"),
    ("400-dark", 400, 800, "dark"),
]
_AXE = "axe-core@4.10.3"
#: Pictures that were not found or have no alternative text; cells that should draw and do not.
_PICTURES = """() => [
    ...[...document.querySelectorAll('main img')].flatMap(image => [
        ...(image.loading === 'lazy' || image.naturalWidth ? [] : ['no picture ' + image.src]),
        ...(image.hasAttribute('alt') && (image.alt || image.closest('a')) ? []
            : ['no alternative text of ' + image.src.slice(0, 200)])]),
    ...[...document.querySelectorAll('.cell')].flatMap(cell =>
        /plots\\.\\w+\\(/.test(cell.innerText) && !cell.querySelector('.cell_output img')
            ? ['nothing drawn by ' + cell.innerText] : [])]"""
#: The same id twice, and links of a page to what it does not have.
_NAMES = """() => {
    const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
    const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
    const targets = [...document.querySelectorAll("a[href^='#']")].map(one => one.hash.slice(1));
    return [...twice.map(id => 'the same id twice: ' + id),
        ...targets.filter(id => !ids.includes(decodeURIComponent(id)))
            .map(id => 'leads nowhere: #' + id)]; }"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


def find_chromium() -> str | None:
    """Return the browser of the system, or None; without windows it takes two thirds as long."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def fetch_axe(folder: Path) -> str:
    """Return the script of axe-core, fetched by npm.

    Raises
    ------
    OSError
        There is no npm, or it could not fetch it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("no npm here, with which axe-core is fetched")
    command = [npm, "pack", "--silent", _AXE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise OSError(f"npm could not fetch {_AXE}: {done.stderr.strip()[-300:]}")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder, "gztar", filter="data")
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


def accessibility_faults(page: Page, axe: str, within: str = "body") -> list[str]:
    """Return what axe-core finds, of any weight."""
    page.evaluate(axe)
    found = page.evaluate("where => axe.run(where, {resultTypes: ['violations']})", within)
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def listen(page: Page, site: str) -> list[str]:
    """Return a list to which is added whatever goes wrong on a page."""
    found: list[str] = []

    def is_icon(address: str) -> bool:
        """Whether the browser asks for an icon by itself, of a page that names none."""
        return address.endswith("/favicon.ico")

    page.on("request", lambda request: found.append(f"asks for {request.url}")
            if not request.url.startswith((site, "data:", "blob:")) else None)  # fmt: skip
    page.on("response", lambda response: found.append(f"{response.status} {response.url}")
            if response.status >= 400 and not is_icon(response.url) else None)  # fmt: skip
    page.on("console", lambda message: found.append(f"logs {message.text}")
            if not is_icon(message.location["url"]) else None)  # fmt: skip
    page.on("pageerror", lambda error: found.append(f"fails with {error}"))
    return found


def look(page: Page, name: str, axe: str, out: Path) -> list[str]:
    """Look at a page as people see it, and return what is wrong."""
    found = page.evaluate(_NAMES)
    for look, width, height, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(150)
        page.screenshot(path=out / f"{name}-{look}.png")
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{look}: is {wide} pixels wide"] if wide > width else []
        found += [f"{look}: {fault}" for fault in accessibility_faults(page, axe)]
    page.emulate_media(color_scheme="light")
    page.pdf(path=out / f"{name}.pdf", format="A4")
    return found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address of a folder: a site is served, reports open from disk."""
    if not (folder / "_static").is_dir():
        yield folder.resolve().as_uri()
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def check_folder(folder: Path, browser: Browser, out: Path | None = None) -> int:
    """Check all pages of a folder, print what is wrong, and return how much."""
    pages = [path.relative_to(folder) for path in sorted(folder.rglob("*.html"))]
    pages = [path for path in pages if path.parts[0] != "_static"]  # templates of the theme
    axe, wrong = "", 0
    if out:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as temporary:
            axe = fetch_axe(Path(temporary))
    with served(folder) as site:
        for path in pages:
            page = browser.new_page()
            found = listen(page, site)
            page.goto(f"{site}/{path.as_posix()}", wait_until="load")
            found += page.evaluate(_PICTURES)
            if out:
                found += look(page, "-".join(path.with_suffix("").parts), axe, out)
            page.close()
            for problem in found:
                print(f"{path}: {problem}")
            wrong += len(found)
    print(f"{len(pages)} pages, {wrong} problems")
    return wrong + (not pages)


def main() -> int:
    """Check a folder, and return the exit code."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="a folder for screenshots and prints")
    given = parser.parse_args()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        wrong = check_folder(given.folder, browser, given.out)
        browser.close()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
