"""What every backend offers: it runs one network on 8-bit pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

import keras
import numpy as np

Precision: TypeAlias = Literal["float32", "bfloat16"]


class Backend(ABC):
    """Runs one network on pixels; what the model does to pixels first is part of it.

    Attributes
    ----------
    model : keras.Model
        The model that it runs.
    name : str
        One of `hotelviz.inference.BACKENDS`.
    precision : {"float32", "bfloat16"}
        What it multiplies in.
    batch_size : int
        Photos per call that it is fastest with.
    parallel : int
        How many threads may call it at once to keep the machine busy.
    """

    model: keras.Model
    name: str
    precision: Precision
    batch_size: int
    parallel: int

    def __repr__(self) -> str:
        return f"{self.name} {self.precision}"

    @property
    def n_outputs(self) -> int:
        """Numbers for each photo."""
        return int(self.model.output_shape[-1])

    @abstractmethod
    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's outputs, float32 (N, outputs), for uint8 (N, height, width, 3)."""
