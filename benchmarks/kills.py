"""Kill runs at random and go on with them on a re-sorted catalogue; compare with undisturbed ones.

    python benchmarks/kills.py [--short] [--only training scoring]

Needs no real photos: they are drawn here.
"""

from __future__ import annotations

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

#: How often each run is killed.
KILLS = 10


def killed(
    work: Callable[..., Any],
    arguments: Callable[[int], tuple[Any, ...]],
    begun: Callable[[], bool],
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
        Says whether the run that was started has come to what is to be killed.
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
    chance, done = random.Random(seed), 0
    for start in range(kills):
        process = context.Process(target=work, args=arguments(start))
        process.start()
        while process.is_alive() and not begun():
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
    """Kill scoring ten times, on one machine and on Ray in turn; each goes on in another order."""
    import numpy as np
    import pandas as pd
    from PIL import Image

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
            return catalog, model, out, start % 5 == 4

        done = killed(
            score_once, arguments, lambda: len(list(out.glob("part-*.parquet"))) > parts,
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
    if on_cluster:
        from hotelviz.scoring.cluster import score_on_cluster

        score_on_cluster(catalog, [model], out, part_size=8, workers=1, progress=False)
    else:
        from hotelviz.scoring import score_photos

        score_photos(catalog, [model], out, part_size=8, progress=False)


SECTIONS: dict[str, Callable[..., None]] = {"scoring": scoring}


if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=SECTIONS)
