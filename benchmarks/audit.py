"""Judge and time the audit on real photos: copies, wrong labels, what cleaning buys, scaling.

    KERAS_HOME=../shared/keras python benchmarks/audit.py [--short] [--only NAME ...]

Looks for the photos in ``../shared/data`` beside the repository. The section `speed` compares with
cleanvision (``pip install cleanvision``) and says so when it is not installed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import cache

from common import DATA, ROOT, compare, enlarge, leave, results, run

# isort: split
import numpy as np
import pandas as pd

from hotelviz.schema import AREAS

#: Classes of houses that are confused.
SIMILAR = {
    "Bathroom": "Kitchen", "Kitchen": "Bathroom", "Bedroom": "Bathroom",
    "View_of_Exterior": "Bedroom",
}  # fmt: skip
#: Image properties, computed once for all sections; in `again` that would spoil the timings.
PROPERTIES = tempfile.TemporaryDirectory()


@cache
def network():
    """Return the network whose features judge labels."""
    from hotelviz.embeddings import feature_model

    model, note = feature_model()
    print(note)
    return model


def catalog_of(name: str) -> pd.DataFrame:
    """Read one of the catalogues, under names that are unique among all."""
    from hotelviz.catalog import read_catalog

    photos = read_catalog(DATA / name / "catalog.csv", classes=None)
    photos["image_id"] = name + "/" + photos["image_id"].astype(str)
    if photos["hotel_id"].isna().any() or name == "enriched":
        photos["hotel_id"] = photos["image_id"]
    return photos.assign(source=name)


def audit(photos: pd.DataFrame, **settings):
    """Audit photos with the image properties that earlier sections left."""
    from hotelviz.audit import find_issues

    return find_issues(
        photos, model=network(), cache=PROPERTIES.name, progress=False, **settings
    )  # fmt: skip


def houses(*, short: bool) -> None:  # noqa: ARG001
    """Find the natural copies and list the natural wrong labels of the houses."""
    from hotelviz.gallery import Gallery, issue_caption

    photos = catalog_of("houses")
    started = time.perf_counter()
    found = audit(photos)
    first = time.perf_counter() - started
    started = time.perf_counter()
    audit(photos)
    print(f"{len(photos)} photos: {first:.1f} s, again {time.perf_counter() - started:.1f} s")
    print(found.summary[found.summary["photos"] > 0].to_string())
    truth = pd.read_csv(DATA / "houses" / "duplicates.csv")
    copies = found.issues[found.issues["issue"].str.endswith("_duplicate")]
    pairs = {
        frozenset((a, b))
        for _, group in copies.groupby("group")["image_id"]
        for a in group
        for b in group
        if a < b
    }
    for kind in ("exact", "near"):
        known = truth[truth["kind"] == kind]
        right = {frozenset((f"houses/{r.a}", f"houses/{r.b}")) for r in known.itertuples()}
        results.append(
            (f"houses, {kind} pairs found", f"{len(right)}", f"{len(right & pairs)}")
        )  # fmt: skip
    every = {frozenset((f"houses/{r.a}", f"houses/{r.b}")) for r in truth.itertuples()}
    results.append(("houses, pairs that are none", "0", f"{len(pairs - every)}"))
    suspects = found.issues[found.issues["issue"] == "label_error"].reset_index(drop=True)
    torn = truth[truth["labels_differ"] == 1]
    certain = set("houses/" + pd.concat([torn["a"], torn["b"]]))
    flagged = [
        {f"houses/{pair.a}", f"houses/{pair.b}"} & set(suspects["image_id"])
        for pair in torn.itertuples()
    ]
    most = sum(map(len, flagged))
    at_top = suspects.head(most)["image_id"].isin(certain).all() and all(flagged)
    results.append(
        (
            "houses, cross-label copies at the top of the suspects",
            f"{len(torn)} pairs",
            f"{len(torn) if at_top else 'not all'} pairs, {most} photos",
        )
    )
    print(suspects[["image_id", "score", "suggestion", "detail"]].to_string(max_colwidth=90))
    Gallery(
        suspects.merge(photos, on="image_id"), caption=issue_caption,
        title="Houses: labels that are probably wrong",
    ).save(leave("houses_suspects.html"))  # fmt: skip


def flagged_figures(found, wrong: pd.Series, known: pd.Series) -> tuple[float, float, float]:
    """Compute precision and recall of the flagged, and precision at the number of wrong labels."""
    suspects = found.issues[found.issues["issue"] == "label_error"]["image_id"]
    flagged = wrong.index.isin(suspects) & known
    judged = pd.Series(found.label_issues.quality, index=wrong.index[found.label_issues.rows])
    worst = judged[known.loc[judged.index]].nsmallest(int((wrong & known).sum())).index
    hits = (wrong & flagged).sum()
    return (
        hits / max(flagged.sum(), 1), hits / (wrong & known).sum(), wrong.loc[worst].mean()
    )  # fmt: skip


def noise(*, short: bool) -> None:
    """Plant wrong labels among the houses' and look for them."""
    photos = catalog_of("houses").set_index("image_id", drop=False).rename_axis(None)
    every = sorted(photos["label"].unique())
    for kind in ("random", "similar"):
        rows = []
        for seed in range(1 if short else 3):
            random = np.random.default_rng(seed)
            chosen = random.choice(photos.index, round(0.1 * len(photos)), replace=False)
            noisy = photos.copy()
            for image in chosen:
                label = photos.at[image, "label"]
                others = [name for name in every if name != label]
                noisy.at[image, "label"] = (
                    SIMILAR[label] if kind == "similar" else random.choice(others)
                )
            wrong = photos["label"] != noisy["label"]
            rows.append(flagged_figures(audit(noisy), wrong, wrong.notna()))
        precision, recall, at_k = np.mean(rows, axis=0)
        print(f"{kind}: precision, recall, precision at k of each seed {np.round(rows, 3)}")
        results.extend(
            [
                (f"houses, 10 % {kind} noise, precision at k", ">= 0.95", f"{at_k:.3f}"),
                (f"houses, 10 % {kind} noise, flagged precision", ">= 0.94", f"{precision:.3f}"),
                (f"houses, 10 % {kind} noise, flagged recall", ">= 0.94", f"{recall:.3f}"),
            ]
        )


