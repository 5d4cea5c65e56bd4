"""Time scoring, on one machine and several workers, and questions about 280 million scores.

    KERAS_HOME=../shared/keras python benchmarks/scale.py [--short] [--only NAME ...]

Sections: ``speed`` (photos on disk to scores on disk), ``memory`` (10,000 photos against 100,000),
``ray`` (two workers against one, one of them killed), ``s3`` (a server on this machine) and
``rows`` (generated scores; in the long form 280 million: 6 GB of disk under ``$TMPDIR``).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import DATA, SHARED, enlarge, results, run

# isort: split
import numpy as np
import pandas as pd


def network() -> object:
    """Give the talk's own aesthetic network, with the photos that models trained here get."""
    from hotelviz.models import Preprocessing, wrap_model

    file = SHARED / "keras" / "nima" / "mobilenet_aesthetic.keras"
    return wrap_model(file, task="aesthetic", preprocessing=Preprocessing(224, 224))


def catalog(paths: list[str]) -> pd.DataFrame:
    names = [f"{number:06d}" for number in range(len(paths))]
    return pd.DataFrame({"image_id": names, "hotel_id": "h", "path": paths})


def hotel_photos() -> list[str]:
    return [str(file) for file in sorted((DATA / "hotels" / "photos").glob("*.jpg"))]


def speed(*, short: bool) -> None:
    """Score from disk to disk: a plain loop, each backend, and each stage alone, in turn."""
    from hotelviz.inference import make_backend, score_photos

    model = network()
    backend = make_backend(model, "openvino")
    print(f"backend: {backend}, {backend.parallel} streams of {backend.batch_size} photos")

    with tempfile.TemporaryDirectory() as folder:
        files = hotel_photos()
        large = enlarge(files[: 48 if short else 96], folder)
        for name, paths, wanted in (
            ("448 pixels", files[: 200 if short else 640], 2.5),
            ("1,900 pixels", large * (1 if short else 2), 6.0),
        ):
            pixels = decoded(paths)

            def scored(kind: str, paths: list[str] = paths) -> str:
                with tempfile.TemporaryDirectory(dir=folder) as out:
                    run = score_photos(
                        catalog(paths), [model], f"{out}/s", backend=kind, progress=False
                    )
                    return str(run)

            ways: dict[str, Callable[[], object]] = {
                "plain loop": lambda p=paths: plain(model, p, folder),
                "keras": lambda: scored("keras"),
                "openvino": lambda: scored("openvino"),
                "decode only": lambda p=paths: decoded(p),
                "inference only": lambda x=pixels: inferred(backend, x),
            }
            times = in_turn(ways, 3 if short else 5)
            rates = {way: len(paths) / np.median(values) for way, values in times.items()}
            print(pd.Series(rates, name=f"{name}, photos/s").round(1).to_string())
            print(f"{name}, openvino: {scored('openvino')}")
            for way in ("plain loop", "keras"):
                ratio = float(np.median(np.array(times[way]) / np.array(times["openvino"])))
                asked = f">= {wanted} x" if way == "plain loop" else ""
                results.append((f"openvino / {way}, {name}", asked, f"{ratio:.2f} x"))
            stages = np.array([times["decode only"], times["inference only"]])
            whole = np.array(times["openvino"])
            slower = float(np.median(stages.max(axis=0) / whole))
            # Both stages alone use all cores; together they need the sum of their work.
            budget = float(np.median(stages.sum(axis=0) / whole))
            results.append((f"of the slower stage alone, {name}", ">= 85 %", f"{slower:.0%}"))
            results.append((f"of what the cores allow, {name}", "", f"{budget:.0%}"))


def plain(model: object, paths: list[str], folder: str) -> None:
    """Score in a plain loop, as a tutorial has it."""
    import keras

    from hotelviz.models import model_info

    scale = model_info(model).preprocessing.scale
    scores = []
    for start in range(0, len(paths), 32):
        batch = [
            keras.utils.img_to_array(keras.utils.load_img(path, target_size=(224, 224)))
            for path in paths[start : start + 32]
        ]
        shares = model.predict(scale(np.stack(batch)), verbose=0)
        scores.append(shares @ np.arange(1, 11))
    pd.DataFrame({"path": paths, "score": np.concatenate(scores)}).to_parquet(
        f"{folder}/plain.parquet"
    )


def decoded(paths: list[str]) -> np.ndarray:
    """Decode as scoring does, with the hash, and nothing else."""
    from hotelviz.images import View, iterate_views, perceptual_hash

    batches = iterate_views(
        paths, [View((224, 224))], measure=lambda photo: perceptual_hash(photo.pixels), batch_size=8
    )
    return np.concatenate([batch.views[0] for batch in batches])


