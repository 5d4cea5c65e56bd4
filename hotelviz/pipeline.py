"""Everything in one go, on drawn photos: what ``hotelviz demo`` runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from hotelviz.catalog import read_catalog
from hotelviz.decisions import append_decisions
from hotelviz.demo import decide_by_truth, make_demo_catalog
from hotelviz.inference import score_photos
from hotelviz.io.claims import own_folder
from hotelviz.models import load_model
from hotelviz.reports import run_report, write_index

__all__ = ["TAGGER_SETTINGS", "run_demo"]

#: A small network learns from scratch in two minutes only with a high learning rate.
TAGGER_SETTINGS: dict[str, Any] = {
    "weights": "none",
    "backbone_kw": {"alpha": 0.25},
    "fine_tune_learning_rate": 3e-3,
    "input_size": 192,
    "batch_size": 16,
    "dropout": 0.1,
    "label_smoothing": 0.05,
    "smallest_crop": 0.45,
    "rotation": 5.0,
}
#: What the explanations and filter pictures of the demo do with less of.
_EXPLAINED: dict[str, Any] = {
    "methods": ["cam", "layercam", "saliency"], "checked": ["cam", "gradcam"],
    "check_photos": 20, "pairs": 2, "gallery_limit": 12,
}  # fmt: skip
_FILTERS: dict[str, Any] = {
    "layers": ["conv_pw_3", "conv_pw_11"], "channels": 4, "size": 64, "steps": 24, "photos": 32,
    "searched": 150, "cards": 1,
}  # fmt: skip
#: Validation is unsteady on so few photos: it picks the epoch, but does not end the training.
_AESTHETIC: dict[str, Any] = {
    "head_epochs": 12, "fine_tune_learning_rate": 1e-3, "batch_size": 16, "patience": 14,
}  # fmt: skip


def run_demo(
    out: Path, *, hotels: int, seed: int, epochs: int, say: Callable[[str], Any] = print
) -> Path:
    """Draw a catalogue, train small models on it from scratch, and write all reports.

    Parameters
    ----------
    out
        The folder that gets the reports; ``demo/`` in it gets photos, models and scores, and is
        refused where no demo made it.
    hotels
        How many are drawn.
    seed
        Of the drawings and the training.
    epochs
        Most epochs of the tagger's training and of the second aesthetic iteration; the first has
        a quarter.
    say
        Is told what is being done.

    Returns
    -------
    pathlib.Path
        The index of the reports.
    """
    folder = own_folder(out / "demo", "demo")
    say(f"drawing {hotels} hotels into {folder}")
    make_demo_catalog(folder, n_hotels=hotels, seed=seed)
    catalog, tagger = str(folder / "catalog.csv"), str(folder / "tagger.keras")
    iterations = [str(folder / f"aesthetic_{number}.keras") for number in (1, 2)]
    scores, audit = str(folder / "scores"), folder / "audit"

    def report(name: str, page: str = "", *, progress: bool = False, **parameters: Any) -> None:
        run_report(name, parameters, out / f"{page or name}.html", progress=progress)
        say(f"wrote {page or name}.html")

    def train_aesthetic(number: int, rated: str, parent: str, epochs: int) -> None:
        report(
            "aesthetic_training", f"aesthetic_training_{number}", progress=True, catalog=rated,
            out=iterations[number - 1], parent=parent, fine_tune_epochs=max(1, epochs), seed=seed,
            **_AESTHETIC,
        )  # fmt: skip

    def clean() -> None:
        """Audit the labelled photos, have the suspects decided, and compare before and after."""
        report(
            "cleaning_audit", catalog=catalog, model=tagger, out=str(audit), truth=str(folder),
            seed=seed,
        )  # fmt: skip
        issues = pd.read_parquet(audit / "issues.parquet")
        append_decisions(audit / "decisions.csv", decide_by_truth(issues, folder))
        report(
            "cleaning_effect", catalog=catalog, model=tagger, seed=seed,
            decisions=[str(audit / "decisions.csv")],
        )  # fmt: skip

    say("training a MobileNet (alpha 0.25) from scratch as tagger")
    report(
        "tagger_training", progress=True, catalog=catalog, out=tagger, fine_tune_epochs=epochs,
        seed=seed, **TAGGER_SETTINGS,
    )  # fmt: skip
    # Starting a notebook keeps one core busy for a while: another report runs beside it.
    with ThreadPoolExecutor(2) as pool:
        tags = str(folder / "tags.parquet")
        beside = pool.submit(report, "tagger_report", catalog=catalog, model=tagger, tags_out=tags)
        explained = pool.submit(
            report, "explain_tagger", catalog=catalog, model=tagger, truth=str(folder), seed=seed,
            **_EXPLAINED,
        )  # fmt: skip
        say("training the aesthetic model, first on the public's ratings, then on colleagues'")
        train_aesthetic(1, str(folder / "public.csv"), tagger, epochs // 4)
        beside.result()
        shutil.rmtree(audit, ignore_errors=True)
        cleaning = pool.submit(clean)
        train_aesthetic(2, catalog, iterations[0], epochs)
        others = [
            pool.submit(
                report, "compare_filters", original=tagger, tuned=iterations[1], catalog=catalog,
                seed=seed, **_FILTERS,
            ),
            pool.submit(report, "aesthetic_report", catalog=catalog, models=iterations),
        ]  # fmt: skip
        shutil.rmtree(scores, ignore_errors=True)
        models = [load_model(file) for file in (iterations[1], tagger)]
        score_photos(read_catalog(catalog), models, scores)
        others += [
            pool.submit(report, "score_distribution", scores=scores),
            pool.submit(report, "hotel_ranking", scores=scores, catalog=catalog),
        ]
        for other in [*others, explained, cleaning]:
            other.result()
    return write_index(out)
