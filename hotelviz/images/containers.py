"""What a photo's file is, from its own structure, before a decoder sees it: `read_container`.

Each format's container is walked once. That finds the format by content (names lie), the size in
pixels and what else decides about the cost of decoding, the orientation and the colour profile.
What a decoder does not need is left out of what it gets: metadata can then neither cost the photo
nor the machine, whatever is in it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from hotelviz.errors import ImageError
from hotelviz.images.boxes import iso, tiff, webp
from hotelviz.images.formats import (
    FORMATS,
    MAX_BEFORE,
    MAX_METADATA,
    MAX_PIECES,
    Container,
    DamageError,
    format_of,
    inflated,
    orientation_of,
    too_many,
)

#: Scans of a JPEG; progressive ones have about ten, and each goes over all pixels again.
MAX_SCANS = 200
_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")


def read_container(data: bytes) -> Container:
    """Read what a photo's file says of itself.

    Raises
    ------
    ImageError
        It is none of `FORMATS`, is damaged, or has more pieces than a photo has.
    """
    if not data:
        raise ImageError("the file is empty")
    kind = format_of(data[: MAX_BEFORE + 3])
    if not kind:
        raise ImageError(f"not a {', '.join(FORMATS)} image")
    try:
        photo = _READERS[kind](data)
    except DamageError as error:
        raise ImageError(f"damaged {kind}: {error}") from None
    except (struct.error, IndexError):
        raise ImageError(f"damaged {kind}: ends within its header") from None
    return photo if len(photo.icc) <= MAX_METADATA else photo._replace(icc=b"")


def _jpeg(data: bytes) -> Container:
    start = data.index(b"\xff\xd8\xff")
    kept, icc, exif, xmp = [b"\xff\xd8"], {}, b"", b""
    frame, kind, at = b"", 0, start + 2
    changed = start > 0
    for _ in range(MAX_PIECES):
        found = _JPEG_MARKER.search(data, at)
        if not found:
            raise DamageError("ends before the first pixel")
        changed |= found.start() != at
        at, marker = found.start(), data[found.start() + 1]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xD9 or marker == 0xDA:
            break
        body = data[at + 4 : end]
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
                kept.append(data[at : at + 18] if end == at + 18 else _JFIF)
                changed |= end != at + 18
            elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
                kept.append(data[at:end])
            else:
                changed = True
                if marker == 0xE1 and body.startswith(b"Exif\0"):
                    exif = exif or body[6:]
                elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                    xmp = body
                elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
                    icc[body[12]] = body[14:]
            if data[end : end + 1] != b"\xff":
                end = _next_segment(data, at, end)
        else:
            if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
                frame, kind = body, marker
            kept.append(data[at:end])
        at = end
    else:
        raise too_many("segments", MAX_PIECES)
    if not frame or marker == 0xD9:
        raise DamageError("has no pixels")
    _, height, width, components = struct.unpack_from(">BHHB", frame)
    blocks = [(value >> 4) * (value & 15) for value in frame[7 : 6 + 3 * components : 3]]
    most = max(blocks, default=1) or 1
    # Where the first scan has all components and is not progressive, decoders read no other.
    several = kind not in {0xC0, 0xC1} or data[at + 4] < components
    scans = data.count(b"\xff\xda", at) if several else 1
    if scans > MAX_SCANS:
        raise too_many("scans", MAX_SCANS)
    return Container(
        "JPEG", width, height,
        b"".join([*kept, data[at:]]) if changed else data,
        mode=1 if components == 1 else 4,
        depth=frame[0],
        scans=scans,
        coefficients=sum(blocks) / most if several else 0,
        icc=b"".join(icc[number] for number in sorted(icc)),
        orientation=orientation_of(exif, xmp),
        ordinary=kind in {0xC0, 0xC1, 0xC2},
    )  # fmt: skip


_JFIF = bytes.fromhex("ffe000104a46494600010100000100010000")


def _next_segment(data: bytes, at: int, end: int) -> int:
    """Return where the header goes on after a segment whose length is damaged."""
    place = end if end < len(data) else at + 2
    for _ in range(1000):
        found = _JPEG_MARKER.search(data, place)
        if not found:
            return end
        place = found.start()
        after = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] == 0xDA or data[after : after + 1] == b"\xff":
            return place
        place += 1
    return end


def _png(data: bytes) -> Container:
    kept: list[bytes] = []
    run, at = 0, 8  # where what is kept began, and where we are
    header = exif = xmp = b""
    about: dict[bytes, bytes] = {}
    for _ in range(MAX_PIECES):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if not kind.isalpha() or (end > len(data) and kind != b"IDAT"):
            places = [data.find(some, at + 8) for some in (b"PLTE", b"IDAT", b"IEND")]
            end = min((place - 4 for place in places if place > 0), default=len(data))
            kind = b""
        if kind in {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}:
            header = header or (data[at + 8 : end] if kind == b"IHDR" else b"")
        else:
            kept.append(data[run:at])
            run = end
            body = data[at + 8 : end - 4]
            if kind in {b"eXIf", b"iCCP", b"sBIT"}:
                about[kind] = body
            elif kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0\0"):
                xmp = body
            elif kind == b"zTXt" and body.startswith(b"Raw profile type "):
                exif = exif or _raw_profile(inflated(body.partition(b"\0")[2][1:]))
        at = end
        if kind == b"IEND":
            break
    else:
        raise too_many("chunks", MAX_PIECES)
    width, height, depth, colour, _, _, _ = struct.unpack_from(">IIBBBBB", header)
    used = max(about.get(b"sBIT", b"")[:3], default=depth) if depth == 16 else depth
    return Container(
        "PNG", width, height,
        b"".join([*kept, data[run:at]]) if kept else data,
        mode=(2 if depth == 16 else 1) if colour in {0, 3} else 4,
        depth=used if 8 < used <= 16 else depth,
        icc=inflated(about.get(b"iCCP", b"").partition(b"\0")[2][1:]),
        orientation=orientation_of(about.get(b"eXIf") or exif, xmp),
    )  # fmt: skip


def _raw_profile(text: bytes) -> bytes:
    """Read EXIF as ImageMagick writes it: a kind, a length, and hexadecimal digits."""
    parts = text.split(maxsplit=2)
    try:
        return bytes.fromhex(parts[2].decode("ascii")) if parts[0] in {b"exif", b"APP1"} else b""
    except (ValueError, IndexError):
        return b""


def _gif(data: bytes) -> Container:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    head, control, blocks, first = data[:at], b"", 0, at
    while data[at : at + 1] == b"!":
        start, label, at = at, data[at + 1], at + 2
        while size := int.from_bytes(data[at : at + 1], "little"):
            at += 1 + size
            if (blocks := blocks + 1) > 10 * MAX_PIECES:
                raise too_many("blocks", 10 * MAX_PIECES)
        at += 1
        if label == 0xF9:
            control = data[start:at]
    if data[at : at + 1] != b",":
        # A block before it says that it is longer or shorter than it is.
        at = 1 + data.find(b"\0,\0\0\0\0" + data[6:10], first - 1)
        if not at:
            raise DamageError("has no pixels")
    left, top, across, down = struct.unpack_from("<HHHH", data, at + 1)
    width, height = max(width, left + across), max(height, top + down)
    return Container("GIF", width, height, head + control + data[at:], mode=1)


def _bmp(data: bytes) -> Container:
    (size,) = struct.unpack_from("<I", data, 14)
    layout = "<HHHH" if size == 12 else "<iiHHI"
    width, height, _, bits, *packing = struct.unpack_from(layout, data, 18)
    if width <= 0:
        raise DamageError("has no width")
    # Runs are unpacked by a slow loop, which cannot be ended where it runs.
    ordinary = packing in ([], [0], [3])
    return Container("BMP", width, abs(height), data, mode=1 if bits <= 8 else 4, ordinary=ordinary)


_READERS: dict[str, Callable[[bytes], Container]] = {
    "JPEG": _jpeg, "PNG": _png, "WEBP": webp, "GIF": _gif, "BMP": _bmp, "TIFF": tiff,
    "AVIF": iso, "HEIF": iso,
}  # fmt: skip
