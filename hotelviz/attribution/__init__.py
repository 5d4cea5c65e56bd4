"""Find the pixels that led to a prediction, and see whether maps of them can be trusted.

`explain` computes maps by any of seven methods, for taggers and aesthetic models alike.
"""

from hotelviz.attribution.confusions import Confusion, explain_confusion, explain_confusions
from hotelviz.attribution.deletion import curve_areas, deletion_insertion
from hotelviz.attribution.geometry import Axis
from hotelviz.attribution.maps import contributions, evidence_maps, explain
from hotelviz.attribution.methods import METHODS, QUICK_METHODS
from hotelviz.attribution.overlay import COLORMAP, overlay
from hotelviz.attribution.photos import read_pixels
from hotelviz.attribution.receptive_field import (
    Grid,
    feature_grid,
    receptive_field,
    upsample_to_input,
)
from hotelviz.attribution.sanity_checks import (
    method_agreement,
    parameter_randomization,
    pointing_game,
    trust_table,
)
from hotelviz.attribution.targets import MEAN_SCORE, Target, target_name
from hotelviz.errors import AttributionError

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
    "contributions",
    "curve_areas",
    "deletion_insertion",
    "evidence_maps",
    "explain",
    "explain_confusion",
    "explain_confusions",
    "feature_grid",
    "method_agreement",
    "overlay",
    "parameter_randomization",
    "pointing_game",
    "read_pixels",
    "receptive_field",
    "target_name",
    "trust_table",
    "upsample_to_input",
]
