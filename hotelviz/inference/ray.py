"""Scoring on many machines with Ray Data.

The photos that remain (see `hotelviz.inference.resume`) are read by Ray Data, which hands batches
to actors, each of which scores with the same class as a single machine and writes each
batch as a part of the dataset. An actor or a machine that dies is replaced, and its batch is
computed again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tqdm.auto import tqdm

from hotelviz.errors import ClusterError, InferenceError
from hotelviz.inference.backends.base import Precision
from hotelviz.inference.dataset import PART_SIZE
from hotelviz.inference.parts import check_folder, provenance, write_part
from hotelviz.inference.pipeline import Throughput
from hotelviz.inference.resume import Remaining, remaining_photos
from hotelviz.inference.runner import KEPT, Scorer
from hotelviz.io.remote import is_url, redact
from hotelviz.models import load_model
from hotelviz.schema import Status

__all__ = ["score_on_cluster"]

#: Seconds until a cluster that does not answer is given up.
_PATIENCE = 15.0
#: Ray's object store holds names of photos and model files, on one machine nothing else.
_STORE = 256 * 1024**2


def score_on_cluster(
    catalog: pd.DataFrame | str | os.PathLike[str],
    models: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    address: str | None = None,
    workers: int | None = None,
    engine: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    part_size: int = PART_SIZE,
    check_files: bool = True,
    prune: bool = False,
    allow_missing: bool = False,
    progress: bool = True,
) -> Throughput:
    """Score photos on a Ray cluster into a dataset of Parquet parts.

    The dataset is that of `hotelviz.inference.score_photos`, and what remains to be scored is found
    in the same way: a run that was stopped on one machine goes on on many, and the other way round.

    Parameters
    ----------
    catalog
        As of `hotelviz.inference.score_photos`.
    models
        Model files, at most one of each task. They travel to the machines by themselves.
    out
        A folder that all machines see at the same place. So are photos that are not URLs.
    address
        ``host:port`` of the cluster, ``ray://host:port`` of its client server, or ``auto``; None
        starts a cluster on this machine, for as long as the run takes.
    workers
        Actors; None takes one for each machine, or for each GPU where the engine is Keras.
    engine, precision
        See `hotelviz.inference.make_engine`. What this machine chooses is taken on all of them, or
        scores would differ between machines.
    batch_size, check_files, prune, allow_missing
        As of `hotelviz.inference.score_photos`; files are looked for from this machine.
    part_size
        Photos a part, and what an actor takes at once. Parts are named by their photos.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    Speed
        As of `hotelviz.inference.score_photos`; the figures behind it are those of all actors.

    Raises
    ------
    ClusterError
        Ray is not installed, or no cluster answers at the address.
    InferenceError, OutputError, CatalogError, BackendError
        As `hotelviz.inference.score_photos` raises them.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterError("scoring on a cluster needs Ray: pip install 'hotelviz[ray]'")
    if address is not None:
        _check_address(address)
    files = [models] if isinstance(models, str | os.PathLike) else list(models)
    out = Path(out).absolute()
    check_folder(out)
    here = Scorer(
        [load_model(file) for file in files],
        engine=engine, precision=precision, batch_size=batch_size,
    )  # fmt: skip
    with remaining_photos(
        catalog, out, provenance(here), check_files=check_files, prune=prune,
        allow_missing=allow_missing,
    ) as todo:  # fmt: skip
        speed = Throughput(0, 0.0, "", "")
        if todo.left:
            with _connected(address, workers) as ray:
                settings = {
                    "files": [ray.put(Path(file).read_bytes()) for file in files],
                    "engine": engine, "precision": here.engines[0].precision,
                    "batch_size": batch_size, "out": str(out), "run": str(todo.file.parent),
                }  # fmt: skip
                speed = _run(todo, workers, settings, part_size, progress)
        return speed._replace(notes=(*todo.notes, *todo.watch.notes()))


