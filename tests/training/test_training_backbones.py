"""A network in a file as the backbone of both kinds of models, and one for several sizes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from backbones import write_few_layers
from executed import run_cells
from keras import layers
from runs import QUICK

from hotelviz.catalog import write_catalog
from hotelviz.models import build_tagger, load_model, model_info
from hotelviz.training import history, train_aesthetic, train_tagger


@pytest.mark.slow
def test_tagger_and_aesthetic_model_learn_on_the_network_of_a_file(coloured, tmp_path):
    inputs = keras.Input((40, 40, 3))
    values = layers.Conv2D(16, 3, strides=4, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    pooled = layers.GlobalAveragePooling2D()(values)
    file = tmp_path / "theirs.keras"
    keras.Model(inputs, layers.Dense(5)(pooled)).save(file)
    given = {**QUICK, "backbone_kw": None, "backbone": str(file), "effort": "quick"}
    tagger = train_tagger(coloured, out=tmp_path / "tagger.keras", **given)
    info = model_info(load_model(tmp_path / "tagger.keras"))
    assert info.backbone == "theirs.keras"
    assert info.training["settings"]["weights"] == "file"
    assert info.training["linear"]["figures"][0]["value"] > 0.9
    shares = np.where(coloured["label"] == "red", 1.0, 0.0)
    rated = coloured.assign(**{f"rating_{score}": 0.0 for score in range(1, 11)})
    rated["rating_3"], rated["rating_8"] = shares, 1 - shares
    model = train_aesthetic(rated, **given)
    assert model_info(model).training["linear"]["figures"][0]["value"] > 0.8
    np.testing.assert_array_equal(model.get_weights()[0], tagger.get_weights()[0])


@pytest.mark.slow
def test_tagger_of_two_sizes_learns_and_all_its_branches_with_it(coloured):
    settings = {**QUICK, "n_scales": 2}
    settings["input_size"] = 64
    linear = train_tagger(coloured, effort="quick", **settings)
    assert history(linear)["val_accuracy"].iloc[0] == 1
    channels = linear.get_layer("scales").output.shape[-1]
    assert channels == 2 * linear.get_layer("scale_2_map").output.shape[-1]
    assert linear.get_layer("probabilities").kernel.shape == (channels, 2)
    assert model_info(linear).training["settings"]["n_scales"] == 2
    learned = train_tagger(coloured, weights=None, fine_tune_epochs=1, **settings)
    network = {name: settings[name] for name in ("input_size", "n_scales", "backbone_kw")}
    begun = build_tagger(["blue", "red"], weights=None, **network)
    for name in ("conv1", "scale_2_conv1"):
        before, now = (model.get_layer(name).kernel.numpy() for model in (begun, learned))
        assert not np.array_equal(before, now)


@pytest.mark.slow
def test_training_page_begins_with_the_network_of_a_file_at_several_sizes(coloured, tmp_path):
    write_catalog(coloured, tmp_path / "photos.csv")
    shown = run_cells(
        "tagger_training", catalog=str(tmp_path / "photos.csv"), out=str(tmp_path / "tagger.keras"),
        backbone=str(write_few_layers(tmp_path / "theirs.keras")), effort="quick", input_size=64,
        n_scales=2,
    )  # fmt: skip
    said = [one.data for one in shown if "catalogue hash" in (getattr(one, "data", None) or "")]
    assert len(said) == 1
    assert said[0].startswith("\ntheirs&#46;keras started from")
    assert "at 64 and 32 pixels" in said[0]
