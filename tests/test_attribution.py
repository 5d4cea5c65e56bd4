"""Class activation maps against gradients, against a hand-made network, and where they lie."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from hotelviz import attribution
from hotelviz.attribution import AttributionError, Grid, cam, class_contributions, feature_grid
from hotelviz.models import Preprocessing, adopt, build_tagger, describe, pooled_layer

CLASSES = ("Bathroom", "Bedroom", "Pool")


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    model = build_tagger(CLASSES, input_size=96, weights=None, backbone_kw={"alpha": 0.25})
    # Live statistics, as after training, so that the maps are not all but constant.
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(random.uniform(0.02, 0.1, layer.moving_variance.shape))
    return model


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 96, 96, 3), dtype=np.uint8)


def gradcam(model: keras.Model, pixels: np.ndarray, number: int) -> np.ndarray:
    """Grad-CAM before its ReLU (Selvaraju et al. 2017), at the layer that is pooled, by gradient
    of the logit."""
    features_of = keras.Model(model.input, pooled_layer(model).input)
    dense = model.get_layer("probabilities")
    inputs = describe(model).preprocessing.scale(pixels.astype("float32"))
    with tf.GradientTape() as tape:
        features = features_of(inputs, training=False)
        tape.watch(features)
        logits = tf.reduce_mean(features, [1, 2]) @ dense.kernel + dense.bias
        score = tf.reduce_sum(logits[:, number])
    weights = tf.reduce_mean(tape.gradient(score, features), [1, 2], keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1).numpy()


@pytest.mark.parametrize("name", CLASSES)
def test_cam_is_gradcam_at_the_last_convolution_up_to_scale(tagger, pixels, name):
    ours = class_contributions(tagger, pixels, name)
    theirs = gradcam(tagger, pixels, CLASSES.index(name))
    # Grad-CAM averages the gradient over the cells, so it is smaller by their number.
    cells = ours.shape[1] * ours.shape[2]
    np.testing.assert_allclose(ours, theirs * cells, atol=1e-4 * np.abs(ours).max())


def test_mean_contribution_is_the_logit_less_the_bias(tagger, pixels):
    dense = tagger.get_layer("probabilities")
    contributions = np.stack(
        [class_contributions(tagger, pixels, name).mean(axis=(1, 2)) for name in CLASSES], axis=1
    )
    logits = contributions + dense.bias.numpy()
    inputs = describe(tagger).preprocessing.scale(pixels.astype("float32"))
    np.testing.assert_allclose(
        tf.nn.softmax(logits).numpy(), tagger(inputs, training=False), atol=1e-5
    )


def test_no_target_means_the_predicted_class(tagger, pixels):
    inputs = describe(tagger).preprocessing.scale(pixels.astype("float32"))
    predicted = [CLASSES[i] for i in tagger(inputs, training=False).numpy().argmax(axis=1)]
    np.testing.assert_allclose(cam(tagger, pixels), cam(tagger, pixels, predicted), atol=1e-6)


def test_maps_do_not_depend_on_the_batch_size(tagger, pixels):
    together = cam(tagger, pixels, "Pool", batch_size=5)
    apart = cam(tagger, pixels, "Pool", batch_size=2)
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_maps_have_the_photos_size_and_a_maximum_of_one(tagger, pixels):
    maps = cam(tagger, pixels, "Pool")
    assert maps.shape == (5, 96, 96)
    assert maps.min() >= 0
    peaks = maps.max(axis=(1, 2))
    assert np.all((np.abs(peaks - 1) < 1e-6) | (peaks == 0))


def test_map_without_any_evidence_is_zero_without_a_warning(tagger, pixels, monkeypatch):
    monkeypatch.setattr(
        attribution, "class_contributions", lambda *_, **__: -np.ones((5, 3, 3), "float32")
    )
    assert (cam(tagger, pixels, "Pool") == 0).all()


def spot_finder(size: int = 96) -> keras.Model:
    """A network of strided convolutions that passes brightness on, padded as MobileNet pads."""
    inputs = keras.Input((size, size, 3))
    tensor = layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(inputs)
    for _ in range(3):
        tensor = layers.ZeroPadding2D(((0, 1), (0, 1)))(tensor)
        tensor = layers.DepthwiseConv2D(3, strides=2, use_bias=False, depthwise_initializer="ones")(
            tensor
        )
    pooled = layers.GlobalAveragePooling2D()(tensor)
    output = layers.Dense(2, activation="softmax", kernel_initializer="ones")(pooled)
    model = keras.Model(inputs, output)
    return adopt(
        model,
        task="tagger",
        classes=["bright", "dark"],
        preprocessing=Preprocessing(size, size, value_range="0..1"),
    )


@pytest.mark.parametrize("place", [(31, 31), (39, 63), (71, 23)])
def test_map_peaks_where_the_object_is(place):
    model = spot_finder()
    assert feature_grid(model) == Grid(8.0, 7.0)
    photo = np.zeros((1, 96, 96, 3), "uint8")
    photo[0, place[0] - 2 : place[0] + 3, place[1] - 2 : place[1] + 3] = 255
    peak = np.unravel_index(cam(model, photo, "bright")[0].argmax(), (96, 96))
    assert np.abs(np.array(peak) - place).max() <= 2


@pytest.mark.parametrize(
    ("backbone", "grid"),
    [
        ("MobileNet", Grid(32.0, 31.0)),
        ("VGG16", Grid(32.0, 15.5)),
        ("EfficientNetV2B0", Grid(32.0, 31.0)),
    ],
)
def test_grids_of_known_networks(backbone, grid):
    assert (
        feature_grid(build_tagger(CLASSES, backbone=backbone, input_size=64, weights=None)) == grid
    )


def test_unknown_class_is_refused_with_the_nearest(tagger, pixels):
    with pytest.raises(AttributionError, match=r"does not know the class 'Pol'.*'Pool'"):
        cam(tagger, pixels, "Pol")


def test_number_of_targets_must_fit(tagger, pixels):
    with pytest.raises(AttributionError, match="2 targets were given for 5 photos"):
        cam(tagger, pixels, ["Pool", "Pool"])


def test_other_head_is_refused():
    inputs = keras.Input((32, 32, 3))
    flat = layers.Flatten()(layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(flat))
    adopt(model, task="tagger", classes=["a", "b"], preprocessing=Preprocessing(32, 32))
    with pytest.raises(AttributionError, match="global average pooling"):
        cam(model, np.zeros((1, 32, 32, 3), "uint8"))


def test_no_photos_give_no_maps(tagger):
    assert len(cam(tagger, np.zeros((0, 96, 96, 3), "uint8"), "Pool")) == 0


def test_overlay_colours_only_where_the_map_is_high():
    photo = np.full((20, 20, 3), 200, "uint8")
    activation = np.zeros((20, 20))
    activation[:, 10:] = 1
    laid = attribution.overlay(photo, activation, alpha=0.5).astype(int)
    assert np.ptp(laid[5, 2]) <= 3  # grey
    assert laid[5, 17, 0] - laid[5, 17, 2] > 30  # inferno's yellow
