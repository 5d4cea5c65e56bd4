"""Notebooks to pages: checked arguments, self-contained HTML, and failures that lose nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest

from hotelviz import reports
from hotelviz.errors import OutputError, ReportError
from hotelviz.gallery import html as pages
from hotelviz.io.claims import claim
from hotelviz.reports import NextStep, Table, notebooks, run_report, write_index
from hotelviz.reports.page import write_report

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
    ("code", "import sys\nprint('I0000 00:00:1795638817.080322  1 port.cc:153] it starts\\n'\n"
             "    ' 50%|xx   | 1/2 [00:01<00:01,  1.0it/s]\\nthe gutter leaks', file=sys.stderr)"),
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
    row = (
        '<th scope="row" class="text">{}</th><td class="text long">{}</td><td class="text">{}</td>'
    )
    assert row.format("count", "2", "given") in text
    assert row.format("share", "0.5", "default") in text


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


def test_messages_are_those_that_say_something_to_a_reader(page):
    _, _, messages = page.read_text().partition("<summary>Messages")
    assert re.findall(r"<h3>(.*?)</h3><pre>(.*?)</pre>", messages) == [
        ("Values", "the gutter leaks")
    ]


def test_contents_lead_to_headings_and_no_id_is_there_twice(page):
    text = page.read_text()
    found = [tag["id"] for _, tag in Tags(text).found if "id" in tag]
    assert len(found) == len(set(found))
    links = re.findall(r'<a href="#([^"]*)"', text[text.index("<nav") : text.index("</nav")])
    wanted = ["First-figure", "Second-figure", "Values", "More", "appendix"]
    assert [unquote(link) for link in links] == wanted
    assert set(wanted) <= set(found)


def written(folder: Path, name: str, file: str = "", **given: object) -> str:
    """The page of a report that shows nothing but its title."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {name.title()}")])
    book.cells.append(nbformat.v4.new_code_cell('catalog = "x/photos.csv"'))
    book.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(book, folder / "book.ipynb")
    out = folder / f"{file or name}.html"
    write_report(folder / "book.ipynb", name, out, **given)
    return out.read_text()


def test_reports_lead_to_their_neighbours_in_the_order_of_the_work_and_to_the_index(tmp_path):
    pages = {"hotel_ranking": "h.html", "cleaning_audit": "a.html", "compare_filters": "f.html"}
    text = written(tmp_path, "tagger_report", pages=pages)
    turn = text[text.index('<nav class="turn"') :]
    assert re.findall(r'class="(\w+)" href="([^"]*)"', turn) == [
        ("previous", "a.html"), ("next", "f.html")
    ]  # fmt: skip
    assert '<a class="index" href="index.html">' in text
    assert '<nav class="turn"' not in written(tmp_path, "tagger_report")


def test_report_on_a_model_leads_to_its_comparison_with_an_earlier_one(tmp_path):
    link = "Compared with the model of an earlier run</a>"
    assert link not in written(tmp_path, "tagger_report")
    for name in ("compare_tagger", "compare_aesthetic"):
        written(tmp_path, "compare_models", name)
    for name in ("tagger", "aesthetic"):
        text = written(tmp_path, f"{name}_report")
        assert f'<a href="compare_{name}.html">{link}' in text
    index = write_index(tmp_path).read_text()
    order = ["tagger_report", "aesthetic_report", "compare_aesthetic", "compare_tagger"]
    assert re.findall(r'<a href="(\w+)\.html"><h2>', index) == order


def test_index_is_in_the_order_of_the_work_and_says_what_is_missing(tmp_path):
    for name in ("hotel_ranking", "my_own", "aesthetic_report", "cleaning_audit"):
        written(tmp_path, name)
    written(tmp_path, "aesthetic_training", "first_iteration", banner="Drawn.")
    written(tmp_path, "score_distribution", banner="Drawn. The model is a guest.")
    text = write_index(
        tmp_path, notes=["No <b> ratings.", NextStep("It failed:", command="hotelviz run x")]
    ).read_text()
    assert re.findall(r"<h2>(.*?)</h2>", text)[1:] == [
        "Cleaning_Audit", "Aesthetic_Report", "Score_Distribution", "Hotel_Ranking", "My_Own"
    ]  # fmt: skip
    assert '<a href="first_iteration.html">training on photos.csv</a>' in text
    # What one line says with more beside it is not said twice.
    assert re.findall(r'<p class="banner">(.*?)</p>', text) == ["Drawn. The model is a guest."]
    assert "No &lt;b&gt; ratings." in text
    assert "It failed: <code>hotelviz run x</code>" in text


def test_table_names_its_rows_and_says_what_was_cut():
    frame = pd.DataFrame({
        "label": ["Pool", "<b>"], "photos": [1234.0, None], "share": [0.5, 0.125],
        "why": ["a reason that is too long for one line of a table", ""],
    })  # fmt: skip
    words = {"label": "area", "photos": "photos", "share": "share", "why": "why"}
    table = Table(frame, words, percent=["share"], noun="areas",
                  links={"label": lambda row: f"report:explain_tagger#{row['label']}"})  # fmt: skip
    text = table._repr_html_()
    assert '<th scope="row" class="text"><a href="report:explain_tagger#Pool">Pool</a></th>' in text
    assert "<td>1,234</td><td>50 %</td>" in text
    assert '<td class="text long">a reason' in text
    assert "&lt;b&gt;</a></th><td>–</td>" in text
    assert "<caption>" not in text
    cut = Table(frame, max_rows=1, noun="areas")._repr_html_()
    assert "<caption>1 of 2 areas</caption>" in cut
    with pytest.raises(ReportError, match="'why' has no heading"):
        Table(frame, {"label": "area", "why": ""})
    assert cut.count("<tr>") == 2


def test_a_figure_that_is_not_quite_nothing_is_not_written_as_nothing():
    frame = pd.DataFrame({"p": [0.0004, 0.0006, 0.0, 0.25]})
    cells = re.findall("<td>(.*?)</td>", Table(frame, digits=3)._repr_html_())
    assert cells == ["&lt; 0.001", "0.001", "0.000", "0.250"]


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_notebooks_are_read_without_a_grammar_that_takes_seconds():
    script = (
        "import sys; from hotelviz.io.json_schemas import load_jsonschema\n"
        "load_jsonschema()\n"
        "import nbformat, papermill\n"
        "nbformat.validate(nbformat.v4.new_notebook())\n"
        "print([name for name in ('lark', 'rfc3987_syntax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


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
