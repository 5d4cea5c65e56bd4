"""Lighter networks: how right they are on the real photos, against how fast they are.

    KERAS_HOME=../shared/keras python benchmarks/backbones.py [--short] [--only NAME ...]

Each network gives features of the photos of homes; a linear model on them tells four areas apart,
on homes that it has not seen, as the talk's transfer learning begins. Keras' ImageNet weights are
taken where they are on this machine. Lighter MobileNets are trained here from scratch on the same
homes otherwise, at 160 pixels, and cannot reach what ImageNet taught; a network that would take
hours is left out of the accuracies. The table says which.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import DATA, SHARED, leave, results, run

# isort: split
import numpy as np
import pandas as pd

#: backbone, its keywords, pixels
NETWORKS = (
    ("MobileNet", {"alpha": 1.0}, 224),
    ("MobileNet", {"alpha": 1.0}, 160),
    ("MobileNet", {"alpha": 0.5}, 224),
    ("MobileNet", {"alpha": 0.5}, 160),
    ("MobileNet", {"alpha": 0.25}, 224),
    ("MobileNet", {"alpha": 0.25}, 160),
    ("EfficientNetV2B0", {}, 224),
)  # fmt: skip
EPOCHS = 12
#: Pixels at which networks without ImageNet's weights are trained; they take photos of any size.
TRAINED_AT = 160
#: Not trained here: on a processor it takes hours.
LEFT_OUT = ("EfficientNetV2B0",)


def weights_of(backbone: str, keywords: dict[str, Any]) -> Path | None:
    """Give the file of ImageNet's weights, if this machine has it."""
    alpha = str(keywords.get("alpha", 1.0)).replace(".", "_")
    names = {
        "MobileNet": f"mobilenet_{alpha}_224_tf_no_top.h5",
        "EfficientNetV2B0": "efficientnetv2-b0_notop.h5",
    }
    file = SHARED / "keras" / "models" / names[backbone]
    return file if file.is_file() else None


def homes() -> pd.DataFrame:
    from hotelviz.catalog import read_catalog

    photos = read_catalog(DATA / "houses" / "catalog.csv")
    number = photos["hotel_id"].str.extract(r"(\d+)")[0].astype(int)
    order = number.rank(method="dense")
    # Later homes test; of the others every eighth says when training is enough.
    photos["split"] = np.where(order > 0.75 * order.max(), "test", "train")
    photos.loc[(photos["split"] == "train") & (order % 8 == 0), "split"] = "val"
    return photos


def from_scratch(photos: pd.DataFrame, backbone: str, keywords: dict[str, Any], epochs: int) -> Any:
    """Train a tagger without ImageNet."""
    from hotelviz.training import train_tagger

    return train_tagger(
        photos, backbone=backbone, backbone_kw=keywords, input_size=TRAINED_AT, weights=None,
        fine_tune_epochs=epochs, fine_tune_learning_rate=1e-3, progress=False,
    )  # fmt: skip


def accuracy(model: Any, photos: pd.DataFrame) -> tuple[float, float]:
    """Give top-1 of a linear model on the network's features, and its standard error."""
    import keras
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from hotelviz.images import iterate_images
    from hotelviz.models import Preprocessing, activations, gap_node, model_info, wrap_model

    pooled = gap_node(model).output
    info: Preprocessing = model_info(model).preprocessing
    count = int(np.prod(pooled.shape[1:]))
    flat = keras.Model(model.inputs[0], keras.layers.Flatten()(pooled))
    wrap_model(flat, task="tagger", classes=[str(n) for n in range(count)], preprocessing=info)
    predict = activations(flat)
    features = np.concatenate(
        [predict(batch.pixels) for batch in iterate_images(photos["path"], size=info.size)]
    )
    train = (photos["split"] != "test").to_numpy()
    labels = photos["label"].to_numpy(dtype=object)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    linear.fit(features[train], labels[train])
    right = linear.predict(features[~train]) == labels[~train]
    return float(right.mean()), float(right.std() / np.sqrt(len(right)))


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


def backbones(*, short: bool) -> None:
    """Measure accuracy once and speed in turn; draw the Pareto front."""
    from hotelviz.models import build_tagger

    photos = homes()
    if short:
        photos = photos.groupby("split").head(200)
    classes = sorted(photos["label"].unique())
    models, rows, trained = {}, [], {}
    for backbone, keywords, size in NETWORKS:
        name = f"{backbone} {keywords.get('alpha', '')}".strip() + f", {size} px"
        file = weights_of(backbone, keywords)
        started = time.perf_counter()
        # MobileNet's layers take photos of another size than they were trained with.
        model = build_tagger(
            classes, backbone=backbone, input_size=size, weights="imagenet" if file else None,
            backbone_kw=keywords,
        )  # fmt: skip
        taught = "ImageNet" if file else f"trained here from scratch, {TRAINED_AT} px"
        if file is None and backbone in LEFT_OUT:
            taught, top1, error = "left out: no weights here", np.nan, np.nan
        else:
            if file is None:
                key = f"{backbone} {keywords}"
                if key not in trained:
                    trained[key] = from_scratch(photos, backbone, keywords, 1 if short else EPOCHS)
                model.set_weights(trained[key].get_weights())
            top1, error = accuracy(model, photos)
        models[name] = model
        rows.append(
            {
                "network": name, "weights": taught,
                "parameters": model.count_params(), "top-1": top1, "standard error": error,
                "seconds": time.perf_counter() - started,
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
    # In turn, several times, the fastest each: what else a machine does only slows them.
    rates = {name: [] for name in models}
    for _ in range(2 if short else 7):
        for name, model in models.items():
            rates[name].append(rate(model, 0.5))
    table = pd.DataFrame(rows)
    table["photos/s"] = [float(max(rates[name])) for name in table["network"]]
    table["front"] = on_front(table)
    table.to_csv(leave("backbones.csv"), index=False)
    print(table.round(4).to_string(index=False))
    draw(table)
    for row in table.to_dict("records"):
        results.append(
            (
                row["network"], "",
                f"top-1 {row['top-1']:.3f} ± {row['standard error']:.3f}, "
                f"{row['photos/s']:.0f} photos/s, {row['weights']}",
            )
        )  # fmt: skip


def on_front(table: pd.DataFrame) -> list[bool]:
    """Say which networks no other beats both in accuracy and in speed."""
    return [
        not (
            np.isnan(row["top-1"])
            | (table["top-1"] >= row["top-1"]) & (table["photos/s"] >= row["photos/s"])
            & ((table["top-1"] > row["top-1"]) | (table["photos/s"] > row["photos/s"]))
        ).any()
        for _, row in table.iterrows()
    ]  # fmt: skip


def draw(table: pd.DataFrame) -> None:
    """Draw accuracy against speed, with the front."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 4.5))
    for kind, rows in table.dropna().groupby("weights"):
        ax.errorbar(
            rows["photos/s"], rows["top-1"], yerr=rows["standard error"], fmt="o", capsize=3,
            label=kind,
        )  # fmt: skip
    for row in table.dropna().to_dict("records"):
        ax.annotate(
            row["network"], (row["photos/s"], row["top-1"]), xytext=(6, 4),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    front = table[table["front"]].sort_values("photos/s")
    ax.plot(front["photos/s"], front["top-1"], "--", linewidth=1, color="grey", zorder=0,
            label="Pareto front")  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlabel("photos per second (OpenVINO float32, pixels in memory)")
    ax.set_ylabel("top-1, four areas, homes not seen")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(leave("backbones.png"), dpi=90)
    plt.close(figure)


SECTIONS = {"backbones": backbones}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
