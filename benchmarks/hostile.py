"""Try damaged and hostile photos: crashes, time, memory, and how many still give their pixels.

    python benchmarks/hostile.py [--short] [--only mutants bombs]

Mutants (seeded) of thirteen kinds of files: flipped bits, cut ends, headers of other files, damaged
EXIF and damaged colour profiles. Bombs: files within the limit of pixels that used to take up to
5 GB and 25 s each. All are decoded in a process of their own, so that a crash is counted.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from common import results, run

# isort: split
import numpy as np
import pandas as pd
from PIL import Image, ImageCms

#: A kind of damage -> how many mutants of each file it has in the full run; 3,000 in all.
DAMAGES = {"bits": 60, "cut": 60, "header": 44, "exif": 48, "icc": 48}


def encoded(image: Image.Image, kind: str, **kw: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **kw)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced(pixels: np.ndarray, *extra: bytes) -> bytes:
    """Write a PNG that is interlaced, which Pillow does not."""
    rows = bytearray()
    for top, left, down, right in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):  # fmt: skip
        for row in pixels[top::down, left::right]:
            rows += b"\0" + row.tobytes()
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(extra)
        + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )  # fmt: skip


def originals() -> dict[str, bytes]:
    """Draw one photo and write it in each format, with EXIF and a colour profile where it can."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype="uint8"))
    image = image.resize((320, 240), Image.Resampling.BICUBIC)
    noisy = np.asarray(image).astype(int) + rng.normal(0, 6, (240, 320, 1))
    image = Image.fromarray(noisy.clip(0, 255).astype("uint8"))
    exif = Image.Exif()
    exif[0x010E], exif[0x010F], exif[0x0132] = "a description " * 20, "a maker", "2026:01:01"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    both = {"exif": exif.tobytes(), "icc_profile": icc}
    files = {
        "JPEG": encoded(image, "JPEG", **both),
        "JPEG progressive": encoded(image, "JPEG", progressive=True, **both),
        "JPEG CMYK": encoded(image.convert("CMYK"), "JPEG", exif=exif.tobytes()),
        "PNG": encoded(image, "PNG", **both),
        "PNG interlaced": interlaced(
            np.asarray(image), chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")),
            chunk(b"iCCP", b"x\0\0" + zlib.compress(icc)),
        ),
        "WebP lossy": encoded(image, "WEBP", **both),
        "WebP lossless": encoded(image, "WEBP", lossless=True, **both),
        "GIF": encoded(image, "GIF", comment=b"a comment " * 30),
        "BMP": encoded(image, "BMP"),
        "TIFF": encoded(image, "TIFF", description="a description " * 20, icc_profile=icc),
        "TIFF LZW": encoded(image, "TIFF", compression="tiff_lzw", icc_profile=icc),
        "AVIF": encoded(image, "AVIF", **both),
    }  # fmt: skip
    try:
        import pillow_heif
    except ImportError:
        return files
    pillow_heif.register_heif_opener()
    return {**files, "HEIC": encoded(image, "HEIF", **both)}


def place_of(data: bytes, what: str) -> tuple[int, int] | None:
    """Give begin and end of a file's EXIF, comment or colour profile."""
    if what == "icc":
        at = data.find(b"acsp") - 36
        if at < 0:  # compressed
            at = data.find(b"iCCP")
            return (at, at + 8 + struct.unpack_from(">I", data, at - 4)[0]) if at > 0 else None
        return at, at + struct.unpack_from(">I", data, at)[0]
    at = data.find(b"a description")
    at = at if at >= 0 else data.find(b"a comment")
    # With EXIF's own directory before it; TIFF's is the file's.
    before = 50 if data[:2] not in {b"II", b"GI"} else 0
    return (at - before, at + 280) if at >= 0 else None


