"""From 8-bit pixels to what a network computes: one function, the same numbers as Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hotelviz.errors import ModelError
from hotelviz.models import (
    Preprocessing,
    activations,
    cached_function,
    find_node,
    gap_node,
    logits,
    model_info,
    pixel_function,
    wrap_model,
)


def small_model() -> keras.Model:
    inputs = keras.Input((64, 64, 3))
    tensor = layers.Conv2D(6, 3, strides=2, name="conv_1")(inputs)
    tensor = layers.BatchNormalization(name="conv_1_bn")(tensor)
    tensor = layers.Conv2D(8, 3, strides=2, activation="relu", name="conv_2")(tensor)
    pooled = layers.GlobalAveragePooling2D(name="pooled")(tensor)
    outputs = layers.Dense(3, "softmax", dtype="float32")(pooled)
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["Bedroom", "Pool", "View"],
        preprocessing=Preprocessing(64, 64),
    )  # fmt: skip


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return small_model()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype="uint8")


def by_keras(model: keras.Model, tensor: keras.KerasTensor, pixels: np.ndarray) -> np.ndarray:
    scaled = model_info(model).preprocessing.scale(pixels.astype("float32"))
    return np.asarray(keras.Model(model.input, tensor)(scaled, training=False))


def test_the_models_output_is_what_keras_predicts(model: keras.Model, pixels: np.ndarray) -> None:
    found = activations(model)(pixels)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, by_keras(model, model.output, pixels), atol=1e-6)


def test_a_layer_a_node_and_its_tensor_give_the_same(
    model: keras.Model, pixels: np.ndarray
) -> None:
    node = find_node(model, "conv_1_bn")
    expected = by_keras(model, node.output, pixels)
    for wanted in ("conv_1_bn", node, node.output):
        np.testing.assert_allclose(activations(model, wanted)(pixels), expected, atol=1e-4)


def test_several_outputs_come_in_one_pass_in_their_order(
    model: keras.Model, pixels: np.ndarray
) -> None:
    pooled, raw, shares = activations(model, [gap_node(model), "logits", None])(pixels)
    np.testing.assert_allclose(pooled, by_keras(model, gap_node(model).output, pixels), atol=1e-5)
    np.testing.assert_allclose(raw, by_keras(model, logits(model), pixels), atol=1e-5)
    raised = np.exp(raw)
    np.testing.assert_allclose(shares, raised / raised.sum(axis=1, keepdims=True), atol=1e-6)


def test_what_is_computed_of_a_layer_leaves_the_network_alone(
    model: keras.Model, pixels: np.ndarray
) -> None:
    output = find_node(model, "conv_2").output
    flat = keras.ops.reshape(output, (-1, output.shape[1] * output.shape[2], output.shape[3]))
    wanted = [keras.ops.max(flat, axis=1), keras.ops.argmax(flat, axis=1)]
    largest, places = activations(model, wanted)(pixels)
    whole = activations(model, "conv_2")(pixels).reshape(3, -1, output.shape[3])
    np.testing.assert_array_equal(places, whole.argmax(axis=1))
    np.testing.assert_allclose(largest, whole.max(axis=1), atol=1e-5)
    assert places.dtype.kind == "i"


def test_no_source_is_rewritten_before_a_function_is_compiled(
    pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow.python.autograph.impl import api

    monkeypatch.setattr(api, "_convert_actual", lambda *_: pytest.fail("source was rewritten"))
    assert activations(small_model())(pixels).shape == (3, 3)


def test_it_is_compiled_once_and_anew_for_other_weights(pixels: np.ndarray) -> None:
    model = small_model()
    before = activations(model)(pixels)
    key = ("activations", False, None)
    kept = cached_function(model, key, lambda: pytest.fail("was compiled again"))
    assert cached_function(model, key, lambda: pytest.fail("was compiled again")) is kept
    dense = model.layers[-1]
    dense.bias.assign([3.0, 0.0, 0.0])
    after = activations(model)(pixels)
    assert (after[:, 0] > before[:, 0] + 0.3).all()


def test_pixels_of_any_size_are_resized_on_the_way(model: keras.Model, pixels: np.ndarray) -> None:
    run = activations(model, gap_node(model), resize=True)
    np.testing.assert_allclose(run(pixels), activations(model, "pooled")(pixels), atol=1e-5)
    large = pixels.repeat(2, axis=1).repeat(2, axis=2)
    resized = np.asarray(keras.ops.image.resize(large.astype("float32"), (64, 64), antialias=True))
    scaled = model_info(model).preprocessing.scale(resized)
    expected = keras.Model(model.input, gap_node(model).output)(scaled, training=False)
    np.testing.assert_allclose(run(large), np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("wrong", [(3, 32, 32, 3), (3, 64, 64, 1), (64, 64, 3)])
def test_other_pixels_are_refused(model: keras.Model, wrong: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"uint8 pixels of shape \(None, 64, 64, 3\), not uint8"):
        activations(model)(np.zeros(wrong, "uint8"))
    with pytest.raises(ModelError, match=r"not float32 .* from 0 to 0: bring them to 0 to 255"):
        activations(model)(np.zeros((1, 64, 64, 3), "float32"))


def test_an_unknown_layer_is_refused_with_the_nearest(model: keras.Model) -> None:
    with pytest.raises(ModelError, match="no layer 'conv_22'; did you mean"):
        activations(model, "conv_22")


def test_half_precision_leaves_as_float32(pixels: np.ndarray) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_model()
    finally:
        keras.config.set_dtype_policy("float32")
    found = activations(model, ["pooled", None])(pixels)
    assert [each.dtype for each in found] == ["float32", "float32"]


def test_the_plain_function_is_there_for_other_runtimes(
    model: keras.Model, pixels: np.ndarray
) -> None:
    function, signature = pixel_function(model)
    assert (tuple(signature.shape), signature.dtype.name) == ((None, 64, 64, 3), "uint8")
    np.testing.assert_allclose(
        np.asarray(function(pixels)[0]), activations(model)(pixels), atol=1e-6
    )
