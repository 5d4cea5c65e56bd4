"""Look into a model interactively, in JupyterLab: overlays and channel cards behind controls."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd

from hotelviz import feature_vis, plots
from hotelviz.attribution import MEAN_SCORE, METHODS, explain, overlay, read_pixels
from hotelviz.catalog import check_table
from hotelviz.errors import AttributionError
from hotelviz.images import decode_image, encode_jpeg
from hotelviz.models import activations, model_info, spatial_node

if TYPE_CHECKING:
    import keras

#: The longer side of the pictures that are shown, in pixels.
_SHOWN = 448
_PREDICTED = "the prediction"


def explore_predictions(model: keras.Model, photos: pd.DataFrame) -> ipywidgets.Widget:
    """Show a photo with what led to its prediction, behind controls.

    Parameters
    ----------
    model : keras.Model
        A tagger, an aesthetic or a technical model.
    photos : pandas.DataFrame
        With ``image_id`` and ``path``.

    Returns
    -------
    ipywidgets.Widget
        With the controls ``photo``, ``method``, ``target``, ``against`` and ``opacity`` as
        attributes of its ``controls``. The map is computed anew when one of the first four
        changes; opacity only blends it anew.

    Raises
    ------
    AttributionError
        When there is no photo.
    CatalogError
        When a column is missing.
    """
    photos = check_table(photos, needs=["image_id", "path"], where="explore_predictions")
    if photos.empty:
        raise AttributionError(
            "there is no photo to explore; was the split that was asked for empty?"
        )
    info = model_info(model)
    first = [_PREDICTED] if info.task == "tagger" else [MEAN_SCORE, "score>=7"]
    options = {
        "photo": [(name, row) for row, name in enumerate(photos["image_id"])],
        "method": METHODS,
        "target": [*first, *info.classes],
        "against": ["nothing", *info.classes],
    }
    controls = {
        name: ipywidgets.Dropdown(options=values, description=name)
        for name, values in options.items()
    }
    controls["opacity"] = ipywidgets.FloatSlider(0.55, max=1, step=0.05, description="opacity")
    picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"})
    says = ipywidgets.HTML()
    seen: dict[str, Any] = {}

    def look(_: Any = None) -> None:
        path = photos["path"].iloc[controls["photo"].value]
        pixels, rows = read_pixels(model, [path])
        if not rows:
            seen.clear()
            picture.value, says.value = b"", "This photo cannot be read."
            return
        target, against = controls["target"].value, controls["against"].value
        wanted: Any = None if target == _PREDICTED else target
        if target in info.classes and against not in ("nothing", target):
            wanted = (target, against)
        values = explain(model, pixels, wanted, method=controls["method"].value)
        photo = decode_image(path, max_side=_SHOWN, resample="lanczos").pixels
        seen.update(photo=photo, map=values[0])
        says.value = _prediction(info, activations(model)(pixels)[0], bool(values.any()))
        blend()

    def blend(_: Any = None) -> None:
        if seen:
            laid = overlay(seen["photo"], seen["map"], alpha=controls["opacity"].value)
            picture.value = encode_jpeg(np.concatenate([seen["photo"], laid], axis=1))

    for name, control in controls.items():
        control.observe(blend if name == "opacity" else look, names="value")
    look()
    return _box(controls, picture, says)


def _prediction(info: Any, outputs: np.ndarray, speaks: bool) -> str:
    """Write what the model says of a photo, as HTML; classes come from data."""
    if info.task == "tagger":
        best = np.argsort(-outputs)[:3]
        text = ", ".join(f"{info.classes[number]} {outputs[number]:.2f}" for number in best)
    else:
        text = f"mean score {outputs @ np.arange(1, len(outputs) + 1):.3f}"
    more = "" if speaks else "; nothing in the photo speaks for the target"
    return html.escape(f"The model says: {text}{more}".replace("_", " "))


def explore_channels(
    model: keras.Model,
    photos: pd.DataFrame,
    *,
    layer: str = "conv_pw_7",
    size: int = 128,
    steps: int = 64,
    cache: str | os.PathLike[str] | None = None,
) -> ipywidgets.Widget:
    """Show the card of a channel, behind controls.

    Parameters
    ----------
    model : keras.Model
        Any flat model.
    photos : pandas.DataFrame
        With ``image_id`` and ``path``: those that are searched for what excites the channel most.
    layer : str, default "conv_pw_7"
        Shown first.
    size, steps, cache
        As in `hotelviz.feature_vis.visualize_channels`; with `cache` a channel is drawn once.

    Returns
    -------
    ipywidgets.Widget
        With the controls ``layer`` and ``channel`` as attributes of its ``controls``. A card is
        made when *show* is pressed.

    Raises
    ------
    ModelError
        When the model has no such layer.
    """
    photos = check_table(photos, needs=["image_id", "path"], where="explore_channels")
    spatial_node(model, layer)
    names = feature_vis.convolutions(model)
    controls = {
        "layer": ipywidgets.Dropdown(
            options=names if layer in names else [layer, *names], value=layer, description="layer"
        ),
        "channel": ipywidgets.BoundedIntText(0, min=0, max=0, description="channel"),
        "show": ipywidgets.Button(description="show"),
    }
    card = ipywidgets.Image(format="png")

    def bound(_: Any = None) -> None:
        chosen = feature_vis.channel_node(model, controls["layer"].value)
        controls["channel"].max = int(chosen.output.shape[-1]) - 1

    def show(_: Any = None) -> None:
        name, channel = controls["layer"].value, controls["channel"].value
        picture = feature_vis.visualize_channels(
            model, name, [channel], size=size, steps=steps, cache=cache
        )
        found = feature_vis.top_photos(model, photos, name, channel)
        drawn = plots.channel_card(
            [picture[0]],
            [feature_vis.patch_pixels(found.head(9))],
            activations=[found["activation"].to_list()],
            names=["this model"],
            title=f"{name}, channel {channel}",
        )
        card.value = plots.figure_png(drawn.figure_)

    controls["layer"].observe(bound, names="value")
    controls["show"].on_click(show)
    bound()
    return _box(controls, card)


def _box(controls: dict[str, Any], picture: Any, *above: Any) -> ipywidgets.Widget:
    box = ipywidgets.VBox([*controls.values(), *above, picture])
    box.controls, box.picture = controls, picture
    return box
