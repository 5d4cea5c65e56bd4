"""Notebooks to pages: checked arguments, self-contained HTML, and failures that lose nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from hotelviz import reports
from hotelviz.errors import OutputError, ReportError
from hotelviz.gallery import html as pages
from hotelviz.io.claims import claim
from hotelviz.reports import notebooks, run_report, write_index

EVIL = "<script>alert('x')</script>"

PARAMETERS = """
name: str = "world"  # whom to greet
count: int = 3  # how often
share: float = 0.5  # of something
loud: bool = False  # shout
words: list = []  # more words
fail: bool = False  # stop with an error
"""
CELLS = [
    ("markdown", "# A *test* report"),
    ("parameters", PARAMETERS.strip()),
    ("code", "import pandas as pd\nimport matplotlib.pyplot as plt\n"
             "from hotelviz.reports import Card, NextStep, Table, Verdict\n"
              "from hotelviz.plots.alt_text import set_alt"),
    ("markdown", "## First figure"),
    ("code", "figure, ax = plt.subplots()\nax.plot([1, 2])\nset_alt(figure, 'A line that rises');"),
    ("markdown", "## Second figure"),
    ("code", "plt.plot([2, 1]);"),
    ("markdown", "## Values"),
    ("code", "pd.DataFrame({'who': [name] * count})"),
    ("code", "Verdict(f'{name} was greeted.', cards=[Card('greetings', str(count), name)],\n"
             "    next_steps=[NextStep('Look at the values', '#Values'),\n"
             "        NextStep('See the other page', 'other#Two'), NextStep('Go', 'nowhere')])"),
    ("markdown", "## Nothing to see"),
    ("code", "Table(pd.DataFrame({'a': []}))"),
    ("markdown", "## More"),
    ("code", "if fail:\n    raise RuntimeError('the roof is leaking')"),
    ("code", "print('said by', name)"),
    ("code", "from IPython.display import Markdown\nMarkdown(f'It was **{name}**.')"),
]  # fmt: skip


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "p", "language": "python"}
    for kind, source in CELLS:
        make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        cell = make(source)
        if kind == "parameters":
            cell.metadata["tags"] = ["parameters"]
        book.cells.append(cell)
    path = tmp_path_factory.mktemp("books") / "sample.ipynb"
    nbformat.write(book, path)
    return path


@pytest.fixture(scope="module")
def page(notebook: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "sample.html"
    return run_report(
        notebook, {"name": EVIL, "count": "2"}, out, progress=False,
        banner="Made up.", pages={"other": "other page.html"},
    )  # fmt: skip


class Tags(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_every_picture_has_its_text_or_the_heading_above_it(page):
    images = Tags(page.read_text()).all("img")
    assert [image["alt"] for image in images] == ["A line that rises", "Second figure"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)


def test_page_fetches_nothing_and_runs_no_script_but_the_gallerys(page):
    text = page.read_text()
    tags = Tags(text)
    assert tags.all("script") == [{"type": "module"}]
    assert tags.all("link") == tags.all("iframe") == []
    assert not re.search(r"(?:src|href)=[\"']?https?:", text)
    assert "url(http" not in text
    assert "@import" not in text
    policy = next(tag for tag in tags.all("meta") if "http-equiv" in tag)
    assert policy["content"] == pages.policy()


def test_markup_in_data_is_escaped(page):
    assert EVIL not in page.read_text()
    assert page.read_text().count("&lt;script&gt;") >= 3  # parameter, table, printed


def test_what_a_cell_says_in_markdown_is_shown_without_markup_from_data(page):
    assert "<p>It was <strong>&lt;script&gt;alert('x')" in page.read_text()


def test_page_shows_title_date_and_parameters(page):
    text = page.read_text()
    assert "<title>A *test* report</title>" in text
    assert re.search(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} · hotelviz \d", text)
    assert '<th scope="row">count</th><td>2</td><td>given</td>' in text
    assert '<th scope="row">share</th><td>0.5</td><td>default</td>' in text


def test_banner_and_verdict_stand_before_everything_else(page):
    text = page.read_text()
    top = text[text.index("<h1>") : text.index("</header>")]
    places = [top.index(said) for said in ("Made up.", "was greeted.", "greetings", "to do next")]
    assert places == sorted(places)
    assert text.count("was greeted.") == 2 + 1  # in the page, its head, and its code


def test_next_steps_lead_to_pages_that_are_there_and_to_no_other(page):
    links = {tag.get("href") for tag in Tags(page.read_text()).all("a")}
    assert {"#Values", "other%20page.html#Two"} <= links
    assert "<li>Go</li>" in page.read_text()


def test_section_without_anything_to_see_is_left_out(page):
    text = page.read_text()
    assert "Nothing to see" not in text[: text.index('id="appendix"')]
    assert '<a href="#More">' in text


def test_code_and_messages_are_in_the_appendix(page):
    text = page.read_text()
    before, _, appendix = text.partition('id="appendix"')
    assert "pd.DataFrame" not in before
    assert "pd.DataFrame" in appendix
    assert "<details open" not in text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cuont": 1}, r"no parameter 'cuont'; did you mean 'count'\?(.|\n)*count: int = 3  how"),
        ({"count": "many"}, r"'count' is of type int, which 'many' is not"),
        ({"count": 2.5}, r"'count' is of type int, which 2.5 is not"),
        ({"share": "half"}, r"'share' is of type float"),
        ({"loud": "maybe"}, r"'loud' is of type bool"),
        ({"name": 7.5}, r"'name' is of type str"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(
    notebook, tmp_path, monkeypatch, parameters, message
):
    import papermill

    monkeypatch.setattr(papermill, "execute_notebook", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(ReportError, match=message):
        run_report(notebook, parameters, tmp_path / "out.html")


def test_page_that_could_not_be_written_is_refused_before_anything_runs(
    notebook, tmp_path, monkeypatch
):
    import papermill

    monkeypatch.setattr(papermill, "execute_notebook", lambda *_, **__: pytest.fail("it ran"))
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match=r"page\.html: is a folder"):
        run_report(notebook, {}, tmp_path / "page.html")
    with claim(tmp_path / "other.html"), pytest.raises(OutputError, match=r"other\.html"):
        run_report(notebook, {}, tmp_path / "other.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"):
        run_report(notebook, {}, tmp_path / "file" / "page.html")
    with pytest.raises(OutputError, match="is read, and would be replaced"):
        run_report(notebook, {}, notebook)


@pytest.mark.parametrize("text", ["", "xx", "[]", '{"cells": 3}'])
def test_file_that_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(ReportError, match=r"a\.ipynb: is no notebook"):
        run_report(tmp_path / "a.ipynb", {}, tmp_path / "a.html")


def test_failing_cell_is_shown_and_the_last_good_page_stays(notebook, tmp_path):
    out = tmp_path / "report.html"
    out.write_text("the last good one")
    with pytest.raises(
        ReportError, match=r"(?s)RuntimeError: the roof is leaking.*Traceback.*if fail:"
    ):
        run_report(notebook, {"fail": True}, out, progress=False)
    assert out.read_text() == "the last good one"
    assert list(tmp_path.iterdir()) == [out]


def test_full_disk_is_said_and_the_last_good_page_stays(tmp_path, monkeypatch):
    out = tmp_path / "index.html"
    out.write_text("the last good one")

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match=r"index\.html: cannot be written: No space left"):
        write_index(tmp_path)
    monkeypatch.undo()
    assert out.read_text() == "the last good one"
    assert list(tmp_path.iterdir()) == [out]


def test_unknown_report_lists_those_there_are(tmp_path):
    with pytest.raises(
        ReportError, match=r"no report 'tager_report'.*did you mean 'tagger_report'"
    ):
        run_report("tager_report", {}, tmp_path / "x.html")


def test_index_links_reports_with_their_headlines_and_passes_others_over(page):
    (page.parent / "foreign.html").write_text("<html><title>Not ours</title></html>")
    text = write_index(page.parent).read_text()
    assert '<a href="sample.html">' in text
    assert "was greeted." in text
    assert "greetings" in text
    assert "<strong>2</strong>" in text
    assert "data:image/webp" in text
    assert "foreign" not in text
    assert EVIL not in text


def test_notebooks_of_an_installed_package_come_first(tmp_path, monkeypatch):
    package = tmp_path / "site" / "hotelviz"
    (package / "notebooks").mkdir(parents=True)
    monkeypatch.setattr(notebooks, "__file__", str(package / "reports" / "notebooks.py"))
    assert reports.notebook_directory() == package / "notebooks"


def test_reports_are_listed_without_what_runs_them():
    heavy = ("papermill", "nbconvert", "nbformat", "IPython", "tensorflow", "matplotlib")
    script = (
        "import sys; from hotelviz.cli import app\n"
        "app(['report', '--list'], standalone_mode=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "tagger_report: Tagger report" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a = 1", ("", "1", "")),
        ("a: 'list[str]' = ['#', 'é']  # what # it", ("list[str]", "['#', 'é']", "what # it")),
        ("a: dict = {\n    'b': 1,\n}  # more", ("dict", "{\n    'b': 1,\n}", "more")),
    ],
)
def test_signature_of_a_notebook_is_read_as_it_is_written(source, wanted):
    cells = [{"metadata": {"tags": ["parameters"]}, "source": f"import os\n{source}\na.b = 3"}]
    assert notebooks.notebook_parameters(cells) == {"a": wanted}
    assert notebooks.notebook_parameters([{"metadata": {}, "source": source}]) == {}
