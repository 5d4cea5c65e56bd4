"""Predictions: equal to Keras', a row for every photo."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz.embeddings import photo_features
from hotelviz.errors import CatalogError, ModelError
from hotelviz.images import read_image
from hotelviz.inference import predict_scores, predict_tags, predict_with_features, score_photos
from hotelviz.models import (
    Preprocessing,
    activations,
    build_aesthetic,
    build_tagger,
    model_info,
    save_model,
    wrap_model,
)

CLASSES = ("Bedroom", "Foyer", "Pool")


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    return build_tagger(CLASSES, input_size=32, weights=None, backbone_kw={"alpha": 0.25})


@pytest.mark.slow
def test_predictions_equal_those_of_keras(demo_catalog, tagger):
    photos = demo_catalog[demo_catalog["split"] == "test"].reset_index(drop=True)
    tags = predict_tags(photos, tagger, progress=False)
    pixels = np.stack([read_image(path, size=(32, 32)) for path in photos["path"]])
    scale = model_info(tagger).preprocessing.scale
    expected = tagger.predict(scale(pixels.astype("float32")), verbose=0)
    np.testing.assert_allclose(tags[[f"p_{name}" for name in CLASSES]], expected, atol=1e-5)
    assert tags["predicted"].to_list() == [CLASSES[i] for i in expected.argmax(axis=1)]
    assert tags["image_id"].to_list() == photos["image_id"].to_list()


def test_predictions_in_a_mirror_count_as_much_as_those_of_the_photo(demo_catalog, tagger):
    photos = demo_catalog[demo_catalog["split"] == "test"].reset_index(drop=True)
    pixels = np.stack([read_image(path, size=(32, 32)) for path in photos["path"]])
    scores = build_aesthetic(input_size=32, weights=None, backbone_kw={"alpha": 0.25})
    for model, predict, columns in (
        (tagger, predict_tags, [f"p_{name}" for name in CLASSES]),
        (scores, predict_scores, [f"q_{score}" for score in range(1, 11)]),
    ):
        scale = model_info(model).preprocessing.scale
        both = [
            model.predict(scale(view.astype("float32")), verbose=0)
            for view in (pixels, pixels[:, :, ::-1])
        ]
        found = predict(photos, model, mirror=True, progress=False)[columns]
        np.testing.assert_allclose(found, np.mean(both, axis=0), atol=1e-5)


def test_every_photo_is_a_row_and_says_what_was_wrong(demo_catalog, tagger, tmp_path):
    photos = demo_catalog.copy()
    photos.loc[photos.index[0], "path"] = str(tmp_path / "lost.jpg")
    tags = predict_tags(photos, tagger, progress=False)
    assert len(tags) == len(photos)
    assert (tags["status"][0], tags["error"][0]) == ("unavailable", "missing")
    assert tags["status"].value_counts()[["truncated", "unreadable"]].to_list() == [1, 1]
    assert pd.isna(tags["predicted"][0])
    wrong = tags[tags["error"] != ""].iloc[1:].set_index("error")
    truncated = wrong[wrong.index.str.startswith("truncated")]
    assert len(wrong) == 2
    assert truncated["predicted"].notna().all()
    assert wrong.drop(index=truncated.index)["p_Pool"].isna().all()


def test_features_come_with_the_predictions_of_the_same_pass(demo_catalog, tagger, tmp_path):
    photos = demo_catalog.head(5).copy()
    photos.loc[photos.index[1], "path"] = str(tmp_path / "lost.jpg")
    tags, features = predict_with_features(photos, tagger, progress=False)
    pd.testing.assert_frame_equal(tags, predict_tags(photos, tagger, progress=False))
    alone = photo_features(photos, tagger, allow_missing=True, progress=False)
    # Those of the audit's cache are kept in 16 bits.
    pd.testing.assert_frame_equal(features, alone, rtol=2e-3, atol=1e-3, check_column_type=False)
    assert features.iloc[1].isna().all()
    network = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(),
                                keras.layers.Dense(2, activation="softmax")])  # fmt: skip
    plain = wrap_model(
        network, task="tagger", classes=["a", "b"], preprocessing=Preprocessing(32, 32)
    )
    assert predict_with_features(photos, plain, progress=False)[1].shape == (5, 0)


def test_batch_size_does_not_matter(demo_catalog, tagger):
    few = demo_catalog.head(7)
    one, many = (predict_tags(few, tagger, batch_size=n, progress=False) for n in (1, 64))
    np.testing.assert_allclose(one["p_Pool"], many["p_Pool"], atol=1e-5)


def test_predictions_keep_the_index_of_their_table(demo_catalog, tagger):
    some = demo_catalog.iloc[[5, 2, 7]]
    assert predict_tags(some, tagger, progress=False).index.to_list() == [5, 2, 7]
    joined = some.assign(predicted=predict_tags(some, tagger, progress=False)["predicted"])
    whole = predict_tags(demo_catalog, tagger, progress=False)["predicted"]
    assert joined["predicted"].to_list() == whole[[5, 2, 7]].to_list()


@pytest.mark.slow
def test_weights_that_change_are_seen_by_the_next_prediction(demo_catalog):
    model = build_tagger(CLASSES, input_size=32, weights=None, backbone_kw={"alpha": 0.25})
    photos = demo_catalog.head(4)
    before = predict_tags(photos, model, progress=False)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 0, bias + np.array([0, 0, 9])])
    after = predict_tags(photos, model, progress=False)
    assert after["predicted"].to_list() == ["Pool"] * 4
    assert (after["p_Pool"] - before["p_Pool"]).min() > 0.3
    assert after.attrs["hotelviz.classes"] == list(CLASSES)


def test_only_a_tagger_tags(demo_catalog):
    inputs = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    output = keras.layers.Dense(10, activation="softmax")(pooled)
    scorer = keras.Model(inputs, output)
    wrap_model(scorer, task="aesthetic", preprocessing=Preprocessing(32, 32))
    with pytest.raises(ModelError, match="for the task 'aesthetic'"):
        predict_tags(demo_catalog, scorer)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 16, 16, 3), "uint8"), np.zeros((2, 32, 32, 3), "float32")]
)
def test_pixels_of_another_kind_are_refused(tagger, pixels):
    with pytest.raises(ModelError, match=r"takes uint8 pixels of shape \(None, 32, 32, 3\)"):
        activations(tagger)(pixels)


def test_predictions_belong_to_their_photos_in_any_table(demo_catalog, tagger):
    whole = predict_tags(demo_catalog, tagger, progress=False).set_index("image_id")
    chosen = demo_catalog[::-3][["image_id", "path"]]
    tags = predict_tags(chosen, tagger, progress=False)
    assert tags["image_id"].to_list() == chosen["image_id"].to_list()
    np.testing.assert_array_equal(tags["p_Pool"], whole["p_Pool"][chosen["image_id"]])
    by_path = chosen.assign(path=chosen["path"].map(Path)).drop(columns="image_id")
    by_path.index = [0] * len(by_path)
    plain = predict_tags(by_path, tagger, progress=False)
    assert plain["image_id"].to_list() == chosen["path"].to_list()
    np.testing.assert_array_equal(plain["p_Pool"], tags["p_Pool"])
    nothing = predict_tags(chosen[:0], tagger, progress=False)
    assert (len(nothing), nothing.columns.to_list()) == (0, tags.columns.to_list())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"image_id": ["a"]}, "predict_tags: .* no column 'path'"),
        ({"path": ["a.jpg", None]}, "predict_tags, row 1, column 'path'"),
        ({"path": ["a.jpg"] * 2}, "'a.jpg' stands in row 0 already"),
    ],
)
def test_tables_that_cannot_be_predicted_are_refused(tagger, table, message):
    with pytest.raises(CatalogError, match=message):
        predict_tags(pd.DataFrame(table), tagger)


@pytest.mark.slow
def test_unreadable_photos_at_the_borders_of_batches_and_parts_keep_their_places(tagger, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40, 40), (20 * number, 90, 200)).save(path)
    broken = [0, 3, 4, 6, 7, 8, 11]
    for number in broken:
        paths[number].write_text("no photo")
    photos = pd.DataFrame({"path": paths})
    expected = predict_tags(photos, tagger, progress=False)
    assert np.flatnonzero(expected["status"] == "unreadable").tolist() == broken
    for part_size, batch_size in ((4, 3), (1, 5), (5, 1), (12, 4)):
        out = tmp_path / f"{part_size} {batch_size}"
        score_photos(photos, tagger, out, part_size=part_size, batch_size=batch_size,
                     progress=False)  # fmt: skip
        parts = [pd.read_parquet(part) for part in sorted(out.glob("*.parquet"))]
        assert [len(part) for part in parts[:-1]] == [part_size] * (len(parts) - 1)
        table = pd.concat(parts, ignore_index=True)
        same = ["image_id", "predicted", "p_Bedroom", "p_Foyer", "p_Pool", "status", "error"]
        pd.testing.assert_frame_equal(table[same], expected[same], check_exact=True)


@pytest.mark.parametrize("backend", ["keras", "openvino"])
def test_photo_of_which_a_network_gives_no_numbers_is_told_and_has_no_prediction(backend, tmp_path):
    for name, grey in (("dark", 0), ("light", 200)):
        Image.new("RGB", (40, 40), (grey,) * 3).save(tmp_path / f"{name}.png")
    photos = pd.DataFrame({"image_id": ["dark", "light"]})
    photos["path"] = [str(tmp_path / f"{name}.png") for name in photos["image_id"]]
    inputs = keras.Input((32, 32, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(2, "softmax")(mean * keras.ops.log(mean))
    wanted = Preprocessing(32, 32, value_range="0..1")
    model = wrap_model(keras.Model(inputs, outputs, name="log"), task="tagger", classes=["a", "b"],
                  preprocessing=wanted)  # fmt: skip
    tags = predict_tags(photos, model, backend=backend, progress=False)
    save_model(model, tmp_path / "log.keras")
    score_photos(photos, tmp_path / "log.keras", tmp_path / "out", backend=backend, progress=False)
    stored = pd.concat(map(pd.read_parquet, (tmp_path / "out").glob("*.parquet")))
    for found in (tags, stored.sort_values("image_id")):
        assert found["predicted"].isna().tolist() == [True, False]
        assert found[["p_a", "p_b"]].isna().all(axis=1).tolist() == [True, False]
        assert found["error"].tolist() == ["log gives no numbers (NaN or infinite)", ""]
        assert found["status"].tolist() == ["ok", "ok"]
