"""Hints: before its head, a student learns the last feature map of its teacher.

What a teacher says of a photo are a few numbers; what it sees are a thousand channels at each of
49 places. A student that was cut out of its teacher is taught these: by one pointwise layer, which
is thrown away in the end, its own last feature map has to give the teacher's. Both see the same
crop, and no label is needed.

References
----------
Romero et al.: FitNets: Hints for Thin Deep Nets, ICLR 2015, arXiv 1412.6550.
Beyer et al.: Knowledge distillation: A good teacher is patient and consistent, CVPR 2022, arXiv
2106.05237 (the same crop for both, and many epochs).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from hotelviz.errors import ModelError
from hotelviz.models import constant_graph, fitted_pointwise, model_info, without_head
from hotelviz.training.augmentation import Augmentation, transform
from hotelviz.training.batches import drawn_views, numbered_batches
from hotelviz.training.callbacks import WarmUp, cosine_decay
from hotelviz.training.checkpoints import PhaseCheckpoint
from hotelviz.training.head import Photos
from hotelviz.training.settings import DistillationSettings

#: The name of the phase, of its checkpoints, and in a model's description.
PHASE = "hints"
#: The teacher sees the crop, too: it need not show what the whole photo does.
_CROPS = Augmentation(scale=(0.6, 1.0), rotation=0.0)
_LEARNING_RATE = 1e-3
#: How much the mean over all places counts beside the places: it is what a head takes.
_POOLED = 4.0
#: Photos that the pointwise layer is fitted to at first, and that are run at once.
_SHOWN, _AT_ONCE = 256, 32


class Hints:
    """What a student learns of its teacher before its head.

    Parameters
    ----------
    student : keras.Model
        Its layers under the head learn.
    teacher : keras.Model
        With a last feature map of the same height and width at the student's input size.
    settings : DistillationSettings
        ``hint_epochs``, ``batch_size`` and ``seed`` count.

    Raises
    ------
    ModelError
        Feature maps of different sizes, or a network without one.
    """

    def __init__(
        self, student: keras.Model, teacher: keras.Model, settings: DistillationSettings
    ) -> None:
        self.settings, self.prepared = settings, model_info(student).preprocessing
        self.theirs = model_info(teacher).preprocessing
        self.student, self.teacher = (
            without_head(each, self.prepared.size) for each in (student, teacher)
        )
        sizes = [each.output_shape[1:3] for each in (self.student, self.teacher)]
        if sizes[0] != sizes[1]:
            own, other = ("{} x {}".format(*size) for size in sizes)
            raise ModelError(
                f"the last feature map of the student is {own}, that of its teacher {other}: one "
                "cannot be taught by the other. Say hint_epochs=0"
            )

    def learn(self, photos: Photos, folder: Path, *, progress: bool) -> list[dict[str, Any]]:
        """Run the epochs that are left to do, and return a row for each that was done."""
        settings = self.settings
        network, spread = self._with_adapter(photos)
        for layer in self.student.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.9  # few steps: statistics have to follow the weights
        network.compile(keras.optimizers.Adam(_LEARNING_RATE), loss=_apart)
        network.optimizer.build(network.trainable_variables)
        steps = -(-len(photos) // settings.batch_size)
        checkpoint = PhaseCheckpoint(
            folder, PHASE, epochs=settings.hint_epochs, seed=settings.seed, choose=False,
            progress=progress,
        )  # fmt: skip
        if not checkpoint.ended:
            steering = [
                cosine_decay(_LEARNING_RATE, settings.hint_epochs), WarmUp(_LEARNING_RATE, steps),
            ]  # fmt: skip
            batches = self._batches(photos, spread, checkpoint.first * steps)
            checkpoint.fit(network, batches, None, *steering, steps_per_epoch=steps)
        checkpoint.load_best(network)
        return [
            {name: row[name] for name in ("epoch", "loss", "seconds")} for row in checkpoint.history
        ]

    def _with_adapter(self, photos: Photos) -> tuple[keras.Model, np.ndarray]:
        """Return the student with the layer that gives the teacher's map, and that map's spread."""
        rows = np.linspace(0, len(photos) - 1, min(_SHOWN, len(photos))).astype(int)
        whole = Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)
        size, found = self.prepared.height, []
        for some in np.array_split(rows, -(-len(rows) // _AT_ONCE)):
            matrices = whole.matrices(len(some), photos.pixels.size, size, seed=0)
            values = self._changed(photos.pixels[some], matrices)
            maps = (
                # As it is trained: normalised by the batch.
                self.student(self.prepared.scale(values), training=True),
                self.teacher(self.theirs.scale(values), training=False),
            )
            found.append([np.asarray(each).reshape(-1, each.shape[-1]) for each in maps])
        ours, theirs = (np.concatenate(each) for each in zip(*found, strict=True))
        # A channel that is silent in these photos must not count without end.
        spread = theirs.std(axis=0) + 0.01 * max(float(theirs.std()), 1e-6)
        activation = "relu" if theirs.min() >= 0 else None
        adapter = layers.Conv2D(theirs.shape[1], 1, activation=activation, name="adapter")
        network = keras.Model(self.student.input, adapter(self.student.output))
        adapter.set_weights(list(fitted_pointwise(ours, theirs / spread)))
        return network, spread.astype("float32")

    def _changed(self, pixels: Any, matrices: Any) -> Any:
        return transform(pixels, matrices, self.prepared.height, resample=self.prepared.resample)

    def _batches(self, photos: Photos, spread: np.ndarray, first: int) -> tf.data.Dataset:
        """Draw crops, with the teacher's feature map of each."""
        size = self.prepared.height
        draw = drawn_views(
            photos.pixels, photos.weights, _CROPS, size,
            batch_size=self.settings.batch_size, seed=self.settings.seed,
        )  # fmt: skip
        asked = constant_graph(
            lambda values: self.teacher(self.theirs.scale(values), training=False),
            tf.TensorSpec((None, size, size, 3), tf.float32),
        )

        def teach(pixels: Any, matrices: Any) -> tuple[Any, Any]:
            values = self._changed(pixels, matrices)
            return self.prepared.scale(values), asked(values)[0] / spread

        like = [photos.pixels[:0], np.empty((0, 8), "float32")]
        batches = numbered_batches(lambda step: list(draw(step)[1:]), like, first)
        return batches.map(teach).prefetch(2)


def _apart(taught: Any, given: Any) -> Any:
    """Return how far feature maps are apart, at each place and in the mean."""
    error = given - taught
    pooled = tf.reduce_mean(error, axis=(1, 2))
    return tf.reduce_mean(error**2, axis=(1, 2, 3)) + _POOLED * tf.reduce_mean(pooled**2, axis=1)
