"""Training in float16, where there is a GPU."""

from __future__ import annotations

import keras
import tensorflow as tf


def has_gpu() -> bool:
    """Return whether training computes in float16."""
    return bool(tf.config.list_physical_devices("GPU"))


def in_mixed_precision(model: keras.Model) -> keras.Model:
    """Return a copy of a network that computes in float16; weights and outputs stay in float32."""
    last = model.layers[-1].name

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        policy = "float32" if layer.name == last else "mixed_float16"
        return type(layer).from_config({**layer.get_config(), "dtype": policy})

    network = keras.models.clone_model(model, clone_function=convert)
    network.set_weights(model.get_weights())
    return network
