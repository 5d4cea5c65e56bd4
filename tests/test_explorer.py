"""The controls of the explorer, without a browser."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hotelviz.errors import ModelError
from hotelviz.gallery.explorer import explore_channels, explore_predictions
from hotelviz.models import build_aesthetic, build_tagger


def shown(widget) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(widget.picture.value)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def tagger():
    return build_tagger(
        ["Bathroom", "Bedroom", "Pool"], input_size=64, weights=None, backbone_kw={"alpha": 0.25}
    )


def test_overlay_follows_the_controls(tagger, demo_catalog):
    widget = explore_predictions(tagger, demo_catalog.head(4))
    first = shown(widget)
    assert "The model says: " in widget.children[-2].value
    widget.controls["photo"].value = 2
    second = shown(widget)
    assert np.abs(second - first).mean() > 5
    widget.controls["opacity"].value = 0.0
    third = shown(widget)
    half = third.shape[1] // 2
    assert np.abs(third[:, :half] - second[:, :half]).mean() < 1
    grey = third[:, half + 8 :]
    assert np.abs(grey.max(axis=-1) - grey.min(axis=-1)).mean() < 4
    widget.controls["method"].value = "saliency"
    widget.controls["target"].value = "Pool"
    widget.controls["against"].value = "Bathroom"
    widget.controls["opacity"].value = 0.9
    assert np.abs(shown(widget)[:, half:] - third[:, half:]).mean() > 5


def test_photo_that_cannot_be_read_is_said(tagger, demo_catalog):
    photos = demo_catalog.head(2).assign(path=["lost.jpg", demo_catalog["path"].iloc[1]])
    widget = explore_predictions(tagger, photos)
    assert "cannot be read" in widget.children[-2].value
    widget.controls["photo"].value = 1
    assert shown(widget).std() > 0


def test_aesthetic_models_offer_their_scores(demo_catalog):
    model = build_aesthetic(input_size=64, weights=None, backbone_kw={"alpha": 0.25})
    widget = explore_predictions(model, demo_catalog.head(1))
    assert widget.controls["target"].options[:2] == ("mean_score", "score>=7")
    assert "mean score " in widget.children[-2].value


def test_no_photos_is_refused(tagger, demo_catalog):
    with pytest.raises(ValueError, match="no photo to explore"):
        explore_predictions(tagger, demo_catalog.head(0))


def test_channel_card_is_made_on_demand_and_kept(tagger, demo_catalog, tmp_path):
    widget = explore_channels(
        tagger, demo_catalog.head(6), layer="conv_pw_2", size=48, steps=2, cache=tmp_path
    )
    assert widget.picture.value == b""
    assert widget.controls["channel"].max == 31
    widget.controls["channel"].value = 3
    widget.controls["show"].click()
    assert shown(widget).std() > 10
    assert [file.name for file in tmp_path.rglob("*.png")] == ["conv_pw_2-3-48px-2-0.png"]
    widget.controls["layer"].value = "conv_pw_1"
    assert widget.controls["channel"].max == 15


def test_unknown_layer_is_refused(tagger, demo_catalog):
    with pytest.raises(ModelError, match="did you mean 'conv_pw_2'"):
        explore_channels(tagger, demo_catalog, layer="conv_pv_2")
