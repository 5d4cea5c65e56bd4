"""The page on concepts: of a tagger and of an aesthetic model, and what it says first."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coloured import coloured_photos, planted
from executed import run_cells
from matplotlib.figure import Figure

from hotelviz import plots
from hotelviz.errors import ConceptError, HotelvizError
from hotelviz.models import save_model
from hotelviz.plots import Display
from hotelviz.plots.alt_text import figure_alt
from hotelviz.reports import Table, Verdict
from hotelviz.reports.verdicts.found_concepts import dealt_photos, kept_concepts, names_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue, a tagger and an aesthetic model."""
    folder = tmp_path_factory.mktemp("page")
    photos = coloured_photos(folder)
    photos.assign(label=photos["label"].str.capitalize()).to_csv(folder / "photos.csv", index=False)
    for task in ("tagger", "aesthetic"):
        save_model(planted(task), folder / f"{task}.keras")
    return folder


def shown(folder: Path, task: str, **parameters: object) -> list[object]:
    model, catalog = str(folder / f"{task}.keras"), str(folder / "photos.csv")
    return run_cells("concepts", catalog=catalog, model=model, n_concepts=3, **parameters)


@pytest.mark.slow
def test_page_of_a_tagger_says_what_counts_most_and_keeps_names(folder, tmp_path):
    keep = tmp_path / "kept.npz"
    found = shown(folder, "tagger", keep=str(keep), original=str(folder / "tagger.keras"))
    said = next(one for one in found if isinstance(one, Verdict))
    assert said.text.startswith("3 concepts make up 100 % of the logits of ")
    assert "that they were not found in; 0 % is of no concept" in said.text
    assert "Give them names: fill in kept.csv, and run again" in said._repr_html_()
    figures = [figure_alt(one.figure_) for one in found if isinstance(one, Display)]
    assert figures[0].startswith("Photos in which concepts are strongest, lit where they are.")
    assert figures[1].startswith("What each concept makes of each class, per cent: ")
    # A name that a person gives is on the page of the next run.
    names = pd.read_csv(names_file(str(keep)), dtype=str, keep_default_na=False)
    names.assign(name=["<b>bath", "pool", ""]).to_csv(names_file(str(keep)), index=False)
    again = shown(folder, "tagger", keep=str(keep))
    table = next(one for one in again if isinstance(one, Table))
    assert table.frame["name"].to_list() == ["<b>bath", "pool", "concept 2"]
    assert "&lt;b&gt;bath" in table._repr_html_()
    assert "<b>bath" not in next(one for one in again if isinstance(one, Verdict))._repr_html_()


@pytest.mark.slow
def test_page_of_an_aesthetic_model_has_the_two_ends_of_the_scale(folder):
    red = folder / "red"
    red.mkdir()
    for number in (0, 3, 6, 9, 12):
        shutil.copy(folder / f"{number}.png", red)
    found = shown(folder, "aesthetic", examples=str(red))
    said = next(one for one in found if isinstance(one, Verdict))
    assert " of what moves the mean scores of " in said.text
    assert "What speaks most for 8 and 9 is concept " in said.text
    assert " and for 2 and 3 concept " in said.text
    ends = [one for one in found if isinstance(one, Display)][1]
    assert len(ends.bars_["pull"]) == 3
    assert all(len(images) == 3 for images in ends.images_.values())


@pytest.mark.slow
def test_page_of_another_head_says_that_it_goes_by_gradients(folder):
    save_model(planted(pooling="dense"), folder / "dense.keras")
    found = shown(folder, "dense", max_photos=40)
    said = next(one for one in found if isinstance(one, Verdict))
    assert "make up, by gradients at each photo, " in said.text
    assert " Most of a class is of concept " in said.text
    table = next(one for one in found if isinstance(one, Table))
    assert "change" not in table.words


def test_concepts_are_judged_on_other_hotels():
    photos = pd.DataFrame({"hotel_id": np.repeat(list("abcdef"), 5)})
    finding, judged = dealt_photos(photos, 24, seed=1)
    assert len(finding) + len(judged) == 24
    assert not set(finding["hotel_id"]) & set(judged["hotel_id"])


def test_kept_concepts_are_those_of_the_model_only(folder, tmp_path):
    photos = pd.read_csv(folder / "photos.csv", dtype={"image_id": str})
    photos["path"] = [str(folder / Path(path).name) for path in photos["path"]]
    file = str(tmp_path / "kept.npz")
    first = kept_concepts(planted(), photos, 3, keep=file)
    assert kept_concepts(planted(), photos, 2, keep=file).hash == first.hash
    with pytest.raises(ConceptError, match="concepts of another model"):
        kept_concepts(planted("aesthetic"), photos, 3, keep=file)


def test_names_without_their_concepts_are_refused_before_the_work(folder, tmp_path):
    names_file(str(tmp_path / "kept.npz")).write_text("model,concepts,concept,name\na,b,0,bed\n")
    # No photo is looked at.
    with pytest.raises(ConceptError, match=r"kept.csv: there are names in it, but .*kept.npz"):
        kept_concepts(planted(), pd.DataFrame(), 3, keep=str(tmp_path / "kept.npz"))


def test_names_from_data_are_drawn_as_they_are():
    name = "Suite $200-$300"
    effects = pd.DataFrame({"concept": [0], "class": [name], "share": [0.5]})
    drawn = plots.concept_shares(effects, names={0: name})
    assert isinstance(drawn.figure_, Figure)
    assert drawn.ax_.get_yticklabels()[0].get_text() == r"Suite \$200-\$300"
    with pytest.raises(HotelvizError, match="no column 'share'"):
        plots.concept_shares(effects.drop(columns="share"), names={0: name})
