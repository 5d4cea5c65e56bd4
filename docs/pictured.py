"""What the pictures of plots are drawn from: the drawn demo, asked part by part."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Demo:
    """What the pictures are drawn from; each part is computed when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def photos(self) -> pd.DataFrame:
        """The catalogue."""
        from hotelviz.catalog import read_catalog

        return read_catalog(self.folder / "catalog.csv")

    @cached_property
    def tagger(self) -> Any:
        """The tagger."""
        from hotelviz.models import load_model

        return load_model(self.folder / "tagger.keras")

    @cached_property
    def aesthetic(self) -> Any:
        """The aesthetic model."""
        from hotelviz.models import load_model

        return load_model(self.folder / "aesthetic.keras")

    @cached_property
    def tags(self) -> pd.DataFrame:
        """The test photos with their predictions."""
        from hotelviz.inference import predict_tags

        test = self.photos[self.photos["split"] == "test"].reset_index(drop=True)
        return test.merge(predict_tags(test, self.tagger), on="image_id")

    @cached_property
    def stages(self) -> Any:
        """What correcting the planted wrong labels buys."""
        from hotelviz.audit import compare_datasets
        from hotelviz.demo import read_truth

        known = read_truth(self.folder).set_index("image_id")["true_label"]
        truth = self.photos["image_id"].map(known)
        test = self.photos[self.photos["split"] == "test"]
        stages = {"as labelled": self.photos, "corrected": self.photos.assign(label=truth)}
        return compare_datasets(stages, test, model=self.tagger, progress=False)

    @cached_property
    def scores(self) -> Any:
        """The scores of all photos."""
        from hotelviz.scores import open_scores

        return open_scores(self.folder / "scores")

    @cached_property
    def rated(self) -> pd.DataFrame:
        """The rated photos with their scores, rated and predicted."""
        from hotelviz.catalog import rating_summary

        rated = self.photos.merge(rating_summary(self.photos), on="image_id")
        scores = self.scores.query("SELECT * FROM scores WHERE score IS NOT NULL")
        own = [name for name in scores if name == "image_id" or name not in rated]
        return rated[rated["rated_mean"].notna()].merge(scores[own], on="image_id")

    @cached_property
    def confusion(self) -> Any:
        """The most frequent confusion, explained."""
        from hotelviz.attribution import explain_confusion
        from hotelviz.metrics import confusions

        first = confusions(self.tags).iloc[0]
        return explain_confusion(
            self.tagger, self.tags, true=first["label"], predicted=first["predicted"]
        )

    @cached_property
    def concepts(self) -> Any:
        """The tagger's concepts, and how strong they are in the photos."""
        from hotelviz.concepts import concept_activity, find_concepts

        found = find_concepts(self.tagger, self.photos, 6, progress=False)
        return found, concept_activity(found, self.photos, progress=False)

    @cached_property
    def looked_at(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Pixels and rows of three photos that are predicted right."""
        from hotelviz.attribution import read_pixels

        right = self.tags[self.tags["label"] == self.tags["predicted"]].groupby("label").head(1)
        pixels, rows = read_pixels(self.tagger, right["path"].head(3))
        return pixels, right.iloc[rows]

    @cached_property
    def maps(self) -> dict[str, np.ndarray]:
        """Their maps by two methods."""
        from hotelviz.attribution import explain

        return {
            name: explain(self.tagger, self.looked_at[0], method=name)
            for name in ("cam", "layercam")
        }

    @cached_property
    def compared(self) -> Any:
        """The tagger against one that is half as sure of pools."""
        from hotelviz.metrics import compare_taggers

        shares = [name for name in self.tags if name.startswith("p_")]
        other = self.tags[shares].assign(p_Pool=self.tags["p_Pool"] / 2)
        other = other.div(other.sum(axis=1), axis=0).assign(image_id=self.tags["image_id"])
        other = other.assign(label=self.tags["label"], hotel_id=self.tags["hotel_id"])
        return compare_taggers(other, self.tags)

    @cached_property
    def comparison(self) -> Any:
        """Channels of the tagger and of the aesthetic model that was made from it."""
        from hotelviz.feature_vis import compare_filters

        return compare_filters(
            self.tagger, self.aesthetic, ["conv_pw_3", "conv_pw_11"], n_channels=6, size=64,
            steps=32, photos=self.photos["path"].head(48),
        )  # fmt: skip
