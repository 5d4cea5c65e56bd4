"""Photos in, predictions out.

Photos are decoded in threads ahead of the network, once for all networks, and become batches of
8-bit pixels; an engine runs the network on them. Every row of the catalogue gives a row of the
result: a photo that could not be read says why instead of being dropped.
"""

import hotelviz.models  # noqa: F401, first: it refuses another backend before Keras is imported
from hotelviz.errors import BackendError, InferenceError
from hotelviz.inference.backends.base import ENGINES, Engine, forward, make_engine
from hotelviz.inference.dataset import PART_SIZE, score_photos
from hotelviz.inference.pipeline import Throughput
from hotelviz.inference.predict import predict_scores, predict_tags
from hotelviz.inference.runner import Scorer

__all__ = [
    "ENGINES",
    "PART_SIZE",
    "BackendError",
    "Engine",
    "InferenceError",
    "Scorer",
    "Throughput",
    "forward",
    "make_engine",
    "predict_scores",
    "predict_tags",
    "score_photos",
]
