"""The two-phase regime of transfer learning, on photos that are decoded once.

First only the new head learns, at a high learning rate, on backbone features that are computed
once, so that an epoch takes seconds. Then all layers learn at a low rate, on photos that are
augmented anew in every epoch, with batch normalisation frozen. A network without pretrained
weights has nothing to protect: all its layers learn from the start.

A training that was interrupted goes on from its last whole epoch and ends as if it had not been.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import callbacks, layers
from tqdm.auto import tqdm

from hotelviz.models import model_info, split_head
from hotelviz.training.checkpoints import Averages, Course
from hotelviz.training.pixel_cache import Pixels

__all__ = ["Augmentation", "Objective", "Photos", "fit_two_phases", "has_gpu"]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is changed at random in a training photo, the same for every class.

    Parameters
    ----------
    scale
        Smallest and largest share of the photo's sides that a random crop keeps, 0 to 1.
    rotation
        Largest turn to either side, in degrees; corners are filled by reflection.
    flip
        Mirror every other photo left to right.

    Examples
    --------
    >>> Augmentation(scale=(0.875, 0.875), rotation=0.0).matrices(1, 256, 224, seed=0).shape
    (1, 8)
    """

    scale: tuple[float, float] = (0.7, 1.0)
    rotation: float = 10.0
    flip: bool = True

    def matrices(self, count: int, stored: int, size: int, *, seed: Any) -> np.ndarray:
        """Draw the affine transforms from output to input pixels, one a photo.

        Crop, rotation and flip become one transform, so that a photo is interpolated once.

        Parameters
        ----------
        count
            How many.
        stored, size
            Height and width of the stored photo and of the result, in pixels.
        seed
            What `numpy.random.default_rng` takes.

        Returns
        -------
        numpy.ndarray
            float32 (count, 8), as ``tf.raw_ops.ImageProjectiveTransformV3`` takes them.
        """
        random = np.random.default_rng(seed)
        side = random.uniform(*self.scale, count) * stored
        # The crop's centre, anywhere that keeps the crop inside the photo.
        x, y = (random.uniform(side / 2, stored - side / 2) for _ in range(2))
        angle = np.deg2rad(random.uniform(-self.rotation, self.rotation, count))
        mirror = np.where(self.flip & (random.random(count) < 0.5), -1.0, 1.0)
        step, half = side / size, (size - 1) / 2
        a0, a1 = step * np.cos(angle) * mirror, -step * np.sin(angle)
        b0, b1 = step * np.sin(angle) * mirror, step * np.cos(angle)
        zero = np.zeros(count)
        matrices = [
            a0, a1, x - 0.5 - half * (a0 + a1),
            b0, b1, y - 0.5 - half * (b0 + b1), zero, zero,
        ]  # fmt: skip
        return np.stack(matrices, axis=1).astype("float32")


@dataclasses.dataclass
class Photos:
    """Photos of one split, decoded once, with their targets and weights."""

    pixels: Pixels
    targets: np.ndarray
    weights: np.ndarray


class Objective(NamedTuple):
    """What a training makes small, and the metrics that its history shows beside that."""

    loss: Any
    metrics: tuple[Any, ...]


def fit_two_phases(
    model: keras.Model,
    train: Photos,
    val: Photos,
    objective: Objective,
    settings: Mapping[str, Any],
    augmentation: Augmentation | None,
    folder: Path,
    progress: bool,
) -> list[dict[str, Any]]:
    """Run both phases on `model`; their history."""
    rows: list[dict[str, Any]] = []
    if settings["head_epochs"]:
        rows += _fit_head(model, train, val, objective, settings, folder, progress)
    if settings["fine_tune_epochs"]:
        rows += _fit_all(model, train, val, objective, settings, augmentation, folder, progress)
    return [{**row, "epoch": number} for number, row in enumerate(rows, start=1)]


def _compile(
    network: keras.Model,
    objective: Objective,
    learning_rate: float,
    *,
    average_over: int = 0,
    mixed: bool = False,
) -> None:
    """Compile with Adam; the average of the last steps' weights errs less than any one step's."""
    optimizer = keras.optimizers.Adam(
        learning_rate,
        use_ema=average_over > 0,
        ema_momentum=1 - 1 / max(average_over, 2),
    )
    network.compile(
        keras.optimizers.LossScaleOptimizer(optimizer) if mixed else optimizer,
        objective.loss,
        metrics=list(objective.metrics),
        weighted_metrics=[],
    )
    # All variables are made here: a step that makes some itself is traced twice, which can take
    # longer than a short training does.
    network.optimizer.build(network.trainable_variables)
    some = np.full((1, network.output_shape[-1]), 1 / network.output_shape[-1], "float32")
    network.compute_loss(y=some, y_pred=some, training=False)
    network.compute_metrics(None, some, some)
    network.reset_metrics()


