"""Perceptual hashes: copies of a photo differ in few bits."""

from __future__ import annotations

import numpy as np
from PIL import Image


def perceptual_hash(pixels: np.ndarray) -> int:
    """Compute 64 bits of a photo, in few of which copies of it differ.

    The difference hash: whether each of 8 x 8 brightness values is above its left neighbour.

    Parameters
    ----------
    pixels
        uint8 (height, width, 3), or (height, width) of brightness.

    Returns
    -------
    int
        0 to 2**64 - 1; the number of differing bits says how different two photos are.

    References
    ----------
    Krawetz: Kind of like that, 2013; computed by the imagehash package.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 180, 2, dtype="uint8")[:, None], (60, 1, 3))
    >>> hex(perceptual_hash(ramp)), hex(perceptual_hash(ramp[:, ::-1]))
    ('0xffffffffffffffff', '0x0')
    """
    import imagehash  # Here: processes that only decode do without it.

    bits = imagehash.dhash(Image.fromarray(pixels)).hash
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")
