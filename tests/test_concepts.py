"""Concepts that are planted in a network: found, summed up, removed, named."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from coloured import CELL, COLOURS, SIDE, coloured_photos, planted
from keras import layers
from PIL import Image

from hotelviz import concepts as c
from hotelviz.concepts import ConceptError
from hotelviz.errors import AttributionError
from hotelviz.models import Preprocessing, wrap_model


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return coloured_photos(tmp_path_factory.mktemp("cells"))


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    return planted()


@pytest.fixture(scope="module")
def found(tagger, photos) -> c.Concepts:
    return c.find_concepts(tagger, photos, 3, progress=False)


@pytest.fixture(scope="module")
def activity(found, photos) -> c.ConceptActivity:
    return c.concept_activity(found, photos, progress=False)


def colour_of(found: c.Concepts) -> list[str]:
    """The colour that each concept stands for, by its channels."""
    mixture = np.array([[2, 1, 0, 0, 0, 0, 1], [0, 0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]])
    mixture = mixture / np.linalg.norm(mixture, axis=1, keepdims=True)
    cosines = found.components @ mixture.T
    assert cosines.max(axis=1).min() > 0.99
    return [list(COLOURS)[one] for one in cosines.argmax(axis=1)]


def test_planted_concepts_are_found(found):
    assert sorted(colour_of(found)) == sorted(COLOURS)
    assert found.exact
    assert found.choice.loc[0, "stability"] > 0.99


def test_contributions_sum_to_what_the_network_says(found, activity, tagger, photos):
    assert activity.error < 1e-4
    table = c.contributions(found, photos, "Green")
    pixels = np.stack([np.asarray(Image.open(path)) for path in photos["path"]])
    probabilities = tagger.predict(pixels / 255, verbose=0)
    logits = np.log(probabilities)
    pair = c.contributions(found, activity, ("Green", "Red"))
    assert table["error"].abs().max() < 1e-4
    np.testing.assert_allclose(pair["value"], logits[:, 1] - logits[:, 0], atol=1e-3)
    summed = pair.drop(columns=["value", "error"]).sum(axis=1)
    np.testing.assert_allclose(summed, pair["value"], atol=1e-3)
    # Only green speaks for Green, by its planted weight: channel 2, of green's share 1 in 1, 2.
    green = colour_of(found).index("green")
    amount = (pixels[..., 1] / 255).mean(axis=(1, 2))
    np.testing.assert_allclose(table[f"concept_{green}"], 6 * amount, rtol=0.02, atol=0.02)
    others = table[[f"concept_{j}" for j in range(3) if j != green]]
    assert others.abs().to_numpy().max() < 0.05
    assert activity.residual_share < 0.02


def test_each_concept_speaks_for_its_class(found, activity):
    effects = c.concept_effects(found, activity)
    colours = [one.capitalize() for one in colour_of(found)]
    best = effects.loc[effects.groupby("concept")["evidence"].idxmax()]
    assert best["class"].to_list() == colours
    # All that speaks for or against a class, the little that no concept holds left out.
    assert effects["share"].abs().groupby(effects["class"]).sum().between(0.95, 1).all()
    assert effects.groupby("class")["n_photos"].first().sum() == len(activity.photos)


def test_photos_of_one_class_have_no_share_for_others(found, photos):
    red = photos[photos["label"] == "red"]
    effects = c.concept_effects(found, red).set_index("class")
    assert effects.loc["Red", "evidence"].notna().all()
    none = effects[effects["n_photos"] == 0]
    assert len(none)
    assert none["share"].isna().all()
    # Concepts of one class alone are parts of its photos.
    assert len(c.find_concepts(found.model, red, 2, progress=False)) == 2


def test_removing_a_concept_flips_what_it_speaks_for(found, activity):
    effects = c.removal_effects(found, activity)
    assert (effects["n_photos"] > 10).all()
    assert (effects["change"] > effects["random"]).all()
    assert (effects["low"] > 0).sum() >= 2
    assert effects["difference"].between(effects["low"], effects["high"]).all()
    # By hand: each logit loses 6 times the mean of the concept's channel.
    green = colour_of(found).index("green")
    there = activity.there[:, green]
    after = activity.logits - activity.evidence[:, green]
    flips = (after.argmax(axis=1) != activity.predicted)[there]
    assert effects.loc[green, "change"] == pytest.approx(flips.mean())


def test_concept_that_is_nowhere_in_new_photos_is_said_to_be(found, photos, tmp_path):
    file = tmp_path / "red.png"
    Image.new("RGB", (SIDE, SIDE), (200, 0, 0)).save(file)
    rows = [("a", str(file), "h1"), ("b", str(file), "h2"), ("lost", "lost.png", "h3")]
    new = pd.DataFrame(rows, columns=["image_id", "path", "hotel_id"])
    activity = c.concept_activity(found, new, progress=False)
    assert activity.skipped["image_id"].to_list() == ["lost"]
    green = colour_of(found).index("green")
    effects = c.removal_effects(found, activity).loc[green]
    assert effects["n_photos"] == 0
    assert np.isnan(effects["change"])
    examples = c.concept_examples(found, activity)
    assert colour_of(found).index("red") in set(examples["concept"])
    assert green not in set(examples["concept"])


def test_examples_are_of_different_hotels_and_marked_where_the_concept_is(found, photos):
    examples = c.concept_examples(found, photos, n_photos=3)
    assert not examples.duplicated(["concept", "hotel_id"]).any()
    for concept, colour in enumerate(colour_of(found)):
        first = examples[examples["concept"] == concept].iloc[0]
        pixels = np.asarray(Image.open(first["path"])).astype(float)
        box = [round(SIDE * first[end]) for end in ("left", "top", "right", "bottom")]
        cell = pixels[box[1] : box[3], box[0] : box[2]]
        # The whole receptive field: one cell of the photo.
        assert cell.shape[:2] == (CELL, CELL)
        assert cell.mean(axis=(0, 1)).argmax() == list(COLOURS).index(colour)
        assert first["side"] == pytest.approx(CELL / SIDE)
    maps = c.concept_maps(found, examples)
    assert maps.shape == (len(examples), SIDE, SIDE)
    y, x = (int(SIDE * examples.loc[0, name]) for name in ("y", "x"))
    assert maps[0, y, x] > 0.9 * maps[0].max() > 0.3


def test_photos_list_what_adds_most_to_them_first(found, activity):
    listed = c.photo_concepts(found, activity, "Green", n_concepts=2)
    adds = c.contributions(found, activity, "Green")
    counts = listed.groupby("image_id").size()
    assert counts.max() == 2
    for name, own in listed.groupby("image_id"):
        row = int(np.flatnonzero(activity.photos["image_id"] == name)[0])
        assert activity.there[row, own["concept"]].all()
        assert own["adds"].abs().is_monotonic_decreasing
        expected = [adds.loc[name, f"concept_{one}"] for one in own["concept"]]
        np.testing.assert_allclose(own["adds"], expected)
    assert listed["side"].unique() == pytest.approx([CELL / SIDE])
    assert set(listed["name"]) <= {"concept 0", "concept 1", "concept 2"}
    with pytest.raises(ConceptError, match="at least one concept of each photo"):
        c.photo_concepts(found, activity, n_concepts=0)


def test_score_contributions_sum_to_the_mean_score(photos):
    model = planted("aesthetic")
    found = c.find_concepts(model, photos, 3, progress=False)
    table = c.contributions(found, photos)
    assert table["error"].abs().max() < 1e-3
    assert table["value"].between(1, 10).all()
    ends = c.score_ends(found, photos)
    np.testing.assert_allclose(ends["pull"], ends["high"] - ends["low"], atol=1e-5)
    assert ends["pull"].is_monotonic_decreasing
    colours = colour_of(found)
    assert [colours[one] for one in ends["concept"]] == ["red", "blue", "green"]
    assert ends["points"].iloc[0] > 0 > ends["points"].iloc[-1]
    changes = c.removal_effects(found, photos).set_index("concept")["change"]
    assert changes[ends["concept"].iloc[0]] < 0 < changes[ends["concept"].iloc[-1]]


def test_scores_are_asked_of_score_models_only(found, activity):
    with pytest.raises(ConceptError, match="the model is a tagger"):
        c.score_ends(found, activity)


def test_other_heads_are_explained_through_gradients(photos):
    model = planted(pooling="dense")
    found = c.find_concepts(model, photos, 3, progress=False)
    assert not found.exact
    activity = c.concept_activity(found, photos, progress=False)
    # Each is the gradient at the photo, so that nothing is lost: what it leaves is the bias.
    assert activity.error < 1e-4
    table = c.contributions(found, activity, "Green")
    assert table["error"].abs().max() < 1e-4
    with pytest.raises(ConceptError, match="more than global average pooling"):
        c.removal_effects(found, activity)


def test_layers_with_negative_features_are_refused(photos):
    model = planted(activation="linear")
    with pytest.raises(ConceptError, match=r"layer 'conv' has negative features .* after ReLU"):
        c.find_concepts(model, photos, 3, progress=False)


def test_layers_without_any_activity_are_refused(photos):
    model = planted()
    model.get_layer("conv").set_weights(
        [-np.ones((CELL, CELL, 3, 7), "float32"), np.zeros(7, "float32")]
    )
    with pytest.raises(ConceptError, match="no cell of layer 'conv' is active in these 48 photos"):
        c.find_concepts(model, photos, 3, progress=False)


def test_fewer_photos_than_concepts_are_refused(tagger, photos):
    with pytest.raises(ConceptError, match="6 concepts were asked for, of 5 photos"):
        c.find_concepts(tagger, photos.head(5), 6, progress=False)
    with pytest.raises(ConceptError, match="none of the 1 photos can be read"):
        c.find_concepts(tagger, photos.head(1).assign(path="lost.png"), 1, progress=False)


def test_number_of_concepts_is_chosen_by_what_is_left_and_found_again(tagger, photos):
    found = c.find_concepts(tagger, photos, candidates=(1, 3, 6), progress=False)
    table = found.choice.set_index("n_concepts")
    assert len(found) == 3
    assert table.loc[1, "residual"] > 0.1 > table.loc[3, "residual"]
    assert table.loc[3, "stability"] > 0.99


def test_concepts_are_kept_with_their_names(found, tmp_path):
    named = c.name_concepts(found, {0: "water", 2: "=1+1"})
    file = c.save_concepts(named, beside=str(tmp_path / "tagger.keras"))
    assert file == c.concepts_path(tmp_path / "tagger.keras", found.model)
    again = c.load_concepts(file, found.model)
    assert again.names == {0: "water", 2: "=1+1"}
    assert again.hash == found.hash
    assert (again.name(0), again.name(1)) == ("water", "concept 1")
    np.testing.assert_array_equal(again.readers, found.readers)
    pd.testing.assert_frame_equal(again.choice, found.choice)
    with pytest.raises(ConceptError, match="concepts of another model"):
        c.load_concepts(file, planted(seed=1, pooling="dense"))
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ConceptError, match="no concepts can be read"):
        c.load_concepts(file, found.model)


def test_names_travel_as_csv_that_no_spreadsheet_runs(found, tmp_path):
    file = c.write_names(c.name_concepts(found, {1: "=HYPERLINK(1)"}), tmp_path / "names.csv")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert table["name"].to_list() == ["", "'=HYPERLINK(1)", ""]
    assert c.read_names(found, file).names == {1: "=HYPERLINK(1)"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: pd.concat([t, t.assign(name="sky")]),
         r"row 5, column 'name': 'sky': concept 0 is called 'bed' above"),
        (lambda t: t.assign(model="0123"), r"row 2, column 'model': '0123': these are names of an"),
        (lambda t: t.assign(concepts="0123"), r"row 2, column 'concepts': .* other concepts"),
        (lambda t: t.assign(concept="7"), r"row 2, column 'concept': 7 is none of the 3 concepts"),
        (lambda t: t.drop(columns="name"), r"no column 'name'"),
    ],
    ids=["two-names", "another-model", "other-concepts", "no-such-concept", "no-names"],
)  # fmt: skip
def test_names_of_something_else_are_refused(found, tmp_path, change, message):
    file = c.write_names(c.name_concepts(found, {0: "bed"}), tmp_path / "names.csv")
    change(pd.read_csv(file, dtype=str, keep_default_na=False)).to_csv(file, index=False)
    with pytest.raises(ConceptError, match=message):
        c.read_names(found, file)


def test_concepts_are_matched_through_training(found, photos, tagger):
    tuned = planted()
    kernel = tuned.get_layer("conv").get_weights()
    # Training forgets blue, and learns to see all that is bright.
    kernel[0][..., 4:6] = 0
    kernel[0][..., 6] = 1 / CELL**2
    tuned.get_layer("conv").set_weights(kernel)
    after = c.find_concepts(tuned, photos, 3, progress=False)
    table = c.match_concepts(found, after, photos)
    kept = table[table["status"] == "kept"]
    colours = colour_of(found)
    assert {colours[one] for one in kept["original"]} >= {"green"}
    assert (kept["correlation"] >= c.KEPT).all()
    assert len(table[table["original"].notna()]) == len(table[table["tuned"].notna()]) == 3
    same = c.match_concepts(found, found, photos)
    assert (same["original"] == same["tuned"]).all()
    assert (same["status"] == "kept").all()


def test_what_counts_may_be_said_by_the_head_of_the_tuned_model(tagger, photos):
    untrained = planted()
    kernel, bias = untrained.get_layer("top").get_weights()
    untrained.get_layer("top").set_weights([kernel * 0, bias])
    found = c.find_concepts(untrained, photos, 3, head_of=tagger, progress=False)
    assert sorted(colour_of(found)) == sorted(COLOURS)
    assert found.model is untrained
    other = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(5, CELL, strides=CELL, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, "softmax"),
        ]
    )
    other = wrap_model(
        other, task="tagger", classes=["a", "b", "c"], preprocessing=Preprocessing(SIDE, SIDE)
    )
    with pytest.raises(ConceptError, match="has 7 channels, and in head_of 5"):
        c.find_concepts(tagger, photos, 3, head_of=other, progress=False)


def test_examples_are_a_direction_that_is_tested_against_chance(tagger, photos):
    photos = photos.assign(hotel_id=photos["image_id"])
    red = photos[photos["label"] == "red"].head(8)
    found = c.concept_by_example(tagger, red, photos, "Red", n_random=19, progress=False)
    assert (found.n_examples, found.n_hotels) == (8, 8)
    assert found.accuracy > 0.8
    assert found.p_accuracy == pytest.approx(0.05)
    assert found.effect > 0
    assert found.positive == 1
    assert len(found.random) == 19
    against = c.concept_by_example(tagger, red, photos, "Green", n_random=1, progress=False)
    assert against.effect < 0


def test_examples_may_be_a_folder(tagger, photos, tmp_path):
    with pytest.raises(ConceptError, match="examples of 0 hotels"):
        c.concept_by_example(tagger, tmp_path, photos, n_random=1, progress=False)
    for row in photos[photos["label"] == "blue"].head(6).itertuples():
        Path(tmp_path, f"{row.image_id}.png").write_bytes(Path(row.path).read_bytes())
    others = photos[photos["label"] != "blue"].assign(hotel_id=photos["image_id"])
    found = c.concept_by_example(tagger, tmp_path, others, "Blue", n_random=1, progress=False)
    assert (found.n_examples, found.n_hotels) == (6, 6)
    assert found.effect > 0


def test_unknown_classes_are_refused(found, activity):
    with pytest.raises(AttributionError, match="did you mean 'Green'"):
        c.contributions(found, activity, "Grean")
