"""Parameters of notebooks, in every shape in which papermill hands them over."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from click.testing import CliRunner
from papermill.__main__ import papermill as command
from typer.main import get_command as typer_command

from hotelviz.cli import app
from hotelviz.errors import ReportError
from hotelviz.reports import (
    convert_parameter,
    list_reports,
    notebook_directory,
    read_parameters,
    run_report,
)
from hotelviz.reports.paths import declared_path


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("list[str]", "Pool,Kitchen", ["Pool", "Kitchen"]),
        ("list[str]", " Pool , Kitchen ", ["Pool", "Kitchen"]),
        ("list[str]", "Pool", ["Pool"]),
        ("list[str]", '["Pool", "Sky, Bar"]', ["Pool", "Sky, Bar"]),
        ("list[str]", "['Pool', 'Kitchen']", ["Pool", "Kitchen"]),
        ("list[str]", 'Pool,"Sky, Bar"', ["Pool", "Sky, Bar"]),
        ("list[str]", "[9007199254740993, 12]", ["9007199254740993", "12"]),
        ("list[str]", 123, ["123"]),
        ("list[str]", ("Pool",), ["Pool"]),
        ("list[str]", "", []),
        ("list[str]", None, []),
        ("list[float]", "4.5,5.5", [4.5, 5.5]),
        ("list[float]", "[4.5, 5]", [4.5, 5.0]),
        ("list[float]", 5, [5.0]),
        ("list[float]", ["4.5", "6"], [4.5, 6.0]),
        ("list[int]", "1,2", [1, 2]),
        ("list", [1, "a"], [1, "a"]),
        ("str", 7, "7"),
        ("str", "True", "True"),
        ("str", None, ""),
        ("int", "3", 3),
        ("int", 3.0, 3),
        ("float", "4.5", 4.5),
        ("float", 4, 4.0),
        ("bool", True, True),
        ("bool", "True", True),
        ("bool", "no", False),
        ("bool", 0, False),
        ("dict", '{"alpha": 0.25}', {"alpha": 0.25}),
        ("dict", "{'alpha': None}", {"alpha": None}),
        ("dict", "", {}),
        ("dict", {"a": 1}, {"a": 1}),
        ("Path", 3, 3),
    ],
)  # fmt: skip
def test_what_papermill_gives_is_read_as_the_declared_type(kind, given, wanted):
    found = convert_parameter("it", given, kind)
    assert found == wanted
    assert type(found) is type(wanted)
    assert convert_parameter("it", found, kind) == wanted


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("int", "many"), ("int", 2.5), ("int", True), ("int", ""), ("int", None), ("int", [1]),
        ("int", float("inf")), ("float", "half"), ("float", "nan"), ("float", False),
        ("float", None), ("bool", "maybe"), ("bool", 2), ("bool", None), ("str", True),
        ("str", 1.5), ("str", ["a"]), ("list[str]", [True]), ("list[str]", "[1.5]"),
        ("list[str]", "[Pool"), ("list[str]", '"Pool'), ("list[str]", {"a": 1}),
        ("list[str]", '["Pool", null]'), ("list[float]", "a,b"), ("dict", "[1]"),
        ("dict", "alpha=1"), ("dict", 3),
    ],
)  # fmt: skip
def test_what_is_not_of_the_type_is_refused_by_name(kind, given):
    with pytest.raises(ReportError, match=re.escape(f"'it' is of type {kind}, which {given!r}")):
        convert_parameter("it", given, kind)


def test_only_declared_parameters_are_replaced():
    cell = {"__annotations__": {"a": int, "b": "list[str]", "gone": int}, "a": "1", "b": "x,y",
            "other": "1"}  # fmt: skip
    read_parameters(cell)
    assert (cell["a"], cell["b"], cell["other"]) == (1, ["x", "y"], "1")
    assert "gone" not in cell


def test_every_notebook_declares_a_type_that_is_read_and_reads_its_parameters_first():
    kinds = {"str", "int", "float", "bool", "dict", "list[str]", "list[int]", "list[float]"}
    for report in list_reports().to_dict("records"):
        for line in report["parameters"]:
            kind, _, default = line.partition(": ")[2].partition(" = ")
            assert kind in kinds or declared_path(kind), line
            assert declared_path(kind) or "/" not in default, f"{line} is a path"
        book = nbformat.read(notebook_directory() / f"{report['name']}.ipynb", as_version=4)
        code = [cell for cell in book.cells if cell.cell_type == "code"]
        assert code[0].metadata["tags"] == ["parameters"]
        assert code[1].source.splitlines()[-1] == "read_parameters(globals())"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A folder with reports and notebooks, and one beside it; nothing else is looked into."""
    for folder in ("work/reports/data", "work/notebooks", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "work/reports/data/catalog.csv").touch()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PWD", raising=False)
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("current", "started"), [(".", "."), ("notebooks", "."), ("../elsewhere", "notebooks")]
)
def test_defaults_are_found_from_wherever_jupyterlab_was_started(
    house, monkeypatch, current, started
):
    monkeypatch.chdir(house / current)
    monkeypatch.setenv("PWD", str(house / started))
    cell = {
        "__annotations__": {"catalog": "path", "more": "'list[path]'", "out": "output"},
        "catalog": "reports/data/catalog.csv", "more": "reports/data", "out": "reports/a/b.keras",
    }  # fmt: skip
    read_parameters(cell)
    found = [Path(cell["catalog"]), Path(cell["more"][0]), Path(cell["out"])]
    reports = house / "reports"
    assert [one.resolve() for one in found] == [
        reports / "data" / "catalog.csv", reports / "data", reports / "a" / "b.keras",
    ]  # fmt: skip


