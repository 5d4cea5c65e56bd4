"""Scoring on many machines with Ray Data.

The photos that remain (see `hotelviz.inference.resume`) are read by Ray Data, which hands batches
to actors, each of which scores with the same class as a single machine and writes each batch as a
part of the dataset. An actor or a machine that dies is replaced, and its batch is computed again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hotelviz.errors import ClusterError, InferenceError
from hotelviz.inference.parts import write_part
from hotelviz.inference.pipeline import Throughput
from hotelviz.inference.resume import Remaining
from hotelviz.inference.runner import KEPT, Scorer, Step
from hotelviz.io.remote import redact
from hotelviz.models import load_model, save_model
from hotelviz.schema import Status

#: Seconds until a cluster that does not answer is given up.
PATIENCE = 15.0
#: Ray's object store holds names of photos and model files, on one machine nothing else.
_STORE = 256 * 1024**2
#: What actors report of the meter of each batch, to be added up.
_FIGURES = ("photos", "wall", "reading", "decoding", "processor")


def score_on_ray(
    todo: Remaining,
    scorer: Scorer,
    out: Path,
    step: Step,
    *,
    address: str | None,
    workers: int | None,
    part_size: int,
) -> Throughput:
    """Score what remains on a Ray cluster, with the networks that a scorer of this machine has.

    Parameters
    ----------
    todo : Remaining
        The photos.
    scorer : Scorer
        Its models, backend, precision and batch size are those of all machines.
    out : pathlib.Path
        Where parts go, at the same place on all machines.
    step : callable
        Called after each part.
    address, workers, part_size
        As of `hotelviz.inference.score_photos`.

    Returns
    -------
    Throughput
        The figures behind it are those of all actors.

    Raises
    ------
    ClusterError
        The cluster cannot be connected to.
    InferenceError
        What an actor could not do.
    """
    if not todo.left:
        return Throughput(0, 0.0, "", "")
    with _connected(address, workers) as ray:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        settings = {
            "files": [ray.put(_file(backend.model)) for backend in scorer.backends],
            "backend": scorer.backends[0].name,
            "precision": [backend.precision for backend in scorer.backends],
            "batch_size": scorer.pipeline.batch_size, "out": out, "run": todo.file.parent,
        }  # fmt: skip
        n_actors, done = _planned(todo, settings, workers, part_size)
        started, reports = time.perf_counter(), []
        try:
            for table in done.iter_batches(batch_size=None, batch_format="pyarrow"):
                for report in map(json.loads, table["report"].to_pylist()):
                    step(report["photos"], report.pop("unavailable"))
                    todo.watch.check()
                    reports.append(report)
        except ray.exceptions.RayError as error:
            raise plain_error(error) from None
        wall = time.perf_counter() - started
        return _throughput(pd.DataFrame(reports).sum(), wall, n_actors)


def _file(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        save_model(model, file)
        return file.read_bytes()


def _planned(
    todo: Remaining, settings: dict[str, Any], workers: int | None, part_size: int
) -> tuple[int, Any]:
    """Return how many actors there are, and the dataset of what they report."""
    import ray.data

    nodes = [node for node in ray.nodes() if node["Alive"]]
    gpus = int(ray.cluster_resources().get("GPU", 0)) if settings["backend"] == "keras" else 0
    n_actors = workers or gpus or len(nodes)
    # A machine's cores are divided among its actors. One is not reserved, for the tasks that read
    # the names of photos: they would wait for ever, but cost next to nothing.
    on_each = -(-n_actors // len(nodes))
    smallest = min(int(node["Resources"].get("CPU", 1)) for node in nodes)
    spare = (smallest - 1) / on_each
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.verbose_progress = False
    # A block for each part: what one block holds goes to one actor.
    names = ray.data.read_parquet(str(todo.file), columns=list(KEPT)).repartition(
        target_num_rows_per_block=part_size
    )
    return n_actors, names.map_batches(
        _Actor,
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=n_actors, max_tasks_in_flight_per_actor=2),
        num_cpus=int(spare) if spare >= 1 else spare,
        num_gpus=1 if gpus else None,
        fn_constructor_kwargs={**settings, "cores": max(1, smallest // on_each)},
    )


def _throughput(totals: pd.Series, wall: float, n_actors: int) -> Throughput:
    """Return what the actors were busy with, while they were scoring."""
    decoding = totals["decoding"] / max(totals["processor"], 1e-9)
    waiting = totals["reading"] > totals["processor"]
    bound = "disk" if waiting else "decode" if decoding > 0.5 else "inference"
    detail = (
        f"{n_actors} actors scored for {totals['wall']:.0f} s in all, used the processor for "
        f"{totals['processor']:.0f} s, {decoding:.0%} of that decoding, and their readers waited "
        f"{totals['reading']:.0f} s for files"
    )
    return Throughput(int(totals["photos"]), wall, bound, detail)


class _Actor:
    """Scores batches and writes each as a part."""

    def __init__(
        self, files: Sequence[Any], out: Path, run: Path, cores: int, **settings: Any
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
        self.scorer, self.out, self.run = Scorer(models, **settings), out, run

    def __call__(self, names: pa.Table) -> pa.Table:
        photos = names.to_pandas()
        table = self.scorer.table(photos)
        lost = table.filter(pc.equal(table["status"], Status.UNAVAILABLE.value))
        # Named by its photos: a batch that is computed twice, because its actor died before it
        # could report that it was done, is written once.
        name = hashlib.sha256("\0".join(photos["image_id"]).encode()).hexdigest()[:16]
        write_part(table, self.out / f"part-{name}.parquet", self.run)
        report = {figure: getattr(self.scorer.pipeline.meter, figure) for figure in _FIGURES}
        report["unavailable"] = lost.select(["path", "error"]).to_pandas().values.tolist()
        return pa.table({"report": [json.dumps(report)]})


def plain_error(error: BaseException) -> InferenceError:
    """Return what an actor could not do, without the traces of the machines in between."""
    cause: Any = error
    while isinstance(cause, BaseException):
        if isinstance(cause, InferenceError):
            return InferenceError(redact(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return InferenceError(f"the cluster gave up: {redact(lines[-1] if lines else type(error))}")


def check_cluster(address: str | None) -> None:
    """Check that a cluster can be had, before any work: Ray itself would wait for minutes.

    Parameters
    ----------
    address : str, optional
        As of `hotelviz.inference.score_photos`.

    Raises
    ------
    ClusterError
        Ray is not installed, or no cluster answers at the address.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterError("scoring on a cluster needs Ray: pip install 'hotelviz[ray]'")
    if address is None or address == "auto":
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
        done = subprocess.run(question, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"no Ray cluster answers at {address} (nothing within {PATIENCE:g} s); {advice}"
        ) from None
    if done.returncode:
        raise ClusterError(f"what answers at {address} is not a Ray cluster; {advice}")


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[Any]:
    """Connect to the cluster, or start one here, for as long as the run takes."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Its bars are off; for them it would put a print of its own in the place of Python's, for good.
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")
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
