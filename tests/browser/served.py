"""The labelling app as raters meet it: served by `hotelviz label`, and what they do on its page."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil

from hotelviz.labelling import LabelRound, open_store

if TYPE_CHECKING:
    from playwright.sync_api import Page

APP = ".hotelviz-label"


class Served:
    """A served round: its link, its process and its store."""

    def __init__(self, catalog: Path, store: Path, *options: str) -> None:
        command = [sys.executable, "-m", "hotelviz.cli", "label", str(catalog)]
        command += ["--store", str(store), "--port", "0", *options]
        self.log = store.with_suffix(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.link = next((line for line in self.process.stdout if line.startswith("http")), "")
        self.link = self.link.strip()
        assert self.link, "the app did not start"
        self.store = store
        self.address = self.link.partition("?")[0]

    @property
    def round(self) -> LabelRound:
        return open_store(self.store, create=False).round()

    def said(self, rater: str) -> pd.DataFrame:
        table = self.round.ratings()
        return table[table["rater"] == rater]

    def kernels(self) -> list[int]:
        found = []
        for one in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                if "ipykernel" in " ".join(one.cmdline()):
                    found.append(one.pid)
        return found

    def stop(self) -> None:
        self.process.terminate()
        try:  # Each rater's kernel is ended first: on a busy machine that takes its time.
            self.process.communicate(timeout=60)
        finally:
            self.process.kill()


def enter(page: Page, name: str) -> None:
    page.fill(f"{APP} input", name)
    page.keyboard.press("Enter")
    shown(page)


def press(page: Page, key: str) -> None:
    """Press a key that ends in another photo, and wait for that one."""
    before = page.get_attribute(f"{APP} .stage", "data-position")
    page.keyboard.press(key)
    shown(page, f":not([data-position='{before}'])")


def shown(page: Page, which: str = "[data-position]") -> None:
    """Wait for a photo, or what is said in its place: while it is on its way keys rate nothing."""
    page.wait_for_selector(f"{APP} .stage{which}:has(img, button, .large)")


def wait_until(what: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def saved(page: Page) -> None:
    page.wait_for_function(
        "document.querySelector('.hotelviz-label .saved').textContent === 'saved'"
    )


def status(address: str, *, method: str = "GET", **headers: str) -> int:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
