"""Every channel of a layer on a map, and pictures whose magnitudes are those of photos."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from hotelviz import feature_vis
from hotelviz.errors import FeatureVisError, ModelError
from hotelviz.feature_vis.fourier import picture_of, spectrum_of
from hotelviz.models import Preprocessing, weights_hash, wrap_model

#: Channels for red, for blue, for twice as much red, and one that is dead.
KERNEL = np.array([[1, -1, 2, 0], [-1, -1, -2, 0], [-1, 1, -2, 0]], "float32")


def colours(kernel: np.ndarray = KERNEL, *, dead: float = -1) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    conv = layers.Conv2D(4, 1, name="conv", activation="relu")
    dense = layers.Dense(2, "softmax", name="dense")
    outputs = dense(layers.GlobalAveragePooling2D(name="pooled")(conv(inputs)))
    conv.set_weights([kernel[None, None], np.full(4, dead if dead < -1 else 0, "float32")])
    dense.set_weights([np.array([[1, 0], [0, 1], [1, 0], [0, 1]], "float32"), np.zeros(2)])
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["red", "blue"],
        preprocessing=Preprocessing(32, 32, value_range="0..1"),
    )  # fmt: skip


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Six photos with more and more red, and six with more and more blue; one that is lost."""
    folder, rows = tmp_path_factory.mktemp("colours"), []
    for number in range(12):
        colour, side = number // 6, 4 + 4 * (number % 6)
        pixels = np.zeros((32, 32, 3), "uint8")
        pixels[:side, :side, 2 * colour] = 255
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append({"path": str(folder / f"{number}.png"), "label": ["warm", "cold"][colour]})
    rows.append({"path": str(folder / "lost.png"), "label": "warm"})
    return pd.DataFrame(rows)


def drawn(model: keras.Model, photos: pd.DataFrame, cache: Path, **keywords):
    keywords = {"size": 32, "steps": 1, "progress": False, **keywords}
    return feature_vis.atlas(model, "conv", photos, cache=cache, **keywords)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def found(photos, cache) -> feature_vis.ChannelAtlas:
    return drawn(colours(), photos, cache)


def test_atlas_says_what_channels_do_and_which_are_dead_or_duplicates(found, photos):
    table, share = found.channels, sum((4 * n) ** 2 for n in range(1, 7)) / 32**2 / 12
    assert found.n_photos == len(photos) - 1
    assert table["state"].to_list() == ["active", "active", "duplicate", "dead"]
    assert table["duplicate_of"].to_list() == [pd.NA, pd.NA, 0, pd.NA]
    assert table["drives"].fillna("").to_list() == ["red", "blue", "red", ""]
    assert table["active_in"].fillna("").to_list() == ["warm", "cold", "warm", ""]
    # Half of the photos have any red.
    assert table["active"].to_list() == [0.5, 0.5, 0.5, 0]
    assert table["strength"].to_list() == pytest.approx([share, share, 2 * share, 0])
    assert [pixels(path).shape for path in table["path"]] == [(32, 32, 3)] * 4


def test_histograms_are_of_means_over_places_on_one_scale(found):
    assert found.edges[0] == 0
    assert found.edges[-1] == pytest.approx(2 * (24 / 32) ** 2, rel=0.1)
    assert found.histograms.sum(axis=1).tolist() == pytest.approx([1] * 4)
    # The same photos are twice as far from the beginning for the channel that is twice as strong.
    red, _, twice, dead = found.histograms @ np.arange(10)
    assert twice == pytest.approx(2 * red, abs=0.5)
    assert dead == 0


def test_effects_under_global_average_pooling_are_mean_times_weight(found):
    shares = np.array([(4 + 4 * n) ** 2 / 32**2 for n in range(6)])
    red = shares.sum() / 12
    expected = [[red, 0], [0, red], [2 * red, 0], [0, 0]]
    np.testing.assert_allclose(found.effects, expected, atol=1e-5)
    assert found.effects.columns.to_list() == ["red", "blue"]
    assert found.channels["effect"].to_list()[:3] == pytest.approx([red / 2, red / 2, red])


def test_channels_that_answer_to_the_same_photos_are_near_each_other(found):
    places = found.positions.to_numpy()
    assert np.isnan(places[3]).all()
    near, far = np.linalg.norm(places[0] - places[2]), np.linalg.norm(places[0] - places[1])
    assert near < 0.2 * far


