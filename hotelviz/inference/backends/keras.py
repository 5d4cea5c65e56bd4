"""Keras as the backend."""

from __future__ import annotations

import keras
import numpy as np

from hotelviz.inference.backends.base import Backend
from hotelviz.models import activations


class KerasBackend(Backend):
    """Computes in float32, with the weights that the model has when this is made."""

    name, precision, batch_size, parallel = "keras", "float32", 64, 1

    def __init__(self, model: keras.Model) -> None:
        self.model, self._run = model, activations(model)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's outputs."""
        return np.asarray(self._run(pixels))
