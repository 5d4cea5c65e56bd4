"""Splits: whole hotels go to train, val or test."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pandas as pd

from hotelviz.catalog.columns import columns_by_hand
from hotelviz.catalog.ratings import rating_summary
from hotelviz.catalog.validation import check_table
from hotelviz.errors import CatalogError
from hotelviz.schema import RATINGS, SPLITS

#: Folds among which hotels are dealt; a split is a number of whole folds, so 0.05 is its grain.
_FOLDS = 20
#: A file that this share of the hotels shows, and no fewer than 3, is a placeholder.
_PLACEHOLDER = 0.05


def split_catalog(
    catalog: pd.DataFrame,
    *,
    test: float = 0.25,
    validation: float = 0.1,
    seed: int = 0,
    by: Literal["label", "ratings"] | None = None,
    unsplit: Literal["refuse", "deal", "leave"] = "refuse",
    groups: pd.Series | None = None,
) -> pd.DataFrame:
    """Return a catalogue with whole hotels in train, val and test, and like shares of each class.

    The photos of a hotel stay together: they look alike, and a model that has seen one of them
    is not tested by the others. Neither are hotels that show the same file or photos of one of
    `groups`, but for files that so many hotels show that they must be placeholders. Hotels are
    dealt by scikit-learn's ``StratifiedGroupKFold``. A class that fewer than three hotels have is
    kept for training, with a warning, since a model cannot be tested on a class that it never saw.

    Parameters
    ----------
    catalog
        With ``hotel_id`` and ``label``, or ratings where there are no labels: then the shares of
        each score, rounded, are alike. One that has ``split`` already keeps it.
    test, validation
        Shares of the photos, 0 to 1; met within the size of a hotel.
    seed
        For another deal.
    by
        What is learned: ``label`` or ``ratings``; by default labels where there are any.
    unsplit
        What becomes of photos to learn from that have no split, in a catalogue in which others
        have one: ``refuse`` them, ``deal`` their hotels (photos of a hotel that is in a split join
        it) or ``leave`` them out of every split.
    groups
        A value per row of `catalog`, the same for photos that are alike, such as the groups of
        duplicates that an audit found; missing for all others.

    Returns
    -------
    pandas.DataFrame
        A copy with the column ``split``; photos without a label (without ratings) have none.

    Raises
    ------
    CatalogError
        A split that is not ``train``, ``val`` or ``test``; no labels, too few hotels, or shares
        that leave nothing to train on; a hotel in two splits; or photos that have none where
        `unsplit` does not say what becomes of them.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": range(80), "label": ["Pool", "Bedroom"] * 40,
    ...                        "hotel_id": [f"h{i // 2}" for i in range(80)]})
    >>> split_catalog(photos)["split"].value_counts().to_dict()
    {'train': 52, 'test': 20, 'val': 8}
    """
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise CatalogError(
            f"test={test} and validation={validation} must be shares from 0 that leave some photos "
            "to train on"
        )
    if unsplit not in {"refuse", "deal", "leave"}:
        raise CatalogError(f"unsplit={unsplit!r} is not refuse, deal or leave")
    catalog = check_splits(catalog, where="split_catalog")
    result = check_table(catalog, needs=["hotel_id"], where="split_catalog").copy()
    targets = _targets(result, by)
    together = _together(result, groups)
    given = result["split"] if "split" in result else pd.Series(pd.NA, result.index, dtype="str")
    split = given.to_numpy(dtype=object, copy=True)
    _refuse_torn(result, split, together)
    if given.notna().any():
        rows = _without_split(result, split, targets, unsplit)
        if unsplit != "deal" or not len(rows):
            return result
        # Photos of a hotel that is in a split join it.
        known = pd.Series(split).groupby(together).first()
        split[rows] = pd.Series(together[rows]).map(known).to_numpy(dtype=object)
        rows = rows[pd.isna(split[rows])]
    else:
        rows = np.flatnonzero(targets.notna())
    if len(rows):
        photos = pd.DataFrame({"target": targets.to_numpy(), "hotel": together})
        rare = _rare_classes(photos)
        others = bool(given.notna().any())
        split[rows] = _deal(photos.iloc[rows], rare, test, validation, seed, others=others)
    result["split"] = pd.Series(split, result.index, dtype="str")
    return result


def check_splits(catalog: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Return a table whose labels and splits are read as `read_catalog` reads them.

    Parameters
    ----------
    catalog
        With ``label`` and ``split`` where there are any.
    where
        The function that was called, for errors.

    Returns
    -------
    pandas.DataFrame
        `catalog`, or a copy in which empty texts are missing and have no spaces around them.

    Raises
    ------
    CatalogError
        A split that is not ``train``, ``val`` or ``test``.

    Examples
    --------
    >>> check_splits(pd.DataFrame({"split": ["Test", ""]}), where="split_catalog")
    Traceback (most recent call last):
    hotelviz.errors.CatalogError: split_catalog, row 0, column 'split': 'Test' is not one of ...
    """
    given = [column for column in ("label", "split") if column in catalog]
    catalog = check_table(catalog, needs=given, where=where)
    if "split" in given:
        columns_by_hand(catalog, where).choice("split", SPLITS, "splits")
    return catalog


def _targets(catalog: pd.DataFrame, by: str | None) -> pd.Series:
    """Return what is alike in all splits, as text; missing for photos that nobody learns from."""
    if by != "ratings" and "label" in catalog and catalog["label"].notna().any():
        return catalog["label"].astype("str")
    if by != "label" and RATINGS[0] in catalog and catalog[RATINGS[0]].notna().any():
        rated = catalog[catalog[RATINGS[0]].notna()]
        scores = rating_summary(rated)["rated_mean"].round().astype("str")
        return scores.set_axis(rated.index).reindex(catalog.index)
    wanted = {"label": "labels", "ratings": "ratings"}.get(str(by), "labels nor ratings")
    raise CatalogError(
        f"the catalogue has {'neither' if by is None else 'no'} {wanted}: a split needs the column "
        "'label', or 'rating_1' to 'rating_10'"
    )


