"""Build networks of a backbone and a head; save and load them.

Models are flat: the head stands on ``backbone.output``, so that every layer is one of the model's
own layers and class activation maps, gradients and filter pictures reach it by name. A model file
is one ``.keras`` archive with a member ``hotelviz.json`` that says what the model is for, which
classes it knows and how its photos are prepared.
"""

# ruff: noqa: E402
from hotelviz.models.backend import require_tensorflow

# Before the modules below import Keras, which would fail for the want of the other backend.
require_tensorflow()

from hotelviz.models.activations import logits
from hotelviz.models.description import (
    TASKS,
    ModelError,
    ModelInfo,
    ModelWarning,
    Preprocessing,
    Task,
    compiled,
    constant_graph,
    describe,
    frozen,
    redescribe,
    weights_fingerprint,
)
from hotelviz.models.files import adopt, load_model, read_info, save_model
from hotelviz.models.graph import (
    Step,
    last_convolution,
    pooled_step,
    spatial_step,
    split_head,
    steps,
)
from hotelviz.models.learned import (
    Judged,
    Learned,
    learned_photos,
    photos_to_judge,
    remember,
    seen_photos,
)
from hotelviz.models.losses import earth_movers_distance, mean_score_error
from hotelviz.models.networks import (
    backbone_range,
    build_aesthetic,
    build_tagger,
    continue_from,
)

__all__ = [
    "TASKS",
    "Judged",
    "Learned",
    "ModelError",
    "ModelInfo",
    "ModelWarning",
    "Preprocessing",
    "Step",
    "Task",
    "adopt",
    "backbone_range",
    "build_aesthetic",
    "build_tagger",
    "compiled",
    "constant_graph",
    "continue_from",
    "describe",
    "earth_movers_distance",
    "frozen",
    "last_convolution",
    "learned_photos",
    "load_model",
    "logits",
    "mean_score_error",
    "photos_to_judge",
    "pooled_step",
    "read_info",
    "redescribe",
    "remember",
    "save_model",
    "seen_photos",
    "spatial_step",
    "split_head",
    "steps",
    "weights_fingerprint",
]
