"""The talk from a folder of reports: which slides there are, and what they say."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hotelviz import plots
from hotelviz.cli import app
from hotelviz.errors import OutputError, ReportError
from hotelviz.plots.alt_text import set_alt
from hotelviz.reports.slides import write_slides

EVIL = '<script>alert("$1 & $2")</script>'


def draw(reports: Path, report: str, name: str, text: str, size=(2, 1)) -> None:
    """Export a figure as a report does it."""
    figure = plots.new_figure(size)
    figure.subplots().set(xticks=[], yticks=[])
    plots.exported(set_alt(figure, text), reports / "figures" / report, name)


def write_page(reports: Path, report: str, said: str, stem: str = "") -> None:
    """Write the head of a page, which is all that slides read of it."""
    meta = {"report": report, "title": f"The {report}", "date": "2026-11-25 20:00",
            "verdict": said, "banner": EVIL, "cards": '[["accuracy", "80 %", "<b>n</b>"]]',
            "data": '["photos/<i>.csv"]', "models": '["tagger.keras"]'}  # fmt: skip
    tags = [f'<meta name="hotelviz:{key}" content="{html.escape(v)}">' for key, v in meta.items()]
    (reports / f"{stem or report}.html").write_text("".join(tags), encoding="utf-8")


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """Figures of three reports, one of which has no page, and pages that try to be markup."""
    folder = tmp_path_factory.mktemp("reports")
    draw(folder, "tagger_report", "confusion_matrix", "Matrix of 9 photos.", (1, 1))
    draw(folder, "tagger_report", "misclassified", f"{EVIL}. Two of 9 are wrong.")
    for number in (2, 10, 1):
        draw(folder, "explain_tagger", f"concepts_{number}", f"concept {number}.")
    draw(folder, "explain_tagger", "maps_1", "map 1.")
    for name in ("confusion_labelled", "per_class_labelled"):
        draw(folder, "cleaning_effect", name, f"{name}.")
    for number in (1, 2):
        draw(folder, "aesthetic_report", f"predicted_against_rated_iteration_{number}", f"{number}")
    write_page(folder, "tagger_report", f"Right on 80 % of 9 photos; {EVIL}.")
    # The page that is called as its report stands for it.
    write_page(folder, "tagger_report", "another", stem="a_tagger")
    write_page(folder, "explain_tagger", "No shortcut.")
    return folder


@pytest.fixture(scope="module")
def deck(reports, tmp_path_factory):
    return write_slides(reports, tmp_path_factory.mktemp("out") / "slides", title=f"Talk {EVIL}")


def sections(page: str) -> list[str]:
    return re.findall(r"<section.*?</section>", page, re.DOTALL)


def test_slides_stand_in_the_order_of_the_talk(deck):
    assert deck.titles == [
        f"Talk {EVIL}", "Trained on the labels as they are", "Which areas it knows",
        "Wrong predictions",
        "Why it errs: what the photos have in common", "Why it errs: where the evidence is",
        *["Why it errs: what the photos have in common"] * 2, "Predicted against rated", "In short",
    ]  # fmt: skip
    shown = sections(deck.page.read_text())
    assert len(shown) == 10
    assert [f"{n} / 10" in slide for n, slide in enumerate(shown[1:-1], start=2)] == [True] * 8
    # The second confusion comes before the tenth.
    assert "Concept 2." in shown[6]
    assert "Concept 10." in shown[7]
    assert [slide.count("<img") for slide in shown] == [0, 2, 1, 1, 1, 1, 1, 1, 2, 0]


def test_sentence_is_the_verdict_or_what_the_figure_shows(deck):
    labelled, matrix, wrong, *_ = sections(deck.page.read_text())[1:]
    assert "<p>Right on 80 % of 9 photos;" in matrix
    assert 'alt="Matrix of 9 photos."' in matrix
    assert 'class="slide beside"' in matrix
    assert "Two of 9 are wrong.</p>" in wrong
    assert "<p>Confusion_labelled.</p>" in labelled


def test_figures_lie_beside_the_page_in_their_order(deck):
    names = sorted(file.name for file in (deck.page.parent / "figures").iterdir())
    assert names[:4] == [
        "02-cleaning_effect-confusion_labelled.png", "02-cleaning_effect-confusion_labelled.svg",
        "02-cleaning_effect-per_class_labelled.png", "02-cleaning_effect-per_class_labelled.svg",
    ]  # fmt: skip
    page = deck.page.read_text()
    links = re.findall(r'href="(figures/[^"]+)"', page)
    assert sorted(links) == [f"figures/{name}" for name in names]
    assert "tagger_report.html" in page


def test_what_is_missing_is_named_with_the_command_that_makes_it(reports, deck):
    said = {line.split()[0]: line for line in deck.missing}
    assert "has not drawn per_class (slides: How sure one can be" in said["tagger_report"]
    assert "maps_2, maps_10" in said["explain_tagger"]
    assert said["hotel_ranking"].endswith(
        f"hotelviz report hotel_ranking -p export={reports}/figures/hotel_ranking "
        f"--out {reports}/hotel_ranking.html"
    )


def test_what_comes_from_data_is_text(deck):
    page = deck.page.read_text()
    assert len(re.findall("<script", page)) == 1
    assert "alert(" in page
    assert "<i>" not in page
    assert "<b>n</b>" not in page
    assert not re.search(r"""(?:src|href)=["']?https?:""", page)


def test_second_run_replaces_the_slides_and_leaves_other_folders_alone(reports, tmp_path):
    out = tmp_path / "slides"
    few = tmp_path / "few"
    draw(few, "score_distribution", "levels", "Levels.")
    write_slides(reports, out)
    deck = write_slides(few, out)
    assert deck.titles == ["What the models see in hotels' photos", "Low, medium and high"]
    names = sorted(file.name for file in (out / "figures").iterdir())
    assert names == ["02-score_distribution-levels.png", "02-score_distribution-levels.svg"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="hotelviz did not make it"):
        write_slides(few, tmp_path / "mine")


def test_folders_without_figures_are_refused(tmp_path):
    with pytest.raises(ReportError, match="there is no such folder"):
        write_slides(tmp_path / "lost", tmp_path / "slides")
    with pytest.raises(ReportError, match=r"there are no figures(.|\n)*export="):
        write_slides(tmp_path, tmp_path / "slides")
    (tmp_path / "figures" / "tagger_report").mkdir(parents=True)
    (tmp_path / "figures" / "tagger_report" / "confusion_matrix.png").write_bytes(b"no")
    with pytest.raises(ReportError, match=r"confusion_matrix\.png: is no picture"):
        write_slides(tmp_path, tmp_path / "slides")
    assert not (tmp_path / "slides").exists()


def test_command_says_what_was_written_and_what_was_left_out(reports, tmp_path):
    out = tmp_path / "slides"
    done = CliRunner().invoke(app, ["slides", str(reports), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"10 slides: open {out / 'index.html'}" in done.output
    assert "left out: score_distribution has not drawn levels, distribution" in done.output
