"""Files to pixels: formats, orientation, sizes and batches."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import pytest
from album import gradient, save
from PIL import Image

from hotelviz.errors import HotelvizError
from hotelviz.images import (
    decode_bytes,
    decode_image,
    iterate_images,
    read_image,
)


@pytest.mark.parametrize(
    ("name", "mode", "kw", "tolerance"),
    [
        ("a.jpg", "RGB", {"quality": 95}, 12),
        ("progressive.jpg", "RGB", {"quality": 95, "progressive": True}, 12),
        ("cmyk.jpg", "CMYK", {"quality": 98}, 12),
        ("a.png", "RGB", {}, 0),
        ("palette.png", "P", {}, 51),  # a palette of steps of 51
        ("a.webp", "RGB", {"lossless": True}, 0),
        ("a.bmp", "RGB", {}, 0),
        ("a.tif", "RGB", {}, 0),
    ],
)
def test_each_format_gives_the_pixels_it_was_written_with(tmp_path, name, mode, kw, tolerance):
    pixels = read_image(save(tmp_path / name, mode, **kw))
    assert pixels.shape == (64, 96, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - gradient()).max() <= tolerance


def test_sixteen_bit_png_is_scaled_to_eight(tmp_path):
    values = np.linspace(0, 65535, 64).astype("uint16").reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert (read_image(tmp_path / "deep.png")[..., 0] == values // 257).all()


def test_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_orientation_is_undone(tmp_path, orientation, suffix):
    undo = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, 3),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(undo(gradient()))
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(stored).save(file, exif=exif, **({"quality": 95} if suffix == "jpg" else {}))
    decoded = decode_image(file, size=(32, 48))
    assert (decoded.width, decoded.height) == (96, 64)
    whole = np.asarray(Image.fromarray(gradient()).resize((48, 32), Image.Resampling.BILINEAR))
    assert np.abs(decoded.pixels.astype(int) - whole).max() <= 14


def test_reduced_decoding_looks_like_full_decoding(tmp_path):
    big = Image.fromarray(gradient(1600, 1200))
    big.save(tmp_path / "big.jpg", quality=92)
    fast = read_image(tmp_path / "big.jpg", size=(224, 224)).astype(int)
    full = np.asarray(
        Image.open(tmp_path / "big.jpg").resize((224, 224), Image.Resampling.BILINEAR)
    )
    assert np.abs(fast - full).mean() < 1


def test_nearest_takes_the_files_own_pixels(tmp_path):
    file = save(tmp_path / "a.jpg", quality=90)
    expected = np.asarray(Image.open(file).resize((20, 10), Image.Resampling.NEAREST))
    assert (read_image(file, size=(10, 20), resample="nearest") == expected).all()


def test_unknown_filter_is_refused(tmp_path):
    file = save(tmp_path / "a.png")
    with pytest.raises(HotelvizError, match="nearest, bilinear, bicubic, lanczos; not 'cubic'"):
        read_image(file, resample="cubic")
    with pytest.raises(HotelvizError, match="not 'cubic'"):  # and not "all photos are unreadable"
        next(iterate_images([file], size=(8, 8), resample="cubic"))


def test_batches_keep_order_and_list_what_was_skipped(tmp_path):
    files = []
    for number in range(10):
        file = tmp_path / f"{number}.png"
        Image.new("RGB", (20, 20), (number * 20, 0, 0)).save(file)
        files.append(file)
    files[3].write_text("not an image")
    files[7].unlink()
    batches = list(iterate_images(iter(files), size=(16, 8), batch_size=4))
    assert [len(batch.rows) for batch in batches] == [3, 3, 2]
    rows = np.concatenate([batch.rows for batch in batches])
    pixels = np.concatenate([batch.pixels for batch in batches])
    assert rows.tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    assert pixels.shape == (8, 16, 8, 3)
    assert pixels[:, 0, 0, 0].tolist() == [20 * row for row in rows]
    problems = {row: p.reason for batch in batches for row, p in batch.errors.items()}
    assert problems == {3: "not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF image", 7: "missing"}


def test_sequence_is_read_only_as_far_ahead_as_asked(tmp_path):
    file = save(tmp_path / "a.png")
    taken = []

    def endless():
        while True:
            taken.append(file)
            yield file

    batches = iterate_images(endless(), size=(8, 8), batch_size=5, prefetch=2)
    next(batches)
    assert len(taken) == 15
    batches.close()


def test_threads_end_when_the_consumer_stops_early(tmp_path):
    before = threading.active_count()
    batches = iterate_images([save(tmp_path / "a.png")] * 500, size=(8, 8), batch_size=5)
    next(batches)
    batches.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def encoded(image: Image.Image, kind: str, **kw: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **kw)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "kw", "tolerance"),
    [
        ("AVIF", {"quality": 95}, 8),
        ("HEIF", {"quality": 95}, 8),
        ("TIFF", {"compression": "jpeg"}, 8),
    ],
)
def test_formats_that_are_decoded_apart_give_their_pixels_upright(kind, kw, tolerance):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="the extra 'heif' is not installed")
        import pillow_heif

        pillow_heif.register_heif_opener()
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = decode_bytes(encoded(Image.fromarray(gradient()), kind, exif=turned.tobytes(), **kw))
    assert photo.format == kind
    assert (photo.width, photo.height) == (64, 96)
    assert np.abs(photo.pixels.astype(int) - np.rot90(gradient(), -1)).max() <= tolerance


def test_photo_is_fitted_into_a_side_upright_and_never_enlarged(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = save(tmp_path / "a.jpg", exif=exif.tobytes())
    assert decode_image(file, max_side=48).pixels.shape == (48, 32, 3)
    assert decode_image(file, max_side=500).pixels.shape == (96, 64, 3)
