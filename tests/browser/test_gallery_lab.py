"""The gallery in a real JupyterLab: decisions are in the file at once and outlive the kernel."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz.audit import read_decisions

expect = pytest.importorskip("playwright.sync_api").expect


class Lab(NamedTuple):
    """A running JupyterLab."""

    url: str
    token: str
    root: Path

    def api(self, path: str, method: str = "GET") -> list | dict | None:
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method,
            headers={"Authorization": f"token {self.token}"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab with its own settings, port and token, on an empty folder."""
    config, root = tmp_path / "config", tmp_path / "root"
    (config / "labconfig").mkdir(parents=True)
    root.mkdir()
    # It would ask about news from outside.
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(news))
    port, token = free_port(), secrets.token_hex(16)
    here = str(Path(__file__).parents[2])
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")])),
    }
    log = (tmp_path / "lab.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
            f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={root}",
        ],
        env=environment, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    running = Lab(f"http://127.0.0.1:{port}", token, root)
    try:
        for _ in range(300):
            try:
                running.api("status")
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "lab.log").read_text()
                time.sleep(0.1)
        else:
            pytest.fail((tmp_path / "lab.log").read_text())
        yield running
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


CELL = """
import pandas as pd
from hotelviz.gallery import Gallery, tag_caption
tags = pd.read_parquet("tags.parquet")
Gallery(tags, caption=tag_caption, decisions="decisions.csv", reviewer="Ada")
"""


def make_notebook(root: Path) -> None:
    rows = []
    for number in range(24):
        path = root / f"{number:02d}.jpg"
        Image.new("RGB", (160, 120), (10 * number, 120, 200)).save(path)
        wrong = number % 4 == 0
        sure = 0.5 + number / 60
        rows.append(
            {
                "image_id": path.name, "path": str(path), "label": "Pool" if wrong else "Bedroom",
                "predicted": "Bathroom" if wrong else "Bedroom",
                "p_Bathroom": sure if wrong else 0.1, "p_Bedroom": 0.1 if wrong else sure,
                "p_Pool": np.nan if number == 5 else 0.1,
            }
        )  # fmt: skip
    pd.DataFrame(rows).to_parquet(root / "tags.parquet")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL.strip())],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, root / "gallery.ipynb")


def run_all(view, lab: Lab) -> None:
    """Run the notebook, once its kernel is connected and has nothing to do."""
    for _ in range(600):
        kernels = lab.api("kernels")
        if kernels and kernels[0]["execution_state"] == "idle" and kernels[0]["connections"]:
            break
        time.sleep(0.1)
    prompt = view.locator(".jp-InputPrompt").first
    for _ in range(5):
        view.get_by_role("menuitem", name="Run", exact=True).click()
        view.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            expect(prompt).not_to_have_text("[ ]:", timeout=5_000)
        except AssertionError:
            continue
        return
    pytest.fail("the notebook does not run")


@pytest.mark.slow
def test_decisions_made_by_keys_are_in_the_file_and_outlive_the_kernel(lab, open_page, axe, shots):
    make_notebook(lab.root)
    view = open_page(width=1300, height=1100, allowed="WebSocket|Kernel|404")
    view.goto(f"{lab.url}/lab/tree/gallery.ipynb?token={lab.token}")
    view.locator(".jp-Notebook").wait_for()
    run_all(view, lab)
    gallery = view.locator(".hotelviz-gallery")
    gallery.wait_for(timeout=90_000)
    expect(gallery.locator(".count")).to_have_text("24 photos")

    gallery.locator(".matrix summary").click()
    gallery.get_by_role("button", name="Pool read as Bathroom: 6 photos").click()
    expect(gallery.locator("figure")).to_have_count(6)
    expect(gallery.locator("figure img")).to_have_count(6)
    for key in ("2", "ArrowRight", "3", "ArrowRight", "x", "ArrowRight", "k", "u"):
        view.keyboard.press(key)
    file = lab.root / "decisions.csv"
    expect(gallery.locator(".status")).to_contain_text("5 written to decisions.csv")
    wanted = [
        ["00.jpg", "relabel", "Bedroom", "gallery"],
        ["04.jpg", "relabel", "Pool", "gallery"],
        ["08.jpg", "drop", "", "gallery"],
        ["12.jpg", "keep", "", "gallery"],
        ["12.jpg", "keep", "", "undo"],
    ]
    columns = ["image_id", "action", "label", "reason"]
    assert read_decisions(file)[columns].values.tolist() == wanted
    # The keys were the gallery's: the notebook still has its one cell.
    assert view.locator(".jp-Cell").count() == 1

    gallery.locator("select[aria-label=Decision]").select_option("open")
    gallery.get_by_role("button", name="clear filters").click()
    assert axe(view, ".hotelviz-gallery") == []
    view.screenshot(path=shots / "lab_light.png")

    view.get_by_role("menuitem", name="Kernel", exact=True).click()
    view.locator(".lm-Menu-itemLabel", has_text=re.compile("^Restart Kernel…$")).click()
    view.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(view.locator(".jp-Dialog")).to_have_count(0)
    run_all(view, lab)
    badges = view.locator(".hotelviz-gallery .badge:not(:empty)")
    expect(badges).to_have_text(["→ Bedroom", "→ Pool", "dropped"], timeout=90_000)
    assert read_decisions(file)[columns].values.tolist() == wanted
    shown = view.locator(".hotelviz-gallery figure")
    expect(shown.locator("img")).to_have_count(shown.count(), timeout=20_000)

    # The dark theme.
    view.get_by_role("menuitem", name="Settings", exact=True).click()
    view.get_by_text("Theme", exact=True).hover()
    view.get_by_role("menuitem", name="JupyterLab Dark", exact=True).click()
    expect(view.locator(".hotelviz-gallery")).to_have_attribute("data-theme", "dark")
    for image in shown.locator("img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
    expect(shown.locator("img")).to_have_count(shown.count(), timeout=20_000)
    assert axe(view, ".hotelviz-gallery") == []
    view.screenshot(path=shots / "lab_dark.png")
