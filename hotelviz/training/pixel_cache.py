"""A file of decoded photos, from which any of them is read at once.

Beside the pixels stands an index with a line per photo. Both files only grow: a killed run leaves
what it had decoded, a photo that was added, or replaced on disk, gets a new place, and the order of
the catalogue does not matter.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import hotelviz
from hotelviz.catalog import row_hashes
from hotelviz.images import ImageBatch, iterate_images
from hotelviz.io.atomic import atomic_path
from hotelviz.io.content import content_name
from hotelviz.schema import Status


class Pixels:
    """Decoded photos in an order of their own, read from disk when they are looked at.

    Parameters
    ----------
    file : pathlib.Path
        Of `decode_once`.
    places : numpy.ndarray
        Of each photo in it.
    size : int
        Height and width.
    """

    def __init__(self, file: Path, places: np.ndarray, size: int) -> None:
        self.places, self.size = places, size
        shape = (int(places.max(initial=-1)) + 1, size, size, 3)
        # An empty file cannot be mapped.
        self._all = np.memmap(file, "uint8", "r", shape=shape) if shape[0] else np.zeros(shape)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return np.asarray(self._all[self.places[rows]])

    def where(self, kept: np.ndarray) -> Pixels:
        """Return the photos of which `kept` (bool) says so."""
        some = copy.copy(self)
        some.places = self.places[kept]
        return some


class Decoded(NamedTuple):
    """Photos of a table, decoded.

    Attributes
    ----------
    pixels
        Of the photos that were read.
    photos
        A row per row of the table: ``hash`` (see `hotelviz.catalog.row_hashes`), ``content`` (see
        `hotelviz.io.content`), ``status`` and ``error`` (empty where there is none).
    """

    pixels: Pixels
    photos: pd.DataFrame

    def of(self, index: pd.Index) -> Pixels:
        """Return the pixels of the rows of an index that were read, in the order of the table."""
        return self.pixels.where(self.photos.index[is_read(self.photos)].isin(index))


def is_read(photos: pd.DataFrame) -> np.ndarray:
    """Return whether each photo was read, bool, by its ``status``."""
    return photos["status"].isin([Status.OK, Status.TRUNCATED]).to_numpy()


def decode_once(
    rows: pd.DataFrame, size: int, file: Path, *, resample: str, progress: bool
) -> Decoded:
    """Decode the photos that are not in a file yet, or that changed since they were.

    Parameters
    ----------
    rows : pandas.DataFrame
        With ``image_id`` and ``path``.
    size : int
        Height and width of the pixels.
    file : pathlib.Path
        Holds the pixels; the file that says whose they are has the ending ``.jsonl``.
    resample : str
        As in `hotelviz.images.decode_image`.
    progress : bool
        Show a bar.

    Returns
    -------
    Decoded
        Photos that are unavailable are tried again by the next call; all other errors stay.
    """
    head = {"version": hotelviz.__version__, "size": size, "resample": resample}
    index, bytes_each = file.with_suffix(".jsonl"), size * size * 3
    known = _read_index(index, head)
    n_known = 1 + max((entry["place"] for entry in known.values()), default=-1)
    if not (known and file.is_file()) or file.stat().st_size < n_known * bytes_each:
        known, n_known = {}, 0
        file.write_bytes(b"")
        index.write_text(json.dumps(head) + "\n", encoding="utf-8")
    hashes = [str(value) for value in row_hashes(rows)]
    keys = list(zip(rows["image_id"], hashes, strict=True))
    new = [row for row, key in enumerate(keys) if key not in known]
    with (
        file.open("r+b") as pixels,
        index.open("a", encoding="utf-8") as lines,
        tqdm(total=len(rows), initial=len(rows) - len(new), unit="photo", desc="decoding",
             disable=not progress) as bar,
    ):  # fmt: skip
        # What a killed run wrote and did not come to list is written over.
        pixels.seek(n_known * bytes_each)
        paths = rows["path"].iloc[new]
        for batch in iterate_images(paths, size=(size, size), resample=resample):
            pixels.write(np.ascontiguousarray(batch.pixels).tobytes())
            pixels.flush()
            for row, entry in _entries(batch, n_known):
                key = keys[new[row]]
                known[key] = {**entry, "content": content_name(paths.iloc[row])}
                if entry["status"] != Status.UNAVAILABLE:
                    line = {"image_id": key[0], "hash": key[1], **known[key]}
                    lines.write(json.dumps(line) + "\n")
                bar.update()
            n_known += len(batch.rows)
            lines.flush()
    columns = ["place", "content", "status", "error"]
    photos = pd.DataFrame([known[key] for key in keys], rows.index, columns).assign(hash=hashes)
    places = photos.pop("place").to_numpy(dtype=int)
    return Decoded(Pixels(file, places[places >= 0], size), photos)


def _entries(batch: ImageBatch, start: int) -> list[tuple[int, dict[str, Any]]]:
    """Return what became of each photo of a batch whose pixels stand from `start` on."""
    entries: dict[int, dict[str, Any]] = {
        row: {"place": place, "status": Status.OK, "error": ""}
        for place, row in enumerate(batch.rows.tolist(), start)
    }
    for row, (status, reason) in batch.errors.items():
        entries[row] = {"place": -1, **entries.get(row, {}), "status": status, "error": reason}
    return sorted(entries.items())


def _read_index(index: Path, head: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Read the index; of another kind it has nothing to say."""
    text = index.read_text(encoding="utf-8", errors="replace") if index.is_file() else ""
    first, *lines = text.split("\n")
    if first != json.dumps(head):
        return {}
    if lines[-1:] != [""]:
        # A run was killed within this line: its photo is decoded again.
        with atomic_path(index) as temporary:
            temporary.write_text("\n".join([first, *lines[:-1], ""]), encoding="utf-8")
    entries = map(json.loads, lines[:-1])
    return {(entry.pop("image_id"), entry.pop("hash")): entry for entry in entries}
