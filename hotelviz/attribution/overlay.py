"""Overlays of maps on photos."""

from __future__ import annotations

import numpy as np

from hotelviz.errors import AttributionError

#: Perceptually uniform, and safe for colour-blind eyes.
COLORMAP = "inferno"


def overlay(
    image: np.ndarray, activation: np.ndarray, *, alpha: float = 0.55, cmap: str = COLORMAP
) -> np.ndarray:
    """Return a photo with its map laid over it.

    Where the map is low the photo stays as it is, only greyer and darker, so that bright colours
    are always the map's and never the photo's.

    Parameters
    ----------
    image
        uint8 (H, W, 3).
    activation
        From `explain`: float (h, w) with values 0 to 1, stretched over the photo.
    alpha
        How much the colours cover the photo, 0 to 1.
    cmap
        A matplotlib colour map; a perceptually uniform one does not invent edges.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3).

    Raises
    ------
    AttributionError
        Pixels that are not uint8 in red, green and blue, or a map that has other than two sides or
        values outside 0 to 1.

    Examples
    --------
    >>> overlay(np.zeros((4, 4, 3), "uint8"), np.ones((2, 2))).shape
    (4, 4, 3)
    """
    import matplotlib
    from PIL import Image

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise AttributionError(
            f"the photo must be uint8 (height, width, 3), not {image.dtype} {image.shape}"
        )
    activation = np.asarray(activation)
    if activation.ndim != 2 or not activation.size:
        raise AttributionError(f"a map has height and width, not the shape {activation.shape}")
    low, high = activation.min(), activation.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # also of NaN
        raise AttributionError(f"a map has values from 0 to 1, not from {low:.3g} to {high:.3g}")
    whole = Image.fromarray(np.asarray(activation, "float32"))
    size = (image.shape[1], image.shape[0])
    values = np.asarray(whole.resize(size, Image.Resampling.BILINEAR)).clip(0, 1)
    colours = matplotlib.colormaps[cmap](values)[..., :3] * 255
    grey = image @ np.array([0.299, 0.587, 0.114])
    blended = grey[..., None] * (1 - alpha) + colours * alpha
    return np.asarray(blended.round(), "uint8")
