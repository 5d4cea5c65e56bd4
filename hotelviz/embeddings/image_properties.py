"""Properties of photos: one decode gives size, light, sharpness, hash, thumbnail and features.

They are cached by the content of the files, so that an audit of a grown catalogue decodes only what
is new.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image
from tqdm.auto import tqdm
from tqdm.contrib.concurrent import thread_map

from hotelviz.catalog import check_missing, check_table
from hotelviz.embeddings.property_cache import PART_SIZE, THUMBNAIL_SIDE, PropertyCache
from hotelviz.errors import ImageError
from hotelviz.images import Decoded, View, iterate_views, perceptual_hash, reading
from hotelviz.io.remote import is_url
from hotelviz.schema import Status

if TYPE_CHECKING:
    import keras

#: Properties are computed at this size, whatever the network's is, so that thresholds mean the
#: same.
_VIEW = View((224, 224))
#: Photos at URLs that are held on this disk at once, and threads that read files and URLs.
_MAX_FETCHED, _READERS = 128, 16
_CONTENT = ["content", "bytes", "status", "error"]
_LEVELS = np.arange(256)


class ImageProperties(NamedTuple):
    """What one decode of each photo gave.

    Attributes
    ----------
    photos
        A row per row of the catalogue, in its order: ``image_id``; ``content`` (names the bytes of
        the file; missing where they could not be had); ``status`` (a `hotelviz.schema.Status`) and
        ``error`` (empty, or what is wrong with the file or its place); ``width``, ``height``,
        ``format``; ``dark`` (95th percentile of the brightness, 0 to 1), ``light`` (5th
        percentile), ``sharpness`` (variance of the Laplacian at 224 pixels), ``entropy`` (of the
        brightness, in bits, 0 to 8), ``colour`` (99th percentile of the distance from grey, 0 to
        1), ``border`` (share of the photo that plain strips along its edges cover); ``pixels``
        (names the decoded pixels); ``hash`` (`hotelviz.images.perceptual_hash`; 0 where missing);
        ``bytes``. Missing where the photo could not be read.
    thumbnails
        uint8 (n_photos, 32, 32, 3), to compare photos with; 0 where a photo could not be read.
    features
        float32 (n_photos, n_features), the backbone's pooled features, NaN where a photo could not
        be read; None without a model.
    n_computed
        How many photos were decoded now; the others were in the cache, or the same file.
    """

    photos: pd.DataFrame
    thumbnails: np.ndarray
    features: np.ndarray | None
    n_computed: int


def compute_image_properties(
    catalog: pd.DataFrame,
    *,
    model: keras.Model | None = None,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    allow_missing: bool = False,
    progress: bool = True,
) -> ImageProperties:
    """Compute the properties of photos, each from one decode.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id`` and ``path``, a file or a URL. A photo at a URL
        is fetched once, also where it is in the cache: only its bytes name its content.
    model : keras.Model, optional
        Gives the features: any model whose head is global average pooling and one dense layer.
    cache : path, optional
        A folder for properties by content; by default nothing is kept. Parts of it that another
        model wrote, or that are damaged, are passed over with a `hotelviz.errors.CacheWarning`.
        What is unavailable is not kept: the next call tries it again.
    batch_size : int, default 64
        Photos per call of the network.
    allow_missing : bool, default False
        Go on although more than a tenth of the photos is unavailable.
    progress : bool, default True
        Show a bar with the photos per second.

    Returns
    -------
    ImageProperties

    Raises
    ------
    CatalogError
        A table without ``path``, or with repeated names.
    MissingPhotosError
        More than a tenth of the photos is unavailable: a disk is not mounted, say.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(4)
    >>> found = compute_image_properties(photos, progress=False)
    >>> found.photos[["width", "height", "format"]].head(1)
       width  height format
    0    128      96   JPEG
    """
    catalog = check_table(catalog, needs=["image_id", "path"], where="compute_image_properties")
    paths = catalog["path"].reset_index(drop=True)
    contents = pd.DataFrame({**dict.fromkeys(_CONTENT), "bytes": 0, "status": "ok"}, paths.index)
    remote = np.flatnonzero(paths.map(is_url))
    blocks = [remote[start : start + _MAX_FETCHED] for start in range(0, len(remote), _MAX_FETCHED)]
    run = _Run(model, batch_size, PropertyCache(None if cache is None else Path(cache), model))
    bar_kw: dict[str, Any] = {"unit": "photo", "disable": not progress}
    with tqdm(total=len(paths), desc="computing properties", **bar_kw) as bar:
        for rows in (np.setdiff1d(np.arange(len(paths)), remote), *blocks):
            with tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
                asked = paths.iloc[rows]
                # What is named and what is decoded are the same bytes, of URLs as well.
                fetched = [
                    f"{folder}/{row}" if is_url(path) else path for row, path in asked.items()
                ]
                files = pd.Series(fetched, index=asked.index)
                bar_kw["disable"] = not progress or not files.equals(asked)
                hashed = thread_map(
                    _content, asked, files, max_workers=_READERS, desc="hashing", **bar_kw
                )
                contents.iloc[rows] = pd.DataFrame(hashed, asked.index, _CONTENT)
                gone = contents["status"] == Status.UNAVAILABLE
                examples = zip(paths[gone], contents.loc[gone, "error"], strict=True)
                check_missing(int(gone.sum()), len(paths), examples, allow=allow_missing)
                n_decoded = run.compute(files, contents["content"].iloc[rows], bar)
                bar.update(len(rows) - n_decoded)
    run.cache.save()
    return _joined(catalog["image_id"], contents, run, with_features=model is not None)


def _content(path: str, file: str) -> tuple[str | None, int, str, str]:
    """Name the content of a file or URL, or say why it cannot be had; keep that of a URL."""
    try:
        with reading(path) as data:
            if file != path:
                Path(file).write_bytes(data)
            return hashlib.blake2b(data, digest_size=16).hexdigest(), len(data), "ok", ""
    except ImageError as error:
        return None, 0, str(error.status), str(error)


class _Run:
    """Computes the properties of each content once, with one model."""

    def __init__(self, model: keras.Model | None, batch_size: int, cache: PropertyCache) -> None:
        self.batch_size, self.cache, self.n_computed = batch_size, cache, 0
        self.views, self.features = [_VIEW], None
        if model is not None:
            from hotelviz.models import activations, model_info, split_head

            wanted = model_info(model).preprocessing
            self.views.append(View(wanted.size, wanted.resample))
            self.features = activations(model, split_head(model)[0])

    def compute(self, files: pd.Series, names: pd.Series, bar: Any) -> int:
        """Compute what is not known yet; return how many photos were decoded."""
        before = self.n_computed
        # Where one copy of a file cannot be had any more, another one may be.
        left = names[names.notna() & ~names.isin(list(self.cache.places))]
        while len(left):
            rows = left.index[~left.duplicated()]
            for start in range(0, len(rows), PART_SIZE):
                part = rows[start : start + PART_SIZE]
                self.cache.add(names[part], self._decode(files[part], bar))
                self.n_computed += len(part)
            left = left.drop(rows)
            left = left[left.isin(list(self.cache.unavailable))]
        return self.n_computed - before

    def _decode(self, files: pd.Series, bar: Any) -> list[dict[str, Any]]:
        stamps = [_stamp(file) for file in files]
        rows: list[dict[str, Any]] = [{"status": "ok", "error": ""} for _ in stamps]
        at = list(dict.fromkeys(self.views))
        for batch in iterate_views(files, at, measure=image_properties, batch_size=self.batch_size):
            for row, found in zip(batch.rows, batch.measures, strict=True):
                rows[row] |= found
            if self.features is not None and len(batch.rows):
                vectors = self.features(batch.views[at.index(self.views[-1])]).astype("float16")
                for row, vector in zip(batch.rows, vectors, strict=True):
                    rows[row]["features"] = vector
            for row, error in batch.errors.items():
                rows[row] |= {"status": str(error.status), "error": error.reason}
            bar.update(len(batch.rows) + sum(row not in batch.rows for row in batch.errors))
        # Of files that changed meanwhile the name of the content lies.
        changed = {"status": str(Status.UNAVAILABLE), "error": "changed while it was read"}
        return [
            row if _stamp(file) == stamp else changed
            for file, stamp, row in zip(files, stamps, rows, strict=True)
        ]


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def image_properties(photo: Decoded) -> dict[str, Any]:
    """Return the properties of a decoded photo; see `ImageProperties` for what the values are."""
    image = Image.fromarray(photo.pixels)
    grey = image.convert("L")
    levels = np.asarray(grey)
    brightness = _shares(grey)
    low, high = np.searchsorted(np.cumsum(brightness), [0.05, 0.95])
    some = brightness[brightness > 0]
    stated = photo.pixels.tobytes() + bytes(f"{photo.width}x{photo.height}", "ascii")
    # Cb and Cr are 128 in a photo without colour.
    bands = map(_shares, image.reduce(2).convert("YCbCr").split()[1:])
    away = [np.cumsum(np.bincount(abs(_LEVELS - 128), band, 129)) for band in bands]
    return {
        "width": photo.width,
        "height": photo.height,
        "format": photo.format,
        "dark": high / 255,
        "light": low / 255,
        "sharpness": _sharpness(levels),
        "entropy": -float(some @ np.log2(some)),
        "colour": max(int(np.searchsorted(band, 0.99)) for band in away) / 128,
        "border": _border(levels),
        "pixels": hashlib.blake2b(stated, digest_size=16).hexdigest(),
        "hash": perceptual_hash(levels),
        "thumbnail": image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX).tobytes(),
    }


def _shares(image: Image.Image) -> np.ndarray:
    counts = np.array(image.histogram(), dtype=float)
    return np.asarray(counts / counts.sum())


def _sharpness(grey: np.ndarray) -> float:
    """Compute the variance of the Laplacian."""
    wide = grey.astype("int16")
    edges = 4 * wide[1:-1, 1:-1] - wide[:-2, 1:-1] - wide[2:, 1:-1]
    edges -= wide[1:-1, :-2] + wide[1:-1, 2:]
    return float(np.var(edges, dtype="float32"))


def _border(grey: np.ndarray) -> float:
    """Compute the share of a photo that strips of one brightness along its edges cover."""
    kept = []
    for axis in (0, 1):
        plain = np.ptp(grey, axis=axis) <= 4
        if plain.all():
            return 1.0
        kept.append((len(plain) - plain.argmin() - plain[::-1].argmin()) / len(plain))
    return float(1 - kept[0] * kept[1])


def _joined(
    ids: pd.Series, contents: pd.DataFrame, run: _Run, *, with_features: bool
) -> ImageProperties:
    """Lay the properties of the contents beside the rows of the catalogue."""
    places = contents["content"].map(run.cache.places).astype("Int64")
    found = run.cache.table.take(pa.array(places, from_pandas=True))
    photos = found.drop_columns(["content", "features", "thumbnail"]).to_pandas()
    for name in ("status", "error"):
        photos[name] = photos[name].fillna(contents[name]).astype("str")
    photos = photos.astype({"width": "Int64", "height": "Int64"})
    photos.insert(0, "image_id", ids.to_numpy())
    photos.insert(1, "content", contents["content"])
    photos["bytes"] = contents["bytes"]
    # A missing hash would turn the others into floats, which lose bits.
    photos["hash"] = found["hash"].fill_null(0).to_numpy()
    blank = bytes(3 * THUMBNAIL_SIDE**2)
    pixels = b"".join(one or blank for one in found["thumbnail"].to_pylist())
    thumbnails = np.frombuffer(pixels, "uint8").reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
    features = None
    if with_features:
        vectors = found["features"].combine_chunks()
        there = vectors.is_valid().to_numpy(zero_copy_only=False)
        flat = vectors.drop_null().flatten().to_numpy(zero_copy_only=False)
        features = np.full((len(ids), len(flat) // max(there.sum(), 1)), np.nan, "float32")
        features[there] = flat.reshape(there.sum(), features.shape[1])
    return ImageProperties(photos, thumbnails, features, run.n_computed)
