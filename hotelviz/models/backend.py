"""The Keras backend has to be TensorFlow; checked before Keras is imported."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from hotelviz.errors import KerasBackendError


def require_tensorflow() -> None:
    """Check that Keras computes with TensorFlow, as everything here does.

    Raises
    ------
    KerasBackendError
        When ``KERAS_BACKEND``, or else Keras' own settings file, names another backend.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    where, backend = "KERAS_BACKEND", os.environ.get("KERAS_BACKEND")
    if not backend:
        where, backend = str(home / "keras.json"), "tensorflow"
        # Keras takes its defaults then, too.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            backend = json.loads(Path(where).read_text()).get("backend", backend)
    if backend != "tensorflow":
        raise KerasBackendError(
            f"{where} says that Keras computes with {backend!r}, but hotelviz computes with "
            "TensorFlow: set KERAS_BACKEND=tensorflow before Python starts"
        )
