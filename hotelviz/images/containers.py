"""What a photo's file is, from its own structure, before a decoder sees it.

Each format's container is walked once. That finds the format by content (names lie), the size in
pixels and what else decides about the cost of decoding, the orientation and the colour profile.
What a decoder does not need is left out of what it gets: metadata can then neither cost the photo
nor the machine, whatever is in it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hotelviz.images.status import ImageError

#: Format -> what its files are called.
SUFFIXES_BY_FORMAT = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
}
#: What may be a photo; everything else is none to us.
FORMATS = tuple(SUFFIXES_BY_FORMAT)
#: What a folder is searched for, in lower case. A file that is named is read whatever its suffix.
SUFFIXES = frozenset(suffix for some in SUFFIXES_BY_FORMAT.values() for suffix in some)
#: Pieces (segments, chunks, strips, tiles) that a file may have: each costs a decoder some time
#: and memory, whatever is in it.
MAX_PIECES = 100_000
#: Scans of a JPEG; progressive ones have about ten, and each goes over all pixels again.
MAX_SCANS = 200
#: Longer colour profiles and EXIF are not looked at.
_MAX_METADATA = 4 * 1024**2
#: Bytes that may stand before a JPEG, as some servers and cameras leave them.
_MAX_BEFORE = 4096
#: Bytes that are filled in at the end of a file that ends too early.
_MAX_FILLED = 16 * 1024**2
#: Kinds of files that may hold a JPEG and are none.
_OTHERS = (b"%PDF", b"PK\3\4", b"8BPS", b"ID3", b"\x7fELF", b"MZ")
_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")


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
    if not head.startswith(_OTHERS) and head.find(b"\xff\xd8\xff", 0, _MAX_BEFORE + 3) > 0:
        return "JPEG"
    return ""


def read_container(data: bytes) -> Container:
    """Walk through a file's container.

    Raises
    ------
    ImageError
        It is none of `FORMATS`, is damaged, or has more pieces than a photo has.
    """
    if not data:
        raise ImageError("the file is empty")
    kind = format_of(data[: _MAX_BEFORE + 3])
    if not kind:
        raise ImageError(f"not a {', '.join(FORMATS)} image")
    try:
        return _READERS[kind](data)
    except DamageError as error:
        raise ImageError(f"damaged {kind}: {error}") from None
    except (struct.error, IndexError):
        raise ImageError(f"damaged {kind}: ends within its header") from None


def _too_many(what: str, bound: int) -> ImageError:
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
    found = re.search(rb"tiff:Orientation(?:=\"|>)([1-8])", xmp[:_MAX_METADATA])
    return int(found[1]) if found else 1


def _inflated(data: bytes) -> bytes:
    """Inflate metadata up to the bound; what is longer or damaged is not there."""
    machine = zlib.decompressobj()
    try:
        text = machine.decompress(data, _MAX_METADATA)
    except zlib.error:
        return b""
    return text if machine.eof else b""


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
                elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
                    icc[body[12]] = body[14:]
            if data[end : end + 1] != b"\xff":
                end = _next_segment(data, at, end)
        else:
            if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
                frame, kind = body, marker
            kept.append(data[at:end])
        at = end
    else:
        raise _too_many("segments", MAX_PIECES)
    if not frame or marker == 0xD9:
        raise DamageError("has no pixels")
    _, height, width, components = struct.unpack_from(">BHHB", frame)
    sampling = [divmod(value, 16) for value in frame[7 : 6 + 3 * components : 3]]
    most = max((h * v for h, v in sampling), default=1) or 1
    # Where the first scan has all components and is not progressive, decoders read no other.
    several = kind not in {0xC0, 0xC1} or data[at + 4] < components
    scans = data.count(b"\xff\xda", at) if several else 1
    if scans > MAX_SCANS:
        raise _too_many("scans", MAX_SCANS)
    return Container(
        "JPEG", width, height,
        b"".join([*kept, data[at:]]) if changed else data,
        mode=1 if components == 1 else 4,
        depth=frame[0],
        scans=scans,
        coefficients=sum(h * v for h, v in sampling) / most if several else 0,
        icc=b"".join(icc[number] for number in sorted(icc)),
        orientation=orientation_of(exif, xmp),
        ordinary=kind in {0xC0, 0xC1, 0xC2},
    )  # fmt: skip


_JFIF = bytes.fromhex("ffe000104a46494600010100000100010000")


def _next_segment(data: bytes, at: int, end: int) -> int:
    """Find where the header goes on after a segment whose length is damaged."""
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
    header = icc = exif = xmp = b""
    bits = b""
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
            if kind == b"eXIf":
                exif = body
            elif kind == b"iCCP":
                icc = _inflated(body.partition(b"\0")[2][1:])
            elif kind == b"sBIT":
                bits = body
            elif kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0\0"):
                xmp = body
            elif kind == b"zTXt" and body.startswith(b"Raw profile type "):
                exif = exif or _raw_profile(_inflated(body.partition(b"\0")[2][1:]))
        at = end
        if kind == b"IEND":
            break
    else:
        raise _too_many("chunks", MAX_PIECES)
    width, height, depth, colour, _, _, _ = struct.unpack_from(">IIBBBBB", header)
    used = max(bits[:3], default=depth) if depth == 16 else depth
    return Container(
        "PNG", width, height,
        b"".join([*kept, data[run:at]]) if kept else data,
        mode=(2 if depth == 16 else 1) if colour in {0, 3} else 4,
        depth=used if 8 < used <= 16 else depth,
        icc=icc,
        orientation=orientation_of(exif, xmp),
    )  # fmt: skip


def _raw_profile(text: bytes) -> bytes:
    """Read EXIF as ImageMagick writes it: a kind, a length, and hexadecimal digits."""
    parts = text.split(maxsplit=2)
    try:
        return bytes.fromhex(parts[2].decode("ascii")) if parts[:1] in ([b"exif"], [b"APP1"]) else b""
    except (ValueError, IndexError):
        return b""


def _gif(data: bytes) -> Container:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    kept = [data[:at]]
    control = b""
    blocks = 0
    while data[at] != 0x2C:
        if data[at] != 0x21:
            raise DamageError("has no pixels")
        start, label, at = at, data[at + 1], at + 2
        while data[at]:
            at += 1 + data[at]
            if (blocks := blocks + 1) > 10 * MAX_PIECES:
                raise _too_many("blocks", 10 * MAX_PIECES)
        at += 1
        if label == 0xF9:
            control = data[start:at]
    left, top, across, down = struct.unpack_from("<HHHH", data, at + 1)
    kept += [control, data[at:]]
    return Container(
        "GIF", max(width, left + across), max(height, top + down), b"".join(kept), mode=1
    )


def _bmp(data: bytes) -> Container:
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    if width <= 0:
        raise DamageError("has no width")
    # Runs are unpacked by a slow loop, which cannot be ended where it runs.
    return Container(
        "BMP", width, abs(height), data, mode=1 if bits <= 8 else 4, ordinary=packing in {0, 3}
    )


#: What of a TIFF's directory is about its pixels: tag -> 1, or 0 where it is only for us.
_TIFF_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 322, 323}
    | {324, 325, 332, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 532}
)
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}


def _tiff(data: bytes) -> Container:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in {b"+\0", b"\0+"}
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    if count > 4096:
        raise _too_many("tags", 4096)
    first, length = at + (8 if big else 2), 20 if big else 12
    entries, values = [], {}
    for place in range(first, first + length * count, length):
        entry = data[place : place + length]
        tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), entry)
        size = _TIFF_SIZES.get(kind, 0)
        if tag in _TIFF_TAGS or tag in {274, 700, 34675}:
            if number * size > _MAX_METADATA or (tag in {273, 324} and number > MAX_PIECES):
                raise _too_many("strips", MAX_PIECES)
            inside = place + length - (8 if big else 4)
            where = inside
            if number * size > (8 if big else 4):
                (where,) = struct.unpack_from(order + ("Q" if big else "I"), data, inside)
            values[tag] = _tiff_values(data, order, kind, number, where)
        if tag in _TIFF_TAGS:
            entries.append(entry)
    # The same directory with what is about pixels, and no other page.
    clean = bytearray(data)
    struct.pack_into(order + ("Q" if big else "H"), clean, at, len(entries))
    clean[first : first + length * len(entries)] = b"".join(entries)
    end = first + length * len(entries)
    clean[end : end + (8 if big else 4)] = bytes(8 if big else 4)

    def one(tag: int, default: int) -> int:
        found = values.get(tag) or ()
        return int(found[0]) if found else default

    width, height, samples = one(256, 0), one(257, 0), one(277, 1)
    bits = one(258, 1)
    rows = min(one(278, height), height)
    across, down = (one(322, 0), one(323, 0)) if 322 in values else (width, rows)
    used = max(values.get(281) or (0,)).bit_length() if bits == 16 else bits
    icc = bytes(values.get(34675) or b"")
    return Container(
        "TIFF", width, height, bytes(clean),
        mode=1 if samples == 1 and bits <= 8 else 2 if samples == 1 and bits <= 16 else 4,
        depth=used if 8 < used <= 16 else bits,
        largest_piece=across * down * samples * max(bits, 8) // 8,
        icc=icc,
        orientation=one(274, 1) if 1 <= one(274, 1) <= 8 else 1,
        ordinary=False,
    )  # fmt: skip


def _tiff_values(data: bytes, order: str, kind: int, number: int, where: int) -> tuple[int, ...] | bytes:
    code = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 16: "Q"}.get(kind)
    size = _TIFF_SIZES.get(kind, 0) * number
    body = data[where : where + size]
    if kind in {1, 2, 7} or code is None or len(body) < size:
        return body
    return struct.unpack(f"{order}{number}{code}", body)


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the kind, begin and end of a RIFF file's chunks."""
    for _ in range(MAX_PIECES):
        if at + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, at + 8 + length
        at += 8 + length + (length & 1)
    raise _too_many("chunks", MAX_PIECES)


