"""The controls of the explorer, without a browser."""

from __future__ import annotations

import base64
import html
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz.errors import ModelError
from hotelviz.gallery.explorer import explore_channels, explore_predictions
from hotelviz.inference import predict_tags
from hotelviz.models import build_aesthetic, build_tagger

CLASSES = ["Bathroom", "Bedroom", "Pool"]


def shown(widget) -> np.ndarray:
    data = re.search(r"base64,([^\"]*)", widget.picture.value)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def told(widget) -> list[str]:
    return html.unescape(widget.said.value).split("<br>")


@pytest.fixture(scope="module")
def tagger():
    return build_tagger(CLASSES, input_size=64, weights=None, backbone_kw={"alpha": 0.25})


@pytest.fixture
def photos(demo_catalog, tagger) -> pd.DataFrame:
    """Six photos, of which the second and the fifth are predicted wrongly."""
    photos = demo_catalog.head(6)[["image_id", "path"]]
    predicted = predict_tags(photos, tagger, progress=False)["predicted"]
    other = predicted.map({"Bathroom": "Bedroom", "Bedroom": "Pool", "Pool": "Bathroom"})
    return photos.assign(label=predicted.where(~photos.index.isin(photos.index[[1, 4]]), other))


@pytest.mark.slow
def test_overlay_follows_the_controls(tagger, photos):
    widget = explore_predictions(tagger, photos)
    first = shown(widget)
    widget.controls["next"].click()
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
    assert "speaks for Pool rather than Bathroom." in told(widget)[2]
    assert f'alt="{photos["image_id"].iloc[1]}, and beside it' in widget.picture.value


@pytest.mark.slow
def test_photos_are_walked_through_searched_for_and_only_the_wrong_ones_shown(tagger, photos):
    widget = explore_predictions(tagger, photos)
    names, controls = photos["image_id"].tolist(), widget.controls
    assert told(widget)[0] == f"1 of 6: {names[0]}"
    assert told(widget)[1].endswith(f"true label {photos['label'].iloc[0]}: right")
    controls["previous"].click()
    assert told(widget)[0] == f"6 of 6: {names[5]}"
    controls["only_wrong"].value = True
    assert told(widget)[0] == f"1 of 2: {names[1]}"
    assert told(widget)[1].endswith(f"true label {photos['label'].iloc[1]}: wrong")
    controls["next"].click()
    assert told(widget)[0] == f"2 of 2: {names[4]}"
    controls["only_wrong"].value = False
    assert told(widget)[0] == f"5 of 6: {names[4]}"
    controls["search"].value = f" {names[2].upper()} "
    assert told(widget)[0] == f"1 of 1: {names[2]}"
    controls["search"].value = "no such photo"
    assert (told(widget), widget.picture.value) == (["No photo is like that."], "")
    controls["search"].value = photos["label"].iloc[0].lower()
    same = (photos["label"] == photos["label"].iloc[0]).sum()
    assert f" of {same}: " in told(widget)[0]


def test_it_is_said_while_something_is_computed(tagger, photos):
    widget, said = explore_predictions(tagger, photos), []
    widget.busy.observe(lambda change: said.append(re.sub("<[^>]*>", "", change["new"])), "value")
    widget.controls["only_wrong"].value = True
    assert said == ["predicting 6 photos …", "", "computing the map …", ""]


def test_against_works_with_the_prediction_and_the_true_label(tagger, photos):
    widget = explore_predictions(tagger, photos.iloc[[1, 0]])
    label = photos["label"].iloc[1]
    plain = shown(widget)
    widget.controls["against"].value = "the true label"
    assert f"rather than {label}." in told(widget)[2]
    assert np.abs(shown(widget) - plain).mean() > 0.5
    widget.controls["target"].value = "the true label"
    assert "Against is " in told(widget)[3]
    widget.controls["against"].value = "the prediction"
    assert f"speaks for {label} rather than " in told(widget)[2]
    widget.controls["next"].click()  # It is right: both are the same class.
    assert "there is nothing to compare" in told(widget)[3]


@pytest.mark.slow
def test_methods_that_give_the_same_map_say_why(tagger, photos):
    widget = explore_predictions(tagger, photos)
    assert "same map" not in widget.said.value
    widget.controls["method"].value = "gradcam"
    assert "gradcam gives the same map as cam: the head is one dense layer" in told(widget)[-1]
    widget.controls["method"].value = "saliency"
    assert "same map" not in widget.said.value
    widget.controls["next"].click()
    widget.controls["method"].value = "gradcam"
    assert "same map" not in widget.said.value


def test_every_control_has_a_label_and_data_stays_text(tagger, photos):
    widget = explore_predictions(tagger, photos.assign(image_id=list("<&\"'ab"), label=None))
    assert all(control.description for control in widget.controls.values())
    assert widget.controls["only_wrong"].disabled
    assert "1 of 6: &lt;<br>" in widget.said.value
    assert 'alt="&lt;, and' in widget.picture.value
    assert told(widget)[1].endswith("its true label is not known")


def test_photo_that_cannot_be_read_is_said(tagger, photos):
    photos = photos.head(2).assign(path=["lost.jpg", photos["path"].iloc[1]])
    widget = explore_predictions(tagger, photos)
    assert told(widget) == ["This photo cannot be read: lost.jpg: missing"]
    widget.controls["opacity"].value = 0.1
    assert widget.picture.value == ""
    widget.controls["next"].click()
    assert shown(widget).std() > 0


@pytest.mark.slow
def test_aesthetic_models_offer_their_scores(demo_catalog, few_layers):
    model = build_aesthetic(input_size=64, weights=None, backbone_kw={"alpha": 0.25})
    widget = explore_predictions(model, demo_catalog.head(1))
    assert widget.controls["target"].options[:2] == ("mean_score", "score>=7")
    assert re.fullmatch(r"The model says: mean score \d\.\d{3}; rated \(.*\)", told(widget)[1])
    widget.controls["against"].value = "3"
    assert "the map is of mean score" in told(widget)[3]
    widget.controls["target"].value = "8"
    assert "speaks for 8 rather than 3" in told(widget)[2]


def test_no_photos_is_refused(tagger, demo_catalog):
    with pytest.raises(ValueError, match="no photo to explore"):
        explore_predictions(tagger, demo_catalog.head(0))


@pytest.mark.slow
def test_channel_card_is_made_on_demand_and_kept(tagger, demo_catalog, tmp_path):
    widget = explore_channels(
        tagger, demo_catalog.head(6), layer="conv_pw_2", size=48, steps=2, cache=tmp_path
    )
    assert widget.picture.value == ""
    assert widget.controls["channel"].max == 31
    widget.controls["channel"].value = 3
    widget.controls["show"].click()
    assert shown(widget).std() > 10
    assert 'alt="channel card of conv_pw_2, channel 3"' in widget.picture.value
    assert [file.name for file in tmp_path.rglob("*.png")] == ["conv_pw_2-3-48px-2-0.png"]
    widget.controls["layer"].value = "conv_pw_1"
    assert widget.controls["channel"].max == 15


def test_unknown_layer_is_refused(tagger, demo_catalog):
    with pytest.raises(ModelError, match="did you mean 'conv_pw_2'"):
        explore_channels(tagger, demo_catalog, layer="conv_pv_2")
