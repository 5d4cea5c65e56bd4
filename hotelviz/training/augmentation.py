"""Random changes of training photos, each photo interpolated once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

#: Both shapes of the Beta distribution that MixUp draws from: mostly little of one of the photos.
_MIXUP = (0.4, 0.4)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is changed at random in a training photo, the same for every class.

    Parameters
    ----------
    scale : tuple of float, default (0.7, 1.0)
        Smallest and largest share of the photo's sides that a random crop keeps, 0 to 1.
    rotation : float, default 10.0
        Largest turn to either side, in degrees; corners are filled by reflection.
    flip : bool, default True
        Mirror every other photo left to right.
    colour : float, default 0.0
        How much brightness, contrast and saturation change at most, as a share: 0 to 1.

    Examples
    --------
    >>> Augmentation(scale=(0.875, 0.875), rotation=0.0).matrices(1, 256, 224, seed=0).shape
    (1, 8)
    """

    scale: tuple[float, float] = (0.7, 1.0)
    rotation: float = 10.0
    flip: bool = True
    colour: float = 0.0

    def matrices(self, n_photos: int, stored: int, size: int, *, seed: Any) -> np.ndarray:
        """Draw the affine transforms from output to input pixels, one a photo.

        Crop, rotation and flip become one transform, so that a photo is interpolated once.

        Parameters
        ----------
        n_photos : int
            How many.
        stored, size : int
            Height and width of the stored photo and of the result, in pixels.
        seed : int or sequence of int
            What `numpy.random.default_rng` takes.

        Returns
        -------
        numpy.ndarray
            float32 (n_photos, 8), as `transform` takes them.
        """
        random = np.random.default_rng(seed)
        side = random.uniform(*self.scale, n_photos) * stored
        # The crop's centre, anywhere that keeps the crop inside the photo.
        x, y = (random.uniform(side / 2, stored - side / 2) for _ in range(2))
        angle = np.deg2rad(random.uniform(-self.rotation, self.rotation, n_photos))
        mirror = np.where(self.flip & (random.random(n_photos) < 0.5), -1.0, 1.0)
        step, half = side / size, (size - 1) / 2
        a0, a1 = step * np.cos(angle) * mirror, -step * np.sin(angle)
        b0, b1 = step * np.sin(angle) * mirror, step * np.cos(angle)
        zero = np.zeros(n_photos)
        matrices = [
            a0, a1, x - 0.5 - half * (a0 + a1),
            b0, b1, y - 0.5 - half * (b0 + b1), zero, zero,
        ]  # fmt: skip
        return np.stack(matrices, axis=1).astype("float32")

    def colours(self, n_photos: int, *, seed: Any) -> np.ndarray:
        """Draw factors of brightness, contrast and saturation, as `recolour` takes them.

        Returns
        -------
        numpy.ndarray
            float32 (n_photos, 3), around 1.
        """
        random = np.random.default_rng(seed)
        return random.uniform(1 - self.colour, 1 + self.colour, (n_photos, 3)).astype("float32")


def mixing(share: float, n_photos: int, size: int, *, seed: Any) -> tuple[np.ndarray, np.ndarray]:
    """Draw how the photos of a batch are mixed in pairs, by MixUp or by CutMix.

    Parameters
    ----------
    share : float
        How often a batch is mixed, half of the times in each way: 0 to 1.
    n_photos : int
        In the batch.
    size : int
        Height and width of the photos in pixels.
    seed : int or sequence of int
        What `numpy.random.default_rng` takes.

    Returns
    -------
    mask : numpy.ndarray
        float32 (size, size, 1), how much of each pixel a photo keeps, 0 to 1: the same everywhere
        (MixUp), or nothing in one square (CutMix). Its mean is what it keeps of its target.
    order : numpy.ndarray
        int32 (n_photos,), whose photo each gets the rest of.

    References
    ----------
    Zhang et al.: mixup: Beyond Empirical Risk Minimization, ICLR 2018, arXiv 1710.09412.
    Yun et al.: CutMix, ICCV 2019, arXiv 1905.04899.

    Examples
    --------
    >>> mask, order = mixing(0.0, 2, 4, seed=0)
    >>> float(mask.mean())
    1.0
    """
    random = np.random.default_rng(seed)
    order = random.permutation(n_photos).astype("int32")
    mask = np.ones((size, size, 1), "float32")
    if random.random() < share:
        if random.random() < 0.5:
            mask *= random.beta(*_MIXUP)
        else:
            side = round(size * np.sqrt(random.random()))
            top, left = random.integers(0, size - side + 1, 2)
            mask[top : top + side, left : left + side] = 0
    return mask, order


def transform(pixels: Any, matrices: Any, size: int, *, resample: str = "bilinear") -> Any:
    """Apply affine transforms to photos.

    Parameters
    ----------
    pixels : tensor or array
        Shape (N, height, width, 3).
    matrices : tensor or array
        float32 (N, 8), from `Augmentation.matrices`.
    size : int
        Height and width of the result.
    resample : str, default "bilinear"
        ``nearest`` for a network that knows photos from files by their nearest pixels; any other
        kind is bilinear here.

    Returns
    -------
    tensorflow.Tensor
        float32 (N, size, size, 3), in the range of `pixels`.
    """
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(pixels, tf.float32),
        transforms=matrices,
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="NEAREST" if resample == "nearest" else "BILINEAR",
        fill_mode="REFLECT",
    )


def recolour(pixels: Any, factors: Any) -> Any:
    """Change brightness, contrast and saturation of photos.

    Parameters
    ----------
    pixels : tensor or array
        float32 (N, height, width, 3), 0 to 255.
    factors : tensor or array
        float32 (N, 3), from `Augmentation.colours`; 1 changes nothing.

    Returns
    -------
    tensorflow.Tensor
        float32, of the same shape, 0 to 255.
    """
    import tensorflow as tf

    brightness, contrast, saturation = (factors[:, number, None, None, None] for number in range(3))
    pixels = pixels * brightness
    mean = tf.reduce_mean(pixels, axis=(1, 2, 3), keepdims=True)
    pixels = (pixels - mean) * contrast + mean
    grey = tf.reduce_mean(pixels, axis=3, keepdims=True)
    return tf.clip_by_value((pixels - grey) * saturation + grey, 0.0, 255.0)
