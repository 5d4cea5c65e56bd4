"""Files that end too early: recognised here, loaded as far as they go, and flagged.

Pillow decodes strictly first. Where it cannot load all pixels, the file is truncated: it is decoded
again, and what is missing stays grey or black.
"""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from hotelviz.errors import ImageError
from hotelviz.images.bounds import View
from hotelviz.images.colour import bands, eight_bits
from hotelviz.images.formats import Container
from hotelviz.images.pixels import (
    DAMAGE,
    Decoded,
    TruncatedError,
    decode_once,
    make_views,
    with_orientation,
)


class _PerThread(threading.local):
    """A switch that each thread has for itself.

    Whether Pillow loads truncated files is a global of its module. Standing there as this object,
    whose truth differs from thread to thread, it lets one thread load a truncated file while the
    others still find out about theirs.
    """

    on = False

    def __bool__(self) -> bool:
        return self.on


_lenient = _PerThread()
ImageFile.LOAD_TRUNCATED_IMAGES = _lenient  # type: ignore[assignment]


def decode(photo: Container, views: Sequence[View]) -> Decoded:
    """Decode a photo once for all `views`; the reason is all that its errors say."""
    try:
        if not photo.missing:
            with suppress(TruncatedError):
                return decode_once(photo, views)
        _lenient.on = True
        whole = _ends_early(photo, views) if photo.missing else decode_once(photo, views)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"damaged, or a {photo.format} of a kind that cannot be read") from None
    except (TruncatedError, *DAMAGE) as error:
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    finally:
        _lenient.on = False
    if (whole.views[0] == whole.views[0][0, 0]).all():
        raise ImageError("damaged: ends before the first pixel")
    return whole._replace(truncated=True)


def _ends_early(photo: Container, views: Sequence[View]) -> Decoded:
    """Decode what ends too early in a format whose decoder then gives nothing.

    What is missing is filled in two ways. Where the two differ the pixels hang on it: from there
    on the photo is grey.
    """
    filled = []
    for seed in (0, 1):
        data = io.BytesIO(photo.data + random.Random(seed).randbytes(photo.missing))
        with Image.open(data, formats=[photo.format]) as image:
            image.load()
            photo = with_orientation(image, photo)
            filled.append(eight_bits(image, photo))
    one, other = filled
    if (one.width, one.height) != (photo.width, photo.height):
        raise ImageError("damaged: is not as large as its header says")
    for (top, a), (_, b) in zip(bands(one), bands(other), strict=True):
        rows = (np.asarray(a) != np.asarray(b)).reshape(a.height, -1).any(axis=1)
        if rows.any():
            top += int(rows.argmax())
            one.paste(128 if one.mode == "L" else (128,) * 3, (0, top, one.width, one.height))
            break
    return make_views(one, photo, views)
