"""Train taggers and aesthetic models in two phases: a linear head, then fine-tuning.

``settings`` states the settings, and what an effort is; ``train`` prepares photos and targets,
``distillation`` those that other networks teach, ``estimate`` says how long it takes, ``hints`` has
a student learn what its teacher sees, ``head`` fits the linear model, ``fine_tuning`` trains more
layers and keeps the better of both, ``batches`` draws photos, ``augmentation`` changes them,
``callbacks`` steers the learning rate, ``checkpoints`` lets a stopped training go on,
``pixel_cache`` decodes each photo once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hotelviz.training.augmentation import Augmentation
from hotelviz.training.settings import (
    AestheticSettings,
    DistillationSettings,
    TaggerSettings,
    TrainingSettings,
)

if TYPE_CHECKING:
    from hotelviz.training.distillation import distill
    from hotelviz.training.train import balanced_weights, history, train_aesthetic, train_tagger

__all__ = [
    "AestheticSettings",
    "Augmentation",
    "DistillationSettings",
    "TaggerSettings",
    "TrainingSettings",
    "balanced_weights",
    "distill",
    "history",
    "train_aesthetic",
    "train_tagger",
]


def __getattr__(name: str) -> Any:
    """Import what needs Keras when it is first used: the settings alone are light."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "distillation" if name == "distill" else "train"
    return getattr(import_module(f"hotelviz.training.{module}"), name)