def _together(catalog: pd.DataFrame, groups: pd.Series | None) -> np.ndarray:
    """Return for each photo its group, which stays in one split: the first of the joined hotels."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hotels, names = pd.factorize(catalog["hotel_id"], sort=True)
    ties = [catalog["path"]] if "path" in catalog else []
    if groups is not None:
        if len(groups) != len(catalog):
            raise CatalogError(f"groups has {len(groups):,} values for {len(catalog):,} photos")
        ties.append(groups)
    edges = [np.empty((0, 2), dtype=int)]
    limit = max(3, _PLACEHOLDER * len(names))
    for tie in ties:
        keys, _ = pd.factorize(np.asarray(tie, dtype=object))
        pairs = pd.DataFrame({"key": keys, "hotel": hotels})[keys >= 0].drop_duplicates()
        shown = pairs.groupby("key")["hotel"].transform("size")
        pairs = pairs[(shown > 1) & (shown < limit)]
        first = pairs.groupby("key")["hotel"].transform("min")
        edges.append(np.column_stack([pairs["hotel"], first]))
    joined = np.concatenate(edges).T
    graph = coo_array((np.ones(joined.shape[1]), tuple(joined)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    _, firsts = np.unique(component, return_index=True)
    result: np.ndarray = np.asarray(names, dtype=object)[firsts[component]][hotels]
    return result


def _refuse_torn(catalog: pd.DataFrame, split: np.ndarray, together: np.ndarray) -> None:
    table = pd.DataFrame({"together": together, "split": split}).dropna().drop_duplicates()
    torn = table[table["together"].duplicated(keep=False)].groupby("together", sort=False)["split"]
    if not torn.ngroups:
        return
    name, splits = next(iter(torn))
    hotels = catalog.loc[together == name, "hotel_id"].unique()
    which = f"hotel {name!r} is"
    if len(hotels) > 1:
        which = f"hotels {', '.join(map(repr, hotels[:3]))}, which show the same photo, are"
    given = " and ".join(sorted(splits))
    more = f", and {torn.ngroups - 1:,} more likewise" if torn.ngroups > 1 else ""
    raise CatalogError(
        f"column 'split': {which} in {given}{more}: a model would be tested on what it learned "
        "from. Give all photos of a hotel the same split, or remove the column 'split'"
    )


def _without_split(
    catalog: pd.DataFrame, split: np.ndarray, targets: pd.Series, unsplit: str
) -> np.ndarray:
    """Return photos to learn from that have no split; refuse them where `unsplit` says so."""
    rows = np.flatnonzero(targets.notna().to_numpy() & pd.isna(split))
    if len(rows) and unsplit == "refuse":
        hotels = catalog["hotel_id"].iloc[rows].unique()
        raise CatalogError(
            f"column 'split': is empty for {len(rows):,} of {targets.notna().sum():,} photos to "
            f"learn from, of {len(hotels):,} hotels such as {hotels[0]!r}. unsplit='deal' "
            "(--unsplit deal) deals these and keeps the others' splits, unsplit='leave' "
            "(--unsplit leave) leaves them out"
        )
    return rows


def _rare_classes(photos: pd.DataFrame) -> list[str]:
    """Return the classes that fewer than three hotels have, of all that are in a split or dealt."""
    hotels_of = photos.groupby("target")["hotel"].nunique()
    return list(hotels_of.index[hotels_of < 3])


def _deal(
    photos: pd.DataFrame,
    rare: list[str],
    test: float,
    validation: float,
    seed: int,
    *,
    others: bool,
) -> np.ndarray:
    """Return the split of each photo; with `others` in splits, too few hotels are trained on."""
    from sklearn.model_selection import StratifiedGroupKFold

    table = photos.reset_index(drop=True)
    known = table["hotel"].nunique()
    rare = sorted(set(rare) & set(table["target"]))
    if (known >= 3 or others) and rare:
        warnings.warn(
            f"fewer than 3 hotels have {', '.join(rare)}: kept for training, not tested",
            stacklevel=3,
        )
    pinned = table["hotel"].isin(table.loc[table["target"].isin(rare), "hotel"])
    dealt = table[~pinned]
    hotels = dealt["hotel"].nunique()
    # With more folds than the largest class has photos, none could be alike.
    folds = min(_FOLDS, hotels, int(dealt["target"].value_counts().max())) if hotels >= 3 else 0
    test_folds, val_folds = (
        max(1, round(share * folds)) if share else 0 for share in (test, validation)
    )
    split = np.full(len(table), "train", dtype=object)
    if test_folds + val_folds >= folds and others:
        return split
    if hotels < 3:
        raise CatalogError(
            f"{known} hotels ({hotels} with common classes only) are too "
            "few to split into train, val and test: at least 3 are needed"
        )
    if test_folds + val_folds >= folds:
        raise CatalogError(
            f"{hotels} hotels, and {folds} photos of the largest class at most, are too few to "
            f"keep test={test} and validation={validation} of them out of training"
        )
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer photos than folds is missing from some folds, as it must be.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = list(dealer.split(dealt, dealt["target"], groups=dealt["hotel"]))
    for number, (_, rows) in enumerate(parts[: test_folds + val_folds]):
        split[dealt.index[rows]] = "test" if number < test_folds else "val"
    return split
