"""Class activation maps against gradients, against a hand-made network, and where they lie."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from backbones import few_layers
from keras import layers

from hotelviz import attribution
from hotelviz.attribution import METHODS, contributions, explain, feature_grid
from hotelviz.errors import AttributionError, ModelError
from hotelviz.models import Preprocessing, build_tagger, gap_node, model_info, wrap_model

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
    features_of = keras.Model(model.input, gap_node(model).inputs[0])
    dense = model.get_layer("probabilities")
    inputs = model_info(model).preprocessing.scale(pixels.astype("float32"))
    with tf.GradientTape() as tape:
        features = features_of(inputs, training=False)
        tape.watch(features)
        logits = tf.reduce_mean(features, [1, 2]) @ dense.kernel + dense.bias
        score = tf.reduce_sum(logits[:, number])
    weights = tf.reduce_mean(tape.gradient(score, features), [1, 2], keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1).numpy()


@pytest.mark.parametrize("name", CLASSES)
def test_cam_is_gradcam_at_the_last_convolution_up_to_scale(tagger, pixels, name):
    ours = contributions(tagger, pixels, name)
    theirs = gradcam(tagger, pixels, CLASSES.index(name))
    # Grad-CAM averages the gradient over the cells, so it is smaller by their number.
    cells = ours.shape[1] * ours.shape[2]
    np.testing.assert_allclose(ours, theirs * cells, atol=1e-4 * np.abs(ours).max())


def test_mean_contribution_is_the_logit_less_the_bias(tagger, pixels):
    dense = tagger.get_layer("probabilities")
    logit_parts = np.stack(
        [contributions(tagger, pixels, name).mean(axis=(1, 2)) for name in CLASSES], axis=1
    )
    logits = logit_parts + dense.bias.numpy()
    inputs = model_info(tagger).preprocessing.scale(pixels.astype("float32"))
    np.testing.assert_allclose(
        tf.nn.softmax(logits).numpy(), tagger(inputs, training=False), atol=1e-5
    )


def test_no_target_means_the_predicted_class(tagger, pixels):
    inputs = model_info(tagger).preprocessing.scale(pixels.astype("float32"))
    predicted = [CLASSES[i] for i in tagger(inputs, training=False).numpy().argmax(axis=1)]
    np.testing.assert_allclose(
        explain(tagger, pixels), explain(tagger, pixels, predicted), atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_maps_do_not_depend_on_the_batch_size(tagger, pixels, method):
    together = explain(tagger, pixels, "Pool", method=method, batch_size=5)
    apart = explain(tagger, pixels, "Pool", method=method, batch_size=2)
    np.testing.assert_allclose(together, apart, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", ["VGG16", "EfficientNetV2B0"])
def test_every_method_works_on_other_networks(backbone, method, others, pixels):
    maps = explain(others[backbone], pixels[:2, :64, :64], method=method)
    assert maps.shape == (2, 64, 64)
    assert maps.min() >= 0
    assert maps.max() == pytest.approx(1)


@pytest.fixture(scope="module")
def others() -> dict[str, keras.Model]:
    """VGG16 up to its third block, EfficientNetV2B0 up to its second one with squeeze and
    excitation: what follows is of the same kinds, and costs four fifths of the time."""
    ends = {"VGG16": "block3_conv3", "EfficientNetV2B0": "block4b_add"}
    cut = {}
    for name, end in ends.items():
        whole = getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=(64, 64, 3)
        )
        pooled = layers.GlobalAveragePooling2D()(whole.get_layer(end).output)
        model = keras.Model(whole.input, layers.Dense(3, activation="softmax")(pooled))
        cut[name] = wrap_model(
            model, task="tagger", classes=CLASSES, preprocessing=Preprocessing(64, 64)
        )
    return cut


@pytest.fixture(scope="module")
def scorer() -> keras.Model:
    return few_layers(range(10), "aesthetic")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["mean_score", "score>=7", "9", ("9", "2")])
def test_every_method_works_on_aesthetic_models(scorer, pixels, method, target):
    maps = explain(scorer, pixels, target, method=method)
    assert maps.shape == (5, 96, 96)
    peaks = maps.max(axis=(1, 2))
    assert ((np.abs(peaks - 1) < 1e-6) | (peaks == 0)).all()
    # Nothing in these photos may speak for a score; then something speaks for the opposite.
    if isinstance(target, tuple):
        peaks = np.maximum(peaks, explain(scorer, pixels, target[::-1], method=method).max((1, 2)))
        assert (peaks > 0).all()


def test_aesthetic_models_are_explained_by_their_mean_score(scorer, pixels):
    np.testing.assert_array_equal(explain(scorer, pixels), explain(scorer, pixels, "mean_score"))


@pytest.mark.parametrize("target", ["mean_score", "score>=7"])
def test_cam_of_a_score_weighs_channels_by_its_slope(scorer, pixels, target):
    """Against a finite difference: what a channel's mean adds to the score."""
    features_of = keras.Model(scorer.input, gap_node(scorer).inputs[0])
    features = features_of(model_info(scorer).preprocessing.scale(pixels[:1].astype("float64")))
    dense = scorer.get_layer("probabilities")
    kernel, bias = (np.asarray(each, "float64") for each in (dense.kernel, dense.bias))
    pooled = np.asarray(features, "float64").mean(axis=(1, 2))
    weights = np.arange(1, 11) if target == "mean_score" else np.arange(1, 11) >= 7

    def score(pooled: np.ndarray) -> float:
        raised = np.exp(pooled @ kernel + bias)
        return float((raised / raised.sum() @ weights)[0])

    step = 1e-5
    slopes = [
        (score(pooled + step * unit) - score(pooled - step * unit)) / (2 * step)
        for unit in np.eye(pooled.shape[1])
    ]
    expected = np.asarray(features)[0] @ np.array(slopes)
    ours = contributions(scorer, pixels[:1], target)[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_pair_speaks_for_one_class_and_against_the_other(tagger, pixels):
    pair = contributions(tagger, pixels, ("Pool", "Bathroom"))
    apart = contributions(tagger, pixels, "Pool") - contributions(tagger, pixels, "Bathroom")
    np.testing.assert_allclose(pair, apart, atol=1e-4)


def test_each_photo_may_have_a_target_of_its_own(tagger, pixels):
    targets = ["Pool", ("Pool", "Bathroom"), "Bedroom", "Pool", ("Bedroom", "Pool")]
    maps = explain(tagger, pixels, targets)
    for number, target in enumerate(targets):
        np.testing.assert_allclose(
            maps[number], explain(tagger, pixels[number : number + 1], target)[0], atol=1e-5
        )


def test_pair_of_one_class_is_refused(tagger, pixels):
    with pytest.raises(AttributionError, match="two different classes"):
        explain(tagger, pixels, ("Pool", "Pool"))


@pytest.mark.slow
def test_saliency_is_the_gradient_of_the_logit(tagger, pixels):
    dense = tagger.get_layer("probabilities")
    features_of = keras.Model(tagger.input, gap_node(tagger).output)
    inputs = tf.constant(model_info(tagger).preprocessing.scale(pixels.astype("float32")))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = features_of(inputs, training=False) @ dense.kernel + dense.bias
        score = tf.reduce_sum(logits[:, CLASSES.index("Pool")])
    theirs = np.abs(tape.gradient(score, inputs)).max(axis=-1)
    ours = explain(tagger, pixels, "Pool", method="saliency")
    for mine, other in zip(ours, theirs, strict=True):
        assert np.corrcoef(mine[mine < 1], other[mine < 1])[0, 1] > 0.9999


@pytest.mark.slow
def test_smoothgrad_depends_on_its_seed_only(tagger, pixels):
    first = explain(tagger, pixels[:1], method="smoothgrad", seed=1)
    np.testing.assert_array_equal(first, explain(tagger, pixels[:1], method="smoothgrad", seed=1))
    assert np.abs(first - explain(tagger, pixels[:1], method="smoothgrad", seed=2)).max() > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_constant_photo_gives_a_finite_map(tagger, method):
    maps = explain(tagger, np.full((1, 96, 96, 3), 128, "uint8"), "Pool", method=method)
    assert np.isfinite(maps).all()
    assert 0 <= maps.min() <= maps.max() <= 1


@pytest.mark.slow
def test_another_layer_can_be_asked_for_by_name(tagger, pixels):
    early = explain(tagger, pixels, "Pool", method="gradcam", layer="conv_pw_5_relu")
    assert early.shape == (5, 96, 96)
    assert feature_grid(tagger, "conv_pw_5_relu").step == 8


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv_pw_99", r"no layer 'conv_pw_99'.*did you mean"),
        ("dropout", "has no height and width"),
        (79, r"by its name, not as 79.*Near that number there are .*conv_pw_12"),
        (4000, r"by its name, not as 4000.*Convolutions: conv1"),
    ],
)
def test_layers_that_cannot_be_shown_are_refused(tagger, pixels, layer, message):
    with pytest.raises(ModelError, match=message):
        explain(tagger, pixels, "Pool", method="gradcam", layer=layer)