@pytest.mark.slow
def test_run_that_was_stopped_goes_on_and_damaged_pictures_are_drawn_anew(photos, tmp_path):
    first = drawn(colours(), photos, tmp_path).channels["path"].map(Path).to_list()
    kept = np.full((32, 32, 3), 7, "uint8")
    Image.fromarray(kept).save(first[0])
    before = first[1].read_bytes()
    first[1].unlink()
    first[2].write_bytes(before[:100])
    again = drawn(colours(), photos, tmp_path).channels["path"].map(Path).to_list()
    assert again == first
    assert (pixels(first[0]) == kept).all()
    assert first[1].read_bytes() == before
    assert pixels(first[2]).shape == (32, 32, 3)


@pytest.mark.slow
def test_cache_of_another_model_is_left_alone(found, photos, cache):
    theirs = {path: Path(path).read_bytes() for path in found.channels["path"]}
    other = colours(KERNEL[:, [1, 0, 2, 3]])
    own = drawn(other, photos, cache).channels["path"]
    assert {Path(path).parent.name for path in own} == {weights_hash(other)}
    assert not set(own) & set(theirs)
    assert all(Path(path).read_bytes() == data for path, data in theirs.items())


@pytest.mark.slow
def test_change_through_training_is_told_by_channel(found, photos, cache):
    same = drawn(colours(), photos, cache, original=colours()).channels
    assert same["change"].to_list()[:3] == pytest.approx([0, 0, 0], abs=1e-6)
    swapped = drawn(colours(), photos, cache, original=colours(KERNEL[:, [1, 0, 2, 3]])).channels
    assert (swapped["change"][:2] > 1).all()
    assert swapped["change"][2] == pytest.approx(0, abs=1e-6)
    assert np.isnan(swapped["change"][3])


def test_layer_whose_channels_are_all_dead_has_an_atlas_without_a_map(photos, tmp_path):
    dead = drawn(colours(dead=-9), photos, tmp_path)
    assert dead.channels["state"].to_list() == ["dead"] * 4
    assert dead.positions is None
    assert dead.channels["drives"].isna().all()
    assert dead.channels["active"].sum() == 0


def test_atlas_without_labels_and_outputs_has_neither(photos, cache):
    plain = drawn(colours(), photos[["path"]], cache, outputs=False)
    assert not {"active_in", "drives", "effect"} & set(plain.channels)
    assert plain.effects.shape == (4, 0)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("dense", "has no height and width"), ("cnv", "did you mean 'conv'"), (1, "by its name")],
)
def test_layer_without_places_or_that_is_not_there_is_refused(photos, tmp_path, layer, message):
    with pytest.raises(ModelError, match=message):
        feature_vis.atlas(colours(), layer, photos, cache=tmp_path, progress=False)


def test_too_few_photos_are_refused_before_anything_is_drawn(photos, tmp_path):
    with pytest.raises(FeatureVisError, match=r"at least 10 photos .*; 3 of 4 can be read"):
        drawn(colours(), photos.tail(4), tmp_path)
    assert not list(tmp_path.iterdir())


def test_original_of_another_architecture_is_refused(photos, tmp_path):
    inputs = keras.Input((32, 32, 3))
    for name, width, said in (
        ("conv", 3, "conv has 3 channels, the model's 4"),
        ("c", 4, "no lay"),
    ):
        hidden = layers.Conv2D(width, 1, name=name)(inputs)
        outputs = layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(hidden))
        other = wrap_model(
            keras.Model(inputs, outputs), task="tagger", classes=["a", "b"],
            preprocessing=Preprocessing(32, 32),
        )  # fmt: skip
        with pytest.raises(FeatureVisError, match=f"of another architecture.*{said}"):
            drawn(colours(), photos, tmp_path, original=other)


def soft_noise(seed: int, side: int = 32) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 200, (6, 6, 3), dtype="uint8")
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def test_photo_is_its_magnitudes_and_phases():
    photo = soft_noise(0)
    (spectrum,) = spectrum_of(photo[None])
    phases = np.angle(spectrum)[None, None].astype("float32")
    again = np.asarray(picture_of(phases, np.abs(spectrum).astype("float32"), 32))[0]
    np.testing.assert_allclose(again, photo / 255, atol=2e-3)


