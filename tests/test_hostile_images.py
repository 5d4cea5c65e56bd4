"""One photo may not take the machine: bombs are refused, mutants end in pixels or in a reason."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hotelviz.errors import ImageError
from hotelviz.images import decode_bytes, decode_image, iterate_images, worker
from hotelviz.images.bounds import Budget
from hotelviz.schema import Status


def encoded(image: Image.Image, kind: str, **kw: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **kw)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, *, colour: int = 6, interlaced: int = 0, extra: bytes = b""
) -> bytes:
    """A PNG that declares its pixels and has few of them."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(bytes(400)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + pixels + chunk(b"IEND", b"")


def scans(side: int, number: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = encoded(Image.new("RGB", (side, side), "red"), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * number + data[-2:]


def strips(number: int) -> bytes:
    """A TIFF of one pixel a strip."""
    tags = [
        (256, 4, 1, 1), (257, 4, 1, number), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, number, 122), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, number, 122),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0\x09\0" + directory + bytes(4) + struct.pack("<I", 1) * number


def webp(width: int, height: int) -> bytes:
    data = encoded(Image.new("RGBA", (8, 8), (1, 2, 3, 4)), "WEBP", lossless=True)
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    whole = b"WEBP" + b"VP8X\x0a\0\0\0\x10\0\0\0" + size + data[12:]
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def tiff(side: int) -> bytes:
    data = bytearray(encoded(Image.new("RGBA", (8, 8)), "TIFF", compression="tiff_adobe_deflate"))
    (at,) = struct.unpack_from("<I", data, 4)
    for entry in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] in {256, 257, 278}:
            struct.pack_into("<HII", data, entry + 2, 4, 1, side)
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: png(1, 89_000_000), "a side of more than 65,535"),
        (lambda: png(9459, 9459), "more than the 500 MB"),
        (lambda: png(9459, 9459, colour=2, interlaced=1), "more than the 500 MB"),
        (lambda: png(30_000, 30_000), "declares more than 89,478,485 pixels"),
        (lambda: webp(9459, 9459), "more than the 500 MB"),
        (lambda: tiff(9459), "more than the 500 MB"),
        (lambda: strips(5_000_000), "more than 100,000 strips"),
        (lambda: scans(8, 1000), "more than 200 scans"),
        (lambda: png(9, 9, extra=chunk(b"tEXt", b"a\0b") * 200_000), "more than 100,000 chunks"),
    ],
    ids=["long", "rgba", "interlaced", "pixels", "webp", "tiff", "strips", "scans", "chunks"],
)
def test_bomb_is_refused_at_once_and_says_which_bound_it_breaks(make, reason):
    data = make()
    started = time.perf_counter()
    with pytest.raises(ImageError, match=reason) as raised:
        decode_bytes(data, size=(32, 32))
    assert time.perf_counter() - started < 2
    assert raised.value.status is Status.UNREADABLE


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_metadata_that_inflates_without_end_costs_neither_photo_nor_memory(kind):
    bomb = chunk(kind, b"a\0\0" + zlib.compress(bytes(50_000_000)))
    pixels = decode_bytes(png(9, 9, colour=2, extra=bomb)).pixels
    assert pixels.shape == (9, 9, 3)


@pytest.mark.parametrize("kind", [3, 4, 8])
def test_colour_profile_of_the_wrong_kind_of_numbers_does_not_cost_the_photo(kind):
    data = bytearray(
        encoded(Image.new("RGB", (8, 8), "red"), "TIFF", icc_profile=bytes(range(200)))
    )
    (at,) = struct.unpack_from("<I", data, 4)
    entry = data.index(struct.pack("<HH", 34675, 7), at)
    struct.pack_into("<HHI", data, entry, 34675, kind, 40)
    assert decode_bytes(bytes(data)).pixels[0, 0].tolist() == [255, 0, 0]


