"""The two-phase regime: phases, resuming, augmentation, and bad input."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from PIL import Image

from hotelviz import regime, training
from hotelviz.catalog import RATINGS, CatalogError
from hotelviz.models import describe, load_model, save_model
from hotelviz.regime import Augmentation
from hotelviz.training import history, train_aesthetic, train_tagger

QUICK = {
    "input_size": 32,
    "backbone_kw": {"alpha": 0.25},
    "batch_size": 16,
    "progress": False,
}


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in ImageNet weights: the backbone's own random ones, so that both phases run."""
    from keras import applications

    original = applications.MobileNet

    def build(**kw):
        network = original(**{**kw, "weights": None})
        for layer in network.layers:
            # Untrained statistics would let the features fade to nothing.
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.moving_variance.assign(keras.ops.full(layer.moving_variance.shape, 0.05))
        return network

    monkeypatch.setattr(applications, "MobileNet", build)


def test_pretrained_networks_learn_in_two_phases(demo_catalog, pretrained):
    model = train_tagger(demo_catalog, head_epochs=2, fine_tune_epochs=2, **QUICK)
    table = history(model)
    assert table["phase"].to_list() == ["head", "head", "fine_tune", "fine_tune"]
    assert table["epoch"].to_list() == [1, 2, 3, 4]
    assert table["learning_rate"].to_list() == pytest.approx([1e-3, 1e-3, 3e-5, 3e-5])
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(table)
    settings = describe(model).training["settings"]
    assert settings["fine_tune_learning_rate"] == 3e-5
    assert describe(model).training["photos"]["train"] > 0


def test_first_phase_leaves_the_backbone_alone(demo_catalog, pretrained):
    start = train_tagger(demo_catalog, head_epochs=0, fine_tune_epochs=0, **QUICK)
    after = train_tagger(demo_catalog, head_epochs=3, fine_tune_epochs=0, **QUICK)
    for name, same in (("conv1", True), ("conv_pw_13", True), ("probabilities", False)):
        before, now = (model.get_layer(name).kernel.numpy() for model in (start, after))
        assert np.array_equal(before, now) == same


def test_second_phase_keeps_batch_normalisation(demo_catalog, pretrained):
    start = train_tagger(demo_catalog, head_epochs=0, fine_tune_epochs=0, **QUICK)
    after = train_tagger(demo_catalog, head_epochs=0, fine_tune_epochs=1, **QUICK)
    for variable in ("moving_mean", "moving_variance", "gamma"):
        before, now = (
            getattr(model.get_layer("conv_pw_5_bn"), variable).numpy() for model in (start, after)
        )
        np.testing.assert_array_equal(before, now)
    assert not np.array_equal(
        start.get_layer("conv_pw_5").kernel.numpy(), after.get_layer("conv_pw_5").kernel.numpy()
    )
    assert all(layer.trainable for layer in after.layers)


def test_training_from_scratch_is_one_phase_with_live_statistics(demo_catalog):
    model = train_tagger(demo_catalog, weights=None, fine_tune_epochs=1, **QUICK)
    assert history(model)["phase"].to_list() == ["from_scratch"]
    assert model.get_layer("conv1_bn").moving_mean.numpy().any()


def test_head_learns_to_tell_plain_colours_apart(tmp_path, pretrained):
    import pandas as pd

    rows = []
    for number in range(60):
        label, colour = [("red", (220, 30, 30)), ("blue", (20, 40, 220))][number % 2]
        path = tmp_path / f"{number}.png"
        shade = np.random.default_rng(number).integers(-20, 21, 3)
        Image.new("RGB", (40, 40), tuple((np.array(colour) + shade).clip(0, 255))).save(path)
        split = "val" if number >= 48 else "train"
        rows.append({"image_id": str(number), "path": str(path), "label": label, "split": split})
    model = train_tagger(
        pd.DataFrame(rows), head_epochs=30, head_learning_rate=0.02, fine_tune_epochs=0, **QUICK
    )
    assert history(model)["val_accuracy"].max() == 1.0


class InterruptedTrainingError(Exception):
    pass


def interrupt_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = regime._Log.on_epoch_begin

    def stop(self, epoch, logs=None):
        if self.phase != "head" and epoch >= epochs:
            raise InterruptedTrainingError
        original(self, epoch, logs)

    monkeypatch.setattr(regime._Log, "on_epoch_begin", stop)


