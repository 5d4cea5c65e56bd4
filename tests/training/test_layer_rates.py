"""Fine-tuning: the first layers learn more slowly, and the scale of scores stays as it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hotelviz.training.layer_rates import LayerAdam, frozen_layers, layer_rates


def two_layers() -> keras.Sequential:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])


def test_rates_grow_from_layer_to_layer_and_skip_what_does_not_learn():
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(),
            layers.Conv2D(4, 3), layers.ReLU(), layers.Flatten(), layers.Dense(2),
        ]
    )  # fmt: skip
    network.layers[1].trainable = False
    np.testing.assert_allclose(layer_rates(network, 0.01), [0.01, 0.01, 0.1, 0.1, 1, 1])
    assert layer_rates(two_layers(), 1.0) == [1, 1, 1, 1]
    network.trainable = False
    assert layer_rates(network, 0.01) == []


@pytest.mark.parametrize("averaged", [False, True])
def test_first_step_of_each_layer_is_its_own_rate(averaged):
    network = two_layers()
    before = [weight.numpy() for weight in network.trainable_weights]
    network.compile(LayerAdam(0.01, layer_rates(network, 0.1), use_ema=averaged), loss="mse")
    photos = np.random.default_rng(0).normal(size=(16, 3))
    network.fit(photos, np.ones((16, 2)), batch_size=16, verbose=0)
    moved = [
        np.abs(weight.numpy() - old).max()
        for weight, old in zip(network.trainable_weights, before, strict=True)
    ]
    # Adam's first step is as long as the rate, whatever the gradient is.
    np.testing.assert_allclose(moved, [0.001, 0.001, 0.01, 0.01], rtol=0.01)


def test_frozen_layers_are_the_first_ones():
    network = two_layers()
    assert frozen_layers(network, 1.0) == []
    assert frozen_layers(network, 0.3) == [network.layers[0]]