def _run(
    todo: Remaining,
    workers: int | None,
    settings: dict[str, Any],
    part_size: int,
    progress: bool,
) -> Throughput:
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    resources = ray.cluster_resources()
    nodes = [node for node in ray.nodes() if node["Alive"]]
    gpus = int(resources.get("GPU", 0)) if settings["engine"] == "keras" else 0
    count = workers or gpus or len(nodes)
    # A machine's cores are divided among its actors. One is not reserved, for the tasks that read
    # the names of photos: they would wait for ever, but cost next to nothing.
    on_each = -(-count // len(nodes))
    smallest = min(int(node["Resources"].get("CPU", 1)) for node in nodes)
    spare = (smallest - 1) / on_each
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.verbose_progress = False
    # A block for each part: what one block holds goes to one actor.
    names = ray.data.read_parquet(str(todo.file), columns=list(KEPT)).repartition(
        target_num_rows_per_block=part_size
    )
    done = names.map_batches(
        _Worker,
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2),
        num_cpus=int(spare) if spare >= 1 else spare,
        num_gpus=1 if gpus else None,
        fn_constructor_kwargs={**settings, "cores": max(1, smallest // on_each)},
    )
    started, totals = time.perf_counter(), dict.fromkeys(_FIGURES, 0.0)
    try:
        with tqdm(
            total=todo.photos, unit="photo", desc="scoring", disable=not progress,
            initial=todo.photos - todo.left,
        ) as bar:  # fmt: skip
            for table in done.iter_batches(batch_size=None, batch_format="pyarrow"):
                for row in table.to_pylist():
                    bar.update(row["photos"])
                    for name in _FIGURES:
                        totals[name] += row[name]
                    unavailable = zip(row["unavailable"], row["reasons"], strict=True)
                    todo.watch.add(row["photos"], unavailable)
                    todo.watch.check()
    except ray.exceptions.RayError as error:
        raise _plain(error) from None
    wall = time.perf_counter() - started
    return _speed(totals, wall, count)


_FIGURES = ("photos", "seconds", "reading", "decoding", "processor")


def _speed(totals: dict[str, float], wall: float, count: int) -> Throughput:
    """Say what the actors were busy with, while they were scoring."""
    decoding = totals["decoding"] / max(totals["processor"], 1e-9)
    waiting = totals["reading"] > totals["processor"]
    bound = "disk" if waiting else "decode" if decoding > 0.5 else "inference"
    detail = (
        f"{count} actors scored for {totals['seconds']:.0f} s in all, used the processor for "
        f"{totals['processor']:.0f} s, {decoding:.0%} of that decoding, and their readers waited "
        f"{totals['reading']:.0f} s for files"
    )
    return Throughput(int(totals["photos"]), wall, bound, detail)


class _Worker:
    """An actor: scores batches and writes each as a part."""

    def __init__(
        self,
        files: Sequence[Any],
        engine: str,
        precision: Precision,
        batch_size: int | None,
        out: str,
        run: str,
        cores: int,
    ) -> None:
        import ray
        import tensorflow as tf

        os.environ["HOTELVIZ_CORES"] = str(cores)
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        models = []
        with tempfile.TemporaryDirectory() as folder:
            for number, file in enumerate(files):
                path = Path(folder) / f"{number}.keras"
                path.write_bytes(ray.get(file))
                models.append(load_model(path))
        self.scorer = Scorer(models, engine=engine, precision=precision, batch_size=batch_size)
        self.out, self.run = Path(out), Path(run)

    def __call__(self, names: pa.Table) -> pa.Table:
        photos = names.to_pandas()
        meter = self.scorer.pipeline.meter(remote=photos["path"].map(is_url).any())
        started, processor = time.perf_counter(), time.process_time()
        table = next(self.scorer.tables(iter([photos]), meter))
        unavailable = table.filter(pc.equal(table["status"], Status.UNAVAILABLE.value))
        # Named by its photos: a batch that is computed twice, because its actor died before it
        # could say that it was done, is written once.
        name = hashlib.sha256("\0".join(photos["image_id"]).encode()).hexdigest()[:16]
        write_part(table, self.out / f"part-{name}.parquet", self.run)
        return pa.table(
            {
                "photos": [len(photos)],
                "unavailable": pa.array([unavailable["path"].to_pylist()], pa.list_(pa.string())),
                "reasons": pa.array([unavailable["error"].to_pylist()], pa.list_(pa.string())),
                "seconds": [time.perf_counter() - started],
                "reading": [meter.reading],
                "decoding": [meter.decoding],
                "processor": [time.process_time() - processor],
            }
        )


def _plain(error: BaseException) -> InferenceError:
    """Give what an actor could not do, without the traces of the machines in between."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InferenceError):
            return InferenceError(redact(cause))
        inner = getattr(cause, "cause", None) or cause.__cause__
        cause = inner if isinstance(inner, BaseException) else None
    lines = [line for line in str(error).splitlines() if line.strip()]
    return InferenceError(f"the cluster gave up: {redact(lines[-1] if lines else type(error))}")


def _check_address(address: str) -> None:
    """Find out whether a cluster answers: Ray itself would wait for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    advice = (
        "start one with 'ray start --head', give the address that it prints, or leave --address "
        "out to use this machine"
    )
    if not host or not port.isdigit():
        raise ClusterError(f"{address!r} is not host:port, ray://host:port or auto; {advice}")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ClusterError(f"no Ray cluster answers at {address} ({reason}); {advice}") from error
    if address.startswith("ray://"):
        return
    # In a process of its own, which can be ended: the question has no time-out that it keeps to.
    question = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(question, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"no Ray cluster answers at {address} (nothing within {_PATIENCE:g} s); {advice}"
        ) from None
    if done.returncode:
        raise ClusterError(f"what answers at {address} is not a Ray cluster; {advice}")


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[Any]:
    """Connect to the cluster, or start one here, for as long as the run takes."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        options |= {"include_dashboard": False, "object_store_memory": _STORE}
        options["num_cpus"] = max(workers or 1, os.cpu_count() or 1)
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"no Ray cluster answers at {address} ({redact(error)})") from error
    try:
        yield ray
    finally:
        ray.shutdown()