def mutants(short: bool) -> Iterator[tuple[str, str, bytes]]:
    """Give the kind of file, the kind of damage, and the damaged file."""
    rng = np.random.default_rng(2016)
    files = originals()
    for kind, data in files.items():
        for damage, number in DAMAGES.items():
            for _ in range(number // 8 if short else number):
                made = bytearray(data)
                where = (0, len(data))
                if damage == "cut":
                    del made[int(len(data) * rng.uniform(0.05, 0.99)) :]
                elif damage == "header":
                    other = files[rng.choice(list(files))]
                    length = int(rng.integers(4, 200))
                    made[:length] = other[:length]
                elif damage in {"exif", "icc"}:
                    found = place_of(data, damage)
                    if found is None:
                        continue
                    where = found
                if damage in {"bits", "exif", "icc"}:
                    for place in rng.integers(*where, size=int(rng.integers(1, 24))):
                        made[place] ^= 1 << int(rng.integers(8))
                yield kind, damage, bytes(made)


def memory(pid: int) -> int:
    """Give the bytes that a process and its children have."""
    total = 0
    try:
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(memory(int(child)) for child in (task / "children").read_text().split())
    except OSError:  # it has ended
        return total
    return total


def decode_all(folder: str, names: list[str], size: tuple[int, int] | None) -> None:
    """Decode files in this process, and say of each how it went: the child's part."""
    from hotelviz.images import ImageError, decode_image

    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.004):
            peak[0] = max(peak[0], memory(os.getpid()))

    # Everything that is loaded once is there, the process that can be ended too.
    first = Path(folder) / "first.tif"
    Image.new("RGB", (8, 8)).save(first)
    decode_image(first)
    watcher = threading.Thread(target=watch)
    watcher.start()
    before = memory(os.getpid())
    with (Path(folder) / "said.jsonl").open("a") as said:
        for name in names:
            peak[0] = 0
            started = time.perf_counter()
            about = {"name": name, "status": "ok", "reason": ""}
            try:
                photo = decode_image(Path(folder) / name, size=size)
                about["status"] = "truncated" if photo.truncated else "ok"
            except ImageError as error:
                about.update(status=str(error.status), reason=str(error).partition(": ")[2])
            seconds = time.perf_counter() - started
            time.sleep(0.005)
            most = max(peak[0], before) - before
            if about["status"] in {"ok", "truncated"}:
                about["pixels"] = str(zlib.crc32(photo.pixels))
                del photo
            said.write(json.dumps({**about, "s": seconds, "MB": most / 1e6}) + "\n")
            said.flush()
    ended.set()
    watcher.join()


def tried(folder: str, names: list[str], size: tuple[int, int] | None) -> pd.DataFrame:
    """Decode files in a child that is started again after each crash."""
    said = Path(folder) / "said.jsonl"
    said.write_text("")
    context = multiprocessing.get_context("spawn")
    crashes = []
    while True:
        rows = [json.loads(line) for line in said.read_text().splitlines()]
        done = len(rows) + len(crashes)
        if done == len(names):
            break
        child = context.Process(target=decode_all, args=(folder, names[done:], size))
        child.start()
        child.join()
        rows = said.read_text().splitlines()
        if child.exitcode != 0:
            crashes.append(names[len(rows) + len(crashes)])
    table = pd.DataFrame(rows if rows and isinstance(rows[0], dict) else map(json.loads, rows))
    lost = pd.DataFrame({"name": crashes, "status": "crash"})
    return pd.concat([table, lost], ignore_index=True) if crashes else table


def measure_mutants(short: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        about = []
        for number, (kind, damage, data) in enumerate(mutants(short)):
            (Path(folder) / f"{number}").write_bytes(data)
            about.append((str(number), kind, damage))
        whole = {}
        for kind, data in originals().items():
            (Path(folder) / kind).write_bytes(data)
        whole = tried(folder, list(originals()), None).set_index("name")["pixels"]
        table = pd.DataFrame(about, columns=["name", "kind", "damage"])
        table = table.merge(tried(folder, list(table["name"]), None), on="name")
    table["same"] = table["pixels"].eq(table["kind"].map(whole))
    print(pd.crosstab([table["kind"], table["damage"]], table["status"]).to_string())
    given = table["status"].isin(["ok", "truncated"])
    cut = table["damage"].eq("cut")
    metadata = table["damage"].isin(["exif", "icc"])
    print("\ngive pixels, by kind of file:")
    print(
        pd.DataFrame(
            {
                "cut: pixels": given[cut].groupby(table["kind"]).mean(),
                "metadata: pixels": given[metadata].groupby(table["kind"]).mean(),
                "metadata: the very same": table["same"][metadata].groupby(table["kind"]).mean(),
            }
        ).round(3).to_string()
    )  # fmt: skip
    lost = table[metadata & ~given]
    print(
        "\nlost though only metadata is damaged:",
        Counter((lost["kind"] + ": " + lost["reason"]).tolist()),
    )
    results.append(("mutants: files", "3,000", f"{len(table):,}"))
    results.append(("mutants: crashes", "0", str(int(table["status"].eq("crash").sum()))))
    results.append(("mutants: slowest", "under 5 s", f"{table['s'].max():.2f} s"))
    results.append(("mutants: most memory a file", "under 500 MB", f"{table['MB'].max():.0f} MB"))
    statuses = ", ".join(
        f"{name} {count}" for name, count in table["status"].value_counts().items()
    )
    results.append(("mutants: statuses", "", statuses))
    results.append(("cut files that give pixels", "", f"{given[cut].sum()} of {cut.sum()}"))
    results.append(
        ("metadata-damaged that give pixels", "all", f"{given[metadata].sum()} of {metadata.sum()}")
    )


def png(width: int, height: int, colour: int = 6, depth: int = 8, lace: int = 0,
        extra: bytes = b"") -> bytes:  # fmt: skip
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth // 8
    machine, packed = zlib.compressobj(1), []
    left = (width * channels + 1 + 2 * lace) * height
    while left > 0:
        packed.append(machine.compress(bytes(min(left, 1 << 24))))
        left -= 1 << 24
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lace)
    pixels = chunk(b"IDAT", b"".join(packed) + machine.flush())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + pixels + chunk(b"IEND", b"")


