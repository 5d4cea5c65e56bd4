"""Ask of each choice in the tagger's recipe what a linear head gains by it, in folds over hotels.

    KERAS_HOME=../shared/keras python benchmarks/recipe.py [--short] [--only NAME ...]

Eight areas on photos of hotels that the head has not seen: MobileNet's features, computed once of
each view and kept in ``reports/benchmarks/recipe``; then every row of the tables is a fit of
seconds. The short form takes one fold in five. `docs/design/training.md` shows the tables.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from common import DATA, leave, results, run

# isort: split
import numpy as np
import pandas as pd

#: Of every fit.
PENALTY = 0.1
BALANCE = 0.7
#: How much a photo of the public sets counts.
PUBLIC = 0.5
#: Of the sides of a photo, what a crop in the middle keeps.
CENTRE = 7 / 8
WHOLE = ("whole", "mirror")
VIEWS = (*WHOLE, "centre", "centre mirror")
#: Of the network's input, in pixels; the first one is that of all other sections.
SIDES = (224, 160, 192, 320, 384)
#: From here on what the head says of a photo without a label is taken for one.
SURE = 0.9


@functools.cache
def photos() -> pd.DataFrame:
    """Give hotels, homes and public sets with their areas, and the other photos of the hotels."""
    from hotelviz.catalog import read_catalog

    areas = read_catalog(DATA / "areas.csv")
    public = read_catalog(DATA / "enriched" / "catalog.csv").assign(source="public")
    public["hotel_id"] = "public/" + public["image_id"]
    every = read_catalog(DATA / "hotels" / "catalog.csv", classes=None)
    # What they show is not used here.
    others = every[~every["path"].isin(areas["path"])].assign(source="others", label=None)
    return pd.concat([areas, public, others], ignore_index=True)[
        ["image_id", "path", "hotel_id", "label", "source"]
    ]


@functools.cache
def features(view: str, side: int = SIDES[0]) -> np.ndarray:
    """Give what MobileNet's last layer sees of every photo, from the file where it is kept."""
    from hotelviz.images import iterate_images
    from hotelviz.models import activations, build_tagger
    from hotelviz.training.head import dense_layer

    paths = "\n".join(photos()["path"])
    name = f"{view.replace(' ', '-')}-{side}-{hashlib.sha256(paths.encode()).hexdigest()[:8]}"
    file = leave(f"recipe/{name}.npy")
    if file.exists():
        return np.asarray(np.load(file))
    model = build_tagger(input_size=side)
    compute = activations(model, dense_layer(model)[1])
    decoded = round(side / CENTRE) if view.startswith("centre") else side
    left = (decoded - side) // 2
    found = np.full((len(photos()), 1024), np.nan, "float32")
    for batch in iterate_images(photos()["path"], size=(decoded, decoded), batch_size=64):
        pixels = np.asarray(batch.pixels)[:, left : left + side, left : left + side]
        found[batch.rows] = compute(pixels[:, :, ::-1] if view.endswith("mirror") else pixels)
    if not np.isfinite(found).all():
        raise RuntimeError(f"{int(np.isnan(found[:, 0]).sum())} photos could not be read")
    np.save(file, found)
    return found


def views(names: Sequence[str] = WHOLE, side: int = SIDES[0]) -> np.ndarray:
    """Give several views of every photo: (views, photos, channels)."""
    return np.stack([features(name, side) for name in names])


@functools.cache
def folds() -> list[tuple[np.ndarray, np.ndarray]]:
    """Give the photos to learn from and those to judge, each time; hotels stay together."""
    from sklearn.model_selection import StratifiedGroupKFold

    table = photos()
    hotels = np.flatnonzero(table["source"] == "hotels")
    chosen = table.iloc[hotels]
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    every = splitter.split(chosen, chosen["label"], groups=chosen["hotel_id"])
    return [
        (np.flatnonzero(~table["hotel_id"].isin(set(chosen["hotel_id"].iloc[tested]))),
         hotels[tested])
        for _, tested in every
    ]  # fmt: skip


#: From rows to learn from, and all targets, to what is learned from instead.
Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def classes() -> np.ndarray:
    """Give the eight areas."""
    return np.array(sorted(photos()["label"].dropna().unique()))


