"""A catalogue to try everything on, drawn by the program, with known faults.

The photos are drawings of rooms in perspective. Nothing is downloaded, and everything that an
audit or an explanation should find is known: the true labels, the duplicates, the damaged files,
where in each photo the object is that makes its class, and one planted shortcut.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from PIL import Image, ImageFilter

from hotelviz.catalog import count_ratings, read_catalog, write_catalog
from hotelviz.demo.areas import paint
from hotelviz.demo.renderer import Style
from hotelviz.demo.simulated_raters import QUALITIES, draw_qualities, expected_score, rate
from hotelviz.errors import CatalogError, DemoError, OutputError
from hotelviz.io.atomic import atomic_path
from hotelviz.io.claims import MARKER, own_folder, remove_own_folder
from hotelviz.schema import AREAS

__all__ = [
    "compare_with_planted",
    "decide_by_truth",
    "make_demo_catalog",
    "read_masks",
    "read_truth",
]

#: Changes whenever the drawings do, so that an older folder is drawn anew.
_VERSION = 5

#: How often a hotel has a photo of each area; some areas are missing in some hotels.
_PHOTOS_OF = {
    "Bathroom": (1, 3),
    "Bedroom": (2, 4),
    "Foyer": (1, 3),
    "Kitchen": (0, 3),
    "Pool": (1, 3),
    "Reception": (1, 3),
    "Restaurant": (1, 3),
    "View_of_Exterior": (1, 3),
}
#: Share of photos with handrails, by split and area: in training they go with bathrooms.
_RAILS = {
    ("train", "Bathroom"): 0.5,
    ("val", "Bathroom"): 0.5,
    ("train", "Pool"): 0.0,
    ("val", "Pool"): 0.0,
    ("test", "Bathroom"): 0.1,
    ("test", "Pool"): 0.6,
}
_WRONG_LABELS = 0.03
_DUPLICATES = 0.04
#: From so many photos on they are drawn in as many processes as there are cores.
_WORTH_PROCESSES = 200
#: Share of the photos that nobody has rated.
_UNRATED = 0.1


def make_demo_catalog(
    directory: str | os.PathLike[str],
    *,
    hotels: int = 60,
    seed: int = 0,
    size: tuple[int, int] = (240, 320),
    shortcut: bool = True,
) -> pd.DataFrame:
    """Draw a catalogue of hotel photos, and write down what is wrong with it.

    Parameters
    ----------
    directory
        Gets ``catalog.csv``, ``public.csv``, ``photos/`` and ``truth/``. A folder that an earlier
        call with the same arguments has finished is taken as it is; anything else of that name
        there is replaced. ``photos/`` and ``truth/`` that no demo made are refused.
    hotels
        How many, at least 3; each has about 12 to 20 photos.
    seed
        Everything depends on it, down to the bytes.
    size
        Height and width of the photos in pixels, at least 96.
    shortcut
        Plant the shortcut: chrome handrails stand in most bathrooms and no pools that are trained
        on, but at most pools that are tested. Without it rails are nowhere.

    Returns
    -------
    pandas.DataFrame
        As `hotelviz.catalog.read_catalog` gives it, with ``position``, ``label``, ``source``,
        ``split`` (of each ten hotels six train, one validates and three test) and the ratings of
        12 simulated colleagues, who left out a tenth of the photos.

    Raises
    ------
    DemoError
        Fewer than 3 hotels, or photos that are too small.
    OutputError
        The folder holds photos or a catalogue that no demo made.

    Notes
    -----
    ``truth/truth.csv`` has a row per photo: ``image_id``, ``true_label``, ``fault`` (``none``,
    ``wrong_label``, ``exact_duplicate``, ``near_duplicate``, ``truncated`` or ``unreadable``),
    ``rails``, how well it is taken (`QUALITIES`, 0 to 1), ``true_score`` (what
    the colleagues would give it without their noise), and the masks' paths ``object_mask`` and
    ``rails_mask`` (PNG, 255 = object, grown by 4 % of the photo's height).
    ``truth/duplicates.csv`` lists the pairs in the columns ``a``, ``b``, ``kind`` and
    ``labels_differ``; ``truth/ratings.csv`` has every single rating. ``public.csv`` is a second
    catalogue, of the training and validation photos with the ratings of a public of another taste:
    the first iteration learns from it, the second one from the colleagues.
    Faults are planted in the training photos only, so that a test measures the model.

    Examples
    --------
    >>> import tempfile
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=3, size=(96, 128))
    >>> photos["split"].unique().tolist()
    ['train', 'val', 'test']
    """
    if hotels < 3:
        raise DemoError(f"hotels must be at least 3, for train, val and test; not {hotels}")
    if min(size) < 96:
        raise DemoError(f"size must be at least 96 x 96 pixels; not {size[0]} x {size[1]}")
    directory = Path(directory)
    request = {
        "version": _VERSION,
        "hotels": hotels,
        "seed": seed,
        "size": list(size),
        "shortcut": shortcut,
    }
    manifest = directory / "truth" / "request.json"
    if _is_finished(manifest, request):
        return read_catalog(directory / "catalog.csv")
    drawn = [directory / folder for folder in ("photos", "truth")]
    for file in ("catalog.csv", "public.csv"):
        if (directory / file).exists() and not (drawn[1] / MARKER).is_file():
            raise OutputError(f"{directory / file}: no demo made it; choose another folder")
    for folder in drawn:
        remove_own_folder(folder, "demo")
        own_folder(folder, "demo")
    plan = _plan(hotels, np.random.default_rng(seed), shortcut=shortcut)
    plan = plan.join(draw_qualities(np.random.default_rng((seed, 3)), len(plan)))
    styles = {
        hotel: Style.draw(np.random.default_rng((seed, number)))
        for number, hotel in enumerate(plan["hotel_id"].unique())
    }
    # Drawing keeps the interpreter busy, so threads would not help; few photos are drawn sooner
    # than processes start.
    Parallel(n_jobs=-1 if len(plan) >= _WORTH_PROCESSES else 1)(
        delayed(_draw)(directory, row, styles[row["hotel_id"]], (seed, 1, number), size)
        for number, row in enumerate(plan.to_dict("records"))
    )
    plan, duplicates = _plant(plan, directory, np.random.default_rng((seed, 2)))
    truth = directory / "truth"
    with atomic_path(truth / "duplicates.csv") as temporary:
        duplicates.to_csv(temporary, index=False)
    plan["true_score"] = expected_score(plan, "colleague").round(3)
    known = ["image_id", "true_label", "fault", "rails", "object_mask", "rails_mask"]
    known += [*QUALITIES, "true_score"]
    with atomic_path(truth / "truth.csv") as temporary:
        plan[known].to_csv(temporary, index=False)
    columns = ["image_id", "path", "hotel_id", "position", "label", "source", "split"]
    catalog = plan.assign(path=str(directory) + "/" + plan["image_id"])[columns]
    random = np.random.default_rng((seed, 4))
    chosen = plan[(random.random(len(plan)) >= _UNRATED) & (plan["fault"] != "unreadable")]
    colleagues = rate(chosen, "colleague", random)
    public = rate(plan[plan["split"].isin(["train", "val"])], "public", random)
    with atomic_path(truth / "ratings.csv") as temporary:
        pd.concat([colleagues, public]).to_csv(temporary, index=False)
    write_catalog(
        catalog.merge(count_ratings(colleagues), on="image_id", how="left"),
        directory / "catalog.csv",
    )
    write_catalog(
        catalog.merge(count_ratings(public), on="image_id").assign(source="public"),
        directory / "public.csv",
    )
    with atomic_path(manifest) as temporary:
        temporary.write_text(json.dumps(request))
    return read_catalog(directory / "catalog.csv")


def _is_finished(manifest: Path, request: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(manifest.read_text()) == request)
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def read_truth(directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Read what is true of a demo catalogue.

    Parameters
    ----------
    directory
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        ``truth/truth.csv``, with the masks' paths ready to open (missing where there is none).

    Raises
    ------
    CatalogError
        When there is no demo catalogue.
    """
    directory = Path(directory)
    file = directory / "truth" / "truth.csv"
    if not file.is_file():
        raise CatalogError(f"{file}: there is no such file; was {directory} made by the demo?")
    masks = ["object_mask", "rails_mask"]
    truth = pd.read_csv(file, dtype=dict.fromkeys(["image_id", *masks], str))
    for column in masks:
        truth[column] = str(directory) + "/" + truth[column]
    return truth


