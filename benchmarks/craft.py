"""Compare concepts with those of xplique's CRAFT: what is lost without them, and the time.

    python benchmarks/craft.py PYTHON [--short]

PYTHON is that of an environment of its own, into which xplique was installed with pip. Both find as
many concepts of each class in the same photos of the same tagger. In photos of other hotels these
are then taken out of the features one after another, the most important one first; which that is,
the photos say that they were found in.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from concepts import fitted_tagger, photos_of

# isort: split
import keras
import numpy as np
import pandas as pd

from hotelviz.attribution import read_pixels
from hotelviz.concepts import ConceptActivity, concept_activity, contributions, find_concepts
from hotelviz.inference import predict_tags
from hotelviz.metrics import jackknife_table
from hotelviz.models import model_info, save_model

#: Concepts of each class, and the most photos of one that they are found in.
N_CONCEPTS, N_PHOTOS = 8, 60
#: Classes with fewer photos to find concepts in, or to judge them on, are left out.
_FEWEST = 30, 10
REFERENCE = Path(__file__).with_name("reference_craft.py")


class Own(NamedTuple):
    """The concepts of a class in photos of other hotels, and which are the most important."""

    activity: ConceptActivity
    order: np.ndarray
    #: On the wall, and of the processor.
    seconds: np.ndarray


def own_concepts(model: keras.Model, label: str, own: pd.DataFrame, others: pd.DataFrame) -> Own:
    """Find the concepts of a class, order them, and apply them to other photos."""
    started = np.array([time.perf_counter(), time.process_time()])
    found = find_concepts(model, own, N_CONCEPTS, progress=False)
    adds = contributions(found, concept_activity(found, own, progress=False), label)
    activity = concept_activity(found, others, progress=False)
    seconds = np.array([time.perf_counter(), time.process_time()]) - started
    return Own(activity, np.argsort(-adds.iloc[:, :N_CONCEPTS].mean().to_numpy()), seconds)


def areas(
    activity: ConceptActivity, evidence: np.ndarray, order: np.ndarray, own: int
) -> np.ndarray:
    """Compute areas over the deletion curves of a class's probability and logit, (photos, 2).

    0: nothing is lost; 1: all is, with the first concept. A logit is taken less the mean over the
    classes, and less the bias; what is left of it, as a share of the mean over the photos.
    """
    removed = np.cumsum(evidence[:, order], axis=1)
    left = activity.logits[:, None] - np.concatenate([0 * removed[:, :1], removed], axis=1)
    p = np.exp(left - left.max(axis=2, keepdims=True))
    p = (p / p.sum(axis=2, keepdims=True))[:, :, own]
    left = left - activity.bias[:, None]
    logit = left[:, :, own] - left.mean(axis=2)
    shares = p / p[:, :1], logit / logit[:, 0].mean()
    start = np.stack([each[:, 0] for each in shares], axis=1)
    kept = [np.trapezoid(each, dx=1 / len(order), axis=1) for each in shares]
    return np.asarray(start - np.stack(kept, axis=1))


def prepared(model: keras.Model, paths: pd.Series) -> np.ndarray:
    """Return photos as the network takes them."""
    pixels, _ = read_pixels(model, paths)
    scale = model_info(model).preprocessing.scale
    return np.asarray(scale(pixels.astype("float32")), "float32")


def compared(python: str, model: keras.Model, finding: pd.DataFrame, judged: pd.DataFrame) -> None:
    """Find concepts of each class by both, take them out, and print what is lost."""
    classes, kernel = model_info(model).classes, model.layers[-1].get_weights()[0]
    rows, ours = [], {}
    seconds = {"ours": np.zeros(2), "CRAFT": np.zeros(2)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(model, folder / "tagger.keras")
        for number, label in enumerate(classes):
            own, others = (one[one["predicted"] == label] for one in (finding, judged))
            if len(own) < _FEWEST[0] or len(others) < _FEWEST[1]:
                print(f"{label}: {len(own)} photos to find in, {len(others)} to judge: left out")
                continue
            own = own.sample(min(N_PHOTOS, len(own)), random_state=0)
            ours[number] = own_concepts(model, label, own, others)
            seconds["ours"] += ours[number].seconds
            pixels = {"finding": prepared(model, own["path"])}
            pixels["judged"] = prepared(model, ours[number].activity.photos["path"])
            np.savez(folder / f"{number}.npz", **pixels)
        subprocess.run([python, str(REFERENCE), name, str(N_CONCEPTS)], check=True)
        for number, (activity, order, _) in ours.items():
            theirs = np.load(folder / f"{number}-found.npz")
            seconds["CRAFT"] += theirs["wall"], theirs["cpu"]
            evidence = theirs["strength"][:, :, None] * (theirs["components"] @ kernel)
            both = (
                areas(activity, activity.evidence, order, number),
                areas(activity, evidence, np.argsort(-theirs["importance"]), number),
            )
            rows.append(pd.DataFrame(
                np.hstack(both), columns=["ours", "ours, logit", "CRAFT", "CRAFT, logit"]
            ).assign(label=classes[number], hotel_id=activity.photos["hotel_id"]))  # fmt: skip
    told(pd.concat(rows, ignore_index=True), seconds)


def told(table: pd.DataFrame, seconds: dict[str, np.ndarray]) -> None:
    """Print the areas of each class, their difference over hotels, and the times."""
    figures = ["ours", "CRAFT", "ours, logit", "CRAFT, logit"]
    by_class = table.groupby("label", sort=False)
    print(by_class[figures].mean().assign(n=by_class.size()).round(3).to_string())
    for kind in ("", ", logit"):
        gain = (table[f"ours{kind}"] - table[f"CRAFT{kind}"]).to_numpy()
        row = jackknife_table(
            lambda rows, gain=gain: {"gain": float(gain[rows].mean())}, len(gain),
            groups=table["hotel_id"],
        ).iloc[0]  # fmt: skip
        means = f"{table[f'ours{kind}'].mean():.3f} and {table[f'CRAFT{kind}'].mean():.3f}"
        ends = f"{row['low']:+.3f} to {row['high']:+.3f}"
        print(f"{len(table)} photos{kind or ', probability'}: {means}; {gain.mean():+.3f} ({ends})")
    for name, (wall, cpu) in seconds.items():
        print(f"{name}: {wall:.0f} s, of the processor {cpu:.0f} s")
    ratio = seconds["CRAFT"] / seconds["ours"]
    print(f"times as long: {ratio[0]:.1f}, of the processor {ratio[1]:.1f}")


def main() -> None:
    """Fit a tagger, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="that of an environment with xplique")
    parser.add_argument("--short", action="store_true", help="fewer photos")
    asked = parser.parse_args()
    finding, judged = photos_of(short=asked.short)
    model = fitted_tagger(finding)
    both = [
        photos.merge(predict_tags(photos, model, progress=False), on="image_id")
        for photos in (finding, judged)
    ]
    compared(asked.python, model, *both)


if __name__ == "__main__":
    main()
