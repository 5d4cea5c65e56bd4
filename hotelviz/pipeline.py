"""Everything on one catalogue: train, clean, score, rank, and report on each step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from hotelviz.catalog import read_catalog
from hotelviz.decisions import append_decisions
from hotelviz.demo import decide_by_truth
from hotelviz.inference import score_photos
from hotelviz.models import load_model
from hotelviz.reports import run_report, write_index

#: Training from scratch: a high learning rate lets a small network learn in two minutes.
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
#: Parameters of each report, small enough for two cores. Validation varies much on few photos: it
#: chooses the epoch, but does not end the training.
SETTINGS: dict[str, dict[str, Any]] = {
    "tagger_training": TAGGER_SETTINGS,
    "aesthetic_training": {
        "head_epochs": 12, "fine_tune_learning_rate": 1e-3, "batch_size": 16, "patience": 14,
    },
    "explain_tagger": {
        "methods": ["cam", "layercam", "saliency"], "checked_methods": ["cam", "gradcam"],
        "n_checked": 20, "n_confusions": 2, "max_photos": 12,
    },
    "compare_filters": {
        "layers": ["conv_pw_3", "conv_pw_11"], "n_channels": 4, "size": 64, "steps": 24,
        "n_photos": 32, "n_searched": 150, "n_cards": 1,
    },
}  # fmt: skip


def run_pipeline(
    catalog: Path,
    out: Path,
    *,
    public: Path,
    truth: Path,
    fine_tune_epochs: int = 18,
    seed: int = 0,
    say: Callable[[str], Any] = print,
) -> Path:
    """Train small models on a catalogue from scratch, use them, and write all reports.

    Parameters
    ----------
    catalog : pathlib.Path
        The labelled and rated photos. Models, scores and the audit go to its folder.
    out : pathlib.Path
        The folder that gets the reports.
    public : pathlib.Path
        A catalogue with other people's ratings: the aesthetic model learns from it first.
    truth : pathlib.Path
        The folder of a demo catalogue; its truth decides on the photos that the audit finds.
    fine_tune_epochs : int, default 18
        Most epochs of phase two of the tagger and of the second aesthetic iteration; the first has
        a quarter.
    seed : int, default 0
        For splits, trainings and samples.
    say : callable, default print
        Is called with a line for each step.

    Returns
    -------
    pathlib.Path
        The index of the reports.
    """
    run = _Pipeline(catalog, out, truth, seed, say)
    say("training a MobileNet (alpha 0.25) from scratch as tagger")
    run.report("tagger_training", progress=True, out=run.tagger, fine_tune_epochs=fine_tune_epochs)
    # Starting a notebook keeps one core busy for a while: another report runs beside it.
    with ThreadPoolExecutor(2) as pool:
        tagged = pool.submit(run.report, "tagger_report", model=run.tagger, tags_out=run.tags)
        explained = pool.submit(run.report, "explain_tagger", model=run.tagger, truth=str(truth))
        say("training the aesthetic model, first on the public's ratings, then on colleagues'")
        run.train_aesthetic(1, public, run.tagger, max(1, fine_tune_epochs // 4))
        tagged.result()
        cleaned = pool.submit(run.clean)
        run.train_aesthetic(2, catalog, run.aesthetic[0], fine_tune_epochs)
        compared = [
            pool.submit(run.report, "compare_filters", original=run.tagger, tuned=run.aesthetic[1]),
            pool.submit(run.report, "aesthetic_report", models=run.aesthetic),
        ]
        run.score()
        used = [
            pool.submit(run.write, "score_distribution", scores=run.scores),
            pool.submit(run.write, "hotel_ranking", scores=run.scores, catalog=str(catalog)),
        ]
        for step in [explained, cleaned, *compared, *used]:
            step.result()
    return write_index(out)


class _Pipeline:
    """The steps, each of which reads what earlier ones left in the catalogue's folder."""

    def __init__(
        self, catalog: Path, out: Path, truth: Path, seed: int, say: Callable[[str], Any]
    ) -> None:
        self.catalog, self.out, self.truth, self.seed, self.say = catalog, out, truth, seed, say
        folder = catalog.parent
        self.tagger, self.tags = str(folder / "tagger.keras"), str(folder / "tags.parquet")
        self.aesthetic = [str(folder / f"aesthetic_{number}.keras") for number in (1, 2)]
        self.scores, self.audit = str(folder / "scores"), folder / "audit"

    def report(self, name: str, page: str = "", **given: Any) -> None:
        """Run a report on the catalogue, with the settings of the demo."""
        settings: dict[str, Any] = {"catalog": str(self.catalog), "seed": self.seed}
        self.write(name, page, **settings | SETTINGS.get(name, {}) | given)

    def write(
        self, name: str, page: str = "", *, progress: bool = False, **parameters: Any
    ) -> None:
        """Run a report with just these parameters."""
        page = f"{page or name}.html"
        run_report(name, parameters, self.out / page, progress=progress)
        self.say(f"wrote {page}")

    def train_aesthetic(self, number: int, rated: Path, parent: str, fine_tune_epochs: int) -> None:
        """Train an iteration of the aesthetic model."""
        self.report(
            "aesthetic_training", f"aesthetic_training_{number}", progress=True,
            catalog=str(rated), out=self.aesthetic[number - 1], parent=parent,
            fine_tune_epochs=fine_tune_epochs,
        )  # fmt: skip

    def clean(self) -> None:
        """Audit the labelled photos, decide on what is found, and compare before and after."""
        shutil.rmtree(self.audit, ignore_errors=True)
        self.report("cleaning_audit", model=self.tagger, out=str(self.audit), truth=str(self.truth))
        decisions = self.audit / "decisions.csv"
        issues = pd.read_parquet(self.audit / "issues.parquet")
        append_decisions(decisions, decide_by_truth(issues, self.truth))
        self.report("cleaning_effect", model=self.tagger, decisions=[str(decisions)])

    def score(self) -> None:
        """Score all photos with both models."""
        shutil.rmtree(self.scores, ignore_errors=True)
        models = [load_model(file) for file in (self.aesthetic[1], self.tagger)]
        score_photos(read_catalog(self.catalog), models, self.scores)
