"""More than eight classes: eleven beside eight with "Other" by rejection, on hotels not seen.

    KERAS_HOME=../shared/keras python benchmarks/eleven_classes.py [--short] [--only NAME ...]

Labelled photos of hotels (sure ones, no renders), frozen features, one linear model in five folds
over hotels. What is said of a photo, its threshold and its set too, comes from photos of other
hotels. Features are kept in `reports/benchmarks/<network>_<size>.npz` (`image_id`, `features`).
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
from common import DATA, SHARED, interval, leave, results, run

#: The talk's eight, and what it names as next.
NEXT = ("Conference_Room", "Fitness_Studio", "Other")
PRECISION = COVERAGE = 0.95


def labelled() -> pd.DataFrame:
    """Give the photos, those of homes last: they are learned from, and not judged."""
    from hotelviz.catalog import AREAS, read_catalog

    hotels = read_catalog(DATA / "hotels" / "catalog.csv", classes=[*AREAS, *NEXT])
    hotels = hotels[hotels["sure"].astype(int).eq(1) & hotels["kind"].ne("render")]
    homes = read_catalog(DATA / "houses" / "catalog.csv")
    photos = pd.concat([hotels[hotels["label"].notna()], homes[homes["label"].notna()]])
    # Both catalogues call their photos photos/...
    names = [Path(path).relative_to(DATA).as_posix() for path in photos["path"]]
    return photos.assign(image_id=names).reset_index(drop=True)


def features(network: str, size: int, photos: pd.DataFrame) -> np.ndarray:
    """Give the pooled features of a network, computed where they are not kept from before."""
    kept = leave(f"{network}_{size}.npz")
    if not kept.is_file():
        names = photos["image_id"].to_numpy(dtype=str)
        np.savez(kept, image_id=names, features=pooled(network, size, photos))
    with np.load(kept) as file:
        places = pd.Index(file["image_id"]).get_indexer(photos["image_id"])
        if (places < 0).any():
            raise SystemExit(f"{kept} lacks {(places < 0).sum()} photos: delete it")
        return file["features"][places]


def pooled(network: str, size: int, photos: pd.DataFrame) -> np.ndarray:
    from hotelviz.images import iterate_images
    from hotelviz.models import Preprocessing, activations, build_tagger, gap_node, wrap_model

    if network == "MobileNet":
        model = build_tagger(["a", "b"], backbone=network, input_size=size, weights="imagenet")
    else:
        model = wrap_model(
            SHARED / "keras" / "backbones" / f"{network}.keras",
            task="tagger", classes=[str(number) for number in range(1000)],
            preprocessing=Preprocessing(size, size, value_range="0..255"),
        )  # fmt: skip
    predict = activations(model, gap_node(model))
    batches = iterate_images(photos["path"], size=(size, size))
    return np.concatenate([predict(batch.pixels) for batch in batches])


def held_out(found: np.ndarray, photos: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Give the hotels' photos with what a model says that learned from other hotels.

    Photos of other classes than these are judged, and weigh nothing in learning.
    """
    from hotelviz.metrics.linear_head import fit_linear_head

    known = photos["label"].isin(classes).to_numpy()
    targets = np.full((len(photos), len(classes)), 1 / len(classes))
    targets[known] = np.eye(len(classes))[pd.Index(classes).get_indexer(photos["label"][known])]
    head = fit_linear_head(
        found,
        targets,
        weights=known.astype(float),
        groups=photos["hotel_id"].to_numpy(),
    )
    print(f"penalty {head.penalty:g}", flush=True)
    shares = pd.DataFrame(head.held_out, photos.index, [f"p_{name}" for name in classes])
    names = np.array(classes, dtype=object)[head.held_out.argmax(axis=1)]
    tags = photos[["image_id", "hotel_id", "label"]].assign(predicted=names).join(shares)
    return tags[~tags["hotel_id"].str.startswith("house-")]


def answered(tags: pd.DataFrame, how: str) -> pd.Series:
    """Say which tags are answered, by a threshold chosen on photos of other hotels.

    ``promised``: where the bound of the precision is as wished; no photo where none is.
    ``measured``: where the precision is, which promises nothing. ``nine``: where most photos are
    right if all that is not answered is called Other.
    """
    from hotelviz.metrics import (
        confident,
        coverage_accuracy,
        cross_hotels,
        threshold_for_precision,
    )

    def chosen(others: pd.DataFrame) -> float:
        if how == "promised":
            found = threshold_for_precision(others, PRECISION)
            return found.value if found.promised else np.nan
        curve = coverage_accuracy(others).set_index("threshold")
        if how == "measured":
            reached = curve.index[curve["accuracy"] >= PRECISION]
            return reached[-1] if len(reached) else np.nan
        right, other = others["label"] == others["predicted"], others["label"].isin(NEXT)
        kept = {least: confident(others, least) for least in curve.index}
        return max(kept, key=lambda least: right.where(kept[least], other).mean())

    return cross_hotels(tags, lambda others, own: confident(own, chosen(others)))


