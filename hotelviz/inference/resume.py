"""Which photos of a catalogue are still to be scored: one answer for one machine and for many.

A photo is named by its ``image_id``. It is done when a whole part has it, wherever it stands in the
catalogue and whoever computed it. It is scored again when it was unavailable, when the catalogue
has it at another place with another file, or when its file has changed since. What a dataset keeps
of the catalogue (``hotel_id``, ``path``) follows the catalogue.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.catalog import check_table, iterate_catalog
from hotelviz.catalog.identity import absolute_paths
from hotelviz.errors import CatalogError, InferenceError
from hotelviz.inference.parts import WORK, begin_folder, check_folder, complete_parts, rewrite_part
from hotelviz.inference.preflight import SAMPLE, Watch, check_access
from hotelviz.inference.runner import KEPT, redacted_path
from hotelviz.io.claims import claim
from hotelviz.io.content import file_versions
from hotelviz.io.remote import is_url, photo_name, redact
from hotelviz.schema import Status
from hotelviz.scores.connection import connect
from hotelviz.scores.sql import parquet_files, sql_literal

#: Rows that are looked at together.
_ROWS = 65_536
_NAMES = dict.fromkeys(KEPT, pa.string())
_ASKED = pa.schema({**_NAMES, "row": pa.int64()})
_CHANGES = pa.schema({"part": pa.string(), "drop": pa.bool_(), **_NAMES})


class Remaining(NamedTuple):
    """Photos that are to be scored.

    Attributes
    ----------
    file : pathlib.Path
        Parquet with their ``image_id``, ``hotel_id`` and ``path``, in the catalogue's order.
    left : int
        How many they are.
    photos : int
        How many the catalogue has.
    remote : bool
        Whether there are URLs.
    watch : Watch
        Counts those that are unavailable.
    notes : tuple of str
        What the dataset has besides, in words.
    """

    file: Path
    left: int
    photos: int
    remote: bool
    watch: Watch
    notes: tuple[str, ...]

    def parts(self, size: int) -> Iterator[pd.DataFrame]:
        """Read them, `size` at a time."""
        for table in _tables(self.file, size):
            yield table[list(KEPT)]


@contextmanager
def remaining_photos(
    catalog: pd.DataFrame | str | os.PathLike[str],
    out: Path,
    made: dict[str, Any],
    *,
    check_files: bool = True,
    prune: bool = False,
    allow_missing: bool = False,
) -> Iterator[Remaining]:
    """Hold a folder of scores for the length of a run, and find what is still to be scored.

    Parameters
    ----------
    catalog : pandas.DataFrame or path
        Parquet is streamed, and what has to be kept for comparing names goes to disk where memory
        is short.
    out : pathlib.Path
        The folder of the scores.
    made : dict
        What makes them, see `Scorer.provenance`.
    check_files, prune, allow_missing
        As in `hotelviz.inference.score_photos`.

    Yields
    ------
    Remaining

    Raises
    ------
    InferenceError, OutputError, CatalogError
        As in `hotelviz.inference.score_photos`.
    """
    out = out.absolute()
    check_folder(out, made)
    is_new = not out.exists()
    try:
        with claim(out, folder=True):
            # Nobody else is at it: what is there was left by a run that was killed. It names
            # photos with what grants access to them.
            for left in out.glob(f"{WORK}*"):
                shutil.rmtree(left)
            work = TemporaryDirectory(dir=out, prefix=WORK, ignore_cleanup_errors=True)
            with work, closing(connect(folders=[out])) as connection:
                try:
                    comparison = _Comparison(connection, Path(work.name), catalog)
                    found = comparison.remaining(out, check_files, prune, allow_missing)
                    begin_folder(out, made)
                except (OSError, duckdb.Error) as error:
                    raise InferenceError(
                        f"{out}: what remains to be scored cannot be found out: {redact(error)}"
                    ) from error
                yield found
    finally:
        if is_new:
            with suppress(OSError):  # It is kept where anything is in it.
                out.rmdir()


class _Comparison:
    """Compares a catalogue with the parts of a dataset."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        work: Path,
        catalog: pd.DataFrame | str | os.PathLike[str],
    ) -> None:
        self.connection, self.work = connection, work
        self.where = "score_photos" if isinstance(catalog, pd.DataFrame) else str(catalog)
        self.photos = 0
        with pq.ParquetWriter(
            work / "asked.parquet", _ASKED, compression="zstd", write_statistics=False
        ) as writer:
            for chunk in _chunks(catalog):
                rows = range(self.photos, self.photos + len(chunk))
                table = pa.Table.from_pandas(chunk.assign(row=rows), _ASKED, preserve_index=False)
                writer.write_table(table)
                self.photos += len(chunk)
        self._view("asked", work / "asked.parquet")
        twice = self._all(
            "SELECT image_id FROM asked GROUP BY image_id HAVING count(*) > 1 ORDER BY 1 LIMIT 4"
        )
        if twice:
            names = ", ".join(repr(name) for (name,) in twice[:3])
            raise CatalogError(
                f"{self.where}, column 'image_id': {names}{' and others' * (len(twice) > 3)} "
                "stand there more than once; an image_id is unique"
            )

    def remaining(
        self, out: Path, check_files: bool, prune: bool, allow_missing: bool
    ) -> Remaining:
        """Find what remains, and prepare the parts for it."""
        left, count, notes = self.work / "asked.parquet", self.photos, list[str]()
        if parts := complete_parts(out):
            self._open_parts(parts)
            notes = self._changes(check_files, prune)
            left = self.work / "left.parquet"
            count = self._copy(
                "SELECT a.image_id, a.hotel_id, a.path, a.row FROM asked AS a ANTI JOIN "
                "(SELECT s.image_id FROM scored AS s ANTI JOIN (SELECT image_id FROM changes "
                "WHERE drop) AS c USING (image_id)) AS d USING (image_id) ORDER BY a.row",
                left,
            )
        self._view("remaining", left)
        watch = Watch(self.photos, allow_missing=allow_missing)
        sample = self._all(
            f"SELECT path FROM remaining USING SAMPLE reservoir({SAMPLE} ROWS) REPEATABLE (0)"
        )
        watch.look([path for (path,) in sample], count)
        probes = self._all(
            "SELECT min(path), any_value(path), max(path) FROM remaining "
            "WHERE contains(path, '://') GROUP BY regexp_extract(path, '^[^:]*://[^/?#]*')"
        )
        check_access(dict.fromkeys(path for row in probes for path in row))
        if parts:
            # Only now: a run that cannot read its photos leaves the dataset as it was.
            self._apply_changes()
        return Remaining(left, count, self.photos, bool(probes), watch, tuple(notes))

    def _open_parts(self, parts: list[Path]) -> None:
        self._view("scored", *parts)
        twice = self._all(
            "SELECT image_id, string_agg(DISTINCT parse_filename(in_file), ' and ' "
            "ORDER BY parse_filename(in_file)) FROM scored "
            "GROUP BY image_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        )
        if twice:
            raise InferenceError(
                f"{parts[0].parent}: the photo {twice[0][0]!r} is there more than once, in "
                f"{twice[0][1]}. Remove one of these parts and run the same command again: photos "
                "that only it had are scored again"
            )

    def _changes(self, check_files: bool, prune: bool) -> list[str]:
        """Find the rows that are scored again, and those that are renewed; return notes."""
        matched, changes = self.work / "matched.parquet", self.work / "changes.parquet"
        self._copy(
            "SELECT s.in_file AS part, s.image_id, s.status, s.hotel_id AS hotel_was, "
            "s.path AS path_was, coalesce(s.size, -1) AS size, "
            "coalesce(s.modified, -1) AS modified, a.hotel_id, a.path FROM scored AS s "
            "JOIN asked AS a USING (image_id)"
            + ("" if check_files else f" WHERE s.status = {sql_literal(Status.UNAVAILABLE)} "
               "OR s.path <> a.path OR s.hotel_id <> a.hotel_id"),
            matched,
        )  # fmt: skip
        counts: Counter[str] = Counter()
        with pq.ParquetWriter(changes, _CHANGES) as writer:
            for rows in _tables(matched, _ROWS):
                moved = _moved(rows)
                states: dict[str, Any] = {
                    "again": rows["status"] == Status.UNAVAILABLE,
                    "changed": _changed(rows, moved, check_files),
                    "renewed": moved | (rows["hotel_was"] != rows["hotel_id"]),
                }
                state = np.select(list(states.values()), list(states), "same")
                counts.update(state)
                rows = rows.assign(drop=np.isin(state, ["again", "changed"]))
                rows = rows.loc[state != "same"]
                rows["path"] = rows["path"].map(redacted_path)
                writer.write_table(pa.Table.from_pandas(rows, _CHANGES, preserve_index=False))
        self._view("found", changes)
        gone = "SELECT {} FROM scored AS s ANTI JOIN asked AS a USING (image_id)"
        pruned = gone.format("s.in_file, true, s.image_id, NULL, NULL")
        self.connection.execute(
            f"CREATE VIEW changes AS SELECT {', '.join(_CHANGES.names)} FROM found"
            + (f" UNION ALL {pruned}" if prune else "")
        )
        count, example = self._all(gone.format("count(*), min(s.image_id)"))[0]
        removed = "removed" if prune else "kept; prune=True (--prune) takes them out"
        notes = [
            (counts["again"], "unavailable before, tried again"),
            (counts["changed"], "scored again, since the file is another than before"),
            (counts["renewed"], "kept, with the path and hotel that the catalogue has"),
            (count, f"not in the catalogue any more, such as {example!r}: {removed}"),
        ]
        return [
            f"{number:,} {'photo' if number == 1 else 'photos'} {what}"
            for number, what in notes
            if number
        ]

    def _apply_changes(self) -> None:
        """Remove rows of the parts, and update others, part by part."""
        by_part = self.work / "by_part.parquet"
        self._copy("SELECT * FROM changes ORDER BY part", by_part)
        rows = (row for table in _tables(by_part, _ROWS) for row in table.to_dict("records"))
        for part, group in groupby(rows, key=itemgetter("part")):
            table = pd.DataFrame(list(group))
            dropped = table["drop"].to_numpy(bool)
            rewrite_part(Path(part), table.loc[dropped, "image_id"].to_list(), table[~dropped])

    def _view(self, name: str, *files: Path) -> None:
        source = parquet_files(files, file="in_file")
        self.connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")

    def _copy(self, query: str, file: Path) -> int:
        return int(self._all(f"COPY ({query}) TO {sql_literal(file)} (FORMAT parquet)")[0][0])

    def _all(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()


def _moved(rows: pd.DataFrame) -> np.ndarray:
    """Return whether the catalogue has photos at another place than when they were scored."""
    # Earlier versions wrote relative paths, from where they were called.
    moved = (absolute_paths(rows["path_was"]) != rows["path"]).to_numpy(copy=True)
    for row in np.flatnonzero(moved):
        was, now = rows["path_was"].iloc[row], rows["path"].iloc[row]
        if is_url(now):
            # The same address may be signed at another time.
            moved[row] = photo_name(was) != photo_name(now) and was != redacted_path(now)
    return moved


def _changed(rows: pd.DataFrame, moved: np.ndarray, check_files: bool) -> np.ndarray:
    """Return whether there is another photo than the one that was scored, as far as is known.

    A file that has moved is the same while its size and time are; one that is not found is not
    held against its score. An address that names another photo is another photo.
    """
    changed = moved & rows["path"].map(is_url).to_numpy(bool)
    if check_files:
        now = file_versions(rows["path"].to_list())
        was = rows[["size", "modified"]].to_numpy("int64")
        is_there, is_known = now[:, 0] >= 0, was[:, 0] >= 0
        changed |= is_there & np.where(is_known, (now != was).any(axis=1), moved)
    return np.asarray(changed)


def _chunks(catalog: pd.DataFrame | str | os.PathLike[str]) -> Iterator[pd.DataFrame]:
    if isinstance(catalog, pd.DataFrame):
        chunks = iter([check_table(catalog, needs=KEPT, where="score_photos")])
    else:
        chunks = iterate_catalog(catalog, columns=())
    # In full: scores are asked from other folders than the one they are made in.
    return (chunk.assign(path=absolute_paths(chunk["path"])) for chunk in chunks)


def _tables(file: Path, size: int) -> Iterator[pd.DataFrame]:
    """Read a Parquet file `size` rows at a time."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(size):
            yield batch.to_pandas()
