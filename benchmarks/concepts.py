"""See how well concepts of real photos hold: sums, residual, stability, time, false alarms.

    python benchmarks/concepts.py [--short] [--only NAME ...]

The tagger is ImageNet's MobileNet with a linear head, fitted on the hotels that concepts are found
in; everything is judged on other hotels.
"""

from __future__ import annotations

import time

from common import DATA, SHARED, results, run

# isort: split
import keras
import numpy as np
import pandas as pd

from hotelviz.catalog import read_catalog
from hotelviz.concepts import (
    ConceptActivity,
    Concepts,
    concept_activity,
    concept_by_example,
    contributions,
    find_concepts,
    removal_effects,
    score_ends,
)
from hotelviz.metrics.linear_head import fit_linear_head
from hotelviz.models import (
    Preprocessing,
    activations,
    build_tagger,
    load_keras,
    model_info,
    wrap_model,
)
from hotelviz.reports.verdicts.found_concepts import dealt_photos

AREAS = DATA / "areas.csv"
NIMA = SHARED / "keras" / "nima" / "mobilenet_aesthetic.keras"
#: Demos that shortcuts are looked for in. Those of seeds 0 to 2 were in sight when the number of
#: concepts and the correction of the tests were settled on.
_FRESH = range(3, 13)


def photos_of(*, short: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return photos of hotels to find concepts in, and of others to judge them on."""
    photos = read_catalog(AREAS)
    photos = photos[photos["source"] == "hotels"]
    return dealt_photos(photos, 450 if short else 3000)


def fitted_tagger(photos: pd.DataFrame) -> keras.Model:
    """Fit the last layer of a MobileNet on photos."""
    from hotelviz.images import iterate_images

    tagger = build_tagger(sorted(photos["label"].unique()), weights="imagenet")
    classes = list(model_info(tagger).classes)
    run_batch = activations(tagger, ["pooled"])
    parts = [
        (batch.rows, run_batch(batch.pixels)[0])
        for batch in iterate_images(photos["path"], size=(224, 224))
    ]
    rows, features = (np.concatenate(each) for each in zip(*parts, strict=True))
    known = photos.iloc[rows]
    targets = np.eye(len(classes))[[classes.index(name) for name in known["label"]]]
    head = fit_linear_head(
        features, targets, groups=known["hotel_id"].to_numpy(), penalties=(3e-2, 1e-1, 3e-1)
    )
    dense = next(one for one in reversed(tagger.layers) if isinstance(one, keras.layers.Dense))
    dense.set_weights([head.kernel, head.bias])
    return tagger


def aesthetic() -> keras.Model:
    """Return idealo's published aesthetic model."""
    prepared = Preprocessing(224, 224, resample="nearest", value_range="-1..1")
    return wrap_model(load_keras(NIMA), task="aesthetic", preprocessing=prepared)


def told(name: str, concepts: Concepts, judged: pd.DataFrame) -> ConceptActivity:
    """Note how well concepts hold on photos of other hotels."""
    activity = concept_activity(concepts, judged, progress=False)
    table = contributions(concepts, activity)
    error = max(activity.error, float(table["error"].abs().max()))
    results.append((f"{name}: sum less logit, largest", "1e-3", f"{error:.1e}"))
    share = f"{activity.residual_share:.1%} of {len(judged)} photos' logits"
    results.append((f"{name}: of no concept, other hotels", "at most 10 %", share))
    moved = (table["value"] - table["bias"]).abs().mean()
    target = f"{table['residual'].abs().mean() / moved:.1%}"
    results.append((f"{name}: the same of class or mean score, less bias", "at most 10 %", target))
    chosen = concepts.choice.set_index("n_concepts").loc[len(concepts)]
    stable = f"{chosen['stability']:.2f} with {len(concepts)} concepts"
    results.append((f"{name}: found again in the other half", "0.8", stable))
    print(concepts.choice.round(3).to_string(index=False))
    print(removal_effects(concepts, activity).round(3).to_string(index=False))
    return activity


def tagger(*, short: bool) -> None:
    """Find the concepts of a tagger, and time it."""
    finding, judged = photos_of(short=short)
    model = fitted_tagger(finding)
    started, used = time.perf_counter(), time.process_time()
    found = find_concepts(model, finding, progress=False)
    concept_activity(found, judged, progress=False)
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    per = 2000 / (len(finding) + len(judged))
    measured = f"{wall * per:.0f} s (of the processor {cpu * per:.0f} s)"
    results.append(("2,000 photos: how many, found, applied", "under 2 min, 2 cores", measured))
    told("tagger", found, judged)


def scores(*, short: bool) -> None:
    """Find the concepts of an aesthetic model, and what speaks for either end."""
    finding, judged = photos_of(short=short)
    found = find_concepts(aesthetic(), finding, progress=False)
    activity = told("aesthetic", found, judged)
    print(score_ends(found, activity).round(3).to_string(index=False))


def by_example(*, short: bool) -> None:
    """Take labels as concepts, and random sets for what is none."""
    finding, judged = photos_of(short=short)
    model = fitted_tagger(finding)
    photos = pd.concat([finding, judged], ignore_index=True)
    # One pass over the photos for each set: their number is what this takes.
    photos = photos.groupby("hotel_id").head(5).reset_index(drop=True)
    random, alarms = np.random.default_rng(0), []
    pools = photos[photos["label"] == "Pool"].groupby("hotel_id").head(1).head(20)
    found = concept_by_example(model, pools, photos, "Pool", progress=False)
    measured = f"{found.accuracy:.0%} (p {found.p_accuracy:.2f}), effect p {found.p_value:.2f}"
    results.append(("20 pools by example: probe on other hotels", "", measured))
    n_sets = 5 if short else 40
    for _ in range(n_sets):
        hotels = random.permutation(photos["hotel_id"].unique())[:12]
        drawn = photos[photos["hotel_id"].isin(hotels)].groupby("hotel_id").head(2)
        one = concept_by_example(model, drawn, photos, "Pool", progress=False)
        alarms.append((one.p_value <= 0.05, one.p_accuracy <= 0.05))
    effect, probe = np.sum(alarms, axis=0)
    results.append(("random sets: alarms of effect, of probe", "at most 5 %",
                    f"{effect} and {probe} of {n_sets}"))  # fmt: skip


def shortcuts(*, short: bool) -> None:
    """Look for the rails of drawn demos, and for shortcuts where none was planted."""
    import tempfile
    from itertools import product
    from pathlib import Path

    from demos import tagged_demo

    from hotelviz.reports.verdicts.tried_concepts import tried_concepts

    first: dict[tuple[bool, bool], list[str]] = {}
    for pretrained, seed in product((True, False), _FRESH[: 1 if short else None]):
        with tempfile.TemporaryDirectory() as folder:
            for planted in (True, False):
                model, tags = tagged_demo(
                    Path(folder), pretrained=pretrained, seed=seed, n_hotels=60, shortcut=planted
                )
                tried = tried_concepts(model, tags, 0, seed=seed)
                print(tried.shortcuts.head(3).round(3).to_string())
                rows = tried.suspects
                pairs = [" as ".join(pair) for pair in rows[["label", "predicted"]].to_numpy()]
                print(f"suspected: {', '.join(pairs) or 'none'}\n", flush=True)
                first.setdefault((pretrained, planted), []).append(pairs[0] if pairs else "none")
    for (pretrained, planted), found in first.items():
        name = f"demos {'with weights' if pretrained else 'without weights'}"
        wanted = "Pool as Bathroom" if planted else "none"
        results.append((f"{name}, {'rails' if planted else 'no rails'}: first suspect", wanted,
                        f"{found.count(wanted)} of {len(found)}"))  # fmt: skip


if __name__ == "__main__":
    sections = {"tagger": tagger, "scores": scores, "by_example": by_example}
    run(__doc__, sections | {"shortcuts": shortcuts})