def inferred(backend: object, pixels: np.ndarray) -> None:
    """Run the network as scoring does, on pixels that are there."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(backend.parallel) as pool:
        list(
            pool.map(backend.predict, np.array_split(pixels, -(-len(pixels) // backend.batch_size)))
        )


def in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time functions in turn, after a first call of each."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, function in ways.items():
            started = time.perf_counter()
            function()
            if turn:
                times[way].append(time.perf_counter() - started)
    return times


def memory(*, short: bool) -> None:
    """Score few and many photos in processes of their own; the peak of each one's memory.

    With a small network, whose own memory hides less of what grows with the photos.
    """
    from hotelviz.models import build_aesthetic, save_model

    few, many = (1_000, 10_000) if short else (10_000, 100_000)
    files = hotel_photos()
    with tempfile.TemporaryDirectory() as folder:
        small = build_aesthetic(input_size=64, weights=None, backbone_kw={"alpha": 0.25})
        save_model(small, f"{folder}/model.keras")
        peaks = {}
        for count in (few, many):
            paths = [files[number % len(files)] for number in range(count)]
            catalog(paths).to_csv(f"{folder}/{count}.csv", index=False)
            peaks[count], seconds, said = command_peak(
                "score", f"{folder}/{count}.csv", "--model", f"{folder}/model.keras",
                "--out", f"{folder}/{count}", "--backend", "openvino",
            )  # fmt: skip
            print(f"{count:,} photos: peak {peaks[count]:,.0f} MB, {seconds:.0f} s\n{said}")
    ratio = f"{peaks[many] / peaks[few]:.3f}"
    results.append((f"memory, {many:,} / {few:,} photos", "<= 1.2", ratio))


def command_peak(*arguments: str) -> tuple[float, float, str]:
    """Run a command of hotelviz; its peak memory in megabytes, its seconds and what it says."""
    code = (
        "import resource, sys\nfrom hotelviz.cli import app\n"
        "try:\n    app(sys.argv[1:])\nfinally:\n"
        "    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    said, _, peak = done.stdout.rpartition("peak ")
    return float(peak), time.perf_counter() - started, said.strip()


def scores_of(folder: str | Path) -> pd.DataFrame:
    from hotelviz.scores import open_scores

    return open_scores(folder).query("SELECT * FROM scores ORDER BY image_id")


def ray(*, short: bool) -> None:
    """Score with one worker, with two, and with two of which one is killed."""
    from hotelviz.inference import score_photos
    from hotelviz.models import save_model

    files = hotel_photos()
    count = 400 if short else 4_000
    photos = catalog([files[number % len(files)] for number in range(count)])
    model = network()
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, f"{folder}/model.keras")
        photos.to_parquet(f"{folder}/photos.parquet", index=False)
        rates = {}
        local = score_photos(photos, [model], f"{folder}/local", backend="openvino", progress=False)
        rates["local backend"] = f"{local.per_second:.0f} photos/s"
        for name, workers in (("one", 1), ("two", 2), ("killed", 2)):
            out = Path(folder) / name
            started = time.perf_counter()
            with killing(out) if name == "killed" else nothing() as killed:
                speed = score_photos(
                    f"{folder}/photos.parquet", [f"{folder}/model.keras"], out, workers=workers,
                    cluster="ray", backend="openvino", part_size=128 if short else 512,
                    progress=False,
                )  # fmt: skip
            whole = time.perf_counter() - started
            rates[f"Ray, {name}"] = (
                f"{speed.per_second:.0f} photos/s, {whole:.0f} s with the start of Ray; "
                f"actors busy for {speed.detail.split(' scored for ')[1].split(' s in')[0]} s"
            )
            same = scores_of(out).equals(scores_of(f"{folder}/local"))
            if name == "killed":
                print(f"killed process {killed}")
                same = same and bool(killed)
            asked = "identical" if name != "killed" else "finishes, identical"
            results.append((f"Ray, {name}: rows", asked, "identical" if same else "DIFFERENT"))
        for name, rate in rates.items():
            results.append((f"throughput, {name}", "", rate))


@contextmanager
def nothing() -> Iterator[list[int]]:
    yield []


@contextmanager
def killing(out: Path) -> Iterator[list[int]]:
    """Kill one of the actors of this process' cluster once it has written something."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not killed and not over.wait(0.1):
            if len(list(out.glob("part-*.parquet"))) >= 3:
                for pid in actors()[:1]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def actors() -> list[int]:
    """Give the actors among the processes that this one has started."""
    parents, found = {}, []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
            command = (place / "cmdline").read_text()
        except OSError:
            continue  # It has ended meanwhile.
        parents[int(place.name)] = int(parent)
        if "ray::MapWorker" in command:
            found.append(int(place.name))
    return [pid for pid in found if descends(pid, parents)]


def descends(pid: int, parents: dict[int, int]) -> bool:
    """Whether a process was started by this one."""
    while pid in parents:
        if pid == os.getpid():
            return True
        pid = parents[pid]
    return False


def s3(*, short: bool) -> None:
    """Score photos from an S3 server on this machine; the same scores as from disk."""
    import s3fs
    from moto.server import ThreadedMotoServer

    from hotelviz.inference import score_photos

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    secret = "a-secret-of-this-benchmark-0123456789"
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    files = hotel_photos()[: 100 if short else 400]
    system = s3fs.S3FileSystem()
    system.mkdir("photos")
    for file in files:
        system.pipe_file(f"photos/{Path(file).name}", Path(file).read_bytes())
    near = catalog(files)
    far = near.assign(path=[f"s3://photos/{Path(file).name}" for file in files])
    with tempfile.TemporaryDirectory() as folder:
        model = network()
        for name, photos in (("disk", near), ("s3", far)):
            speed = score_photos(
                photos, [model], f"{folder}/{name}", backend="openvino", progress=False
            )
            results.append((f"throughput from {name}", "", str(speed)))
        same = [c for c in scores_of(f"{folder}/s3") if c != "path"]
        equal = scores_of(f"{folder}/s3")[same].equals(scores_of(f"{folder}/disk")[same])
        written = b"".join(f.read_bytes() for f in Path(folder).rglob("*") if f.is_file())
        results.append(("S3: scores", "identical", "identical" if equal else "DIFFERENT"))
        results.append(("S3: secret in what was written", "no", str(secret.encode() in written)))
    server.stop()


def rows(*, short: bool) -> None:
    """Ask datasets of more and more scores, each question in a process of its own."""
    from questions import measure

    results.extend(measure(short=short))


SECTIONS = {"speed": speed, "memory": memory, "ray": ray, "s3": s3, "rows": rows}


if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=("rows",))
