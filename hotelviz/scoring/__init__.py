"""Photos in, predictions out.

Photos are decoded in threads ahead of the network, once for all networks, and become batches of
8-bit pixels; an engine runs the network on them. Every row of the catalogue gives a row of the
result: a photo that could not be read says why instead of being dropped.
"""

import hotelviz.models  # noqa: F401, first: it refuses another backend before Keras is imported
from hotelviz.scoring.access import ScoringError
from hotelviz.scoring.dataset import PART_SIZE, score_photos
from hotelviz.scoring.engines import (
    ENGINES,
    Engine,
    EngineError,
    cache_folder,
    forward,
    make_engine,
)
from hotelviz.scoring.pipeline import Speed
from hotelviz.scoring.predict import predict_scores, predict_tags
from hotelviz.scoring.scorer import Scorer

__all__ = [
    "ENGINES",
    "PART_SIZE",
    "Engine",
    "EngineError",
    "Scorer",
    "ScoringError",
    "Speed",
    "cache_folder",
    "forward",
    "make_engine",
    "predict_scores",
    "predict_tags",
    "score_photos",
]
