"""The network that takes the place of ImageNet's in a demo that cannot have its weights.

A head on features in which a railing and the water behind it are two things falls for railings,
and what it owes to them can be taken out of the features. ImageNet's network has such features.
One that learned from the demo's own photos alone has not: it never saw a railing before a pool.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from hotelviz.catalog import read_catalog, write_catalog
from hotelviz.demo.areas import RAILED
from hotelviz.demo.catalog import VERSION, check_drawn, draw_photos, plan_photos
from hotelviz.demo.settings import scratch_settings
from hotelviz.demo.simulated_raters import draw_qualities
from hotelviz.io.atomic import atomic_path
from hotelviz.io.claims import own_folder, remove_own_folder

#: Added to a demo's seed: the photos are of other hotels than the demo's.
_OTHER_HOTELS = 1000
#: Share of the pools and of the bathrooms that have a railing.
_RAILED = 0.5
_PURPOSE = "demo network"


def make_demo_network(
    directory: str | os.PathLike[str],
    *,
    n_hotels: int = 40,
    seed: int = 0,
    epochs: int = 15,
    size: tuple[int, int] = (240, 320),
    progress: bool = True,
) -> Path:
    """Draw photos of other hotels, and train a small network on them from scratch.

    It learns nine classes: the eight areas, and railings. Half of the pools and of the bathrooms
    have one and are half of either class, so that railings say nothing about the area, and what
    the network sees of both adds up.

    Parameters
    ----------
    directory : path
        Gets ``photos/``, ``catalog.csv`` and ``drawn_network.keras``. What an earlier call with
        the same arguments has finished is taken as it is; training goes on where it was stopped.
    n_hotels : int, default 40
        At least 3, of about 16 photos each.
    seed : int, default 0
        That of the demo: other photos are drawn than for it.
    epochs : int, default 15
        Of the training.
    size : tuple of int, default (240, 320)
        Height and width of the photos in pixels, at least 96.
    progress : bool, default True
        Show bars.

    Returns
    -------
    pathlib.Path
        The model file: a tagger, whose layers `hotelviz.training.train_tagger` takes as
        ``backbone``.

    Raises
    ------
    DemoError
        Fewer than 3 hotels, or photos that are too small.
    OutputError
        The folder is not one that this function made.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.models import load_model, model_info
    >>> file = make_demo_network(tempfile.mkdtemp(), n_hotels=3, epochs=1, size=(96, 128),
    ...                          progress=False)
    >>> "Railing" in model_info(load_model(file)).classes
    True
    """
    check_drawn(n_hotels, size)
    folder = own_folder(directory, _PURPOSE)
    settings = scratch_settings(epochs)["tagger_training"]
    request = json.dumps(
        {"version": VERSION, "hotels": n_hotels, "seed": seed, "size": size, "training": settings}
    )
    manifest, model = folder / "request.json", folder / "drawn_network.keras"
    if not (manifest.is_file() and manifest.read_text() == request):
        remove_own_folder(folder, _PURPOSE)
        _draw(own_folder(folder, _PURPOSE), n_hotels, seed + _OTHER_HOTELS, size)
        with atomic_path(manifest) as temporary:
            temporary.write_text(request)
    if not model.is_file():
        # It loads TensorFlow, which drawings do not need.
        from hotelviz.training import Augmentation, TaggerSettings, train_tagger

        changes = {name: settings[name] for name in ("rotation", "colour")}
        augmentation = Augmentation(scale=(settings["smallest_crop"], 1.0), **changes)
        own = {name: value for name, value in settings.items() if hasattr(TaggerSettings, name)}
        train_tagger(
            read_catalog(folder / "catalog.csv", classes=None),
            settings=TaggerSettings(**own, augmentation=augmentation, seed=seed),
            out=model,
            progress=progress,
        )
    return model


def _draw(folder: Path, n_hotels: int, seed: int, size: tuple[int, int]) -> None:
    """Draw the photos, and write their catalogue."""
    shares = {(split, area): _RAILED for split in ("train", "val", "test") for area in RAILED}
    plan = plan_photos(n_hotels, np.random.default_rng(seed), shares)
    plan = plan.join(draw_qualities(np.random.default_rng((seed, 3)), len(plan)))
    plan = plan.drop(columns=["object_mask", "rails_mask"])
    (folder / "photos").mkdir()
    draw_photos(plan, folder, seed, size, "red")
    plan["label_2"] = plan["label"].where(plan["rails"])
    plan["label"] = plan["label"].mask(plan["rails"], "Railing")
    plan["path"] = f"{folder}/" + plan["image_id"]
    # Not the demo's hotels, whatever their numbers.
    for name in ("image_id", "hotel_id"):
        plan[name] = "other/" + plan[name]
    columns = ["image_id", "path", "hotel_id", "position", "label", "label_2", "source", "split"]
    write_catalog(plan.assign(split="train")[columns], folder / "catalog.csv")
