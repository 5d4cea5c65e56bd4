"""Pictures as Fourier spectra with decorrelated colours, as in Lucid, or as phases alone (MaCo)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

#: Square root of the covariance of ImageNet's colours, scaled to a longest column of 1
#: (lucid/optvis/param/color.py).
_COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], "float32")
_COLOURS /= np.linalg.norm(_COLOURS, axis=0).max()
#: Values of pixels, 0 to 1, beyond which a photo is black or white.
_WITHIN = (0.02, 0.98)
#: Contrast of a picture of noise.
_NOISE = 0.01


def noise_spectrum(size: int, seed: tuple[int, int]) -> np.ndarray:
    """Return the spectrum of a noise picture: real, imaginary, (2, 3, size, size // 2 + 1)."""
    random = np.random.default_rng(seed)
    return random.standard_normal((2, 3, size, size // 2 + 1), "float32") * np.float32(_NOISE)


def noise_phases(size: int, seed: tuple[int, int]) -> np.ndarray:
    """Return the phases of a noise picture, in radians, (1, 3, size, size // 2 + 1)."""
    random = np.random.default_rng(seed)
    return random.uniform(-np.pi, np.pi, (1, 3, size, size // 2 + 1)).astype("float32")


def natural_scale(size: int) -> np.ndarray:
    """Return 1/f, by which frequencies of photos are scaled, (3, size, size // 2 + 1)."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    scale = 1 / np.maximum(frequency, 1 / size)
    return np.broadcast_to(scale, (3, *scale.shape)).astype("float32")


def spectrum_of(pixels: np.ndarray, *, window: bool = False) -> np.ndarray:
    """Return the spectrum of photos: its magnitudes and phases are those of `picture_of`.

    Parameters
    ----------
    pixels
        uint8 (N, size, size, 3).
    window
        Whether photos fade towards their edges (Hann), so that the step from one edge to the
        opposite one does not count as horizontal and vertical lines.

    Returns
    -------
    numpy.ndarray
        complex (N, 3, size, size // 2 + 1), by decorrelated colour.
    """
    size = pixels.shape[1]
    # What the sigmoid of `picture_of` undoes; black and white lie at infinity.
    values = (pixels / 255.0).clip(*_WITHIN)
    colours = np.log(values / (1 - values)) @ np.linalg.inv(_COLOURS).T
    if window:
        mean = colours.mean(axis=(1, 2), keepdims=True)
        fading = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
        fading = np.outer(fading, fading)[..., None]
        # What is left has the contrast that there was.
        colours = mean + (colours - mean) * fading / np.sqrt((fading**2).mean())
    return np.asarray(np.fft.rfft2(colours, axes=(1, 2)).transpose(0, 3, 1, 2) / (size / 4))


def picture_of(state: tf.Tensor, magnitudes: tf.Tensor, side: int) -> tf.Tensor:
    """Return the pictures of spectra or phases, values 0 to 1.

    A smaller picture has the low frequencies only; it is the larger one, blurred.

    Parameters
    ----------
    state
        Of pictures of any size, real and imaginary parts (N, 2, 3, size, size // 2 + 1), which
        `magnitudes` scale; or phases (N, 1, 3, size, size // 2 + 1), which have them.
    magnitudes
        (3, size, size // 2 + 1), as `natural_scale` returns them, or those of `spectrum_of`.
    side
        Height and width of the pictures, at most the size.
    """
    import tensorflow as tf

    size = int(state.shape[3])
    if state.shape[1] == 1:
        whole = tf.complex(tf.cos(state[:, 0]), tf.sin(state[:, 0]))
    else:
        whole = tf.complex(state[:, 0], state[:, 1])
    whole *= tf.cast(magnitudes, tf.complex64)
    if side < size:
        low = (side + 1) // 2
        whole = tf.concat([whole[:, :, :low], whole[:, :, low - side :]], axis=2)
        whole = whole[..., : side // 2 + 1]
    # Values keep their size when there are fewer pixels to add up to.
    pixels = tf.signal.irfft2d(whole, [side, side]) * (side / size) ** 2 * size / 4
    colours = tf.einsum("nchw,dc->nhwd", pixels, tf.constant(_COLOURS))
    return tf.sigmoid(colours)
