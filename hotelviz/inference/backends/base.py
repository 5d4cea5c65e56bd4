"""What runs a network on pixels: Keras, or OpenVINO, which is faster on a processor.

Both take 8-bit pixels and give float32 outputs; what the model does to pixels first is part of
what they compute. An engine other than Keras is made from the model itself, kept in a cache by the
model's fingerprint, and compared with Keras on a built-in batch whenever it is loaded.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from hotelviz.errors import BackendError, ModelError
from hotelviz.models import cached_function, freeze, model_info

__all__ = ["ENGINES", "Engine", "forward", "make_engine"]

ENGINES = ("keras", "openvino")
Precision = Literal["float32", "bfloat16"]

#: How far an engine's scores may be from Keras': in points from 1 to 10, of a tagger in
#: probability.
TOLERANCE: dict[str, float] = {"float32": 0.01, "bfloat16": 0.05}


class Engine(ABC):
    """Runs one network on pixels.

    Attributes
    ----------
    model
        The Keras model that it runs.
    name
        One of `ENGINES`.
    precision
        ``float32`` or ``bfloat16``.
    batch_size
        Photos a call that it is fastest with.
    parallel
        How many threads may call it at once to keep the machine busy.
    """

    model: keras.Model
    name: str
    precision: str
    batch_size: int
    parallel: int

    def __repr__(self) -> str:
        return f"{self.name} {self.precision}"

    @abstractmethod
    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Give the network's outputs, float32 (N, outputs), for uint8 (N, height, width, 3)."""


def make_engine(
    model: keras.Model, engine: str = "keras", *, precision: Precision | None = None
) -> Engine:
    """Make the engine that runs a model.

    Parameters
    ----------
    model
        With its description (see `hotelviz.models.describe`).
    engine
        ``keras`` or ``openvino``.
    precision
        What OpenVINO multiplies in: ``float32`` or ``bfloat16``. None takes bfloat16 where the
        processor has instructions for it and the model's scores stay close enough, and float32
        otherwise; the engine says which it is. Keras computes in float32.

    Returns
    -------
    Engine

    Raises
    ------
    BackendError
        An unknown engine or one that is not installed, a model that it cannot convert, or
        predictions further from Keras' than 0.01 in float32 or 0.05 in bfloat16.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> make_engine(model)
    keras float32
    """
    if engine not in ENGINES:
        raise BackendError(f"engine must be one of {', '.join(ENGINES)}; not {engine!r}")
    if precision is not None and precision not in TOLERANCE:
        raise BackendError(f"precision must be one of {', '.join(TOLERANCE)}; not {precision!r}")
    if engine == "keras":
        if precision == "bfloat16":
            raise BackendError("the engine 'keras' computes in float32; bfloat16 needs 'openvino'")
        return _Keras(model)
    made: Engine = cached_function(
        model, f"openvino {precision}", lambda: _checked_openvino(model, precision)
    )
    return made


def forward(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function from 8-bit pixels to the model's outputs, as Keras computes them.

    It is compiled once for each model, with the weights that the model has then: about 1.5 times as
    fast as ``model.predict`` on two cores.

    Parameters
    ----------
    model
        With its description (see `hotelviz.models.describe`).

    Returns
    -------
    callable
        Takes uint8 (N, height, width, 3), gives float32 (N, outputs).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> forward(model)(np.zeros((3, 32, 32, 3), "uint8")).shape
    (3, 2)
    """
    function, spec = from_pixels(model)
    run = cached_function(model, "forward", lambda: freeze(function, spec))

    def call(pixels: np.ndarray) -> np.ndarray:
        check_pixels(pixels, model)
        return run(pixels)[0]

    return call


def from_pixels(model: keras.Model) -> tuple[Callable[[tf.Tensor], tf.Tensor], tf.TensorSpec]:
    """Give the network with its preprocessing as a function of 8-bit pixels, and their shape."""
    preprocessing = model_info(model).preprocessing

    def outputs(pixels: tf.Tensor) -> tf.Tensor:
        return model(preprocessing.scale(tf.cast(pixels, tf.float32)), training=False)

    return outputs, tf.TensorSpec((None, *preprocessing.size, 3), tf.uint8)


def check_pixels(pixels: np.ndarray, model: keras.Model) -> None:
    wanted = (None, *model_info(model).preprocessing.size, 3)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != wanted[1:]:
        raise ModelError(
            f"the model takes uint8 pixels of shape {wanted}, not {pixels.dtype} {pixels.shape}"
        )


class _Keras(Engine):
    name, precision, batch_size, parallel = "keras", "float32", 64, 1

    def __init__(self, model: keras.Model) -> None:
        self.model, self._run = model, forward(model)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return self._run(pixels)


def _checked_openvino(model: keras.Model, precision: Precision | None) -> Engine:
    if importlib.util.find_spec("openvino") is None:
        raise BackendError(
            "the engine 'openvino' needs the package openvino: pip install 'hotelviz[fast]'"
        )
    from hotelviz.inference.backends.openvino import EXACT_LAYERS, OpenVino, computes_bfloat16

    capable = computes_bfloat16()
    if precision == "bfloat16" and not capable:
        # OpenVINO would take it, and be slower than in float32.
        raise BackendError("this processor does not compute in bfloat16; take precision='float32'")
    closest = float("inf")
    if capable and precision != "float32":
        for layers in EXACT_LAYERS:
            engine = OpenVino(model, "bfloat16", layers)
            off = deviation(model, engine)
            if off <= TOLERANCE["bfloat16"]:
                return engine
            closest = min(closest, off)
    if precision != "bfloat16":
        engine = OpenVino(model, "float32")
        closest = deviation(model, engine)
        if closest <= TOLERANCE["float32"]:
            return engine
    other = "precision='float32'" if precision == "bfloat16" else "engine='keras'"
    raise BackendError(
        f"{model_info(model).backbone}: the predictions of {engine} are up to {closest:.3f} from "
        f"Keras', more than {TOLERANCE[engine.precision]}; take {other}"
    )


def deviation(model: keras.Model, engine: Engine) -> float:
    """Say how far an engine is from Keras on the built-in batch; infinite for no number at all."""
    pixels = built_in_batch(model_info(model).preprocessing.size)
    scaled = model_info(model).preprocessing.scale(tf.constant(pixels, tf.float32))
    expected = np.asarray(model(scaled, training=False))
    found = engine.predict(pixels)
    if model_info(model).task != "tagger":
        expected, found = (values @ np.arange(1.0, 11.0)[:, None] for values in (expected, found))
    off = np.abs(found - expected).max()
    return float(off) if np.isfinite(off) else float("inf")


def built_in_batch(size: tuple[int, int], count: int = 16) -> np.ndarray:
    """Draw pixels to compare engines on: areas of colour with edges and grain, light and dark.

    Returns
    -------
    numpy.ndarray
        uint8 (count, height, width, 3), always the same.
    """
    random = np.random.default_rng(0)
    batch = []
    for number in range(count):
        coarse = random.integers(0, 256, (3 + number % 5, 3 + number % 7, 3), dtype="uint8")
        kind = Image.Resampling.NEAREST if number % 2 else Image.Resampling.BICUBIC
        smooth = np.asarray(Image.fromarray(coarse).resize(size[::-1], kind), "float32")
        grain = random.normal(0, 4.0 * (number % 4), (*size, 3))
        batch.append(((smooth * (0.4 + number / count) + grain).clip(0, 255)).astype("uint8"))
    return np.stack(batch)
