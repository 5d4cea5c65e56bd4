"""The README and the site name only what is there, and every plot has its picture."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "extensions"))

from api_pages import inheriting, public_modules, public_names  # noqa: E402
from argument_types import add_types, linked_types  # noqa: E402
from plot_pictures import add_picture  # noqa: E402
from signatures import say_what_is_missing  # noqa: E402

from hotelviz.reports import list_reports  # noqa: E402

PAGES = [
    path for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if not {"_build", "generated"} & set(path.parts)
]  # fmt: skip
#: Tells what names were before.
CURRENT = [path for path in PAGES if path.name != "CHANGELOG.md"]


#: Without an example of their own: they need a trained model or a finished run, or the example of
#: the function beside them shows them.
SHOWN_ELSEWHERE = {
    "append_decisions", "read_decisions", "spatial_node", "split_head", "compare_datasets",
    "feature_model", "label_issue_tagger", "compare_with_planted", "decide_by_truth", "read_masks",
    "concept_activity", "concept_effects", "concept_maps", "find_shortcuts", "load_concepts",
    "name_concepts", "photo_concepts", "read_names", "score_ends", "shortcut_examples",
    "read_audit", "write_audit", "compare_orders", "labelled_catalog", "progress_text", "run",
    "unexplained_share",
}  # fmt: skip


def public_things() -> Iterator[tuple[str, Any]]:
    """Name and value of what the API reference describes."""
    for module in map(importlib.import_module, public_modules()):
        for name in public_names(module):
            yield f"{module.__name__}.{name}", getattr(module, name)


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
    packages = "|".join(name.removeprefix("hotelviz.") for name in public_modules())
    # As code calls them, `plots.class_counts`; files such as `scores.parquet` are no names.
    called = re.findall(rf"`((?:{packages})\.[a-zA-Z_]+)[`(]", text)
    files = {"csv", "parquet", "py", "md", "html"}
    named |= {f"hotelviz.{name}" for name in called if name.split(".")[-1] not in files}
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


@pytest.mark.parametrize("path", CURRENT, ids=name_of)
def test_pages_give_reports_and_parameters_that_are_there(path):
    listed = list_reports().set_index("name")["parameters"]
    for shell in blocks(path, "bash"):
        for line in shell.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["hotelviz", "report"] and not words[2].startswith("-"):
                known = {one.partition(":")[0] for one in listed[words[2]]}
                given = [words[n + 1] for n, word in enumerate(words) if word == "-p"]
                assert {one.partition("=")[0] for one in given} <= known, line


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


@pytest.mark.slow
def test_every_plot_has_a_picture_on_the_site():
    code = "import pictures; print(pictures.without_picture())"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "docs", text=True, capture_output=True,
        check=True, env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(ROOT)},
    )  # fmt: skip
    assert found.stdout.strip() == "[]"


def test_public_functions_have_an_example():
    missing = {
        name.rpartition(".")[2]
        for name, value in public_things()
        if inspect.isfunction(value) and ">>>" not in (value.__doc__ or "")
    }
    assert missing == SHOWN_ELSEWHERE


def test_docstrings_of_public_things_name_what_is_there():
    named = {
        name for _, value in public_things() if inspect.isroutine(value) or inspect.isclass(value)
        for name in re.findall(r"(?<!`)`(hotelviz(?:\.\w+)+)`", inspect.getdoc(value) or "")
    }  # fmt: skip
    assert len(named) > 50
    assert not [name for name in named if not exists(name)]


def test_pictures_stand_below_the_first_sentence(tmp_path):
    folder = tmp_path / "api" / "generated" / "pictures"
    folder.mkdir(parents=True)
    (folder / "pictures.json").write_text(json.dumps({"plots.bars": "two bars"}))
    lines = ["", "Draw bars.", "", ":Parameters:"]
    add_picture(SimpleNamespace(srcdir=tmp_path), "function", "plots.bars", None, None, lines)
    assert lines[:4] == ["", "Draw bars.", "", ".. image:: /api/generated/pictures/plots.bars.png"]
    assert lines[-1] == ":Parameters:"


def test_annotations_say_the_types_that_docstrings_do_not():
    def function(path: str, size: int = 3, name: str | None = None, **_more: int) -> None:
        """Do nothing."""

    lines = ["Do nothing.", "", "Parameters", "----------", "path", "    A file.", "size : int, 3",
             "name", "    Of it.", "**_more", "    More."]  # fmt: skip
    add_types(None, "function", "function", function, None, lines)
    assert lines[4:8] == ["path : str", "    A file.", "size : int, 3", "name : str, optional"]
    assert lines[9] == "**_more"


def test_annotations_say_the_types_of_results():
    class Result(NamedTuple):
        """What was found."""

        value: float
        low: float | None

    lines = [
        "What was found.",
        "",
        "Attributes",
        "----------",
        "value",
        "    It.",
        "low",
        "    Or.",
    ]
    add_types(None, "class", "Result", Result, None, lines)
    assert lines[4::2] == ["value : float", "low : float or None"]


def test_arguments_of_several_types_have_a_line_each():
    def function(path: str, size: int = 3, *, low: float = 0.0, high: float = 0.0) -> None:
        """Do nothing."""

    lines = ["Do.", "", "Parameters", "----------", "path, size", "    As in.", "low, high",
             "    Both.", "low, size : int, default 0 and 1", "    Typed."]  # fmt: skip
    add_types(None, "function", "function", function, None, lines)
    assert lines[4:] == [
        "path : str", "size : int, default 3", "    As in.", "low, high : float, default 0.0",
        "    Both.", "low, size : int, default 0 and 1", "    Typed.",
    ]  # fmt: skip


def test_texts_in_types_are_code():
    lines = ["Do.", "", "Parameters", "----------", "by : {'a', 'b'}, default 'a b'", "    It's."]
    add_types(None, "function", "print", print, None, lines)
    assert lines[4:] == ["by : {``'a'``, ``'b'``}, default ``'a b'``", "    It's."]


def test_pages_of_enumerations_list_what_these_can_be():
    from hotelviz.metrics import Change

    lines = ["What it says."]
    add_types(None, "class", "Change", Change, None, lines)
    place = lines.index("NONE : ``'no measurable difference'``")
    assert lines[place + 1] == "    The interval holds 0 and nothing as large as the margin."
    assert "BETTER : ``'better'``" in lines


def test_types_of_the_package_lead_to_their_pages():
    known = linked_types()
    assert known["Gallery"] == "hotelviz.gallery.Gallery"
    assert known["Target"] == "hotelviz.attribution.Target"
    assert known["ModelError"] == "hotelviz.errors.ModelError"
    assert known["Outcome"] == ".Outcome"  # of conditions, and of runs


def test_pages_show_the_methods_that_a_base_gives():
    assert "hotelviz.scores.Scores" in inheriting()
    assert "hotelviz.gallery.Gallery" not in inheriting()


def test_signatures_say_types_that_no_section_says():
    def short(path: str, *, say: object = repr) -> int:
        """Return it."""

    def long(path: str, *, say: object = repr) -> int:
        """Return it.

        Parameters
        ----------
        path, say
            Both.
        """

    def signature(function: Any) -> tuple[str, str] | None:
        return say_what_is_missing(None, "function", "f", function, None, "()")

    assert signature(short) == ("(path: str, *, say: object = repr)", "int")
    assert signature(long) == ("(path, *, say=repr)", "int")


def test_signatures_say_defaults_as_one_would_write_them():
    @dataclasses.dataclass
    class Step:
        """A step.

        Attributes
        ----------
        key
            Of it.
        """

        key: dict[str, str] = dataclasses.field(default_factory=dict)

    class Kind(enum.StrEnum):
        """A kind."""

        ONE = "one"

    assert say_what_is_missing(None, "class", "Step", Step, None, "(key=<factory>)") == (
        "(key={})", "",
    )  # fmt: skip
    assert say_what_is_missing(None, "class", "Kind", Kind, None, "(value)") == ("", "")