def decoders() -> set[int]:
    """Give the processes that decode costly photos for this one."""
    tasks = Path("/proc/self/task").iterdir()
    mine = {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
    return {pid for pid in mine if b"images.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


#: Some seconds of work for a decoder.
SLOW = scans(2400, 190)


def test_photo_that_takes_too_long_is_ended_and_the_next_is_read(monkeypatch):
    monkeypatch.setattr(worker, "MAX_SECONDS", 0.1)
    started = time.perf_counter()
    with pytest.raises(ImageError, match="was ended") as raised:
        decode_bytes(SLOW)
    assert time.perf_counter() - started < 5
    assert raised.value.status is Status.UNAVAILABLE  # by the clock: this machine may be busy
    monkeypatch.undo()
    fine = encoded(Image.new("RGB", (8, 8), "red"), "TIFF")
    assert decode_bytes(fine).pixels[0, 0].tolist() == [255, 0, 0]


def test_answer_that_cannot_be_is_refused_and_the_next_photo_is_read(monkeypatch):
    photo = tiff(8)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "MAX_MEMORY", 100)
        with pytest.raises(ImageError, match="say what cannot be"):
            decode_bytes(photo)
    assert decode_bytes(photo).pixels.shape == (8, 8, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the decoder in /proc")
def test_crash_of_a_decoder_costs_its_photo_only():
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decode_bytes, SLOW)
        while not decoders():
            time.sleep(0.01)
        time.sleep(0.05)
        # Whichever was started now or before: one of them decodes the photo.
        for decoder in decoders():
            os.kill(decoder, signal.SIGSEGV)
        with pytest.raises(ImageError, match=r"makes its decoder crash \(SIGSEGV\)") as raised:
            waiting.result()
    assert raised.value.status is Status.UNREADABLE
    fine = encoded(Image.new("RGB", (8, 8), "red"), "TIFF")
    assert decode_bytes(fine).pixels[0, 0].tolist() == [255, 0, 0]


def test_decoder_works_in_a_script_from_standard_input_and_ends_with_it(tmp_path):
    (tmp_path / "a.tif").write_bytes(encoded(Image.new("RGB", (8, 8), "red"), "TIFF"))
    # A module of this name beside the program is not the library's.
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    program = (
        "import hotelviz.images as images, pathlib, os\n"
        "print(images.read_image('a.tif')[0, 0].tolist())\n"
        "tasks = pathlib.Path('/proc/self/task')\n"
        "print(*[(t / 'children').read_text() for t in tasks.glob('*')])\n"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(
        [sys.executable, "-P", "-"], input=program, cwd=tmp_path, text=True, capture_output=True,
        timeout=60, check=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    first, *rest = ended.stdout.split("\n")
    assert first == "[255, 0, 0]"
    for pid in " ".join(rest).split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_bytes_of_all_photos_at_once_stay_within_the_budget():
    budget, lock, held, most = Budget(100), threading.Lock(), [0], [0]

    def use(amount: int) -> None:
        with budget.take(amount):
            with lock:
                held[0] += min(amount, 100)
                most[0] = max(most[0], held[0])
            time.sleep(0.001)
            with lock:
                held[0] -= min(amount, 100)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(use, [30, 70, 40, 100, 10, 500, 60, 20] * 10))
    assert held == [0]
    assert most[0] <= 100


def test_device_pipe_and_impossible_name_are_no_photos_and_hold_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    places = [tmp_path / "pipe.jpg", "/dev/zero", "a\0b.jpg", tmp_path / ("x" * 300)]
    (batch,) = iterate_images(places, size=(8, 8))
    assert {p.status for p in batch.errors.values()} == {Status.UNAVAILABLE}
    assert [batch.errors[row].reason for row in range(3)] == [
        "a device or a pipe, not a file", "a device or a pipe, not a file",
        "no file can have this name",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is open in /proc")
def test_folders_among_photos_leave_no_file_open(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(ImageError, match="a folder, not a file"):
            decode_image(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def originals() -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype="uint8"))
    image = small.resize((80, 60), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 200
    extra = {"exif": exif.tobytes()}
    return {
        "jpeg": encoded(image, "JPEG", **extra),
        "progressive": encoded(image, "JPEG", progressive=True, **extra),
        "cmyk": encoded(image.convert("CMYK"), "JPEG", **extra),
        "png": encoded(image, "PNG", **extra),
        "webp": encoded(image, "WEBP", **extra),
        "lossless": encoded(image, "WEBP", lossless=True, **extra),
        "gif": encoded(image, "GIF"),
        "bmp": encoded(image, "BMP"),
        "tiff": encoded(image, "TIFF", compression="tiff_lzw"),
        "avif": encoded(image, "AVIF", **extra),
    }


def test_mutated_files_give_pixels_or_a_reason():
    rng = np.random.default_rng(16)
    ended = {Status.OK: 0, Status.TRUNCATED: 0, Status.UNREADABLE: 0}
    for data in originals().values():
        for number in range(12):
            mutant = bytearray(data)
            if number % 3 == 0:
                del mutant[int(rng.integers(len(data))) :]
            else:
                # Most of what can go wrong is in the header.
                reach = len(data) if number % 3 == 1 else min(len(data), 400)
                for place in rng.integers(reach, size=4):
                    mutant[place] = rng.integers(256)
            started = time.perf_counter()
            try:
                photo = decode_bytes(bytes(mutant), size=(32, 32))
                assert photo.pixels.shape == (32, 32, 3)
                ended[Status.TRUNCATED if photo.truncated else Status.OK] += 1
            except ImageError as error:
                ended[error.status] += 1
            assert time.perf_counter() - started < 5
    assert sum(ended.values()) == 120
    assert ended[Status.OK] > 30
    assert ended[Status.TRUNCATED] > 20