def test_interrupted_training_goes_on_where_it_stopped(
    demo_catalog, tmp_path, monkeypatch, pretrained
):
    settings = {"head_epochs": 1, "fine_tune_epochs": 3, "patience": 9, **QUICK}
    whole = train_tagger(demo_catalog, **settings)
    work = tmp_path / "work"
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)
        with pytest.raises(InterruptedTrainingError):
            train_tagger(demo_catalog, checkpoint_dir=work, **settings)
    decoded = (work / "train.npy").stat().st_mtime_ns
    rows = json.loads((work / "fine_tune.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2]

    def no_decoding(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(regime, "iterate_images", no_decoding)
    resumed = train_tagger(demo_catalog, checkpoint_dir=work, **settings)
    assert decoded
    assert history(resumed)["phase"].to_list() == ["head", "fine_tune", "fine_tune", "fine_tune"]
    np.testing.assert_allclose(history(resumed)["loss"], history(whole)["loss"], rtol=0.05)
    assert not work.exists()


def test_other_settings_begin_anew(demo_catalog, tmp_path, monkeypatch):
    work = tmp_path / "work"
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(InterruptedTrainingError):
            train_tagger(
                demo_catalog, weights=None, fine_tune_epochs=2, checkpoint_dir=work, **QUICK
            )
    model = train_tagger(
        demo_catalog, weights=None, fine_tune_epochs=1, seed=5, checkpoint_dir=work, **QUICK
    )
    assert len(history(model)) == 1


def test_unreadable_photos_are_left_out_and_listed(demo_catalog, tmp_path):
    lost = demo_catalog.copy()
    row = lost.index[lost["split"] == "train"][3]
    lost.loc[row, "path"] = str(tmp_path / "lost.jpg")
    model = train_tagger(lost, weights=None, fine_tune_epochs=1, **QUICK)
    problems = {entry["path"]: entry["problem"] for entry in describe(model).training["problems"]}
    assert problems[str(tmp_path / "lost.jpg")] == "missing"
    assert any(text.startswith("truncated") for text in problems.values())
    assert describe(model).training["photos"]["train"] == (lost["split"] == "train").sum() - 2


def test_model_file_keeps_the_history(demo_catalog, tmp_path):
    model = train_tagger(demo_catalog, weights=None, fine_tune_epochs=1, **QUICK)
    save_model(model, tmp_path / "tagger.keras")
    again = load_model(tmp_path / "tagger.keras", task="tagger")
    assert history(again).equals(history(model))
    assert describe(again).training["catalog"] == training.fingerprint(demo_catalog)


def test_vgg16_trains_and_predicts_through_the_same_call(demo_catalog):
    from hotelviz.scoring import predict_tags

    few = demo_catalog[demo_catalog["split"] == "train"].groupby("label").head(2)
    settings = {**QUICK, "backbone_kw": None}
    model = train_tagger(few, backbone="VGG16", weights=None, fine_tune_epochs=1, **settings)
    tags = predict_tags(few, model, progress=False)
    assert tags["predicted"].notna().sum() >= len(few) - 1
    assert "val_loss" not in history(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda photos: photos.drop(columns="label"), "needs the column 'label'"),
        (lambda photos: photos.drop(columns="split"), "split_catalog"),
        (lambda photos: photos[photos["label"] == "Pool"], "1 classes .Pool."),
        (lambda photos: photos[photos["split"] == "test"], "0 classes .none."),
        (lambda photos: photos.assign(path="nowhere.jpg"), "none of the training photos"),
    ],
)
def test_catalogues_that_cannot_be_learned_from_are_refused(demo_catalog, change, message):
    with pytest.raises(CatalogError, match=message):
        train_tagger(change(demo_catalog), weights=None, fine_tune_epochs=1, **QUICK)


def test_class_without_training_photos_is_refused_with_the_nearest(demo_catalog):
    with pytest.raises(CatalogError, match=r"'Pol'.*did you mean 'Pool'"):
        train_tagger(demo_catalog, classes=["Pol", "Bedroom"], weights=None, **QUICK)


def crop(augmentation: Augmentation, image: np.ndarray, size: int, seed: int) -> np.ndarray:
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None].astype("float32"),
        transforms=augmentation.matrices(1, image.shape[0], size, seed=seed),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    ).numpy()[0]


def test_augmentation_without_change_is_the_photo():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3))
    still = Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)
    np.testing.assert_allclose(crop(still, image, 16, 0), image, atol=1e-3)


