"""Look into a model interactively, in JupyterLab: overlays and channel cards behind controls."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd

from hotelviz import feature_vis, plots
from hotelviz.attribution import explain, overlay, read_pixels, target_name
from hotelviz.catalog import check_table
from hotelviz.errors import AttributionError, HotelvizError
from hotelviz.gallery.payload import words
from hotelviz.gallery.questions import ask, prediction_controls, truths, why_alike
from hotelviz.images import decode_image, encode_jpeg
from hotelviz.inference import predict_tags
from hotelviz.models import activations, model_info, spatial_node

if TYPE_CHECKING:
    import keras

#: The longer side of the pictures that are shown, in pixels.
_SHOWN = 448
#: *Only wrong* predicts so many photos at most.
_MOST_PREDICTED = 2000


class Explorer(ipywidgets.VBox):  # type: ignore[misc]
    """Controls above a picture, with a sign that is there while something is computed.

    Attributes
    ----------
    controls : dict
        Name -> control.
    said, picture, busy : ipywidgets.HTML
        What is said of the picture, the picture, and what is being done.
    """

    def __init__(self, controls: dict[str, Any], *lines: list[str]) -> None:
        self.controls = controls
        self.said, self.picture, self.busy = (ipywidgets.HTML() for _ in range(3))
        # What is below it stays in its place.
        self.busy.layout.min_height = "32px"
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        rows = [ipywidgets.Box([controls[name] for name in line], layout=wrap) for line in lines]
        super().__init__([*rows, self.busy, self.said, self.picture])

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Say what is being done as long as it takes, and then what went wrong, if anything."""
        self.busy.value = f'<span role="status">{html.escape(what)} …</span>'
        try:
            yield
        except HotelvizError as error:
            self.picture.value, self.said.value = "", html.escape(str(error))
        finally:
            self.busy.value = '<span role="status"></span>'

    def draw(self, data: bytes, kind: str, alt: str) -> None:
        """Show a picture."""
        source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        self.picture.value = (
            f'<img src="{source}" alt="{html.escape(alt)}" style="max-width: 100%">'
        )


class PredictionExplorer(Explorer):
    """A photo with what led to its prediction; made by `explore_predictions`."""

    def __init__(self, model: keras.Model, photos: pd.DataFrame) -> None:
        self._model, self._photos, self._info = model, photos, model_info(model)
        self._truths = truths(photos, self._info)
        self._rows, self._place = list(range(len(photos))), 0
        self._wrong: pd.Series | None = None
        self._row = -1  # the photo that was read: its pixels, outputs, picture and maps
        self._pixels = self._outputs = self._shown = np.empty(0)
        self._maps: dict[tuple[Any, str], np.ndarray] = {}
        self._map: np.ndarray | None = None
        controls = prediction_controls(model, photos)
        choosing, asking = ["search", "only_wrong"], ["method", "target", "against"]
        super().__init__(controls, choosing, ["previous", "next"], [*asking, "opacity"])
        for name in choosing:
            controls[name].observe(self._choose, names="value")
        for name, by in (("previous", -1), ("next", 1)):
            controls[name].on_click(lambda _, by=by: self._step(by))
        for name in asking:
            controls[name].observe(self._look, names="value")
        controls["opacity"].observe(self._blend, names="value")
        self._look()

    def _choose(self, _: Any) -> None:
        """Keep the photos that are searched for; the one that is shown stays, if it is one."""
        text = self.controls["search"].value.strip().lower()
        names = self._photos["image_id"].str.lower()
        wanted = names == text
        if not wanted.any():
            found = (
                names + "\n" + self._truths.map(lambda truth: f"{truth}\n{words(truth)}".lower())
            )
            wanted = found.str.contains(text, regex=False)
        if self.controls["only_wrong"].value:
            if self._wrong is None:
                self._find_wrong()
            if self._wrong is None:
                return
            wanted &= self._wrong
        self._rows = np.flatnonzero(wanted).tolist()
        self._place = self._rows.index(self._row) if self._row in self._rows else 0
        self._look()

    def _find_wrong(self) -> None:
        first = self._photos.head(_MOST_PREDICTED)
        with self.working(f"predicting {len(first):,} photos"):
            predicted = predict_tags(first, self._model, progress=False)["predicted"]
            wrong = predicted.notna() & (self._truths != "") & (predicted != self._truths)
            self._wrong = wrong.reindex(self._photos.index, fill_value=False)

    def _step(self, by: int) -> None:
        if self._rows:
            self._place = (self._place + by) % len(self._rows)
            self._look()

    def _look(self, _: Any = None) -> None:
        """Show the photo that was chosen, with its map."""
        self._map = None
        if not self._rows:
            self.picture.value, self.said.value = "", "No photo is like that."
            return
        with self.working("computing the map"):
            row = self._rows[self._place]
            self._read(row)
            predicted = None
            if self._info.task == "tagger":
                predicted = self._info.classes[int(self._outputs.argmax())]
            target, note = ask(self.controls, self._info, predicted, self._truths[row])
            method = self.controls["method"].value
            if (target, method) not in self._maps:
                self._maps[target, method] = explain(
                    self._model, self._pixels, target, method=method
                )[0]
            self._map = self._maps[target, method]
            told = [
                f"{self._place + 1:,} of {len(self._rows):,}: {self._photos['image_id'][row]}",
                self._prediction(predicted, self._truths[row]),
                f"The map shows what speaks for {target_name(target)}."
                if self._map.any()
                else f"Nothing in the photo speaks for {target_name(target)}.",
                note,
                why_alike(self._maps, target, method),
            ]
            self.said.value = "<br>".join(html.escape(line) for line in told if line)
            self._blend()

    def _read(self, row: int) -> None:
        if row == self._row:
            return
        self._row = -1
        path = self._photos["path"][row]
        try:
            self._shown = decode_image(path, max_side=_SHOWN, resample="lanczos").pixels
        except HotelvizError as error:
            raise AttributionError(f"This photo cannot be read: {error}") from error
        self._pixels = read_pixels(self._model, [path])[0]
        self._outputs = activations(self._model)(self._pixels)[0]
        self._row, self._maps = row, {}

    def _prediction(self, predicted: str | None, truth: str) -> str:
        """Write what the model says of the photo, and what is true."""
        if predicted is None:
            score = self._outputs @ np.arange(1, len(self._outputs) + 1)
            return f"The model says: mean score {score:.3f}" + (f"; rated {truth}" if truth else "")
        best = np.argsort(-self._outputs)[:3]
        says = ", ".join(f"{words(self._info.classes[n])} {self._outputs[n]:.2f}" for n in best)
        if not truth:
            return f"The model says: {says}; its true label is not known"
        verdict = "right" if truth == predicted else "wrong"
        return f"The model says: {says}; true label {words(truth)}: {verdict}"

    def _blend(self, _: Any = None) -> None:
        if self._map is not None:
            laid = overlay(self._shown, self._map, alpha=self.controls["opacity"].value)
            name = self._photos["image_id"][self._row]
            self.draw(
                encode_jpeg(np.concatenate([self._shown, laid], axis=1)), "jpeg",
                f"{name}, and beside it with its map by {self.controls['method'].value}",
            )  # fmt: skip