def test_unknown_method_is_refused_with_the_nearest(tagger, pixels):
    with pytest.raises(AttributionError, match=r"not 'gradcam\+'.*did you mean 'gradcam"):
        explain(tagger, pixels, method="gradcam+")


def test_photo_that_cannot_be_read_gets_an_empty_map(tagger, tmp_path):
    assert explain(tagger, [str(tmp_path / "lost.jpg")], "Pool").max() == 0


@pytest.mark.slow
def test_nested_model_is_explained_like_a_flat_one(pixels):
    tagger = few_layers(CLASSES)
    inputs = keras.Input((96, 96, 3))
    pooled = gap_node(tagger)
    backbone = keras.Model(tagger.input, pooled.inputs[0], name="backbone")
    outputs = layers.Dense(3, activation="softmax", name="head")(
        layers.GlobalAveragePooling2D()(backbone(inputs))
    )
    nested = keras.Model(inputs, outputs)
    nested.get_layer("head").set_weights(tagger.get_layer("probabilities").get_weights())
    flat = wrap_model(nested, task="tagger", classes=CLASSES, preprocessing=Preprocessing(96, 96))
    for method in ("cam", "layercam", "saliency"):
        np.testing.assert_allclose(
            explain(flat, pixels, "Pool", method=method),
            explain(tagger, pixels, "Pool", method=method), atol=1e-3,
        )  # fmt: skip


