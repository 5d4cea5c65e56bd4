"""How much each step does: photos that are decoded, and photos that a network predicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hotelviz.pipeline.facts import Facts
from hotelviz.training.settings import AESTHETIC, TAGGER, chosen_settings

#: Backward passes cost twice a forward one.
_LEARNED = 3.0
#: Features of the photos that are trained on or judge, and of those photos in a mirror.
_FEATURES = 1.5
#: Shares of the photos that are trained on, and that are tested on.
_TRAIN, _TEST = 0.65, 0.25
#: Passes that the checks of one photo by one method take: curves, and other weights.
_CHECK = 70
#: Methods of maps, where all are asked for.
_METHODS, _CHECKED = 7, 5


class Work(NamedTuple):
    """What a step does.

    Attributes
    ----------
    notebook : bool
        Whether a kernel starts.
    decoded : float
        Photos that are decoded.
    predicted : float
        Photos that a MobileNet of full width at 224 pixels would predict in the same time.
    """

    notebook: bool
    decoded: float
    predicted: float


def work_of(step: str, facts: Facts, values: Mapping[str, Any], network: Mapping[str, Any]) -> Work:
    """Return about how much a step does.

    Parameters
    ----------
    step : str
        Its name.
    facts : Facts
        What the catalogue has.
    values : mapping
        The parameters of the step.
    network : mapping
        ``input_size`` and ``backbone_kw`` of the networks, where they are not those of a MobileNet
        of full width.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"],
    ...                       "hotel_id": ["h", "h"], "label": ["Pool", "Pool"]})
    >>> work_of("tagger_report", Facts.of(table), {}, {"input_size": 112})
    Work(notebook=True, decoded=1.0, predicted=0.125)
    """
    count = _COUNTS.get(step.removesuffix("_1").removesuffix("_2"))
    if count is None:
        photos = facts.photos if step == "scores" else 0
        return Work(False, photos, 2 * photos * _size(network))
    if "effort" in values:
        values = _with_effort(step, values)
    decoded, predicted = count(facts, values)
    # A training says itself how large its network is, unless it starts from another.
    own = "backbone" in values and not values.get("parent")
    return Work(True, decoded, predicted * _size(values if own else network))


def _size(network: Mapping[str, Any]) -> float:
    """Return what a pass costs, as a share of one of full width at 224 pixels."""
    # A narrow network has far fewer products, but not so much less to move about.
    width: float = (network.get("backbone_kw") or {}).get("alpha", 1.0)
    return float((network.get("input_size", 224) / 224) ** 2 * width**0.5)


def _with_effort(step: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a training with those that its effort decides."""
    defaults = TAGGER if step.startswith("tagger") else AESTHETIC
    fields = [field.name for field in dataclasses.fields(defaults)]
    given = dataclasses.replace(
        defaults, **{name: values[name] for name in fields if name in values}
    )
    chosen = chosen_settings(given, {}, parent=bool(values.get("parent")))
    return {**values, "fine_tune_epochs": chosen.fine_tune_epochs, "input_size": chosen.input_size}


def _training(photos: int, values: Mapping[str, Any]) -> tuple[float, float]:
    scratch = values.get("weights") == "none" and not values.get("parent")
    epochs = values["fine_tune_epochs"] * (_LEARNED * _TRAIN + 0.1) + (0 if scratch else _FEATURES)
    return 0.75 * photos, photos * epochs


def _explanation(facts: Facts, values: Mapping[str, Any]) -> tuple[float, float]:
    shown = values["n_confusions"] * values["max_photos"]
    methods = len(values["methods"]) or _METHODS
    checked = values["n_checked"] * (len(values["checked_methods"]) or _CHECKED)
    tested = _TEST * facts.labelled
    return tested + shown, tested + shown * methods * 10 + checked * _CHECK


def _filters(facts: Facts, values: Mapping[str, Any]) -> tuple[float, float]:
    looked = min(facts.photos, values["n_searched"]) + values["n_photos"]
    pictures = len(values["layers"]) * values["n_channels"] * 2 + 2 * (len(values["outputs"]) or 2)
    drawn = pictures * values["steps"] * _LEARNED * (values["size"] / 224) ** 2
    return 3 * looked, 4 * looked + drawn


#: Report -> the photos that it decodes, and those that it predicts.
_COUNTS: dict[str, Callable[[Facts, Mapping[str, Any]], tuple[float, float]]] = {
    "cleaning_audit": lambda facts, _: (2 * facts.photos, facts.photos),
    "tagger_training": lambda facts, values: _training(facts.labelled, values),
    "tagger_report": lambda facts, _: (2 * _TEST * facts.labelled, _TEST * facts.labelled),
    "explain_tagger": _explanation,
    "cleaning_effect": lambda facts, _: (facts.photos, facts.labelled),
    "aesthetic_training": lambda facts, values: _training(facts.rated, values),
    "aesthetic_report": lambda facts, values: (
        2 * _TEST * facts.rated, len(values["models"]) * _TEST * facts.rated
    ),
    "compare_filters": _filters,
    "score_distribution": lambda _, values: (3 * values["n_photos"], 0),
    "hotel_ranking": lambda _, values: (2 * values["n_hotels"] * values["max_photos"], 0),
}  # fmt: skip