def _stop_and_slow(patience: int) -> list[callbacks.Callback]:
    return [
        callbacks.EarlyStopping(monitor="val_loss", patience=patience),
        callbacks.ReduceLROnPlateau(
            monitor="val_loss", patience=max(1, patience // 2), factor=1 / 3
        ),
    ]


def _cosine(settings: Mapping[str, Any]) -> callbacks.Callback:
    """Slow down evenly, where nothing can be judged by.

    Validation is too unsteady to judge a network that starts from nothing, and there may be none.
    """
    epochs, first = settings["fine_tune_epochs"], settings["fine_tune_learning_rate"]
    return callbacks.LearningRateScheduler(
        lambda epoch: float(first * (1 + np.cos(np.pi * epoch / epochs)) / 2)
    )


class _WarmUp(callbacks.Callback):
    """Raise the learning rate evenly over the first epoch.

    Adam's first steps are as long as the learning rate whatever the gradient is; at full length
    they would undo what the backbone has learned before.
    """

    def __init__(self, learning_rate: float, steps: int) -> None:
        super().__init__()
        self.learning_rate, self.steps, self.warming = learning_rate, steps, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.warming = epoch == 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if self.warming:
            self.model.optimizer.learning_rate = self.learning_rate * (batch + 1) / self.steps


def _features(model: keras.Model, pixels: Pixels, *, mirror: bool, progress: bool) -> np.ndarray:
    """Compute the pooled backbone features; photos are resized to the input on the way."""
    preprocessing = model_info(model).preprocessing
    pooled, _ = split_head(model)
    body = keras.Model(model.input, pooled.output)

    @tf.function(reduce_retracing=True)
    def run(batch: tf.Tensor) -> tf.Tensor:
        resized = tf.image.resize(batch, preprocessing.size, antialias=True)
        return body(preprocessing.scale(resized), training=False)

    parts = [np.zeros((0, pooled.output.shape[-1]), "float32")]
    with tqdm(total=len(pixels), unit="photo", desc="features", disable=not progress) as bar:
        for start in range(0, len(pixels), 64):
            batch = pixels[start : start + 64]
            parts.append(np.asarray(run(batch[:, :, ::-1] if mirror else batch)))
            bar.update(len(batch))
    return np.concatenate(parts)


def _fit_head(
    model: keras.Model,
    train: Photos,
    val: Photos,
    objective: Objective,
    settings: Mapping[str, Any],
    folder: Path,
    progress: bool,
) -> list[dict[str, Any]]:
    pooled, layers_of_head = split_head(model)
    inputs = keras.Input(pooled.output.shape[1:])
    outputs = inputs
    for layer in layers_of_head:
        outputs = layer(outputs)
    head = keras.Model(inputs, outputs)
    _compile(head, objective, settings["head_learning_rate"])
    judged = bool(len(val.pixels))
    course = Course(
        folder, "head", epochs=settings["head_epochs"], seed=settings["seed"], choose=judged,
        judges=_stop_and_slow(2 * settings["patience"]) if judged else (),
    )  # fmt: skip
    if not course.ended:
        mirrored = [False, True] if settings["augmentation"] else [False]
        features = np.concatenate(
            [_features(model, train.pixels, mirror=flip, progress=progress) for flip in mirrored]
        )
        targets, weights = (
            np.concatenate([values] * len(mirrored)) for values in (train.targets, train.weights)
        )
        steps = -(-len(features) // settings["batch_size"])
        head.fit(
            _feature_batches(features, targets, weights, settings, course.first * steps),
            validation_data=(
                _features(model, val.pixels, mirror=False, progress=progress), val.targets
            ) if judged else None,
            validation_batch_size=settings["batch_size"],
            steps_per_epoch=steps,
            initial_epoch=course.first,
            epochs=course.epochs,
            shuffle=False,
            callbacks=[course],
            verbose=0,
        )  # fmt: skip
    course.load_best(head)
    return course.history


def _feature_batches(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    settings: Mapping[str, Any],
    first_step: int,
) -> tf.data.Dataset:
    """Give the features in an order that depends on nothing but the seed and the epoch."""
    seed, count = settings["seed"], settings["batch_size"]
    steps = -(-len(features) // count)
    order = functools.lru_cache(1)(
        lambda epoch: np.random.default_rng((seed, epoch, 2)).permutation(len(features))
    )

    def draw(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        epoch, place = divmod(int(step), steps)
        rows = order(epoch)[place * count : (place + 1) * count]
        return features[rows], targets[rows], weights[rows]

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        parts = tf.numpy_function(draw, [step], [tf.float32] * 3)
        for part, values in zip(parts, (features, targets, weights), strict=True):
            part.set_shape((None, *values.shape[1:]))
        return tuple(parts)

    return tf.data.Dataset.range(first_step, np.iinfo("int64").max).map(batch).prefetch(2)


def _fit_all(
    model: keras.Model,
    train: Photos,
    val: Photos,
    objective: Objective,
    settings: Mapping[str, Any],
    augmentation: Augmentation | None,
    folder: Path,
    progress: bool,
) -> list[dict[str, Any]]:
    pretrained, judged = settings["weights"] is not None, bool(len(val.pixels))
    mixed = has_gpu()
    # A second model: the one that is saved stays without optimizer state, and in float32.
    network = _in_mixed_precision(model) if mixed else keras.Model(model.input, model.output)
    norms = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in norms:
        if pretrained:
            layer.trainable = False
        else:
            # Few steps an epoch: the statistics have to follow the weights more closely.
            layer.momentum = 0.9
    steps = -(-len(train.pixels) // settings["batch_size"])
    epochs = settings["fine_tune_epochs"]
    _compile(
        network,
        objective,
        settings["fine_tune_learning_rate"],
        # Of a short training the first steps, which are far off, should not weigh.
        average_over=min(100, 2 + steps * epochs // 20) if pretrained else 0,
        mixed=mixed,
    )
    # Validation and the checkpoints see the averaged weights. Live batch normalisation has no
    # statistics for those.
    averages = [Averages()] if pretrained else []
    slowed = pretrained and judged
    course = Course(
        folder,
        "fine_tune" if pretrained else "from_scratch",
        epochs=epochs,
        seed=settings["seed"],
        judges=_stop_and_slow(settings["patience"]) if slowed else (),
        averages=averages[0] if averages else None,
        choose=judged,
        progress=progress,
    )
    if not course.ended:
        network.fit(
            _training_batches(model, train, settings, augmentation, course.first * steps),
            validation_data=_validation_batches(model, val) if judged else None,
            steps_per_epoch=steps,
            initial_epoch=course.first,
            epochs=epochs,
            shuffle=False,
            callbacks=[
                *averages,
                *([] if slowed else [_cosine(settings)]),
                *([_WarmUp(settings["fine_tune_learning_rate"], steps)] if pretrained else []),
                course,
            ],
            verbose=0,
        )
    course.load_best(network)
    for layer in norms:
        layer.trainable = True
    if mixed:
        model.set_weights(network.get_weights())
    return course.history


def has_gpu() -> bool:
    """Whether training computes in float16."""
    return bool(tf.config.list_physical_devices("GPU"))


def _in_mixed_precision(model: keras.Model) -> keras.Model:
    """Copy a network so that it computes in float16; its weights and outputs stay in float32."""
    last = model.layers[-1].name

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        policy = "float32" if layer.name == last else "mixed_float16"
        return type(layer).from_config({**layer.get_config(), "dtype": policy})

    network = keras.models.clone_model(model, clone_function=convert)
    network.set_weights(model.get_weights())
    return network


def _training_batches(
    model: keras.Model,
    train: Photos,
    settings: Mapping[str, Any],
    augmentation: Augmentation | None,
    first_step: int,
) -> tf.data.Dataset:
    """Draw photos by their weights and change them at random.

    A batch depends on nothing but the seed and its number, so that a training that goes on after
    an interruption sees what it would have seen.
    """
    preprocessing = model_info(model).preprocessing
    seed, count = settings["seed"], settings["batch_size"]
    odds = train.weights.astype("float64") / train.weights.sum(dtype="float64")
    stored, size = train.pixels.size, preprocessing.height

    def draw(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = np.sort(np.random.default_rng((seed, step)).choice(len(odds), count, p=odds))
        kind = augmentation or Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)
        matrices = kind.matrices(count, stored, size, seed=(seed, step, 1))
        return train.pixels[rows], train.targets[rows], matrices

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, targets, matrices = tf.numpy_function(
            draw, [step], [tf.uint8, tf.float32, tf.float32]
        )
        pixels.set_shape((count, stored, stored, 3))
        targets.set_shape((count, train.targets.shape[1]))
        changed = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(pixels, tf.float32),
            transforms=matrices,
            output_shape=[size, size],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="REFLECT",
        )
        changed.set_shape((count, size, size, 3))
        return preprocessing.scale(changed), targets

    return tf.data.Dataset.range(first_step, np.iinfo("int64").max).map(batch).prefetch(2)


def _validation_batches(model: keras.Model, val: Photos) -> tf.data.Dataset:
    preprocessing = model_info(model).preprocessing

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(val.pixels), 64):
            pixels = val.pixels[start : start + 64].astype("float32")
            yield preprocessing.scale(pixels), val.targets[start : start + 64]

    signature = (
        tf.TensorSpec((None, *preprocessing.size, 3), tf.float32),
        tf.TensorSpec((None, val.targets.shape[1]), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-len(val.pixels) // 64)))