def test_crop_of_fixed_scale_is_a_window_of_the_photo():
    x, y = np.meshgrid(np.arange(16.0), np.arange(16.0))
    image = np.stack([x, y, x], axis=2)
    window = crop(Augmentation(scale=(0.5, 0.5), rotation=0.0, flip=False), image, 8, 3)
    np.testing.assert_allclose(np.diff(window[..., 0], axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(np.diff(window[..., 1], axis=0), 1, atol=1e-3)
    assert window.min() >= -1e-3
    assert window.max() <= 15 + 1e-3


def test_flips_mirror_about_half_of_the_photos():
    matrices = Augmentation(rotation=0.0).matrices(400, 256, 224, seed=0)
    assert 0.4 < (matrices[:, 0] < 0).mean() < 0.6


def test_rotation_stays_within_its_bounds():
    matrices = Augmentation(rotation=10.0, flip=False).matrices(400, 256, 224, seed=0)
    angles = np.rad2deg(np.arctan2(matrices[:, 3], matrices[:, 0]))
    assert np.abs(angles).max() <= 10
    assert angles.std() > 4


def test_rare_classes_weigh_more():
    import pandas as pd

    rows = pd.DataFrame({"label": ["a"] * 16 + ["b"] * 4})
    weights = training.balanced_weights(rows, 0.5)
    assert weights[-1] / weights[0] == pytest.approx(2.0)


def test_weights_of_the_catalogue_count():
    import pandas as pd

    rows = pd.DataFrame({"label": ["a", "a", "b"], "weight": [0.5, 1.5, 2.0]})
    weights = training.balanced_weights(rows, 1.0)
    assert (weights / weights[0]).tolist() == pytest.approx([1, 3, 4])


def test_training_on_a_gpu_computes_in_float16_and_saves_float32(
    demo_catalog, monkeypatch, pretrained
):
    monkeypatch.setattr(regime, "_has_gpu", lambda: True)
    networks = []
    original = regime._in_mixed_precision

    def keep(model):
        networks.append(original(model))
        return networks[-1]

    monkeypatch.setattr(regime, "_in_mixed_precision", keep)
    start = train_tagger(demo_catalog, head_epochs=0, fine_tune_epochs=0, **QUICK)
    model = train_tagger(
        demo_catalog, head_epochs=0, fine_tune_epochs=1, fine_tune_learning_rate=1e-3, **QUICK
    )
    policies = {layer.compute_dtype for layer in networks[0].layers}
    assert policies == {"float16", "float32"}
    assert networks[0].get_layer("conv1").compute_dtype == "float16"
    assert networks[0].get_layer("probabilities").compute_dtype == "float32"
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    before, after = (m.get_layer("conv_pw_13").kernel.numpy() for m in (start, model))
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() > 0


@pytest.fixture
def rated_catalog(demo_catalog):
    """Dark photos are rated 3, bright ones 8."""
    rated = demo_catalog.copy()
    for score in range(1, 11):
        rated[f"rating_{score}"] = 0.0
    bright = np.arange(len(rated)) % 2 == 0
    rated.loc[bright, "rating_8"] = 12.0
    rated.loc[~bright, "rating_3"] = 12.0
    return rated


def test_second_iteration_starts_from_the_first_and_names_its_lineage(
    rated_catalog, tmp_path, pretrained
):
    first = train_aesthetic(rated_catalog, head_epochs=1, fine_tune_epochs=1, **QUICK)
    save_model(first, tmp_path / "first.keras")
    second = train_aesthetic(
        rated_catalog, parent=tmp_path / "first.keras", head_epochs=0, fine_tune_epochs=0, **QUICK
    )
    for ours, theirs in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    third = train_aesthetic(
        rated_catalog, task="technical", parent=second, head_epochs=1, fine_tune_epochs=1, **QUICK
    )
    save_model(third, tmp_path / "third.keras")
    info = describe(load_model(tmp_path / "third.keras", task="technical"))
    assert info.parent["task"] == "aesthetic"
    assert info.parent["parent"]["training"]["catalog"] == describe(first).training["catalog"]
    assert history(third)["phase"].to_list() == ["head", "fine_tune"]
    assert "val_mean_score_error" in history(third)


def test_tagger_lends_its_backbone_to_an_aesthetic_model(rated_catalog, pretrained):
    tagger = train_tagger(rated_catalog, head_epochs=0, fine_tune_epochs=0, **QUICK)
    model = train_aesthetic(
        rated_catalog, parent=tagger, head_epochs=1, fine_tune_epochs=0, **QUICK
    )
    assert model.output_shape == (None, 10)
    np.testing.assert_array_equal(
        model.get_layer("conv_pw_13").kernel.numpy(), tagger.get_layer("conv_pw_13").kernel.numpy()
    )


def test_photos_without_ratings_are_left_out_and_counted(rated_catalog):
    rated = rated_catalog.copy()
    rated.loc[rated.index[:5], [f"rating_{score}" for score in range(1, 11)]] = np.nan
    model = train_aesthetic(rated, weights=None, fine_tune_epochs=1, **QUICK)
    training_record = describe(model).training
    assert training_record["left_out"] == {"without ratings": 5}
    used = sum(training_record["photos"].values()) + len(training_record["problems"])
    assert used <= (rated["split"] != "test").sum()


def test_aesthetic_training_without_ratings_is_refused(demo_catalog):
    unrated = demo_catalog.drop(columns=list(RATINGS))
    with pytest.raises(CatalogError, match="rating_1"):
        train_aesthetic(unrated, weights=None, **QUICK)


def test_photos_are_neither_turned_nor_recoloured_for_aesthetics(rated_catalog):
    model = train_aesthetic(rated_catalog, weights=None, fine_tune_epochs=1, **QUICK)
    settings = describe(model).training["settings"]
    assert settings["augmentation"] == {"scale": (7 / 8, 7 / 8), "rotation": 0.0, "flip": True}