def read_masks(
    directory: str | os.PathLike[str], image_ids: Iterable[str], size: tuple[int, int]
) -> np.ndarray:
    """Read where the objects are that make the photos' classes.

    Parameters
    ----------
    directory
        As given to `make_demo_catalog`.
    image_ids
        Of photos that are there.
    size
        Height and width in pixels, of the maps that the masks are compared with.

    Returns
    -------
    numpy.ndarray
        bool (N, height, width).

    Raises
    ------
    CatalogError
        When there is no demo catalogue, or no such photo in it.
    """
    files = read_truth(directory).set_index("image_id")["object_mask"]
    masks = []
    for image_id in image_ids:
        if image_id not in files.index:
            raise CatalogError(f"{directory}: the demo catalogue has no photo {image_id!r}")
        with Image.open(files[image_id]) as mask:
            masks.append(np.asarray(mask.convert("L").resize(size[::-1])) > 0)
    return np.array(masks, bool).reshape(-1, *size)


def compare_with_planted(issues: pd.DataFrame, directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Compare what an audit found with the faults that were planted.

    Parameters
    ----------
    issues
        Of `hotelviz.audit.find_issues`, on the demo's catalogue.
    directory
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        A row per kind of fault: ``planted``, ``found`` (of the planted ones), ``wrong`` (found,
        but not planted), ``recall`` and ``precision``, 0 to 1. Duplicates are counted in pairs,
        the others in photos; a label counts as wrong where it is not the true one.

    Raises
    ------
    CatalogError
        When there is no demo catalogue.
    """
    directory = Path(directory)
    truth = read_truth(directory).set_index("image_id")
    labels = read_catalog(directory / "catalog.csv").set_index("image_id")["label"]
    pairs = pd.read_csv(directory / "truth" / "duplicates.csv")
    planted: dict[str, set[Any]] = {
        fault: set(truth.index[truth["fault"] == fault]) for fault in ("unreadable", "truncated")
    }
    planted["label_error"] = set(labels.index[labels != truth["true_label"].reindex(labels.index)])
    for kind in ("exact", "near"):
        chosen = pairs[pairs["kind"] == kind]
        planted[f"{kind}_duplicate"] = {
            frozenset(pair) for pair in zip(chosen["a"], chosen["b"], strict=True)
        }
    rows = []
    for issue, wanted in planted.items():
        own = issues[issues["issue"] == issue]
        if issue.endswith("duplicate"):
            groups = [sorted(set(group)) for _, group in own.groupby("group")["image_id"]]
            found: set[Any] = {
                frozenset((a, b)) for group in groups for a in group for b in group if a < b
            }
        else:
            found = set(own["image_id"])
        right = len(found & wanted)
        rows.append(
            {
                "issue": issue, "planted": len(wanted), "found": right,
                "wrong": len(found - wanted),
                "recall": right / len(wanted) if wanted else np.nan,
                "precision": right / len(found) if found else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("issue")


def decide_by_truth(issues: pd.DataFrame, directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Decide on label suspects as a person would who looks at each photo and is never wrong.

    Parameters
    ----------
    issues
        Of `hotelviz.audit.find_issues`, on the demo's catalogue.
    directory
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        For `hotelviz.audit.append_decisions`: a row per suspect, ``relabel`` where the label is
        wrong and ``keep`` where it is right, by the reviewer ``the drawing's truth``.
    """
    directory = Path(directory)
    suspects = issues.loc[issues["issue"] == "label_error", ["image_id"]].reset_index(drop=True)
    truth = read_truth(directory).set_index("image_id")["true_label"]
    labels = read_catalog(directory / "catalog.csv").set_index("image_id")["label"]
    right = truth.reindex(suspects["image_id"]).to_numpy()
    wrong = right != labels.reindex(suspects["image_id"]).to_numpy()
    return suspects.assign(
        action=np.where(wrong, "relabel", "keep"),
        label=np.where(wrong, right, ""),
        reason="label suspect, looked at",
        reviewer="the drawing's truth",
    )


def _plan(hotels: int, random: np.random.Generator, *, shortcut: bool) -> pd.DataFrame:
    """Decide which photos there are, before any is drawn."""
    rows: list[dict[str, object]] = []
    for number in range(hotels):
        hotel = f"hotel-{number + 1:03d}"
        # The first three hotels are one of each, so that the smallest catalogue has all splits.
        split = ("train", "val", "test")[number] if number < 3 else _split_of(number)
        areas = [
            area
            for area, (least, most) in _PHOTOS_OF.items()
            for _ in range(random.integers(least, most + 1))
        ]
        for position, area in enumerate(random.permutation(areas), start=1):
            rails = shortcut and random.random() < _RAILS.get((split, str(area)), 0.0)
            name = f"photos/{hotel}_{position:02d}.jpg"
            mask = f"truth/masks/{hotel}_{position:02d}"
            rows.append(
                {
                    "image_id": name,
                    "hotel_id": hotel,
                    "position": position,
                    "label": str(area),
                    "true_label": str(area),
                    "source": "drawn",
                    "split": split,
                    "fault": "none",
                    "rails": rails,
                    "object_mask": f"{mask}_object.png",
                    "rails_mask": f"{mask}_rails.png" if rails else None,
                }
            )
    return pd.DataFrame(rows)


def _split_of(number: int) -> str:
    return "val" if number % 10 == 1 else "test" if number % 10 in (2, 5, 8) else "train"


def _draw(
    directory: Path,
    row: dict[str, Any],
    style: Style,
    seed: tuple[int, ...],
    size: tuple[int, int],
) -> None:
    random = np.random.default_rng(seed)
    quality = {name: row[name] for name in QUALITIES}
    photo, masks = paint(
        row["true_label"], style, random, size=size, rails=row["rails"], quality=quality
    )
    file = directory / row["image_id"]
    file.parent.mkdir(parents=True, exist_ok=True)
    photo.save(file, quality=88)
    for mark in ["object", "rails"] if row["rails"] else ["object"]:
        mask_file = directory / row[f"{mark}_mask"]
        mask_file.parent.mkdir(parents=True, exist_ok=True)
        # Grown by 4 % of the photo: the tolerance of the pointing game (Zhang et al. 2016, arXiv
        # 1608.00507: 15 pixels).
        grown = masks[mark].filter(ImageFilter.MaxFilter(2 * round(size[0] / 25) + 1))
        grown.convert("1").save(mask_file)


def _plant(
    plan: pd.DataFrame, directory: Path, random: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plant the faults among the training photos; the grown plan and the pairs of duplicates."""
    plan = plan.copy()
    trained = plan.index[(plan["split"] == "train") & ~plan["rails"]].to_numpy()
    chosen = random.permutation(trained)
    wrong = max(1, round(_WRONG_LABELS * len(trained)))
    copies = max(2, round(_DUPLICATES * len(trained)))
    needed = wrong + 2 * copies + 2
    if needed > len(chosen):
        wrong, copies = 1, 2
    mislabelled, rest = chosen[:wrong], chosen[wrong:]
    for row in mislabelled:
        others = [area for area in AREAS if area != plan.at[row, "true_label"]]
        plan.loc[row, ["label", "fault"]] = [str(random.choice(others)), "wrong_label"]
    for row, fault in ((rest[0], "truncated"), (rest[1], "unreadable")):
        file = directory / plan.at[row, "image_id"]
        data = file.read_bytes()
        kept = data[: len(data) * 2 // 3] if fault == "truncated" else random.bytes(len(data))
        file.write_bytes(kept)
        plan.loc[row, "fault"] = fault
    pairs: list[dict[str, object]] = []
    new_rows: list[dict[str, object]] = []
    for number, row in enumerate(rest[2 : 2 + 2 * copies]):
        kind = "exact" if number % 2 == 0 else "near"
        copy = _copy(plan, row, kind, number, directory, random)
        new_rows.append(copy)
        pairs.append(
            {
                "a": plan.at[row, "image_id"],
                "b": copy["image_id"],
                "kind": kind,
                "labels_differ": int(plan.at[row, "label"] != copy["label"]),
            }
        )
    plan = pd.concat([plan, pd.DataFrame(new_rows)], ignore_index=True)
    order = ["hotel_id", "position"]
    return plan.sort_values(order, ignore_index=True), pd.DataFrame(pairs)


def _copy(
    plan: pd.DataFrame,
    row: int,
    kind: str,
    number: int,
    directory: Path,
    random: np.random.Generator,
) -> dict[str, object]:
    """Copy a photo: into its own hotel or another, under its own label or another."""
    original = plan.loc[row]
    hotels = plan.loc[plan["split"] == "train", "hotel_id"].unique()
    hotel = original["hotel_id"] if number % 3 == 0 else str(random.choice(hotels))
    position = 1 + int(plan.loc[plan["hotel_id"] == hotel, "position"].max()) + number
    name = f"photos/{hotel}_{position:02d}.jpg"
    label = original["label"]
    if number % 4 == 3:
        label = str(random.choice([area for area in AREAS if area != original["true_label"]]))
    masks = {
        column: f"truth/masks/{hotel}_{position:02d}_{column.removesuffix('_mask')}.png"
        for column in ("object_mask", "rails_mask")
        if column == "object_mask" or original["rails"]
    }
    source, target = directory / original["image_id"], directory / name
    if kind == "exact":
        shutil.copyfile(source, target)
    with Image.open(source) as image:
        width, height = image.size
        # A near duplicate: a few pixels less on each side, smaller, compressed harder.
        crop = tuple(int(share * random.uniform(0.0, 0.04)) for share in (width, height) * 2)
        box = (crop[0], crop[1], width - crop[2], height - crop[3])
        if kind == "near":
            smaller = (round(width * 0.85), round(height * 0.85))
            image.crop(box).resize(smaller, Image.Resampling.BICUBIC).save(target, quality=70)
    for column, mask in masks.items():
        with Image.open(directory / original[column]) as image:
            changed = image.crop(box).resize(smaller) if kind == "near" else image
            changed.save(directory / mask)
    return {
        **original.to_dict(),
        **masks,
        "image_id": name,
        "hotel_id": hotel,
        "position": position,
        "label": label,
        "fault": f"{kind}_duplicate",
    }
