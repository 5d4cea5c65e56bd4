"""Aesthetic models: parents, ratings, and what is not done to photos."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from runs import QUICK

from hotelviz.errors import CatalogError
from hotelviz.inference import predict_scores
from hotelviz.models import (
    Preprocessing,
    build_aesthetic,
    load_model,
    model_info,
    save_model,
    wrap_model,
)
from hotelviz.schema import RATINGS
from hotelviz.training import fine_tuning, history, train_aesthetic, train_tagger
from hotelviz.training.course import FINE_TUNED


@pytest.fixture
def rated_catalog(demo_catalog):
    """Dark photos are rated 3, bright ones 8."""
    rated = demo_catalog.copy()
    for score in range(1, 11):
        rated[f"rating_{score}"] = 0.0
    bright = np.arange(len(rated)) % 2 == 0
    rated.loc[bright, "rating_8"] = 12.0
    rated.loc[~bright, "rating_3"] = 12.0
    return rated


@pytest.mark.slow
def test_second_iteration_starts_from_the_first_and_names_its_lineage(rated_catalog, tmp_path):
    first = train_aesthetic(rated_catalog, fine_tune_epochs=1, **QUICK)
    save_model(first, tmp_path / "first.keras")
    second = train_aesthetic(
        rated_catalog, parent=tmp_path / "first.keras", effort="quick", **QUICK
    )
    for ours, theirs in zip(second.get_weights()[:-2], first.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)
    third = train_aesthetic(
        rated_catalog, task="technical", parent=second, fine_tune_epochs=1, **QUICK
    )
    save_model(third, tmp_path / "third.keras")
    info = model_info(load_model(tmp_path / "third.keras", task="technical"))
    assert info.parent["task"] == "aesthetic"
    assert info.parent["parent"]["training"]["catalog"] == model_info(first).training["catalog"]
    assert history(third)["phase"].to_list() == ["head", "fine_tune"]
    assert "val_mean_score_error" in history(third)


@pytest.mark.slow
def test_few_ratings_are_learned_from_what_the_first_iteration_knew_of_many(rated_catalog):
    bright = rated_catalog["label"].isin(["Pool", "View_of_Exterior", "Kitchen"])
    rated = rated_catalog.assign(
        **{f"rating_{score}": 12.0 * (bright == (score == 8)) * (score in (3, 8))
           for score in range(1, 11)}
    )  # fmt: skip
    first = train_aesthetic(rated, effort="quick", **QUICK)
    hotels = rated.loc[rated["split"] == "train", "hotel_id"].unique()[:2]
    few = rated[rated["hotel_id"].isin(hotels)]
    second = train_aesthetic(few, parent=first, effort="quick", **QUICK)
    assert model_info(second).training["linear"]["from_parent"]
    assert not model_info(first).training["linear"]["from_parent"]
    # Its layers know none of these hotels, but the head that it is held at does.
    seen = [model_info(model).training["linear"]["seen"] for model in (first, second)]
    assert seen == [0, model_info(second).training["linear"]["photos"]]
    figures = model_info(second).training["linear"]["figures"]
    assert figures[0]["metric"] == "LCC"
    assert figures[0]["value"] > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("resample", ["nearest", "bilinear"])
def test_head_learns_from_photos_as_the_model_sees_them_in_use(rated_catalog, resample):
    network = build_aesthetic(input_size=32, backbone_kw={"alpha": 0.25}, weights=None)
    bare = keras.Model(network.inputs, network.outputs)
    parent = wrap_model(bare, task="aesthetic", preprocessing=Preprocessing(32, 32, resample))
    heads = [
        train_aesthetic(rated_catalog, parent=parent, fine_tune_epochs=epochs, **QUICK)
        for epochs in (0, 1)
    ]
    first, again = (history(model).iloc[0] for model in heads)
    learned = rated_catalog[rated_catalog["split"] == "train"]
    predicted = predict_scores(learned, heads[0])["score"]
    rated = 3 + 5 * learned["rating_8"].gt(0)
    readable = predicted.notna().to_numpy()
    off = np.abs(predicted.to_numpy() - rated.to_numpy())[readable]
    assert first["mean_score_error"] == pytest.approx(off.mean(), abs=1e-3)
    # With crops for the epochs that follow, too.
    assert again["mean_score_error"] == pytest.approx(first["mean_score_error"], abs=1e-3)
    # It was fitted to photos and their mirror images: over both its mean is what they are rated.
    both = predict_scores(learned, heads[0], mirror=True)["score"]
    assert both.mean() == pytest.approx(rated[readable].mean(), abs=0.02)


@pytest.mark.slow
def test_tagger_lends_its_backbone_to_an_aesthetic_model(rated_catalog):
    tagger = train_tagger(rated_catalog, effort="quick", **QUICK)
    model = train_aesthetic(rated_catalog, parent=tagger, effort="quick", **QUICK)
    assert model.output_shape == (None, 10)
    np.testing.assert_array_equal(
        model.get_layer("conv_pw_13").kernel.numpy(), tagger.get_layer("conv_pw_13").kernel.numpy()
    )


def test_photos_without_ratings_are_left_out_and_counted(rated_catalog):
    rated = rated_catalog.copy()
    rated.loc[rated.index[:5], [f"rating_{score}" for score in range(1, 11)]] = np.nan
    model = train_aesthetic(rated, weights=None, fine_tune_epochs=0, **QUICK)
    training_record = model_info(model).training
    assert training_record["left_out"] == {"without ratings": 5, "without split": 0}
    used = sum(training_record["photos"].values()) + len(training_record["errors"])
    assert used <= (rated["split"] != "test").sum()


def test_aesthetic_training_without_ratings_is_refused(demo_catalog):
    unrated = demo_catalog.drop(columns=list(RATINGS))
    with pytest.raises(CatalogError, match="rating_1"):
        train_aesthetic(unrated, weights=None, **QUICK)


def test_photos_are_neither_turned_nor_recoloured_for_aesthetics(rated_catalog):
    model = train_aesthetic(rated_catalog, weights=None, fine_tune_epochs=0, **QUICK)
    settings = model_info(model).training["settings"]
    assert settings["augmentation"] == {
        "scale": (0.9, 1.0), "rotation": 0.0, "flip": True, "colour": 0.0,
    }  # fmt: skip


@pytest.mark.slow
def test_fine_tuning_leaves_the_scale_of_scores_as_the_linear_head_has_it(
    rated_catalog, monkeypatch
):
    linear = train_aesthetic(rated_catalog, effort="quick", **QUICK)
    monkeypatch.setattr(fine_tuning, "better", lambda *_: FINE_TUNED)
    tuned = train_aesthetic(rated_catalog, fine_tune_epochs=1, **QUICK)
    assert model_info(tuned).training["kept"] == "fine-tuned"
    *ours, kernel, bias = tuned.get_weights()
    *theirs, expected, offset = linear.get_weights()
    np.testing.assert_array_equal(kernel, expected)
    np.testing.assert_array_equal(bias, offset)
    assert not np.array_equal(ours[0], theirs[0])
    assert all(layer.trainable for layer in tuned.layers)
