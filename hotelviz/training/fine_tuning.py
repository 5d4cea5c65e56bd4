"""Two phases of transfer learning, on photos that are decoded once.

First only the new head learns, at a high learning rate, on backbone features that are computed
once, so that an epoch takes seconds. Then all layers learn at a low rate, on photos that are
augmented anew in every epoch, with batch normalisation frozen. A network without pretrained
weights has nothing to protect: all its layers learn from the start.

A training that was interrupted goes on from its last whole epoch and ends as if it had not been.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm.auto import tqdm

from hotelviz.models import activations, model_info, split_head
from hotelviz.training.augmentation import Augmentation, transform
from hotelviz.training.callbacks import Averages, WarmUp, cosine_decay, stop_and_slow
from hotelviz.training.checkpoints import PhaseCheckpoint
from hotelviz.training.pixel_cache import Pixels
from hotelviz.training.settings import TrainingSettings

#: Photos per step where nothing is learned from them.
_AT_ONCE = 64
_UNCHANGED = Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)


@dataclasses.dataclass
class Photos:
    """Photos of one split, decoded once, with their targets and weights."""

    pixels: Pixels
    targets: np.ndarray
    weights: np.ndarray


@dataclasses.dataclass
class FineTuning:
    """One training, in up to two phases.

    Parameters
    ----------
    model : keras.Model
        What learns.
    train, val : Photos
        What is learned from, and what decides when to stop; `val` may be empty.
    objective : mapping
        What `keras.Model.compile` takes: the ``loss``, and the ``metrics`` of the history.
    settings : TrainingSettings
        See there.
    pretrained : bool
        Whether the backbone has learned before.
    folder : pathlib.Path
        For checkpoints.
    progress : bool
        Show bars.
    """

    model: keras.Model
    train: Photos
    val: Photos
    objective: Mapping[str, Any]
    settings: TrainingSettings
    pretrained: bool
    folder: Path
    progress: bool

    def run(self) -> list[dict[str, Any]]:
        """Run the phases and return their history, a row per epoch."""
        rows: list[dict[str, Any]] = []
        if self.pretrained and self.settings.head_epochs:
            rows += self._fit_head()
        if self.settings.fine_tune_epochs:
            rows += self._fit_all()
        return [{**row, "epoch": number} for number, row in enumerate(rows, start=1)]

    @property
    def _judged(self) -> bool:
        return len(self.val.pixels) > 0

    def _checkpoint(self, phase: str, epochs: int, **more: Any) -> PhaseCheckpoint:
        return PhaseCheckpoint(
            self.folder, phase, epochs=epochs, seed=self.settings.seed, choose=self._judged, **more
        )

    def _fit_head(self) -> list[dict[str, Any]]:
        settings = self.settings
        pooled, layers_of_head = split_head(self.model)
        inputs = outputs = keras.Input(pooled.output.shape[1:])
        for layer in layers_of_head:
            outputs = layer(outputs)
        head = keras.Model(inputs, outputs)
        self._compile(head, settings.head_learning_rate)
        judges = stop_and_slow(2 * settings.patience) if self._judged else []
        checkpoint = self._checkpoint("head", settings.head_epochs, judges=judges)
        if not checkpoint.ended:
            mirrored = [False, True] if settings.augmentation else [False]
            features = [self._features(self.train.pixels, mirror=flip) for flip in mirrored]
            targets = np.tile(self.train.targets, (len(mirrored), 1))
            weights = np.tile(self.train.weights, len(mirrored))
            learned = [np.concatenate(features), targets, weights]
            steps = self._steps(len(learned[0]))
            batches = _batches(self._draw_features(learned), learned, checkpoint.first * steps)
            val = (self._features(self.val.pixels), self.val.targets) if self._judged else None
            how = {"steps_per_epoch": steps, "validation_batch_size": settings.batch_size}
            checkpoint.fit(head, batches.prefetch(2), val, **how)
        checkpoint.load_best(head)
        return checkpoint.history

    def _fit_all(self) -> list[dict[str, Any]]:
        settings, pretrained, mixed = self.settings, self.pretrained, has_gpu()
        rate, epochs = settings.fine_tune_learning_rate, settings.fine_tune_epochs
        steps = self._steps(len(self.train.pixels))
        # A second model: the one that is saved stays without optimizer state, and in float32.
        network = keras.Model(self.model.input, self.model.output)
        if mixed:
            network = in_mixed_precision(self.model)
        norms = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
        for layer in norms:
            layer.trainable = not pretrained
            # Few steps an epoch: live statistics have to follow the weights more closely.
            layer.momentum = layer.momentum if pretrained else 0.9
        # Of a short training the first steps, which are far off, should not weigh.
        average_over = min(100, 2 + steps * epochs // 20) if pretrained else 0
        self._compile(network, rate, average_over=average_over, mixed=mixed)
        # Validation and the checkpoints see the averaged weights. Live batch normalisation has no
        # statistics for those.
        averages = Averages() if pretrained else None
        slowed = pretrained and self._judged
        checkpoint = self._checkpoint(
            "fine_tune" if pretrained else "from_scratch",
            epochs,
            judges=stop_and_slow(settings.patience) if slowed else (),
            averages=averages,
            progress=self.progress,
        )
        if not checkpoint.ended:
            steering = [] if slowed else [cosine_decay(rate, epochs)]
            if averages:
                steering += [averages, WarmUp(rate, steps)]
            batches = self._training_batches(checkpoint.first * steps)
            val = self._validation_batches() if self._judged else None
            checkpoint.fit(network, batches, val, *steering, steps_per_epoch=steps)
        checkpoint.load_best(network)
        for layer in norms:
            layer.trainable = True
        if mixed:
            self.model.set_weights(network.get_weights())
        return checkpoint.history

    def _compile(
        self, network: keras.Model, rate: float, *, average_over: int = 0, mixed: bool = False
    ) -> None:
        """Compile with Adam; the average of the last steps' weights errs less than any step's."""
        optimizer = keras.optimizers.Adam(
            rate, use_ema=average_over > 0, ema_momentum=1 - 1 / max(average_over, 2)
        )
        if mixed:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        network.compile(optimizer, **self.objective, weighted_metrics=[])
        # All variables are made here: a step that makes some itself is traced twice, which can
        # take longer than a short training does.
        network.optimizer.build(network.trainable_variables)
        some = np.full((1, network.output_shape[-1]), 1 / network.output_shape[-1], "float32")
        network.compute_loss(y=some, y_pred=some, training=False)
        network.compute_metrics(None, some, some)
        network.reset_metrics()

    def _steps(self, n_rows: int) -> int:
        return -(-n_rows // self.settings.batch_size)

    def _features(self, pixels: Pixels, *, mirror: bool = False) -> np.ndarray:
        """Compute the pooled backbone features; photos are resized to the input on the way."""
        pooled, _ = split_head(self.model)
        compute = activations(self.model, pooled, resize=True)
        starts = range(0, len(pixels), _AT_ONCE)
        bar = tqdm(starts, unit="batch", desc="features", disable=not self.progress)
        batches = (pixels[start : start + _AT_ONCE] for start in bar)
        return np.concatenate(
            [compute(batch[:, :, ::-1] if mirror else batch) for batch in batches]
        )

    def _draw_features(self, learned: list[np.ndarray]) -> Callable[[int], list[np.ndarray]]:
        """Return what draws a step's rows, in an order that depends on seed and epoch alone."""
        seed, size = self.settings.seed, self.settings.batch_size
        steps = self._steps(len(learned[0]))
        order = functools.lru_cache(1)(
            lambda epoch: np.random.default_rng((seed, epoch, 2)).permutation(len(learned[0]))
        )

        def draw(step: int) -> list[np.ndarray]:
            epoch, place = divmod(int(step), steps)
            rows = order(epoch)[place * size : (place + 1) * size]
            return [values[rows] for values in learned]

        return draw

    def _training_batches(self, first_step: int) -> tf.data.Dataset:
        """Draw photos by their weights and change them at random.

        A batch depends on nothing but the seed and its number, so that a training that goes on
        after an interruption sees what it would have seen.
        """
        preprocessing, train = model_info(self.model).preprocessing, self.train
        scale, stored, size = preprocessing.scale, train.pixels.size, preprocessing.height
        seed, n_photos = self.settings.seed, self.settings.batch_size
        odds = train.weights.astype("float64") / train.weights.sum(dtype="float64")
        kind = self.settings.augmentation or _UNCHANGED

        def draw(step: int) -> list[np.ndarray]:
            rows = np.sort(np.random.default_rng((seed, step)).choice(len(odds), n_photos, p=odds))
            matrices = kind.matrices(n_photos, stored, size, seed=(seed, step, 1))
            return [train.pixels[rows], matrices, train.targets[rows]]

        like = [train.pixels[:0], np.empty((0, 8), "float32"), train.targets]
        batches = _batches(draw, like, first_step).map(
            lambda pixels, matrices, targets: (scale(transform(pixels, matrices, size)), targets)
        )
        return batches.prefetch(2)

    def _validation_batches(self) -> tf.data.Dataset:
        scale, val = model_info(self.model).preprocessing.scale, self.val

        def draw(step: int) -> list[np.ndarray]:
            rows = slice(step * _AT_ONCE, (step + 1) * _AT_ONCE)
            return [val.pixels[rows], val.targets[rows]]

        batches = _batches(draw, [val.pixels[:0], val.targets], 0).map(
            lambda pixels, targets: (scale(tf.cast(pixels, tf.float32)), targets)
        )
        return batches.take(-(-len(val.pixels) // _AT_ONCE)).prefetch(2)


def _batches(
    draw: Callable[[int], list[np.ndarray]], like: list[np.ndarray], first_step: int
) -> tf.data.Dataset:
    """Return the batches from a step on without end, each drawn by its number."""

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        parts = tf.numpy_function(draw, [step], [values.dtype for values in like])
        for part, values in zip(parts, like, strict=True):
            part.set_shape((None, *values.shape[1:]))
        return tuple(parts)

    return tf.data.Dataset.range(first_step, np.iinfo("int64").max).map(batch)


def has_gpu() -> bool:
    """Return whether training computes in float16."""
    return bool(tf.config.list_physical_devices("GPU"))


def in_mixed_precision(model: keras.Model) -> keras.Model:
    """Return a copy of a network that computes in float16; weights and outputs stay in float32."""
    last = model.layers[-1].name

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        policy = "float32" if layer.name == last else "mixed_float16"
        return type(layer).from_config({**layer.get_config(), "dtype": policy})

    network = keras.models.clone_model(model, clone_function=convert)
    network.set_weights(model.get_weights())
    return network
