"""Phase one: the head is the linear model on features of the frozen backbone.

It is fitted to the photos to learn from, so that the photos held out can judge whether fine-tuning
makes it better. Where nobody asked to hold photos out, it is fitted to all once more in the end.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import layers
from tqdm.auto import tqdm

from hotelviz.errors import ModelError
from hotelviz.io.atomic import atomic_path
from hotelviz.metrics.calibration import fit_temperature
from hotelviz.metrics.linear_head import PENALTIES, LinearHead, fit_linear_head, held_out_loss
from hotelviz.models import (
    Node,
    activations,
    iter_nodes,
    layers_learned_from,
    level_widths,
    model_info,
    split_head,
    training_photos,
)
from hotelviz.training.pixel_cache import Pixels

#: Photos per step where nothing is learned from them.
AT_ONCE = 64
#: Where the photos of one hotel leave nothing to choose by.
_PENALTY = 1e-2
_FILE = "head.npz"


@dataclasses.dataclass
class Photos:
    """Photos of one split, with their targets, weights and hotels.

    What is in `seen` are the pixels of which a model predicts, to the last one: a head that is
    fitted to others, such as crops or what was resized twice, is biased when it is used.
    """

    pixels: Pixels
    seen: Pixels
    targets: np.ndarray
    weights: np.ndarray
    hotels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is learned, and how it is judged.

    Parameters
    ----------
    loss
        From targets and predictions (N, classes) to the loss.
    metric
        The same, of a figure that people understand, as Keras' history has it.
    name
        Of the metric.
    judge
        From targets, predictions and hotels to figures with intervals over hotels, the one that
        decides first: the higher the better.
    ordered
        Whether the outputs are steps of a scale.
    together
        From targets and predictions of a batch to what is added to the loss of fine-tuning.
    """

    loss: Callable[[Any, Any], Any]
    metric: Callable[[Any, Any], Any]
    name: str
    judge: Callable[[np.ndarray, np.ndarray, np.ndarray], pd.DataFrame]
    ordered: bool = False
    together: Callable[[Any, Any], Any] | None = None

    def compiled(self) -> dict[str, Any]:
        """Return what `keras.Model.compile` takes."""
        return {
            "loss": self.loss,
            "metrics": [keras.metrics.MeanMetricWrapper(self.metric, self.name)],
        }

    def measured(
        self, targets: np.ndarray, predicted: np.ndarray, side: str = ""
    ) -> dict[str, float]:
        """Return loss and metric as a row of the history has them."""
        found = {"loss": self.loss(targets, predicted), self.name: self.metric(targets, predicted)}
        return {f"{side}{name}": round(float(np.mean(value)), 5) for name, value in found.items()}

    def figures(self, photos: Photos, predicted: np.ndarray) -> list[dict[str, Any]]:
        """Return the figures of predictions, with their intervals."""
        if len(predicted) < 2:
            return []
        table = self.judge(photos.targets, predicted, photos.hotels)
        return [
            {str(name): None if value != value else value for name, value in row.items()}
            for row in table.to_dict("records")
        ]


class Head(NamedTuple):
    """The linear model of a training.

    Attributes
    ----------
    learned
        Kernel and bias, fitted to the photos to learn from: where fine-tuning starts.
    final
        The same as the model has them, where fine-tuning is not kept.
    row
        Of the history.
    about
        What a model's description says of it: ``penalty``, ``photos``, ``hotels``,
        ``from_parent``, of a tagger ``temperature``, by which `final` is divided, and ``figures``,
        each photo predicted by a fit without its hotel.
    judged
        The figures of `learned` on the photos that judge; empty without.
    judged_loss
        Of `learned` on the same photos, see `fair_loss`; not a number without.
    layers
        The hash of the weights under the head, whose features it was fitted to.
    """

    learned: tuple[np.ndarray, np.ndarray]
    final: tuple[np.ndarray, np.ndarray]
    row: dict[str, Any]
    about: dict[str, Any]
    judged: list[dict[str, Any]]
    judged_loss: float
    layers: str

    def save(self, folder: Path) -> None:
        """Keep it for a training that is stopped."""
        text = json.dumps([self.row, self.about, self.judged, self.judged_loss, self.layers])
        with atomic_path(folder / _FILE) as temporary:
            np.savez(temporary, *self.learned, *self.final, np.array(text))


