"""Pictures of channels, and how much channels changed."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from hotelviz import feature_vis
from hotelviz.errors import CatalogError, FeatureVisError, ModelError
from hotelviz.feature_vis.fourier import natural_scale, noise_spectrum, picture_of
from hotelviz.feature_vis.similarity import PairedSums
from hotelviz.models import Preprocessing, build_tagger, wrap_model


def tagger(seed: int = 0) -> keras.Model:
    model = build_tagger(
        ["Bathroom", "Bedroom", "Pool"], input_size=64, weights=None, seed=seed,
        backbone_kw={"alpha": 0.25},
    )  # fmt: skip
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(random.uniform(0.02, 0.1, layer.moving_variance.shape))
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return tagger()


def red_finder() -> keras.Model:
    """A network whose first channel, and first output, look for red; the others for blue."""
    inputs = keras.Input((64, 64, 3))
    conv = layers.Conv2D(2, 4, strides=4, use_bias=False, name="conv")
    dense = layers.Dense(2, "softmax")
    outputs = dense(layers.GlobalAveragePooling2D()(conv(inputs)))
    kernel = np.zeros((4, 4, 3, 2), "float32")
    kernel[..., 0, 0], kernel[..., 1:, 0] = 1, -1
    kernel[..., 2, 1], kernel[..., :2, 1] = 1, -1
    conv.set_weights([kernel])
    dense.set_weights([np.eye(2, dtype="float32"), np.zeros(2, "float32")])
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["red", "blue"],
        preprocessing=Preprocessing(64, 64, value_range="0..1"),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        lambda model: feature_vis.visualize_channels(model, "conv", [0, 1], size=64, steps=64),
        lambda model: feature_vis.visualize_outputs(model, ["red", "blue"], size=64, steps=64),
    ],
)
def test_pictures_show_what_channels_and_outputs_look_for(draw):
    red, blue = draw(red_finder()).astype(float)
    for picture, channel in ((red, 0), (blue, 2)):
        others = np.delete(picture, channel, axis=-1)
        assert picture[..., channel].mean() > others.mean() + 30
        # Up to the edge: no dark border, no seam.
        frame = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert abs(frame.mean() - picture.mean()) < 25


@pytest.fixture(scope="module")
def pictures(model) -> np.ndarray:
    return feature_vis.visualize_channels(model, "conv_pw_3", [0, 5, 9], size=64, steps=24)


@pytest.mark.slow
def test_picture_depends_on_its_channel_and_seed_only(model, pictures):
    alone = feature_vis.visualize_channels(model, "conv_pw_3", [5], size=64, steps=24)
    assert np.abs(alone[0].astype(int) - pictures[1]).max() <= 2
    other = feature_vis.visualize_channels(model, "conv_pw_3", [5], size=64, steps=24, seed=1)
    assert np.abs(other[0].astype(int) - pictures[1]).mean() > 5


@pytest.mark.slow
@pytest.mark.parametrize("size", [48, 65, 96])
def test_pictures_come_in_any_size(model, size):
    shape = feature_vis.visualize_channels(model, "conv_pw_1", [0], size=size, steps=2).shape
    assert shape == (1, size, size, 3)


def test_small_picture_is_the_large_one_with_fewer_pixels():
    spectrum = noise_spectrum(64, (0, 0))[None] * 20
    large = np.asarray(picture_of(spectrum, natural_scale(64), 64))
    small = np.asarray(picture_of(spectrum, natural_scale(64), 32))
    coarse = large.reshape(1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.corrcoef(small.ravel(), coarse.ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_picture_is_kept_and_found_again(model, tmp_path):
    kw: dict = {"size": 48, "steps": 2, "cache": tmp_path}
    first = feature_vis.visualize_channels(model, "conv_pw_1", [2], **kw)
    (file,) = tmp_path.rglob("*.png")
    np.testing.assert_array_equal(np.asarray(Image.open(file)), first[0])
    other = np.full((48, 48, 3), 7, "uint8")
    Image.fromarray(other).save(file)
    again = feature_vis.visualize_channels(model, "conv_pw_1", [2], **kw)
    np.testing.assert_array_equal(again[0], other)
    changed = feature_vis.visualize_channels(tagger(1), "conv_pw_1", [2], **kw)
    assert (changed[0] != other).any()
    assert len(list(tmp_path.rglob("*.png"))) == 2


@pytest.mark.parametrize(
    ("layer", "channels", "size", "error", "message"),
    [
        (
            "conv_pw_3",
            [64],
            64,
            FeatureVisError,
            "conv_pw_3 has the channels 0 to 31; there is no 64",
        ),
        ("conv_pw_3", [-1], 64, FeatureVisError, "there is no -1"),
        ("conv_pw_3", [0], 16, FeatureVisError, "at least 32 pixels a side, not 16"),
        ("conv_pv_3", [0], 64, ModelError, "did you mean 'conv_pw_3'"),
        ("probabilities", [0], 64, ModelError, "has no height and width"),
        (23, [0], 64, ModelError, "by its name, not as 23.*Near that number there are .*conv_pw_3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, layer, channels, size, error, message):
    with pytest.raises(error, match=message):
        feature_vis.visualize_channels(model, layer, channels, size=size, steps=2)


def test_unknown_output_is_refused_with_the_nearest(model):
    with pytest.raises(FeatureVisError, match="did you mean 'Pool'"):
        feature_vis.visualize_outputs(model, ["Pol"], size=64, steps=2)


def test_convolution_is_looked_at_after_its_batch_normalisation(model):
    assert feature_vis.channel_node(model, "conv_pw_3").layer.name == "conv_pw_3_bn"
    assert feature_vis.channel_node(model, "conv_pw_3_relu").layer.name == "conv_pw_3_relu"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    files = []
    for number in range(6):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = folder / f"{number}.png"
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(file)
        files.append(str(file))
    return files


@pytest.mark.slow
def test_identical_models_give_identical_pictures_and_no_change(model, photos):
    other = tagger()
    same = feature_vis.compare_filters(
        model, other, ["conv_pw_2"], n_channels=2, photos=photos, size=48, steps=4
    )
    for layer in ("conv_pw_2",):
        apart = np.abs(same.original[layer].astype(int) - same.tuned[layer])
        assert apart.max() == 0
    assert (same.channels["weight_change"] == 0).all()
    np.testing.assert_allclose(same.channels["correlation"], 1, atol=1e-6)
    np.testing.assert_allclose(same.profile["cka"], 1, atol=1e-6)
    assert (same.profile["weight_change"] == 0).all()


@pytest.mark.slow
def test_channel_that_was_changed_is_found(model, photos):
    changed = tagger()
    kernel = changed.get_layer("conv_pw_4").kernel
    values = np.asarray(kernel).copy()
    values[..., 7] = np.random.default_rng(5).normal(0, values.std(), values.shape[:-1])
    kernel.assign(values)
    by_weight = feature_vis.compare_filters(
        model, changed, ["conv_pw_4"], n_channels=1, size=48, steps=2
    )
    assert by_weight.channels["channel"].to_list() == [7]
    table = feature_vis.change_by_channel(model, changed, ["conv_pw_4"], photos=photos)
    assert table["correlation"].idxmin() == 7
    assert (table["weight_change"] > 0).to_list() == [number == 7 for number in range(len(table))]
    depth = feature_vis.change_by_layer(model, changed, photos).set_index("layer")
    assert depth["cka"]["conv_pw_3"] == pytest.approx(1, abs=1e-6)
    assert depth["cka"]["conv_pw_4"] < 1 - 1e-4


def test_folded_batch_normalisation_is_no_change(photos):
    inputs = keras.Input((64, 64, 3))
    tensor = layers.Conv2D(6, 3, use_bias=False, name="conv")(inputs)
    tensor = layers.BatchNormalization(name="norm")(tensor)
    outputs = layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(tensor))
    plain = wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["a", "b"],
        preprocessing=Preprocessing(64, 64),
    )  # fmt: skip
    random = np.random.default_rng(0)
    norm = plain.get_layer("norm")
    gamma, beta, mean, variance = (random.uniform(0.5, 2, 6).astype("float32") for _ in range(4))
    norm.set_weights([-gamma, beta, mean, variance])
    folded = keras.models.clone_model(plain)
    folded.set_weights(plain.get_weights())
    scale = -gamma / np.sqrt(variance + norm.epsilon)
    kernel = np.asarray(plain.get_layer("conv").kernel) * scale
    folded.get_layer("conv").kernel.assign(kernel)
    one = np.ones(6, "float32")
    folded.get_layer("norm").set_weights(
        [one, beta - mean * scale, 0 * one, one - np.float32(norm.epsilon)]
    )
    folded = wrap_model(
        folded, task="tagger", classes=["a", "b"], preprocessing=Preprocessing(64, 64)
    )
    table = feature_vis.change_by_channel(plain, folded, ["conv"], photos=photos)
    np.testing.assert_allclose(table["weight_change"], 0, atol=1e-6)
    np.testing.assert_allclose(table["correlation"], 1, atol=1e-5)


def test_cka_and_correlation_agree_with_their_definitions():
    random = np.random.default_rng(0)
    before = random.normal(size=(40, 2, 2, 5)) + 3
    after = before @ random.normal(size=(5, 5)) + random.normal(size=before.shape)
    sums = PairedSums(5)
    for start in range(0, 40, 16):
        sums.add(before[start : start + 16], after[start : start + 16])
    x, y = (side.reshape(-1, 5) - side.reshape(-1, 5).mean(axis=0) for side in (before, after))
    expected = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert sums.cka() == pytest.approx(expected)
    np.testing.assert_allclose(
        sums.correlations(), [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(5)]
    )
    rotation = np.linalg.qr(random.normal(size=(5, 5)))[0]
    turned = PairedSums(5)
    turned.add(before, 2 * before @ rotation)
    assert turned.cka() == pytest.approx(1)


def test_silent_channel_has_no_correlation():
    sums = PairedSums(2)
    values = np.random.default_rng(0).normal(size=(4, 2, 2, 2))
    values[..., 1] = 0
    sums.add(values, values)
    assert sums.correlations()[0] == pytest.approx(1)
    assert np.isnan(sums.correlations()[1])


def test_models_of_different_width_are_not_compared(model):
    wide = build_tagger(["a", "b"], input_size=64, weights=None)
    with pytest.raises(FeatureVisError, match=r"conv_pw_3 has 32 channels in the one and 128"):
        feature_vis.compare_filters(model, wide, ["conv_pw_3"], size=48, steps=2)


def test_chosen_channels_are_drawn_in_their_order(model):
    shown = feature_vis.compare_filters(
        model, model, ["conv_pw_1"], channels=[3, 1], size=48, steps=2
    ).channels
    assert shown["channel"].to_list() == [3, 1]
    with pytest.raises(FeatureVisError, match="there is no 99"):
        feature_vis.compare_filters(model, model, ["conv_pw_1"], channels=[99], size=48, steps=2)


def test_photos_that_cannot_be_read_leave_nothing_to_compare(model):
    with pytest.raises(FeatureVisError, match="none of the photos can be read"):
        feature_vis.change_by_layer(model, model, ["lost.jpg"])


def test_photo_and_place_that_excite_a_channel_are_found(tmp_path):
    rows = []
    for number, colour in enumerate([(255, 0, 0), (0, 0, 255), (200, 0, 0), (90, 90, 90)]):
        photo = np.full((128, 128, 3), 90, "uint8")
        photo[80:96, 16:32] = colour
        file = tmp_path / f"{number}.png"
        Image.fromarray(photo).save(file)
        rows.append({"image_id": str(number), "path": str(file)})
    rows.append({"image_id": "lost", "path": str(tmp_path / "lost.png")})
    found = feature_vis.top_photos(red_finder(), pd.DataFrame(rows), "conv", [0, 1], n_photos=2)
    assert found["image_id"].to_list()[:2] == ["0", "2"]
    assert found["image_id"].to_list()[2] == "1"
    assert found.loc[0, ["x", "y"]].to_list() == pytest.approx([24 / 128, 88 / 128], abs=0.05)
    patch = feature_vis.patch_pixels(found.head(1), size=32)
    assert patch.shape == (1, 32, 32, 3)
    assert patch[0, 16, 16, 0] > 200


def test_channel_past_the_end_has_no_photos(tmp_path):
    photos = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    with pytest.raises(FeatureVisError, match="channels 0 to 1; there is no 2"):
        feature_vis.top_photos(red_finder(), photos, "conv", 2)
    assert len(feature_vis.top_photos(red_finder(), photos, "conv", 1)) == 0


@pytest.mark.parametrize(
    ("channels", "message"),
    [([0.5], "whole number, not 0.5"), (["0"], "whole number, not '0'"), ([True], "not True")],
)
def test_channels_are_whole_numbers(channels, message):
    for call in (
        lambda: feature_vis.visualize_channels(red_finder(), "conv", channels, size=48, steps=1),
        lambda: feature_vis.top_photos(
            red_finder(), pd.DataFrame({"image_id": ["a"], "path": ["a.png"]}), "conv", channels
        ),
    ):
        with pytest.raises(FeatureVisError, match=message):
            call()


def test_tables_made_by_hand_are_checked_before_photos_are_read():
    with pytest.raises(CatalogError, match="top_photos: the table has no column 'path'"):
        feature_vis.top_photos(red_finder(), pd.DataFrame({"image_id": ["a"]}), "conv", 0)
    with pytest.raises(FeatureVisError, match="patch_pixels: the table has no column 'side'"):
        feature_vis.patch_pixels(pd.DataFrame({"path": ["a.png"], "x": [0.5], "y": [0.5]}))
    with pytest.raises(FeatureVisError, match="'x' is a share of the photo, 0 to 1"):
        feature_vis.patch_pixels(
            pd.DataFrame({"path": ["a.png"], "x": [50.0], "y": [0.5], "side": [0.2]})
        )


def test_layer_that_is_called_outputs_keeps_pictures_of_its_own(tmp_path):
    inputs = keras.Input((64, 64, 3))
    tensor = layers.Conv2D(2, 4, strides=4, name="outputs")(inputs)
    dense = layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(tensor))
    model = wrap_model(keras.Model(inputs, dense), task="tagger", classes=["a", "b"],
                  preprocessing=Preprocessing(64, 64))  # fmt: skip
    kw: dict = {"size": 48, "steps": 2, "cache": tmp_path}
    first = feature_vis.visualize_channels(model, "outputs", [0], **kw)
    feature_vis.visualize_outputs(model, ["a"], **kw)
    assert len(list(tmp_path.rglob("*.png"))) == 2
    np.testing.assert_array_equal(
        feature_vis.visualize_channels(model, "outputs", [0], **kw), first
    )


def test_network_of_one_size_says_that_it_cannot_be_drawn_at_another():
    inputs = keras.Input((64, 64, 3))
    tensor = layers.Flatten()(layers.Conv2D(2, 4, strides=4)(inputs))
    model = wrap_model(keras.Model(inputs, layers.Dense(2, "softmax")(tensor)), task="tagger",
                  classes=["a", "b"], preprocessing=Preprocessing(64, 64))  # fmt: skip
    with pytest.raises(FeatureVisError, match="takes no pictures of 48 x 48 pixels"):
        feature_vis.visualize_outputs(model, ["a"], size=48, steps=1)


def test_patch_of_a_lost_photo_is_grey(tmp_path: Path):
    rows = pd.DataFrame({"path": [str(tmp_path / "x.png")], "x": [0.5], "y": [0.5], "side": [0.2]})
    assert (feature_vis.patch_pixels(rows, size=8) == 128).all()
