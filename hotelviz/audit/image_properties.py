"""Measure photos: one decode gives the file's facts, the looks, the hashes and the features.

What was measured is cached beside the catalogue, by the content of the file, so that an audit of a
grown catalogue decodes only what is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import uuid
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image
from tqdm.auto import tqdm

from hotelviz.audit.registration import SIDE
from hotelviz.catalog import check_missing, check_table
from hotelviz.errors import CacheWarning, ImageError
from hotelviz.images import Decoded, View, iterate_views, perceptual_hash, reading
from hotelviz.io.atomic import atomic_path
from hotelviz.io.remote import is_url
from hotelviz.schema import Status

if TYPE_CHECKING:
    import keras

#: Looks are measured at this size, whatever the network's is, so that thresholds mean the same.
_LOOK = View((224, 224))
#: Changes whenever a measure does.
_VERSION = 4
#: Photos a part of the cache: what an interruption can lose.
_PART_SIZE = 4096
#: Photos at URLs that are held on this disk at once, and threads that fetch them.
_FETCHED, _FETCHERS = 128, 16
_KEY = b"hotelviz"
#: How parts of a cache are named; other files of the folder are not touched.
_OURS = re.compile(r"part-[0-9a-f]{32}\.parquet")
_LEVELS = np.arange(256)
_CONTENT = ["content", "bytes", "status", "error"]


class Measured(NamedTuple):
    """What one decode of each photo gave.

    Attributes
    ----------
    photos
        A row per row of the catalogue, in its order: ``image_id``; ``content`` (names the bytes of
        the file; missing where they could not be had); ``status`` (a `hotelviz.schema.Status`) and
        ``error`` (empty, or what is wrong with the file or its place); ``width``, ``height``,
        ``format``; ``bytes``; the looks ``dark`` (95th percentile of the brightness, 0 to 1),
        ``light`` (5th percentile), ``sharpness`` (variance of the Laplacian at 224 pixels),
        ``entropy`` (of the brightness, in bits, 0 to 8), ``colour`` (99th percentile of the
        distance from grey, 0 to 1), ``border`` (share of the photo that plain strips along its
        edges cover); ``pixels`` (names the decoded pixels); ``hash``
        (`hotelviz.images.perceptual_hash`). Missing where the photo could not be read.
    thumbnails
        uint8 (N, 32, 32, 3), to compare photos with; 0 where a photo could not be read.
    features
        float32 (N, d), the backbone's pooled features, NaN where a photo could not be read; None
        without a model.
    computed
        How many photos were decoded now; the others were in the cache, or the same file.
    """

    photos: pd.DataFrame
    thumbnails: np.ndarray
    features: np.ndarray | None
    computed: int


def measure_photos(
    catalog: pd.DataFrame,
    *,
    model: keras.Model | None = None,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    allow_missing: bool = False,
    progress: bool = True,
) -> Measured:
    """Measure each photo once.

    Parameters
    ----------
    catalog
        With ``image_id`` and ``path``, a file or a URL (see `hotelviz.io.remote`). A photo at a URL
        is fetched once, also where it is in the cache: only its bytes say so.
    model
        Gives the features: any model whose head is global average pooling and one dense layer.
        None measures without them.
    cache
        A folder for what was measured, by content; None keeps nothing. A part of it that another
        model wrote, or that is damaged, is passed over with a `CacheWarning`. What is unavailable
        is not kept: the next call tries it again.
    batch_size
        Photos per call of the network.
    allow_missing
        Go on although more than a tenth of the photos is unavailable.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    Measured

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
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3).head(4)
    >>> measure_photos(photos, progress=False).photos[["width", "height", "format"]].head(1)
       width  height format
    0    320     240   JPEG
    """
    catalog = check_table(catalog, needs=["image_id", "path"], where="measure_photos")
    paths = catalog["path"].reset_index(drop=True)
    key = _cache_key(model)
    run = _Run(model, batch_size, None if cache is None else Path(cache), key)
    remote = paths.map(is_url).to_numpy(dtype=bool)
    contents = pd.DataFrame(
        {"content": pd.Series(index=paths.index, dtype="object"), "bytes": 0, "status": "ok",
         "error": ""}
    )  # fmt: skip
    with _bar(len(paths), "measuring", progress) as bar:
        local = np.flatnonzero(~remote)
        contents.iloc[local] = _name_contents(paths.iloc[local], progress)
        _check_missing(paths, contents, allow_missing)
        bar.update(len(local) - run.measure(paths.iloc[local], contents.iloc[local], bar))
        for start in range(0, int(remote.sum()), _FETCHED):
            rows = np.flatnonzero(remote)[start : start + _FETCHED]
            with tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
                fetched, found = _fetch(paths.iloc[rows], Path(folder))
                contents.iloc[rows] = found
                _check_missing(paths, contents, allow_missing)
                bar.update(len(rows) - run.measure(fetched, found, bar))
    run.save()
    return _joined(catalog, contents, run.known, run.computed, with_features=model is not None)


def embedding(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function from 8-bit pixels to the backbone's pooled features.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.

    Returns
    -------
    callable
        Takes uint8 (N, height, width, 3), gives float32 (N, d): 1,024 for MobileNet.

    Raises
    ------
    ModelError
        When the head is another one.
    """
    import keras
    import tensorflow as tf

    from hotelviz.models import cached_function, freeze, model_info, split_head

    preprocessing = model_info(model).preprocessing
    signature = tf.TensorSpec((None, *preprocessing.size, 3), tf.uint8)

    def make() -> Callable[..., list[np.ndarray]]:
        body = keras.Model(model.input, split_head(model)[0].output)
        return freeze(
            lambda pixels: body(preprocessing.scale(tf.cast(pixels, tf.float32)), training=False),
            signature,
        )

    run = cached_function(model, "embedding", make)
    return lambda pixels: run(pixels)[0]


