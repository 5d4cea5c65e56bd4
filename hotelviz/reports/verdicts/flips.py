"""The photos on which two models differ: those that flipped, and those whose score moved."""

from __future__ import annotations

import pandas as pd

from hotelviz.metrics import Flip
from hotelviz.ranking import orders_by_models
from hotelviz.reports.verdicts.compared import Compared
from hotelviz.reports.wording import counted, in_words


def flipped(compared: Compared) -> pd.DataFrame:
    """Return the photos that flipped, with both probabilities; what became wrong comes first.

    Parameters
    ----------
    compared : Compared
        Of taggers.

    Returns
    -------
    pandas.DataFrame
        The photos of `hotelviz.metrics.Comparison` that flipped, with ``confidence_old`` and
        ``confidence_new`` (of the predicted class), ``fell`` (how much the probability of the true
        class fell) and ``what`` (the flip, with how many there are); in each group those first of
        which the probability of the true class changed most.
    """
    photos = compared.found.photos.dropna(subset="flip")
    for which, side in zip(("old", "new"), compared.sides, strict=False):
        shares = side.table.set_index("image_id")
        photos = photos.assign(**{f"confidence_{which}": [
            float(shares.loc[name, f"p_{predicted}"])
            for name, predicted in zip(photos["image_id"], photos[f"predicted_{which}"],
                                       strict=True)
        ]})  # fmt: skip
    fell = photos["probability_old"] - photos["probability_new"]
    counts = photos["flip"].value_counts()
    order = photos["flip"].map({Flip.WRONG: 0, Flip.RIGHT: 1, Flip.OTHERWISE: 2}.get)
    photos = photos.assign(
        fell=fell, order=order.astype(int), size=fell.abs(),
        what=[f"{flip}: {counted(counts[flip], 'photo')}" for flip in photos["flip"]],
    )  # fmt: skip
    photos = photos.sort_values(["order", "size"], ascending=[True, False], kind="stable")
    return photos.drop(columns=["order", "size"]).reset_index(drop=True)


def flip_caption(row: pd.Series) -> str:
    """Return what both models say of a photo, and how sure they are.

    Examples
    --------
    >>> flip_caption(pd.Series({"label": "Foyer", "predicted_old": "Foyer", "predicted_new": "Bar",
    ...     "confidence_old": 0.8, "confidence_new": 0.5, "probability_old": 0.8,
    ...     "probability_new": 0.4}))
    'true Foyer; old Foyer 0.80; new Bar 0.50 (Foyer 0.40)'
    """
    told = [f"true {in_words(row['label'])}"]
    for which in ("old", "new"):
        predicted = row[f"predicted_{which}"]
        text = f"{which} {in_words(predicted)} {row[f'confidence_{which}']:.2f}"
        if predicted != row["label"]:
            text += f" ({in_words(row['label'])} {row[f'probability_{which}']:.2f})"
        told.append(text)
    return "; ".join(told)


def short_captions(photos: pd.DataFrame) -> list[str]:
    """Return captions for figures: the true class, and what both models say."""
    return [
        f"{in_words(row['label'])}: old {in_words(row['predicted_old'])}, new "
        f"{in_words(row['predicted_new'])}"
        for _, row in photos.iterrows()
    ]


def first_of_each(photos: pd.DataFrame, n_photos: int, by: str) -> pd.DataFrame:
    """Return the first photos of each group, in their order."""
    return photos[photos.groupby(by, sort=False).cumcount() < n_photos]


def moved_scores(compared: Compared, n_photos: int) -> pd.DataFrame:
    """Return the photos whose score moved most, up and down.

    Parameters
    ----------
    compared : Compared
        Of aesthetic models.
    n_photos : int
        Of each.

    Returns
    -------
    pandas.DataFrame
        With ``moved``, new less old, and ``what``; photos whose score is the same are in neither.
    """
    photos = compared.found.photos
    photos = photos.assign(moved=photos["score_new"] - photos["score_old"])
    parts = []
    for what, sign in (("scored higher", 1), ("scored lower", -1)):
        part = photos[sign * photos["moved"] > 0].sort_values(["moved", "image_id"],
                                                              ascending=sign < 0)  # fmt: skip
        parts.append(part.head(n_photos).assign(
            what=f"{what} by the new model: {min(n_photos, len(part)):,} of "
            f"{counted(len(part), 'photo')}"))  # fmt: skip
    return pd.concat(parts)


def moved_caption(row: pd.Series) -> str:
    """Return the scores of both models.

    Examples
    --------
    >>> moved_caption(pd.Series({"score_old": 4.5, "score_new": 5.25, "moved": 0.75}))
    'old 4.500, new 5.250 (+0.750)'
    """
    return f"old {row['score_old']:.3f}, new {row['score_new']:.3f} ({row['moved']:+.3f})"


def changed_covers(compared: Compared) -> dict[str, pd.DataFrame]:
    """Return the hotels whose best photo is another one for the new model, in both orders.

    Parameters
    ----------
    compared : Compared
        Of aesthetic models.

    Returns
    -------
    dict of str to pandas.DataFrame
        Hotel -> its photos as `hotelviz.ranking.orders_by_models` places them; those first whose
        new cover the old model placed lowest.
    """
    found: dict[str, pd.DataFrame] = {}
    photos = compared.found.photos
    if "hotel_id" not in photos:
        return found
    for hotel, own in photos.groupby("hotel_id"):
        if len(own) < 2 or own["score_old"].idxmax() == own["score_new"].idxmax():
            continue
        scores = {
            which: own[["image_id"]].assign(score=own[f"score_{which}"]) for which in ("old", "new")
        }
        found[str(hotel)] = orders_by_models(own[["image_id"]], scores)
    return dict(sorted(found.items(), key=lambda one: -_climbed(one[1])))


def _climbed(orders: pd.DataFrame) -> int:
    first = orders[(orders["order"] == "new") & (orders["rank"] == 1)]
    return int(first["moved"].iloc[0])
