"""The project's own files agree with one another."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

from hotelviz.reports import notebook_directory

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOKS = sorted(notebook_directory().glob("*.ipynb"))


def test_environment_lists_the_packages_of_the_project():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert listed[0] == f"python {PROJECT['requires-python']}"
    packages = [line for line in listed[-1]["pip"] if not line.startswith("--editable")]
    assert packages == PROJECT["dependencies"]


def test_lock_pins_every_dependency_with_hashes_and_without_hosts():
    lock = (ROOT / "requirements.lock").read_text()
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", lock, flags=re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    # The tests need what these extras bring: `dev` names the package itself with them.
    wanted = [*PROJECT["dependencies"], *extras["dev"]]
    for extra in ("fast", "heif", "ray", "s3", "postgres"):
        wanted += extras[extra]
    names = {re.split(r"[><=\[]", line)[0].lower() for line in wanted}
    assert names - {"hotelviz"} <= pinned
    assert len(re.findall(r"--hash=sha256:", lock)) >= len(pinned)
    assert "://" not in lock


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_as_source(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].metadata.tags == ["parameters"]
    for line in code[0].source.splitlines():
        kind = r'\w+(\[\w+\])?|"[\w\[\] ]+"'
        assert re.fullmatch(rf"\w+: ({kind}) = .+  # .+", line), "a type and a comment each"
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(len(cell.source.splitlines()) <= 25 for cell in code)
