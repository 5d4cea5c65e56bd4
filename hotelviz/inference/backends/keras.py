"""Keras as the backend."""

from __future__ import annotations

import keras
import numpy as np

from hotelviz.inference.backends.base import Backend
from hotelviz.models import activations, gap_node


class KerasBackend(Backend):
    """Computes in float32, with the weights that the model has when this is made."""

    name, precision, batch_size, parallel = "keras", "float32", 64, 1

    def __init__(self, model: keras.Model) -> None:
        self.model, self._run = model, activations(model)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's outputs."""
        return np.asarray(self._run(pixels))


class FeatureBackend(Backend):
    """Computes features, too: what the last layer is given, behind the outputs in each row.

    Of a model whose last layer is not given pooled features, there are outputs alone.
    """

    name, precision, batch_size, parallel = "keras", "float32", 64, 1

    def __init__(self, model: keras.Model) -> None:
        pooled = gap_node(model)
        self.model, self._run = model, activations(model, [None, *filter(None, [pooled])])
        self.n_features = 0 if pooled is None else int(pooled.output.shape[-1])

    @property
    def n_outputs(self) -> int:
        """Numbers for each photo: outputs, then features."""
        return super().n_outputs + self.n_features

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's outputs, and the features behind them."""
        return np.concatenate(self._run(pixels), axis=1)