def inflating(kind: bytes) -> bytes:
    return chunk(kind, b"a\0\0" + zlib.compress(bytes(3 * 10**8)))


def jpeg_of_scans(number: int, side: int) -> bytes:
    data = encoded(Image.new("RGB", (side, side), "red"), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * number + data[-2:]


def tiff_of_strips(number: int) -> bytes:
    tags = [
        (256, 4, 1, 1), (257, 4, 1, number), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, number, 122), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, number, 122),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0\x09\0" + directory + bytes(4) + struct.pack("<I", 1) * number


def gif_of_comments(number: int) -> bytes:
    data = encoded(Image.new("P", (10, 10)), "GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    comment = b"\x21\xfe" + (b"\xff" + b"a" * 255) * number + b"\0"
    return data[:start] + comment + data[start:]


def plain(kind: str, mode: str, side: int, **kw: object) -> Callable[[], bytes]:
    return lambda: encoded(Image.new(mode, (side, side)), kind, **kw)


BOMBS: dict[str, Callable[[], bytes]] = {
    "PNG RGBA 1 x 89,000,000": lambda: png(1, 89_000_000),
    "PNG RGBA 9459": lambda: png(9459, 9459),
    "PNG RGB interlaced 9459": lambda: png(9459, 9459, 2, lace=1),
    "PNG RGBA interlaced 6000": lambda: png(6000, 6000, 6, lace=1),
    "PNG 16 bits RGBA 5000": lambda: png(5000, 5000, 6, 16),
    "PNG 16 bits grey 9000": lambda: png(9000, 9000, 0, 16),
    "PNG text of 300 MB": lambda: png(9, 9, 2, extra=inflating(b"zTXt")),
    "PNG profile of 300 MB": lambda: png(9, 9, 2, extra=inflating(b"iCCP")),
    "PNG of 1,000,000 chunks": lambda: png(9, 9, 2, extra=chunk(b"tEXt", b"a\0b") * 10**6),
    "JPEG of 1,000 scans 3000": lambda: jpeg_of_scans(1000, 3000),
    "JPEG of 150 scans 3000": lambda: jpeg_of_scans(140, 3000),
    "JPEG progressive 9400": plain("JPEG", "RGB", 9400, progressive=True),
    "JPEG CMYK 6000": plain("JPEG", "CMYK", 6000),
    "WebP at its largest": plain("WEBP", "RGB", 9459, lossless=True, method=0, quality=0),
    "WebP RGBA 5000": plain("WEBP", "RGBA", 5000, lossless=True, method=0, quality=0),
    "TIFF RGBA 9459": plain("TIFF", "RGBA", 9459, compression="tiff_adobe_deflate"),
    "TIFF RGBA 6000": plain("TIFF", "RGBA", 6000, compression="tiff_adobe_deflate"),
    "TIFF of 5,000,000 strips": lambda: tiff_of_strips(5 * 10**6),
    "TIFF of 60,000 strips": lambda: tiff_of_strips(60_000),
    "GIF 9459": plain("GIF", "P", 9459),
    "GIF comment of 77 MB": lambda: gif_of_comments(300_000),
    "BMP RGB 8000": plain("BMP", "RGB", 8000),
    "AVIF 6000": plain("AVIF", "RGB", 6000, speed=10),
}  # fmt: skip


def measure_bombs(short: bool) -> None:
    chosen = {name: make for name, make in BOMBS.items() if not short or "9459" not in name}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in chosen.items():
            (Path(folder) / name).write_bytes(make())
        small = tried(folder, list(chosen), (224, 224))
        large = tried(folder, list(chosen), None)
    both = small.merge(large, on="name", suffixes=(" at 224", " as it is"))
    columns = ["name", *(f"{what} {how}" for how in ("at 224", "as it is") for what in ("MB", "s"))]
    print(both[columns].round(2).to_string(index=False))
    for row in small.itertuples():
        print(f"{row.name}: {row.status} {row.reason}")
    every = pd.concat([small, large])
    results.append(("bombs: crashes", "0", str(int(every["status"].eq("crash").sum()))))
    results.append(("bombs: slowest", "under 5 s", f"{every['s'].max():.2f} s"))
    results.append(("bombs: most memory", "under 500 MB", f"{every['MB'].max():.0f} MB"))


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("memory is read from /proc: Linux only")
    sections = {"mutants": measure_mutants, "bombs": measure_bombs}
    run(__doc__, sections, without_data=sections)
