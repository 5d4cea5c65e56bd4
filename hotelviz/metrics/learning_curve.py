"""What more labelled photos would bring: accuracy against the number of hotels learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError
from hotelviz.metrics.agreement import agreement_ceiling
from hotelviz.metrics.hotel_draws import HotelDraws, cleaned_draws, hotel_draws
from hotelviz.metrics.power_law import fit_power_laws, power_law

#: A curve is followed at most so many times beyond what was measured.
MAX_FACTOR = 4.0
#: Of fewer photos a class is hardly learned, and its error does not follow the law yet.
_MIN_PHOTOS = 5
_POINTS = (
    "labels", "label", "metric", "hotels", "photos", "value", "low", "high", "judged", "ceiling",
)  # fmt: skip


class LearningCurve(NamedTuple):
    """How figures grow with the number of hotels that were learned from.

    Attributes
    ----------
    points
        What was measured on hotels that were held out, a row per number of hotels: ``labels``
        (``as is`` or ``cleaned``), ``label`` (a class, empty for all photos), ``metric``
        (``accuracy``, ``recall`` of a class, ``LCC`` of ratings), ``hotels`` and ``photos`` (of
        that class) learned from, on average; ``value``, ``low`` and ``high``; ``judged``, how many
        photos were judged; ``ceiling``, how far labellers agree, missing where it is not known.
    fits
        A power law per curve and resample: ``labels``, ``label``, ``a``, ``b`` and ``c`` of
        1 - value = a + b hotels^-c.
    hotels
        How many hotels there are to learn from.
    level
        Of the intervals.
    left_out
        Class -> why it has no curve.
    """

    points: pd.DataFrame
    fits: pd.DataFrame
    hotels: int
    level: float
    left_out: dict[str, str]

    @property
    def most_hotels(self) -> int:
        """How many hotels the curve may be asked for: four times the most that were measured."""
        return int(MAX_FACTOR * self.points["hotels"].max())

    def at(self, hotels: float | Sequence[float]) -> pd.DataFrame:
        """Return what the fitted curves say of numbers of hotels.

        Parameters
        ----------
        hotels : float or sequence of float
            From 1 to `most_hotels`.

        Returns
        -------
        pandas.DataFrame
            ``labels``, ``label``, ``metric``, ``hotels``, ``value``, ``low`` and ``high``.

        Raises
        ------
        MetricsError
            Numbers of hotels beyond those limits.
        """
        sizes = self._checked(hotels)
        tail = (1 - self.level) / 2
        parts = []
        for (labels, label), laws in self._laws().items():
            values = (1 - power_law(laws, sizes)).clip(0, 1)
            low, value, high = np.nanquantile(values, [tail, 0.5, 1 - tail], axis=0)
            found = pd.DataFrame({"hotels": sizes, "value": value, "low": low, "high": high})
            parts.append(found.assign(labels=labels, label=label))
        return self._with_metric(pd.concat(parts, ignore_index=True))

    def gains(self, factor: float = 2.0) -> pd.DataFrame:
        """Return what `factor` times as many hotels would bring, the largest gain first.

        Parameters
        ----------
        factor : float, default 2
            Above 1, and so that it does not go beyond `most_hotels`.

        Returns
        -------
        pandas.DataFrame
            ``labels``, ``label``, ``metric``, ``photos`` (of that class today), ``value`` (what
            the curve says of all hotels that there are), ``gain``, ``low`` and ``high``. All
            classes grow together: twice the hotels have twice the photos of each.

        Raises
        ------
        MetricsError
            A factor that is not above 1 or goes too far.
        """
        if not factor > 1:
            raise MetricsError(f"factor is {factor}: a gain is that of more hotels, give above 1")
        sizes = self._checked([self.hotels, factor * self.hotels])
        tail = (1 - self.level) / 2
        rows = []
        for (labels, label), laws in self._laws().items():
            now, then = (1 - power_law(laws, sizes).T).clip(0, 1)
            low, gain, high = np.nanquantile(then - now, [tail, 0.5, 1 - tail])
            own = self.points[self.points["labels"].eq(labels) & self.points["label"].eq(label)]
            most = own.sort_values("hotels").iloc[-1]
            rows.append(
                {
                    "labels": labels, "label": label,
                    "photos": round(most["photos"] * self.hotels / most["hotels"]),
                    "value": np.nanmedian(now), "gain": gain, "low": low, "high": high,
                }
            )  # fmt: skip
        table = pd.DataFrame(rows).sort_values("gain", ascending=False, ignore_index=True)
        return self._with_metric(table)

    def _checked(self, hotels: float | Sequence[float]) -> np.ndarray:
        sizes = np.atleast_1d(np.asarray(hotels, dtype=float))
        bad = sizes[~((sizes >= 1) & (sizes <= self.most_hotels))]
        if len(bad):
            raise MetricsError(
                f"the learning curve says nothing of {bad[0]:g} hotels: it was measured up to "
                f"{self.points['hotels'].max():g}, and is followed to {self.most_hotels} at most"
            )
        return sizes

    def _laws(self) -> dict[tuple[str, str], np.ndarray]:
        grouped = self.fits.groupby(["labels", "label"], sort=False)
        return {(str(k[0]), str(k[1])): part[["a", "b", "c"]].to_numpy() for k, part in grouped}

    def _with_metric(self, table: pd.DataFrame) -> pd.DataFrame:
        metric = self.points.drop_duplicates("label").set_index("label")["metric"]
        first = ["labels", "label", "metric"]
        table = table.assign(metric=table["label"].map(metric))
        return table[[*first, *(name for name in table if name not in first)]]


def learning_curve(
    catalog: pd.DataFrame,
    features: np.ndarray,
    *,
    by: Literal["label", "ratings"] = "label",
    judged: Sequence[bool] | pd.Series | np.ndarray | None = None,
    cleaned: pd.DataFrame | None = None,
    ceiling: float | Mapping[str, float] | None = None,
    blocks: Sequence[int] = (),
    n_sizes: int = 6,
    n_draws: int = 3,
    n_bootstrap: int = 300,
    level: float = 0.95,
    seed: int = 0,
) -> LearningCurve:
    """Compute how accuracy grows with the hotels learned from, and what more would bring.

    Hotels are held out in folds. Of the others growing numbers are drawn at random, the linear
    model is fitted to their features, and the held-out photos are judged. A power law is fitted
    to what that gives.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id``, ``hotel_id`` and ``label``, or ``rating_1`` to ``rating_10``. Photos
        without them are not used.
    features : numpy.ndarray
        (n_photos, n_features), of each row of `catalog`: pooled features of a network that has not
        learned from these photos. One that has makes every curve look flat and good.
    by : {"label", "ratings"}, default "label"
        What is learned.
    judged : sequence of bool, optional
        Which photos stand for those that the model is for; by default all. Hotels without any
        are always learned from, and not counted: photos of another collection.
    cleaned : pandas.DataFrame, optional
        The same photos after cleaning: those that are not there were dropped, labels may be others.
        There is a second curve, of learning from these. Both are judged by the cleaned labels of
        the photos that were kept.
    ceiling : float or mapping of str to float, optional
        How far labellers agree, for all photos or by class (empty: all); by default
        `agreement_ceiling` of the catalogue.
    blocks : sequence of int, optional
        How many features, one after the other, are of one level of the network (see
        `hotelviz.models.level_widths`); by default all are of one.
    n_sizes : int, default 6
        Numbers of hotels, from an eighth of those to learn from to all.
    n_draws : int, default 3
        How often hotels are dealt to folds and drawn.
    n_bootstrap : int, default 300
        Resamples of hotels and draws, for the intervals: the law is fitted to each resample, and
        far beyond what was measured it is too crooked a figure for leaving out single hotels.
    level : float, default 0.95
        Of the intervals.
    seed : int, default 0
        Of folds, draws and resamples.

    Returns
    -------
    LearningCurve

    Raises
    ------
    MetricsError
        Fewer than six hotels with photos to judge, features that are not finite or not of these
        photos, fewer than two classes, or a cleaned catalogue of other photos.

    Notes
    -----
    The law is that of the error, a + b n^-c. It says nothing of hotels of another kind, of other
    networks, and of more than four times the hotels that were measured.

    References
    ----------
    Hestness et al.: Deep learning scaling is predictable, empirically, 2017, arXiv 1712.00409.
    Viering and Loog: The shape of learning curves: a review, IEEE TPAMI 2023, arXiv 2103.10948.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> photos = pd.DataFrame({"image_id": range(120), "hotel_id": np.arange(120) // 5,
    ...                        "label": random.choice(["Pool", "Foyer"], 120)})
    >>> features = random.normal(size=(120, 8))
    >>> features[photos["label"] == "Pool"] += 0.5
    >>> curve = learning_curve(photos, features, n_draws=1, n_bootstrap=50)
    >>> curve.points.loc[curve.points["label"] == "", "hotels"].tolist()
    [2, 4, 5, 8, 13, 19]
    """
    draws = hotel_draws(catalog, features, by=by, judged=judged, n_sizes=n_sizes)
    variants = {"as is": draws} if cleaned is None else cleaned_draws(draws, cleaned)
    agreed = agreement_ceiling(catalog, by=by) if ceiling is None else ceiling
    ceilings = agreed if isinstance(agreed, Mapping) else {"": float(agreed)}
    points, fits = [], []
    for name, one in variants.items():
        predicted = one.predictions(n_draws, seed, blocks)
        for label in one.labels():
            values = _resampled(one, predicted, label, n_bootstrap, seed)
            low, high = np.nanquantile(values[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
            points.append(one.counts(label).assign(
                labels=name, value=values[0], low=low, high=high,
                ceiling=ceilings.get(label, np.nan),
            ))  # fmt: skip
            laws = _laws(points[-1], 1 - values[1:])
            fits.append(
                pd.DataFrame(laws, columns=["a", "b", "c"]).assign(labels=name, label=label)
            )
    return LearningCurve(
        pd.concat(points, ignore_index=True)[list(_POINTS)],
        pd.concat(fits, ignore_index=True)[["labels", "label", "a", "b", "c"]],
        draws.n_hotels, level, variants["as is"].left_out,
    )  # fmt: skip


def _laws(points: pd.DataFrame, errors: np.ndarray) -> np.ndarray:
    """Fit a power law to each resample, from where a class has begun to be learned."""
    enough = np.array(points["photos"] >= _MIN_PHOTOS)
    enough[-3:] = True
    sizes = points["hotels"].to_numpy()[enough]
    # Twice the hotels, half the variance of what their choice does.
    return fit_power_laws(sizes, errors[:, enough], sizes)


def _resampled(
    draws: HotelDraws, predicted: np.ndarray, label: str, n_bootstrap: int, seed: int
) -> np.ndarray:
    """Return the figure (n_bootstrap + 1, n_sizes): as it is, and of resampled hotels and draws."""
    rows = draws.judged(label)
    n_draws, n_sizes = predicted.shape[:2]
    random = np.random.default_rng([seed, 1])
    # The hotels of a resample are the same for all sizes and classes; the draws are not.
    weights = random.multinomial(
        draws.n_hotels, np.full(draws.n_hotels, 1 / draws.n_hotels), n_bootstrap
    )
    weights = np.vstack([np.ones(draws.n_hotels), weights])
    chosen = random.multinomial(n_draws, np.full(n_draws, 1 / n_draws), (n_bootstrap, n_sizes))
    chosen = np.concatenate([np.ones((1, n_sizes, n_draws)), chosen]) / n_draws
    hotel = draws.photos["hotel"].to_numpy()[rows]
    truth = draws.photos["truth"].to_numpy()[rows]

    def sums(values: np.ndarray) -> np.ndarray:
        """Return for each resample the sum over its photos."""
        flat = values.reshape(-1, len(rows))
        per_hotel = np.array([np.bincount(hotel, one, draws.n_hotels) for one in flat])
        summed: np.ndarray = weights @ per_hotel.T
        return summed.reshape(-1, *values.shape[:-1])

    number = sums(np.ones(len(rows)))[:, None, None]
    one = predicted[:, :, rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        if draws.classes:
            figures = sums(one) / number
        else:
            truth = truth.astype(float) - truth.astype(float).mean()
            one = one - one.mean(axis=2, keepdims=True)
            first, second = sums(truth)[:, None, None] / number, sums(one) / number
            both = sums(one * truth) / number - first * second
            spread = sums(truth**2)[:, None, None] / number - first**2
            figures = both / np.sqrt(spread * (sums(one**2) / number - second**2))
    return np.asarray((figures.transpose(0, 2, 1) * chosen).sum(axis=2))