def explore_predictions(model: keras.Model, photos: pd.DataFrame) -> PredictionExplorer:
    """Show photos with what led to their predictions, behind controls.

    Parameters
    ----------
    model : keras.Model
        A tagger, an aesthetic or a technical model.
    photos : pandas.DataFrame
        With ``image_id`` and ``path``, and ``label`` or ratings where they are known.

    Returns
    -------
    PredictionExplorer
        Its ``controls`` are ``search`` (a part of a name or of a label), ``only_wrong`` (for a
        tagger, where labels are known), ``previous``, ``next``, ``method``, ``target``,
        ``against`` and ``opacity``. Maps are computed anew when what is asked changes; opacity only
        blends them anew.

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
    return PredictionExplorer(model, photos.reset_index(drop=True))


def explore_channels(
    model: keras.Model,
    photos: pd.DataFrame,
    *,
    layer: str = "conv_pw_7",
    size: int = 128,
    steps: int = 64,
    cache: str | os.PathLike[str] | None = None,
) -> Explorer:
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
    Explorer
        Its ``controls`` are ``layer``, ``channel`` and ``show``. A card is made when *show* is
        pressed.

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
    explorer = Explorer(controls, list(controls))

    def bound(_: Any = None) -> None:
        chosen = feature_vis.channel_node(model, controls["layer"].value)
        controls["channel"].max = int(chosen.output.shape[-1]) - 1

    def show(_: Any = None) -> None:
        name, channel = controls["layer"].value, controls["channel"].value
        title = f"{name}, channel {channel}"
        with explorer.working(f"drawing {title}"):
            picture = feature_vis.visualize_channels(
                model, name, [channel], size=size, steps=steps, cache=cache
            )
            found = feature_vis.top_photos(model, photos, name, channel)
            drawn = plots.channel_card(
                [picture[0]],
                [feature_vis.patch_pixels(found.head(9))],
                activations=[found["activation"].to_list()],
                names=["this model"],
                title=title,
            )
            explorer.draw(plots.figure_png(drawn.figure_), "png", f"channel card of {title}")

    controls["layer"].observe(bound, names="value")
    controls["show"].on_click(show)
    bound()
    return explorer
