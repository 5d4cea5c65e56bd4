"""Open every page of the built site in Chromium: ``python docs/check_pages.py FOLDER``.

A page fails when it asks for anything outside of the site, logs an error, or has a picture that is
missing or has no alternative text.
"""

from __future__ import annotations

import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

#: Pictures that were not found or have no alternative text; cells that should draw and do not.
_PICTURES = """() => [
    ...[...document.querySelectorAll('main img')].flatMap(image => [
        ...(image.loading === 'lazy' || image.naturalWidth ? [] : ['no picture ' + image.src]),
        ...(image.alt ? [] : ['no alternative text of ' + image.src])]),
    ...[...document.querySelectorAll('.cell')].flatMap(cell =>
        /plots\\.\\w+\\(/.test(cell.innerText) && !cell.querySelector('.cell_output img')
            ? ['nothing drawn by ' + cell.innerText] : [])]"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _is_icon(address: str) -> bool:
    """Whether the browser asks for an icon by itself, of a page that names none."""
    return address.endswith("/favicon.ico")


def listen(page: Page, site: str) -> list[str]:
    """Return a list to which is added whatever goes wrong on a page."""
    found: list[str] = []
    page.on("request", lambda request: found.append(f"asks for {request.url}")
            if not request.url.startswith((site, "data:", "blob:")) else None)  # fmt: skip
    page.on("response", lambda response: found.append(f"{response.status} {response.url}")
            if response.status >= 400 and not _is_icon(response.url) else None)  # fmt: skip
    page.on("console", lambda message: found.append(f"logs {message.text}")
            if message.type == "error" and not _is_icon(message.location["url"])
            else None)  # fmt: skip
    page.on("pageerror", lambda error: found.append(f"fails with {error}"))
    return found


def main(folder: Path) -> int:
    """Check all pages; return the exit code."""
    pages = [path.relative_to(folder) for path in sorted(folder.rglob("*.html"))]
    pages = [path for path in pages if path.parts[0] != "_static"]  # templates of the theme
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site, wrong = f"http://127.0.0.1:{server.server_port}", 0
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        found = listen(page, site)
        for path in pages:
            page.goto(f"{site}/{path.as_posix()}", wait_until="load")
            found += page.evaluate(_PICTURES)
            wrong += len(found)
            for problem in found:
                print(f"{path}: {problem}")
            found.clear()
        browser.close()
    server.shutdown()
    print(f"{len(pages)} pages, {wrong} problems")
    return int(wrong > 0 or not pages)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