def test_an_output_starts_here_where_no_folder_of_its_name_is_there(house):
    cell = {"__annotations__": {"out": "output", "log": "output"}, "out": "new/b", "log": "c.csv"}
    read_parameters(cell)
    assert Path(cell["out"]).resolve() == house.parent / "elsewhere" / "new" / "b"
    assert cell["log"] == "c.csv"


def test_a_path_that_is_not_there_says_where_it_was_looked_for_and_what_writes_it(house):
    model = "reports/models/tagger.keras"
    looked = ", ".join(map(str, [house.parent / "elsewhere", *(house / "x").parents[1:]]))
    with pytest.raises(ReportError) as told:
        read_parameters({"__annotations__": {"model": "path"}, "model": model})
    assert str(told.value) == (
        f"the parameter 'model': {model}: not there; looked in {looked}; "
        "`hotelviz demo` or `hotelviz run` or `hotelviz train-tagger` writes it"
    )
    given = house / "reports" / "data" / "catalogue.csv"
    with pytest.raises(ReportError, match=r"catalogue\.csv: not there; .* mean 'catalog\.csv'"):
        read_parameters({"__annotations__": {"catalog": "path"}, "catalog": str(given)})


@pytest.fixture
def no_kernel(monkeypatch):
    """Let no kernel start; what it would have been given is noted."""
    started = []

    def execute(source, target, parameters, **_):
        started.append(parameters)
        raise RuntimeError("a kernel was started")

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    return started


@pytest.mark.parametrize(
    ("report", "given", "told"),
    [
        ("tagger_report", ["model=lost.keras"], "'model': lost.keras: not there; looked in "),
        ("atlas", ["model=lost.keras", "catalog={file}"], "'model': lost.keras: not there; looked"),
        ("tagger_report", [], "'catalog': reports/data/catalog.csv: not there; looked in "),
        ("cleaning_effect", ["decisions={file},lost.csv", "catalog={file}"], "'decisions': lost."),
        ("hotel_ranking", ["scores=/lost", "catalog="], "'scores': /lost: not there; `hotelviz"),
        ("aesthetic_report", ["catalog={file}"], "'models': reports/models/aesthetic_2.keras: not"),
    ],
)
def test_a_wrong_path_is_refused_before_a_kernel_starts(house, no_kernel, report, given, told):
    file = house / "reports" / "data" / "catalog.csv"
    options = [part for text in given for part in ("-p", text.format(file=file))]
    done = CliRunner().invoke(typer_command(app), ["report", report, *options, "--out", "x.html"])
    assert done.exit_code != 0
    assert f"the parameter {told}" in " ".join(done.output.split())
    assert no_kernel == []
    assert not Path("x.html").exists()


