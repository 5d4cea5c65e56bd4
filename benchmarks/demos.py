"""Drawn demos with a tagger that learned from them, for checks of what it is misled by."""

from __future__ import annotations

from pathlib import Path

import keras
import pandas as pd

from hotelviz.catalog import split_catalog
from hotelviz.demo import demo_settings, make_demo_catalog, make_demo_network, read_truth
from hotelviz.inference import predict_tags
from hotelviz.metrics import top1
from hotelviz.training import Augmentation, TaggerSettings, train_tagger


def tagged_demo(
    folder: Path, *, pretrained: bool, seed: int, n_hotels: int, shortcut: bool = True,
) -> tuple[keras.Model, pd.DataFrame]:  # fmt: skip
    """Return the tagger of a demo, and its tags of the test photos with the truth on rails.

    Demos of a seed in the same folder have one network, where they need one.
    """
    rails, drawn = "chrome" if pretrained else "red", folder / ("rails" if shortcut else "no_rails")
    catalog = make_demo_catalog(drawn, n_hotels=n_hotels, seed=seed, shortcut=shortcut, rails=rails)
    given = dict(demo_settings(pretrained, epochs=30)["tagger_training"])
    del given["curve_photos"]
    if not pretrained:
        given["backbone"] = str(make_demo_network(folder / "network", seed=seed, progress=False))
    scale = (given.pop("smallest_crop"), 1.0)
    changes = {name: given.pop(name) for name in ("rotation", "colour") if name in given}
    augmentation = Augmentation(scale=scale, **changes)
    model = train_tagger(
        split_catalog(catalog, seed=seed, by="label"), progress=False,
        settings=TaggerSettings(**given, augmentation=augmentation, seed=seed),
    )  # fmt: skip
    test = catalog[catalog["split"] == "test"].reset_index(drop=True)
    tags = test.merge(predict_tags(test, model, progress=False), on="image_id")
    name = f"{'weights' if pretrained else 'scratch'}, seed {seed}, shortcut {shortcut}"
    print(f"{name}: top-1 {top1(tags['label'], tags['predicted']):.3f} of {len(tags)}")
    return model, tags.merge(read_truth(drawn)[["image_id", "rails_mask", "rails"]])
