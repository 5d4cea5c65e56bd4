"""What changes the learning rate, ends a phase, and averages weights."""

from __future__ import annotations

import numpy as np
from keras import callbacks


def cosine_decay(learning_rate: float, epochs: int) -> callbacks.Callback:
    """Return what slows down evenly until the last epoch.

    Not where validation gets no better: of a few hundred photos its loss is too unsteady to steer
    by, and rises at first while a network leaves what it was.
    """
    return callbacks.LearningRateScheduler(
        lambda epoch: float(learning_rate * (1 + np.cos(np.pi * epoch / epochs)) / 2)
    )


class WarmUp(callbacks.Callback):  # type: ignore[misc]
    """Raises the learning rate evenly over the first epoch.

    Adam's first steps are as long as the learning rate whatever the gradient is; at full length
    they would undo what the backbone has learned before.
    """

    def __init__(self, learning_rate: float, steps: int) -> None:
        super().__init__()
        self.learning_rate, self.steps, self.warming = learning_rate, steps, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Note whether this is the first epoch."""
        self.warming = epoch == 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Set the learning rate of a step of the first epoch."""
        if self.warming:
            self.model.optimizer.learning_rate = self.learning_rate * (batch + 1) / self.steps


class Averages(callbacks.SwapEMAWeights):  # type: ignore[misc]
    """Puts the average of the last weights into the network at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__(swap_on_epoch=True)

    def mark_swapped(self) -> None:
        """Note that the network holds the averages already, as a checkpoint does."""
        self._ema_weights_in_model = True
