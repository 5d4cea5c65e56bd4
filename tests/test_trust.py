"""Sanity checks of maps on a network whose reasons are known."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from coloured import BLUE, RED, photo, tagger_by_colour
from keras import layers
from PIL import Image

from hotelviz import attribution
from hotelviz.errors import AttributionError
from hotelviz.models import Preprocessing, wrap_model


@pytest.fixture(scope="module")
def colours() -> keras.Model:
    return tagger_by_colour()


@pytest.fixture(scope="module")
def bathrooms() -> np.ndarray:
    return np.stack([photo((RED, 8 * n, 60 - 8 * n, 24)) for n in range(6)])


def test_evidence_lies_on_either_object_and_is_nan_where_there_is_none(colours, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files[:3]:
        Image.fromarray(photo((RED, 8, 8, 32), (BLUE, 56, 56, 24))).save(file)
    table = pd.DataFrame({"path": map(str, files), "predicted": "Bathroom"})
    table["label"] = ["Pool", "Bathroom", "Sauna", "Pool"]
    maps = attribution.evidence_maps(colours, table)
    there = {name: (~np.isnan(of).any(axis=(1, 2))).tolist() for name, of in maps.items()}
    assert there == {
        "predicted": [True, True, True, False],
        "true": [True, True, False, False],
        "difference": [True, False, False, False],
    }
    on_red, on_blue = (slice(12, 36), slice(12, 36)), (slice(60, 76), slice(60, 76))
    means = {name: (of[0][on_red].mean(), of[0][on_blue].mean()) for name, of in maps.items()}
    assert means["predicted"] == pytest.approx((1, 0), abs=0.05)
    assert means["true"] == pytest.approx((0, 1), abs=0.05)
    assert means["difference"] == pytest.approx((1, 0), abs=0.05)


def test_map_of_the_reason_beats_random_order_and_its_opposite_does_not(colours, bathrooms):
    maps = attribution.explain(colours, bathrooms, "Bathroom")
    good, bad = (
        attribution.curve_areas(
            attribution.deletion_insertion(colours, bathrooms, side, "Bathroom", steps=8)
        )
        for side in (maps, 1 - maps)
    )
    for check in ("deletion_margin", "insertion_margin"):
        assert (good[check] > 0.02).all()
        assert (bad[check] < 0).all()


def test_curves_begin_and_end_with_the_whole_and_the_hidden_photo(colours, bathrooms):
    maps = attribution.explain(colours, bathrooms, "Bathroom")
    curves = attribution.deletion_insertion(colours, bathrooms, maps, "Bathroom", steps=4)
    table = curves.pivot_table(index="share", columns=["check", "order"], values="value")
    for order in ("map", "random"):
        assert table.loc[0, ("deletion", order)] == pytest.approx(
            table.loc[1, ("insertion", order)]
        )
        assert table.loc[1, ("deletion", order)] == pytest.approx(
            table.loc[0, ("insertion", order)]
        )


def test_empty_map_is_checked_without_a_warning(colours, bathrooms):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty = np.zeros(bathrooms.shape[:3], "float32")
        curves = attribution.deletion_insertion(colours, bathrooms, empty, "Bathroom", steps=2)
        inside = attribution.pointing_game(empty, np.ones_like(empty, bool))
        other = np.random.default_rng(0).random(empty.shape)
        alike = attribution.method_agreement({"empty": empty, "other": other})
    assert np.isfinite(curves["value"]).all()
    assert not inside["hit"].any()
    assert (inside["energy"] == 0).all()
    assert alike.loc["empty", "other"] == 0


def test_pointing_game_counts_peaks_and_energy_inside():
    maps = np.zeros((2, 4, 4))
    maps[0, 0, 0], maps[0, 3, 3] = 1.0, 1 / 3
    maps[1, 3, 3] = 1.0
    masks = np.zeros((2, 4, 4), bool)
    masks[:, :2, :2] = True
    found = attribution.pointing_game(maps, masks)
    assert found["hit"].to_list() == [True, False]
    assert found["energy"].to_list() == pytest.approx([0.75, 0])
    assert found["area"].to_list() == [0.25, 0.25]
    with pytest.raises(AttributionError, match="but masks of"):
        attribution.pointing_game(maps, masks[:, :2])


def test_random_weights_are_given_to_the_layers_of_a_model_inside_another(colours, bathrooms):
    body = keras.Model(colours.input, colours.get_layer("conv").output, name="body")
    inputs = keras.Input((96, 96, 3))
    pooled = layers.GlobalAveragePooling2D()(body(inputs))
    around = wrap_model(
        keras.Model(inputs, colours.get_layer("head")(pooled)), task="tagger",
        classes=["Bathroom", "Pool"], preprocessing=Preprocessing(96, 96, value_range="0..1"),
    )  # fmt: skip
    plain, inside = (
        attribution.parameter_randomization(model, bathrooms, "Bathroom", n_stages=2)
        for model in (colours, around)
    )
    pd.testing.assert_frame_equal(inside, plain)


def test_random_weights_change_the_maps_and_leave_the_model_alone(colours, bathrooms):
    weights = [np.array(tensor) for tensor in colours.get_weights()]
    course = attribution.parameter_randomization(colours, bathrooms, "Bathroom", n_stages=2)
    assert course["layer"].to_list() == ["", "head", "conv"]
    assert course["correlation"].iloc[0] == pytest.approx(1)
    assert course["correlation"].iloc[-1] < 0.9
    for before, after in zip(weights, colours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_agreement_is_the_mean_rank_correlation():
    random = np.random.default_rng(0)
    one = random.random((3, 12, 12))
    table = attribution.method_agreement({"one": one, "square": one**2, "against": -one})
    assert table.loc["one", "square"] == pytest.approx(1)
    assert table.loc["one", "against"] == pytest.approx(-1)


def test_trust_table_has_a_row_per_method_and_all_checks(colours, bathrooms):
    masks = (bathrooms == RED).all(axis=-1)
    table = attribution.trust_table(
        colours, bathrooms, "Bathroom", methods=("cam", "saliency"), masks=masks, n_randomized=2,
        groups=list("aabbcc"),
    )  # fmt: skip
    assert table.index.to_list() == ["cam", "saliency"]
    assert table.loc["cam", "hit"] == 1
    assert table.loc["cam", "energy"] > 0.6
    assert (table["deletion_low"] <= table["deletion"]).all()
    assert (table["deletion"] <= table["deletion_high"]).all()
    assert table.loc["cam", "agreement"] == pytest.approx(table.loc["saliency", "agreement"])
    assert (table["ms"] > 0).all()


def test_numbers_of_photos_and_maps_must_fit(colours, bathrooms):
    with pytest.raises(
        AttributionError, match=r"photos of the shape \(6, 96, 96, 3\), but maps of \(2, 96, 96\)"
    ):
        attribution.deletion_insertion(colours, bathrooms, np.zeros((2, 96, 96)), "Bathroom")


def test_values_that_are_no_numbers_are_refused(colours, bathrooms):
    maps = np.full(bathrooms.shape[:3], np.nan)
    for call in (
        lambda: attribution.deletion_insertion(colours, bathrooms, maps, "Bathroom"),
        lambda: attribution.pointing_game(maps, np.zeros(maps.shape, bool)),
        lambda: attribution.method_agreement({"a": maps, "b": maps}),
    ):
        with pytest.raises(AttributionError, match="maps have values that are no numbers"):
            call()
    with pytest.raises(AttributionError, match="the curves have no column 'photo'"):
        attribution.curve_areas(pd.DataFrame({"share": [0.0]}))
    with pytest.raises(AttributionError, match="no photo or no method"):
        attribution.trust_table(colours, bathrooms[:0])
