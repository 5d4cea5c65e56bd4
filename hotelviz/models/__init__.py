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

from hotelviz.errors import ModelError, ModelWarning
from hotelviz.models.activations import activations, check_pixels, pixel_function
from hotelviz.models.backbones import (
    backbone_range,
    is_backbone_file,
    scaling_layer,
    without_head,
)
from hotelviz.models.build import build_aesthetic, build_tagger, clone_for_task, copy_model
from hotelviz.models.compilation import cached_function, constant_graph
from hotelviz.models.evaluation import EvaluationPhotos, evaluation_photos, validation_photos
from hotelviz.models.graph import (
    Node,
    find_node,
    gap_node,
    iter_nodes,
    last_convolution,
    photo_size,
    spatial_node,
    split_head,
)
from hotelviz.models.hashing import weights_hash
from hotelviz.models.info import (
    TASKS,
    ModelInfo,
    Task,
    model_info,
    read_info,
    refuse_described,
    update_info,
)
from hotelviz.models.levels import level_nodes, level_widths, with_levels
from hotelviz.models.losses import earth_movers_distance, mean_score_error, uncorrelated
from hotelviz.models.outputs import logits
from hotelviz.models.preprocessing import Preprocessing
from hotelviz.models.pretrained import imagenet_weights_available, weights_folder
from hotelviz.models.scales import with_scales
from hotelviz.models.slimming import fitted_pointwise, slim
from hotelviz.models.storage import load_keras, load_model, save_model, wrap_model
from hotelviz.models.training_photos import (
    TrainingPhotos,
    inherit_training_photos,
    layers_learned_from,
    record_training_photos,
    seen_photos,
    training_photos,
)

__all__ = [
    "TASKS",
    "EvaluationPhotos",
    "ModelError",
    "ModelInfo",
    "ModelWarning",
    "Node",
    "Preprocessing",
    "Task",
    "TrainingPhotos",
    "activations",
    "backbone_range",
    "build_aesthetic",
    "build_tagger",
    "cached_function",
    "check_pixels",
    "clone_for_task",
    "constant_graph",
    "copy_model",
    "earth_movers_distance",
    "evaluation_photos",
    "find_node",
    "fitted_pointwise",
    "gap_node",
    "imagenet_weights_available",
    "inherit_training_photos",
    "is_backbone_file",
    "iter_nodes",
    "last_convolution",
    "layers_learned_from",
    "level_nodes",
    "level_widths",
    "load_keras",
    "load_model",
    "logits",
    "mean_score_error",
    "model_info",
    "photo_size",
    "pixel_function",
    "read_info",
    "record_training_photos",
    "refuse_described",
    "save_model",
    "scaling_layer",
    "seen_photos",
    "slim",
    "spatial_node",
    "split_head",
    "training_photos",
    "uncorrelated",
    "update_info",
    "validation_photos",
    "weights_folder",
    "weights_hash",
    "with_levels",
    "with_scales",
    "without_head",
    "wrap_model",
]
