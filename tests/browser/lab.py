"""A real JupyterLab for tests and benchmarks: started, driven and stopped."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

#: JupyterLab, without a grammar that it would put together for a second and never asks.
_PROGRAM = """
from hotelviz.io.json_schemas import load_jsonschema
load_jsonschema()
from jupyterlab.labapp import main
main()
"""


class Lab(NamedTuple):
    """A running JupyterLab."""

    url: str
    token: str
    root: Path

    def api(self, path: str, method: str = "GET") -> Any:
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


@contextmanager
def running_lab(tmp_path: Path) -> Iterator[Lab]:
    """Run a JupyterLab with its own settings, port and token, on an empty folder."""
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
            sys.executable, "-c", _PROGRAM, "--no-browser", "--allow-root", "--ip=127.0.0.1",
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
                if server.poll() is not None:
                    raise RuntimeError((tmp_path / "lab.log").read_text()) from None
                time.sleep(0.1)
        else:
            raise RuntimeError((tmp_path / "lab.log").read_text())
        yield running
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def write_notebook(path: Path, source: str) -> None:
    """Write a notebook of one cell."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip())],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, path)


def run_all(view: Any, lab: Lab) -> None:
    """Run the notebook, once its kernel is connected and has nothing to do."""
    for _ in range(600):
        kernels = []
        with suppress(OSError):  # while a kernel starts the server may not know of it yet
            kernels = lab.api("kernels")
        if kernels and kernels[0]["execution_state"] == "idle" and kernels[0]["connections"]:
            break
        time.sleep(0.1)
    from playwright.sync_api import expect

    prompt = view.locator(".jp-InputPrompt").first
    for _ in range(5):
        view.get_by_role("menuitem", name="Run", exact=True).click()
        view.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            expect(prompt).not_to_have_text("[ ]:", timeout=5_000)
        except AssertionError:
            continue
        return
    raise RuntimeError("the notebook does not run")
