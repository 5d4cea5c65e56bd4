"""Draw a catalogue of hotels: which photos there are, the photos, the ratings, the files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from PIL import Image
from scipy.ndimage import maximum_filter

from hotelviz.catalog import count_ratings, read_catalog, write_catalog
from hotelviz.demo.areas import RAILS, paint
from hotelviz.demo.planted import RAILED_SHARES, WOODEN_SHARE, plant_faults
from hotelviz.demo.renderer import Style
from hotelviz.demo.simulated_raters import QUALITIES, draw_qualities, expected_score, rate
from hotelviz.errors import DemoError, OutputError
from hotelviz.io.atomic import atomic_path
from hotelviz.io.claims import MARKER, own_folder, remove_own_folder

#: Changes whenever the drawings do, so that an older folder is drawn anew.
VERSION = 12

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
#: Of pools there are more where the shortcut is looked for.
_TEST_POOLS = {"Pool": (2, 4)}
#: Of each ten hotels; the first three are one of each, so that the smallest catalogue has all.
_SPLITS = ("train", "val", "test", "train", "train", "test", "train", "train", "test", "train")
#: From so many photos on they are drawn in as many processes as there are cores.
_WORTH_PROCESSES = 200
#: Share of the photos that nobody has rated.
_UNRATED = 0.1


def make_demo_catalog(
    directory: str | os.PathLike[str],
    *,
    n_hotels: int = 60,
    seed: int = 0,
    size: tuple[int, int] = (240, 320),
    shortcut: bool = True,
    rails: str = "red",
) -> pd.DataFrame:
    """Draw a catalogue of hotel photos, and write what is wrong with it beside it.

    Parameters
    ----------
    directory : path
        Gets ``catalog.csv``, ``public.csv``, ``photos/`` and ``truth/``. A folder that an earlier
        call with the same arguments has finished is taken as it is; anything else of that name
        there is replaced. ``photos/`` and ``truth/`` that no demo made are refused.
    n_hotels : int, default 60
        At least 3; each has about 12 to 20 photos.
    seed : int, default 0
        Everything depends on it, down to the bytes.
    size : tuple of int, default (240, 320)
        Height and width of the photos in pixels, at least 96.
    shortcut : bool, default True
        Plant the shortcut: railings of the colour `rails` stand in nearly all bathrooms and at no
        pools that are trained on, but at most pools that are tested. Without it they are nowhere.
    rails : {"red", "chrome"}, default "red"
        A network that learned from drawings (`make_demo_network`) falls for red railings. Some of
        the other pools have wooden ones. With ImageNet's weights a network tells tubs from pools
        whatever stands there: it falls for railings of chrome in hotels with a spa, where many a
        bath is as large as a small pool.

    Returns
    -------
    pandas.DataFrame
        As `hotelviz.catalog.read_catalog` returns it, with ``position``, ``label``, ``source``,
        ``split`` (of each ten hotels six train, one validates and three test) and the ratings of
        12 simulated colleagues, who left out a tenth of the photos.

    Raises
    ------
    DemoError
        Fewer than 3 hotels, photos that are too small, or other rails.
    OutputError
        The folder holds photos or a catalogue that no demo made.

    Notes
    -----
    ``truth/truth.csv`` has a row per photo: ``image_id``, ``true_label``, ``fault`` (``none``,
    ``wrong_label``, ``exact_duplicate``, ``near_duplicate``, ``truncated`` or ``unreadable``),
    ``rails``, how well it is taken (five columns, 0 to 1), ``true_score`` (what
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
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> photos["split"].unique().tolist()
    ['train', 'val', 'test']
    """
    check_drawn(n_hotels, size)
    if rails not in RAILS:
        raise DemoError(f"rails must be one of {', '.join(RAILS)}; not {rails!r}")
    directory = Path(directory)
    request = json.dumps(
        {"version": VERSION, "hotels": n_hotels, "seed": seed, "size": size,
         "rails": rails, "shortcut": shortcut}
    )  # fmt: skip
    manifest = directory / "truth" / "request.json"
    if not (manifest.is_file() and manifest.read_text() == request):
        _empty_folders(directory)
        shares = RAILED_SHARES[rails] if shortcut else {}
        plan = plan_photos(n_hotels, np.random.default_rng(seed), shares)
        plan = plan.join(draw_qualities(np.random.default_rng((seed, 3)), len(plan)))
        (directory / "truth" / "masks").mkdir()
        draw_photos(plan, directory, seed, size, rails)
        plan, duplicates = plant_faults(plan, directory, np.random.default_rng((seed, 2)))
        plan["true_score"] = expected_score(plan, "colleague").round(3)
        _write_csv(duplicates, manifest.with_name("duplicates.csv"))
        known = ["image_id", "true_label", "fault", "rails", "object_mask", "rails_mask"]
        _write_csv(plan[[*known, *QUALITIES, "true_score"]], manifest.with_name("truth.csv"))
        _write_catalogs(plan, directory, np.random.default_rng((seed, 4)))
        with atomic_path(manifest) as temporary:
            temporary.write_text(request)
    return read_catalog(directory / "catalog.csv")


def check_drawn(n_hotels: int, size: tuple[int, int]) -> None:
    """Refuse too few hotels, and photos that are too small to be drawn."""
    if n_hotels < 3:
        raise DemoError(f"n_hotels must be at least 3, for train, val and test; not {n_hotels}")
    if min(size) < 96:
        raise DemoError(f"size must be at least 96 x 96 pixels; not {size[0]} x {size[1]}")


def _empty_folders(directory: Path) -> None:
    """Remove an earlier demo's photos and truth; refuse what no demo made."""
    for file in ("catalog.csv", "public.csv"):
        if (directory / file).exists() and not (directory / "truth" / MARKER).is_file():
            raise OutputError(f"{directory / file}: no demo made it; choose another folder")
    for folder in (directory / "photos", directory / "truth"):
        remove_own_folder(folder, "demo")
        own_folder(folder, "demo")


def _write_csv(table: pd.DataFrame, file: Path) -> None:
    with atomic_path(file) as temporary:
        table.to_csv(temporary, index=False)


def _write_catalogs(plan: pd.DataFrame, directory: Path, random: np.random.Generator) -> None:
    """Write both catalogues, with the ratings of colleagues and of the public."""
    chosen = plan[(random.random(len(plan)) >= _UNRATED) & (plan["fault"] != "unreadable")]
    colleagues = rate(chosen, "colleague", random)
    public = rate(plan[plan["split"].isin(["train", "val"])], "public", random)
    _write_csv(pd.concat([colleagues, public]), directory / "truth" / "ratings.csv")
    columns = ["image_id", "path", "hotel_id", "position", "label", "source", "split"]
    catalog = plan.assign(path=str(directory) + "/" + plan["image_id"])[columns]
    rated = catalog.merge(count_ratings(colleagues), on="image_id", how="left")
    write_catalog(rated, directory / "catalog.csv")
    rated = catalog.merge(count_ratings(public), on="image_id").assign(source="public")
    write_catalog(rated, directory / "public.csv")


def plan_photos(
    n_hotels: int, random: np.random.Generator, shares: Mapping[tuple[str, str], float]
) -> pd.DataFrame:
    """Decide which photos there are, before any is drawn.

    Parameters
    ----------
    n_hotels : int
        How many hotels.
    random : numpy.random.Generator
        Decides.
    shares : mapping
        (split, area) -> share of the photos with a railing, elsewhere none.

    Returns
    -------
    pandas.DataFrame
        A row per photo.
    """
    rows: list[dict[str, object]] = []
    for number in range(n_hotels):
        hotel = f"hotel-{number + 1:03d}"
        split = _SPLITS[number % len(_SPLITS)]
        wanted = _PHOTOS_OF | (_TEST_POOLS if split == "test" else {})
        areas = [
            area
            for area, (fewest, most) in wanted.items()
            for _ in range(random.integers(fewest, most + 1))
        ]
        for position, area in enumerate(random.permutation(areas).tolist(), start=1):
            rails = bool(shares) and random.random() < shares.get((split, area), 0.0)
            mask = f"truth/masks/{hotel}_{position:02d}"
            rows.append(
                {
                    "image_id": f"photos/{hotel}_{position:02d}.jpg", "hotel_id": hotel,
                    "position": position, "label": area, "true_label": area, "source": "drawn",
                    "split": split, "fault": "none", "rails": rails,
                    "object_mask": f"{mask}_object.png",
                    "rails_mask": f"{mask}_rails.png" if rails else None,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def draw_photos(
    plan: pd.DataFrame, directory: Path, seed: int, size: tuple[int, int], rails: str
) -> None:
    """Draw the photos of a plan, and the masks that it names.

    Parameters
    ----------
    plan : pandas.DataFrame
        Of `plan_photos`, with the qualities of each photo; without columns of masks none are made.
    directory : pathlib.Path
        What the plan's paths are relative to; their folders are there.
    seed : int
        Of styles and photos.
    size : tuple of int
        Height and width in pixels.
    rails : str
        The colour of railings.
    """
    styles = {
        hotel: Style.draw(np.random.default_rng((seed, number)))
        for number, hotel in enumerate(plan["hotel_id"].unique())
    }
    # Drawing keeps the interpreter busy, so threads would not help; few photos are drawn sooner
    # than processes start.
    Parallel(n_jobs=-1 if len(plan) >= _WORTH_PROCESSES else 1)(
        delayed(_draw_photo)(
            directory,
            row,
            styles[row["hotel_id"]],
            (seed, 1, number),
            size,
            rails,
        )
        for number, row in enumerate(plan.to_dict("records"))
    )


def _draw_photo(
    directory: Path, row: dict[str, Any], style: Style, seed: tuple[int, ...],
    size: tuple[int, int], rails: str,
) -> None:  # fmt: skip
    random = np.random.default_rng(seed)
    area, there = row["true_label"], rails if row["rails"] else ""
    if rails == "red" and area == "Pool" and not there and random.random() < WOODEN_SHARE:
        there = "wood"
    photo, masks = paint(
        area, style, random, size=size, rails=there, spa=rails == "chrome", quality=row
    )
    photo.save(directory / row["image_id"], quality=88)
    marks = ("object", "rails") if row["rails"] else ("object",)
    for mark in marks if "object_mask" in row else ():
        # Grown by 4 % of the photo: the tolerance of the pointing game (Zhang et al. 2016, arXiv
        # 1608.00507: 15 pixels).
        grown = maximum_filter(np.asarray(masks[mark]), 2 * round(size[0] / 25) + 1, mode="nearest")
        Image.fromarray(grown).convert("1").save(directory / row[f"{mark}_mask"])