def kept_head(folder: Path, model: keras.Model) -> Head | None:
    """Return the head that a stopped training left; None where there is none, or it is damaged.

    Nor is one taken of layers that were trained anew since.
    """
    file = folder / _FILE
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened, np.load(opened) as saved:
            kernel, bias, last_kernel, last_bias, text = (saved[name] for name in saved.files)
            head = Head((kernel, bias), (last_kernel, last_bias), *json.loads(str(text)))
            return head if head.layers == _layers_hash(model) else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        warnings.warn(f"{file}: the checkpoint is damaged; the head is begun anew", stacklevel=2)
        return None


def _layers_hash(model: keras.Model) -> str:
    """Return the hash of the weights under the head."""
    digest, own = hashlib.sha256(), dense_layer(model)[0]
    for layer in model.layers:
        for weights in layer.get_weights() if layer is not own else []:
            digest.update(np.ascontiguousarray(weights).data.cast("B"))
    return digest.hexdigest()


def fit_head(
    model: keras.Model,
    train: Photos,
    val: Photos,
    objective: Objective,
    *,
    mirrored: bool,
    from_parent: bool,
    refit: bool,
    progress: bool,
    penalty: float,
) -> Head:
    """Fit the linear model on a network's features.

    Parameters
    ----------
    model : keras.Model
        Only its backbone is used.
    train, val : Photos
        What is learned from, and what judges; `val` may be empty.
    objective : Objective
        See there.
    mirrored : bool
        Learn from each photo in a mirror as well.
    from_parent : bool
        Whether the model's head has learned the same task: weights are then held at its weights,
        where that predicts hotels better that were held out.
    refit : bool
        Whether the photos that judged are learned from in the end.
    progress : bool
        Show a bar.
    penalty : float
        How strongly weights are held; 0: as folds over hotels choose.
    """
    started = time.perf_counter()
    dense, before = dense_layer(model)
    views = [False, True] if mirrored else [False]
    features = [
        [
            pooled_features(model, before, part.seen, mirror=flip, progress=progress)
            for flip in views
        ]
        for part in (train, val)
    ]
    starts = _starts(dense, from_parent)
    n_hotels = len(np.unique(train.hotels))
    penalties = (penalty,) if penalty else PENALTIES if n_hotels > 1 else (_PENALTY,)
    how = {"ordered": objective.ordered, "blocks": level_widths(model)}
    fits = [_fit(features[:1], [train], penalties, start, how) for start in starts]
    best = int(np.argmin([_loss(train, fit, ordered=objective.ordered) for fit in fits]))
    learned, every_fit, parts = fits[best], fits[best], [train]
    if len(val):
        parts = [train, val]
        every_fit = _fit(features, parts, (learned.penalty,), starts[best], how)
    final = every_fit if refit else learned
    every = _joined(parts)
    seen = _seen(model, every, from_parent=bool(best))
    temperatures = (
        _temperature(learned, train, ~seen[: len(train)], objective),
        _temperature(every_fit, every, ~seen, objective),
    )
    row: dict[str, Any] = {"epoch": 1, "phase": "head"}
    row |= objective.measured(train.targets, learned.predict(features[0][0]))
    judged, lost = [], float("nan")
    if len(val):
        predicted = learned.predict(features[1][0])
        row |= objective.measured(val.targets, predicted, "val_")
        judged = objective.figures(val, tempered(predicted, temperatures[0]))
        lost = fair_loss(val, predicted, objective)
    held_out = tempered(every_fit.held_out[: len(every.targets)], temperatures[1])
    sure = (final.kernel / temperatures[refit], final.bias / temperatures[refit])
    about = {
        "penalty": learned.penalty,
        "photos": len(every.targets),
        "hotels": len(np.unique(every.hotels)),
        "from_parent": bool(best),
        "seen": int(seen.sum()),
        **({} if objective.ordered else {"temperature": temperatures[refit]}),
        "figures": objective.figures(every, held_out),
    }
    row["seconds"] = round(time.perf_counter() - started, 2)
    return Head(learned[:2], sure, row, about, judged, lost, _layers_hash(model))


def _starts(dense: layers.Dense, from_parent: bool) -> list[LinearHead | None]:
    """Return where weights may be held: at zero, and where the parent's head has them."""
    if not from_parent:
        return [None]
    kernel, bias = dense.get_weights()
    return [None, LinearHead(kernel, bias, 0.0, np.empty((0, len(bias))))]


