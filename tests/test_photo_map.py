"""What a map of photos says: how labels separate, islands, its pictures, and the report of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from executed import run_cells
from test_embeddings import scenes

from hotelviz import plots
from hotelviz.embeddings import find_islands, label_separation, similar
from hotelviz.errors import EmbeddingError, HotelvizError
from hotelviz.models import save_model
from hotelviz.reports import Verdict
from hotelviz.reports.verdicts import embeddings as verdicts


@pytest.fixture
def catalog() -> pd.DataFrame:
    """Three scenes of twenty photos; one photo of the first has the label of the second."""
    names = list(scenes().index)
    labels = np.array(["Bar", "Spa", "Pool_area"]).repeat(20)
    labels[7] = "Spa"
    hotels = [f"h{number % 20 % 10}" for number in range(60)]
    sources = ["web"] * 20 + ["own"] * 40
    return pd.DataFrame({"image_id": names, "hotel_id": hotels, "label": labels, "source": sources})


def square(features: pd.DataFrame) -> pd.DataFrame:
    """Places with the scenes in corners, as a layout would have them."""
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]).repeat(20, axis=0)
    shaken = corners + np.random.default_rng(1).normal(scale=0.02, size=corners.shape)
    return pd.DataFrame(shaken, features.index, ["x", "y"])


def test_separation_counts_the_nearest_with_the_same_label_and_names_who_lies_among_others(catalog):
    features = scenes()
    hotels = catalog.set_index("image_id")["hotel_id"]
    nearest = similar(features, hotels=hotels)
    found = label_separation(catalog, nearest)
    label = catalog.set_index("image_id")["label"]
    same = nearest["image_id"].map(label) == nearest["similar"].map(label)
    assert found.same.value == pytest.approx(same.mean())
    assert found.elsewhere.value == 1
    assert found.chance == pytest.approx((19**2 + 21**2 + 20**2) / 60**2)
    assert found.strays[["image_id", "label", "nearest"]].values.tolist() == [
        ["s0-7", "Spa", "Bar"]
    ]
    assert found.mixing.loc[0, ["label", "other"]].to_list() == ["Bar", "Spa"]


def test_photos_without_labels_or_hotels_are_no_fault_unless_there_is_no_label_at_all(catalog):
    features = scenes()
    bare = catalog.drop(columns="hotel_id").copy()
    bare.loc[30:, "label"] = None
    found = label_separation(bare, similar(features))
    assert found.elsewhere is None
    assert found.n_photos == 30
    with pytest.raises(EmbeddingError, match="no photo with a label"):
        label_separation(catalog.assign(label=None), similar(features))


def test_islands_are_described_by_label_hotel_and_source_with_their_most_typical_photo(catalog):
    features = scenes()
    own = catalog["image_id"].str.startswith("s1")
    found = find_islands(
        square(features), features, catalog.assign(hotel_id=catalog["hotel_id"].mask(own, "h0"))
    )
    by_label = found.table.set_index("label")
    assert by_label["n_photos"].to_list() == [20, 20, 20]
    assert by_label["of"].to_dict() == {"Bar": "source web", "Spa": "hotel h0", "Pool_area": ""}
    assert by_label["share"].to_dict() == {"Bar": 0.95, "Spa": 1, "Pool_area": 1}
    assert by_label.loc["Spa", "medoid"].startswith("s1")
    assert (found.members.groupby(features.index.str[:2]).nunique() == 1).all()


def test_map_gives_the_most_frequent_classes_colours_and_says_how_many_others_there_are():
    random = np.random.default_rng(0)
    names = [f"class_{number}" for number in range(100)]
    values = pd.Series(np.repeat(names, np.arange(100, 0, -1)))
    places = pd.DataFrame(random.random((len(values), 2)), columns=["x", "y"])
    places.loc[0] = np.nan
    display = plots.photo_map(places, values)
    assert list(display.lines_) == [*names[:8], ""]
    assert len(display.lines_["class_0"].get_offsets()) == 99
    written = [text.get_text() for text in display.texts_["legend"].get_texts()]
    assert written[:2] == ["class 0 (99)", "class 1 (99)"]
    assert written[8] == f"92 others ({sum(range(1, 93)):,})"
    facets = plots.photo_map_facets(places, values)
    assert len(facets.lines_) == 12
    assert "12 most frequent of 100" in facets.figure_.get_supxlabel()
    with pytest.raises(HotelvizError, match="no photo has a place"):
        plots.photo_map(places * np.nan, values)


def test_verdict_names_what_mixes_and_leads_to_photos_among_another_label(catalog):
    features = scenes()
    found = label_separation(catalog, similar(features))
    islands = find_islands(square(features), features, catalog)
    verdict = verdicts.map_verdict(catalog, found, islands, others_only=False, n_lost=2)
    assert "Bar and Spa are mixed up most" in verdict.text
    assert "1 island of like photos is of one hotel or source" in verdict.text
    assert [card.label for card in verdict.cards][-1] == "not on the map"
    assert verdict.next_steps[0].link == "#among-another-label"
    without = verdicts.map_verdict(catalog, None, islands, others_only=False)
    assert without.text.startswith("60 photos of 10 hotels, without labels")


@pytest.mark.slow
def test_report_shows_the_map_of_a_catalogue_and_writes_it(demo_dir, network, tmp_path):
    model = tmp_path / "network.keras"
    save_model(network, model)
    shown = run_cells(
        "photo_map",
        catalog=str(demo_dir / "catalog.csv"),
        model=str(model),
        cache=str(tmp_path / "cache"),
        map_out=str(tmp_path / "map.parquet"),
        allow_missing=True,
    )
    verdict = next(one for one in shown if isinstance(one, Verdict))
    assert "have the same label" in verdict.text
    places = pd.read_parquet(tmp_path / "map.parquet")
    photos = pd.read_csv(demo_dir / "catalog.csv")
    assert len(places) == len(photos)
    assert places["x"].isna().sum() >= 1


def test_audit_photos_have_the_issue_that_needs_a_person_first(catalog):
    issues = pd.DataFrame(
        {"image_id": ["a", "a", "b"], "issue": ["exact_duplicate", "dark", "exact_duplicate"],
         "score": 0.1, "group": "", "suggestion": ["keep", "look", "drop"], "detail": "so"}
    )  # fmt: skip
    photos = catalog.head(3).assign(image_id=["a", "b", "c"])
    found = SimpleNamespace(issues=issues)
    shown = verdicts.issue_photos(photos, found)
    assert shown["issue"].to_list() == ["dark", "exact duplicate", verdicts.NO_ISSUE]
    assert shown["note"].to_list()[1:] == ["so; labelled Bar; hotel h1", verdicts.NO_ISSUE]


def test_scores_without_a_model_or_with_photos_that_are_gone_say_why_there_is_no_map(
    network, tmp_path
):
    photos = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "lost.jpg")], "score": 5.0})
    save_model(network, tmp_path / "network.keras")
    for table, model, said in (
        (photos, "", "no model is given"),
        (photos.drop(columns="path"), "a.keras", "do not say where the photos are"),
        (photos, str(tmp_path / "network.keras"), "none of the photos drawn could be read"),
    ):
        shown, features, told = verdicts.scored_photos(table, model)
        assert said in told
        assert (len(shown), features.shape[1]) == (1, 0)
