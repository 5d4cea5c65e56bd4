"""Photos in, predictions out, at any scale.

``preflight`` checks that photos can be read, ``backends`` run a network, ``pipeline`` decodes and
predicts side by side, ``outputs`` turns predictions into columns. ``predict`` does that for tables
in memory; ``dataset`` for many photos: ``resume`` finds what remains, ``runner`` scores it, on this
machine or with ``ray`` on many, and ``parts`` writes it. Every row of a catalogue gives a row of
the result: a photo that could not be read says why instead of being dropped.
"""

import hotelviz.models  # noqa: F401, first: it refuses another backend before Keras is imported
from hotelviz.errors import BackendError, ClusterError, InferenceError
from hotelviz.inference.backends.base import Backend
from hotelviz.inference.backends.registry import BACKENDS, make_backend
from hotelviz.inference.dataset import PART_SIZE, score_photos
from hotelviz.inference.pipeline import Throughput
from hotelviz.inference.predict import predict_scores, predict_tags, predict_with_features
from hotelviz.inference.runner import Scorer

__all__ = [
    "BACKENDS",
    "PART_SIZE",
    "Backend",
    "BackendError",
    "ClusterError",
    "InferenceError",
    "Scorer",
    "Throughput",
    "make_backend",
    "predict_scores",
    "predict_tags",
    "predict_with_features",
    "score_photos",
]
