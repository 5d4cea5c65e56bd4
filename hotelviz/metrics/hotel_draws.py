"""Growing numbers of hotels, drawn at random and learned from; the others are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import as_shares, check_table, class_shares, mean_and_std
from hotelviz.errors import MetricsError, check_choice
from hotelviz.schema import RATINGS

#: With fewer hotels there are not three sizes to fit a curve to, with some hotels left to judge.
MIN_HOTELS = 6
#: A class of fewer hotels has no curve: of two one teaches and one judges, which is one size.
_MIN_HOTELS_OF_CLASS = 3
_FOLDS = 5
#: What the penalty is chosen from, once, by all hotels.
_PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


class HotelDraws(NamedTuple):
    """Photos to learn from and to judge, and how many hotels are drawn of them.

    Attributes
    ----------
    photos
        The photos with a label or ratings, by number: ``image_id``; ``group``, its hotel;
        ``hotel``, the number of that, -1 where it is always learned from; ``taught``, whether it
        may be learned from; ``judged``; ``learned`` and ``truth``, the class or the mean rating
        that it is learned as, and judged by.
    features, targets
        Of these photos.
    classes
        In the order of the targets; none of ratings.
    sizes
        How many hotels are drawn.
    left_out
        Class -> why it has no curve.
    """

    photos: pd.DataFrame
    features: np.ndarray
    targets: np.ndarray
    classes: list[str]
    sizes: np.ndarray
    left_out: dict[str, str]

    @property
    def n_hotels(self) -> int:
        """How many hotels there are to draw from."""
        return int(self.photos["hotel"].max()) + 1

    def labels(self) -> list[str]:
        """Return what has a curve: all photos (empty), and the classes of enough hotels."""
        return ["", *(name for name in self.classes if name not in self.left_out)]

    def judged(self, label: str) -> np.ndarray:
        """Return the numbers of the judged photos, of all classes or of one."""
        wanted = self.photos["judged"] & (self.photos["truth"].eq(label) if label else True)
        return np.flatnonzero(wanted)

    def counts(self, label: str) -> pd.DataFrame:
        """Return a row per size: how many hotels, and photos of a class, are learned from."""
        own = (self.photos["taught"] & self.photos["hotel"].ge(0)).to_numpy()
        if label:
            own = own & self.photos["learned"].eq(label).to_numpy()
        metric = ("recall" if label else "accuracy") if self.classes else "LCC"
        photos = own.sum() * self.sizes / self.n_hotels
        return pd.DataFrame({"metric": metric, "hotels": self.sizes, "photos": photos}).assign(
            label=label, judged=len(self.judged(label))
        )

    def predictions(self, n_draws: int, seed: int, blocks: Sequence[int] = ()) -> np.ndarray:
        """Learn from each draw and predict the photos of other hotels.

        Parameters
        ----------
        n_draws, seed
            How often hotels are dealt and drawn, and by what.
        blocks
            Of the features, see `hotelviz.metrics.linear_head.fit_linear_head`.

        Returns
        -------
        numpy.ndarray
            (n_draws, n_sizes, n_photos): 1 where the class is right and else 0, or the mean score;
            NaN of photos that are not judged. A draw holds the smaller ones of its fold.
        """
        # Imported where it is needed: metrics are read without anything that learns.
        from hotelviz.metrics.linear_head import fit_linear_head

        group, hotel, taught, judged = (
            self.photos[name].to_numpy() for name in ("group", "hotel", "taught", "judged")
        )
        chosen = fit_linear_head(
            self.features[taught], self.targets[taught], groups=group[taught],
            penalties=_PENALTIES, n_folds=3, ordered=not self.classes, blocks=blocks,
        )  # fmt: skip
        found = np.full((n_draws, len(self.sizes), len(self.photos)), np.nan)
        for draw in range(n_draws):
            random = np.random.default_rng([seed, draw])
            order = random.permutation(self.n_hotels)
            for held_out in np.array_split(order, n_folds(self.n_hotels)):
                others = random.permutation(np.setdiff1d(order, held_out))
                tested = np.flatnonzero(judged & np.isin(hotel, held_out))
                for number, size in enumerate(self.sizes):
                    learned = np.flatnonzero(taught & np.isin(hotel, [-1, *others[:size]]))
                    if not len(learned):
                        continue
                    # The same prior at every size: the more photos, the less it weighs.
                    penalty = chosen.penalty * taught.sum() / len(learned)
                    head = fit_linear_head(
                        self.features[learned], self.targets[learned], penalties=[penalty],
                        ordered=not self.classes, blocks=blocks,
                    )  # fmt: skip
                    shares = head.predict(self.features[tested])
                    found[draw, number, tested] = self._answers(shares, tested)
        return found

    def _answers(self, shares: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if not self.classes:
            return mean_and_std(shares)[0]
        predicted = np.asarray(self.classes, dtype=object)[shares.argmax(axis=1)]
        return np.asarray(predicted == self.photos["truth"].to_numpy()[rows], dtype=float)


def n_folds(n_hotels: int) -> int:
    """Return how many parts hotels are dealt to: one is judged, the others are learned from."""
    return min(_FOLDS, n_hotels // 2)


def hotel_draws(
    catalog: pd.DataFrame,
    features: np.ndarray,
    *,
    by: Literal["label", "ratings"],
    judged: Sequence[bool] | pd.Series | np.ndarray | None,
    n_sizes: int,
) -> HotelDraws:
    """Check photos and their features, and return what is drawn of them.

    Parameters and errors are those of `hotelviz.metrics.learning_curve`.
    """
    check_choice(by, ("label", "ratings"), "by", MetricsError)
    catalog = check_table(catalog, needs=["image_id", "hotel_id"], where="learning_curve")
    catalog = catalog.reset_index(drop=True)
    wanted = np.ones(len(catalog), bool) if judged is None else np.asarray(judged, dtype=bool)
    _check_rows(catalog, features, wanted)
    truth, known = _truth(catalog, by)
    _check_finite(catalog["image_id"], features, known)
    photos = catalog.loc[known, ["image_id"]].assign(
        learned=truth, truth=truth, judged=wanted[known], taught=True,
        group=pd.factorize(catalog.loc[known, "hotel_id"])[0],
    )  # fmt: skip
    names = photos.loc[photos["judged"], "group"].unique()
    if len(names) < MIN_HOTELS:
        raise MetricsError(
            f"a learning curve needs photos with {'a label' if by == 'label' else 'ratings'} of at "
            f"least {MIN_HOTELS} hotels, some to learn from and others to judge; there are "
            f"{len(names)}: label photos of more hotels, or see that hotel_id names them"
        )
    photos["hotel"] = photos["group"].map(dict(zip(names, range(len(names)), strict=True)))
    photos = photos.fillna({"hotel": -1}).astype({"hotel": int}).reset_index(drop=True)
    classes = sorted(photos["truth"].unique()) if by == "label" else []
    if len(classes) == 1:
        raise MetricsError(
            f"all photos are labelled {classes[0]!r}: there is nothing to tell apart"
        )
    n_learned = len(names) - -(-len(names) // n_folds(len(names)))
    sizes = np.geomspace(max(2.0, n_learned / 8), n_learned, max(n_sizes, 3)).round()
    return HotelDraws(
        photos, np.asarray(features, "float32")[known], _targets(catalog[known], by, classes),
        classes, np.unique(sizes.astype(int)), _few_hotels(photos, classes),
    )  # fmt: skip


def cleaned_draws(draws: HotelDraws, cleaned: pd.DataFrame) -> dict[str, HotelDraws]:
    """Return the draws of the photos as they are and cleaned, judged alike: by the cleaned truth.

    Parameters
    ----------
    draws : HotelDraws
        Of the photos as they are.
    cleaned : pandas.DataFrame
        Those of them that were kept, with the labels or ratings that they have now.

    Raises
    ------
    MetricsError
        It has photos that the other catalogue does not have, or no longer enough hotels.
    """
    by: Literal["label", "ratings"] = "label" if draws.classes else "ratings"
    cleaned = check_table(cleaned, where="learning_curve, cleaned").reset_index(drop=True)
    truth, known = _truth(cleaned, by)
    cleaned = cleaned[known].assign(truth=truth)
    place = dict(zip(draws.photos["image_id"], draws.photos.index, strict=True))
    found = cleaned["image_id"].map(place)
    if found.isna().any():
        raise MetricsError(
            f"cleaned has {found.isna().sum()} photos that are not among the labelled ones of the "
            f"catalogue, first {cleaned['image_id'][found.isna()].iloc[0]!r}: give the same photos "
            "without those that were dropped"
        )
    rows = found.to_numpy(dtype=int)
    kept = np.isin(draws.photos.index, rows)
    photos = draws.photos.assign(judged=draws.photos["judged"] & kept)
    photos.loc[rows, "truth"] = cleaned["truth"].to_numpy()
    if new := sorted(set(cleaned["truth"]) - set(draws.classes)) if draws.classes else []:
        raise MetricsError(f"cleaned has the class {new[0]!r}, which the catalogue does not have")
    if photos.loc[photos["judged"], "hotel"].nunique() < MIN_HOTELS:
        raise MetricsError(f"cleaned has photos of fewer than {MIN_HOTELS} hotels to judge")
    targets = draws.targets.copy()
    targets[rows] = _targets(cleaned, by, draws.classes)
    few = _few_hotels(photos, draws.classes)
    corrected = photos.assign(taught=kept, learned=photos["truth"])
    return {
        "as is": draws._replace(photos=photos, left_out=few),
        "cleaned": draws._replace(photos=corrected, targets=targets, left_out=few),
    }


def _truth(catalog: pd.DataFrame, by: str) -> tuple[np.ndarray, np.ndarray]:
    """Return class or mean rating of the photos that have one, and which these are."""
    if by == "label":
        labels = check_table(catalog, needs=["label"], where="learning_curve")["label"]
        return labels.dropna().to_numpy(dtype=object), labels.notna().to_numpy()
    shares = as_shares(catalog)
    known = np.isfinite(shares).all(axis=1)
    return mean_and_std(shares[known])[0], known


def _targets(catalog: pd.DataFrame, by: str, classes: list[str]) -> np.ndarray:
    if by == "ratings":
        return np.asarray(as_shares(catalog[list(RATINGS)]), dtype="float32")
    return class_shares(catalog, classes).astype("float32")


def _few_hotels(photos: pd.DataFrame, classes: list[str]) -> dict[str, str]:
    """Return the classes whose hotels are too few to learn from some and judge others."""
    found, judged = {}, photos[photos["judged"]]
    for name in classes:
        own = judged[judged["truth"] == name]
        if (number := own["hotel"].nunique()) < _MIN_HOTELS_OF_CLASS:
            found[name] = (
                f"its {len(own)} photos are of {number} hotel{'' if number == 1 else 's'}: how it "
                f"looks in others is not known; a curve needs {_MIN_HOTELS_OF_CLASS}"
            )
    return found


def _check_rows(catalog: pd.DataFrame, features: np.ndarray, judged: np.ndarray) -> None:
    if np.ndim(features) != 2 or len(features) != len(catalog):
        raise MetricsError(
            f"features have the shape {np.shape(features)}, but there are {len(catalog)} photos: "
            "a row of features for each is needed"
        )
    if len(judged) != len(catalog):
        raise MetricsError(f"judged says it of {len(judged)} photos, and there are {len(catalog)}")


def _check_finite(names: pd.Series, features: np.ndarray, known: np.ndarray) -> None:
    bad = known & ~np.isfinite(np.asarray(features, dtype=float)).all(axis=1)
    if bad.any():
        raise MetricsError(
            f"the features of {bad.sum()} of {known.sum()} photos are not finite, first of "
            f"{names[bad].iloc[0]!r}: leave photos that cannot be read out, and say so"
        )
