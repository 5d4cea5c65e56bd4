"""Phase two: all layers learn, the first ones gently, and are kept only where they got better.

The network starts with the linear model as its head. Photos are augmented anew in every epoch, and
batch normalisation is frozen. What it has become is kept where it is better than the linear model
on hotels that were held out. A network without pretrained weights has nothing to protect: all its
layers learn from the start.

A training that was interrupted goes on from its last whole epoch and ends as if it had not been.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm.auto import tqdm

from hotelviz.errors import TrainingError
from hotelviz.metrics.calibration import fit_temperature
from hotelviz.models import model_info
from hotelviz.training.augmentation import Augmentation, mixing, recolour, transform
from hotelviz.training.batches import drawn_views, numbered_batches
from hotelviz.training.callbacks import Averages, WarmUp, cosine_decay
from hotelviz.training.checkpoints import PhaseCheckpoint
from hotelviz.training.head import (
    AT_ONCE,
    Head,
    Objective,
    Photos,
    dense_layer,
    fit_head,
    kept_head,
)
from hotelviz.training.layer_rates import LayerAdam, frozen_layers, layer_rates
from hotelviz.training.mixed_precision import has_gpu, in_mixed_precision
from hotelviz.training.settings import TrainingSettings

#: What a training ends with, as the model's description says it.
LINEAR, FINE_TUNED = "linear head", "fine-tuned"
#: The phase in which a network from scratch gets its head anew.
LAST_HEAD = "last_head"
_UNCHANGED = Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)


class Course(NamedTuple):
    """How a training went.

    Attributes
    ----------
    rows
        A row per epoch, see `hotelviz.training.history`.
    about
        What a model's description says beside them: ``kept`` (the linear head or the fine-tuned
        network), ``why``, ``linear`` (see `hotelviz.training.head.Head`), ``judged``, the figures
        of both on the photos held out, and of a tagger ``temperature``. Empty for a training from
        scratch.
    """

    rows: list[dict[str, Any]]
    about: dict[str, Any]


@dataclasses.dataclass
class FineTuning:
    """One training, in up to two phases.

    Parameters
    ----------
    model : keras.Model
        What learns.
    train, val : Photos
        What is learned from, and what decides when to stop and what is kept; `val` may be empty.
    objective : Objective
        What is learned, and how it is judged.
    settings : TrainingSettings
        See there.
    pretrained : bool
        Whether the backbone has learned before.
    from_parent : bool
        Whether the head has learned the same task before.
    refit : bool
        Whether a linear head that is kept learns from `val`, too, in the end.
    folder : pathlib.Path
        For checkpoints.
    progress : bool
        Show bars.
    """

    model: keras.Model
    train: Photos
    val: Photos
    objective: Objective
    settings: TrainingSettings
    pretrained: bool
    from_parent: bool
    refit: bool
    folder: Path
    progress: bool
    #: What the logits of a fine-tuned tagger were divided by.
    temperature: float | None = dataclasses.field(default=None, init=False)

    def run(self) -> Course:
        """Run the phases; the model is then the better of the two."""
        if not self.pretrained:
            return Course(_numbered(self._from_scratch()), {})
        head = self._head()
        self._say(_linear_words(head.about))
        dense, _ = dense_layer(self.model)
        rows, judged = [head.row], {LINEAR: head.judged}
        kept, why = LINEAR, self._not_fine_tuned()
        if not why:
            before = self.model.get_weights()
            dense.set_weights(head.learned)
            more, best = self._fit_all()
            rows += more
            if best is not None:
                better, judged[FINE_TUNED] = self._is_better(head, more[best - 1])
                kept = FINE_TUNED if better else LINEAR
            why = _why(kept, judged)
            if kept == LINEAR:
                self.model.set_weights(before)
        if kept == LINEAR:
            dense.set_weights(head.final)
        for number, row in enumerate(rows):
            row["kept"] = number == 0 if kept == LINEAR else bool(row.get("kept"))
        self._say(f"kept: the {kept}{' network' if kept == FINE_TUNED else ''} ({why})")
        about: dict[str, Any] = {"linear": head.about, "kept": kept, "why": why}
        about["judged"] = judged
        if kept == FINE_TUNED and self.temperature:
            about["temperature"] = self.temperature
        return Course(_numbered(rows), about)

    def _from_scratch(self) -> list[dict[str, Any]]:
        """Learn all layers, and in the end the head anew where its penalty is given."""
        rows = self._fit_all()[0] if self.settings.fine_tune_epochs else []
        if rows and self.settings.head_penalty:
            head = self._head()
            dense_layer(self.model)[0].set_weights(head.learned)
            rows = [{**row, "kept": False} for row in rows]
            rows.append({**head.row, "phase": LAST_HEAD, "kept": True})
        return rows

    def _say(self, text: str) -> None:
        if self.progress:
            tqdm.write(text, file=sys.stderr)

    @property
    def _judged(self) -> bool:
        return len(self.val) > 0

    def _head(self) -> Head:
        head = kept_head(self.folder, self.model)
        if head is None:
            head = fit_head(
                self.model,
                self.train,
                self.val,
                self.objective,
                mirrored=self.settings.mirrored,
                from_parent=self.from_parent,
                refit=self.refit,
                progress=self.progress,
                penalty=self.settings.head_penalty,
            )
            head.save(self.folder)
        return head

    def _not_fine_tuned(self) -> str:
        """Return why there is no phase two; empty where there is one."""
        if not self.settings.fine_tune_epochs:
            return "no fine-tuning was asked for"
        if not self._judged:
            return "too few hotels to hold some out that could judge fine-tuning"
        return ""

    def _is_better(self, head: Head, epoch: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
        """Return whether the network is better than its linear head was, and its figures.

        A tagger is made as sure as it is right first.
        """
        predicted = self.model.predict(self._validation_batches(), verbose=0)
        if not self.objective.ordered:
            predicted = self._tempered(predicted)
        figures = self.objective.figures(self.val, predicted)
        decides = [_deciding(found) for found in (head.judged, figures)]
        lower = epoch["val_loss"] < head.row["val_loss"]
        return bool(lower and decides[1] >= decides[0]), figures

    def _tempered(self, predicted: np.ndarray) -> np.ndarray:
        """Make the network as sure as it is right: mixing and smoothing taught it to doubt."""
        # What smoothing gives to all classes is no label.
        shares = self.val.targets - self.val.targets.min(axis=1, keepdims=True)
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-6)
        self.temperature = fit_temperature(predicted, shares)
        dense, _ = dense_layer(self.model)
        dense.set_weights([weights / self.temperature for weights in dense.get_weights()])
        powers = predicted ** (1 / self.temperature)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def _fit_all(self) -> tuple[list[dict[str, Any]], int | None]:
        """Fine-tune; return the history, and the number of the epoch whose weights are kept."""
        settings, pretrained, mixed = self.settings, self.pretrained, has_gpu()
        rate, epochs = settings.fine_tune_learning_rate, settings.fine_tune_epochs
        steps = self._steps(len(self.train))
        # A second model: the one that is saved stays without optimizer state, and in float32.
        copied = in_mixed_precision(self.model) if mixed else self.model
        network = _Learner(copied.input, copied.output, name="learner")
        network.together = self.objective.together
        norms = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
        frozen = frozen_layers(network, settings.fine_tune_share) if pretrained else []
        for layer in frozen:
            layer.trainable = False
        for layer in norms:
            layer.trainable = not pretrained
            # Few steps an epoch: live statistics have to follow the weights more closely.
            layer.momentum = layer.momentum if pretrained else 0.9
        if pretrained and self.objective.ordered and len(network.trainable_weights) > 2:
            # The linear head is the best scale of scores: what is under it learns to fit it better.
            head = network.get_layer(dense_layer(self.model)[0].name)
            head.trainable = False
            frozen.append(head)
        # Of a short training the first steps, which are far off, should not weigh.
        average_over = min(100, 2 + steps * epochs // 20) if pretrained else 0
        self._compile(network, rate, average_over=average_over, mixed=mixed)
        # Validation and the checkpoints see the averaged weights. Live batch normalisation has no
        # statistics for those.
        averages = Averages() if pretrained else None
        stops = pretrained and self._judged
        checkpoint = PhaseCheckpoint(
            self.folder,
            "fine_tune" if pretrained else "from_scratch",
            epochs=epochs,
            seed=settings.seed,
            choose=self._judged,
            judges=[keras.callbacks.EarlyStopping(patience=settings.patience)] if stops else (),
            averages=averages,
            progress=self.progress,
        )
        if not checkpoint.ended:
            steering = [cosine_decay(rate, epochs)]
            if averages:
                steering += [averages, WarmUp(rate, steps)]
            batches = self._training_batches(checkpoint.first * steps)
            val = self._validation_batches() if self._judged else None
            try:
                checkpoint.fit(network, batches, val, *steering, steps_per_epoch=steps)
            except TrainingError as error:
                if not pretrained:
                    raise
                # Nothing is lost: there are the epochs before, and the linear head.
                warnings.warn(str(error), stacklevel=2)
        checkpoint.load_best(network)
        for layer in frozen + norms:
            layer.trainable = True
        if mixed:
            self.model.set_weights(network.get_weights())
        return checkpoint.history, checkpoint.best

    def _compile(
        self, network: keras.Model, rate: float, *, average_over: int = 0, mixed: bool = False
    ) -> None:
        """Compile with Adam; the average of the last steps' weights errs less than any step's."""
        rates = layer_rates(network, self.settings.first_layer_rate if self.pretrained else 1.0)
        optimizer = LayerAdam(
            rate, rates, use_ema=average_over > 0, ema_momentum=1 - 1 / max(average_over, 2)
        )
        if mixed:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        network.compile(optimizer, **self.objective.compiled(), weighted_metrics=[])
        # All variables are made here: a step that makes some itself is traced twice, which can
        # take longer than a short training does.
        network.optimizer.build(network.trainable_variables)
        some = np.full((1, network.output_shape[-1]), 1 / network.output_shape[-1], "float32")
        network.compute_loss(y=some, y_pred=some, training=False)
        network.compute_metrics(None, some, some)
        network.reset_metrics()

    def _steps(self, n_rows: int) -> int:
        return -(-n_rows // self.settings.batch_size)

    def _training_batches(self, first_step: int) -> tf.data.Dataset:
        """Draw photos by their weights, change them at random, and mix them."""
        preprocessing, train = model_info(self.model).preprocessing, self.train
        scale, size = preprocessing.scale, preprocessing.height
        seed, n_photos = self.settings.seed, self.settings.batch_size
        kind = self.settings.augmentation or _UNCHANGED
        view = drawn_views(train.pixels, train.weights, kind, size, batch_size=n_photos, seed=seed)

        def draw(step: int) -> list[np.ndarray]:
            rows, pixels, matrices = view(step)
            mask, order = mixing(self.settings.mixing, n_photos, size, seed=(seed, step, 3))
            targets, own = train.targets[rows], mask.mean()
            mixed = own * targets + (1 - own) * targets[order]
            colours = kind.colours(n_photos, seed=(seed, step, 4))
            return [pixels, matrices, colours, mask, order, mixed]

        def change(
            pixels: Any, matrices: Any, colours: Any, mask: Any, order: Any, targets: Any
        ) -> tuple[Any, Any]:
            values = transform(pixels, matrices, size, resample=preprocessing.resample)
            if kind.colour:
                values = recolour(values, colours)
            if self.settings.mixing:
                values = mask * values + (1 - mask) * tf.gather(values, order)
            return scale(values), targets

        drawn = [np.empty((0, *shape), "float32") for shape in ((8,), (3,), (size, 1))]
        like = [train.pixels[:0], *drawn, np.empty(0, "int32"), train.targets]
        return numbered_batches(draw, like, first_step).map(change).prefetch(2)

    def _validation_batches(self) -> tf.data.Dataset:
        scale, val = model_info(self.model).preprocessing.scale, self.val

        def draw(step: int) -> list[np.ndarray]:
            rows = slice(step * AT_ONCE, (step + 1) * AT_ONCE)
            return [val.pixels[rows], val.targets[rows]]

        batches = numbered_batches(draw, [val.pixels[:0], val.targets], 0).map(
            lambda pixels, targets: (scale(tf.cast(pixels, tf.float32)), targets)
        )
        return batches.take(-(-len(val.pixels) // AT_ONCE)).prefetch(2)


class _Learner(keras.Model):  # type: ignore[misc]
    """A network whose weights feel, beside the loss, what only a whole batch shows."""

    together: Callable[[Any, Any], Any] | None = None

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training and self.together is not None:
            # Only the slope: the loss that is shown is the same in training and validation.
            more = self.together(y, y_pred)
            loss += more - tf.stop_gradient(more)
        return loss


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "epoch": number} for number, row in enumerate(rows, start=1)]


def _deciding(figures: list[dict[str, Any]]) -> float:
    """Return the figure that decides; one that cannot be computed is worse than any other."""
    value = figures[0]["value"] if figures else 0.0
    return -np.inf if value is None else float(value)


def _linear_words(about: dict[str, Any]) -> str:
    """Return how good the linear model is."""
    of = f"{about['photos']:,} photos of {about['hotels']:,} hotels"
    if not about["figures"]:
        return f"linear model on frozen features of {of}: too few hotels to judge it by"
    first, *_ = about["figures"]
    known = first["value"] is not None
    figure = "{value:.3f} ({low:.3f} to {high:.3f})".format(**first) if known else "none"
    of += ", each predicted without its hotel"
    if about["seen"]:
        of += f" (the networks that it comes from had learned from the hotels of {about['seen']:,})"
    return f"linear model on frozen features: {first['metric']} {figure} on {of}"


def _why(kept: str, judged: dict[str, list[dict[str, Any]]]) -> str:
    """Return in words what decided, on the photos that were held out."""
    if FINE_TUNED not in judged:
        return "fine-tuning came to no whole epoch"
    if not judged[LINEAR]:
        return f"on the photos held out the {kept} had the lower loss"
    metric, found = (
        judged[LINEAR][0]["metric"],
        {name: _deciding(of) for name, of in judged.items()},
    )
    values = ", ".join(
        f"{name} {value:.3f}" if np.isfinite(value) else f"{name} not computable"
        for name, value in found.items()
    )
    verb = "had" if kept == FINE_TUNED else "did not have"
    return (
        f"on the photos held out fine-tuning {verb} a lower loss and no lower {metric} ({values})"
    )
