"""Scores that no network computed: as many rows as a whole catalogue has, drawn by DuckDB.

The number of a hotel's photos falls off exponentially, about 122 on average (280 million photos of
2.3 million hotels); a hotel has a level of its own, around which its photos scatter. Probabilities
of tags have two decimals, or 280 million rows would not fit on a small disk.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

#: Photos a hotel, on average.
PHOTOS = 122
ROWS_A_PART = 1_000_000
AREAS = (
    "Bathroom", "Bedroom", "Foyer", "Kitchen", "Pool", "Reception", "Restaurant",
    "View_of_Exterior",
)  # fmt: skip


def _uniform(value: str, salt: int) -> str:
    # One number is hashed: DuckDB's hash of several is not uniform for small ones.
    return f"(hash({value} * 16 + {salt}) / 18446744073709551616.0::DOUBLE)"


#: The level of hotel h: most near 5.3, few below 4 or above 6.5.
_BASE = f"5.3 + 1.1 * ({_uniform('h', 2)} + {_uniform('h', 3)} + {_uniform('h', 4)} - 1.5)"


def _columns() -> str:
    """Give the columns of a photo from ``h``, ``k`` (its number), ``base`` and ``r`` (64 bits)."""
    sixteen = [f"((r >> {bits}) & 65535)::BIGINT" for bits in (0, 16, 32)]
    scatter = f"({' + '.join(sixteen)} - 98302) / 65536.0 * 1.3"
    area = "((r >> 48) % 8)::INT"
    sure = "(0.40 + ((r >> 51) % 60) / 100.0)"
    shares = ", ".join(
        f"(CASE WHEN {area} = {number} THEN {sure} ELSE round((1 - {sure}) / 7, 2) END)::FLOAT "
        f'AS "p_{name}"'
        for number, name in enumerate(AREAS)
    )
    names = "[" + ", ".join(f"'{name}'" for name in AREAS) + "]"
    # One photo in 2,000 cannot be read; one in 40 is a copy of the hotel's first.
    unreadable = "(hash(xor(r, 9)) % 2000 = 0)"
    score = f"greatest(least(base + {scatter}, 10), 1)::FLOAT"
    return (
        "printf('%08d/%05d.jpg', h, k) AS image_id, printf('h%08d', h) AS hotel_id, "
        f"CASE WHEN {unreadable} THEN 'damaged: broken data stream' ELSE '' END AS error, "
        "CASE WHEN hash(xor(r, 8)) % 40 = 0 THEN hash(h * 16 + 7) ELSE hash(xor(r, 6)) END "
        "AS hash, "
        f"CASE WHEN {unreadable} THEN NULL ELSE {score} END AS score, "
        f"{names}[1 + {area}] AS predicted, {shares}"
    )


def make_rows(folder: Path, rows: int, *, by_hotel: bool = True) -> int:
    """Write about `rows` scores to `folder` in parts, and give how many they are.

    Parts that are there are left as they are. Sorted `by_hotel`, as a catalogue that is scored in
    its own order; otherwise each photo's hotel is drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hotels = max(1, round(rows / PHOTOS))
    parts = max(1, round(rows / ROWS_A_PART))
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    for part in range(parts):
        file = folder / f"part-{part:05d}.parquet"
        if file.exists():
            continue
        if by_hotel:
            first, last = (hotels * number // parts for number in (part, part + 1))
            photos = (
                f"SELECT h, {_BASE} AS base, unnest(range(1 + (-ln(1 - 0.9999 * {_uniform('h', 1)}"
                f") * {PHOTOS - 0.9})::INT)) AS k FROM range({first}, {last}) t(h)"
            )
        else:
            first, last = (rows * number // parts for number in (part, part + 1))
            photos = (
                f"SELECT floor({hotels} * {_uniform('k', 1)} ** 1.5)::BIGINT AS h, "
                f"{_BASE} AS base, k FROM range({first}, {last}) t(k)"
            )
        connection.execute(
            f"COPY (SELECT {_columns()} FROM "
            f"(SELECT *, hash(h * 1000000000 + k) AS r FROM ({photos}))) "
            f"TO '{file}.tmp' (FORMAT parquet, COMPRESSION zstd)"
        )
        Path(f"{file}.tmp").rename(file)
    found = connection.execute(
        f"SELECT sum(num_rows) FROM parquet_file_metadata('{folder}/*.parquet')"
    ).fetchone()
    connection.close()
    return int(found[0]) if found else 0
