"""Kernels that are forked from one process: each is as new, and none outlives the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only"),
]

CELL = """
import json, os, pathlib, random, sys, time
import numpy as np
found = {
    "process": os.getpid(), "parent": os.getppid(), "leader": os.getpgrp(),
    "folder": os.getcwd(), "loaded": "tensorflow" in sys.modules,
    "draws": [random.random(), np.random.rand()],
    "variables": sorted(os.environ), "left": hasattr(np, "left"),
}
np.left = True
os.environ["LEFT"] = "1"
pathlib.Path(out + ".part").write_text(json.dumps(found))
os.replace(out + ".part", out)
time.sleep(600 if stay else 0)
"""
RUN = """
import os
from hotelviz.reports import run_report
from hotelviz.reports.kernels import preloaded_kernels

def report(name, stay=False):
    run_report("book.ipynb", {"out": f"{name}.json", "stay": stay}, f"{name}.html", progress=False)

with preloaded_kernels():
    report("first")
    report("second")
    os.environ["GIVEN"] = "1"
    report("other")
    del os.environ["GIVEN"]
    report("last", stay=True)
"""


def ended(process: int) -> bool:
    """Whether a process is no more; whoever has to take notice of it may not have done so."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What four kernels of one run found, the last of which was at work when the run was killed."""
    folder = tmp_path_factory.mktemp("run")
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "p", "language": "python"}
    book.cells = [nbformat.v4.new_code_cell('out: str = ""  # found\nstay: bool = False  # longer')]
    book.cells[0].metadata["tags"] = ["parameters"]
    book.cells.append(nbformat.v4.new_code_cell(CELL))
    nbformat.write(book, folder / "book.ipynb")
    run = subprocess.Popen([sys.executable, "-c", RUN], cwd=folder, stderr=subprocess.PIPE)
    with run:
        while not (folder / "last.json").exists():
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.1)
        run.kill()
    names = ("first", "second", "other", "last")
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in names}


def test_kernels_of_a_run_are_forked_from_one_process_that_has_loaded_tensorflow(kernels):
    one, two = kernels["first"], kernels["second"]
    assert one["loaded"]
    assert one["parent"] == two["parent"] == kernels["last"]["parent"]
    for kernel in (one, two):
        assert kernel["leader"] == kernel["process"] != kernel["parent"]


def test_a_forked_kernel_knows_nothing_of_the_one_before(kernels):
    one, two = kernels["first"], kernels["second"]
    assert not two["left"]
    assert "LEFT" not in two["variables"]
    assert one["variables"] == two["variables"]
    assert one["folder"] == two["folder"]
    for first, second in zip(one["draws"], two["draws"], strict=True):
        assert first != second


def test_a_kernel_with_another_environment_starts_by_itself(kernels):
    other = kernels["other"]
    assert "GIVEN" in other["variables"]
    assert not other["loaded"]
    assert other["parent"] != kernels["first"]["parent"]
    # What is in the environment for the loading alone is in no kernel's.
    for kernel in kernels.values():
        assert ("JE_ARROW_MALLOC_CONF" in kernel["variables"]) == (
            "JE_ARROW_MALLOC_CONF" in os.environ
        )


def test_no_process_outlives_a_run_that_was_killed(kernels):
    end = time.monotonic() + 60
    processes = {kernel[which] for kernel in kernels.values() for which in ("process", "parent")}
    while not all(map(ended, processes)):
        assert time.monotonic() < end
        time.sleep(0.1)
