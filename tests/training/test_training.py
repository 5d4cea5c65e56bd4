"""The two phases of training, and catalogues that cannot be learned from."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from runs import QUICK, SHORT, course_of, interrupted

from hotelviz.catalog import catalog_hash, read_catalog
from hotelviz.errors import CatalogError, MissingPhotosError, TrainingError
from hotelviz.inference import predict_tags
from hotelviz.metrics import fit_temperature
from hotelviz.models import (
    build_tagger,
    load_model,
    model_info,
    save_model,
    seen_photos,
    training_photos,
)
from hotelviz.training import balanced_weights, fine_tuning, history, train_tagger
from hotelviz.training.course import FINE_TUNED, LINEAR, better
from hotelviz.training.head import Photos, fair_loss, tempered
from hotelviz.training.train import tagger_objective


@pytest.mark.slow
def test_pretrained_networks_learn_in_two_phases(demo_catalog):
    model = train_tagger(demo_catalog, fine_tune_epochs=2, **QUICK)
    table = history(model)
    assert table["phase"].to_list() == ["head", "fine_tune", "fine_tune"]
    assert table["epoch"].to_list() == [1, 2, 3]
    assert table["learning_rate"].to_list()[1:] == pytest.approx([3e-4, 1.5e-4])
    assert table["kept"].sum() == 1
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(table)
    settings = model_info(model).training["settings"]
    assert settings["fine_tune_learning_rate"] == 3e-4
    assert model_info(model).training["photos"]["train"] > 0


def test_linear_head_leaves_the_backbone_alone_and_says_how_good_it_is(linear):
    model = linear
    start = build_tagger(["blue", "red"], input_size=32, backbone_kw=QUICK["backbone_kw"])
    for name, same in (("conv1", True), ("conv_pw_13", True), ("probabilities", False)):
        before, now = (each.get_layer(name).kernel.numpy() for each in (start, model))
        assert np.array_equal(before, now) == same
    about = model_info(model).training
    assert about["kept"] == "linear head"
    assert (about["linear"]["photos"], about["linear"]["hotels"]) == (96, 24)
    figures = {figure["metric"]: figure for figure in about["linear"]["figures"]}
    top1 = figures["top-1 accuracy"]
    assert 0.7 < top1["low"] <= top1["value"] <= top1["high"] <= 1
    assert history(model)["val_accuracy"].to_list() == [about["judged"]["linear head"][0]["value"]]
    # Smoothed labels had it doubt: its logits were divided, before its figures were taken.
    assert about["temperature"] == about["linear"]["temperature"] < 0.9
    assert figures["expected calibration error"]["value"] < 0.12


def test_models_are_compared_by_what_they_know_and_not_by_how_much_they_doubt():
    truth = np.eye(2)[[0, 1] * 50]
    right = np.where(truth == 1, 0.9, 0.1)
    right[:10] = right[:10, ::-1]  # as sure as it is right
    photos = Photos(None, None, truth, np.ones(100), np.arange(100))
    objective = tagger_objective(["blue", "red"])
    lost = {temperature: fair_loss(photos, tempered(right, temperature), objective)
            for temperature in (0.5, 1, 3)}  # fmt: skip
    assert lost[1] == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1), rel=1e-3)
    assert [lost[0.5], lost[3]] == pytest.approx([lost[1]] * 2, rel=0.02)
    judged = {LINEAR: [{"value": 0.9}], FINE_TUNED: [{"value": 0.9}]}
    assert better(judged, {LINEAR: 0.3, FINE_TUNED: 0.2}) == FINE_TUNED
    assert better(judged, {LINEAR: 0.2, FINE_TUNED: 0.2}) == LINEAR
    judged[FINE_TUNED][0]["value"] = 0.89
    assert better(judged, {LINEAR: 0.3, FINE_TUNED: 0.2}) == LINEAR


@pytest.fixture
def alike(tmp_path):
    """Settings of a network that has the same features for all photos: a head can learn nothing."""
    inputs = keras.Input((32, 32, 3))
    zero = layers.Conv2D(8, 3, strides=4, kernel_initializer="zeros", bias_initializer="ones",
                         name="conv")  # fmt: skip
    values = layers.BatchNormalization(name="conv_bn")(zero(layers.Rescaling(1 / 255)(inputs)))
    keras.Model(inputs, layers.ReLU()(values)).save(tmp_path / "theirs.keras")
    return {**QUICK, "backbone": str(tmp_path / "theirs.keras"), "backbone_kw": None}


@pytest.mark.slow
def test_fine_tuning_that_is_better_is_kept_with_its_batch_normalisation(coloured, alike):
    given = alike
    start = train_tagger(coloured, effort="quick", **given)
    after = train_tagger(
        coloured, fine_tune_epochs=8, fine_tune_learning_rate=0.03, first_layer_rate=1.0, **given
    )
    about = model_info(after).training
    assert about["kept"] == "fine-tuned"
    assert about["judged"]["linear head"][0]["value"] == 0.5
    assert about["judged"]["fine-tuned"][0]["value"] > 0.8
    # Of two classes as many photos each.
    assert about["judged_loss"]["linear head"] == pytest.approx(np.log(2), abs=1e-3)
    assert about["judged_loss"]["fine-tuned"] < 0.5
    assert "; loss 0.693 and 0." in about["why"]
    # All photos held out are right: it is made surer of them.
    assert 0.3 < about["temperature"] < 1
    # The linear head knows nothing, and is as sure as that already.
    assert model_info(start).training["temperature"] == pytest.approx(1, abs=0.2)
    table = history(after)
    kept = table[table["kept"]].iloc[0]
    assert kept["phase"] == "fine_tune"
    assert kept["val_loss"] == table["val_loss"].min()
    for variable in ("moving_mean", "moving_variance", "gamma"):
        before, now = (
            getattr(model.get_layer("conv_bn"), variable).numpy() for model in (start, after)
        )
        np.testing.assert_array_equal(before, now)
    assert not np.array_equal(
        start.get_layer("conv").kernel.numpy(), after.get_layer("conv").kernel.numpy()
    )
    assert all(layer.trainable for layer in after.layers)
    # Of a twentieth of the weights, from the end, the convolution has none: nothing can be learned.
    given |= {"fine_tune_epochs": 8, "fine_tune_learning_rate": 0.03, "first_layer_rate": 1.0}
    frozen = train_tagger(coloured, fine_tune_share=0.05, **given)
    assert model_info(frozen).training["kept"] == "linear head"


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1.0, 1e30], ids=["worse", "no numbers"])
def test_fine_tuning_that_destroys_the_network_ends_with_the_linear_head(coloured, linear, rate):
    said = pytest.warns(UserWarning, match="lower learning rate") if rate > 1 else nullcontext()
    with said:
        model = train_tagger(coloured, fine_tune_epochs=2, fine_tune_learning_rate=rate, **QUICK)
    assert model_info(model).training["kept"] == "linear head"
    for ours, theirs in zip(model.get_weights(), linear.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    figures = ["val_loss", "val_accuracy", "kept"]
    assert history(model).loc[0, figures].equals(history(linear).loc[0, figures])


@pytest.mark.slow
def test_linear_head_that_is_kept_has_not_learned_from_validation_photos(coloured):
    # A threshold for trusting a tag is chosen by them.
    judges = coloured["split"] == "val"
    swapped = coloured["label"].map({"red": "blue", "blue": "red"})
    settings = {**QUICK, "effort": "quick", "class_balance": 0.0}
    model = train_tagger(coloured, **settings)
    other = train_tagger(coloured.assign(label=coloured["label"].mask(judges, swapped)), **settings)
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert set(seen_photos(model, coloured[judges])) == {"val"}


@pytest.mark.slow
def test_figures_of_a_linear_head_say_how_many_photos_its_network_knew_before(coloured, tmp_path):
    first = coloured[coloured["hotel_id"].isin(coloured["hotel_id"].unique()[:6])]
    # A linear head leaves the layers as they came: their features know no photo.
    for how, seen in (
        ({"effort": "quick"}, 0),
        ({"weights": None, "fine_tune_epochs": 1}, len(first)),
    ):
        save_model(train_tagger(first, **how, **QUICK), tmp_path / "first.keras")
        backbone = {"backbone": str(tmp_path / "first.keras"), "backbone_kw": None}
        model = train_tagger(coloured, effort="quick", **{**QUICK, **backbone})
        assert model_info(model).training["linear"]["seen"] == seen


@pytest.mark.slow
def test_without_validation_photos_some_hotels_are_held_out_to_judge(coloured, alike, tmp_path):
    learned = coloured.assign(split="train")
    tuned = {"fine_tune_epochs": 8, "fine_tune_learning_rate": 0.03, "first_layer_rate": 1.0}
    model = train_tagger(learned, **tuned, **alike)
    about = model_info(model).training
    assert about["kept"] == "fine-tuned"
    assert 3 <= about["judged_by"]["hotels"] <= 8
    assert about["judged_by"]["photos"] == 4 * about["judged_by"]["hotels"]
    # Nobody asked to keep them: the model learns from all hotels in the end, and says so.
    table = history(model)
    assert table["phase"].to_list() == ["head"] + ["fine_tune"] * 8 + ["all_photos"] * 2
    assert table["kept"].to_list() == [False] * 10 + [True]
    assert table.loc[table["phase"] == "all_photos", "val_loss"].isna().all()
    assert table["learning_rate"].to_list()[-2:] == pytest.approx([0.015, 0.0075])
    assert about["photos"] == {"train": 96, "val": 0}
    assert set(training_photos(model).photos["split"]) == {"train"}
    assert training_photos(model).photos["hotel_id"].nunique() == 24
    with interrupted(9):
        train_tagger(learned, checkpoint_dir=tmp_path / "work", **tuned, **alike)
    resumed = train_tagger(learned, checkpoint_dir=tmp_path / "work", **tuned, **alike)
    pd.testing.assert_frame_equal(course_of(resumed), course_of(model), rtol=1e-3)
    for ours, theirs in zip(resumed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    # So does a linear head.
    linear = train_tagger(learned, **{**tuned, "fine_tune_learning_rate": 1.0}, **QUICK)
    about = model_info(linear).training
    assert (about["kept"], about["photos"]) == ("linear head", {"train": 96, "val": 0})
    assert set(training_photos(linear).photos["split"]) == {"train"}
    assert "val_loss" in history(linear)
    few = train_tagger(learned.iloc[:16], fine_tune_epochs=1, **QUICK)
    assert history(few)["phase"].to_list() == ["head"]
    assert model_info(few).training["why"].startswith("too few hotels to hold some out")
    assert model_info(few).training["judged_loss"] == {}
    assert model_info(few).training["linear"]["hotels"] == 4


@pytest.fixture(scope="module")
def from_scratch(module_of_few_layers: None, demo_dir: Path) -> keras.Model:
    """A network that has learned for an epoch from the drawn photos; tests only read it."""
    photos = read_catalog(demo_dir / "catalog.csv")
    return train_tagger(photos, weights=None, fine_tune_epochs=1, **QUICK)


@pytest.mark.slow
def test_training_from_scratch_is_one_phase_with_live_statistics(from_scratch):
    model = from_scratch
    assert history(model)["phase"].to_list() == ["from_scratch"]
    assert model.get_layer("conv1_bn").moving_mean.numpy().any()


@pytest.mark.slow
def test_network_from_scratch_is_as_sure_as_validation_photos_say(coloured):
    # Labels this smooth teach it to doubt.
    settings = {**QUICK, "label_smoothing": 0.5, "fine_tune_learning_rate": 0.01}
    model = train_tagger(coloured, weights=None, fine_tune_epochs=4, **settings)
    tags = predict_tags(coloured, model, progress=False)
    val = (coloured["split"] == "val").to_numpy()
    temperature = model_info(model).training["temperature"]
    # What it was before has that temperature.
    before_it = tags.loc[val, ["p_blue", "p_red"]].to_numpy() ** temperature
    before_it /= before_it.sum(axis=1, keepdims=True)
    true = (coloured.loc[val, ["label"]].to_numpy() == ["blue", "red"]).astype(float)
    assert fit_temperature(before_it, true) == pytest.approx(temperature, rel=0.01)
    assert temperature != pytest.approx(1, abs=0.02)


def test_head_learns_to_tell_colours_apart_in_a_table_made_by_hand(coloured):
    photos = coloured[["path", "label", "split"]]
    model = train_tagger(photos, fine_tune_epochs=0, **QUICK)
    assert history(model)["val_accuracy"].max() == 1.0
    assert set(training_photos(model).photos["image_id"]) == set(photos["path"])


@pytest.mark.slow
def test_photos_of_two_areas_are_learned_as_halves_of_both(coloured):
    also = coloured["label"].map({"red": "blue"})
    model = train_tagger(
        coloured.assign(label_2=also), fine_tune_epochs=0,
        **QUICK,
    )  # fmt: skip
    tags = predict_tags(coloured[coloured["split"] == "val"], model, progress=False)
    # Half of the photos are blue, and the red ones by half: three quarters in all.
    assert tags["p_blue"].mean() == pytest.approx(0.75, abs=0.1)


@pytest.mark.slow
def test_loss_that_is_no_number_ends_the_training_with_advice(coloured):
    with pytest.raises(TrainingError, match="lower learning rate"):
        train_tagger(coloured, **{**SHORT, "fine_tune_learning_rate": 1e30})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda photos: photos.assign(split=photos["split"].where(photos.index < 60)),
            "is empty for 36 of 96 photos to learn from, of 9 hotels such as 'h15'",
        ),
        (
            lambda photos: photos.assign(hotel_id="h" + (photos.index // 5).astype(str)),
            "hotel 'h14' is in train and val",
        ),
        (
            lambda photos: photos.assign(path=[photos["path"][0], *photos["path"][1:95],
                                               photos["path"][0]]),
            "hotels 'h0', 'h23', which show the same photo, are in train and val",
        ),
    ],
    ids=["split of some", "hotel torn apart", "file in two splits"],
)  # fmt: skip
def test_split_that_would_judge_by_what_was_learned_is_refused(coloured, change, message):
    with pytest.raises(CatalogError, match=message):
        train_tagger(change(coloured), **SHORT)


@pytest.mark.slow
def test_unreadable_photos_are_left_out_and_listed(demo_catalog, tmp_path):
    lost = demo_catalog.copy()
    row = lost.index[lost["split"] == "train"][3]
    lost.loc[row, "path"] = str(tmp_path / "lost.jpg")
    model = train_tagger(lost, weights=None, fine_tune_epochs=0, **QUICK)
    problems = {entry["path"]: entry["error"] for entry in model_info(model).training["errors"]}
    assert problems[str(tmp_path / "lost.jpg")] == "missing"
    assert any(text.startswith("truncated") for text in problems.values())
    assert model_info(model).training["photos"]["train"] == (lost["split"] == "train").sum() - 2


@pytest.mark.slow
def test_model_file_keeps_the_history(from_scratch, demo_catalog, tmp_path):
    model = from_scratch
    save_model(model, tmp_path / "tagger.keras")
    again = load_model(tmp_path / "tagger.keras", task="tagger")
    assert history(again).equals(history(model))
    assert model_info(again).training["catalog"] == catalog_hash(demo_catalog)


@pytest.mark.slow
def test_vgg16_trains_and_predicts_through_the_same_call(demo_catalog):
    from hotelviz.inference import predict_tags

    few = demo_catalog[demo_catalog["split"] == "train"].groupby("label").head(2)
    settings = {**QUICK, "backbone_kw": None}
    model = train_tagger(few, backbone="VGG16", weights=None, fine_tune_epochs=1, **settings)
    tags = predict_tags(few, model, progress=False)
    assert tags["predicted"].notna().sum() >= len(few) - 1
    assert "val_loss" not in history(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda photos: photos.drop(columns="label"), "train_tagger: .* no column 'label'"),
        (lambda photos: photos.drop(columns="split"), "train_tagger: .* no column 'split'"),
        (lambda photos: photos[photos["label"] == "Pool"], "1 classes .Pool."),
        (lambda photos: photos[photos["split"] == "test"], "0 classes .none."),
    ],
)
def test_catalogues_that_cannot_be_learned_from_are_refused(demo_catalog, change, message):
    with pytest.raises(CatalogError, match=message):
        train_tagger(change(demo_catalog), weights=None, fine_tune_epochs=1, **QUICK)


def test_class_without_training_photos_is_refused_with_the_nearest(demo_catalog):
    with pytest.raises(CatalogError, match=r"'Pol'.*did you mean 'Pool'"):
        train_tagger(demo_catalog, classes=["Pol", "Bedroom"], weights=None, **QUICK)


def test_rare_classes_weigh_more():
    rows = pd.DataFrame({"label": ["a"] * 16 + ["b"] * 4})
    weights = balanced_weights(rows, 0.5)
    assert weights[-1] / weights[0] == pytest.approx(2.0)


def test_weights_of_the_catalogue_count():
    rows = pd.DataFrame({"label": ["a", "a", "b"], "weight": [0.5, 1.5, 2.0]})
    weights = balanced_weights(rows, 1.0)
    assert (weights / weights[0]).tolist() == pytest.approx([1, 3, 4])


@pytest.mark.slow
def test_training_on_a_gpu_computes_in_float16_and_saves_float32(demo_catalog, monkeypatch):
    monkeypatch.setattr(fine_tuning, "has_gpu", lambda: True)
    networks = []
    original = fine_tuning.in_mixed_precision

    def keep(model):
        networks.append(original(model))
        return networks[-1]

    monkeypatch.setattr(fine_tuning, "in_mixed_precision", keep)
    start = train_tagger(demo_catalog, effort="quick", **QUICK)
    model = train_tagger(demo_catalog, fine_tune_epochs=1, fine_tune_learning_rate=1e-3, **QUICK)
    policies = {layer.compute_dtype for layer in networks[0].layers}
    assert policies == {"float16", "float32"}
    assert networks[0].get_layer("conv1").compute_dtype == "float16"
    assert networks[0].get_layer("probabilities").compute_dtype == "float32"
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    before, after = (m.get_layer("conv_pw_13").kernel.numpy() for m in (start, networks[0]))
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() > 0


def test_training_stops_when_more_than_a_tenth_is_missing(coloured, tmp_path):
    for path in coloured["path"].iloc[:10]:
        Path(path).unlink()
    with pytest.raises(MissingPhotosError, match="10 of 96 photos are not available"):
        train_tagger(coloured, **SHORT)
    model = train_tagger(coloured, allow_missing=True, **{**SHORT, "fine_tune_epochs": 0})
    assert model_info(model).training["problem_counts"] == {"unavailable": 10}
    assert len(training_photos(model).photos) == 86