def fit(
    learned: np.ndarray, rows: np.ndarray, goals: np.ndarray, *, balance: float = BALANCE,
    weights: pd.Series | None = None,
) -> Any:  # fmt: skip
    """Fit a head to all views of rows; `goals` are their shares of the classes."""
    from hotelviz.metrics.linear_head import fit_linear_head

    by_photo = (source_weights() if weights is None else weights).to_numpy()[rows]
    by_class = by_photo @ goals
    by_photo = by_photo * (goals @ np.where(by_class > 0, by_class, 1.0) ** -balance)
    return fit_linear_head(
        np.concatenate([view[rows] for view in learned]), np.tile(goals, (len(learned), 1)),
        weights=np.tile(by_photo / by_photo.mean(), len(learned)), penalties=(PENALTY,),
    )  # fmt: skip


def source_weights(**others: float) -> pd.Series:
    """Give the weight of every photo, by where it comes from; what has none is left out."""
    return photos()["source"].map({"public": PUBLIC, **others}).fillna(1.0)


def predict(head: Any, asked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Give the mean probabilities over the views."""
    return np.asarray(np.mean([head.predict(view[rows]) for view in asked], axis=0))


def held_out(
    learned: np.ndarray, asked: np.ndarray | None = None, *, short: bool, smoothing: float = 0.0,
    change: Change | None = None, weights: pd.Series | None = None, **settings: Any,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Give the rows that were judged, and the probabilities of each without its hotel."""
    labels = photos()["label"].to_numpy()
    goals = (labels[:, None] == classes()).astype(float)
    goals = np.where(goals.any(axis=1, keepdims=True), goals + smoothing * (1 / 8 - goals), 0.0)
    weights = source_weights() if weights is None else weights
    parts = []
    for known, tested in folds()[: 1 if short else None]:
        rows = known[pd.notna(labels[known]) & (weights.to_numpy()[known] > 0)]
        rows, taught = change(rows, goals) if change else (rows, goals[rows])
        head = fit(learned, rows, taught, weights=weights, **settings)
        parts.append((tested, predict(head, learned if asked is None else asked, tested)))
    rows, probabilities = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(probabilities)


def judge(name: str, rows: np.ndarray, probabilities: np.ndarray) -> None:
    """Print the figures of predictions, and keep them for the table at the end."""
    from hotelviz import metrics

    true = photos()["label"].to_numpy()[rows]
    right = probabilities.argmax(axis=1) == (true[:, None] == classes()).argmax(axis=1)
    top1 = metrics.share_interval(right, groups=photos()["hotel_id"].to_numpy()[rows])
    recall = pd.Series(right).groupby(true).mean().mean()
    loss = -np.log((probabilities * (true[:, None] == classes())).sum(axis=1)).mean()
    measured = f"{top1}, {recall:.3f}, {loss:.3f}"
    print(f"{name}: {measured}", flush=True)
    results.append((name, "top-1, macro recall, log loss", measured))


def crops(*, short: bool) -> None:
    """Ask what other views of a photo bring, to learn from and to predict by."""
    every, whole, centre = views(VIEWS), views(), views(VIEWS[2:])
    for name, learned, asked in (
        ("learned from photos, asked of photos", whole[:1], whole[:1]),
        ("learned from photos, asked of both mirror images", whole[:1], whole),
        ("learned from both mirror images, asked of photos", whole, whole[:1]),
        ("learned and asked of both mirror images", whole, whole),
        ("the same, asked of the middle", whole, centre),
        ("the same, asked of all four", whole, every),
        ("learned from all four, asked of both mirror images", every, whole),
        ("learned and asked of all four", every, every),
    ):
        judge(name, *held_out(learned, asked, short=short))


def sizes(*, short: bool) -> None:
    """Ask what a larger input brings, and a head that sees several sizes of a photo."""
    found = {}
    for side in SIDES:
        rows, found[side] = held_out(views(side=side), short=short)
        judge(f"{side} pixels", rows, found[side])
    for sides in ((192, 384), (224, 320), (224, 320, 384), (160, 224, 320, 384)):
        of = " and ".join(map(str, sides))
        every = [views(side=side) for side in sides]
        beside = held_out(np.concatenate(every, axis=2), short=short)
        judge(f"{of} pixels, features side by side", *beside)
        judge(f"{of} pixels, mean features", *held_out(np.mean(every, axis=0), short=short))
        among = held_out(np.concatenate(every), short=short)
        judge(f"{of} pixels, learned and asked of each as a view", *among)
        means = np.mean([found[side] for side in sides], axis=0)
        judge(f"{of} pixels, mean of the predictions", rows, means)


def sources(*, short: bool) -> None:
    """Ask what photos of homes and of public sets bring, and how much they should count."""
    for name, weights in (
        ("hotels alone", {"houses": 0.0, "public": 0.0}),
        ("no homes", {"houses": 0.0}),
        ("homes count a quarter", {"houses": 0.25}),
        ("homes count half", {"houses": 0.5}),
        ("no public sets", {"public": 0.0}),
        ("public sets count a quarter", {"public": 0.25}),
        ("public sets count half, homes 1", {}),
        ("public sets count 1", {"public": 1.0}),
    ):
        judge(name, *held_out(views(), short=short, weights=source_weights(**weights)))


def labels(*, short: bool) -> None:
    """Ask what smoothing, balance and an adjustment for rare classes bring."""
    for smoothing in (0.05, 0.1):
        judge(f"smoothing {smoothing}", *held_out(views(), short=short, smoothing=smoothing))
    for balance in (0.0, 0.5, 0.7, 1.0):
        judge(f"balance {balance}", *held_out(views(), short=short, balance=balance))
    shares = photos().loc[photos()["source"] == "hotels", "label"].value_counts(normalize=True)
    rows, probabilities = held_out(views(), short=short, balance=0.0)
    for factor in (0.3, 0.5, 0.7):
        adjusted = probabilities / shares[classes()].to_numpy() ** factor
        adjusted /= adjusted.sum(axis=1, keepdims=True)
        judge(f"balance 0.0, logits adjusted by {factor}", rows, adjusted)


def cleaning(*, short: bool) -> None:
    """Ask what it brings to clean the labels first, as the audit suggests without a person."""
    for source in (None, "public"):
        of = "all" if source is None else "the public sets"
        for relabel in (False, True):
            name = f"doubtful labels of {of} {'changed' if relabel else 'left out'}"
            change = functools.partial(cleaned, source=source, relabel=relabel)
            judge(name, *held_out(views(), short=short, change=change))


def cleaned(
    rows: np.ndarray, goals: np.ndarray, *, source: str | None, relabel: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out or change what the audit doubts among the rows to learn from."""
    from hotelviz.audit.label_issues import find_label_issues
    from hotelviz.embeddings import reduce_features

    table = photos().iloc[rows].reset_index(drop=True)
    vectors = reduce_features(views()[0][rows])
    found = find_label_issues(vectors, table["label"], table["hotel_id"].to_numpy())
    asked = np.ones(len(rows), bool) if source is None else (table["source"] == source).to_numpy()
    doubted = found.rows[found.is_issue & asked[found.rows]]
    taught = goals[rows].copy()
    if relabel:
        best = np.array(found.classes)[found.probabilities.argmax(axis=1)]
        said = pd.Series(best, index=found.rows).loc[doubted].to_numpy()
        taught[doubted] = said[:, None] == classes()
        return rows, taught
    return np.delete(rows, doubted), np.delete(taught, doubted, axis=0)


def pseudo_labels(*, short: bool) -> None:
    """Ask what photos without labels bring, with what a first head says of them.

    Once those that have none of the areas' labels; once all but a third of the hotels are taken
    to have none.
    """
    judge("no pseudo-labels", *held_out(views(), short=short))
    for few in (False, True):
        for kind in ("none",) * few + ("sure", "all, as shares"):
            name = f"pseudo-labels {kind}{', a third of the hotels labelled' * few}"
            change = functools.partial(with_pseudo_labels, kind=kind, few=few)
            judge(name, *held_out(views(), short=short, change=change))


def with_pseudo_labels(
    rows: np.ndarray, goals: np.ndarray, *, kind: str, few: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Add photos whose labels are not known, with what a head of the others says of them."""
    table = photos()
    judged = table["hotel_id"].isin(table["hotel_id"].iloc[rows])
    unknown = np.flatnonzero(judged & (table["source"] == "others"))
    if few:
        of_hotels = rows[(table["source"].iloc[rows] == "hotels").to_numpy()]
        names = table["hotel_id"].iloc[of_hotels].unique()
        labelled = np.random.default_rng(0).permutation(names)[: len(names) // 3]
        hidden = of_hotels[~table["hotel_id"].iloc[of_hotels].isin(labelled).to_numpy()]
        rows, unknown = np.setdiff1d(rows, hidden), np.concatenate([unknown, hidden])
    if kind == "none":
        return rows, goals[rows]
    said = predict(fit(views(), rows, goals[rows]), views(), unknown)
    if kind == "sure":
        sure = said.max(axis=1) >= SURE
        unknown, said = unknown[sure], np.eye(said.shape[1])[said[sure].argmax(axis=1)]
    return np.concatenate([rows, unknown]), np.concatenate([goals[rows], said])


if __name__ == "__main__":
    run(
        __doc__ or "",
        {
            "crops": crops, "sizes": sizes, "sources": sources, "labels": labels,
            "cleaning": cleaning, "pseudo_labels": pseudo_labels,
        },
    )  # fmt: skip
