"""The README and the site name only what is there, and every plot has its picture."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parent.parent
PAGES = [
    path for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if not {"_build", "generated"} & set(path.parts)
]  # fmt: skip
#: Tells what names were before.
CURRENT = [path for path in PAGES if path.name != "CHANGELOG.md"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, *languages: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    fenced = re.findall(r"^( *)```(.*?)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, kind, body in fenced
        if kind.split() and kind.split()[-1] in languages
    ]


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def names_used(source: str) -> set[str]:
    """The dotted names of hotelviz that a piece of Python imports, and what it takes of them."""
    code = re.sub(r"\A---\n.*?^---\n|^:\w+:.*$", "", source, flags=re.MULTILINE | re.DOTALL)
    nodes = list(ast.walk(ast.parse(code)))
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module.startswith("hotelviz")
        for alias in node.names
    }
    taken = {
        f"{imported[node.value.id]}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in imported
    }
    return taken | set(imported.values())


@pytest.mark.parametrize("path", CURRENT, ids=name_of)
def test_pages_import_and_call_what_is_there(path):
    used = set().union(*map(names_used, blocks(path, "python")))
    assert not [name for name in used if not exists(name)]


@pytest.mark.parametrize("path", CURRENT, ids=name_of)
def test_pages_name_what_is_there(path):
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`(hotelviz(?:\.\w+)+)", text))
    assert not [name for name in named if not exists(name)]
    files = set(re.findall(r"`((?:hotelviz|benchmarks|notebooks|tests|docs)/[\w/.]*)`", text))
    made = {"notebooks/name.ipynb", "docs/_build/html", "docs/_build/html/index.html"}
    assert not [file for file in files - made if not (ROOT / file).exists()]


@pytest.mark.parametrize("path", CURRENT, ids=name_of)
def test_pages_give_commands_and_options_that_are_there(path):
    from hotelviz.cli import app

    commands = typer.main.get_command(app).commands
    for shell in blocks(path, "bash"):
        for line in shell.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["hotelviz"] and not words[1].startswith("-"):
                given = [word for word in words if word.startswith("--")]
                options = {name for one in commands[words[1]].params for name in one.opts}
                assert set(given) <= options | {"--help"}, line


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_of_pages_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    gone = [link for link in local if not (path.parent / link).exists()]
    assert not [link for link in gone if link != "api/index.md"], gone


def test_readme_is_short_and_its_picture_small():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert [(ROOT / file).stat().st_size < 300_000 for file in pictures] == [True]
    assert len(blocks(ROOT / "README.md", "python")[0].split("\n\n", 1)[1].splitlines()) <= 10


def test_every_plot_has_a_picture_on_the_site():
    code = "import pictures; print(pictures.without_picture())"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "docs", text=True, capture_output=True,
        check=True, env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(ROOT)},
    )  # fmt: skip
    assert found.stdout.strip() == "[]"
