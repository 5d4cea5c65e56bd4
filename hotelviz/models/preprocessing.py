"""How a photo becomes a network's input: size, resize filter, value range."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from hotelviz.errors import ModelError, check_choice

#: How pixels 0 to 255 become what the network expects, by the value range's name.
#: The arithmetic is that of `keras.applications.imagenet_utils.preprocess_input`.
_VALUE_RANGES = ("-1..1", "0..1", "0..255", "imagenet-bgr", "imagenet-normalised")
_BGR_MEAN = (103.939, 116.779, 123.68)
_RGB_MEAN, _RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Of an input, in pixels a side.
_SMALLEST, _LARGEST = 32, 4096


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input: the same in training and prediction.

    Parameters
    ----------
    height, width
        Of the input, in pixels; photos are stretched to it.
    resample
        The filter of the resizing: ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``.
    value_range
        ``-1..1``, ``0..1``, ``0..255``, ``imagenet-bgr`` (channels reversed, ImageNet's mean
        subtracted) or ``imagenet-normalised`` (0..1, then ImageNet's mean and deviation).

    Examples
    --------
    >>> Preprocessing(224, 224).scale(np.array([0.0, 127.5, 255.0]))
    array([-1.,  0.,  1.])
    """

    height: int
    width: int
    resample: str = "bilinear"
    value_range: str = "-1..1"

    def __post_init__(self) -> None:
        filters = ("nearest", "bilinear", "bicubic", "lanczos")
        check_choice(self.resample, filters, "preprocessing: resample", ModelError)
        check_choice(self.value_range, _VALUE_RANGES, "preprocessing: value_range", ModelError)
        for name, side in (("height", self.height), ("width", self.width)):
            if isinstance(side, bool) or not isinstance(side, int | np.integer):
                raise ModelError(f"preprocessing: {side!r} is no whole number of pixels")
            object.__setattr__(self, name, int(side))
        given = f"preprocessing: {self.height} x {self.width}"
        if min(self.size) < _SMALLEST:
            raise ModelError(f"{given} is less than {_SMALLEST} pixels")
        if max(self.size) > _LARGEST:
            raise ModelError(f"{given} is more than {_LARGEST} pixels")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def scale(self, pixels: Any) -> Any:
        """Bring pixels from 0 to 255 to the network's value range.

        Parameters
        ----------
        pixels
            RGB in 0 to 255, shape (..., 3), a float array or tensor.

        Returns
        -------
        array or tensor
            Of the same kind and shape.
        """
        if self.value_range == "-1..1":
            return pixels / 127.5 - 1.0
        if self.value_range == "0..1":
            return pixels / 255.0
        if self.value_range == "imagenet-bgr":
            return pixels[..., ::-1] - np.array(_BGR_MEAN, "float32")
        if self.value_range == "imagenet-normalised":
            return (pixels / 255.0 - np.array(_RGB_MEAN, "float32")) / np.array(_RGB_STD, "float32")
        return pixels
