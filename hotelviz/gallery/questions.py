"""What can be asked of a prediction: the explorer's controls, and what they come to for a photo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd

from hotelviz.attribution import MEAN_SCORE, METHODS, target_name
from hotelviz.catalog import rating_summary
from hotelviz.models import ModelInfo, gap_node, model_info
from hotelviz.schema import RATINGS

if TYPE_CHECKING:
    import keras

PREDICTED, TRUE, NOTHING = "the prediction", "the true label", "nothing"
#: Names that the search suggests, at most.
_SUGGESTED = 1000
#: Methods -> why their maps are the same where they are.
_ALIKE = {
    frozenset({"cam", "gradcam"}): "the head is one dense layer on the means of the channels, so "
    "that the gradient by a channel, which Grad-CAM takes, is the weight that CAM takes",
}


def truths(photos: pd.DataFrame, info: ModelInfo) -> pd.Series:
    """Return what is true of each photo, as text: its label or its rating; empty if unknown."""
    if info.task == "tagger":
        known = photos["label"] if "label" in photos else pd.Series(pd.NA, photos.index)
        return known.astype("str").where(known.notna(), "")
    if set(RATINGS) <= set(photos):
        return rating_summary(photos)["text"]
    return pd.Series("", photos.index)


def prediction_controls(model: keras.Model, photos: pd.DataFrame) -> dict[str, Any]:
    """Return the controls by name; each is labelled, and is used by mouse or keys."""
    info = model_info(model)
    tags = info.task == "tagger"
    labels = sorted(set(truths(photos, info)) - {""}) if tags else []
    named = [PREDICTED, TRUE][: 1 + bool(labels)] if tags else []
    options = {
        "method": METHODS if gap_node(model) else METHODS[1:],
        "target": [*(named or [MEAN_SCORE, "score>=7"]), *info.classes],
        "against": [NOTHING, *named, *info.classes],
    }
    controls: dict[str, Any] = {
        "search": ipywidgets.Combobox(
            options=[*labels, *photos["image_id"].head(_SUGGESTED)],
            placeholder="a part of a name or a label",
            continuous_update=False,
            description="search",
        ),
        "only_wrong": ipywidgets.Checkbox(
            description="only wrong predictions", disabled=not labels
        ),
    }
    for name in ("previous", "next"):
        controls[name] = ipywidgets.Button(description=name)
    for name, values in options.items():
        controls[name] = ipywidgets.Dropdown(options=values, description=name)
    controls["opacity"] = ipywidgets.FloatSlider(0.55, max=1, step=0.05, description="opacity")
    return controls


def ask(
    controls: Mapping[str, Any], info: ModelInfo, predicted: str | None, truth: str
) -> tuple[str | tuple[str, str], str]:
    """Return the target that the controls ask for, and what has to be said of it.

    Parameters
    ----------
    controls : mapping
        Of `prediction_controls`.
    info : ModelInfo
        Of the model.
    predicted : str, optional
        The class that is predicted; None for models of scores.
    truth : str
        The photo's label; empty if unknown.

    Returns
    -------
    target : str or tuple of str
        As `hotelviz.attribution.explain` takes it.
    note : str
        Empty, or why the target is another one.
    """
    named = {PREDICTED: predicted, TRUE: truth}
    target, against = (
        named.get(controls[name].value, controls[name].value) for name in ("target", "against")
    )
    if predicted is not None and target not in info.classes:
        unknown = f"its label, {truth}, is not one of the model's classes" if truth else (
            "its label is not known"
        )  # fmt: skip
        return predicted, f"The map is of the prediction: {unknown}."
    if against == NOTHING:
        return target, ""
    if target not in info.classes:
        name = target_name(target)
        return target, f"Against takes a single score as its target: the map is of {name}."
    if against == target:
        return target, f"Against is {target_name(target)} too: there is nothing to compare."
    if against not in info.classes:
        return target, "Against is left out: the photo's label is none that the model knows."
    return (target, against), ""


def why_alike(maps: Mapping[tuple[Any, str], np.ndarray], target: Any, method: str) -> str:
    """Return which methods gave the same map of a photo and target, and why; empty if none did."""
    shown = maps[target, method]
    same = [
        other
        for (asked, other), one in maps.items()
        if asked == target
        and other != method
        and shown.any()
        and np.allclose(one, shown, atol=0.01)
    ]
    if not same:
        return ""
    reasons = [_ALIKE[pair] for other in same if (pair := frozenset({method, other})) in _ALIKE]
    why = reasons[0] if reasons else "on this photo they weight the same cells alike"
    return f"{method} gives the same map as {' and '.join(same)}: {why}."
