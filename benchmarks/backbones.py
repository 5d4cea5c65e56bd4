"""Lighter networks: how right they are on photos of hotels not seen, against how fast they are.

    KERAS_HOME=../shared/keras python benchmarks/backbones.py [--short]

A teacher, a linear head on MobileNet at 224 pixels, learns eight areas from photos of hotels and of
public sets. Narrower and smaller networks are distilled from it, on the same photos and on those of
the hotels and of homes that have no label here. All are judged by `predict_tags` on the hotels of
one fold in five, and timed in turn. The short form takes one student and few epochs: about 15
minutes on two cores; the long one takes hours. ``backbones.csv`` and ``backbones.png`` are what
`docs/scale.md` shows.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from common import DATA, interval, leave, results, run

# isort: split
import numpy as np
import pandas as pd

TEACHER = "MobileNet 1.0, 224 px"
#: name -> settings of its distillation; ImageNet's weights are here for MobileNet 1.0 alone.
STUDENTS: dict[str, dict[str, Any]] = {
    "MobileNet 0.5, 224 px": {"backbone_kw": {"alpha": 0.5}},
    "MobileNet 0.5, 160 px": {"backbone_kw": {"alpha": 0.5}, "input_size": 160},
    "MobileNet 0.25, 160 px": {"backbone_kw": {"alpha": 0.25}, "input_size": 160},
    "MobileNet 1.0, 160 px": {"backbone_kw": {"alpha": 1.0}, "input_size": 160},
}
#: So many of them in the short form.
SHORT = 1
#: Epochs of hints, and of fine-tuning.
EPOCHS: dict[str, int] = {"hint_epochs": 20, "fine_tune_epochs": 10}
SHORT_EPOCHS: dict[str, int] = {"hint_epochs": 4, "fine_tune_epochs": 4}


def hotels() -> pd.DataFrame:
    """Give the photos: hotels and homes, and public sets; a fifth of the hotels tests."""
    from real_photos import WEIGHTS
    from sklearn.model_selection import StratifiedGroupKFold

    from hotelviz.catalog import read_catalog

    areas = read_catalog(DATA / "areas.csv")
    homes = areas[areas["source"] == "houses"].assign(label=None)
    areas = areas[areas["source"] == "hotels"]
    every = read_catalog(DATA / "hotels" / "catalog.csv", classes=None)
    others = every[~every["path"].isin(areas["path"]) & (every["kind"] == "photo")]
    extra = read_catalog(DATA / "enriched" / "catalog.csv").assign(source="enriched")
    extra["image_id"] = extra["hotel_id"] = "enriched/" + extra["image_id"]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    _, tested = next(folds.split(areas, areas["label"], groups=areas["hotel_id"]))
    kept = set(areas["hotel_id"].iloc[tested])
    # What they show is not used: most of a team's photos have no label.
    others = others.assign(image_id="others/" + others["image_id"], label=None)
    photos = pd.concat([areas, others, homes, extra], ignore_index=True)
    photos["weight"] = photos["source"].map(WEIGHTS).fillna(1.0)
    photos["split"] = np.where(photos["hotel_id"].isin(kept), "test", "train")
    return photos


def rate(model: Any, seconds: float) -> float:
    """Give photos per second of OpenVINO in float32, on pixels that are there."""
    from hotelviz.inference import make_backend
    from hotelviz.models import model_info

    backend = make_backend(model, "openvino", precision="float32")
    pixels = np.zeros((backend.batch_size, *model_info(model).preprocessing.size, 3), "uint8")
    with ThreadPoolExecutor(backend.parallel) as pool:
        calls = 2 * backend.parallel
        list(pool.map(backend.predict, [pixels] * calls))
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            list(pool.map(backend.predict, [pixels] * calls))
            done += calls * len(pixels)
        return done / (time.perf_counter() - started)


def trained(photos: pd.DataFrame, *, short: bool) -> dict[str, tuple[Any, float]]:
    """Train the teacher and its students; give each with the seconds that it took."""
    from hotelviz.training import distill, train_tagger

    labelled = photos[photos["label"].notna()]
    started = time.perf_counter()
    file = leave("teacher.keras")
    teacher = train_tagger(labelled, effort="quick", out=file, progress=False)
    models = {TEACHER: (teacher, time.perf_counter() - started)}
    print(f"{TEACHER}: {models[TEACHER][1]:.0f} s", flush=True)
    for name, settings in list(STUDENTS.items())[: SHORT if short else None]:
        started = time.perf_counter()
        file = leave(f"student_{'_'.join(name.split())}.keras")
        student = distill(
            teacher, photos, start="teacher", out=file, progress=False,
            **(SHORT_EPOCHS if short else EPOCHS), **settings,
        )  # fmt: skip
        models[name] = student, time.perf_counter() - started
        print(f"{name}: {models[name][1]:.0f} s", flush=True)
    return models


def backbones(*, short: bool) -> None:
    """Measure accuracy once and speed in turn; draw the Pareto front."""
    from hotelviz import metrics
    from hotelviz.inference import predict_tags

    photos = hotels()
    models = trained(photos, short=short)
    test = photos[(photos["split"] == "test") & photos["label"].notna()]
    said, rows = {}, []
    for name, (model, seconds) in models.items():
        tags = predict_tags(test, model, mirror=True, progress=False)
        said[name] = test.merge(tags, on="image_id")
        top1 = metrics.summary(said[name]).set_index("metric").loc["top-1 accuracy"]
        right = {key: said[key]["predicted"] == said[key]["label"] for key in (name, TEACHER)}
        rows.append(
            {
                "network": name, "parameters": model.count_params(), "top-1": top1["value"],
                "low": top1["low"], "high": top1["high"],
                "behind the teacher": right[TEACHER].mean() - right[name].mean(),
                "agrees with it": (said[name]["predicted"] == said[TEACHER]["predicted"]).mean(),
                "minutes": seconds / 60,
            }
        )  # fmt: skip
        print(interval(top1), flush=True)
    # In turn, several times, the fastest each: what else a machine does only slows them.
    rates: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(2 if short else 7):
        for name, (model, _) in models.items():
            rates[name].append(rate(model, 0.5))
    table = pd.DataFrame(rows)
    table["photos/s"] = [float(max(rates[name])) for name in table["network"]]
    table["times the teacher"] = table["photos/s"] / table["photos/s"].iloc[0]
    table["front"] = on_front(table)
    table.to_csv(leave("backbones.csv"), index=False)
    print(table.round(4).to_string(index=False))
    draw(table, len(test), test["hotel_id"].nunique())
    for row in table.iloc[1:].to_dict("records"):
        narrow = "0.5" in row["network"]
        results.append(
            (
                row["network"], "within .02 of its teacher, >= 2 x as fast" if narrow else "",
                f"top-1 {row['top-1']:.3f}, {row['behind the teacher']:.3f} behind, "
                f"{row['times the teacher']:.1f} x",
            )
        )  # fmt: skip


def on_front(table: pd.DataFrame) -> list[bool]:
    """Say which networks no other beats both in accuracy and in speed."""
    return [
        not (
            (table["top-1"] >= row["top-1"]) & (table["photos/s"] >= row["photos/s"])
            & ((table["top-1"] > row["top-1"]) | (table["photos/s"] > row["photos/s"]))
        ).any()
        for _, row in table.iterrows()
    ]  # fmt: skip


def draw(table: pd.DataFrame, n_photos: int, n_hotels: int) -> None:
    """Draw accuracy against speed, with the front."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, ax = plt.subplots(figsize=(7.5, 4.5))
    for label, rows in (("teacher", table.iloc[:1]), ("its students", table.iloc[1:])):
        bounds = [rows["top-1"] - rows["low"], rows["high"] - rows["top-1"]]
        ax.errorbar(rows["photos/s"], rows["top-1"], yerr=bounds, fmt="o", capsize=3, label=label)
    for row in table.to_dict("records"):
        ax.annotate(
            row["network"], (row["photos/s"], row["top-1"]), xytext=(6, 4),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    front = table[table["front"]].sort_values("photos/s")
    ax.plot(front["photos/s"], front["top-1"], "--", linewidth=1, color="grey", zorder=0,
            label="Pareto front")  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.2)
    ax.set_xlabel("photos per second (OpenVINO float32, pixels in memory)")
    ax.set_ylabel(f"top-1, 8 areas, {n_photos} photos of {n_hotels} hotels not seen")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(leave("backbones.png"), dpi=90)
    plt.close(figure)


SECTIONS = {"backbones": backbones}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
