"""How scores are distributed: histograms and exact quantiles, in passes that stream."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd

from hotelviz.errors import ScoresError
from hotelviz.scores.connection import ask
from hotelviz.scores.sql import is_number

#: Bins of the first pass for quantiles.
_FINE = 65_536


def bin_scores(
    values: pd.Series | np.ndarray, *, bins: int = 36, low: float = 1.0, high: float = 10.0
) -> pd.DataFrame:
    """Count scores that are in memory, in the form of `hotelviz.scores.Scores.histogram`.

    Parameters
    ----------
    values
        Scores; missing ones are not counted.
    bins, low, high
        As in `hotelviz.scores.Scores.histogram`.

    Returns
    -------
    pandas.DataFrame
        ``low``, ``high``, ``count``.

    Examples
    --------
    >>> bin_scores(np.array([1.0, 4.0, 4.1]), bins=3)["count"].to_list()
    [1, 2, 0]
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)].clip(low, high)
    counts, edges = np.histogram(known, bins=bins, range=(low, high))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts})


def count_bins(
    connection: duckdb.DuckDBPyConnection,
    value: str,
    by: str | None,
    bins: int,
    low: float,
    high: float,
) -> pd.DataFrame:
    """Count photos by score; see `hotelviz.scores.Scores.histogram`.

    Parameters
    ----------
    connection
        With the view ``scores``.
    value, by
        Columns, as they are called in SQL.
    bins, low, high
        As in `hotelviz.scores.Scores.histogram`.

    Returns
    -------
    pandas.DataFrame
        ``kind``, empty without `by`, and ``low``, ``high``, ``count``.
    """
    # Plain arithmetic in double precision and a narrow key: ten times as fast as bounding each
    # value. The few bins outside are put where they belong afterwards.
    counts = ask(
        connection,
        f"SELECT {'' if by is None else by + ' AS kind, '}count(*) AS count, {_bin(value)} AS bin "
        "FROM scores GROUP BY ALL",
        {"low": low, "width": high - low, "bins": bins},
    ).dropna(subset="bin")
    if by is None:
        counts["kind"] = ""
    counts["bin"] = counts["bin"].astype("int64").clip(0, bins - 1)
    counts = counts.groupby(["kind", "bin"], dropna=False)["count"].sum().reset_index()
    kinds = counts[["kind"]].drop_duplicates().sort_values("kind")
    if by is None:
        kinds = pd.DataFrame({"kind": [""]}, dtype=counts["kind"].dtype)
    edges = low + np.arange(bins + 1) * ((high - low) / bins)
    frame = pd.DataFrame({"bin": range(bins), "low": edges[:-1], "high": edges[1:]})
    table = kinds.merge(frame, how="cross").merge(counts, on=["kind", "bin"], how="left")
    table["count"] = table["count"].fillna(0).astype("int64")
    return table.drop(columns="bin")


def _bin(value: str) -> str:
    """Return the SQL of a value's bin, from ``$low``, ``$width`` and ``$bins``; NULL for none."""
    return (
        f"TRY_CAST(floor(({value}::DOUBLE - $low::DOUBLE) / $width::DOUBLE * $bins::DOUBLE) AS INT)"
    )


def find_quantiles(
    connection: duckdb.DuckDBPyConnection, value: str, probabilities: Sequence[float], column: str
) -> dict[float, float]:
    """Return exact quantiles; see `Scores.quantiles`.

    Counted in fine bins first; then only the values of the bins that the quantiles lie in are
    looked at. Memory does not grow with the number of photos.

    Parameters
    ----------
    connection
        With the view ``scores``.
    value
        The column, as it is called in SQL.
    probabilities
        From 0 to 1.
    column
        What the user calls it, for errors.
    """
    if not all(0 <= p <= 1 for p in probabilities):
        raise ScoresError(f"quantiles {list(probabilities)}: expected shares from 0 to 1")
    low, high = _ends(connection, value, column)
    if low == high:
        return dict.fromkeys(probabilities, low)
    scale = {"low": low, "width": high - low, "bins": _FINE}
    counts = ask(
        connection,
        f"SELECT {_bin(value)} AS bin, count(*) AS n FROM scores GROUP BY ALL ORDER BY 1",
        scale,
    ).dropna()
    ends = counts["n"].cumsum().to_numpy()
    places = np.array([float(p) for p in probabilities]) * (ends[-1] - 1)
    needed = np.unique(np.concatenate([np.floor(places), np.ceil(places)]).astype("int64"))
    held = np.unique(np.searchsorted(ends, needed, side="right"))
    values = ask(
        connection,
        f"SELECT {value}::DOUBLE AS value, count(*) AS n, {_bin(value)} AS bin FROM scores "
        f"WHERE list_contains($held::INT[], {_bin(value)}) GROUP BY ALL ORDER BY 1",
        scale | {"held": counts["bin"].iloc[held].astype(int).to_list()},
    )
    # The place of each value's last photo, with the bins in between that were not looked at.
    before = (ends - counts["n"].to_numpy())[np.searchsorted(counts["bin"], values["bin"])]
    last = before + values.groupby("bin")["n"].cumsum().to_numpy()
    found = values["value"].to_numpy()[np.searchsorted(last, needed, side="right")]
    exact = np.interp(places, needed, found)
    return dict(zip(probabilities, map(float, exact), strict=True))


def _ends(connection: duckdb.DuckDBPyConnection, value: str, column: str) -> tuple[float, float]:
    """Return the least and the greatest value; what files declare is enough where it is finite."""
    ends = np.array([np.nan])
    for where in ("TRUE", is_number(value)):
        if not np.isfinite(ends).all():
            query = f"SELECT min({value})::DOUBLE, max({value})::DOUBLE FROM scores WHERE {where}"
            ends = ask(connection, query).to_numpy("float64", na_value=np.nan)[0]
    if np.isnan(ends).any():
        raise ScoresError(f"no photo has a value in the column {column!r}")
    if np.isinf(ends).any():
        raise ScoresError(f"the column {column!r} holds a number that is infinite")
    return float(ends[0]), float(ends[1])