def _check_missing(paths: pd.Series, contents: pd.DataFrame, allow: bool) -> None:
    gone = contents["status"] == Status.UNAVAILABLE
    examples = zip(paths[gone], contents.loc[gone, "error"], strict=True)
    check_missing(int(gone.sum()), len(paths), examples, allow=allow)


def _bar(total: int, what: str, progress: bool) -> Any:
    return tqdm(total=total, unit="photo", desc=what, disable=not progress)


def _name_content(path: str, place: str | None = None) -> tuple[str | None, int, str, str]:
    """Name the content of a file or URL, or say why it cannot be had; keep its bytes at `place`."""
    try:
        with reading(path) as data:
            if place is not None:
                Path(place).write_bytes(data)
            return hashlib.blake2b(data, digest_size=16).hexdigest(), len(data), "ok", ""
    except ImageError as error:
        return None, 0, str(error.status), str(error)


def _name_contents(paths: pd.Series, progress: bool) -> pd.DataFrame:
    with ThreadPoolExecutor() as pool, _bar(len(paths), "hashing", progress) as bar:
        rows = []
        for found in pool.map(_name_content, paths, chunksize=64):
            rows.append(found)
            bar.update()
    return pd.DataFrame(rows, columns=_CONTENT, index=paths.index)


def _fetch(paths: pd.Series, folder: Path) -> tuple[pd.Series, pd.DataFrame]:
    """Fetch photos at URLs to a folder: what is named and what is decoded are the same bytes."""
    places = [str(folder / str(number)) for number in range(len(paths))]
    with ThreadPoolExecutor(_FETCHERS) as pool:
        rows = list(pool.map(_name_content, paths, places))
    return (
        pd.Series(places, index=paths.index),
        pd.DataFrame(rows, columns=_CONTENT, index=paths.index),
    )


def image_properties(photo: Decoded) -> dict[str, Any]:
    """Measure how a photo looks; see `Measured` for what the values are."""
    image = Image.fromarray(photo.pixels)
    grey = image.convert("L")
    levels = np.asarray(grey)
    brightness = _shares(grey)
    low, high = np.searchsorted(np.cumsum(brightness), [0.05, 0.95])
    some = brightness[brightness > 0]
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
        "pixels": hashlib.blake2b(
            photo.pixels.tobytes() + bytes(f"{photo.width}x{photo.height}", "ascii"), digest_size=16
        ).hexdigest(),
        "hash": perceptual_hash(levels),
        "thumbnail": image.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes(),
    }


def _shares(image: Image.Image) -> np.ndarray:
    counts = np.array(image.histogram(), dtype=float)
    return counts / counts.sum()


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


