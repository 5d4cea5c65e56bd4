"""How much there is of each frequency in photos: what MaCo's pictures have, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.fourier import natural_scale, spectrum_of

#: Deviation of each decorrelated colour of a photo, before the sigmoid.
_CONTRAST = 1.4


def photo_magnitudes(
    photos: Sequence[str] | pd.Series, *, size: int = 192, max_photos: int = 256
) -> np.ndarray:
    r"""Return the mean magnitude of each frequency in photos.

    Parameters
    ----------
    photos
        Paths. A few dozen are enough; those that cannot be read are left out.
    size
        Height and width of the pictures that are to have them, in pixels.
    max_photos
        How many of the photos, spread evenly, are read.

    Returns
    -------
    numpy.ndarray
        float32 (3, size, size // 2 + 1), by decorrelated colour.

    Raises
    ------
    FeatureVisError
        None of the photos can be read.

    See Also
    --------
    natural_magnitudes : Without photos.

    References
    ----------
    Fel et al.: Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained
    Optimization, NeurIPS 2023, arXiv 2306.06805, section 3.2: :math:`r = \mathrm{E}_x |F(x)|`. Here
    photos fade towards their edges: otherwise the step from one edge to the opposite one draws
    lines all over the pictures.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> file = f"{tempfile.mkdtemp()}/a.png"
    >>> Image.linear_gradient("L").save(file)
    >>> photo_magnitudes([file], size=32).shape
    (3, 32, 17)
    """
    from hotelviz.images import iterate_images

    paths = list(photos)
    chosen = paths[:: max(1, -(-len(paths) // max_photos))]
    count, total = 0, np.zeros((3, size, size // 2 + 1))
    for batch in iterate_images(chosen, size=(size, size), batch_size=16):
        if len(batch.rows):
            count += len(batch.rows)
            total += np.abs(spectrum_of(batch.pixels, window=True)).sum(axis=0)
    if not count:
        raise FeatureVisError(
            f"none of {len(chosen):,} photos can be read: there are no magnitudes to take from them"
        )
    return np.asarray(total / count, "float32")


def natural_magnitudes(size: int = 192) -> np.ndarray:
    """Return magnitudes that fall by 1/f, as those of photos do on average.

    Parameters
    ----------
    size
        As in `photo_magnitudes`.

    Returns
    -------
    numpy.ndarray
        float32 (3, size, size // 2 + 1).

    Examples
    --------
    >>> natural_magnitudes(32).shape
    (3, 32, 17)
    """
    scale = natural_scale(size)
    # By Parseval's theorem, but for the mean colour; the other half plane has the same magnitudes.
    squares = scale[0].astype("float64") ** 2
    power = 2 * (squares.sum() - squares[0, 0]) * (size / 4) ** 2 / size**4
    return np.asarray(scale / np.sqrt(power) * _CONTRAST, "float32")
