"""How fast this machine is: what estimates of time are made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

#: Photos in a batch of a network.
_BATCH = 32


class Rates(NamedTuple):
    """What a machine does in a second.

    Attributes
    ----------
    start : float
        Seconds until a notebook has a network that predicts.
    decoded : float
        Photos decoded per second, by all cores.
    predicted : float
        Photos predicted per second by a MobileNet of full width at 224 pixels.
    """

    start: float
    decoded: float
    predicted: float

    def seconds(self, *, notebook: bool, decoded: float, predicted: float) -> float:
        """Return about how long a step takes that decodes and predicts so many photos.

        Examples
        --------
        >>> Rates(10, 50, 100).seconds(notebook=True, decoded=100, predicted=300)
        15.0
        """
        return self.start * notebook + decoded / self.decoded + predicted / self.predicted


def measure_rates(paths: Sequence[str]) -> Rates | None:
    """Measure this machine for a few seconds, on a few photos and an untrained network.

    Parameters
    ----------
    paths : sequence of str
        Photos; those that cannot be read are passed over.

    Returns
    -------
    Rates or None
        None where no photo can be read.
    """
    from hotelviz.errors import ImageError
    from hotelviz.images import read_image, usable_cores

    read, start = 0, time.perf_counter()
    for path in paths:
        try:
            read_image(path, size=(224, 224))
        except (ImageError, OSError):
            continue
        read += 1
    decoding = time.perf_counter() - start
    if not read:
        return None
    loading, predicting = _network_seconds()
    # A kernel loads what was loaded here, and more: notebooks, figures, the page.
    return Rates(2 * loading, read * usable_cores() / decoding, _BATCH / predicting)


@cache
def _network_seconds() -> tuple[float, float]:
    """Return how long a network takes to load, and to predict a batch."""
    start = time.perf_counter()
    import numpy as np
    import tensorflow as tf

    from hotelviz.models import build_tagger

    predict = tf.function(build_tagger(weights=None))
    photos = np.zeros((_BATCH, 224, 224, 3), "float32")
    predict(photos)
    loading = time.perf_counter() - start
    return loading, min(_seconds(lambda: predict(photos)) for _ in range(3))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
