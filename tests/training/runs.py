"""Short trainings, interrupted ones, and how their courses are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import pandas as pd
import pytest

from hotelviz.images import iterate_images
from hotelviz.training import history, pixel_cache
from hotelviz.training.checkpoints import PhaseCheckpoint

QUICK = {
    "input_size": 32,
    "backbone_kw": {"alpha": 0.25},
    "batch_size": 16,
    "progress": False,
}
SHORT = {**QUICK, "weights": None, "fine_tune_epochs": 2}
TUNED = {**QUICK, "fine_tune_epochs": 2, "fine_tune_learning_rate": 1e-2}


class InterruptedTrainingError(Exception):
    pass


@contextmanager
def interrupted(after: int) -> Iterator[None]:
    """End a training that has done so many epochs, before the next one is kept."""
    original, done = PhaseCheckpoint.on_epoch_end, []

    def stop(self, epoch, logs=None):
        if len(done) == after:
            raise InterruptedTrainingError
        done.append(epoch)
        original(self, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhaseCheckpoint, "on_epoch_end", stop)
        with pytest.raises(InterruptedTrainingError):
            yield


def shuffled(photos: pd.DataFrame, seed: int) -> pd.DataFrame:
    return photos.sample(frac=1, random_state=seed)


def course_of(model: keras.Model) -> pd.DataFrame:
    return history(model).drop(columns="seconds")


def counted_decoding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list that gets the path of each photo that is decoded."""
    asked: list[str] = []

    def note(paths, **kw):
        asked.extend(paths)
        return iterate_images(paths, **kw)

    monkeypatch.setattr(pixel_cache, "iterate_images", note)
    return asked
