"""Time the ranking of a million photos; needs no data.

python benchmarks/ranking.py [--short]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import results, run

# isort: split
import numpy as np
import pandas as pd


def ranking(*, short: bool) -> None:
    """Rank a million photos of 7,500 hotels with coverage, in a process of its own."""
    count = 100_000 if short else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        _write_scores(Path(folder), count, count * 3 // 400)
        print(
            subprocess.run(
                [sys.executable, __file__, "--rank", folder],
                check=True, capture_output=True, text=True,
            ).stdout
        )  # fmt: skip
        seconds, gigabytes = Path(folder, "figures").read_text().split()
    results.append((f"ranking {count:,} photos", "< 30 s, < 2 GB", f"{seconds} s, {gigabytes} GB"))


def _write_scores(folder: Path, count: int, hotels: int) -> None:
    from hotelviz.ranking import AREA_ORDER

    chance = np.random.default_rng(0)
    hotel = np.sort(chance.integers(hotels, size=count))
    hashes = chance.integers(0, 2**63, size=count, dtype=np.uint64)
    # One photo in twenty repeats one of the same hotel.
    source = np.maximum(np.arange(count) - chance.integers(1, 60, count), 0)
    repeats = (chance.random(count) < 0.05) & (hotel[source] == hotel)
    hashes[repeats] = hashes[source[repeats]]
    names = np.array([f"photos/{number:07d}.jpg" for number in range(count)], dtype=object)
    (folder / "scores").mkdir()
    pd.DataFrame(
        {
            "image_id": names,
            "hotel_id": np.array([f"hotel-{number:05d}" for number in range(hotels)])[hotel],
            "score": chance.normal(5.2, 0.6, count).clip(1, 10).astype("float32"),
            "hash": hashes,
        }
    ).to_parquet(folder / "scores" / "part-00000.parquet")
    shares = chance.dirichlet(np.full(8, 0.15), count).astype("float32")
    tags = pd.DataFrame(shares, columns=[f"p_{area}" for area in AREA_ORDER])
    tags.insert(0, "predicted", np.array(AREA_ORDER, dtype=object)[shares.argmax(axis=1)])
    tags.insert(0, "image_id", names)
    tags.to_parquet(folder / "tags.parquet")
    places = pd.Series(hotel).groupby(hotel).cumcount() + 1
    pd.DataFrame({"image_id": names, "position": places}).to_parquet(folder / "catalog.parquet")


def rank_in_this_process(folder: Path) -> None:
    """Rank what `_write_scores` wrote; time and memory go to the file ``figures``."""
    from hotelviz import ranking

    started = time.perf_counter()
    ranked = ranking.rank_hotel_photos(
        folder / "scores",
        folder / "tags.parquet",
        catalog=pd.read_parquet(folder / "catalog.parquet"),
    )
    seconds = time.perf_counter() - started
    print(ranking.ranking_summary(ranking.ranking_figures(ranked)).T.round(3).to_string())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    (folder / "figures").write_text(f"{seconds:.1f} {memory:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        rank_in_this_process(Path(sys.argv[2]))
    else:
        run(__doc__, {"ranking": ranking}, without_data=["ranking"])
