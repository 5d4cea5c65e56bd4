"""A real Chromium: pages that fail on console errors, requests to outside, and axe's findings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from check_pages import FLAGS, accessibility_faults, fetch_axe, find_chromium
from filelock import FileLock
from looks import CLASSES, EVIL
from PIL import Image
from served import Served

from hotelviz.catalog import write_catalog

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Is not searched for examples: pytest would import it again, and take it for another.
collect_ignore = ["conftest.py"]
_LOCAL = re.compile(r"(data|blob|file|about):|(https?|wss?)://(127\.0\.0\.1|localhost)[:/]")
#: What Voilà says on a busy machine, of the rater's page, which then asks again until it is there.
_ASKED_AGAIN = re.compile(r"widget model not found.*/voila/labextensions/", re.DOTALL)
_EVIL = ['<img src=x onerror="alert(1)">', "a \"quoted\" 'name'", "🏨 غرفة نوم", "a & b < c"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium of the system; closed with the file, as its event loop stays running."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium here: install the system's package `chromium`, or set $CHROMIUM"
        if os.environ.get("HOTELVIZ_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    # Other tests run beside these.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages; at the end none of them may have logged an error or asked the outside."""
    contexts, faults = [], []

    def open_(
        address: str = "about:blank", *, width: int = 1200, height: int = 900,
        theme: str = "light", allowed: str = "", thrown: str = "", **settings: Any,
    ) -> Page:  # fmt: skip
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **settings
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()

        def said(message: Any) -> None:
            known = _ASKED_AGAIN.search(message.text) or (
                allowed and re.search(allowed, message.text)
            )
            if message.type == "error" and not known:
                faults.append(f"console: {message.text}")

        def asked(request: Any) -> None:
            if not _LOCAL.match(request.url):
                faults.append(f"request: {request.url}")

        def failed(error: Any) -> None:
            if error.message != thrown:
                faults.append(f"script: {error}")

        page.on("console", said)
        page.on("pageerror", failed)
        context.on("request", asked)
        if address != "about:blank":
            page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """Give a function that lists the faults in accessibility that axe-core finds."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # fetched once for all workers
        folder = folder.parent
    file = folder / "axe.js"
    with FileLock(folder / "axe.lock"):
        try:
            if not file.exists():
                file.write_text(fetch_axe(tmp_path_factory.mktemp("axe")), encoding="utf-8")
        except OSError as error:
            pytest.skip(str(error))
    script = file.read_text(encoding="utf-8")
    return lambda page, within="body": accessibility_faults(page, script, within)


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: $HOTELVIZ_SHOTS keeps them."""
    kept = os.environ.get("HOTELVIZ_SHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with names that try to be markup, in two sizes, one on its side."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    rows = []
    for number in range(24):
        name = f"{_EVIL[number % 4].replace('/', '')} {number}.jpg"
        size = (2400, 1600) if number == 1 else (640, 480) if number % 2 else (300, 460)
        top, bottom = random.integers(60, 230, (2, 3))
        ramp = np.linspace(0, 1, size[1])[:, None, None]
        pixels = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (size[1], size[0], 3))
        Image.fromarray(pixels.astype("uint8")).save(folder / name)
        rows.append({"image_id": name, "path": str(folder / name), "hotel_id": f"h{number // 4}",
                     "label": ["<b>Pool</b>", "🏊 & \"bar\"", "غرفة نوم"][number % 3]})  # fmt: skip
    write_catalog(pd.DataFrame(rows), folder / "photos.csv")
    return folder / "photos.csv"


@pytest.fixture(scope="module")
def scores(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("store") / "labels.sqlite"
    served = Served(catalog, store, "--raters", "8", "--overlap", "8", "--repeats", "2")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def tags(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("store") / "tags.sqlite"
    rules = store.with_name("rules.toml")
    rules.write_text('["<b>Pool</b>"]\nrule = "<i>indoor</i> pools too"\n', encoding="utf-8")
    served = Served(catalog, store, "--raters", "2", "--overlap", "2", "--task", "tags",
                    "--classes", "any", "--rules", str(rules))  # fmt: skip
    yield served
    served.stop()


@pytest.fixture
def photos(tmp_path: Path) -> pd.DataFrame:
    """Thirty photos, every third a pool that is predicted as a bathroom."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    paths = []
    for number in range(30):
        path = tmp_path / "photos" / f"{number:02d}.jpg"
        Image.new("RGB", (160, 100 + 40 * (number % 2)), tuple(rng.integers(60, 255, 3))).save(path)
        paths.append(str(path))
    frame = pd.DataFrame({"image_id": [f"{number:02d}.jpg" for number in range(30)], "path": paths})
    frame.loc[29, "image_id"] = EVIL
    frame["hotel_id"] = [f"hotel {number % 4}" for number in range(30)]
    frame["label"] = np.where(np.arange(30) % 3 == 0, "Pool", "Bedroom")
    frame["predicted"] = np.where(np.arange(30) % 3 == 0, "Bathroom", "Bedroom")
    sure = np.linspace(0.5, 0.95, 30)
    for name in CLASSES:
        frame[f"p_{name}"] = np.where(frame["predicted"] == name, sure, (1 - sure) / 2)
    frame["score"] = np.linspace(2, 8, 30)
    return frame