class _Run:
    """Measure photos with one model, each content once, and keep what is final in the cache."""

    def __init__(
        self, model: keras.Model | None, batch_size: int, cache: Path | None, key: str
    ) -> None:
        self.batch_size, self.cache, self.key = batch_size, cache, key
        self.known = _read_cache(cache, key) if cache is not None else _Store()
        self.unsaved: list[pa.Table] = []
        self.computed = 0
        self.views, self.embed = [_LOOK], None
        if model is not None:
            from hotelviz.models import model_info

            wanted = model_info(model).preprocessing
            self.views.append(View(wanted.size, wanted.resample))
            self.embed = embedding(model)

    def measure(self, paths: pd.Series, contents: pd.DataFrame, bar: Any) -> int:
        """Measure what is not known yet; return how many photos were decoded."""
        before = self.computed
        names = contents["content"]
        # Where one copy of a file cannot be had any more, another one may be.
        left = names[names.notna() & ~names.isin(list(self.known.places))]
        while len(left):
            rows = left.index[~left.duplicated()]
            for start in range(0, len(rows), _PART_SIZE):
                self._measure_part(paths[rows[start : start + _PART_SIZE]], names, bar)
            left = left.drop(rows)
            left = left[left.isin(list(self.known.unavailable))]
        return self.computed - before

    def _measure_part(self, paths: pd.Series, names: pd.Series, bar: Any) -> None:
        stamps = [_stamp(path) for path in paths]
        table = self._decode(paths, names[paths.index], bar)
        changed = [before != _stamp(path) for before, path in zip(stamps, paths, strict=True)]
        if any(changed):
            table = _without(table, changed)
        self.known.add(table)
        self.computed += len(paths)
        self.unsaved.append(table)
        if sum(map(len, self.unsaved)) >= _PART_SIZE:
            self.save()

    def save(self) -> None:
        """Write what was measured since; what is unavailable is tried again by the next run."""
        if self.cache is not None and self.unsaved:
            part = pa.concat_tables(self.unsaved)
            part = part.filter(pc.not_equal(part["status"], str(Status.UNAVAILABLE)))
            if len(part):
                with atomic_path(self.cache / f"part-{uuid.uuid4().hex}.parquet") as temporary:
                    schema = part.schema.with_metadata({_KEY: self.key.encode()})
                    pq.write_table(part.cast(schema), temporary, compression="zstd")
        self.unsaved = []

    def _decode(self, paths: pd.Series, names: pd.Series, bar: Any) -> pa.Table:
        at = list(dict.fromkeys(self.views))
        rows: list[dict[str, Any]] = [{"status": "ok", "error": ""} for _ in range(len(paths))]
        features: list[np.ndarray | None] = [None] * len(paths)
        for batch in iterate_views(paths, at, measure=image_properties, batch_size=self.batch_size):
            for row, measured in zip(batch.rows, batch.measures, strict=True):
                rows[row] |= measured
            if self.embed is not None and len(batch.rows):
                pixels = batch.views[at.index(self.views[-1])]
                for row, vector in zip(batch.rows, self.embed(pixels), strict=True):
                    features[row] = vector.astype("float16")
            for row, problem in batch.errors.items():
                rows[row] |= {"status": str(problem.status), "error": problem.reason}
            bar.update(len(batch.rows) + sum(row not in batch.rows for row in batch.errors))
        return _table(rows, names, features)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _without(table: pa.Table, changed: list[bool]) -> pa.Table:
    """Forget what was measured of files that changed meanwhile: the name of their content lies."""
    rows = [
        {"status": str(Status.UNAVAILABLE), "error": "changed while it was read"} if gone else row
        for gone, row in zip(changed, table.drop_columns("content").to_pylist(), strict=True)
    ]
    return _table(rows, table["content"], [row.get("features") for row in rows])


_SCHEMA = pa.schema(
    {
        "content": pa.string(),
        "status": pa.string(),
        "error": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "format": pa.string(),
        **dict.fromkeys(
            ("dark", "light", "sharpness", "entropy", "colour", "border"), pa.float32()
        ),
        "pixels": pa.string(),
        "hash": pa.uint64(),
        "thumbnail": pa.binary(3 * SIDE * SIDE),
        "features": pa.list_(pa.float16()),
    }
)


