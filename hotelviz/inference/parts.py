"""The files of a scores dataset: what made them, parts whole or not at all, rows taken out."""

from __future__ import annotations

import contextlib
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
from hotelviz.inference.runner import Scorer
from hotelviz.io.atomic import atomic_path, remove_leftovers, written_files
from hotelviz.models import model_info, weights_hash
from hotelviz.schema import Status

#: Says what a scores dataset was made of; readers of Parquet folders pass over such names.
MANIFEST = "_hotelviz.json"
#: How the names of work folders within a dataset begin.
WORK = "_remaining-"
_PATTERN = "part-*.parquet"

#: How what was wrong with a file began before there was a status, where the file was at fault.
_OF_THE_FILE = ("damaged", "not a ", "declares", "the file is empty")


def write_part(table: pa.Table, part: Path, run: Path | None = None) -> None:
    """Write a part, whole or not at all.

    Parameters
    ----------
    table
        Its rows.
    part
        The file.
    run
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
    """Name parts that are not there yet, by the lowest numbers."""
    for number in count():
        part = out / f"part-{number:05d}.parquet"
        if not part.exists():
            yield part


def complete_parts(out: Path) -> list[Path]:
    """List the parts that can be gone on with; a damaged one is removed, to be computed again.

    Raises
    ------
    InferenceError
        A Parquet file that is no part of this dataset; it is named.
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
        if not file.match(_PATTERN) or not {"image_id", "hotel_id", "path", "error"} <= {*names}:
            raise InferenceError(f"{file}: is no part of this dataset of scores; move it away")
        if "status" not in names:
            write_part(_with_status(pq.read_table(file)), file)
        parts.append(file)
    return parts


def _with_status(table: pa.Table) -> pa.Table:
    """Give a part of before there was a status the columns that parts have today."""

    def status(problem: str) -> str:
        if problem.startswith("truncated"):
            return Status.TRUNCATED
        if problem.startswith(_OF_THE_FILE):
            return Status.UNREADABLE
        return Status.UNAVAILABLE if problem else Status.OK

    place = table.column_names.index("error")
    found = [str(status(problem or "")) for problem in table["error"].to_pylist()]
    table = table.add_column(place, "status", pa.array(found, pa.string()))
    for name in ("modified", "size"):
        table = table.add_column(place + 2, name, pa.nulls(len(table), pa.int64()))
    return table


def rewrite_part(part: Path, dropped: list[str], renewed: pd.DataFrame) -> None:
    """Take rows out of a part, and give others what the catalogue says of them today.

    Parameters
    ----------
    part
        Replaced when the new one is whole; removed when nothing is left of it.
    dropped
        Names of photos.
    renewed
        ``image_id``, ``hotel_id`` and ``path`` of photos that stay.
    """
    table = pq.read_table(part)
    names = table["image_id"].cast(pa.string())
    if len(renewed):
        found = pc.index_in(names, pa.array(renewed["image_id"], pa.string()))
        for column in ("hotel_id", "path"):
            today = pa.array(renewed[column], pa.string()).take(found)
            table = table.set_column(
                table.column_names.index(column), column,
                pc.coalesce(today, table[column].cast(pa.string())),
            )  # fmt: skip
    if dropped:
        table = table.filter(pc.invert(pc.is_in(names, pa.array(dropped, pa.string()))))
    if len(table):
        write_part(table, part)
    else:
        part.unlink()


def provenance(scorer: Scorer) -> dict[str, Any]:
    """Say what of a scorer decides about the scores, as the manifest has it."""
    models = [engine.model for engine in scorer.engines]
    return {
        "models": {model_info(model).task: weights_hash(model) for model in models},
        "engine": ", ".join(dict.fromkeys(map(repr, scorer.engines))),
    }


def check_folder(out: Path, made: dict[str, Any] | None = None) -> None:
    """Refuse a folder that is not for these scores, before any work.

    Parameters
    ----------
    out
        Need not be there yet.
    made
        As of `provenance`; None where the models are not loaded yet.

    Raises
    ------
    InferenceError
        A file, a folder with files that are no scores, or scores that something else made.
    """
    if out.is_file():
        raise InferenceError(f"{out}: is a file; scores are a folder")
    manifest = out / MANIFEST
    if not manifest.is_file():
        for file in sorted(out.glob("*")):
            if not file.name.startswith((".", "_hotelviz", WORK)):
                raise InferenceError(
                    f"{out}: has files that score_photos did not write, such as {file.name}; "
                    "choose another folder"
                )
        return
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InferenceError(f"{manifest}: damaged ({error}); choose another folder") from error
    if not isinstance(found, dict):
        raise InferenceError(f"{manifest}: damaged (no object); choose another folder")
    # Before there were engines, there was Keras.
    found.setdefault("engine", "keras float32")
    for name, value in (made or {}).items():
        if found.get(name) != value:
            values = f" ({found.get(name)}, not {value})" if name != "models" else ""
            raise InferenceError(
                f"{out}: its scores were made with another {name}{values}; choose another folder, "
                "or remove this one"
            )


def begin_folder(out: Path, made: dict[str, Any]) -> None:
    """Write down what the folder's parts are made of; remove what killed runs left half-written."""
    manifest = out / MANIFEST
    remove_leftovers(out, _PATTERN)
    if not manifest.is_file():
        with atomic_path(manifest) as temporary:
            temporary.write_text(json.dumps(made, indent=1), encoding="utf-8")


def remove_empty(folder: Path) -> None:
    """Remove a folder if there is nothing in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
