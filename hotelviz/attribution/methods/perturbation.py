"""What is left of the target when parts of a photo are hidden: Score-CAM (arXiv 1910.01279)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hotelviz.attribution.receptive_field import feature_grid, upsample_to_input
from hotelviz.attribution.targets import MakeMaps, fill_predicted, target_gradient, target_value

if TYPE_CHECKING:
    import keras

#: Channels that Score-CAM tries: those that vary most over the photo.
_CHANNELS = 16
#: The blur that hides a part of a photo, as a share of the photo's side.
_BLUR = 1 / 12


def score_activation_map(model: keras.Model, layer: str) -> MakeMaps:
    """Return the function from pixels and target weights to Score-CAM's maps at a layer, (N, h, w).

    Channels are weighted by what is left of the target when only what excites them is shown.
    `tf_keras_vis.scorecam.Scorecam` chooses the channels of a whole batch together, so that a map
    would depend on what else is in the batch, and cannot subtract what the empty picture scores,
    which the paper does and a mean score needs.
    """
    from hotelviz.models import activations, spatial_node

    run = activations(model, [spatial_node(model, layer), "logits"])
    grid = feature_grid(model, layer)

    def compute(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        features, logits_of = run(pixels)
        weights = fill_predicted(weights, logits_of)
        maps = np.zeros(features.shape[:3], "float32")
        for number, (photo, cells) in enumerate(zip(pixels, features, strict=True)):
            varied = np.argsort(-cells.std(axis=(0, 1)), kind="stable")[:_CHANNELS]
            chosen = np.moveaxis(cells[..., varied], -1, 0)
            lowest = chosen.min(axis=(1, 2), keepdims=True)
            masks = upsample_to_input(scaled_to_one(chosen - lowest), grid, photo.shape[:2])
            # The last one hides everything; what is hidden has the photo's mean colour.
            masks = np.concatenate([masks, np.zeros_like(masks[:1])])[..., None]
            mean = photo.mean(axis=(0, 1), dtype="float32")
            logits = run((mean + (photo - mean) * masks).round().astype("uint8"))[1]
            own = weights[number : number + 1]
            left = target_value(own, logits)
            if not np.ptp(left):  # certain of every one of them
                left = logits @ target_gradient(own, run(photo[None])[1])[0]
            maps[number] = np.tensordot(left[:-1] - left[-1], chosen, axes=1)
        return maps

    return compute


def scaled_to_one(maps: np.ndarray) -> np.ndarray:
    """Return maps, (N, h, w), each divided by its maximum; all zero where nothing is above 0."""
    peak = maps.max(axis=(1, 2), keepdims=True, initial=0)
    return np.asarray(np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0))


def blur_baseline(photo: np.ndarray) -> np.ndarray:
    """Return a photo, blurred until nothing in it can be recognised; it hides parts in all checks.

    Parameters
    ----------
    photo
        uint8 (height, width, 3).
    """
    from PIL import Image, ImageFilter

    blur = ImageFilter.GaussianBlur(_BLUR * photo.shape[0])
    return np.asarray(Image.fromarray(photo).filter(blur))
