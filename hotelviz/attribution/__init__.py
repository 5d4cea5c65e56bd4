"""Find the pixels that led to a prediction, and what wrong predictions have in common.

`explain` computes maps by any of seven methods, for taggers and aesthetic models alike.
"""

from hotelviz.attribution.grid import Grid, feature_grid, place
from hotelviz.attribution.maps import METHODS, contributions, evidence, explain
from hotelviz.attribution.overlay import COLORMAP, colour_bar, overlay
from hotelviz.attribution.target import MEAN_SCORE, AttributionError, Target, target_name

__all__ = [
    "COLORMAP",
    "MEAN_SCORE",
    "METHODS",
    "AttributionError",
    "Grid",
    "Target",
    "colour_bar",
    "contributions",
    "evidence",
    "explain",
    "feature_grid",
    "overlay",
    "place",
    "target_name",
]
