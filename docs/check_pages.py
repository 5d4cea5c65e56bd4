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


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


def problems_of(page: Page, address: str, site: str) -> list[str]:
    """Return what is wrong with a page."""
    found: list[str] = []
    page.on("request", lambda request: found.append(f"asks for {request.url}")
            if not request.url.startswith((site, "data:", "blob:")) else None)  # fmt: skip
    page.on("response", lambda response: found.append(f"{response.status} {response.url}")
            if response.status >= 400 else None)  # fmt: skip
    page.on("console", lambda message: found.append(f"logs {message.text}")
            if message.type == "error" else None)  # fmt: skip
    page.on("pageerror", lambda error: found.append(f"fails with {error}"))
    page.goto(f"{site}/{address}", wait_until="load")
    found += page.evaluate(
        """() => [...document.querySelectorAll('main img')].flatMap(image => [
            ...(image.loading === 'lazy' || image.naturalWidth ? [] : ['no picture ' + image.src]),
            ...(image.alt ? [] : ['no alternative text of ' + image.src])])"""
    )
    return found


def main(folder: Path) -> int:
    """Check all pages; return the exit code."""
    pages = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site, wrong = f"http://127.0.0.1:{server.server_port}", 0
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for address in pages:
            page = browser.new_page()
            for problem in problems_of(page, address, site):
                print(f"{address}: {problem}")
                wrong += 1
            page.close()
        browser.close()
    server.shutdown()
    print(f"{len(pages)} pages, {wrong} problems")
    return int(wrong > 0 or not pages)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
