"""Deal hotels to train, val and test."""

from __future__ import annotations

import warnings

import pandas as pd

from hotelviz.catalog.columns import CatalogError
from hotelviz.catalog.ratings import rating_summary

#: Folds among which hotels are dealt; a split is a number of whole folds, so 0.05 is its grain.
_FOLDS = 20


def split_catalog(
    catalog: pd.DataFrame, *, test: float = 0.25, validation: float = 0.1, seed: int = 0
) -> pd.DataFrame:
    """Deal whole hotels to train, val and test, with like shares of each class.

    A hotel is never torn apart: its photos look alike, and a model that has seen one of them is
    not tested by the others. Hotels are dealt by scikit-learn's ``StratifiedGroupKFold``. A class
    that fewer than three hotels have is kept for training, with a warning, since a model cannot
    be tested on a class that it never saw.

    Parameters
    ----------
    catalog
        With ``hotel_id`` and ``label``, or ratings where there are no labels: then the shares of
        each score, rounded, are alike. One that has ``split`` already keeps it.
    test, validation
        Shares of the photos, 0 to 1; met within the size of a hotel.
    seed
        For another deal.

    Returns
    -------
    pandas.DataFrame
        A copy with the column ``split``; photos without a label (without ratings) have none.

    Raises
    ------
    CatalogError
        When there are no labels, too few hotels, or the shares leave nothing to train on.

    Examples
    --------
    >>> photos = pd.DataFrame({"hotel_id": [f"h{i // 2}" for i in range(80)],
    ...                        "label": ["Pool", "Bedroom"] * 40})
    >>> split_catalog(photos)["split"].value_counts().to_dict()
    {'train': 52, 'test': 20, 'val': 8}
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if "split" in catalog and catalog["split"].notna().any():
        return catalog.copy()
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise CatalogError(
            f"test={test} and validation={validation} must be shares from 0 that leave some photos "
            "to train on"
        )
    if "label" in catalog and catalog["label"].notna().any():
        labelled = catalog[catalog["label"].notna()]
    elif "rating_1" in catalog and catalog["rating_1"].notna().any():
        labelled = catalog[catalog["rating_1"].notna()]
        score = rating_summary(labelled)["rated_mean"].round().to_numpy()
        labelled = labelled.assign(label=pd.Series(score, index=labelled.index).astype(str))
    else:
        raise CatalogError(
            "the catalogue has neither labels nor ratings: a split needs the column 'label', or "
            "'rating_1' to 'rating_10'"
        )
    hotels_of = labelled.groupby("label")["hotel_id"].nunique()
    rare = hotels_of.index[hotels_of < 3]
    if labelled["hotel_id"].nunique() >= 3 and len(rare):
        warnings.warn(
            f"fewer than 3 hotels have {', '.join(rare)}: kept for training, not tested",
            stacklevel=2,
        )
    pinned = labelled["hotel_id"].isin(
        set(labelled.loc[labelled["label"].isin(rare), "hotel_id"]),
    )
    dealt = labelled[~pinned]
    hotels = dealt["hotel_id"].nunique()
    if hotels < 3:
        raise CatalogError(
            f"{labelled['hotel_id'].nunique()} hotels ({hotels} with common classes only) are too "
            "few to split into train, val and test: at least 3 are needed"
        )
    split = pd.Series(pd.NA, index=catalog.index, dtype="str")
    split[labelled.index] = "train"
    folds = min(_FOLDS, hotels)
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer photos than folds is missing from some folds, as it must be.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = [
            dealt.index[rows]
            for _, rows in dealer.split(dealt, dealt["label"], groups=dealt["hotel_id"])
        ]
    test_folds, val_folds = (
        max(1, round(share * folds)) if share else 0 for share in (test, validation)
    )
    if test_folds + val_folds >= folds:
        raise CatalogError(
            f"{hotels} hotels are too few to keep test={test} and validation={validation} of them "
            "out of training"
        )
    for part in parts[:test_folds]:
        split[part] = "test"
    for part in parts[test_folds : test_folds + val_folds]:
        split[part] = "val"
    result = catalog.copy()
    result["split"] = split
    return result
