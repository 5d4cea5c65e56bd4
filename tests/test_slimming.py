"""Narrower copies of networks: what a layer computes is kept as far as fewer channels can."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hotelviz.errors import ModelError
from hotelviz.models import Preprocessing, activations, build_aesthetic, gap_node, slim, wrap_model


def chain(
    width: int, pointwise: str = "pointwise", *, use_bias: bool = False, seed: int = 0
) -> keras.Model:
    """The layers that MobileNet is made of, once each."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((32, 32, 3))
    tensor = inputs
    for layer in (
        layers.Conv2D(width, 3, strides=2, use_bias=use_bias, name="conv"),
        layers.DepthwiseConv2D(3, use_bias=use_bias, name="depthwise"),
        layers.Conv2D(2 * width, 1, use_bias=use_bias, name=pointwise),
    ):
        tensor = layers.BatchNormalization(name=f"{layer.name}_bn")(layer(tensor))
        tensor = layers.ReLU(6.0)(tensor)
    outputs = layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(tensor))
    model = keras.Model(inputs, outputs)
    return wrap_model(model, task="tagger", classes=["a", "b"], preprocessing=Preprocessing(32, 32))


def with_each_channel_twice(model: keras.Model, width: int) -> keras.Model:
    """A network of twice the width that computes everything twice."""
    twice, random = chain(2 * width), np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            low = np.array([[0.5], [0.5], [-0.5], [0.2]])
            layer.set_weights(list(low + random.uniform(0, 1, (4, *layer.gamma.shape))))
        axes = {"depthwise": [2], "pointwise": [2, 3]}.get(layer.name, [-1])
        if layer.weights and not isinstance(layer, layers.Dense):
            copy = twice.get_layer(layer.name)
            for ours, theirs in zip(layer.weights, copy.weights, strict=True):
                values = np.asarray(ours)
                for axis in axes:
                    values = np.repeat(values, 2, axis) / (2 if len(axes) == 2 and axis == 2 else 1)
                theirs.assign(values)
    return twice


def test_channels_that_say_the_same_are_cut_without_loss():
    wide, narrow = with_each_channel_twice(chain(4), 4), chain(4)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype="uint8")
    slim(wide, narrow, pixels)
    unseen = np.random.default_rng(2).integers(0, 256, (8, 32, 32, 3), dtype="uint8")
    features, expected = (
        np.sort(activations(model, gap_node(model))(unseen), axis=1) for model in (narrow, wide)
    )
    np.testing.assert_allclose(features, expected[:, ::2], atol=0.01)
    assert np.ptp(features, axis=1).min() > 0.1


def test_biases_of_convolutions_count_once():
    wide, copy = chain(4, use_bias=True), chain(4, use_bias=True, seed=1)
    for name in ("conv", "depthwise", "pointwise"):
        wide.get_layer(name).bias.assign(np.linspace(0.2, 0.9, wide.get_layer(name).bias.shape[0]))
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype="uint8")
    slim(wide, copy, pixels)
    features, expected = (activations(model, gap_node(model))(pixels) for model in (copy, wide))
    np.testing.assert_allclose(features, expected, atol=0.01)
    assert np.ptp(expected, axis=1).min() > 0.1


def test_networks_of_other_layers_are_refused():
    with pytest.raises(ModelError, match="both have to be the same chain of convolutions"):
        slim(chain(4), chain(2, pointwise="other"), np.zeros((2, 32, 32, 3), "uint8"))


@pytest.mark.parametrize("features", ["last", "levels"])
def test_a_network_of_levels_is_cut_as_the_one_beneath_it(features):
    wide, narrow, alone = (
        build_aesthetic(input_size=32, weights=None, features=of, backbone_kw={"alpha": alpha})
        for of, alpha in (("levels", 0.5), (features, 0.25), ("last", 0.25))
    )
    beneath = build_aesthetic(input_size=32, weights=None, backbone_kw={"alpha": 0.5})
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype="uint8")
    slim(wide, narrow, pixels)
    slim(beneath, alone, pixels)
    for name in ("conv1", "conv_pw_6", "conv_pw_13"):
        np.testing.assert_array_equal(
            narrow.get_layer(name).kernel, alone.get_layer(name).kernel, err_msg=name
        )
