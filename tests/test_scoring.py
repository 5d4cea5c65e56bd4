"""Predictions: equal to Keras', a row for every photo."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

from hotelviz.images import read_image
from hotelviz.models import ModelError, Preprocessing, adopt, build_tagger, describe
from hotelviz.scoring import forward, predict_tags

CLASSES = ("Bedroom", "Foyer", "Pool")


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    return build_tagger(CLASSES, input_size=32, weights=None, backbone_kw={"alpha": 0.25})


def test_predictions_equal_those_of_keras(demo_catalog, tagger):
    photos = demo_catalog[demo_catalog["split"] == "test"].reset_index(drop=True)
    tags = predict_tags(photos, tagger, progress=False)
    pixels = np.stack([read_image(path, size=(32, 32)) for path in photos["path"]])
    scale = describe(tagger).preprocessing.scale
    expected = tagger.predict(scale(pixels.astype("float32")), verbose=0)
    np.testing.assert_allclose(tags[[f"p_{name}" for name in CLASSES]], expected, atol=1e-5)
    assert tags["predicted"].to_list() == [CLASSES[i] for i in expected.argmax(axis=1)]
    assert tags["image_id"].to_list() == photos["image_id"].to_list()


def test_every_photo_is_a_row_and_says_what_was_wrong(demo_catalog, tagger, tmp_path):
    photos = demo_catalog.copy()
    photos.loc[photos.index[0], "path"] = str(tmp_path / "lost.jpg")
    tags = predict_tags(photos, tagger, progress=False)
    assert len(tags) == len(photos)
    assert tags["problem"][0] == "missing"
    assert pd.isna(tags["predicted"][0])
    wrong = tags[tags["problem"] != ""].iloc[1:].set_index("problem")
    truncated = wrong[wrong.index.str.startswith("truncated")]
    assert len(wrong) == 2
    assert truncated["predicted"].notna().all()
    assert wrong.drop(index=truncated.index)["p_Pool"].isna().all()


def test_batch_size_does_not_matter(demo_catalog, tagger):
    few = demo_catalog.head(7)
    one, many = (predict_tags(few, tagger, batch_size=n, progress=False) for n in (1, 64))
    np.testing.assert_allclose(one["p_Pool"], many["p_Pool"], atol=1e-5)


def test_only_a_tagger_tags(demo_catalog):
    inputs = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    output = keras.layers.Dense(10, activation="softmax")(pooled)
    scorer = keras.Model(inputs, output)
    adopt(scorer, task="aesthetic", preprocessing=Preprocessing(32, 32))
    with pytest.raises(ModelError, match="for the task 'aesthetic'"):
        predict_tags(demo_catalog, scorer)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 16, 16, 3), "uint8"), np.zeros((2, 32, 32, 3), "float32")]
)
def test_pixels_of_another_kind_are_refused(tagger, pixels):
    with pytest.raises(ModelError, match=r"takes uint8 pixels of shape \(None, 32, 32, 3\)"):
        forward(tagger)(pixels)
