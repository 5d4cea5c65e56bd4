"""The files of a scores dataset: its manifest, and parts that become final as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hotelviz.errors import InferenceError
from hotelviz.io.atomic import atomic_path, remove_leftovers, written_files

#: Says what a scores dataset was made of; readers of Parquet folders pass over such names.
_MANIFEST = "_hotelviz.json"
#: How the names of work folders within a dataset begin.
WORK = "_remaining-"
_PATTERN = "part-*.parquet"
_IN_EACH = {"image_id", "hotel_id", "path", "status", "error"}


def write_part(table: pa.Table, part: Path, run: Path | None = None) -> None:
    """Write a part, whole or not at all: here it becomes final.

    Parameters
    ----------
    table : pyarrow.Table
        Its rows.
    part : pathlib.Path
        The file.
    run : pathlib.Path, optional
        The work folder of the run that this is a part of, where that may have been killed
        meanwhile. A later run removes the folder before it looks what is there.

    Raises
    ------
    InferenceError
        The folder cannot be written to, such as on a full disk; or the run is over.
    """
    try:
        with atomic_path(part) as temporary:
            pq.write_table(table, temporary, compression="zstd")
            if run is not None and not run.is_dir():
                raise InferenceError(f"{part}: not written, since another run has taken over")
    except OSError as error:
        raise InferenceError(
            f"{part}: cannot be written ({error.strerror or error}). The parts before it are there "
            "and whole; once there is room, the same command goes on after them"
        ) from error


def free_parts(out: Path) -> Iterator[Path]:
    """Yield parts that are not there yet, by the lowest numbers."""
    for number in count():
        part = out / f"part-{number:05d}.parquet"
        if not part.exists():
            yield part


def complete_parts(out: Path) -> list[Path]:
    """Return the parts of a dataset; a damaged one is removed, to be computed again.

    Raises
    ------
    InferenceError
        A Parquet file that is no part of this dataset, or one of hotelviz 0.1; it is named.
    """
    parts = []
    for file in written_files(out, "*.parquet"):
        try:
            names = pq.read_schema(file).names
        except (pa.ArrowInvalid, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise InferenceError(f"{file}: cannot be read ({error})") from error
            if file.match(_PATTERN):
                file.unlink()
                continue
            names = []
        if "problem" in names:
            raise InferenceError(
                f"{file}: was written by hotelviz 0.1; choose another folder, and remove this one"
            )
        if not file.match(_PATTERN) or not {*names} >= _IN_EACH:
            raise InferenceError(f"{file}: is no part of this dataset of scores; move it away")
        parts.append(file)
    return parts


def rewrite_part(part: Path, dropped: list[str], renewed: pd.DataFrame) -> None:
    """Remove rows of a part, and update hotel and path of others.

    Parameters
    ----------
    part : pathlib.Path
        Replaced when the new one is whole; removed when nothing is left of it.
    dropped : list of str
        Names of photos.
    renewed : pandas.DataFrame
        ``image_id``, ``hotel_id`` and ``path`` of photos that stay.
    """
    table = pq.read_table(part)
    names = table["image_id"].cast(pa.string())
    found = pc.index_in(names, pa.array(renewed["image_id"], pa.string()))
    for number, column in enumerate(table.column_names):
        if column in ("hotel_id", "path"):
            today = pa.array(renewed[column], pa.string()).take(found)
            kept = pc.coalesce(today, table[column].cast(pa.string()))
            table = table.set_column(number, column, kept)
    table = table.filter(pc.invert(pc.is_in(names, pa.array(dropped, pa.string()))))
    if len(table):
        write_part(table, part)
    else:
        part.unlink()


def check_folder(out: Path, made: dict[str, Any] | None = None) -> None:
    """Refuse a folder that is not for these scores, before any work.

    Parameters
    ----------
    out : pathlib.Path
        Need not be there yet.
    made : dict, optional
        As of `Scorer.provenance`; None where the models are not loaded yet.

    Raises
    ------
    InferenceError
        A file, a folder with files that are no scores, or scores that something else made.
    """
    if out.is_file():
        raise InferenceError(f"{out}: is a file; scores are a folder")
    manifest = out / _MANIFEST
    if not manifest.is_file():
        for file in sorted(out.glob("*")):
            if not file.name.startswith((".", "_hotelviz", WORK)):
                raise InferenceError(
                    f"{out}: has files that score_photos did not write, such as {file.name}; "
                    "choose another folder"
                )
        return
    try:
        found = dict(**json.loads(manifest.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InferenceError(f"{manifest}: damaged ({error}); choose another folder") from error
    for name, value in (made or {}).items():
        if found.get(name) != value:
            other = f"another backend ({found.get(name)}, not {value})"
            raise InferenceError(
                f"{out}: its scores were made with {'other models' if name == 'models' else other};"
                " choose another folder, or remove this one"
            )


def begin_folder(out: Path, made: dict[str, Any]) -> None:
    """Write the manifest, and remove what killed runs left half-written."""
    manifest = out / _MANIFEST
    remove_leftovers(out, _PATTERN)
    if not manifest.is_file():
        with atomic_path(manifest) as temporary:
            temporary.write_text(json.dumps(made, indent=1), encoding="utf-8")
