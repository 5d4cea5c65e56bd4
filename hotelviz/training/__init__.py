"""Train taggers and aesthetic models in two phases: the head alone, then all layers.

`train` prepares photos and targets, `fine_tuning` runs the phases, `checkpoints` lets a stopped
training go on, `pixel_cache` decodes each photo once.
"""

from hotelviz.training.fine_tuning import Augmentation
from hotelviz.training.train import balanced_weights, history, train_aesthetic, train_tagger

__all__ = ["Augmentation", "balanced_weights", "history", "train_aesthetic", "train_tagger"]
