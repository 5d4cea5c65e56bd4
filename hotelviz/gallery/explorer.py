"""Look into a model interactively, in JupyterLab: overlays and channel cards behind controls."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz import feature_vis, plots
from hotelviz.attribution import MEAN_SCORE, METHODS, explain, overlay, read_pixels
from hotelviz.catalog import check_table
from hotelviz.errors import AttributionError
from hotelviz.images import decode_image, encode_jpeg

if TYPE_CHECKING:
    import ipywidgets
    import keras

__all__ = ["explore_channels", "explore_predictions"]

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
    import ipywidgets

    from hotelviz.models import activations, model_info

    photos = check_table(photos, needs=["image_id", "path"], where="explore_predictions")
    if photos.empty:
        raise AttributionError(
            "there is no photo to explore; was the split that was asked for empty?"
        )
    info = model_info(model)
    targets = [_PREDICTED, *info.classes]
    if info.task != "tagger":
        targets = [MEAN_SCORE, "score>=7", *info.classes]
    controls = {
        "photo": ipywidgets.Dropdown(
            options=list(zip(photos["image_id"], range(len(photos)), strict=True)),
            description="photo",
        ),
        "method": ipywidgets.Dropdown(options=METHODS, description="method"),
        "target": ipywidgets.Dropdown(options=targets, description="target"),
        "against": ipywidgets.Dropdown(options=["nothing", *info.classes], description="against"),
        "opacity": ipywidgets.FloatSlider(0.55, min=0, max=1, step=0.05, description="opacity"),
    }
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
        if target not in info.classes:
            wanted: Any = None if target == _PREDICTED else target
        else:
            wanted = target if against in ("nothing", target) else (target, against)
        values = explain(model, pixels, wanted, method=controls["method"].value)
        photo = decode_image(path, max_side=_SHOWN, resample="lanczos").pixels
        seen.update(photo=photo, map=values[0])
        says.value = _prediction(info, activations(model)(pixels)[0], bool(values.any()))
        blend()

    def blend(_: Any = None) -> None:
        if seen:
            laid = overlay(seen["photo"], seen["map"], alpha=controls["opacity"].value)
            side = np.concatenate([seen["photo"], laid], axis=1)
            picture.value = encode_jpeg(side)

    for name, control in controls.items():
        control.observe(blend if name == "opacity" else look, names="value")
    look()
    box = ipywidgets.VBox([*controls.values(), says, picture])
    box.controls = controls
    box.picture = picture
    return box


def _prediction(info: Any, outputs: np.ndarray, speaks: bool) -> str:
    """Write what the model says of a photo, as HTML; classes come from data."""
    import html

    if info.task == "tagger":
        best = np.argsort(-outputs)[:3]
        text = ", ".join(f"{info.classes[number]} {outputs[number]:.2f}" for number in best)
    else:
        mean = float(outputs @ np.arange(1, len(outputs) + 1))
        text = f"mean score {mean:.3f}"
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
    import ipywidgets

    from hotelviz.models import spatial_node

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
        figure = plots.channel_card(
            [picture[0]],
            [feature_vis.patch_pixels(found.head(9))],
            activations=[found["activation"].to_list()],
            names=["this model"],
            title=f"{name}, channel {channel}",
        ).figure_
        card.value = plots.figure_png(figure)

    controls["layer"].observe(bound, names="value")
    controls["show"].on_click(show)
    bound()
    box = ipywidgets.VBox([*controls.values(), card])
    box.controls = controls
    box.picture = card
    return box