def test_maps_have_the_photos_size_and_a_maximum_of_one(tagger, pixels):
    maps = explain(tagger, pixels, "Pool")
    assert maps.shape == (5, 96, 96)
    assert maps.min() >= 0
    peaks = maps.max(axis=(1, 2))
    assert np.all((np.abs(peaks - 1) < 1e-6) | (peaks == 0))


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
    return wrap_model(
        model,
        task="tagger",
        classes=["bright", "dark"],
        preprocessing=Preprocessing(size, size, value_range="0..1"),
    )


def test_map_without_any_evidence_is_zero_without_a_warning(pixels):
    model = spot_finder()
    kernel = np.array([[1, -1]], "float32")
    model.layers[-1].set_weights([kernel, np.zeros(2, "float32")])
    assert explain(model, pixels, "bright").max() == 1
    assert (explain(model, pixels, "dark") == 0).all()


@pytest.mark.parametrize("place", [(31, 31), (39, 63), (71, 23)])
def test_map_peaks_where_the_object_is(place):
    model = spot_finder()
    grid = feature_grid(model)
    assert (grid.step, grid.start) == (8.0, 7.0)
    photo = np.zeros((1, 96, 96, 3), "uint8")
    photo[0, place[0] - 2 : place[0] + 3, place[1] - 2 : place[1] + 3] = 255
    peak = np.unravel_index(explain(model, photo, "bright")[0].argmax(), (96, 96))
    assert np.abs(np.array(peak) - place).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "grid"),
    [
        ("MobileNet", (32.0, 31.0)),
        ("VGG16", (32.0, 15.5)),
        ("EfficientNetV2B0", (32.0, 31.0)),
    ],
)
def test_grids_of_known_networks(backbone, grid):
    found = feature_grid(build_tagger(CLASSES, backbone=backbone, input_size=64, weights=None))
    assert (found.step, found.start) == grid


