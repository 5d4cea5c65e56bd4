"""Image properties on disk: by the content of the files, in parts, for one version and model."""

from __future__ import annotations

import functools
import json
import uuid
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hotelviz.errors import CacheWarning
from hotelviz.io.atomic import atomic_path
from hotelviz.schema import Status

if TYPE_CHECKING:
    import keras

#: Side of the thumbnails, by which photos are compared.
THUMBNAIL_SIDE = 32
#: Photos a part: what an interruption can lose.
PART_SIZE = 4096
#: Changes whenever a property does.
_VERSION = 4
_KEY = b"hotelviz"
#: How parts are named; other files of the folder are not touched.
_PARTS = f"part-{'[0-9a-f]' * 32}.parquet"
_warn = functools.partial(warnings.warn, category=CacheWarning, stacklevel=5)

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
        "thumbnail": pa.binary(3 * THUMBNAIL_SIDE**2),
        "features": pa.list_(pa.float16()),
    }
)


class PropertyCache:
    """Properties of photos by content: those of a folder, and those that were added since.

    Parameters
    ----------
    folder
        None keeps them in memory alone.
    model
        Gives the features. Parts that another model wrote are passed over; damaged ones are
        removed, since they are of no use.

    Attributes
    ----------
    places
        Content -> its row in `table`.
    unavailable
        The contents that could not be read; they are not written, so that the next run tries again.
    """

    def __init__(self, folder: Path | None, model: keras.Model | None) -> None:
        self.folder = folder
        self.places: dict[str, int] = {}
        self.unavailable: set[str] = set()
        self._tables: list[pa.Table] = []
        self._unsaved: list[pa.Table] = []
        name = None
        if model is not None:
            from hotelviz.models import weights_hash

            name = weights_hash(model)
        self._key = json.dumps({"version": _VERSION, "model": name}).encode()
        for table in _read_parts(folder, self._key) if folder is not None else ():
            self._index(table)

    @property
    def table(self) -> pa.Table:
        """All properties."""
        return pa.concat_tables(self._tables) if self._tables else _SCHEMA.empty_table()

    def add(self, contents: Iterable[str], rows: list[dict[str, Any]]) -> None:
        """Add the properties of some photos; what is missing in a row is null."""
        named = [{"content": name, **row} for name, row in zip(contents, rows, strict=True)]
        table = pa.Table.from_pylist(named, schema=_SCHEMA)
        self._index(table)
        self._unsaved.append(table)
        if sum(map(len, self._unsaved)) >= PART_SIZE:
            self.save()

    def _index(self, table: pa.Table) -> None:
        start = sum(map(len, self._tables))
        self._tables.append(table)
        names = table["content"].to_pylist()
        self.places |= {name: start + number for number, name in enumerate(names)}
        lost = table.filter(pc.equal(table["status"], str(Status.UNAVAILABLE)))
        self.unavailable = self.unavailable - set(names) | set(lost["content"].to_pylist())

    def save(self) -> None:
        """Write what was added since the last call."""
        if self.folder is not None and self._unsaved:
            part = pa.concat_tables(self._unsaved)
            part = part.filter(pc.not_equal(part["status"], str(Status.UNAVAILABLE)))
            if len(part):
                with atomic_path(self.folder / f"part-{uuid.uuid4().hex}.parquet") as temporary:
                    part = part.replace_schema_metadata({_KEY: self._key})
                    pq.write_table(part, temporary, compression="zstd")
        self._unsaved = []


def _read_parts(folder: Path, key: bytes) -> Iterator[pa.Table]:
    others = 0
    for part in sorted(folder.glob(_PARTS)):
        try:
            if (pq.read_schema(part).metadata or {}).get(_KEY) == key:
                yield pq.read_table(part).cast(_SCHEMA)
            else:
                others += 1
        except (OSError, pa.ArrowException) as error:
            _warn(f"{part}: damaged ({error}); removed, and computed again")
            part.unlink(missing_ok=True)
    if others:
        _warn(
            f"{folder}: {others} parts of the cache were written by another model, or another "
            "version of hotelviz; they are passed over, and their photos computed again"
        )
