"""Pillow, from a container to pixels; what runs here may run in a process of its own."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import AvifImagePlugin, Image, ImageFile

from hotelviz.errors import ImageError
from hotelviz.images.bounds import View, draft_scale, targets
from hotelviz.images.colour import bands, eight_bits, to_srgb
from hotelviz.images.formats import Container

_ORIENTATION_TAG = 0x0112
#: Orientation -> steps along a file's rows and columns, in which the upright photo is filled.
_WAYS = dict(enumerate(((1, 1), (1, -1), (-1, -1), (-1, 1), (1, 1), (-1, 1), (-1, -1), (1, -1)), 1))
#: What Pillow's decoders raise on damaged data, and warn of where the user wants errors.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError,
    RuntimeError, Warning, struct.error,
)  # fmt: skip
# One thread a photo, as with every other format.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class Decoded(NamedTuple):
    """A photo: its pixels and what its file is.

    Attributes
    ----------
    views
        The pixels, uint8 (height, width, 3), RGB, of each view that was asked for.
    truncated
        The file ends too early; the missing part is grey or black.
    width, height
        Of the photo in the file, upright, in pixels.
    format
        One of `FORMATS`.
    """

    views: list[np.ndarray]
    truncated: bool
    width: int
    height: int
    format: str

    @property
    def pixels(self) -> np.ndarray:
        """The pixels of the first view."""
        return self.views[0]


class TruncatedError(Exception):
    """Pillow could not load all pixels."""


@cache
def _register_heif() -> None:
    """Register Pillow's reader of HEIC, in processes that meet one."""
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener(thumbnails=False)


def decode_once(photo: Container, views: Sequence[View]) -> Decoded:
    """Decode a photo for all `views`.

    Raises
    ------
    TruncatedError
        Pillow cannot load all pixels; see `hotelviz.images.truncated`.
    ImageError
        It holds more pixels than it says, or other values than are known.
    """
    if photo.format == "HEIF":
        _register_heif()
    with Image.open(io.BytesIO(photo.data), formats=[photo.format]) as image:
        size = image.size
        if size[0] * size[1] > photo.width * photo.height:
            raise ImageError("damaged: holds more pixels than its header says")
        photo = photo._replace(width=size[0], height=size[1])
        # All at once: a decoder that waits for the next block does some of its work again.
        image.decodermaxblock = max(len(photo.data), ImageFile.MAXBLOCK)
        if draft_scale(photo, views) > 1:
            wanted = targets(photo, views)
            image.draft(None, (max(w for w, _ in wanted), max(h for _, h in wanted)))
        try:
            image.load()
        except DAMAGE as error:
            raise TruncatedError(error) from error
        photo = with_orientation(image, photo)
        loaded = eight_bits(image, photo)
    del image  # Its pixels, unless they are the loaded ones, go before the views are made.
    return make_views(loaded, photo, views)


def with_orientation(image: Image.Image, photo: Container) -> Container:
    """Take the orientation from the decoder where only it knows."""
    if photo.orientation:
        return photo
    turn = image.getexif().get(_ORIENTATION_TAG, 1)
    return photo._replace(orientation=turn if 1 <= turn <= 8 else 1)


def make_views(loaded: Image.Image, photo: Container, views: Sequence[View]) -> Decoded:
    """Return the views of pixels that are loaded."""
    made = []
    for target, view in zip(targets(photo, views), views, strict=True):
        fitted = loaded
        if loaded.size != target:
            fitted = loaded.resize(target, Image.Resampling[view.resample.upper()])
        made.append(_upright(fitted, photo))
    sides = photo.width, photo.height
    return Decoded(made, False, *(sides[::-1] if photo.orientation >= 5 else sides), photo.format)


def _upright(image: Image.Image, photo: Container) -> np.ndarray:
    """Return the pixels in sRGB, turned as the photo's orientation says."""
    sideways = photo.orientation >= 5
    pixels = np.empty((*(image.size if sideways else image.size[::-1]), 3), "uint8")
    # As the file lies: a view whose rows and columns go the way that the orientation says.
    lying = pixels.swapaxes(0, 1) if sideways else pixels
    lying = lying[:: _WAYS[photo.orientation][0], :: _WAYS[photo.orientation][1]]
    for top, part in bands(image):
        lying[top : top + part.height] = np.asarray(to_srgb(part, photo.icc))
    return pixels
