"""Find the pixels that led to a prediction, and what wrong predictions have in common.

`explain` computes maps by any of seven methods, for taggers and aesthetic models alike.
"""

from hotelviz.attribution.detective import Confusion, explain_confusion
from hotelviz.attribution.geometry import Axis
from hotelviz.attribution.grid import Grid, feature_grid, place, receptive_field
from hotelviz.attribution.maps import METHODS, QUICK_METHODS, contributions, explain, read_pixels
from hotelviz.attribution.overlay import COLORMAP, colour_bar, overlay
from hotelviz.attribution.target import MEAN_SCORE, AttributionError, Target, target_name
from hotelviz.attribution.trust import (
    agreement,
    curve_areas,
    deletion_insertion,
    localisation,
    randomisation,
    trust_table,
)

__all__ = [
    "COLORMAP",
    "MEAN_SCORE",
    "METHODS",
    "QUICK_METHODS",
    "AttributionError",
    "Axis",
    "Confusion",
    "Grid",
    "Target",
    "agreement",
    "colour_bar",
    "contributions",
    "curve_areas",
    "deletion_insertion",
    "explain",
    "explain_confusion",
    "feature_grid",
    "localisation",
    "overlay",
    "place",
    "randomisation",
    "read_pixels",
    "receptive_field",
    "target_name",
    "trust_table",
]
