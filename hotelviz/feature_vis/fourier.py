"""Pictures as Fourier spectra with decorrelated colours, as in Lucid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

#: Square root of the covariance of ImageNet's colours, scaled to a longest column of 1
#: (lucid/optvis/param/color.py).
_COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], "float32")
_COLOURS /= np.linalg.norm(_COLOURS, axis=0).max()
#: Contrast of a picture of noise.
_NOISE = 0.01


def noise_spectrum(size: int, seed: tuple[int, int]) -> np.ndarray:
    """Return the spectrum of a noise picture: real, imaginary, (2, 3, size, size // 2 + 1)."""
    random = np.random.default_rng(seed)
    return random.standard_normal((2, 3, size, size // 2 + 1), "float32") * np.float32(_NOISE)


def picture_of(spectrum: tf.Tensor, side: int, size: int) -> tf.Tensor:
    """Return the pictures of spectra, values 0 to 1.

    A smaller picture has the low frequencies only; it is the larger one, blurred.

    Parameters
    ----------
    spectrum
        Of pictures of `size`, (N, 2, 3, size, size // 2 + 1); frequencies are scaled by 1/f.
    side
        Height and width of the pictures, at most `size`.
    """
    import tensorflow as tf

    rows = np.fft.fftfreq(size)[:, None]
    frequency = np.hypot(rows, np.fft.rfftfreq(size)[None])
    scale = (1 / np.maximum(frequency, 1 / size)).astype("float32")
    whole = tf.complex(spectrum[:, 0], spectrum[:, 1]) * tf.cast(scale, tf.complex64)
    if side < size:
        low = (side + 1) // 2
        whole = tf.concat([whole[:, :, :low], whole[:, :, low - side :]], axis=2)
        whole = whole[..., : side // 2 + 1]
    # Values keep their size when there are fewer pixels to add up to.
    pixels = tf.signal.irfft2d(whole, [side, side]) * (side / size) ** 2 * size / 4
    colours = tf.einsum("nchw,dc->nhwd", pixels, tf.constant(_COLOURS))
    return tf.sigmoid(colours)
