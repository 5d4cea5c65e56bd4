"""The two-phase regime of transfer learning, on photos that are decoded once.

First only the new head learns, at a high learning rate, on backbone features that are computed
once, so that an epoch takes seconds. Then all layers learn at a low rate, on photos that are
augmented anew in every epoch, with batch normalisation frozen. A network without pretrained
weights has nothing to protect: all its layers learn from the start.

Each photo is decoded once, into a memory-mapped array in the work folder. A training that was
interrupted goes on from its last whole epoch.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import callbacks, layers
from tqdm.auto import tqdm

from hotelviz.images import iterate_images
from hotelviz.io.atomic import atomic_path
from hotelviz.models import describe, split_head

__all__ = ["Augmentation", "Objective", "Photos", "decode_once", "fit_two_phases", "work_folder"]


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
    """Photos of one split, decoded once: a memory-mapped array with its targets and weights."""

    pixels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


class Objective(NamedTuple):
    """What a training makes small, and the metrics that its history shows beside that."""

    loss: Any
    metrics: tuple[Any, ...]


@contextmanager
def work_folder(
    checkpoint_dir: str | os.PathLike[str] | None, settings: Mapping[str, Any]
) -> Iterator[Path]:
    """Give the folder of this training; one that another training left is begun anew."""
    if checkpoint_dir is None:
        with tempfile.TemporaryDirectory(prefix="hotelviz-") as temporary:
            yield Path(temporary)
        return
    folder = Path(checkpoint_dir)
    record = folder / "settings.json"
    text = json.dumps(settings, indent=1)
    if not record.is_file() or record.read_text() != text:
        shutil.rmtree(folder, ignore_errors=True)
        with atomic_path(record) as temporary_file:
            temporary_file.write_text(text)
    yield folder
    shutil.rmtree(folder)


def decode_once(
    rows: pd.DataFrame, size: int, file: Path, *, resample: str, progress: bool
) -> tuple[np.ndarray, list[int], list[dict[str, str]]]:
    """Decode photos into a memory-mapped array; rows that were read; the problems met."""
    about = file.with_suffix(".json")
    shape = (len(rows), size, size, 3)
    if not about.is_file():
        kept: list[int] = []
        problems: list[dict[str, str]] = []
        with (
            atomic_path(file) as temporary,
            tqdm(total=len(rows), unit="photo", desc="decoding", disable=not progress) as bar,
        ):
            pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype="uint8", shape=shape)
            for batch in iterate_images(rows["path"], size=(size, size), resample=resample):
                pixels[len(kept) : len(kept) + len(batch.rows)] = batch.pixels
                kept += batch.rows.tolist()
                problems += [
                    {"path": rows["path"].iloc[row], "problem": problem.reason}
                    for row, problem in batch.problems.items()
                ]
                bar.update(len(batch.rows))
            pixels.flush()
        with atomic_path(about) as temporary:
            temporary.write_text(json.dumps({"kept": kept, "problems": problems}))
    record = json.loads(about.read_text())
    pixels = np.load(file, mmap_mode="r")[: len(record["kept"])]
    return pixels, record["kept"], record["problems"]


class _Log(callbacks.Callback):
    """A row per epoch, kept in a file, so that an interrupted training keeps its history."""

    def __init__(self, file: Path, phase: str) -> None:
        super().__init__()
        self.file, self.phase = file, phase
        self.rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        # An epoch that was interrupted after its row was written is done again.
        del self.rows[epoch:]
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row = {
            "epoch": epoch + 1,
            "phase": self.phase,
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(time.perf_counter() - self.started, 2),
        }
        for name, value in (logs or {}).items():
            if name != "learning_rate":
                row[name] = round(float(value), 5)
        self.rows.append(row)
        with atomic_path(self.file) as temporary:
            temporary.write_text(json.dumps(self.rows))


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


def _stop_and_slow(val: Photos, patience: int) -> list[callbacks.Callback]:
    if not len(val.pixels):
        return []
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


def _best(folder: Path, val: Photos, past: list[dict[str, Any]]) -> callbacks.ModelCheckpoint:
    """Keep the weights of the best epoch (without validation photos: of the last one)."""
    return callbacks.ModelCheckpoint(
        folder / "best.weights.h5",
        monitor="val_loss",
        save_best_only=bool(len(val.pixels)),
        save_weights_only=True,
        initial_value_threshold=min((row["val_loss"] for row in past), default=None)
        if len(val.pixels)
        else None,
    )


def _features(
    model: keras.Model, pixels: np.ndarray, *, mirror: bool, progress: bool
) -> np.ndarray:
    """Compute the pooled backbone features; photos are resized to the input on the way."""
    preprocessing = describe(model).preprocessing
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
    weights_file, log_file = folder / "head.weights.h5", folder / "head.json"
    if weights_file.is_file():
        model.load_weights(weights_file)
        return json.loads(log_file.read_text())
    mirrored = [False, True] if settings["augmentation"] else [False]
    features = np.concatenate(
        [_features(model, train.pixels, mirror=mirror, progress=progress) for mirror in mirrored]
    )
    inputs = keras.Input(features.shape[1:])
    outputs = inputs
    for layer in split_head(model)[1]:
        outputs = layer(outputs)
    head = keras.Model(inputs, outputs)
    _compile(head, objective, settings["head_learning_rate"])
    log, best = _Log(log_file, "head"), _best(folder, val, [])
    head.fit(
        features,
        np.tile(train.targets, (len(mirrored), 1)),
        sample_weight=np.tile(train.weights, len(mirrored)),
        validation_data=(_features(model, val.pixels, mirror=False, progress=progress), val.targets)
        if len(val.pixels)
        else None,
        batch_size=settings["batch_size"],
        epochs=settings["head_epochs"],
        callbacks=[log, best, *_stop_and_slow(val, 2 * settings["patience"])],
        verbose=0,
    )
    head.load_weights(best.filepath)
    Path(best.filepath).unlink()
    model.save_weights(weights_file)
    return log.rows


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
    pretrained = settings["weights"] is not None
    mixed = _has_gpu()
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
    log = _Log(folder / "fine_tune.json", "fine_tune" if pretrained else "from_scratch")
    backup = callbacks.BackupAndRestore(folder / "backup", double_checkpoint=True)
    metadata = folder / "backup" / "training_metadata.json"
    first = json.loads(metadata.read_text())["epoch"] if metadata.is_file() else 0
    best = _best(folder, val, log.rows[:first])
    with tqdm(
        total=epochs, initial=first, unit="epoch", desc=log.phase, disable=not progress
    ) as bar:
        network.fit(
            _training_batches(model, train, settings, augmentation, first * steps),
            validation_data=_validation_batches(model, val) if len(val.pixels) else None,
            steps_per_epoch=steps,
            epochs=epochs,
            shuffle=False,
            callbacks=[
                # Validation, the log and the checkpoint see the averaged weights. Live batch
                # normalisation has no statistics for those.
                *([callbacks.SwapEMAWeights(swap_on_epoch=True)] if pretrained else []),
                log,
                best,
                *(
                    _stop_and_slow(val, settings["patience"])
                    if pretrained and len(val.pixels)
                    else [_cosine(settings)]
                ),
                *([_WarmUp(settings["fine_tune_learning_rate"], steps)] if pretrained else []),
                backup,
                callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.update()),
            ],
            verbose=0,
        )
    network.load_weights(best.filepath)
    for layer in norms:
        layer.trainable = True
    if mixed:
        model.set_weights(network.get_weights())
    return log.rows


def _has_gpu() -> bool:
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
    preprocessing = describe(model).preprocessing
    seed, count = settings["seed"], settings["batch_size"]
    odds = train.weights.astype("float64") / train.weights.sum(dtype="float64")
    stored, size = train.pixels.shape[1], preprocessing.height

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
    preprocessing = describe(model).preprocessing

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
