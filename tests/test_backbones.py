"""Backbones in files: with a head or without, at any size, for the pixels that they expect."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from hotelviz.errors import ModelError
from hotelviz.models import (
    activations,
    build_aesthetic,
    build_tagger,
    model_info,
    record_training_photos,
    save_model,
    training_photos,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype="uint8")


def convolved(*first: layers.Layer, size: int | None = 64) -> tuple:
    """Input and output of a few convolutions, one of them with squeeze and excitation."""
    inputs = values = keras.Input((size, size, 3))
    for layer in (*first, layers.Conv2D(6, 3, strides=2, name="one"), layers.ReLU()):
        values = layer(values)
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(values)
    values = layers.Multiply()([values, layers.Conv2D(6, 1, activation="sigmoid")(squeezed)])
    return inputs, layers.Conv2D(8, 3, name="two")(values)


def saved(folder: Path, outputs, inputs) -> str:
    file = folder / "theirs.keras"
    keras.Model(inputs, outputs).save(file)
    return str(file)


def with_head(folder: Path, *first: layers.Layer, size: int | None = 64) -> str:
    inputs, values = convolved(*first, size=size)
    pooled = layers.GlobalAveragePooling2D(name="avg_pool")(values)
    dropped = layers.Dropout(0.3, name="dropout")(pooled)
    return saved(folder, layers.Dense(20, activation="softmax")(dropped), inputs)


@pytest.mark.slow
def test_head_is_cut_off_at_the_pooling_and_pixels_are_what_the_file_scales(tmp_path):
    file = with_head(tmp_path, layers.Rescaling(1 / 128, offset=-127 / 128))
    ours = build_tagger(["Bed", "Pool"], backbone=file, input_size=64)
    info = model_info(ours)
    assert (info.backbone, info.preprocessing.value_range) == ("theirs.keras", "0..255")
    assert info.training["weights"] == "file"
    assert len(info.training["backbone_hash"]) == 16
    theirs = keras.models.load_model(file)
    expected = keras.Model(theirs.input, theirs.get_layer("avg_pool").output)
    np.testing.assert_allclose(
        activations(ours, "pooled")(PIXELS), expected(PIXELS.astype("float32")), atol=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, None], ids=["of one size", "of any size"])
def test_input_size_may_be_another_and_weights_random(tmp_path, size):
    file = with_head(tmp_path, layers.Rescaling(1 / 255), size=size)
    larger = build_aesthetic(backbone=file, input_size=96)
    assert larger.input_shape == (None, 96, 96, 3)
    kernel = larger.get_layer("one").kernel.numpy()
    np.testing.assert_array_equal(
        kernel, keras.models.load_model(file).get_layer("one").kernel.numpy()
    )
    scratch = build_aesthetic(backbone=file, input_size=96, weights=None)
    assert not np.array_equal(kernel, scratch.get_layer("one").kernel.numpy())
    assert model_info(scratch).training["weights"] is None


@pytest.mark.slow
def test_network_without_a_head_is_taken_whole_for_the_pixels_that_are_said(tmp_path):
    inputs, values = convolved()
    file = saved(tmp_path, values, inputs)
    with pytest.raises(ModelError, match=r"does not say which pixels it expects.*--value-range"):
        build_tagger(["Bed", "Pool"], backbone=file, input_size=64)
    ours = build_tagger(["Bed", "Pool"], backbone=file, input_size=64, value_range="-1..1")
    expected = keras.models.load_model(file)(PIXELS / 127.5 - 1)
    np.testing.assert_allclose(
        activations(ours, "pooled")(PIXELS), np.mean(expected, axis=(1, 2)), atol=1e-4
    )


@pytest.mark.slow
def test_described_model_says_its_pixels_and_what_it_has_learned_from(few_layers, tmp_path):
    first = build_tagger(["Bed", "Pool"], input_size=32, weights=None,
                         backbone_kw={"alpha": 0.25})  # fmt: skip
    photos = {"image_id": ["a"], "hotel_id": ["h"], "content": ["c"], "split": ["train"]}
    save_model(record_training_photos(first, pd.DataFrame(photos)), tmp_path / "first.keras")
    file = str(tmp_path / "first.keras")
    second = build_aesthetic(backbone=file, input_size=64)
    assert model_info(second).preprocessing.value_range == "-1..1"
    assert model_info(second).parent["task"] == "tagger"
    assert training_photos(second).photos["generation"].to_list() == [1]
    with pytest.raises(ModelError, match=r"expects pixels -1..1 \(its description says so\)"):
        build_aesthetic(backbone=file, input_size=64, value_range="0..255")


def flat_head(folder: Path) -> str:
    inputs, values = convolved(layers.Rescaling(1 / 255))
    return saved(folder, layers.Dense(3)(layers.Flatten()(values)), inputs)


def two_inputs(folder: Path) -> str:
    inputs, values = convolved(layers.Rescaling(1 / 255))
    mask = keras.Input((29, 29, 8))
    return saved(folder, layers.Add()([values, mask]), [inputs, mask])


def other_weights(folder: Path) -> str:
    """A file whose configuration was changed after its weights were written."""
    file = Path(with_head(folder, layers.Rescaling(1 / 255)))
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    for layer in config["config"]["layers"]:
        if layer["config"]["name"] == "two":
            layer["config"]["filters"] = 7
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return str(file)


@pytest.mark.parametrize(
    ("make", "how", "message"),
    [
        (flat_head, {}, "no global average pooling.*Save it without its head"),
        (two_inputs, {}, "2 inputs and 1 outputs"),
        (other_weights, {}, "cannot be read"),
        (lambda folder: str(folder / "none.keras"), {}, "there is no such model file"),
        (lambda folder: with_head(folder, layers.Rescaling(1 / 127.5, offset=-1)),
         {"value_range": "-1..1"}, r"expects pixels 0\.\.255 \(it scales them itself \(rescaling"),
        (lambda folder: with_head(folder), {"value_range": "0..256"}, "did you mean '0..255'"),
        (lambda folder: with_head(folder), {"backbone_kw": {"alpha": 0.5}}, "backbone_kw .alpha."),
        (lambda _: "MobileNet", {"value_range": "0..255"}, r"MobileNet expects pixels -1\.\.1"),
    ],
    ids=["no pooling", "two inputs", "other weights", "no file", "other pixels", "no pixels",
         "options", "pixels of a name"],
)  # fmt: skip
def test_what_is_no_backbone_is_refused(tmp_path, make, how, message):
    with pytest.raises(ModelError, match=message):
        build_tagger(["Bed", "Pool"], backbone=make(tmp_path), input_size=64, **how)
