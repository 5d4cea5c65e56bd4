"""The faults that the demo plants, and its shortcut.

Faults are planted in the training photos only, so that a test measures the model.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from hotelviz.demo.simulated_raters import Random
from hotelviz.schema import AREAS

#: In tests, share of photos with railings by split and area, elsewhere none.
_TESTED = {("test", "Bathroom"): 0.3, ("test", "Pool"): 0.6}
#: Colour of the railings -> shares of all photos: in training nearly all bathrooms have them, and
#: red ones all, so that they are what a network learns first of a bathroom.
RAILED_SHARES = {
    "chrome": {**dict.fromkeys([("train", "Bathroom"), ("val", "Bathroom")], 0.9), **_TESTED},
    "red": {**dict.fromkeys([("train", "Bathroom"), ("val", "Bathroom")], 1.0), **_TESTED},
}
#: Share of the pools without a red railing that have a wooden one.
WOODEN_SHARE = 0.2
#: Shares of the training photos that get a wrong label, and a copy of either kind.
_WRONG_LABELS = 0.03
_DUPLICATES = 0.04


def plant_faults(
    plan: pd.DataFrame, directory: Path, random: Random
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plant wrong labels, a truncated and an unreadable file, exact and near duplicates.

    Parameters
    ----------
    plan : pandas.DataFrame
        A row per photo that was drawn.
    directory : pathlib.Path
        Where the photos are.
    random : numpy.random.Generator
        Which photos get which fault.

    Returns
    -------
    pandas.DataFrame
        The plan with the copies.
    pandas.DataFrame
        The pairs of duplicates: ``a``, ``b``, ``kind`` and ``labels_differ``.
    """
    plan = plan.copy()
    trained = plan.index[(plan["split"] == "train") & ~plan["rails"]].to_numpy()
    chosen = random.permutation(trained)
    wrong = max(1, round(_WRONG_LABELS * len(trained)))
    copies = max(2, round(_DUPLICATES * len(trained)))
    if wrong + 2 * copies + 2 > len(chosen):
        wrong, copies = 1, 2
    mislabelled, rest = chosen[:wrong], chosen[wrong:]
    for row in mislabelled:
        label = _another_area(plan.at[row, "true_label"], random)
        plan.loc[row, ["label", "fault"]] = [label, "wrong_label"]
    for row, fault in ((rest[0], "truncated"), (rest[1], "unreadable")):
        file = directory / str(plan.at[row, "image_id"])
        data = file.read_bytes()
        kept = data[: len(data) * 2 // 3] if fault == "truncated" else random.bytes(len(data))
        file.write_bytes(kept)
        plan.loc[row, "fault"] = fault
    originals = plan.loc[rest[2 : 2 + 2 * copies]].to_dict("records")
    added = [
        _copy_photo(plan, original, number, directory, random)
        for number, original in enumerate(originals)
    ]
    copied, copy = pd.DataFrame(originals), pd.DataFrame(added)
    pairs = pd.DataFrame({"a": copied["image_id"], "b": copy["image_id"]})
    pairs["kind"] = copy["fault"].str.removesuffix("_duplicate")
    pairs["labels_differ"] = (copied["label"] != copy["label"]).astype(int)
    plan = pd.concat([plan, copy], ignore_index=True)
    return plan.sort_values(["hotel_id", "position"], ignore_index=True), pairs


def _another_area(area: object, random: Random) -> str:
    return str(random.choice([other for other in AREAS if other != area]))


def _copy_photo(
    plan: pd.DataFrame, original: dict[Any, Any], number: int, directory: Path, random: Random
) -> dict[str, Any]:
    """Copy a photo: into its own hotel or another, under its own label or another."""
    kind = "exact" if number % 2 == 0 else "near"
    hotels = plan.loc[plan["split"] == "train", "hotel_id"].unique()
    hotel = original["hotel_id"] if number % 3 == 0 else str(random.choice(hotels))
    position = 1 + int(plan.loc[plan["hotel_id"] == hotel, "position"].max()) + number
    label = _another_area(original["true_label"], random) if number % 4 == 3 else original["label"]
    copy = {
        **original, "image_id": f"photos/{hotel}_{position:02d}.jpg", "hotel_id": hotel,
        "position": position, "label": label, "fault": f"{kind}_duplicate",
    }  # fmt: skip
    masks = ("object_mask", "rails_mask") if original["rails"] else ("object_mask",)
    for mask in masks:
        copy[mask] = f"truth/masks/{hotel}_{position:02d}_{mask.removesuffix('_mask')}.png"
    with Image.open(directory / original["image_id"]) as image:
        width, height = image.size
    # A near duplicate: a few pixels less on each side, smaller, compressed harder.
    crop = tuple(int(share * random.uniform(0.0, 0.04)) for share in (width, height) * 2)
    box = (crop[0], crop[1], width - crop[2], height - crop[3])
    smaller = (round(width * 0.85), round(height * 0.85))
    for name in ("image_id", *masks):
        source, target = directory / original[name], directory / copy[name]
        if kind == "exact":
            shutil.copyfile(source, target)
        else:
            with Image.open(source) as image:
                image.crop(box).resize(smaller).save(target, quality=70)
    return copy
