"""The two-phase regime: phases, resuming, augmentation, and bad input."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from hotelviz.catalog import catalog_hash
from hotelviz.errors import CatalogError, MissingPhotosError, OutputError, TrainingError
from hotelviz.images import iterate_images
from hotelviz.io.claims import claim
from hotelviz.models import load_model, model_info, save_model, training_photos
from hotelviz.schema import RATINGS
from hotelviz.training import fine_tuning, pixel_cache, train
from hotelviz.training.checkpoints import Course
from hotelviz.training.fine_tuning import Augmentation
from hotelviz.training.train import history, train_aesthetic, train_tagger

QUICK = {
    "input_size": 32,
    "backbone_kw": {"alpha": 0.25},
    "batch_size": 16,
    "progress": False,
}


@pytest.fixture(autouse=True)
def small_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for MobileNet by a few of its layers: what is tested is the regime around them.

    Its "ImageNet weights" are random ones, so that both phases run.
    """

    def build(*, input_shape: tuple[int | None, int | None, int], **_: object) -> keras.Model:
        inputs = outputs = keras.Input(input_shape)
        for name, filters, size, strides in (
            ("conv1", 8, 3, 4), ("conv_pw_5", 12, 1, 1), ("conv_pw_13", 16, 1, 1),
        ):  # fmt: skip
            outputs = layers.Conv2D(filters, size, strides=strides, name=name)(outputs)
            outputs = layers.BatchNormalization(name=f"{name}_bn")(outputs)
            outputs = layers.ReLU()(outputs)
        return keras.Model(inputs, outputs)

    monkeypatch.setattr(keras.applications, "MobileNet", build)


