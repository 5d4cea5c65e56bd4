"""Properties that give the label away: what a model could learn instead of the areas themselves.

All pools are bright, all bathrooms come from one source: a network that sees this needs to look no
further, and fails on the first dark pool. It is seen before any training, from how often photos of
a class and all others have a property.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.embeddings import photo_properties, property_groups
from hotelviz.errors import AuditError

#: Photos and hotels that a class needs to be judged.
_PHOTOS, _HOTELS = 20, 5
_COLUMNS = [
    "label", "property", "n_photos", "n_hotels", "share", "share_others", "separation", "low",
]  # fmt: skip


def find_shortcuts(
    catalog: pd.DataFrame,
    measured: pd.DataFrame | None = None,
    *,
    least: float = 0.3,
    level: float = 0.05,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Find properties that nearly all photos of a class have, and few others.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id`` and ``label``, and of ``hotel_id``, ``source`` and ``position`` what there
        is.
    measured : pandas.DataFrame, optional
        The ``photos`` of `hotelviz.embeddings.compute_image_properties`.
    least : float, default 0.3
        What the separation has to be at the least, with its uncertainty: at 0 a property says
        nothing, at 1 it names the class.
    level : float, default 0.05
        How often any of all pairs of class and property may be told by chance.
    n_bootstrap : int, default 500
        Number of resamples of the hotels: the bound holds for all pairs together by the largest
        of their deviations in each resample, which leaving out single hotels does not give.
    seed : int, default 0
        Of the resampling.

    Returns
    -------
    pandas.DataFrame
        A row per class and property, the most telling first: ``label``, ``property`` (in words),
        ``n_photos`` and ``n_hotels`` of the class, ``share`` of them that has it, ``share_others``
        of all others, ``separation`` (their difference), and ``low``, its lower bound over hotels,
        which holds for all pairs of class and property together.

    Raises
    ------
    AuditError
        No photo has a label, or `least` is not between 0 and 1.

    See Also
    --------
    hotelviz.embeddings.find_slices : where a model that was trained errs.

    Notes
    -----
    The bounds are simultaneous: each is as many standard errors below its separation as the largest
    of all is above its own in all but a share `level` of the resamples. Classes of fewer than 20
    photos or 5 hotels are not judged.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": [str(number) for number in range(200)],
    ...                        "hotel_id": [str(number // 4) for number in range(200)],
    ...                        "label": ["Pool", "Foyer"] * 100, "source": ["web", "own"] * 100})
    >>> find_shortcuts(photos)[["label", "property", "separation"]].values.tolist()
    [['Foyer', 'source own', 1.0], ['Pool', 'source web', 1.0]]
    """
    if not 0 < least < 1:
        raise AuditError(f"find_shortcuts: least must be between 0 and 1, not {least}")
    catalog = check_table(catalog, needs=["image_id", "hotel_id", "label"], where="find_shortcuts")
    own = catalog[catalog["label"].notna()].reset_index(drop=True)
    if own.empty:
        raise AuditError("find_shortcuts: no photo has a label")
    groups = property_groups(photo_properties(own, measured))
    hotels = own.groupby("label")["hotel_id"].agg(["size", "nunique"])
    enough = hotels[(hotels["size"] >= _PHOTOS) & (hotels["nunique"] >= _HOTELS)]
    if not groups or len(hotels) < 2 or enough.empty:
        return pd.DataFrame(columns=_COLUMNS)
    members = np.array([group.members for group in groups], dtype="float32").T
    share, others, error, worst = _separations(
        own, list(enough.index), members, level=level, n_bootstrap=n_bootstrap, seed=seed
    )
    low = share - others - worst * error
    rows: dict[tuple[str, str, str], dict[str, object]] = {}
    for row, column in zip(*np.nonzero(low >= least), strict=True):
        group, name = groups[column], str(enough.index[row])
        key = (name, group.name, group.side)
        if key in rows and low[row, column] <= float(str(rows[key]["low"])):
            continue
        rows[key] = dict(zip(_COLUMNS, (
            name, group.words, int(enough["size"].iloc[row]), int(enough["nunique"].iloc[row]),
            float(share[row, column]), float(others[row, column]),
            float(share[row, column] - others[row, column]), float(low[row, column]),
        ), strict=True))  # fmt: skip
    table = pd.DataFrame([*rows.values()], columns=_COLUMNS)
    return table.sort_values("low", ascending=False, kind="stable", ignore_index=True)


def _separations(
    photos: pd.DataFrame,
    classes: list[str],
    members: np.ndarray,
    *,
    level: float,
    n_bootstrap: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return shares in classes and beside them, standard errors, and how many of these to allow."""
    hotel = pd.factorize(photos["hotel_id"])[0]
    n_hotels, n_groups = int(hotel.max()) + 1, members.shape[1]
    of_class = np.array([(photos["label"] == name).to_numpy() for name in classes]).T
    # By hotel: photos of each class, and of them those with each property.
    sizes = _by_hotel(hotel, n_hotels, of_class.astype("float32"))
    both = np.hstack([_by_hotel(hotel[own], n_hotels, members[own]) for own in of_class.T])
    totals = _by_hotel(hotel, n_hotels, np.column_stack([members, np.ones(len(members))]))
    random = np.random.default_rng(seed)
    drawn = random.multinomial(n_hotels, np.full(n_hotels, 1 / n_hotels), n_bootstrap)
    weights = np.vstack([np.ones(n_hotels), drawn]).astype("float32")
    inside = (weights @ both).reshape(-1, len(classes), n_groups)
    n_inside = (weights @ sizes)[:, :, None]
    every = weights @ totals
    n_beside = every[:, None, -1:] - n_inside
    share = inside / np.maximum(n_inside, 1)
    others = (every[:, None, :-1] - inside) / np.maximum(n_beside, 1)
    separation = share - others
    # A share of none or all has no spread; a hotel more with it and one without give it some.
    n_own = (sizes > 0).sum(axis=0)[:, None]
    smooth = (share[0] * n_own + 1) / (n_own + 2)
    error = np.maximum(separation[1:].std(axis=0), np.sqrt(smooth * (1 - smooth) / n_own))
    largest = ((separation[1:] - separation[0]) / error).max(axis=(1, 2))
    return share[0], others[0], error, float(np.quantile(largest, 1 - level))


def _by_hotel(hotel: np.ndarray, n_hotels: int, values: np.ndarray) -> np.ndarray:
    """Return the sums of each hotel's rows."""
    sums = np.zeros((n_hotels, values.shape[1]), "float32")
    np.add.at(sums, hotel, values)
    return sums
