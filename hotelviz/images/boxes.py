"""TIFF, WebP, AVIF and HEIC: files that are directories of their parts; see `containers`."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence

from hotelviz.images.formats import (
    MAX_FILLED,
    MAX_METADATA,
    MAX_PIECES,
    Container,
    DamageError,
    format_of,
    orientation_of,
    too_many,
)

#: What of a TIFF's directory is about its pixels.
_TIFF_TAGS = frozenset([
    *range(256, 260), 262, 266, 273, *range(277, 282), 284, 292, 293, 317, 320, *range(322, 326),
    332, 338, 339, 347, *range(512, 516), *range(517, 522), 529, 530, 532, 50674,
])  # fmt: skip
#: A kind of value -> its bytes, and how `struct` reads it; what has no code is taken as bytes.
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_TIFF_CODES = {3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q"}
_ORIENTATION, _PROFILE = 274, 34675


def tiff(data: bytes) -> Container:
    """Read a TIFF's first directory."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in {b"+\0", b"\0+"}
    room, address, counter = (8, order + "Q", order + "Q") if big else (4, order + "I", order + "H")
    (at,) = struct.unpack_from(address, data, room)
    (count,) = struct.unpack_from(counter, data, at)
    if count > 4096:
        raise too_many("tags", 4096)
    first, length = at + struct.calcsize(counter), 4 + 2 * room
    entries: list[bytes] = []
    values: dict[int, Sequence[int]] = {}
    for place in range(first, first + length * count, length):
        entry = data[place : place + length]
        tag, kind, number = struct.unpack_from(order + "HH" + address[1], entry)
        size = _TIFF_SIZES.get(kind, 0) * number
        if tag in _TIFF_TAGS:
            if size > MAX_METADATA or (tag in {273, 324} and number > MAX_PIECES):
                raise too_many("strips", MAX_PIECES)
            entries.append(entry)
        elif tag not in {_ORIENTATION, _PROFILE} or size > MAX_METADATA:
            continue
        where = place + length - room
        if size > room:
            (where,) = struct.unpack_from(address, data, where)
        body = data[where : where + size]
        code = _TIFF_CODES.get(kind) if len(body) == size and tag != _PROFILE else None
        values[tag] = struct.unpack(f"{order}{number}{code}", body) if code else body
    # The same directory with what is about pixels, and no other page.
    kept = struct.pack(counter, len(entries)) + b"".join(entries) + bytes(room)
    clean = b"".join([memoryview(data)[:at], kept, memoryview(data)[at + len(kept) :]])

    def one(tag: int, default: int) -> int:
        return int((values.get(tag) or (default,))[0])

    width, height, samples, bits = one(256, 0), one(257, 0), one(277, 1), one(258, 1)
    rows = min(one(278, height), height)
    across, down = (one(322, 0), one(323, 0)) if 322 in values else (width, rows)
    used = max(values.get(281) or (0,)).bit_length() if bits == 16 else bits
    return Container(
        "TIFF", width, height, clean,
        mode=1 if samples == 1 and bits <= 8 else 2 if samples == 1 and bits <= 16 else 4,
        depth=used if 8 < used <= 16 else bits,
        largest_piece=across * down * samples * max(bits, 8) // 8,
        icc=bytes(values.get(_PROFILE, b"")),
        orientation=one(_ORIENTATION, 1) if 1 <= one(_ORIENTATION, 1) <= 8 else 1,
        ordinary=False,
    )  # fmt: skip


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, begin and end of a RIFF file's chunks."""
    for _ in range(MAX_PIECES):
        if at + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, at + 8 + length
        at += 8 + length + (length & 1)
    raise too_many("chunks", MAX_PIECES)


def webp(data: bytes) -> Container:
    """Read a WebP's chunks up to its first frame."""
    about: dict[bytes, bytes] = {}
    kept: list[bytes] = []
    still = frame = b""
    missing = 0
    for kind, begin, end in _chunks(data, 12):
        if kind in {b"VP8X", b"ICCP", b"EXIF", b"XMP "}:
            about[kind] = data[begin:end]
        elif kind in {b"ANIM", b"ALPH"} or (kind in {b"VP8 ", b"VP8L", b"ANMF"} and not still):
            body = data[begin:end]
            if end > len(data):
                # More than what is missing: how much a decoder takes depends on what it is.
                missing = min(4 * (end - len(data)) + 65_536, MAX_FILLED)
                missing += (len(body) + missing) & 1
            padding = b"\0" * (len(body) & 1 and not missing)
            kept.append(kind + struct.pack("<I", len(body) + missing) + body + padding)
            if kind not in {b"ANIM", b"ALPH"}:
                still, frame = kind, body[:10]
    if not still:
        raise DamageError("has no pixels")
    header = about.get(b"VP8X")
    if header:
        width, height = (int.from_bytes(header[at : at + 3], "little") + 1 for at in (4, 7))
        # Transparency, or frames: nothing else is still there.
        kept.insert(0, b"VP8X\x0a\0\0\0" + bytes([header[0] & 0x12]) + header[1:10])
    elif still == b"VP8L":
        packed = int.from_bytes(frame[1:5], "little")
        width, height = (packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", frame, 6))
    body = b"WEBP" + b"".join(kept)
    return Container(
        "WEBP", width, height,
        b"RIFF" + struct.pack("<I", len(body) + missing) + body,
        icc=about.get(b"ICCP", b""),
        orientation=orientation_of(about.get(b"EXIF", b""), about.get(b"XMP ", b"")),
        missing=missing,
    )  # fmt: skip


_EXIF_ITEM = re.compile(rb"(infe[\x02\x03]...(?:..|....)..)(Exif|mime)", re.DOTALL)


def iso(data: bytes) -> Container:
    """Read the boxes of an AVIF or HEIC."""
    at, begin, end = 0, 0, 0
    for _ in range(1000):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
        if kind == b"meta":
            begin, end = at, at + length
        at += max(length, 8) if length else len(data)
    meta = data[begin:end]
    sizes = [
        struct.unpack_from(">II", meta, found.end() + 4)
        for found in re.finditer(rb"ispe", meta[: len(meta) - 12])
    ]
    if not sizes:
        raise DamageError("has no pixels")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    # Items of metadata become ones that nobody knows, and so passes over.
    meta = _EXIF_ITEM.sub(rb"\1none", meta)
    return Container(
        format_of(data[:300]), width, height, data[:begin] + meta + data[end:],
        icc=_iso_profile(meta), orientation=0, ordinary=False,
        missing=min(max(0, at - len(data)), MAX_FILLED),
    )  # fmt: skip


def _iso_profile(meta: bytes) -> bytes:
    found = re.search(rb"(.{4})colr(?:prof|rICC)", meta, re.DOTALL)
    return meta[found.end() : found.start() + int.from_bytes(found[1], "big")] if found else b""
