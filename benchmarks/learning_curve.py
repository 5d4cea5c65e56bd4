"""See whether learning curves of a third of the hotels foretell what all of them give.

    KERAS_HOME=../shared/keras python benchmarks/learning_curve.py [--short] [--only NAME ...]

Looks for the photos in ``../shared/data`` beside the repository, and for ImageNet's weights in
``../shared/keras``. Where there are none it says so and measures nothing.
"""

from __future__ import annotations

from typing import Any, Literal

from common import DATA, leave, results, run

# isort: split
import numpy as np
import pandas as pd

DRAWS = 20


def pooled_features(photos: pd.DataFrame) -> np.ndarray:
    """Give the features of MobileNet with ImageNet's weights, from the cache where they are."""
    from hotelviz.embeddings import compute_image_properties
    from hotelviz.models import build_tagger

    found = compute_image_properties(photos, model=build_tagger(), cache=leave("curve_features"))
    return np.asarray(found.features)


def tags(*, short: bool) -> None:
    """Foretell the accuracy of eight areas on hotel photos; houses are always learned from."""
    from hotelviz.catalog import read_catalog

    photos = read_catalog(DATA / "areas.csv")
    features = pooled_features(photos)
    own = photos["source"].eq("hotels").to_numpy()
    foretell("top-1, hotels alone", photos[own], features[own], "label", short=short)
    foretell("top-1, with houses", photos, features, "label", short=short, judged=own)


def ratings(*, short: bool) -> None:
    """Foretell the correlation of scores with the ratings of three stand-in raters."""
    from hotelviz.catalog import count_ratings, read_catalog

    hotels = DATA / "hotels"
    photos = read_catalog(hotels / "catalog.csv", classes=None)
    single = pd.read_csv(hotels / "ratings.csv").rename(columns={"path": "image_id"})
    photos = photos.merge(count_ratings(single), on="image_id").reset_index(drop=True)
    foretell("LCC", photos, pooled_features(photos), "ratings", short=short)


def foretell(
    name: str, photos: pd.DataFrame, features: np.ndarray, by: Literal["label", "ratings"], *,
    short: bool, judged: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Fit curves to thirds of the hotels and compare what they say with what all hotels give."""
    from hotelviz.metrics import learning_curve

    photos = photos.reset_index(drop=True)
    asked: dict[str, Any] = {"by": by}
    judged = np.ones(len(photos), bool) if judged is None else judged
    full = learning_curve(photos, features, judged=judged, **asked)
    print(full.gains().round(3).to_string(index=False))
    # The largest number of hotels is learned from in every fold: what a training with all does.
    truth = full.points.groupby("label", sort=False).last()
    hotels = photos.loc[judged, "hotel_id"].unique()
    rows = []
    for draw in range(3 if short else DRAWS):
        random = np.random.default_rng(draw)
        third = random.choice(hotels, len(hotels) // 3, replace=False)
        kept = (photos["hotel_id"].isin(third) | ~photos["hotel_id"].isin(hotels)).to_numpy()
        curve = learning_curve(
            photos[kept], features[kept], judged=judged[kept], seed=draw, **asked
        )
        said = curve.at(min(truth.loc["", "hotels"], curve.most_hotels))
        said = said.set_index("label").assign(
            draw=draw, now=curve.points.groupby("label")["value"].last()
        )
        rows.append(said.assign(truth=truth["value"], width=said["high"] - said["low"]))
    table = pd.concat(rows).reset_index()
    table["inside"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    table["off"] = table["value"] - table["truth"]
    print(table[table["label"] == ""].round(3).to_string(index=False))
    print(table.groupby("label")[["inside", "off", "width"]].mean().round(3).to_string())
    overall = table[table["label"] == ""]
    found = f"in {overall['inside'].sum()} of {len(overall)}"
    error, width = overall["off"].abs().mean(), overall["width"].mean()
    results.append(
        (
            f"{name}: a third of {len(hotels)} hotels foretells all",
            "in 9 of 10 draws",
            f"{found}; off by {error:.3f}, interval {width:.3f} wide",
        )
    )


SECTIONS = {"tags": tags, "ratings": ratings}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