@pytest.mark.parametrize(
    ("report", "given"),
    [
        ("hotel_ranking", {"scores": "s3://bucket/scores", "catalog": "", "out": "new/ranking"}),
        ("rating_quality", {"store": "postgresql://user@host/labels"}),
        ("aesthetic_report", {"predictions": "{file}"}),
        ("compare_filters", {"original": "imagenet", "tuned": "{file}", "catalog": "{file}"}),
        ("atlas", {"model": "imagenet", "catalog": "{file}"}),
    ],
)
def test_what_needs_no_file_is_not_looked_for(house, no_kernel, report, given):
    file = str(house / "reports" / "data" / "catalog.csv")
    parameters = {name: value.format(file=file) for name, value in given.items()}
    with pytest.raises(RuntimeError, match="a kernel was started"):
        run_report(report, parameters, "x.html")
    if "out" in parameters:
        parameters["out"] = str(Path("new/ranking").absolute())
    assert no_kernel == [parameters]


NOTEBOOK = """
classes: list[str] = []  # a
hotels: list[str] = []  # b
thresholds: list[float] = [1.0]  # c
seed: int = 0  # d
share: float = 0.5  # e
loud: bool = False  # f
name: str = ""  # g
more: dict = {}  # h
empty: list[str] = ["x"]  # i
photos: "path" = "reports/photos.csv"  # j
""".strip()


@pytest.mark.slow
def test_a_notebook_run_by_the_command_papermill_finds_the_declared_types(tmp_path):

    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "p", "language": "python"}
    book.cells = [
        nbformat.v4.new_code_cell(NOTEBOOK, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from hotelviz.reports import read_parameters\nread_parameters(globals())\n"
            "[classes, hotels, thresholds, seed, share, loud, name, more, empty, photos]"
        ),
    ]
    nbformat.write(book, tmp_path / "in.ipynb")
    (tmp_path / "more.yaml").write_text("more: {alpha: 0.25}\nseed: '3'\n")
    photos = tmp_path / "reports" / "photos.csv"
    for folder in (photos.parent, tmp_path / "notebooks"):
        folder.mkdir()
    photos.touch()
    arguments = [
        str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), "--no-progress-bar",
        "--cwd", str(tmp_path / "notebooks"),
        "-p", "classes", "Pool,Kitchen", "-p", "hotels", "123", "-r", "name", "007",
        "-p", "thresholds", "[4.5, 5]", "-y", "share: 1", "-p", "loud", "True",
        "-f", str(tmp_path / "more.yaml"), "-p", "empty", "",
    ]  # fmt: skip
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    shown = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs[0].data
    assert ast.literal_eval(shown["text/plain"]) == [
        ["Pool", "Kitchen"], ["123"], [4.5, 5.0], 3, 1.0, True, "007", {"alpha": 0.25}, [],
        str(photos),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_report_run_by_the_command_papermill_takes_text_for_lists_and_numbers(tmp_path):

    scores = tmp_path / "scores.parquet"
    values = np.linspace(1, 10, 60)
    pd.DataFrame({"image_id": [f"p{n}" for n in range(60)], "score": values}).to_parquet(scores)
    arguments = [
        str(notebook_directory() / "score_distribution.ipynb"), str(tmp_path / "out.ipynb"),
        "--no-progress-bar", "-p", "scores", str(scores), "-p", "thresholds", "5.5,3",
        "-r", "n_photos", "0", "-r", "seed", "1",
    ]  # fmt: skip
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    book = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    text = " ".join(
        str(output.get("data", {}).get("text/plain", ""))
        for cell in book.cells
        for output in cell.get("outputs", [])
    )
    low, high = (100 * part.mean() for part in (values <= 3, values > 5.5))
    said = f"{high:.0f} % of 60 photos score above 5.5 of 10, {low:.0f} % up to 3, and "
    assert said in text
