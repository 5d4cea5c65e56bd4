"""Concepts on pages about something else: of an aesthetic model's scores, and through training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coloured import coloured_photos, planted
from executed import run_cells

from hotelviz.models import save_model
from hotelviz.plots.alt_text import figure_alt
from hotelviz.reports import Verdict
from hotelviz.reports.verdicts.page_concepts import score_concepts, trained_concepts
from hotelviz.schema import RATINGS


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return coloured_photos(tmp_path_factory.mktemp("photos"))


def colour_blind(task: str = "tagger"):
    """A network that sees how bright a place is, and no colours."""
    model = planted(task)
    conv = model.get_layer("conv")
    kernel, bias = conv.get_weights()
    conv.set_weights([np.repeat(kernel.mean(axis=2, keepdims=True), 3, axis=2), bias])
    return model


def test_page_of_scores_has_what_speaks_for_either_end(photos):
    found = score_concepts(planted("aesthetic"), photos)
    assert found.said.startswith("What speaks most for 8 and 9 is concept ")
    assert found.said.endswith(
        "Found, and looked at, in 48 photos of 16 hotels: 6 concepts; 0 % of what moves the mean "
        "scores is of none."
    )
    drawn = found.figures["speaks_for"]
    pulls = [bar.get_width() for bar in drawn.bars_["pull"]]
    assert pulls == sorted(pulls, reverse=True)
    assert pulls[0] > 0.5 > -0.5 > pulls[-1]
    # The photos of the first are lit where they are red, those of the last where they are green.
    ends = list(drawn.images_.values())
    for images, colour in ((ends[0], 0), (ends[-1], 1)):
        assert len(images) == 3
        for image in images:
            pixels = np.asarray(image.get_array(), float)
            lit = pixels[pixels.sum(axis=2) > np.quantile(pixels.sum(axis=2), 0.9)]
            assert lit.mean(axis=0).argmax() == colour


def test_page_of_scores_samples_and_says_so(photos, monkeypatch):
    monkeypatch.setattr("hotelviz.reports.verdicts.page_concepts.MOST", 42)
    said = score_concepts(planted("aesthetic"), photos).said
    assert " Found, and looked at, in 42 photos of " in said
    assert " hotels (sampled from 48): 6 concepts; " in said


def test_training_that_changed_nothing_keeps_all_concepts(photos):
    found = trained_concepts(planted(), planted(), photos, ("a", "b"))
    assert found.said == (
        "From a to b: 6 concepts are kept, 0 are lost, 0 are new. They were found, and matched by "
        "their strength, in 48 photos of 16 hotels."
    )
    assert list(found.figures) == ["concepts_now"]
    text = figure_alt(found.figures["concepts_now"].figure_)
    assert "concept 0, kept: concept 0 of before, correlation 1.00" in text


def test_concepts_that_a_network_cannot_see_before_are_new(photos):
    found = trained_concepts(colour_blind(), planted(), photos, ("grey", "coloured"))
    now, lost = (figure_alt(found.figures[f"concepts_{one}"].figure_) for one in ("now", "lost"))
    assert "concept 0, new: correlation " in now
    assert "with the most similar one before" in now
    assert "of before, lost: correlation " in lost
    assert "with the most similar one now" in lost


def test_pages_say_why_there_are_no_concepts(photos):
    few = score_concepts(planted("aesthetic"), photos.head(39))
    assert few == ("Concepts take at least 40 photos to be found in; there are 39.", {})
    one = trained_concepts(planted(), planted(), photos.head(1), ("a", "b"))
    assert one.said.endswith("; there is 1.")
    negative = score_concepts(planted("aesthetic", activation="linear"), photos)
    assert not negative.figures
    assert negative.said.startswith("What speaks for high scores cannot be told: layer 'conv' has")
    both = trained_concepts(planted(), planted(activation="linear"), photos, ("a", "b"))
    assert both.said.startswith("What training made of concepts cannot be told: layer 'conv' has")


@pytest.mark.slow
def test_pages_show_concepts(photos, tmp_path):
    random = np.random.default_rng(0)
    rated = pd.DataFrame(random.integers(1, 9, (len(photos), 10)), columns=list(RATINGS))
    catalog = tmp_path / "photos.csv"
    pd.concat([photos.assign(label="Pool"), rated], axis=1).to_csv(catalog, index=False)
    save_model(planted("aesthetic"), tmp_path / "scores.keras")
    save_model(colour_blind("aesthetic"), tmp_path / "grey.keras")
    left = shown(tmp_path, "aesthetic_report", models=[str(tmp_path / "scores.keras")], split="all")
    assert [path.name for path in left if path.name.startswith("speaks")] == ["speaks_for.png"]
    left = shown(
        tmp_path, "compare_filters", original=str(tmp_path / "grey.keras"),
        tuned=str(tmp_path / "scores.keras"), layers=["conv"], n_channels=1, size=32, steps=1,
        n_photos=8,
    )  # fmt: skip
    assert {"concepts_lost.png", "concepts_now.png"} <= {path.name for path in left}


def shown(folder: Path, report: str, **parameters: object) -> list[Path]:
    """The figures that a page leaves at print size."""
    export = folder / report
    catalog = str(folder / "photos.csv")
    found = run_cells(report, catalog=catalog, export=str(export), **parameters)
    assert any(isinstance(one, Verdict) for one in found)
    return sorted(export.glob("*.png"))