def hotels(*, short: bool) -> None:  # noqa: ARG001
    """Find the labels that file names give wrongly, audited beside the other sources.

    Of the photos whose file names say one of the talk's classes, those of any other area are wrong.
    """
    from hotelviz.audit.label_issues import MARGIN

    photos = catalog_of("hotels")
    given = photos[photos["filename_label"].fillna("") != ""]
    given = given.assign(label=given["filename_label"])
    together = pd.concat([given, catalog_of("enriched"), catalog_of("houses")], ignore_index=True)
    together = together.set_index("image_id", drop=False).rename_axis(None)
    truth = photos.set_index("image_id")["label"].reindex(together.index)
    known = truth.notna() & together["label"].isin(AREAS)
    wrong = known & (truth != together["label"])
    print(f"{wrong.sum()} of {known.sum()} labels are wrong")
    for margin in (MARGIN, 0.1):
        precision, recall, at_k = flagged_figures(audit(together, margin=margin), wrong, known)
        results.append(
            (
                f"hotels, file-name labels, margin {margin}: flagged precision, recall",
                ">= 0.60, >= 0.75",
                f"{precision:.3f}, {recall:.3f} (at k {at_k:.3f})",
            )
        )


def story_stages(rest: pd.DataFrame, more: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the stages of the talk's story: named by file, enriched, cleaned, and the truth."""
    from hotelviz.audit import apply_decisions, suggest_decisions

    named = rest[rest["filename_label"].isin(AREAS)]
    file_names = named.assign(label=named["filename_label"])
    enriched = more.assign(split="train")
    noisy = pd.concat([file_names, enriched], ignore_index=True)
    # What else is at hand helps to see which labels are wrong; it is not trained on.
    found = audit(pd.concat([noisy, catalog_of("houses")], ignore_index=True))
    decided = suggest_decisions(found.issues, policy="automatic")
    print(f"decided {decided['action'].value_counts().to_dict()}")
    right = named[named["label"].isin(AREAS)]
    whole = rest[rest["label"].isin(AREAS)]
    return {
        "a: file names": file_names,
        "b: a, enriched, augmented": noisy,
        "c: b, cleaned automatically": apply_decisions(noisy, decided).catalog,
        "d: the same photos, right labels": pd.concat([right, enriched], ignore_index=True),
        "all hotels' photos, right labels": pd.concat([whole, enriched], ignore_index=True),
    }


def story(*, short: bool) -> None:
    """Tell the talk's story: named by file, enriched and augmented, cleaned; five folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    from hotelviz.audit import compare_datasets

    photos = catalog_of("hotels")
    usable = photos[photos["label"].isin(AREAS) & (photos["sure"] == "1")].reset_index(drop=True)
    more = catalog_of("enriched")
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
        usable, usable["label"], groups=usable["hotel_id"]
    )
    parts = []
    for number, (_, tested) in enumerate(folds):
        test = usable.iloc[tested]
        rest = photos[~photos["hotel_id"].isin(test["hotel_id"])].assign(split="train")
        stages = story_stages(rest, more)
        compared = compare_datasets(
            stages, test, model=network(), augmented=[*stages][1:], cache=PROPERTIES.name,
            progress=False,
        )  # fmt: skip
        predictions = compared.predictions
        parts.append(predictions[predictions["tested"] == "same"].assign(fold=number))
        print(f"fold {number}: {len(test)} photos tested", flush=True)
        if short:
            break
    story_figures(pd.concat(parts, ignore_index=True))


def story_figures(predictions: pd.DataFrame) -> None:
    """Print the figures of each stage, and how much of the gap cleaning closes."""
    from hotelviz import metrics

    columns = {"top-1 accuracy": "accuracy", "macro recall": "recall"}
    rows = {}
    for name, tags in predictions.groupby("stage"):
        table = metrics.summary(tags).set_index("metric").loc[list(columns)]
        texts = [metrics.Interval(*row) for row in table.to_numpy()]
        print(f"{name}: {len(tags)} photos, " + ", ".join(map(" ".join, zip(
            columns, map(str, texts), strict=True))))  # fmt: skip
        rows[name.partition(":")[0]] = dict(zip(columns.values(), table["value"], strict=True))
    for what in columns.values():
        a, b, c, d = (rows[letter][what] for letter in "abcd")
        share = (c - b) / (d - b)
        results.append(
            (
                f"story, {what}: share of the gap from b to d that cleaning recovers", ">= 0.5",
                f"{share:.2f} (a {a:.3f}, b {b:.3f}, c {c:.3f}, d {d:.3f})",
            )
        )  # fmt: skip


def speed(*, short: bool) -> None:
    """Compare with cleanvision's default checks on the same files, in turn."""
    from hotelviz.audit import find_issues

    try:
        from cleanvision import Imagelab
    except ImportError:
        print("cleanvision is not installed (pip install cleanvision): not compared")
        return
    every = [*(DATA / "houses" / "photos").glob("*.jpg"), *(DATA / "hotels" / "photos").glob("*")]
    small = [str(file) for file in sorted(every)[: 300 if short else 1600]]
    with tempfile.TemporaryDirectory() as folder:
        large = enlarge(small[:: len(small) // (32 if short else 128)], folder)
        for name, paths in (("448 pixels", small), ("1,920 pixels and more", large)):
            photos = pd.DataFrame({"image_id": paths, "path": paths, "hotel_id": "h"})

            def theirs(paths: list[str] = paths) -> None:
                Imagelab(filepaths=paths).find_issues(verbose=False)

            def ours(photos: pd.DataFrame = photos) -> None:
                find_issues(photos, progress=False)

            ratio, slow, fast = compare(theirs, ours, 2 if short else 3)
            print(
                f"{name}: cleanvision {len(paths) / slow:.0f} photos/s, hotelviz "
                f"{len(paths) / fast:.0f} photos/s, ratio {ratio:.2f}"
            )
            with_features = photos.head(256)
            find_issues(with_features.head(64), model=network(), progress=False)
            started = time.perf_counter()
            find_issues(with_features, model=network(), progress=False)
            seconds = time.perf_counter() - started
            print(f"  with features: {len(with_features) / seconds:.0f} photos/s")
            results.append((f"audit against cleanvision, {name}", ">= 3 x", f"{ratio:.2f} x"))


def again(*, short: bool) -> None:
    """Audit all photos, add five in a hundred, and audit again."""
    from hotelviz.audit import find_issues

    photos = pd.concat([catalog_of(name) for name in ("houses", "hotels", "enriched")])
    photos["label"] = photos["label"].where(photos["label"].isin(AREAS))
    photos = photos.sample(frac=0.25 if short else 1, random_state=0).reset_index(drop=True)
    before = photos.head(round(len(photos) / 1.05))
    times = []
    with tempfile.TemporaryDirectory() as folder:
        find_issues(before.head(64), model=network(), progress=False)
        for part in (before, photos):
            started = time.perf_counter()
            find_issues(part, model=network(), cache=folder, progress=False)
            times.append(time.perf_counter() - started)
    results.append(
        (
            f"second audit of {len(photos):,} photos, 5 % of them new", "<= 0.15",
            f"{times[1] / times[0]:.3f} ({times[0]:.1f} s, then {times[1]:.1f} s)",
        )
    )  # fmt: skip


def search(*, short: bool) -> None:
    """Find planted pairs among many vectors, each number of them in a process of its own."""
    for count in (10_000, 100_000, *(() if short else (1_000_000,))):
        answer = subprocess.run(
            [sys.executable, __file__, "--search", str(count)],
            check=True, capture_output=True, text=True, cwd=ROOT, env=os.environ,
        ).stdout  # fmt: skip
        seconds, gigabytes, recall = answer.split()
        results.extend([
            (f"search among {count:,} vectors of 256, recall", ">= 0.95", recall),
            (f"search among {count:,} vectors of 256, memory", "< 6 GB",
             f"{gigabytes} GB in {seconds} s"),
        ])  # fmt: skip


def search_in_this_process(count: int) -> None:
    """Print seconds, memory and recall of finding 1 % planted pairs among `count` vectors."""
    from hotelviz.embeddings import nearest_neighbours

    random = np.random.default_rng(0)
    # Photos lie in scenes: vectors around many centres, in directions of falling weight.
    weight = (1 + np.arange(256, dtype="float32")) ** -0.5
    centres = random.standard_normal((count // 50, 256), dtype="float32") * weight
    vectors = np.empty((count, 256), "float32")
    for start in range(0, count, 50_000):
        block = vectors[start : start + 50_000]
        random.standard_normal(out=block, dtype="float32")
        block *= weight
        block += centres[random.integers(len(centres), size=len(block))]
    pairs = random.permutation(count)[: count // 100 * 2].reshape(-1, 2)
    change = random.standard_normal((len(pairs), 256), dtype="float32") * weight * 0.35
    vectors[pairs[:, 1]] = vectors[pairs[:, 0]] + change
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    started = time.perf_counter()
    found = nearest_neighbours(vectors, 10)
    seconds = time.perf_counter() - started
    recall = (found.rows[pairs[:, 0]] == pairs[:, 1:]).any(axis=1)
    recall |= (found.rows[pairs[:, 1]] == pairs[:, :1]).any(axis=1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{seconds:.1f} {memory:.2f} {recall.mean():.4f}")


SECTIONS = {
    "houses": houses,
    "noise": noise,
    "hotels": hotels,
    "story": story,
    "speed": speed,
    "again": again,
    "search": search,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        search_in_this_process(int(sys.argv[2]))
    else:
        run(__doc__, SECTIONS, without_data=["search"])
