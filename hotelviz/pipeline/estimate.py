"""About how long each step takes: how much it does, and how fast this machine is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import median
from typing import Any, NamedTuple

from hotelviz.pipeline.facts import Facts
from hotelviz.training.settings import AESTHETIC, EFFORTS, TAGGER, chosen_settings

#: Photos in a batch of a network, and how often each rate is measured.
_BATCH, _TIMES = 32, 3
#: A report that has a network, and one that has none, begin and end in so many times as long as it
#: takes to build and trace a network: to load TensorFlow, to draw figures, to write the page.
_KERNEL, _NO_NETWORK = 6.5, 3.0
#: Passes that a step costs: of a picture a backward pass, twice a forward one; of a training the
#: gradients of all weights as well.
_DRAWN, _LEARNED = 3.0, 4.0
#: Features of the photos that are trained on or judge, and of those photos in a mirror.
_FEATURES = 1.5
#: Fitting last layers to features costs as much as predicting so many photos, for each photo: in a
#: training, whose penalty is chosen by folds; in a learning curve of labels, and in one of ratings.
_FITTED, _CURVE, _RATINGS_CURVE = 0.3, 0.75, 3.0
#: Shares of the photos that are trained on, that choose, and that are tested on.
_TRAIN, _VAL, _TEST = 0.65, 0.1, 0.25
#: Photos of a report whose evidence is drawn, and what a map costs.
_SHOWN, _MAP = 100, 2
#: Passes that the checks of one photo by one method take: curves, and other weights.
_CHECK = 70
#: Photos that the concepts of a page are found in at most, and the passes that these take.
_PAGE_PHOTOS, _CONCEPTS = 600, 2
#: Methods of maps, where all are asked for.
_METHODS, _CHECKED = 7, 5


class Rates(NamedTuple):
    """How fast a machine is, once it is under way.

    Attributes
    ----------
    start : float
        Seconds that a report with a network takes besides its photos.
    decoded : float
        Photos decoded per second, by all cores.
    predicted : float
        Photos predicted per second by a MobileNet of full width at 224 pixels.
    """

    start: float
    decoded: float
    predicted: float


def measure_rates(paths: Sequence[str]) -> Rates | None:
    """Measure this machine for a few seconds, on a few photos and an untrained network.

    What a first photo and a first batch cost more than others is not counted. A start counts by the
    time of the processor: that others are at work now says little of when a step begins. It is told
    by what is done here in any case, whether TensorFlow was loaded before or not.

    Parameters
    ----------
    paths : sequence of str
        Photos; those that cannot be read are passed over.

    Returns
    -------
    Rates or None
        None where no photo can be read.
    """
    from hotelviz.images import iterate_images

    def decode() -> int:
        return sum(len(batch.rows) for batch in iterate_images(paths, size=(224, 224)))

    read = decode()
    if not read:
        return None
    start, batch = _network_seconds()
    return Rates(_KERNEL * start, read / _seconds(decode), _BATCH / batch)


@cache
def _network_seconds() -> tuple[float, float]:
    """Return how long a network takes to build, and to predict a batch once it is under way."""
    import numpy as np
    import tensorflow as tf

    from hotelviz.models import build_tagger

    begun = time.process_time()
    predict, photos = tf.function(build_tagger(weights=None)), np.zeros((_BATCH, 224, 224, 3), "f4")
    predict(photos)
    start = time.process_time() - begun
    return start, _seconds(lambda: predict(photos))


def _seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes that was made before."""
    times = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return median(times)


def estimated_seconds(
    step: str, facts: Facts, values: Mapping[str, Any], network: Mapping[str, Any], rates: Rates
) -> float:
    """Return about how long a step takes.

    Parameters
    ----------
    step : str
        Its name.
    facts : Facts
        What the catalogue has.
    values : mapping
        All parameters of the step.
    network : mapping
        ``input_size`` and ``backbone_kw`` of the networks, where they are not those of a MobileNet
        of full width.
    rates : Rates
        How fast the machine is.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"],
    ...                       "hotel_id": ["h", "h"], "label": ["Pool", "Pool"]})
    >>> estimated_seconds("split", Facts.of(table), {}, {}, Rates(10, 50, 100))
    0.04
    """
    count = _COUNTS.get(step.rstrip("_12"))
    if count is None:
        return 0.0
    if "effort" in values:
        values = with_effort(step, values)
    decoded, predicted = count(facts, values)
    # A training says itself how large its network is, unless it starts from another.
    own = "backbone" in values and not values.get("parent")
    size = _size(values if own else network)
    start = 0.0 if step in {"split", "scores"} else rates.start
    if step == "score_distribution" and not _mapped(values):
        start *= _NO_NETWORK / _KERNEL
    return start + decoded / rates.decoded + predicted * size / rates.predicted


