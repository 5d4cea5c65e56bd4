"""What more labelled photos would bring: measured beside a training, and said on its page."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels
from hotelviz.reports.verdict import NextStep
from hotelviz.reports.wording import counted, in_words
from hotelviz.schema import RATINGS

if TYPE_CHECKING:
    import keras

    from hotelviz.metrics import LearningCurve

#: With fewer hotels intervals are so wide that a page is better without.
FEWEST_HOTELS = 12
#: A gain is worth a next step from here on, at the lower bound of its interval.
_WORTH = 0.01
#: Where the pages show the curve.
LINK = "#What-more-photos-would-bring"


class Growth(NamedTuple):
    """A learning curve, or why there is none.

    Attributes
    ----------
    curve
        None where there is none.
    said
        How it was measured, or why it was not.
    """

    curve: LearningCurve | None
    said: str


def measure_growth(
    photos: pd.DataFrame,
    network: keras.Model | None,
    *,
    by: Literal["label", "ratings"] = "label",
    max_photos: int = 3000,
    seed: int = 0,
) -> Growth:
    """Measure the learning curve of a training's photos, test photos left out.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``split``, ``hotel_id``, ``path``, and ``label`` or ratings.
    network : keras.Model or None
        What the training started from, which gives the features; None for random weights.
    by : {"label", "ratings"}, default "label"
        What is learned.
    max_photos : int, default 3000
        Whole hotels are drawn up to so many photos; 0 for no curve.
    seed : int, default 0
        Of all draws.

    Returns
    -------
    Growth
        Without a curve where hotels are not known or fewer than twelve, or where the network has
        seen them: of photos that it has learned from it says nothing of others.

    Examples
    --------
    >>> few = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "split": "train",
    ...                     "label": ["Pool", "Foyer"]})
    >>> measure_growth(few, None).said
    'There is no learning curve: the network began with random weights, which see nothing yet.'
    """
    known = photos["label" if by == "label" else RATINGS[0]].notna()
    learned = photos[known & photos["split"].isin(["train", "val"])]
    if why := _none_because(learned, network, by, max_photos):
        return Growth(None, f"There is no learning curve: {why}.")
    from hotelviz.embeddings import compute_image_properties
    from hotelviz.metrics import learning_curve
    from hotelviz.models import level_widths

    drawn = _whole_hotels(learned, max_photos, seed)
    found = compute_image_properties(drawn, model=network, progress=False)
    features = np.asarray(found.features)
    readable = np.isfinite(features).all(axis=1)
    # Fewer sizes and draws than by default, for time: intervals are those of the judged hotels.
    curve = learning_curve(
        drawn[readable], features[readable], by=by, n_sizes=5, n_draws=2, seed=seed,
        blocks=level_widths(network),
    )  # fmt: skip
    of = f" of {len(learned):,}" if len(drawn) < len(learned) else ""
    lost = f"; {counted(int((~readable).sum()), 'photo')} could not be read" * (not readable.all())
    return Growth(curve, f"Measured on {len(drawn):,}{of} photos of {curve.hotels:,} hotels{lost}.")


def _none_because(
    learned: pd.DataFrame, network: keras.Model | None, by: str, max_photos: int
) -> str:
    """Return why there is no curve; empty where there can be one."""
    if not max_photos:
        return "none was asked for"
    if network is None:
        return "the network began with random weights, which see nothing yet"
    if not knows_hotels(learned):
        return "the catalogue does not say which hotels the photos are of (column hotel_id)"
    if (hotels := learned["hotel_id"].nunique()) < FEWEST_HOTELS:
        return f"it needs photos of {FEWEST_HOTELS} hotels, and there are {hotels}"
    if by == "label" and learned["label"].nunique() < 2:
        return "there is one class only"
    from hotelviz.models import model_info, seen_photos

    if (model_info(network).task == "tagger") == (by == "label"):
        seen = int(seen_photos(network, learned).ne("").sum())
        if seen:
            return (
                f"the network that training began with has learned from {seen:,} of the "
                f"{counted(len(learned), 'photo')} or their hotels, and says nothing of others"
            )
    return ""


def _whole_hotels(photos: pd.DataFrame, max_photos: int, seed: int) -> pd.DataFrame:
    """Return the photos of hotels drawn at random, as many as fit, but never too few hotels."""
    sizes = photos.groupby("hotel_id")["image_id"].size()
    order = sizes.sample(frac=1, random_state=seed)
    kept = order.index[(order.cumsum() <= max_photos) | (np.arange(len(order)) < FEWEST_HOTELS)]
    return photos[photos["hotel_id"].isin(kept)].reset_index(drop=True)


def growth_words(growth: Growth) -> str:
    """Return how to read the figure, and what it says; or why there is none.

    Parameters
    ----------
    growth : Growth
        From `measure_growth`.
    """
    if growth.curve is None:
        return growth.said
    curve, more = growth.curve, _overall(growth.curve.gains())
    metric = "the linear correlation (LCC)" if more["metric"] == "LCC" else "accuracy"
    then = more["value"] + more["gain"]
    return (
        f"{growth.said} Growing numbers of these hotels were drawn; a last layer alone was fitted "
        "to their photos (a linear model of what the network sees that training began with) and "
        "judged on hotels that were held out. Points are what was measured, with intervals over "
        "hotels; the line is a power law fitted to them, dashed where nothing was measured. Twice "
        "as many hotels would "
        f"bring {metric} from about {more['value']:.2f} to {then:.2f}: {gain_words(more)}. That "
        "holds for hotels like these and for this way of learning; the curve is followed to "
        f"{curve.most_hotels:,} hotels at most."
    )


def _overall(gains: pd.DataFrame) -> pd.Series:
    return gains[gains["label"].eq("") & gains["labels"].eq("as is")].iloc[0]


def gain_words(gain: pd.Series) -> str:
    """Return a gain with its interval.

    Parameters
    ----------
    gain : pandas.Series
        A row of `hotelviz.metrics.LearningCurve.gains`.

    Examples
    --------
    >>> gain_words(pd.Series({"gain": 0.12, "low": 0.05, "high": 0.2}))
    '+.12 (.05 to .20)'
    """
    value, low, high = (f"{gain[name]:.2f}".lstrip("0") for name in ("gain", "low", "high"))
    return f"+{value} ({low} to {high})"


def gains_table(curve: LearningCurve) -> pd.DataFrame:
    """Return what twice as many hotels would bring each class, the largest gain first.

    Parameters
    ----------
    curve : hotelviz.metrics.LearningCurve
        Of labels.

    Returns
    -------
    pandas.DataFrame
        ``class``, ``photos``, ``recall`` today and ``gain`` in words; classes without a curve
        stand at the end, with the reason.
    """
    gains = curve.gains()
    gains = gains[gains["label"].ne("") & gains["labels"].eq("as is")]
    rows = [
        {"class": in_words(row["label"]), "photos": row["photos"], "recall": row["value"],
         "gain": gain_words(row)}
        for _, row in gains.iterrows()
    ]  # fmt: skip
    rows += [{"class": in_words(name), "gain": why} for name, why in curve.left_out.items()]
    return pd.DataFrame(rows, columns=["class", "photos", "recall", "gain"])


def growth_steps(growth: Growth) -> list[NextStep]:
    """Return what to label next, and what it would bring; none without a curve.

    Parameters
    ----------
    growth : Growth
        From `measure_growth`.
    """
    if growth.curve is None:
        return []
    gains = growth.curve.gains()
    gains = gains[gains["labels"].eq("as is")]
    more = _overall(gains)
    metric = "LCC" if more["metric"] == "LCC" else "accuracy"
    choose = "hotelviz label-choose PHOTOS.csv"
    worth = gains[gains["label"].ne("") & gains["low"].ge(_WORTH)].head(2)
    if len(worth):
        said = "; ".join(
            f"{in_words(row['label'])} (twice the {row['photos']:.0f}: recall {gain_words(row)})"
            for _, row in worth.iterrows()
        )
        areas = "".join(f" --area {shlex.quote(row)}" for row in worth["label"])
        command = f"{choose} --predictions tags.parquet{areas} --out next.csv"
        return [NextStep(f"Label more photos of {said}", LINK, command)]
    if more["low"] >= _WORTH:
        text = f"Label photos of more hotels: twice as many bring {metric} {gain_words(more)}"
        return [NextStep(text, LINK, f"{choose} --out next.csv")]
    text = f"More photos like these would bring little: with twice the hotels {metric} "
    return [NextStep(text + gain_words(more), LINK)]
