"""Several sizes of a photo under one head: what each branch sees, and that maps stay exact."""

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
    activations,
    build_tagger,
    clone_for_task,
    find_node,
    gap_node,
    iter_nodes,
    load_model,
    model_info,
    save_model,
    with_scales,
)
from hotelviz.pipeline.estimate import with_effort
from hotelviz.reports.wording import input_words

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), "uint8")
NEW = {"weights": None}

pytestmark = pytest.mark.usefixtures("module_of_few_layers")


@pytest.fixture(scope="module")
def tagger(module_of_few_layers: None) -> keras.Model:
    return build_tagger(["Bed", "Pool"], input_size=128, n_scales=3, **NEW)


def test_each_branch_gives_what_the_network_gives_of_a_smaller_photo(tagger):
    joined = np.asarray(activations(tagger, "scales")(PIXELS))
    channels = 16
    assert joined.shape == (3, 32, 32, 3 * channels)
    for number, factor in enumerate((1, 2, 4)):
        size = 128 // factor
        # The same random weights at any size.
        alone = build_tagger(["Bed", "Pool"], input_size=size, **NEW)
        smaller = PIXELS.reshape(3, size, factor, size, factor, 3).mean(axis=(2, 4))
        body = keras.Model(alone.input, gap_node(alone).inputs[0])
        expected = body(smaller / 127.5 - 1).numpy().repeat(factor, axis=1).repeat(factor, axis=2)
        part = joined[..., number * channels : (number + 1) * channels]
        np.testing.assert_allclose(part, expected, atol=1e-4)


def test_all_that_computes_is_a_layer(tagger):
    assert all(isinstance(node.layer, layers.Layer) for node in iter_nodes(tagger).values())


def test_maps_of_a_class_add_up_to_what_the_head_says(tagger):
    weights = target_weights("Pool", model_info(tagger), 3)
    maps = class_activation_map(tagger)(PIXELS, weights)
    assert maps.shape == (3, 32, 32)  # as fine as those of the largest photo alone
    logits = np.asarray(activations(tagger, "logits")(PIXELS))
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), logits[:, 1], atol=1e-4)
    head = find_head(tagger)
    assert (head.layer, head.kernel.shape) == ("scales", (48, 2))


def test_branches_outlive_their_file_and_are_a_backbone(tagger, tmp_path):
    save_model(tagger, tmp_path / "t.keras")
    same = load_model(tmp_path / "t.keras")
    np.testing.assert_array_equal(same(PIXELS / 255.0), tagger(PIXELS / 255.0))
    assert model_info(same).training["n_scales"] == 3
    again = build_tagger(["Bar", "Bed"], backbone=str(tmp_path / "t.keras"), input_size=256)
    assert find_node(again, "scales").output.shape[1:] == (64, 64, 48)
    with pytest.raises(ModelError, match="sees several sizes already: leave n_scales at 1"):
        build_tagger(["Bar", "Bed"], backbone=str(tmp_path / "t.keras"), n_scales=2)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n_scales": 4}, "n_scales=4 is not 1, 2 or 3"),
        ({"n_scales": 2, "input_size": 62}, "15 x 15 and 8 x 8 places .* a multiple of 64"),
        ({"n_scales": 2, "features": "levels"}, "has no levels of one size: take features='last'"),
    ],
)
def test_sizes_that_cannot_be_joined_are_refused(how, message):
    with pytest.raises(ModelError, match=message):
        build_tagger(["Bed", "Pool"], **{"input_size": 64, **NEW, **how})


def test_levels_of_a_tagger_with_branches_are_refused(tagger):
    with pytest.raises(ModelError, match="take features='last'"):
        clone_for_task(tagger, task="aesthetic", classes=range(1, 11), features="levels")


def test_of_one_size_a_network_is_what_it_was():
    network = build_tagger(["Bed", "Pool"], input_size=64, n_scales=1, **NEW)
    assert with_scales(network, 1) is network
    assert "n_scales" not in model_info(network).training


def test_time_of_effort_best_is_that_of_two_sizes():
    assert with_effort("tagger_training", {"effort": "best"})["n_scales"] == 2
    assert "n_scales" not in with_effort("aesthetic_training_1", {"effort": "best"})


def test_pages_name_every_size():
    assert input_words(384, 2) == "384 and 192 pixels"
    assert input_words(224) == "224 pixels"