def _size(network: Mapping[str, Any]) -> float:
    """Return what a pass costs, as a share of one of full width at 224 pixels."""
    # A narrow network has far fewer products, but not so much less to move about.
    width: float = (network.get("backbone_kw") or {}).get("alpha", 1.0)
    scales = sum(0.25**number for number in range(network.get("n_scales", 1)))
    return float((network.get("input_size", 224) / 224) ** 2 * width**0.5 * scales)


def with_effort(step: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a training with those that its effort decides.

    Examples
    --------
    >>> with_effort("tagger_training", {"effort": "quick"})["fine_tune_epochs"]
    0
    """
    defaults = TAGGER if step.startswith("tagger") else AESTHETIC
    fields = [field.name for field in dataclasses.fields(defaults)]
    given = dataclasses.replace(
        defaults, **{name: values[name] for name in fields if name in values}
    )
    chosen = chosen_settings(given, {}, parent=bool(values.get("parent")))
    decided = {
        name for bundles in EFFORTS.values() for bundle in bundles.values() for name in bundle
    }
    return {**values, **{name: getattr(chosen, name) for name in decided & set(fields)}}


def _training(
    facts: Facts, photos: int, values: Mapping[str, Any], *, fits: float
) -> tuple[float, float]:
    learned = (_TRAIN + _VAL) * photos
    decoded, passes = learned, values["fine_tune_epochs"] * (_LEARNED * _TRAIN + _VAL) * photos
    if values.get("weights") == "none" and not values.get("parent"):
        return decoded, passes
    passes += (_FEATURES + _FITTED) * photos
    # What more photos would bring is measured on features of the network that training began with.
    curve = min(learned, values["curve_photos"]) if facts.grouped else 0
    return decoded + curve, passes + (1 + fits) * curve


def _tags(facts: Facts, _: Mapping[str, Any]) -> tuple[float, float]:
    looked = (_VAL + _TEST) * facts.labelled
    return looked, looked + _MAP * min(_SHOWN, _TEST * facts.labelled)


def _explanation(facts: Facts, values: Mapping[str, Any]) -> tuple[float, float]:
    shown = values["n_confusions"] * values["max_photos"]
    methods = len(values["methods"]) or _METHODS
    checked = values["n_checked"] * (len(values["checked_methods"]) or _CHECKED)
    tested = _TEST * facts.labelled
    return tested + shown, tested + shown * methods * 10 + checked * _CHECK


def _compared(photos: int, values: Mapping[str, Any]) -> tuple[float, float]:
    tested = _TEST * photos
    # Photos that became right, or wrong, or are wrong in another way, with both models' maps.
    return tested + values["max_photos"], 2 * (tested + _MAP * 3 * values["n_maps"])


def _filters(facts: Facts, values: Mapping[str, Any]) -> tuple[float, float]:
    looked = min(facts.photos, values["n_searched"]) + values["n_photos"]
    pictures = len(values["layers"]) * values["n_channels"] * 2 + 2 * (len(values["outputs"]) or 2)
    drawn = pictures * values["steps"] * _DRAWN * (values["size"] / 224) ** 2
    concepts = 2 * _CONCEPTS * min(_PAGE_PHOTOS, facts.photos, values["n_searched"])
    return 3 * looked, 4 * looked + concepts + drawn


def _mapped(values: Mapping[str, Any]) -> int:
    """Return how many photos a network looks at for a map of scores; of none without a model."""
    return int(values["max_on_map"]) if values["model"] else 0


#: Step -> the photos that it decodes, and those that it predicts.
_COUNTS: dict[str, Callable[[Facts, Mapping[str, Any]], tuple[float, float]]] = {
    "split": lambda facts, _: (max(facts.labelled, facts.rated), 0),
    "cleaning_audit": lambda facts, _: (
        2 * facts.photos, facts.photos + 2 * _FITTED * facts.labelled
    ),
    "tagger_training": lambda facts, values: _training(
        facts, facts.labelled, values, fits=_CURVE
    ),
    "tagger_report": _tags,
    "explain_tagger": _explanation,
    "cleaning_effect": lambda facts, _: (facts.photos, facts.labelled),
    "aesthetic_training": lambda facts, values: _training(
        facts, facts.rated, values, fits=_RATINGS_CURVE
    ),
    "aesthetic_report": lambda facts, values: (
        2 * _TEST * facts.rated, len(values["models"]) * _TEST * facts.rated
        + _CONCEPTS * min(_PAGE_PHOTOS, _TEST * facts.rated)
    ),
    "compare_filters": _filters,
    "compare_tagger": lambda facts, values: _compared(facts.labelled, values),
    "compare_aesthetic": lambda facts, values: _compared(facts.rated, values),
    "scores": lambda facts, _: (facts.photos, 2 * facts.photos),
    "score_distribution": lambda _, values: (
        3 * values["n_photos"] + _mapped(values), _mapped(values)
    ),
    "hotel_ranking": lambda _, values: (2 * values["n_hotels"] * values["max_photos"], 0),
}  # fmt: skip
