"""Phase two: all layers learn, the first ones gently, and are kept only where they got better.

The network starts with the linear model as its head. Photos are augmented anew in every epoch, and
batch normalisation is frozen. What it has become is kept where it is better than the linear model
on hotels that were held out; where nobody asked to hold them out, it learns from them, too, in some
last epochs. A network without pretrained weights has nothing to protect: all its layers learn from
the start.

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
from hotelviz.training.batches import augmented_batches, plain_batches
from hotelviz.training.callbacks import Averages, WarmUp, cosine_decay
from hotelviz.training.checkpoints import PhaseCheckpoint
from hotelviz.training.course import (
    ALL_PHOTOS,
    FINE_TUNED,
    LINEAR,
    Course,
    better,
    linear_words,
    numbered,
    why_kept,
)
from hotelviz.training.head import (
    Head,
    Objective,
    Photos,
    dense_layer,
    fair_loss,
    fit_head,
    kept_head,
    right_temperature,
    tempered,
)
from hotelviz.training.layer_rates import LayerAdam, frozen_layers, layer_rates
from hotelviz.training.mixed_precision import has_gpu, in_mixed_precision
from hotelviz.training.settings import TrainingSettings

#: Of the epochs of fine-tuning, how many are added for the photos that judged it.
_LAST_EPOCHS = 0.25
#: Of its learning rate, where they begin.
_LAST_RATE = 0.5


class _Phase(NamedTuple):
    """Epochs in which all layers learn; `judged`: whether `val` chooses one of them."""

    name: str
    photos: Photos
    judged: bool
    epochs: int
    rate: float


@dataclasses.dataclass
class FineTuning:
    """One training, in its phases.

    Parameters
    ----------
    model : keras.Model
        What learns.
    train, val : Photos
        What is learned from, and what decides when to stop and what is kept; `val` may be empty.
    every : Photos or None
        Both, where what is kept learns from `val`, too, in the end.
    objective : Objective
        What is learned, and how it is judged.
    settings : TrainingSettings
        See there.
    pretrained : bool
        Whether the backbone has learned before.
    from_parent : bool
        Whether the head has learned the same task before.
    folder : pathlib.Path
        For checkpoints.
    progress : bool
        Show bars.
    """

    model: keras.Model
    train: Photos
    val: Photos
    every: Photos | None
    objective: Objective
    settings: TrainingSettings
    pretrained: bool
    from_parent: bool
    folder: Path
    progress: bool
    #: What the logits of a tagger are divided by whose layers have learned.
    temperature: float = dataclasses.field(default=1.0, init=False)

    def run(self) -> Course:
        """Run the phases; the model is then the better of the two."""
        if not self.pretrained:
            epochs = self.settings.fine_tune_epochs
            rows = numbered(self._fit_all(self._phase())[0] if epochs else [])
            if len(self.val):
                self._judged()
            return Course(rows, self._made_sure())
        head = self._head()
        self._say(linear_words(head.about))
        dense, _ = dense_layer(self.model)
        rows, judged, losses = [head.row], {LINEAR: head.judged}, {LINEAR: head.judged_loss}
        kept, why = LINEAR, self._not_fine_tuned()
        if not why:
            before = self.model.get_weights()
            dense.set_weights(head.learned)
            more, best = self._fit_all(self._phase())
            rows += more
            if best is not None:
                judged[FINE_TUNED], losses[FINE_TUNED] = self._judged()
                kept = better(judged, losses)
            why = why_kept(kept, judged, losses)
            if kept == LINEAR:
                self.model.set_weights(before)
        for number, row in enumerate(rows):
            row["kept"] = number == 0 if kept == LINEAR else bool(row.get("kept"))
        self._say(f"kept: the {kept}{' network' if kept == FINE_TUNED else ''} ({why})")
        about: dict[str, Any] = {"linear": head.about, "kept": kept, "why": why}
        hotels = len(np.unique(self.val.hotels))
        about |= {"judged": judged, "judged_by": {"photos": len(self.val), "hotels": hotels}}
        about["judged_loss"] = losses if len(self.val) else {}
        if kept == LINEAR:
            dense.set_weights(head.final)
            if not self.objective.ordered:
                about["temperature"] = head.about["temperature"]
        else:
            rows = self._from_all_photos(rows)
            about |= self._made_sure()
        return Course(numbered(rows), about)

    def _made_sure(self) -> dict[str, float]:
        """Divide a tagger's logits by its temperature; return what its description says of that."""
        if self.objective.ordered or not len(self.val):
            return {}
        dense, _ = dense_layer(self.model)
        dense.set_weights([weights / self.temperature for weights in dense.get_weights()])
        return {"temperature": self.temperature}

    def _judged(self) -> tuple[list[dict[str, Any]], float]:
        """Return figures and loss on the photos that judge, and keep the temperature."""
        predicted = np.asarray(self.model.predict(plain_batches(self.model, self.val), verbose=0))
        loss = fair_loss(self.val, predicted, self.objective)
        if not self.objective.ordered:
            self.temperature = right_temperature(predicted, self.val.targets)
            predicted = tempered(predicted, self.temperature)
        return self.objective.figures(self.val, predicted), loss

    def _from_all_photos(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Learn on from the photos that judged, too; what they judged is not judged again."""
        if self.every is None:
            return rows
        _, _, _, epochs, rate = self._phase()
        last = _Phase(ALL_PHOTOS, self.every, False, last_epochs(epochs), _LAST_RATE * rate)
        more, best = self._fit_all(last)
        return [*(row | {"kept": row["kept"] and best is None} for row in rows), *more]

    def _say(self, text: str) -> None:
        if self.progress:
            tqdm.write(text, file=sys.stderr)

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
                refit=self.every is not None,
                progress=self.progress,
                penalty=self.settings.head_penalty,
            )
            head.save(self.folder)
        return head

    def _not_fine_tuned(self) -> str:
        """Return why there is no phase two; empty where there is one."""
        if not self.settings.fine_tune_epochs:
            return "no fine-tuning was asked for"
        if not len(self.val):
            return "too few hotels to hold some out that could judge fine-tuning"
        return ""

    def _phase(self) -> _Phase:
        """Return what phase two is."""
        settings, name = self.settings, "fine_tune" if self.pretrained else "from_scratch"
        epochs, rate = settings.fine_tune_epochs, settings.fine_tune_learning_rate
        return _Phase(name, self.train, len(self.val) > 0, epochs, rate)

    def _fit_all(self, phase: _Phase) -> tuple[list[dict[str, Any]], int | None]:
        """Fine-tune; return the history, and the number of the epoch whose weights are kept."""
        settings, pretrained, mixed = self.settings, self.pretrained, has_gpu()
        name, photos, judged, epochs, rate = phase
        steps = -(-len(photos) // settings.batch_size)
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
        stops = pretrained and judged
        checkpoint = PhaseCheckpoint(
            self.folder,
            name,
            epochs=epochs,
            seed=settings.seed,
            choose=judged,
            judges=[keras.callbacks.EarlyStopping(patience=settings.patience)] if stops else (),
            averages=averages,
            progress=self.progress,
        )
        if not checkpoint.ended:
            steering = [cosine_decay(rate, epochs)]
            if averages:
                steering += [averages, WarmUp(rate, steps)]
            # The last epochs do not draw again what the first ones drew.
            before = settings.fine_tune_epochs if name == ALL_PHOTOS else 0
            first = (before + checkpoint.first) * steps
            batches = augmented_batches(self.model, photos, settings, first)
            val = plain_batches(self.model, self.val) if judged else None
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


def last_epochs(epochs: int) -> int:
    """Return in how many more epochs what is kept learns from the photos that judged it, too."""
    return int(np.ceil(epochs * _LAST_EPOCHS))


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
