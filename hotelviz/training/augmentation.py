"""Random changes of training photos, each photo interpolated once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


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

    Examples
    --------
    >>> Augmentation(scale=(0.875, 0.875), rotation=0.0).matrices(1, 256, 224, seed=0).shape
    (1, 8)
    """

    scale: tuple[float, float] = (0.7, 1.0)
    rotation: float = 10.0
    flip: bool = True

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


def mixing(alpha: float, n_photos: int, *, seed: Any) -> np.ndarray:
    """Draw in which shares photos of a batch are mixed, each with one other.

    Parameters
    ----------
    alpha : float
        Of the Beta distribution that the shares are drawn from; 0 mixes nothing.
    n_photos : int
        In the batch.
    seed : int or sequence of int
        What `numpy.random.default_rng` takes.

    Returns
    -------
    numpy.ndarray
        float32 (n_photos, n_photos); each row sums to 1. Its products with photos and targets are
        the mixed ones.

    References
    ----------
    Zhang et al.: mixup: Beyond Empirical Risk Minimization, ICLR 2018, arXiv 1710.09412.

    Examples
    --------
    >>> mixing(0.0, 2, seed=0).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    own = np.eye(n_photos, dtype="float32")
    if not alpha:
        return own
    random = np.random.default_rng(seed)
    share = random.beta(alpha, alpha, (n_photos, 1)).astype("float32")
    mixed: np.ndarray = share * own + (1 - share) * own[random.permutation(n_photos)]
    return mixed


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
