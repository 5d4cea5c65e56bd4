"""The page on every channel of a layer, and what it says first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coloured import coloured_photos, planted
from executed import run_cells

from hotelviz.feature_vis import ChannelAtlas
from hotelviz.gallery import Gallery
from hotelviz.models import save_model
from hotelviz.reports import Table, Verdict
from hotelviz.reports.verdicts.atlas import atlas_gallery, atlas_verdict, drivers_table


def atlas_of(tmp_path: Path, **columns: object) -> ChannelAtlas:
    table = pd.DataFrame(
        {"channel": range(3), "path": str(tmp_path / "lost.png"), "state": ["active", "duplicate",
         "active"], "duplicate_of": pd.array([None, 0, None], "Int64"), "x": [0.0, 0.1, 1.0],
         "y": [0.0, 0.1, 0.5], "drives": ["1", "1", "10"], **columns}
    )  # fmt: skip
    effects = pd.DataFrame({"1": [0.3, 0.2, -0.5], "10": [-0.3, 0.0, 0.5]})
    shares = np.full((3, 10), 0.1, "float32")
    return ChannelAtlas("conv", table, shares, np.linspace(0, 6, 11), effects, 40)


def test_verdict_says_what_training_changed_and_what_most_drive(tmp_path):
    correlation = np.array([0.9, 0.2, np.nan])
    found = atlas_of(tmp_path, correlation=correlation, change=1 - correlation)
    said = atlas_verdict(found, task="aesthetic")
    assert said.text == (
        "Of 3 channels of conv, none is dead on 40 photos and 1 is a duplicate of another. "
        "Training made 1 of 2 channels look for something else: their activations correlate by "
        "less than 0.5 with those before. The output that most of them speak for is score 1: 2 do."
    )
    assert [card.value for card in said.cards] == ["0 of 3", "1 of 3", "50 %"]


def test_atlas_of_dead_channels_says_so_and_has_no_map(tmp_path):
    found = atlas_of(tmp_path, state="dead", x=np.nan, y=np.nan, drives=None)
    assert atlas_verdict(found).text.startswith("All 3 channels of conv are dead on 40 photos")
    assert atlas_gallery(found).payload()["positions"] is None


def test_gallery_is_searched_by_class_and_filtered_by_change(tmp_path):
    found = atlas_of(tmp_path, change=[0.1, 0.8, 0.5], correlation=[0.9, 0.2, 0.5])
    gallery = atlas_gallery(found, task="aesthetic")
    assert gallery.captions() == [
        "0: for score 1 +0.30; r 0.90 with before",
        "1: duplicate of 0; for score 1 +0.10; r 0.20 with before",
        "2: for score 10 +0.50; r 0.50 with before",
    ]
    content = gallery.payload()
    columns = {column["name"]: column for column in content["columns"]}
    assert columns["drives"]["values"] == ["score 1", "score 10"]
    assert columns["state"]["values"] == ["active", "duplicate"]
    assert columns["change"]["filter"]
    assert content["bars"] == "photos by the channel's mean activation, 0 to 6 and more"
    assert content["ids"] == ["conv/0", "conv/1", "conv/2"]


def test_table_has_the_channels_for_and_against_each_output(tmp_path):
    table = drivers_table(atlas_of(tmp_path), task="tagger", n_channels=1)
    assert table.frame.to_numpy().tolist() == [
        ["1", "0 (+0.30)", "2 (-0.50)"], ["10", "2 (+0.50)", "0 (-0.30)"]
    ]  # fmt: skip
    none = atlas_of(tmp_path)._replace(effects=pd.DataFrame(index=range(3)))
    assert drivers_table(none) is None


@pytest.mark.slow
def test_page_shows_all_channels_on_a_map(tmp_path):
    photos = coloured_photos(tmp_path)
    photos.assign(label=photos["label"].str.capitalize()).to_csv(tmp_path / "p.csv", index=False)
    save_model(planted(), tmp_path / "tagger.keras")
    model = str(tmp_path / "tagger.keras")
    layer = next(one.name for one in planted().layers if "conv" in one.name)
    shown = run_cells(
        "atlas", catalog=str(tmp_path / "p.csv"), model=model, layer=layer, original=model, size=32,
        steps=1, cache=str(tmp_path / "cache"),
    )  # fmt: skip
    said = next(one for one in shown if isinstance(one, Verdict))
    assert f" of {layer}, " in said.text
    assert "Training made 0 of " in said.text
    gallery = next(one for one in shown if isinstance(one, Gallery))
    assert len(list((tmp_path / "cache").rglob("*.png"))) == len(gallery)
    assert gallery.payload()["positions"].shape == (len(gallery), 2)
    assert any(isinstance(one, Table) for one in shown)
