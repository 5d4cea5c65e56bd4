"""How many photos each class has, and which classes need topping up."""

from __future__ import annotations

import pandas as pd

from hotelviz.catalog import check_table


def class_balance(
    catalog: pd.DataFrame, *, target: int | None = None, n_folds: int = 5
) -> pd.DataFrame:
    """Count photos per class, and those that are missing to a balanced set.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``label`` and ``hotel_id``, and, if known, ``source``.
    target : int, optional
        How many photos a class should have; by default as many as the median class has.
    n_folds : int, default 5
        A class that fewer hotels have is nearly empty: it cannot be cross-validated.

    Returns
    -------
    pandas.DataFrame
        A row per class: ``photos``, ``hotels``, ``top_up`` (photos missing to the target),
        ``nearly_empty``, and a column per source.

    Examples
    --------
    >>> photos = pd.DataFrame({"label": ["Pool"] * 6 + ["Foyer"], "hotel_id": list("abcdefg")})
    >>> class_balance(photos, target=5).reset_index()
       label  photos  hotels  top_up  nearly_empty
    0   Pool       6       6       0         False
    1  Foyer       1       1       4          True
    """
    catalog = check_table(catalog, needs=["label", "hotel_id"], where="class_balance", unique=False)
    labelled = catalog[catalog["label"].notna()]
    table = labelled.groupby("label").agg(photos=("label", "size"), hotels=("hotel_id", "nunique"))
    wanted = int(table["photos"].median()) if target is None and len(table) else target or 0
    table["top_up"] = (wanted - table["photos"]).clip(lower=0)
    table["nearly_empty"] = table["hotels"] < n_folds
    if "source" in labelled and labelled["source"].nunique() > 1:
        sources = pd.crosstab(labelled["label"], labelled["source"]).add_prefix("from ")
        table = table.join(sources.rename_axis(columns=None))
    return table.sort_values("photos", ascending=False, kind="stable")