def _seen(model: keras.Model, photos: Photos, *, from_parent: bool) -> np.ndarray:
    """Return of which photos' hotels the network has learned: its figures are too good for them.

    That are those of its layers, and where weights are held at its head's, those of that head.
    """
    known = training_photos(model) if from_parent else layers_learned_from(model)
    return np.isin(photos.hotels, known.photos["hotel_id"].unique())


def _temperature(fit: LinearHead, photos: Photos, fair: np.ndarray, objective: Objective) -> float:
    """Return what makes a head as sure as it is right, by fair photos without their hotels.

    Of scores nothing is changed.
    """
    held_out = fit.held_out[: len(photos.targets)]
    if objective.ordered or not len(held_out):
        return 1.0
    return right_temperature(held_out[fair], photos.targets[fair])


def right_temperature(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Return by what to divide logits: smoothing, mixing and penalties teach a network to doubt."""
    # What smoothing gives to all classes is no label.
    shares = targets - targets.min(axis=1, keepdims=True)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-6)
    return fit_temperature(predicted, shares) if len(predicted) else 1.0


def tempered(predicted: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities as they are with their logits divided by a temperature."""
    powers = predicted ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fair_loss(photos: Photos, predicted: np.ndarray, objective: Objective) -> float:
    """Return the loss by which models are compared: a tagger's at the temperature best for it.

    How much a network learned to doubt, from mixing or a penalty, says nothing of how well it
    tells photos apart.
    """
    if not objective.ordered:
        predicted = tempered(predicted, fit_temperature(predicted, photos.targets))
    return float(np.mean(objective.loss(photos.targets, predicted)))


def _joined(parts: list[Photos]) -> Photos:
    targets, weights, hotels = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("targets", "weights", "hotels")
    )
    return Photos(parts[0].pixels, parts[0].seen, targets, weights, hotels)


def _fit(
    features: list[list[np.ndarray]],
    parts: list[Photos],
    penalties: tuple[float, ...],
    start: LinearHead | None,
    how: dict[str, Any],
) -> LinearHead:
    """Fit all views of the photos of some splits: first all photos as they are, then mirrored."""
    every, n_views = _joined(parts), len(features[0])
    hotels = np.tile(every.hotels, n_views)
    found: LinearHead = fit_linear_head(
        np.concatenate([part[view] for view in range(n_views) for part in features]),
        np.tile(every.targets, (n_views, 1)),
        weights=np.tile(every.weights, n_views),
        groups=hotels if len(np.unique(hotels)) > 1 else None,
        penalties=penalties,
        start=start,
        **how,
    )
    return found


def _loss(photos: Photos, fit: LinearHead, *, ordered: bool) -> float:
    """Return the loss of photos, each predicted without its hotel; of one hotel nothing."""
    if not len(fit.held_out):
        return 0.0
    predicted = fit.held_out[: len(photos)]
    return held_out_loss(photos.targets, predicted, photos.weights, ordered=ordered)


def dense_layer(model: keras.Model) -> tuple[layers.Dense, Node]:
    """Return the head's dense layer, and what it takes: its features.

    Raises
    ------
    ModelError
        The head is not global average pooling and one dense layer with a bias.
    """
    split_head(model)
    nodes = iter_nodes(model).values()
    dense = next(node for node in reversed(nodes) if isinstance(node.layer, layers.Dense))
    if not dense.layer.use_bias:
        raise ModelError(
            f"{model_info(model).backbone}: the head's layer {dense.name!r} has no bias, and "
            "cannot be a linear model's: give it one, of zeros"
        )
    return dense.layer, next(node for node in nodes if node.output is dense.inputs[0])


def pooled_features(
    model: keras.Model, node: Node, pixels: Pixels, *, mirror: bool = False, progress: bool = False
) -> np.ndarray:
    """Compute what a layer gives for photos; they are resized to the network's input on the way."""
    compute = activations(model, node, resize=True)
    starts = range(0, len(pixels), AT_ONCE)
    bar = tqdm(starts, unit="batch", desc="features", disable=not progress or not len(pixels))
    batches = (pixels[start : start + AT_ONCE] for start in bar)
    found = [compute(batch[:, :, ::-1] if mirror else batch) for batch in batches]
    return np.concatenate(found) if found else np.empty((0, node.output.shape[-1]), "float32")
