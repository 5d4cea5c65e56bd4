"""Formats of photos: how they are recognised, what their files are called, what is known of one."""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

from hotelviz.errors import ImageError

#: Format -> what its files are called.
SUFFIXES_BY_FORMAT = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
#: What may be a photo; everything else is none to us.
FORMATS = tuple(SUFFIXES_BY_FORMAT)
#: What a folder is searched for, in lower case. A file that is named is read whatever its suffix.
SUFFIXES = frozenset(suffix for some in SUFFIXES_BY_FORMAT.values() for suffix in some)
#: Pieces (segments, chunks, strips, tiles) that a file may have: each costs a decoder some time
#: and memory, whatever is in it.
MAX_PIECES = 100_000
#: Longer colour profiles and EXIF are not looked at.
MAX_METADATA = 4 * 1024**2
#: Bytes that may stand before a JPEG, as some servers and cameras leave them.
MAX_BEFORE = 4096
#: Bytes that are filled in at the end of a file that ends too early.
MAX_FILLED = 16 * 1024**2
#: Kinds of files that may hold a JPEG and are none.
_OTHERS = (b"%PDF", b"PK\3\4", b"8BPS", b"ID3", b"\x7fELF", b"MZ")


class Container(NamedTuple):
    """What a photo's file says of itself.

    Attributes
    ----------
    format
        One of `FORMATS`.
    width, height
        In pixels, as they lie in the file.
    data
        The file without what its decoder does not need.
    mode
        Bytes a pixel has in Pillow's memory: 1, 2 or 4.
    depth
        Bits a sample; those that are used, where the file says that fewer are.
    scans
        How often a decoder goes over all pixels.
    coefficients
        Values a pixel that a JPEG's decoder keeps until the last scan; 0 where there is one scan.
    largest_piece
        Bytes of the largest strip or tile, decoded.
    icc
        The colour profile, or empty.
    orientation
        EXIF's, 1 to 8; 0 where the decoder knows.
    ordinary
        Nothing in it is known to make a decoder crash or hang; else it is decoded apart.
    missing
        Bytes to be filled in at the end, for decoders that otherwise give nothing.
    """

    format: str
    width: int
    height: int
    data: bytes
    mode: int = 4
    depth: int = 8
    scans: int = 1
    coefficients: float = 0
    largest_piece: int = 0
    icc: bytes = b""
    orientation: int = 1
    ordinary: bool = True
    missing: int = 0


class DamageError(Exception):
    """A container is damaged beyond what can be passed over; the message says how."""


def format_of(head: bytes) -> str:
    """Return which of `FORMATS` a file is in, or an empty string.

    Parameters
    ----------
    head
        Its first 4,200 bytes are enough.

    Examples
    --------
    >>> format_of(bytes.fromhex("ffd8ffe0")), format_of(b"hello")
    ('JPEG', '')
    """
    for kind, starts in (
        ("JPEG", b"\xff\xd8\xff"), ("PNG", b"\x89PNG\r\n\x1a\n"), ("GIF", b"GIF87a"),
        ("GIF", b"GIF89a"), ("TIFF", b"II*\0"), ("TIFF", b"MM\0*"), ("TIFF", b"II+\0"),
        ("TIFF", b"MM\0+"), ("BMP", b"BM"),
    ):  # fmt: skip
        if head.startswith(starts):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        length = min(max(int.from_bytes(head[:4], "big"), 16), 256)
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        heif = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
        return "HEIF" if heif & set(brands) else ""
    # Whatever a server or a camera left before it, but not what is of another kind.
    if not head.startswith(_OTHERS) and head.find(b"\xff\xd8\xff", 0, MAX_BEFORE + 3) > 0:
        return "JPEG"
    return ""


def too_many(what: str, bound: int) -> ImageError:
    """Return the error of a file that has more of something than a photo has."""
    return ImageError(f"too costly: more than {bound:,} {what}")


def orientation_of(exif: bytes, xmp: bytes = b"") -> int:
    """Return the orientation that EXIF gives, 1 where there is none or it is damaged."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order:
            (at,) = struct.unpack_from(order + "I", exif, 4)
            (count,) = struct.unpack_from(order + "H", exif, at)
            for entry in range(at + 2, at + 2 + 12 * count, 12):
                tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, entry)
                if tag == 0x0112:
                    return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        return 1  # Upright as far as known.
    found = re.search(rb"tiff:Orientation(?:=\"|>)([1-8])", xmp[:MAX_METADATA])
    return int(found[1]) if found else 1


def inflated(data: bytes) -> bytes:
    """Inflate metadata up to the bound; what is longer or damaged is not there."""
    machine = zlib.decompressobj()
    try:
        text = machine.decompress(data, MAX_METADATA)
    except zlib.error:
        return b""
    return text if machine.eof else b""
