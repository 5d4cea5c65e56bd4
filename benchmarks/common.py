"""What the benchmarks share: where the data is, paired timings, and the table at the end.

Import it first: it says where Keras finds ImageNet's weights.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
DATA = SHARED / "data"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if (SHARED / "keras").is_dir():
    os.environ.setdefault("KERAS_HOME", str(SHARED / "keras"))

#: must-show -> what is wanted -> what was measured
results: list[tuple[str, str, str]] = []


def leave(name: str) -> Path:
    """Give the path of something that a benchmark leaves to be looked at."""
    path = ROOT / "reports" / "benchmarks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def compare(
    first: Callable[[], object], second: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Time two functions in turn; the median ratio first / second, and both medians in seconds."""
    first()
    second()
    times = []
    for _ in range(rounds):
        times.append([])
        for function in (first, second):
            started = time.perf_counter()
            function()
            times[-1].append(time.perf_counter() - started)
    pairs = np.array(times)
    return float(np.median(pairs[:, 0] / pairs[:, 1])), *map(float, np.median(pairs, axis=0))


def enlarge(paths: Iterable[str | os.PathLike[str]], folder: str, side: int = 1920) -> list[str]:
    """Enlarge photos until their shorter side has `side` pixels; give the new paths."""
    large = []
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            factor = side / min(image.size)
            size = (round(image.width * factor), round(image.height * factor))
            large.append(f"{folder}/large-{number}.jpg")
            image.convert("RGB").resize(size).save(large[-1], quality=90)
    return large


def interval(row: pd.Series) -> str:
    """Write a figure with its interval."""
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def run(
    description: str,
    sections: Mapping[str, Callable[..., None]],
    *,
    without_data: Iterable[str] = (),
) -> None:
    """Run the sections asked for and print what was wanted and what was measured."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="less of everything")
    parser.add_argument("--only", nargs="+", choices=sections, default=list(sections))
    asked = parser.parse_args()
    for name in asked.only:
        if name not in without_data and not DATA.is_dir():
            print(f"{name}: no real photos at {DATA}: not measured")
            continue
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        sections[name](short=asked.short)
        print(f"({time.perf_counter() - started:.0f} s)", flush=True)
    table = pd.DataFrame(results, columns=["what", "wanted", "measured"])
    print(f"\n{table.to_string(index=False)}")
