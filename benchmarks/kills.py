"""Kill runs at random and go on with them on a re-sorted catalogue; compare with undisturbed ones.

    python benchmarks/kills.py [--short] [--only training scoring]

Needs no real photos: they are drawn here.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import results, run

from hotelviz.io.atomic import written_files

# isort: split
import numpy as np
import pandas as pd
from PIL import Image

#: How often each run is killed.
KILLS = 10


def killed(
    work: Callable[..., Any],
    arguments: Callable[[int], tuple[Any, ...]],
    begun: Callable[[int], bool],
    seconds: float,
    *,
    kills: int,
    seed: int = 0,
) -> int:
    """Start `work` in a process of its own, kill it at random, and let a last start end by itself.

    Parameters
    ----------
    work
        A function of a module, which a new process can import.
    arguments
        Number of the start -> the arguments of `work`.
    begun
        Number of the start -> whether that run has come to what is to be killed.
    seconds
        A run that has begun is killed after 0 to so many seconds.
    kills
        How often.
    seed
        Of the moments.

    Returns
    -------
    int
        How many runs were killed before they ended by themselves.
    """
    # Processes are forked from one that has imported everything, and computed nothing yet.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hotelviz.training.train", "hotelviz.inference"])
    chance, done = random.Random(seed), 0
    for start in range(kills):
        process = context.Process(target=work, args=arguments(start))
        process.start()
        while process.is_alive() and not begun(start):
            time.sleep(0.05)
        process.join(chance.uniform(0, seconds))
        if not process.is_alive():
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        done += 1
    last = context.Process(target=work, args=arguments(kills))
    last.start()
    last.join()
    if last.exitcode:
        raise SystemExit(f"the last start of {work.__name__} ended with {last.exitcode}")
    return done


def scoring(*, short: bool) -> None:
    """Kill scoring ten times, once of them on Ray; each goes on in another order."""
    from hotelviz.models import build_aesthetic, save_model

    count = 500 if short else 900
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(count):
            coarse = chance.integers(0, 256, (6, 8, 3), dtype="uint8")
            Image.fromarray(coarse).resize((320, 240)).save(place / f"{number}.jpg")
        photos = pd.DataFrame({"path": [str(place / f"{number}.jpg") for number in range(count)]})
        photos["hotel_id"] = [f"h{number // 20}" for number in range(count)]
        model, out = place / "model.keras", place / "scores"
        save_model(build_aesthetic(weights=None), model)
        photos.to_csv(place / "whole.csv", index=False)
        score_once(place / "whole.csv", model, place / "whole", False)
        parts = 0

        def arguments(start: int) -> tuple[Path, Path, Path, bool]:
            nonlocal parts
            parts = len(list(out.glob("part-*.parquet")))
            catalog = place / f"{start}.csv"
            photos.sample(frac=1, random_state=start).to_csv(catalog, index=False)
            return catalog, model, out, start == KILLS // 2

        done = killed(
            score_once, arguments, lambda _: len(list(out.glob("part-*.parquet"))) > parts,
            0.3, kills=KILLS,
        )  # fmt: skip
        found, expected = (
            pd.concat(
                pd.read_parquet(part) for part in (place / name).glob("part-*.parquet")
            ).sort_values("image_id", ignore_index=True)
            for name in ("scores", "whole")
        )
    times = found["image_id"].value_counts().reindex(photos["path"], fill_value=0)
    results.append(("scoring: killed", f"{KILLS} times", f"{done} times"))
    results.append(("scoring: photos scored once", f"{count}", f"{(times == 1).sum()}"))
    results.append(("scoring: photos scored twice, never", "0, 0",
                    f"{(times > 1).sum()}, {(times == 0).sum()}"))  # fmt: skip
    same = found.equals(expected)
    results.append(("scoring: rows, bit for bit", "identical", "identical" if same else "DIFFER"))


def score_once(catalog: Path, model: Path, out: Path, on_cluster: bool) -> None:
    """Score a catalogue, or go on with it."""
    from hotelviz.inference import score_photos

    many = {"cluster": "ray", "workers": 1} if on_cluster else {}
    score_photos(catalog, [model], out, part_size=8, progress=False, **many)


def draw(folder: Path, count: int) -> pd.DataFrame:
    """Draw noisy photos of three colours, four a hotel; a quarter of the hotels is for testing."""
    chance, rows = np.random.default_rng(0), []
    colours = {"red": (150, 90, 90), "green": (90, 150, 90), "blue": (90, 90, 150)}
    for number in range(count):
        label = list(colours)[number % 3]
        pixels = np.array(colours[label]) + chance.integers(-80, 81, (48, 48, 3))
        path = folder / f"{number}.png"
        Image.fromarray(pixels.astype("uint8")).save(path)
        hotel = number // 4
        split = ("train", "train", "val", "test")[hotel % 4]
        rows.append((str(number), str(path), f"h{hotel}", label, split))
    return pd.DataFrame(rows, columns=["image_id", "path", "hotel_id", "label", "split"])


def train(photos: pd.DataFrame, out: str, epochs: int) -> None:
    """Train a tagger of a few layers, of which the parts that are kept are those of any other."""
    import keras
    from keras import layers

    from hotelviz.training import train_tagger

    def few_layers(*, input_shape: tuple[int | None, int | None, int], **_: Any) -> keras.Model:
        inputs = outputs = keras.Input(input_shape)
        for filters, size, strides in ((8, 3, 4), (16, 1, 1)):
            outputs = layers.Conv2D(filters, size, strides=strides)(outputs)
            outputs = layers.ReLU()(layers.BatchNormalization()(outputs))
        return keras.Model(inputs, outputs)

    keras.applications.MobileNet = few_layers
    train_tagger(
        photos, out=out, input_size=32, batch_size=16,
        fine_tune_epochs=epochs, fine_tune_learning_rate=3e-3, patience=6, progress=False,
    )  # fmt: skip


def training(*, short: bool) -> None:
    """Kill a training and go on with it on a re-sorted catalogue, again and again."""
    from hotelviz.inference import predict_tags
    from hotelviz.metrics import top1
    from hotelviz.models import load_model
    from hotelviz.training import history

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = draw(folder, 240 if short else 960)
        kills, epochs = (3, 8) if short else (KILLS, 40)
        state, seen = folder / "killed.keras.training", []

        def done_epochs() -> int:
            files = written_files(state, "*.json")
            return sum(len(json.loads(file.read_text()).get("rows", [])) for file in files)

        def begun(start: int) -> bool:
            # Every third run is killed before, the others after it has done an epoch.
            early = start % 3 == 0 and (state / "train.jsonl").is_file()
            return early or done_epochs() > seen[start]

        def arguments(start: int) -> tuple[Any, ...]:
            seen.append(done_epochs())
            resorted = photos.sample(frac=1, random_state=start)
            return resorted, str(folder / "killed.keras"), epochs

        whole = train, lambda _: (photos, str(folder / "whole.keras"), epochs), lambda _: True
        killed(*whole, 0, kills=0)
        done = killed(train, arguments, begun, 1, kills=kills)
        names = ("whole", "killed")
        models = {name: load_model(folder / f"{name}.keras") for name in names}
        test = photos[photos["split"] == "test"].reset_index(drop=True)
        tags = {name: predict_tags(test, model, progress=False) for name, model in models.items()}
        courses = {name: history(model).drop(columns="seconds") for name, model in models.items()}
    print(f"whole epochs that each start found: {', '.join(map(str, seen))}")
    print(courses["whole"].to_string(index=False))
    columns = [f"p_{name}" for name in ("red", "green", "blue")]
    difference = np.abs(tags["whole"][columns] - tags["killed"][columns]).to_numpy().max()
    accuracy = [f"{top1(test['label'], table['predicted']):.4f}" for table in tags.values()]
    same = "the same" if courses["whole"].equals(courses["killed"]) else "another"
    results.append(("training, kills", str(kills), str(done)))
    results.append(("accuracy, undisturbed and killed", "the same", " and ".join(accuracy)))
    results.append(("history of epochs, rates and losses", "the same", same))
    results.append(("largest difference of a probability", "0", f"{difference:.2g}"))


SECTIONS: dict[str, Callable[..., None]] = {"training": training, "scoring": scoring}


if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=SECTIONS)