def say(what: str, wanted: str, measured: str) -> None:
    results.append((what, wanted, measured))
    print(f"{what}: {measured}", flush=True)


def judge_rejection(name: str, tags: pd.DataFrame) -> None:
    """Print the share of photos answered and how many of these are right."""
    from hotelviz.metrics import rejection_figures

    for how in ("promised", "measured"):
        figures = rejection_figures(tags, answered(tags, how))
        share, right = (interval(figures.iloc[row]) for row in (0, 1))
        say(f"{name}, answered at {PRECISION:.0%} ({how})", "", share)
        say("  of these right", f"{PRECISION}", right)


def judge_sets(name: str, tags: pd.DataFrame) -> None:
    """Print how often sets hold the label, by each way of making them."""
    from hotelviz.metrics import conformal_figures, conformal_sets, cross_hotels

    for score in ("lac", "aps"):
        sets = cross_hotels(
            tags,
            lambda others, own, score=score: (
                conformal_sets(others, own, coverage=COVERAGE, score=score).sets
            ),
        )
        figures = conformal_figures(tags, sets)
        every = figures.loc["all photos"].rename({"coverage": "value"})
        say(f"{name}, coverage of sets ({score})", ".93 to .97", interval(every))
        say("  classes in a set", "", f"{every['mean_size']:.2f}")
        print(figures.round(3).to_string())


def eleven(*, short: bool) -> None:
    """Eleven classes: top-1, the share answered, sets."""
    from hotelviz.catalog import AREAS
    from hotelviz.metrics import classification_report, summary

    for name, tags in predicted((*AREAS, *NEXT), short=short):
        figures = summary(tags).set_index("metric")
        say(f"{name}, 11 classes, top-1", "", interval(figures.loc["top-1 accuracy"]))
        say("  macro recall", "", interval(figures.loc["macro recall"]))
        print(classification_report(tags["label"], tags["predicted"]).round(3).to_string())
        judge_rejection(f"{name}, 11 classes", tags)
        judge_sets(f"{name}, 11 classes", tags)


def eight(*, short: bool) -> None:
    """Eight classes and "Other" by rejection, beside eleven of which three count as that."""
    from hotelviz.catalog import AREAS
    from hotelviz.metrics import summary

    for name, tags in predicted(AREAS, short=short):
        own = tags[tags["label"].isin(AREAS)]
        figures = summary(own).set_index("metric")
        say(f"{name}, 8 classes, their photos, top-1", "", interval(figures.loc["top-1 accuracy"]))
        judge_rejection(f"{name}, 8 classes, their photos", own)
        judge_rejection(f"{name}, 8 classes, all photos", tags)
        for how, words in (("measured", f"{PRECISION:.0%} right"), ("nine", "most of nine right")):
            said = tags["predicted"].where(answered(tags, how))
            judge_other(f"{name}, 8 classes, Other by rejection ({words})", tags, said)
    for name, tags in predicted((*AREAS, *NEXT), short=short):
        judge_other(f"{name}, 11 classes, three as Other", tags, tags["predicted"])


def judge_other(name: str, tags: pd.DataFrame, said: pd.Series) -> None:
    """Print how right nine classes are, and how well "Other" is found."""
    from hotelviz.metrics import classification_report, share_interval

    label, named = (one.where(~one.isin(NEXT)).fillna("Other") for one in (tags["label"], said))
    right = share_interval(label == named, groups=tags["hotel_id"])
    report = classification_report(label, named)
    say(f"{name}: top-1 of nine", "", str(right))
    other = report.loc["Other"]
    say("  Other", "", f"precision {other['precision']:.2f}, recall {other['recall']:.2f}")
    say("  macro recall", "", f"{report.loc['macro avg', 'recall']:.3f}")


@functools.cache
def predicted(classes: tuple[str, ...], *, short: bool) -> list[tuple[str, pd.DataFrame]]:
    photos = labelled()
    networks = (("MobileNet", 224), ("efficientnet_lite2", 260))[: 1 if short else 2]
    return [
        (f"{network} {size}", held_out(features(network, size, photos), photos, list(classes)))
        for network, size in networks
    ]


SECTIONS = {"eleven": eleven, "eight": eight}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
