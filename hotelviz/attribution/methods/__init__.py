"""The methods of `hotelviz.attribution.explain`, a file for each family.

Each is a function that prepares a model and returns the function from pixels and target weights
(see `hotelviz.attribution.targets`) to maps: of the cells of a feature map for those of
`CELL_METHODS`, of pixels for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotelviz.attribution.methods.cam import class_activation_map, gradient_activation_map
from hotelviz.attribution.methods.gradient import pixel_gradient
from hotelviz.attribution.methods.perturbation import score_activation_map
from hotelviz.attribution.targets import MakeMaps

if TYPE_CHECKING:
    import keras

#: The methods of `hotelviz.attribution.explain`, by name.
METHODS = ("cam", "gradcam", "gradcam++", "layercam", "scorecam", "saliency", "smoothgrad")
#: Those that take no longer than predicting, or little longer.
QUICK_METHODS = ("cam", "gradcam", "gradcam++", "layercam", "saliency")
#: Those whose maps have a cell for each cell of a feature map.
CELL_METHODS = METHODS[:5]


def map_function(model: keras.Model, method: str, layer: str | None, seed: int) -> MakeMaps:
    """Return the function of a method: from pixels and target weights to maps.

    Parameters
    ----------
    model
        With its description.
    method
        One of `METHODS`.
    layer
        Whose maps are weighted, by name; of ``gradcam``, ``gradcam++``, ``layercam`` and
        ``scorecam``.
    seed
        Of the noise of ``smoothgrad``.
    """
    if method == "cam":
        return class_activation_map(model)
    if method in ("saliency", "smoothgrad"):
        return pixel_gradient(model, smooth=method == "smoothgrad", seed=seed)
    assert layer is not None
    if method == "scorecam":
        return score_activation_map(model, layer)
    return gradient_activation_map(model, method, layer)
