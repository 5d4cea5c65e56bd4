"""Scoring with Ray: the same rows, whatever dies meanwhile; a missing cluster is named."""

from __future__ import annotations

import builtins
import importlib.util
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from backbones import write_few_layers

from hotelviz.catalog import write_catalog
from hotelviz.errors import ClusterError, InferenceError
from hotelviz.inference import ray, score_photos

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed"
)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("model") / "small.keras"
    return write_few_layers(file, classes=range(10), task="aesthetic")


def rows(folder: Path) -> pd.DataFrame:
    parts = [pd.read_parquet(part) for part in folder.glob("part-*.parquet")]
    return pd.concat(parts, ignore_index=True).sort_values("image_id", ignore_index=True)


def actor_processes() -> list[int]:
    """Give the actors among the processes that this test has started."""
    parents, actors = {}, []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
            command = (place / "cmdline").read_text()
        except OSError:
            continue  # It has ended meanwhile.
        parents[int(place.name)] = int(parent)
        if "ray::MapWorker" in command:
            actors.append(int(place.name))

    def is_mine(pid: int) -> bool:
        while pid in parents:
            if pid == os.getpid():
                return True
            pid = parents[pid]
        return False

    return [pid for pid in actors if is_mine(pid)]


@pytest.fixture
def lighter_processes(tmp_path_factory, monkeypatch) -> None:
    """Have Ray's processes start without jsonschema's grammar of international addresses.

    Ray loads it in each of about twenty and never asks it; it takes each a second. What
    `load_jsonschema` does in processes of the package, Python's own start does in these.
    """
    folder = tmp_path_factory.mktemp("start")
    (folder / "sitecustomize.py").write_text(
        "import sys\nsys.modules['rfc3987_syntax'] = None  # as if it were not installed\n"
    )
    before = os.environ.get("PYTHONPATH")
    paths = [str(folder), before] if before else [str(folder)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_cluster_goes_on_with_a_local_run_replaces_a_killed_actor_and_hands_back(
    demo_catalog, model_file, tmp_path, lighter_processes
):
    catalog = tmp_path / "photos.parquet"
    names = ["7", "007", "9007199254740993", "=1+1", "'; DROP", "a.b.c", "run #2 [1]", "東京 *"]
    for column in ("image_id", "hotel_id"):
        demo_catalog.loc[demo_catalog.index[6:14], column] = names
    write_catalog(demo_catalog.sample(frac=1, random_state=0), catalog)
    whole, out = tmp_path / "whole", tmp_path / "scores"
    score_photos(demo_catalog, model_file, whole, progress=False)
    score_photos(demo_catalog.head(8), model_file, out, part_size=5, progress=False)
    (out / "part-broken.parquet").write_bytes(b"PAR1")
    killed, printed = [], builtins.print

    def kill() -> None:
        until = time.monotonic() + 300
        while not killed and time.monotonic() < until:
            # After the first part of its own, so that the actor was at work.
            if len(list(out.glob("part-*.parquet"))) > 3:
                for pid in actor_processes()[:1]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    speed = score_photos(
        catalog, [model_file], out, part_size=8, workers=1, cluster="ray", progress=False
    )
    killer.join()
    assert killed
    assert speed.photos == len(demo_catalog) - 8
    pd.testing.assert_frame_equal(rows(out), rows(whole), check_exact=True)
    assert builtins.print is printed  # Ray's own does not take the place of Python's
    assert score_photos(catalog, model_file, out, cluster="ray", progress=False).photos == 0
    # One machine goes on with what the cluster wrote, and finds nothing to do but what is new.
    (out / "part-00000.parquet").unlink()
    assert score_photos(catalog, model_file, out, progress=False).photos == 5
    pd.testing.assert_frame_equal(rows(out), rows(whole), check_exact=True)


@needs_ray
def test_address_where_nothing_answers_is_named(model_file, demo_catalog, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ClusterError, match=rf"no Ray cluster answers at 127\.0\.0\.1:{port}"):
        score_photos(demo_catalog, model_file, tmp_path, cluster="ray", address=f"127.0.0.1:{port}")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(ray, "PATIENCE", 1.0)
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterError, match="nothing within 1 s"):
            score_photos(demo_catalog, model_file, tmp_path, cluster="ray", address=address)
    with pytest.raises(ClusterError, match="is not host:port"):
        score_photos(demo_catalog, model_file, tmp_path, cluster="ray", address="somewhere")
    assert not list(tmp_path.iterdir())


def test_ray_that_is_not_installed_is_named_with_its_command(monkeypatch, demo_catalog, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"pip install 'hotelviz\[ray\]'"):
        score_photos(demo_catalog, [], tmp_path, cluster="ray")


def test_what_an_actor_could_not_do_is_said_without_its_traces():
    class TaskError(Exception):
        cause = InferenceError("part-1.parquet: cannot be written (No space left on device)")

    failed = RuntimeError("the actor failed")
    failed.__cause__ = TaskError()
    assert str(ray.plain_error(failed)).startswith("part-1.parquet: cannot be written")
    assert "gave up" in str(ray.plain_error(RuntimeError("trace\nlast line")))
