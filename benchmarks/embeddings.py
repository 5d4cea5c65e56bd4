"""The map of photos and "more like this", on real photos: how true, how fast, how large.

    KERAS_HOME=../shared/keras python benchmarks/embeddings.py [--short] [--only alike layout]

Features are those of MobileNet with ImageNet's weights. For maps of more photos than there are real
ones, mixtures are made: each a real photo's features mixed at random with those of three of its
fifteen nearest, so that neighbourhoods stay what they are and no photo is a copy. umap-learn is the
rival where it is installed. The long form lays out 100,000 photos.
"""

from __future__ import annotations

import functools
import resource
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from common import DATA, leave, results, run

# isort: split
import numpy as np
import pandas as pd

from hotelviz.catalog import read_catalog
from hotelviz.embeddings import (
    layout,
    nearest_neighbours,
    photo_features,
    reduce_features,
    similar,
)

#: Trustworthiness is computed on so many photos, with so many neighbours each.
JUDGED, NEIGHBOURS = 10_000, 15


@functools.cache
def real_photos() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the real photos, ``source`` says of which set, and their features."""
    sets = []
    for name in ("hotels", "houses", "enriched"):
        photos = read_catalog(DATA / name / "catalog.csv", classes=None).assign(source=name)
        photos["image_id"] = name + "/" + photos["image_id"]
        photos["hotel_id"] = name + "/" + photos["hotel_id"].fillna(photos["image_id"])
        sets.append(photos)
    photos = pd.concat(sets, ignore_index=True)
    return photos, photo_features(photos, cache=leave("features"))


def alike(*, short: bool) -> None:  # noqa: ARG001
    """Of the five most similar photos, how many have the same label."""
    photos, features = real_photos()
    features.index = photos["image_id"]
    for name in ("houses", "hotels"):
        of = photos[photos["source"] == name].set_index("image_id")
        of = of[of["label"].notna() & (of["label"] != "Other") & (of.get("sure", 1) != 0)]
        hotels = of["hotel_id"]
        for among, other in (("all", None), ("other hotels", hotels)):
            of_index = same_label(similar(features.loc[of.index], hotels=other), of["label"])
            raw = same_label(by_cosine(features.loc[of.index], other), of["label"])
            results.append(
                (f"same label among the five nearest, {name} ({len(of):,} photos), {among}",
                 f"more than by cosine of raw features ({raw:.1%})", f"{of_index:.1%}")
            )  # fmt: skip


def same_label(found: pd.DataFrame, labels: pd.Series) -> float:
    """Give the share of similar photos that have the label of the photo asked for."""
    pairs = labels[found["image_id"]].to_numpy() == labels[found["similar"]].to_numpy()
    return float(pairs.mean())


def by_cosine(features: pd.DataFrame, hotels: pd.Series | None, n_photos: int = 5) -> pd.DataFrame:
    """Give the nearest by the cosine between features as they are."""
    vectors = features.to_numpy()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    if hotels is None:
        np.fill_diagonal(cosines, -np.inf)
    else:
        codes = pd.factorize(hotels)[0]
        cosines[codes[:, None] == codes] = -np.inf
    nearest = np.argsort(-cosines, axis=1)[:, :n_photos]
    asked = np.repeat(features.index, n_photos)
    return pd.DataFrame({"image_id": asked, "similar": features.index[nearest.ravel()]})


def grown(features: np.ndarray, count: int) -> np.ndarray:
    """Give the real photos and mixtures of near ones, `count` in all."""
    random = np.random.default_rng(0)
    near = nearest_neighbours(reduce_features(features), NEIGHBOURS).rows
    made = [features]
    for first in range(len(features), count, 10_000):
        rows = random.integers(0, len(features), min(10_000, count - first))
        others = random.permuted(near[rows], axis=1)[:, :3]
        shares = random.dirichlet(np.ones(4), len(rows)).astype("float32")
        mixed = shares[:, :1] * features[rows]
        for column in range(3):
            mixed += shares[:, [column + 1]] * features[others[:, column]]
        made.append(mixed)
    return np.concatenate(made)[:count]


def maps(*, short: bool) -> None:
    """Lay out many photos; how true the map of 10,000 is."""
    from sklearn.manifold import trustworthiness

    _, features = real_photos()
    values = features.dropna().to_numpy()
    for count in (JUDGED,) if short else (JUDGED, 100_000):
        table = pd.DataFrame(grown(values, count))
        places, took = timed(layout, table)
        results.append((f"layout of {count:,} photos", "100,000 in under 5 min", took))
        if count > JUDGED:
            continue
        true = trustworthiness(table, places, n_neighbors=NEIGHBOURS)
        rival = "umap-learn is not installed"
        if find_spec("umap"):
            from umap import UMAP

            other, seconds = timed(UMAP(random_state=0).fit_transform, table.to_numpy())
            found = trustworthiness(table, other, n_neighbors=NEIGHBOURS)
            rival = f"umap-learn's default: {found:.3f}, {seconds}"
        what = f"trustworthiness of {count:,} photos, {NEIGHBOURS} neighbours"
        results.append((what, f"umap-learn's less .01 ({rival})", f"{true:.3f}"))


def timed(function: Callable[[Any], Any], of: Any) -> tuple[Any, str]:
    """Give what a function makes of something, and in words what it took."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    value = function(of)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 1e6
    return value, f"{seconds:.0f} s ({processor:.0f} s of processor), {peak:.1f} GB at most so far"


if __name__ == "__main__":
    run(__doc__, {"alike": alike, "layout": maps})
