"""Scores and tags counted by blocks of whole hotels: what uncertainty over hotels is made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hotelviz.scores.dataset import Scores
from hotelviz.scores.sql import sql_name

#: Blocks that hotels are dealt to, by their names: the same hotel to the same one everywhere.
N_BLOCKS = 32
#: Numbers that are counted, and their ends.
SCORE_ENDS: Mapping[str, tuple[float, float]] = {
    "score": (1, 10), "technical": (1, 10), "score_std": (0, 4.5), "technical_std": (0, 4.5),
}  # fmt: skip
_BINS = 1000


def score_blocks(scores: Scores) -> dict[str, pd.DataFrame]:
    """Count what was predicted of photos, by blocks of whole hotels.

    Parameters
    ----------
    scores : Scores
        From `hotelviz.scores.open_scores`; by ``hotel_id`` where it has that, else each photo is
        alone.

    Returns
    -------
    dict of str to pandas.DataFrame
        Of ``score``, ``technical``, their ``_std``, ``predicted`` and ``readable`` what there is:
        photos by block (32 rows) and by the value. A column of numbers is the upper end of a bin,
        of which there are 1,000. Photos without the value are not counted.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.scores import open_scores
    >>> folder = tempfile.mkdtemp()
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "i"], "score": [4.5, 6.0],
    ...                       "predicted": ["Pool", "Pool"]})
    >>> table.to_parquet(f"{folder}/scores.parquet")
    >>> blocks = score_blocks(open_scores(folder))
    >>> blocks["predicted"].sum().to_dict()
    {'Pool': 2}
    >>> counts = blocks["score"].sum()
    >>> counts[counts > 0].index.to_numpy().round(3).tolist()
    [4.501, 6.004]
    """
    found = {}
    for name, (low, high) in SCORE_ENDS.items():
        if name in scores.columns:
            value = sql_name(scores.names[name])
            # What is no number, or endless, is of no bin.
            at = f"TRY_CAST(floor(({value}::DOUBLE - {low}) / {high - low} * {_BINS}) AS INT)"
            counts = _wide(_counted(scores, {name: at}), name)
            # A number outside is in the first or the last bin, as in a histogram.
            counts.columns = counts.columns.astype(int).to_numpy().clip(0, _BINS - 1)
            counts = counts.T.groupby(level=0).sum().T.reindex(columns=range(_BINS), fill_value=0)
            edges = low + np.arange(1, _BINS + 1) * ((high - low) / _BINS)
            found[name] = counts.set_axis(edges, axis=1)
    texts = {}
    if "predicted" in scores.columns:
        texts["predicted"] = sql_name(scores.names["predicted"])
    if "error" in scores.columns:
        value = sql_name(scores.names["error"])
        # Grouped as a truth value, and named afterwards: texts take a fifth more time.
        texts["readable"] = f"({value} IS NULL OR {value} = '')"
    table = _counted(scores, texts) if texts else pd.DataFrame()
    if "readable" in table:
        table["readable"] = table["readable"].map({True: "yes", False: "no"})
    return found | {name: _wide(table, name) for name in texts}


def _counted(scores: Scores, values: Mapping[str, str]) -> pd.DataFrame:
    """Count photos by block and values, in one pass; the hotel of one that has none is itself."""
    own = sql_name(scores.names["image_id"])
    hotel = sql_name(scores.names["hotel_id"]) if "hotel_id" in scores.columns else own
    chosen = ", ".join(f"{value} AS {name}" for name, value in values.items())
    for key in (hotel, f"coalesce({hotel}, {own})"):
        block = f"CASE WHEN {key} IS NULL THEN {N_BLOCKS} ELSE (hash({key}) % {N_BLOCKS})::INT END"
        table = scores.query(
            f"SELECT {chosen}, {block} AS block, count(*) AS n FROM scores GROUP BY ALL"
        )
        if not (table["block"] == N_BLOCKS).any():
            break
    return table


def _wide(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the counts of one value, a row per block; missing values are not counted."""
    wide = table.pivot_table(index="block", columns=name, values="n", aggfunc="sum", fill_value=0)
    return wide.reindex(range(N_BLOCKS), fill_value=0).rename_axis(index=None, columns=None)