def _webp(data: bytes) -> Container:
    header = icc = exif = xmp = frame = b""
    kept: list[bytes] = []
    first, missing = True, 0
    for kind, begin, end in _chunks(data, 12):
        body = data[begin:end] if kind in {b"VP8X", b"ICCP", b"EXIF", b"XMP "} else b""
        if kind == b"VP8X":
            header = body
        elif kind == b"ICCP":
            icc = body
        elif kind == b"EXIF":
            exif = body
        elif kind == b"XMP ":
            xmp = body
        elif kind in {b"ANIM", b"ALPH"} or (kind in {b"VP8 ", b"VP8L", b"ANMF"} and first):
            body = data[begin:end]
            if end > len(data):
                # More than what is missing: how much a decoder takes depends on what it is.
                missing = min(4 * (end - len(data)) + 65_536, _MAX_FILLED)
                missing += (len(body) + missing) & 1
            kept.append(kind + struct.pack("<I", len(body) + missing) + body + b"\0" * (len(body) & 1 and not missing))
            if kind in {b"VP8 ", b"VP8L", b"ANMF"}:
                first = False
                frame = data[begin : begin + 10]
                moving, still = kind == b"ANMF", kind
    if first:
        raise DamageError("has no pixels")
    size = struct.unpack("<I", (header[4:7] or b"\0\0\0") + b"\0")[0] + 1
    if header:
        width, height = size, int.from_bytes(header[7:10], "little") + 1
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
        icc=icc,
        orientation=orientation_of(exif, xmp),
        missing=missing,
    )  # fmt: skip


_EXIF_ITEM = re.compile(rb"(infe[\x02\x03]...(?:..|....)..)(Exif|mime)", re.DOTALL)


def _iso(data: bytes) -> Container:
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
        for found in re.finditer(rb"ispe", meta[: len(meta) - 16])
    ]
    if not sizes:
        raise DamageError("has no pixels")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    # Items of metadata become ones that nobody knows, and so passes over.
    meta = _EXIF_ITEM.sub(rb"\1none", meta)
    return Container(
        format_of(data[:300]), width, height, data[:begin] + meta + data[end:],
        icc=_iso_profile(meta), orientation=0, ordinary=False,
        missing=min(max(0, at - len(data)), _MAX_FILLED),
    )  # fmt: skip


def _iso_profile(meta: bytes) -> bytes:
    place = meta.find(b"colrprof")
    if place < 4:
        place = meta.find(b"colrrICC")
    if place < 4:
        return b""
    (length,) = struct.unpack_from(">I", meta, place - 4)
    return meta[place + 8 : place - 4 + length]


_READERS: dict[str, Callable[[bytes], Container]] = {
    "JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "GIF": _gif, "BMP": _bmp, "TIFF": _tiff,
    "AVIF": _iso, "HEIF": _iso,
}  # fmt: skip