def test_unknown_class_is_refused_with_the_nearest(tagger, pixels):
    with pytest.raises(AttributionError, match=r"does not know the class 'Pol'.*'Pool'"):
        explain(tagger, pixels, "Pol")


def test_number_of_targets_must_fit(tagger, pixels):
    with pytest.raises(AttributionError, match="2 targets were given for 5 photos"):
        explain(tagger, pixels, ["Pool", "Pool"])


def test_other_head_is_refused():
    inputs = keras.Input((32, 32, 3))
    flat = layers.Flatten()(layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(flat))
    wrap_model(model, task="tagger", classes=["a", "b"], preprocessing=Preprocessing(32, 32))
    photo = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(AttributionError, match=r"global average pooling.*use method='gradcam'"):
        explain(model, photo, method="cam")
    np.testing.assert_array_equal(explain(model, photo), explain(model, photo, method="gradcam"))


def test_no_photos_give_no_maps(tagger):
    assert len(explain(tagger, np.zeros((0, 96, 96, 3), "uint8"), "Pool")) == 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 96, 96, 3)), r"not float64 \(2, 96, 96, 3\) from 0 to 0: bring them to 0 to"),
        (np.zeros((96, 96, 3), "uint8"), r"shape \(None, 96, 96, 3\), not uint8 \(96, 96, 3\)"),
        (np.zeros((2, 64, 64, 3), "uint8"), r"not uint8 \(2, 64, 64, 3\)"),
        (pd.DataFrame({"path": ["a.jpg"]}), r"photos\['path'\], not their table"),
    ],
)
def test_pixels_of_another_kind_are_refused(tagger, images, message):
    for call in (explain, contributions):
        with pytest.raises((AttributionError, ModelError), match=message):
            call(tagger, images)


def test_photos_come_as_paths_of_any_kind(tagger, pixels, tmp_path):
    from PIL import Image

    file = tmp_path / "a.png"
    Image.fromarray(pixels[0]).save(file)
    expected = explain(tagger, pixels[:1], "Pool")
    for images in (file, str(file), [file], pd.Series([str(file)]), np.array([str(file)])):
        np.testing.assert_allclose(explain(tagger, images, "Pool"), expected, atol=1e-5)
    with pytest.raises(AttributionError, match="at least one photo, not 0"):
        explain(tagger, [file], "Pool", batch_size=0)


@pytest.mark.parametrize(
    ("photo", "activation", "message"),
    [
        (np.zeros((4, 4, 3)), np.zeros((4, 4)), "must be uint8"),
        (np.zeros((4, 4), "uint8"), np.zeros((4, 4)), "must be uint8"),
        (np.zeros((4, 4, 3), "uint8"), np.zeros((1, 4, 4)), "height and width"),
        (np.zeros((4, 4, 3), "uint8"), np.full((4, 4), 200), "from 0 to 1, not from 200 to 200"),
        (np.zeros((4, 4, 3), "uint8"), np.full((4, 4), np.nan), "from 0 to 1, not from nan"),
    ],
)
def test_overlay_refuses_what_is_no_photo_or_no_map(photo, activation, message):
    with pytest.raises(AttributionError, match=message):
        attribution.overlay(photo, activation)


def test_overlay_colours_only_where_the_map_is_high():
    photo = np.full((20, 20, 3), 200, "uint8")
    activation = np.zeros((20, 20))
    activation[:, 10:] = 1
    laid = attribution.overlay(photo, activation, alpha=0.5).astype(int)
    assert np.ptp(laid[5, 2]) <= 3  # grey
    assert laid[5, 17, 0] - laid[5, 17, 2] > 30  # inferno's yellow
