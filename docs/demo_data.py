"""Make what tutorials and pictures show: a small drawn catalogue, two small models, scores."""

from __future__ import annotations

from pathlib import Path

from hotelviz.catalog import read_catalog
from hotelviz.demo import make_demo_catalog
from hotelviz.inference import score_photos
from hotelviz.training import train_aesthetic, train_tagger

#: Small networks that learn from scratch within a minute.
_TAGGER = {
    "weights": None, "backbone_kw": {"alpha": 0.25}, "input_size": 96, "batch_size": 16,
    "fine_tune_epochs": 24, "fine_tune_learning_rate": 3e-3, "dropout": 0.1,
    "label_smoothing": 0.05,
}  # fmt: skip
#: Enough for fine-tuning to be kept: pages compare filters before and after it.
_AESTHETIC = {
    "fine_tune_epochs": 12, "fine_tune_learning_rate": 1e-3, "fine_tune_share": 1.0,
    "batch_size": 16, "patience": 12,
}  # fmt: skip


def make_demo(folder: Path) -> None:
    """Draw, train and score into a folder, as far as that is not done yet.

    The folder then has ``catalog.csv``, ``tagger.keras``, ``aesthetic.keras`` and ``scores/``.
    """
    make_demo_catalog(folder, n_hotels=30, size=(120, 160))
    photos = read_catalog(folder / "catalog.csv")
    tagger, aesthetic = folder / "tagger.keras", folder / "aesthetic.keras"
    if not tagger.is_file():
        train_tagger(photos, out=tagger, progress=False, **_TAGGER)
    if not aesthetic.is_file():
        train_aesthetic(photos, parent=tagger, out=aesthetic, progress=False, **_AESTHETIC)
    score_photos(photos, [aesthetic, tagger], folder / "scores", progress=False)