def _table(rows: list[dict[str, Any]], contents: Any, features: list[Any]) -> pa.Table:
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in _SCHEMA
        if field.name not in ("content", "features")
    }
    columns["content"] = pa.array(contents, pa.string())
    columns["features"] = pa.array(features, _SCHEMA.field("features").type)
    return pa.table({name: columns[name] for name in _SCHEMA.names}, schema=_SCHEMA)


class _Store:
    """Tables of measures, and where each content stands in them."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []
        self.places: dict[str, int] = {}
        self.unavailable: set[str] = set()
        self._count = 0

    def add(self, table: pa.Table) -> None:
        self.tables.append(table)
        names = table.column("content").to_pylist()
        for number, (name, status) in enumerate(
            zip(names, table.column("status").to_pylist(), strict=True)
        ):
            self.places[name] = self._count + number
            if status == Status.UNAVAILABLE:
                self.unavailable.add(name)
            else:
                self.unavailable.discard(name)
        self._count += len(table)


def _cache_key(model: keras.Model | None) -> str:
    if model is None:
        return json.dumps({"version": _VERSION, "model": None})
    from hotelviz.models import weights_hash

    return json.dumps({"version": _VERSION, "model": weights_hash(model)})


def _read_cache(folder: Path, key: str) -> _Store:
    """Read the parts that this model wrote; damaged ones are removed, since they are of no use."""
    store, others = _Store(), 0
    for part in sorted(file for file in folder.glob("part-*.parquet") if _OURS.match(file.name)):
        try:
            metadata = pq.read_schema(part).metadata or {}
            if metadata.get(_KEY) != key.encode():
                others += 1
                continue
            store.add(pq.read_table(part).cast(_SCHEMA))
        except (OSError, pa.ArrowException) as error:
            warnings.warn(
                f"{part}: damaged ({error}); removed, and measured again",
                CacheWarning,
                stacklevel=3,
            )
            part.unlink(missing_ok=True)
    if others:
        warnings.warn(
            f"{folder}: {others} parts of the cache were written by another model, or another "
            "version of hotelviz; they are passed over, and their photos measured again",
            CacheWarning,
            stacklevel=3,
        )
    return store


def _joined(
    catalog: pd.DataFrame,
    contents: pd.DataFrame,
    known: _Store,
    computed: int,
    *,
    with_features: bool,
) -> Measured:
    """Lay the measures beside the rows of the catalogue."""
    table = pa.concat_tables(known.tables) if known.tables else _SCHEMA.empty_table()
    places = np.array([known.places.get(name, -1) for name in contents["content"]], dtype=int)
    found = places >= 0
    taken = table.take(pa.array(places[found]))
    told = ["status", "error"]
    frame = taken.drop_columns(["content", "features", "thumbnail", *told]).to_pandas()
    frame.index = pd.Index(np.flatnonzero(found))
    photos = frame.reindex(range(len(catalog))).astype({"width": "Int64", "height": "Int64"})
    photos.insert(0, "image_id", catalog["image_id"].to_numpy())
    photos.insert(1, "content", contents["content"])
    for place, name in enumerate(told, start=2):
        values = contents[name].to_numpy(dtype=object).copy()
        values[found] = taken.column(name).to_pylist()
        photos.insert(place, name, pd.Series(values, dtype="str"))
    photos["bytes"] = contents["bytes"]
    # A missing hash would turn the others into floats, which lose bits.
    hashes = np.zeros(len(catalog), "uint64")
    hashes[found] = taken.column("hash").fill_null(0).to_numpy()
    photos["hash"] = hashes
    thumbnails = np.zeros((len(catalog), SIDE, SIDE, 3), "uint8")
    pixels = taken.column("thumbnail").combine_chunks()
    read = np.flatnonzero(found)[pixels.is_valid().to_numpy(zero_copy_only=False)]
    flat = np.frombuffer(b"".join(pixels.drop_null().to_pylist()), "uint8")
    thumbnails[read] = flat.reshape(-1, SIDE, SIDE, 3)
    features = None
    if with_features:
        column = taken.column("features").combine_chunks()
        there = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        width = len(column[int(there[0])]) if len(there) else 0
        features = np.full((len(catalog), width), np.nan, "float32")
        flat = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        features[np.flatnonzero(found)[there]] = flat.reshape(-1, max(width, 1))[:, :width]
    return Measured(photos, thumbnails, features, computed)
