"""Which backend and precision run a model, and whether they are exact enough.

A backend other than Keras is made from the model itself, and compared with Keras on a built-in
batch whenever it is loaded. Here bfloat16 is refused.
"""

from __future__ import annotations

import importlib.util

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from hotelviz.errors import BackendError
from hotelviz.inference.backends.base import Backend, Precision
from hotelviz.inference.backends.keras import KerasBackend
from hotelviz.models import cached_function, model_info, pixel_function
from hotelviz.schema import SCORES

#: What can run networks, by name.
BACKENDS = ("keras", "openvino")

#: How far a backend's scores may be from Keras': in points from 1 to 10, of a tagger in
#: probability.
TOLERANCE: dict[Precision, float] = {"float32": 0.01, "bfloat16": 0.05}


def make_backend(
    model: keras.Model, backend: str = "keras", *, precision: Precision | None = None
) -> Backend:
    """Return the backend that runs a model.

    Parameters
    ----------
    model : keras.Model
        With its description (see `hotelviz.models.model_info`).
    backend : {"keras", "openvino"}, default "keras"
        What runs it.
    precision : {"float32", "bfloat16"}, optional
        What OpenVINO multiplies in. None takes bfloat16 where the processor has instructions for
        it and the model's scores stay close enough, and float32 otherwise; the backend says which
        it is. Keras computes in float32.

    Returns
    -------
    Backend

    Raises
    ------
    BackendError
        A backend that is unknown or not installed, a model that it cannot convert, a precision
        that it or the processor does not have, or predictions further from Keras' than 0.01 in
        float32 or 0.05 in bfloat16.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> make_backend(model)
    keras float32
    """
    if backend not in BACKENDS:
        raise BackendError(f"backend must be one of {', '.join(BACKENDS)}; not {backend!r}")
    if precision is not None and precision not in TOLERANCE:
        raise BackendError(f"precision must be one of {', '.join(TOLERANCE)}; not {precision!r}")
    if backend == "keras":
        if precision == "bfloat16":
            raise BackendError("the backend 'keras' computes in float32; bfloat16 needs 'openvino'")
        return KerasBackend(model)
    made: Backend = cached_function(
        model, f"openvino {precision}", lambda: _checked_openvino(model, precision)
    )
    return made


def _checked_openvino(model: keras.Model, precision: Precision | None) -> Backend:
    if importlib.util.find_spec("openvino") is None:
        raise BackendError(
            "the backend 'openvino' needs the package openvino: pip install 'hotelviz[fast]'"
        )
    from hotelviz.inference.backends import openvino

    capable = openvino.computes_bfloat16()
    if precision == "bfloat16" and not capable:
        # OpenVINO would take it, and be slower than in float32.
        raise BackendError("this processor does not compute in bfloat16; take precision='float32'")
    ways: list[tuple[Precision, int]] = []
    if capable and precision != "float32":
        ways += [("bfloat16", n_layers) for n_layers in openvino.EXACT_LAYERS]
    if precision != "bfloat16":
        ways.append(("float32", 0))
    closest = float("inf")
    for kind, n_layers in ways:
        backend = openvino.OpenVinoBackend(model, kind, n_layers)
        found = deviation(model, backend)
        if found <= TOLERANCE[kind]:
            return backend
        closest = found if kind == "float32" else min(closest, found)
    other = "precision='float32'" if precision == "bfloat16" else "backend='keras'"
    raise BackendError(
        f"{model_info(model).backbone}: the predictions of {backend} are up to {closest:.3f} from "
        f"Keras', more than {TOLERANCE[backend.precision]}; take {other}"
    )


def deviation(model: keras.Model, backend: Backend) -> float:
    """Return how far a backend is from Keras on the built-in batch; infinite for no number.

    Parameters
    ----------
    model : keras.Model
        What `backend` was made from.
    backend : Backend
        What is compared.

    Returns
    -------
    float
        The largest difference: of mean scores in points, of a tagger in probability.
    """
    pixels = built_in_batch(model_info(model).preprocessing.size)
    function, _ = pixel_function(model)
    expected, found = function(tf.constant(pixels))[0].numpy(), backend.predict(pixels)
    if model_info(model).task != "tagger":
        expected, found = expected @ np.array(SCORES), found @ np.array(SCORES)
    off = np.abs(found - expected).max()
    return float(off) if np.isfinite(off) else float("inf")


def built_in_batch(size: tuple[int, int], n_photos: int = 16) -> np.ndarray:
    """Draw pixels to compare backends on: areas of colour with edges and grain, light and dark.

    Returns
    -------
    numpy.ndarray
        uint8 (n_photos, height, width, 3), always the same.
    """
    random = np.random.default_rng(0)
    batch = []
    for number in range(n_photos):
        coarse = random.integers(0, 256, (3 + number % 5, 3 + number % 7, 3), dtype="uint8")
        kind = Image.Resampling.NEAREST if number % 2 else Image.Resampling.BICUBIC
        smooth = np.asarray(Image.fromarray(coarse).resize(size[::-1], kind), "float32")
        grain = random.normal(0, 4.0 * (number % 4), (*size, 3))
        light = smooth * (0.4 + number / n_photos) + grain
        batch.append(light.clip(0, 255).astype("uint8"))
    return np.stack(batch)