@pytest.fixture
def coloured(tmp_path: Path) -> pd.DataFrame:
    """96 noisy red and blue photos of 24 hotels; a quarter of the hotels validates."""
    random, rows = np.random.default_rng(0), []
    for number in range(96):
        label, colour = [("red", (150, 90, 90)), ("blue", (90, 90, 150))][number % 2]
        pixels = np.array(colour) + random.integers(-80, 81, (40, 40, 3))
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels.astype("uint8")).save(path)
        rows.append(
            {
                "image_id": str(number), "path": str(path), "hotel_id": f"h{number // 4}",
                "label": label, "split": "val" if number >= 72 else "train",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def test_pretrained_networks_learn_in_two_phases(demo_catalog):
    model = train_tagger(demo_catalog, head_epochs=2, fine_tune_epochs=2, **QUICK)
    table = history(model)
    assert table["phase"].to_list() == ["head", "head", "fine_tune", "fine_tune"]
    assert table["epoch"].to_list() == [1, 2, 3, 4]
    assert table["learning_rate"].to_list() == pytest.approx([1e-3, 1e-3, 3e-5, 3e-5])
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(table)
    settings = model_info(model).training["settings"]
    assert settings["fine_tune_learning_rate"] == 3e-5
    assert model_info(model).training["photos"]["train"] > 0


def test_first_phase_leaves_the_backbone_alone(demo_catalog):
    start = train_tagger(demo_catalog, head_epochs=0, fine_tune_epochs=0, **QUICK)
    after = train_tagger(demo_catalog, head_epochs=3, fine_tune_epochs=0, **QUICK)
    for name, same in (("conv1", True), ("conv_pw_13", True), ("probabilities", False)):
        before, now = (model.get_layer(name).kernel.numpy() for model in (start, after))
        assert np.array_equal(before, now) == same


def test_second_phase_keeps_batch_normalisation(demo_catalog):
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


def test_head_learns_to_tell_colours_apart_in_a_table_made_by_hand(coloured):
    photos = coloured[["path", "label", "split"]]
    model = train_tagger(
        photos, head_epochs=30, head_learning_rate=0.02, fine_tune_epochs=0, **QUICK
    )
    assert history(model)["val_accuracy"].max() == 1.0
    assert set(training_photos(model).photos["image_id"]) == set(photos["path"])


class InterruptedTrainingError(Exception):
    pass


@contextmanager
def interrupted(after: int) -> Iterator[None]:
    """End a training that has done so many epochs, before the next one is kept."""
    original, done = Course.on_epoch_end, []

    def stop(self, epoch, logs=None):
        if len(done) == after:
            raise InterruptedTrainingError
        done.append(epoch)
        original(self, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Course, "on_epoch_end", stop)
        with pytest.raises(InterruptedTrainingError):
            yield


def shuffled(photos: pd.DataFrame, seed: int) -> pd.DataFrame:
    return photos.sample(frac=1, random_state=seed)


def course_of(model: keras.Model) -> pd.DataFrame:
    return history(model).drop(columns="seconds")


def test_training_stopped_in_any_epoch_and_resorted_ends_as_an_undisturbed_one(coloured, tmp_path):
    settings = {
        **QUICK, "head_epochs": 3, "head_learning_rate": 0.02, "fine_tune_epochs": 8,
        "fine_tune_learning_rate": 1e-2, "patience": 2,
    }  # fmt: skip
    whole = train_tagger(coloured, **settings)
    expected, work = course_of(whole), tmp_path / "work"
    # The learning rate was lowered, and the training ended before its last epoch.
    assert expected["learning_rate"].iloc[-1] < 9e-3
    assert len(expected) < 11
    for start in range((len(expected) - 1) // 2):
        with interrupted(2):
            train_tagger(shuffled(coloured, start), checkpoint_dir=work, **settings)
    resumed = train_tagger(shuffled(coloured, 99), checkpoint_dir=work, **settings)
    columns = ["epoch", "phase", "learning_rate"]
    pd.testing.assert_frame_equal(course_of(resumed)[columns], expected[columns])
    pd.testing.assert_frame_equal(course_of(resumed), expected, rtol=1e-3)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_training_from_scratch_goes_on_along_its_cosine(coloured, tmp_path):
    settings = {**QUICK, "weights": None, "fine_tune_epochs": 3}
    whole = train_tagger(coloured, **settings)
    with interrupted(2):
        train_tagger(coloured, checkpoint_dir=tmp_path / "work", **settings)
    resumed = train_tagger(shuffled(coloured, 1), checkpoint_dir=tmp_path / "work", **settings)
    pd.testing.assert_frame_equal(course_of(resumed), course_of(whole), rtol=1e-3)


SHORT = {**QUICK, "weights": None, "fine_tune_epochs": 2}


@pytest.mark.parametrize(
    ("pattern", "left"), [("from_scratch-*.npz", 100), ("*.json", 10), ("*.pixels", None)]
)
def test_what_a_failing_disk_took_from_a_training_is_done_again(coloured, tmp_path, pattern, left):
    whole = train_tagger(coloured, **SHORT)
    with interrupted(1):
        train_tagger(coloured, checkpoint_dir=tmp_path / "work", **SHORT)
    damaged = list((tmp_path / "work").glob(pattern))
    for file in damaged:
        if left is None:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:left])
    assert damaged
    said = pytest.warns(UserWarning, match="begun anew") if left else contextlib.nullcontext()
    with said:
        again = train_tagger(coloured, checkpoint_dir=tmp_path / "work", **SHORT)
    pd.testing.assert_frame_equal(course_of(again), course_of(whole), rtol=1e-3)


def test_training_whose_labels_were_corrected_begins_anew_on_the_same_pixels(
    coloured, tmp_path, monkeypatch
):
    with interrupted(1):
        train_tagger(coloured, checkpoint_dir=tmp_path / "work", **SHORT)
    asked = counted_decoding(monkeypatch)
    corrected = coloured.assign(label=coloured["label"].where(coloured.index != 5, "red"))
    with pytest.warns(UserWarning, match=r"\(changed: labels\); begun anew"):
        model = train_tagger(corrected, checkpoint_dir=tmp_path / "work", **SHORT)
    assert asked == []
    assert course_of(model).equals(course_of(train_tagger(corrected, **SHORT)))


def counted_decoding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list that gets the path of each photo that is decoded."""
    asked: list[str] = []

    def note(paths, **kw):
        asked.extend(paths)
        return iterate_images(paths, **kw)

    monkeypatch.setattr(pixel_cache, "iterate_images", note)
    return asked


def decode(photos: pd.DataFrame, tmp_path: Path) -> pixel_cache.Decoded:
    return pixel_cache.decode_once(
        photos, 8, tmp_path / "photos.pixels", resample="bilinear", progress=False
    )


def test_pixels_are_kept_by_photo_whatever_the_order(coloured, tmp_path, monkeypatch):
    first = decode(coloured, tmp_path)
    asked = counted_decoding(monkeypatch)
    again = decode(coloured.iloc[::-1], tmp_path)
    assert asked == []
    np.testing.assert_array_equal(again.pixels[:], first.pixels[:][::-1])
    assert again.photos.index.tolist() == coloured.index[::-1].tolist()


def test_photos_that_were_replaced_or_added_are_decoded_and_no_others(
    coloured, tmp_path, monkeypatch
):
    decode(coloured.iloc[:90], tmp_path)
    replaced = coloured["path"].iloc[7]
    Image.new("RGB", (40, 41), "white").save(replaced)
    asked = counted_decoding(monkeypatch)
    found = decode(coloured, tmp_path)
    assert sorted(asked) == sorted([replaced, *coloured["path"].iloc[90:]])
    assert (found.pixels[7] == 255).all()
    assert (found.pixels[8] != 255).any()


def test_pixels_that_a_killed_run_did_not_come_to_list_are_decoded_again(coloured, tmp_path):
    whole = decode(coloured, tmp_path).pixels[:]
    index = tmp_path / "photos.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(lines[:40]) + lines[40][:30])
    np.testing.assert_array_equal(decode(coloured, tmp_path).pixels[:], whole)
    assert len(index.read_text().splitlines()) == 97


def test_photo_that_is_not_there_now_is_tried_again(coloured, tmp_path):
    away = Path(coloured["path"].iloc[3])
    away.rename(tmp_path / "away.png")
    assert decode(coloured, tmp_path).read.sum() == 95
    (tmp_path / "away.png").rename(away)
    assert decode(coloured, tmp_path).read.all()


def test_training_stops_when_more_than_a_tenth_is_missing(coloured, tmp_path):
    for path in coloured["path"].iloc[:10]:
        Path(path).unlink()
    with pytest.raises(MissingPhotosError, match="10 of 96 photos are not available"):
        train_tagger(coloured, **SHORT)
    model = train_tagger(coloured, allow_missing=True, **{**SHORT, "fine_tune_epochs": 1})
    assert model_info(model).training["problem_counts"] == {"unavailable": 10}
    assert len(training_photos(model).photos) == 86


def test_checkpoints_stay_until_the_model_is_on_the_disk(coloured, tmp_path, monkeypatch):
    out = tmp_path / "tagger.keras"
    settings = {**SHORT, "fine_tune_epochs": 1}
    with monkeypatch.context() as patch:
        patch.setattr(train, "save_model", no_space)
        with pytest.raises(OSError, match="No space left"):
            train_tagger(coloured, out=out, **settings)
    assert not out.exists()
    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", no_space)
        model = train_tagger(coloured, out=out, **settings)
    assert not (tmp_path / "tagger.keras.training").exists()
    saved = load_model(out)
    assert history(saved).equals(history(model))
    for ours, theirs in zip(saved.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_output_that_cannot_be_written_is_refused_before_the_photos_are_read(
    coloured, tmp_path, monkeypatch
):
    monkeypatch.setattr(pixel_cache, "iterate_images", no_space)
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        train_tagger(coloured, out=tmp_path / "folder.keras", **SHORT)
    with pytest.raises(OutputError, match=r"must end in \.keras"):
        train_tagger(coloured, out=tmp_path / "tagger.h5", **SHORT)
    with (
        claim(tmp_path / "tagger.keras"),
        pytest.raises(OutputError, match=f"another run .process {os.getpid()} on "),
    ):
        train_tagger(coloured, out=tmp_path / "tagger.keras", **SHORT)


def test_checkpoint_folder_that_hotelviz_did_not_make_is_refused(coloured, tmp_path):
    theirs = tmp_path / "thesis"
    theirs.mkdir()
    (theirs / "chapter.tex").write_text("years of work")
    with pytest.raises(OutputError, match="thesis: is not empty and hotelviz did not make it"):
        train_tagger(coloured, checkpoint_dir=theirs, **SHORT)
    assert (theirs / "chapter.tex").read_text() == "years of work"


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


def test_unreadable_photos_are_left_out_and_listed(demo_catalog, tmp_path):
    lost = demo_catalog.copy()
    row = lost.index[lost["split"] == "train"][3]
    lost.loc[row, "path"] = str(tmp_path / "lost.jpg")
    model = train_tagger(lost, weights=None, fine_tune_epochs=1, **QUICK)
    problems = {entry["path"]: entry["error"] for entry in model_info(model).training["errors"]}
    assert problems[str(tmp_path / "lost.jpg")] == "missing"
    assert any(text.startswith("truncated") for text in problems.values())
    assert model_info(model).training["photos"]["train"] == (lost["split"] == "train").sum() - 2


def test_model_file_keeps_the_history(demo_catalog, tmp_path):
    model = train_tagger(demo_catalog, weights=None, fine_tune_epochs=1, **QUICK)
    save_model(model, tmp_path / "tagger.keras")
    again = load_model(tmp_path / "tagger.keras", task="tagger")
    assert history(again).equals(history(model))
    assert model_info(again).training["catalog"] == catalog_hash(demo_catalog)


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
    rows = pd.DataFrame({"label": ["a"] * 16 + ["b"] * 4})
    weights = train.balanced_weights(rows, 0.5)
    assert weights[-1] / weights[0] == pytest.approx(2.0)


def test_weights_of_the_catalogue_count():
    rows = pd.DataFrame({"label": ["a", "a", "b"], "weight": [0.5, 1.5, 2.0]})
    weights = train.balanced_weights(rows, 1.0)
    assert (weights / weights[0]).tolist() == pytest.approx([1, 3, 4])


def test_training_on_a_gpu_computes_in_float16_and_saves_float32(demo_catalog, monkeypatch):
    monkeypatch.setattr(fine_tuning, "has_gpu", lambda: True)
    networks = []
    original = fine_tuning._in_mixed_precision

    def keep(model):
        networks.append(original(model))
        return networks[-1]

    monkeypatch.setattr(fine_tuning, "_in_mixed_precision", keep)
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


def test_second_iteration_starts_from_the_first_and_names_its_lineage(rated_catalog, tmp_path):
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
    info = model_info(load_model(tmp_path / "third.keras", task="technical"))
    assert info.parent["task"] == "aesthetic"
    assert info.parent["parent"]["training"]["catalog"] == model_info(first).training["catalog"]
    assert history(third)["phase"].to_list() == ["head", "fine_tune"]
    assert "val_mean_score_error" in history(third)


def test_tagger_lends_its_backbone_to_an_aesthetic_model(rated_catalog):
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
    training_record = model_info(model).training
    assert training_record["left_out"] == {"without ratings": 5, "without split": 0}
    used = sum(training_record["photos"].values()) + len(training_record["errors"])
    assert used <= (rated["split"] != "test").sum()


def test_aesthetic_training_without_ratings_is_refused(demo_catalog):
    unrated = demo_catalog.drop(columns=list(RATINGS))
    with pytest.raises(CatalogError, match="rating_1"):
        train_aesthetic(unrated, weights=None, **QUICK)


def test_photos_are_neither_turned_nor_recoloured_for_aesthetics(rated_catalog):
    model = train_aesthetic(rated_catalog, weights=None, fine_tune_epochs=1, **QUICK)
    settings = model_info(model).training["settings"]
    assert settings["augmentation"] == {"scale": (7 / 8, 7 / 8), "rotation": 0.0, "flip": True}
