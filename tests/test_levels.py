"""All levels of a network under one head: which they are, and that nothing else changes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hotelviz.attribution.methods.cam import class_activation_map
from hotelviz.attribution.targets import target_weights
from hotelviz.concepts.head import find_head
from hotelviz.errors import ModelError
from hotelviz.models import (
    Preprocessing,
    activations,
    build_aesthetic,
    build_tagger,
    clone_for_task,
    level_nodes,
    level_widths,
    load_model,
    model_info,
    save_model,
    split_head,
    with_levels,
    without_head,
    wrap_model,
)
from hotelviz.models.levels import without_levels

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), "uint8")


@pytest.fixture(scope="module")
def narrow():
    return build_aesthetic(
        input_size=64, weights=None, backbone_kw={"alpha": 0.25}, features="levels"
    )


def bottlenecks(size=32):
    """Build what residual networks are made of: an expansion, a depthwise convolution, a sum."""
    photo = keras.Input((size, size, 3))
    stem = layers.Conv2D(4, 3, strides=2, padding="same", name="stem")(photo)
    wide = layers.Conv2D(12, 1, activation="relu", name="expand")(stem)
    wide = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depth")(wide)
    joined = layers.Add(name="sum")([stem, layers.Conv2D(4, 1, name="project")(wide)])
    padded = layers.ZeroPadding2D(1, name="pad")(joined)
    wide = layers.Conv2D(12, 3, strides=2, activation="relu", name="expand_again")(padded)
    inner = layers.Conv2D(6, 1, name="narrower")(wide)
    return keras.Model(photo, layers.Conv2D(8, 1, activation="relu", name="top")(inner))


def test_a_level_is_the_last_map_of_each_size_and_width_that_all_passes_through():
    names = [node.name for node in level_nodes(bottlenecks())]
    assert names == ["sum", "narrower", "top"]
    photo = keras.Input((8, 8, 3))
    wide, narrow, again = (layers.Conv2D(n, 1, name=f"of_{n}_{i}") for i, n in enumerate((8, 4, 8)))
    there_and_back = keras.Model(photo, again(narrow(wide(photo))))
    assert [node.name for node in level_nodes(there_and_back)] == ["of_4_1", "of_8_2"]


def test_pooled_levels_are_the_means_of_each(narrow):
    nodes = level_nodes(without_levels(without_head(narrow, (64, 64))))
    assert [node.name for node in nodes][-2:] == ["conv_pw_11_relu", "conv_pw_13_relu"]
    maps = activations(narrow, nodes)(PIXELS)
    pooled = activations(narrow, split_head(narrow)[0])(PIXELS)
    wanted = np.concatenate([each.mean(axis=(1, 2)) for each in maps], axis=1)
    np.testing.assert_allclose(pooled, wanted, atol=1e-5)
    assert level_widths(narrow) == (8, 16, 32, 64, 128, 256)
    assert level_widths(build_tagger(["Bed", "Pool"], input_size=32, weights=None)) == ()


def test_a_map_with_negative_values_comes_as_what_is_above_and_below():
    network = bottlenecks()
    values = PIXELS[:, :32, :32].astype("float32")
    stacked = np.asarray(with_levels(network)(values))
    assert stacked.shape == (3, 8, 8, 4 + 4 + 6 + 6 + 8)
    assert stacked.min() == 0
    whole = np.asarray(keras.Model(network.input, network.get_layer("sum").output)(values))
    means = stacked.mean(axis=(1, 2))
    np.testing.assert_allclose(means[:, :4] - means[:, 4:8], whole.mean(axis=(1, 2)), rtol=1e-3)
    np.testing.assert_allclose(means[:, :4] + means[:, 4:8], abs(whole).mean((1, 2)), rtol=1e-3)


def test_a_map_of_all_levels_adds_up_to_the_logit(narrow):
    dense = narrow.get_layer("probabilities")
    kernel, bias = dense.get_weights()
    dense.set_weights([kernel, bias + 0.5])
    weights = target_weights("8", model_info(narrow), 3)
    maps = class_activation_map(narrow)(PIXELS, weights)
    assert maps.shape == (3, 2, 2)
    logits = np.asarray(activations(narrow, "logits")(PIXELS))
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), logits[:, 7] - bias[7] - 0.5, atol=1e-4)
    head = find_head(narrow)  # of concepts, which add up exactly where there is a kernel
    assert (head.layer, head.kernel.shape) == ("levels", (504, 10))


def test_a_file_of_levels_is_a_backbone_of_the_same_levels(narrow, tmp_path):
    save_model(narrow, tmp_path / "levels.keras")
    same = load_model(tmp_path / "levels.keras")
    np.testing.assert_array_equal(same(PIXELS / 255.0), narrow(PIXELS / 255.0))
    for features in ("last", "levels"):
        again = build_tagger(
            ["Bed", "Pool"], backbone=str(tmp_path / "levels.keras"), input_size=96,
            features=features,
        )  # fmt: skip
        assert level_widths(again) == level_widths(narrow)


@pytest.mark.parametrize("size", [65, 76, 100])
def test_levels_of_odd_sizes_are_laid_over_each_other(size):
    how = {"input_size": size, "weights": None, "backbone_kw": {"alpha": 0.25}}
    assert split_head(build_aesthetic(features="levels", **how))[0].output.shape == (None, 504)


def test_what_has_no_levels_is_refused():
    photo = keras.Input((34, 34, 3))
    map_of_16 = layers.Conv2D(4, 3, strides=2, activation="relu")(photo)
    map_of_7 = layers.Conv2D(8, 3, strides=2, activation="relu")(map_of_16)
    with pytest.raises(ModelError, match="16 x 16 and 7 x 7 places do not divide"):
        with_levels(keras.Model(photo, map_of_7))
    with pytest.raises(ModelError, match="features must be"):
        build_aesthetic(input_size=32, weights=None, features="all")


def test_a_tagger_lends_its_levels_to_a_new_head():
    tagger = build_tagger(["Bed", "Pool"], input_size=32, weights=None, backbone_kw={"alpha": 0.25})
    scores = tuple(map(str, range(1, 11)))
    model = clone_for_task(tagger, task="aesthetic", classes=scores, features="levels")
    assert level_widths(model) == (8, 16, 32, 64, 128, 256)
    np.testing.assert_array_equal(
        model.get_layer("conv_pw_6").kernel, tagger.get_layer("conv_pw_6").kernel
    )
    assert level_widths(clone_for_task(tagger, task="aesthetic", classes=scores)) == ()
    again = clone_for_task(model, task="technical", classes=scores)
    assert level_widths(again) == level_widths(model)
    with pytest.raises(ModelError, match="features must be"):
        clone_for_task(tagger, task="aesthetic", classes=scores, features="all")


@pytest.mark.parametrize("activation", ["relu", None])
def test_an_earlier_head_gives_the_same_scores_of_all_levels(activation):
    photo = keras.Input((32, 32, 3))
    early = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(photo)
    last = layers.Conv2D(6, 3, strides=2, padding="same", activation=activation)(early)
    scores = layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(last))
    parent = wrap_model(
        keras.Model(photo, scores), task="aesthetic", preprocessing=Preprocessing(32, 32)
    )
    classes = tuple(map(str, range(1, 11)))
    model = clone_for_task(parent, task="technical", classes=classes, features="levels")
    assert level_widths(model) == ((4, 6) if activation else (4, 6, 6))
    pixels = PIXELS[:, :32, :32]
    given, expected = (np.asarray(activations(each, "logits")(pixels)) for each in (model, parent))
    np.testing.assert_allclose(given, expected, atol=1e-4)
    assert np.ptp(expected) > 0.1