@pytest.fixture(scope="module")
def magnitudes(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("soft")
    files = [str(folder / f"{number}.png") for number in range(4)]
    for number, file in enumerate(files):
        Image.fromarray(soft_noise(number)).save(file)
    found = feature_vis.photo_magnitudes([*files, str(folder / "lost.png")], size=32)
    whole = np.stack([soft_noise(number) for number in range(4)])
    expected = np.abs(spectrum_of(whole, window=True)).mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    return found


def test_maco_keeps_the_magnitudes_of_photos_and_finds_the_colour(magnitudes):
    draw = {"size": 32, "steps": 24, "method": "maco", "magnitudes": magnitudes}
    red, blue = feature_vis.visualize_channels(colours(), "conv", [0, 1], **draw)
    assert red.shape == (32, 32, 4)
    for picture, channel in ((red, 0), (blue, 2)):
        assert picture[..., channel].mean() > np.delete(picture, channel, axis=-1)[..., :2].mean()
    kept = np.abs(spectrum_of(red[None, ..., :3]))[0]
    strong = magnitudes > np.quantile(magnitudes, 0.9)
    inner = strong & (np.arange(17) % 16 != 0)  # the others are real: half of them is lost
    # Values are rounded to 8 bits, which is a little noise in all frequencies.
    np.testing.assert_allclose(kept[inner], magnitudes[inner], rtol=0.02, atol=0.15)


@pytest.mark.slow
def test_maco_is_opaque_where_the_network_looked(magnitudes):
    kernel = np.zeros((16, 16, 3, 1), "float32")
    kernel[4:8, 4:8] = 1
    inputs = keras.Input((32, 32, 3))
    hidden = layers.Conv2D(1, 16, strides=32, padding="valid", name="corner")(inputs)
    hidden = layers.UpSampling2D(2, name="larger")(hidden)
    outputs = layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(hidden))
    model = wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["a", "b"],
        preprocessing=Preprocessing(32, 32, value_range="0..1"),
    )  # fmt: skip
    model.get_layer("corner").set_weights([kernel, np.zeros(1, "float32")])
    draw = {"size": 32, "steps": 8, "method": "maco", "magnitudes": magnitudes}
    (picture,) = feature_vis.visualize_channels(model, "larger", [0], **draw)
    opacity = picture[..., 3]
    assert opacity[4:8, 4:8].mean() > 200
    assert opacity[16:, 16:].max() == 0


def test_edges_of_photos_are_not_lines(tmp_path):
    Image.linear_gradient("L").resize((32, 32)).save(tmp_path / "ramp.png")
    found = feature_vis.photo_magnitudes([str(tmp_path / "ramp.png")], size=32)[0]
    with Image.open(tmp_path / "ramp.png") as ramp:
        plain = np.abs(spectrum_of(np.asarray(ramp.convert("RGB"))[None]))[0, 0]
    # Far from the lowest frequencies a ramp has nothing but the step at its edge.
    assert found[8, 0] < 0.02 * plain[8, 0]


def test_magnitudes_without_photos_fall_as_those_of_photos_do():
    found = feature_vis.natural_magnitudes(64)
    assert found[0, 0, 2] / found[0, 0, 8] == pytest.approx(4)
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, (4, 1, 3, 64, 33)).astype("float32")
    contrast = np.asarray(picture_of(phases, found, 64)).std(axis=(1, 2))
    assert contrast.mean() == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        ({"method": "mako"}, "method must be one of fourier, maco; .*did you mean 'maco'"),
        ({"method": "maco", "magnitudes": np.ones((3, 48, 25))}, r"photo_magnitudes\(.*size=32"),
    ],
)
def test_what_maco_cannot_draw_is_refused(draw, message):
    with pytest.raises(FeatureVisError, match=message):
        feature_vis.visualize_channels(colours(), "conv", [0], size=32, steps=1, **draw)


def test_photos_that_cannot_be_read_have_no_magnitudes():
    with pytest.raises(FeatureVisError, match="none of 1 photos can be read"):
        feature_vis.photo_magnitudes(["lost.jpg"], size=32)
