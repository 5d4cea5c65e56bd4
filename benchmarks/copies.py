"""The same photo in several hotels among generated scores: time, memory, and how many are found.

    python benchmarks/copies.py [--short]

One photo in a hundred is drawn from a stock of photos: half of these as they are, half with bits of
their hash flipped as saving a photo again flips them. The long form asks 280 million rows: 7 GB of
disk under ``$TMPDIR``, which are removed at the end.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from common import results, run

#: Photos of a hotel, and of the hotels that share a photo, on average.
PHOTOS, SHARED_BY = 122, 5
ROWS_A_PART = 2_000_000


def make_rows(folder: Path, n_rows: int) -> None:
    """Write scores with planted copies; ``stock`` and ``flips`` say which, and how near."""
    stock = max(1, n_rows // 100 // SHARED_BY)
    # One bit in so many quarters of the hash; 1, 2, 3 and 4 bits as often as real photos have them
    # that were saved again at a lower quality, smaller or a little brighter.
    bits = [f"(1::UBIGINT << ({16 * q} + ((x >> {4 * q}) % 16)::INT))::UBIGINT" for q in range(4)]
    flipped = "original"
    for n, bit in enumerate(bits, start=1):
        flipped = f"xor({flipped}, CASE WHEN flips >= {n} THEN {bit} ELSE 0::UBIGINT END)"
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    for part, first in enumerate(range(0, n_rows, ROWS_A_PART)):
        last = min(first + ROWS_A_PART, n_rows)
        connection.execute(
            f"""COPY (
            SELECT printf('%09d.jpg', k) AS image_id, printf('h%08d', k // {PHOTOS}) AS hotel_id,
              5.0::FLOAT AS score, stock, flips,
              (CASE WHEN stock IS NULL THEN hash(k * 16 + 1) ELSE {flipped} END)::UBIGINT AS hash
            FROM (SELECT *, hash(stock * 16 + 2) AS original, hash(k * 16 + 3) AS x,
                CASE WHEN stock IS NULL OR u % 2 = 0 THEN 0 WHEN u % 100 < 75 THEN 1
                  WHEN u % 100 < 92 THEN 2 WHEN u % 100 < 98 THEN 3 ELSE 4 END AS flips
              FROM (SELECT k, hash(k * 16 + 4) AS u,
                  CASE WHEN hash(k * 16 + 5) % 100 = 0 THEN hash(k * 16 + 6) % {stock} END AS stock
                FROM range({first}, {last}) t(k)))
            ) TO '{folder}/part-{part:05d}.parquet' (FORMAT parquet, COMPRESSION zstd)"""
        )
    connection.close()


def found(scores: str, out: str) -> None:
    """Search, in a process of its own, and print what it took."""
    from hotelviz.scores import copies_across_hotels, open_scores

    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    copies = copies_across_hotels(open_scores(scores), out=out, progress=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "seconds": time.perf_counter() - started, "processor": used.ru_utime - before,
        "GB": used.ru_maxrss / 1e6, "photos": copies.n_photos, "groups": copies.n_groups,
    }))  # fmt: skip


def recall(folder: Path, out: Path) -> dict[str, float]:
    """Of planted photos that another hotel has too, the share that stands in a group with one."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    rows = connection.execute(
        f"""WITH planted AS
            (SELECT * FROM read_parquet('{folder}/*.parquet') WHERE stock IS NOT NULL),
          shared AS (SELECT stock FROM planted GROUP BY stock
            HAVING count(DISTINCT hotel_id) > 1),
          twice AS (SELECT stock FROM planted WHERE flips = 0 GROUP BY stock
            HAVING count(DISTINCT hotel_id) > 1)
        SELECT avg((c.image_id IS NOT NULL)::INT) FILTER (flips = 0 AND t.stock IS NOT NULL),
          avg((c.image_id IS NOT NULL)::INT) FILTER (flips > 0),
          (SELECT count(*) FROM read_parquet('{out}') c ANTI JOIN planted p USING (image_id))
        FROM planted p JOIN shared s USING (stock) LEFT JOIN twice t USING (stock)
          LEFT JOIN read_parquet('{out}') c USING (image_id)"""
    ).fetchone()
    exact, near, others = rows or (0, 0, 0)
    return {"exact": exact, "near": near, "others": others}


def copies(*, short: bool) -> None:
    """Plant copies, search for them, and count."""
    n_rows = 4_000_000 if short else 280_000_000
    with tempfile.TemporaryDirectory(prefix="copies-") as folder:
        parts, out = Path(folder) / "scores", Path(folder) / "copies.parquet"
        parts.mkdir()
        make_rows(parts, n_rows)
        command = [sys.executable, __file__, "found", str(parts), str(out)]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        took = json.loads(said.splitlines()[-1])
        shares = recall(parts, out)
    results.extend([
        (f"{n_rows / 1e6:.0f} million rows: seconds", "",
         f"{took['seconds']:.0f} ({took['processor']:.0f} of processor)"),
        ("peak memory, GB", "below 6", f"{took['GB']:.1f}"),
        ("photos in groups", "", f"{took['photos']:,} in {took['groups']:,} groups"),
        ("recall of exact copies", "at least .99", f"{shares['exact']:.4f}"),
        ("recall of near copies", "at least .95", f"{shares['near']:.4f}"),
        ("photos that were not planted", "", f"{shares['others']:,}"),
    ])  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["found"]:
        found(*sys.argv[2:])
    else:
        run(__doc__, {"copies": copies}, without_data=("copies",))
