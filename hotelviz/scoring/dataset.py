"""Scores of many photos, as a dataset of Parquet parts that a stopped run goes on with."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from hotelviz.catalog import fingerprint
from hotelviz.io.atomic import atomic_path, remove_leftovers, written_files
from hotelviz.models import describe, weights_fingerprint
from hotelviz.scoring.access import check_access
from hotelviz.scoring.engines import Precision
from hotelviz.scoring.pipeline import Speed
from hotelviz.scoring.scorer import Scorer, ScoringError

#: Photos a part of a scores dataset: what an interruption can lose.
PART_SIZE = 2048

#: Says what a scores dataset was made of; readers of Parquet folders pass over such names.
MANIFEST = "_hotelviz.json"


def score_photos(
    catalog: pd.DataFrame,
    models: Sequence[keras.Model],
    out: str | os.PathLike[str],
    *,
    engine: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    part_size: int = PART_SIZE,
    progress: bool = True,
) -> Speed:
    """Score photos with several models, decoding each once, into a dataset of Parquet parts.

    A part is written whole or not at all, and one that is there is not computed again: a run that
    was stopped, however hard, goes on when it is called again.

    Parameters
    ----------
    catalog
        With ``image_id``, ``path`` (a file or a URL) and ``hotel_id``.
    models
        At most one of each task. Their photos may differ in size and filter.
    out
        The folder: ``part-00000.parquet`` and so on, a part for each `part_size` rows of the
        catalogue.
    engine, precision
        What runs the networks, see `hotelviz.scoring.make_engine`.
    batch_size
        Photos per call of a network; None takes what suits the engine.
    workers
        Decoding threads; None takes one for each core, and more where photos are URLs.
    part_size
        Photos a part.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    Speed
        How many photos were computed now (the others were there), how fast, and what bounded it.

    Raises
    ------
    ScoringError
        No model, two of a task, a folder that other models, another engine or another catalogue
        wrote or that cannot be written to, or a bucket that may not be read.
    EngineError
        The engine is not installed, cannot run a model, or is not exact enough.

    Notes
    -----
    Columns: ``image_id``, ``hotel_id``, ``path``; ``problem``, empty or what was wrong with the
    file; ``hash``, see `hotelviz.images.perceptual_hash`; of an aesthetic model ``score`` and
    ``score_std``, mean and standard deviation of the distribution ``q_1`` to ``q_10``; of a
    technical one ``technical``, ``technical_std``, ``technical_q_1`` to ``technical_q_10``; of a
    tagger ``predicted`` and ``p_<class>``. A photo that could not be read has a row with its
    problem, and nothing else. Credentials in a URL are not kept.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_aesthetic
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=3).head(3)
    >>> model = build_aesthetic(input_size=32, weights=None)
    >>> score_photos(photos, [model], f"{tempfile.mkdtemp()}/scores", progress=False).photos
    3
    """
    scorer = Scorer(
        models, engine=engine, precision=precision, batch_size=batch_size, workers=workers
    )
    out = Path(out)
    claim(
        out,
        {
            "catalog": fingerprint(catalog[["image_id"]]),
            "photos": len(catalog),
            "part_size": part_size,
            **made_by(scorer),
        },
    )
    starts = range(0, len(catalog), part_size)
    missing = [start for start in starts if not is_whole(_part(out, start // part_size))]
    rows = sum(min(part_size, len(catalog) - start) for start in missing)
    if missing:
        check_access(catalog["path"])
    meter = scorer.pipeline.meter(catalog["path"])
    with tqdm(
        total=len(catalog), unit="photo", desc="scoring", disable=not progress,
        initial=len(catalog) - rows,
    ) as bar:  # fmt: skip
        tables = scorer.tables(catalog, missing, part_size, meter, bar.update)
        for start, table in zip(missing, tables, strict=True):
            write_part(table, _part(out, start // part_size))
    return meter.result()


def _part(out: Path, number: int) -> Path:
    return out / f"part-{number:05d}.parquet"


def write_part(table: pa.Table, part: Path) -> None:
    """Write a part, whole or not at all.

    Raises
    ------
    ScoringError
        The folder cannot be written to, such as on a full disk.
    """
    try:
        with atomic_path(part) as temporary:
            pq.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise ScoringError(
            f"{part}: cannot be written ({error.strerror or error}). The parts before it are there "
            "and whole; once there is room, the same command goes on after them"
        ) from error


def is_whole(part: Path) -> bool:
    """Whether a part is there and whole; a damaged one is computed again."""
    try:
        pq.read_metadata(part)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True


def made_by(scorer: Scorer) -> dict[str, Any]:
    """Say what of a scorer decides about the scores, as the manifest has it."""
    models = [engine.model for engine in scorer.engines]
    return {
        "models": {describe(model).task: weights_fingerprint(model) for model in models},
        "engine": ", ".join(dict.fromkeys(map(repr, scorer.engines))),
    }


def claim(out: Path, request: dict[str, Any]) -> None:
    """Write down what the folder's parts are made of, or find that it is the same.

    What runs that were killed left half-written is removed.

    Raises
    ------
    ScoringError
        Something else made them.
    """
    manifest = out / MANIFEST
    remove_leftovers(out, "part-*.parquet")
    if not manifest.is_file():
        if written_files(out, "*.parquet"):
            raise ScoringError(
                f"{out}: there are Parquet files that score_photos did not write; choose another "
                "folder"
            )
        with atomic_path(manifest) as temporary:
            temporary.write_text(json.dumps(request, indent=1))
        return
    try:
        found = json.loads(manifest.read_text())
    except json.JSONDecodeError as error:
        raise ScoringError(f"{manifest}: damaged ({error}); choose another folder") from error
    # Before there were engines, there was Keras.
    found.setdefault("engine", "keras float32")
    differing = [name for name, value in request.items() if found.get(name) != value]
    if differing:
        name = differing[0]
        values = f" ({found.get(name)}, not {request[name]})" if name == "engine" else ""
        raise ScoringError(
            f"{out}: its scores were made with another {name.replace('_', ' ')}{values}; choose "
            "another folder, or remove this one"
        )
