"""Maps over the photos of a gallery: one or several for each photo, and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hotelviz.errors import GalleryError

#: What maps show, in words, by the names that `hotelviz.attribution.evidence_maps` gives them.
TITLES = {
    "evidence": "evidence",
    "predicted": "evidence for the predicted class",
    "true": "evidence for the true class",
    "difference": "the difference: predicted rather than true",
}
#: Maps are shown this large at most; the browser stretches them smoothly.
MAP_SIDE = 56


def named_overlays(
    overlays: np.ndarray | Mapping[str, np.ndarray] | None, n_photos: int
) -> dict[str, np.ndarray]:
    """Return maps by name, checked; those of an array are called ``evidence``.

    Raises
    ------
    GalleryError
        Maps that do not fit the rows, or one another.

    Examples
    --------
    >>> list(named_overlays(np.zeros((2, 7, 7)), 2))
    ['evidence']
    """
    if overlays is None:
        return {}
    given = overlays if isinstance(overlays, Mapping) else {"evidence": overlays}
    named = {name: np.asarray(maps) for name, maps in given.items()}
    for name, maps in named.items():
        which = "overlays" if name == "evidence" else f"the overlays {name!r}"
        if np.ndim(maps) != 3 or len(maps) != n_photos:
            shape = np.shape(maps)
            raise GalleryError(f"{which} have the shape {shape}; expected ({n_photos}, h, w)")
        first = next(iter(named.values()))
        if maps.shape != first.shape:
            raise GalleryError(
                f"{which} have the shape {maps.shape}; those before have {first.shape}"
            )
    return named


def describe_overlays(overlays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return what the script is told of maps: titles, size, colours, and which photos have them."""
    shown = {"overlays": [TITLES.get(name, name) for name in overlays]}
    if not overlays:
        return shown | {"maps_size": None, "ramp": None, "mapped": None}
    here = [~np.isnan(maps).any(axis=(1, 2)) for maps in overlays.values()]
    return shown | {
        "maps_size": list(_map_size(overlays)),
        "ramp": _ramp(),
        "mapped": np.stack(here, axis=1).astype("uint8"),
    }


def small_maps(overlays: Mapping[str, np.ndarray], row: int) -> np.ndarray:
    """Return the maps of a photo as the script takes them: uint8 (maps, h, w), `MAP_SIDE` large."""
    from PIL import Image

    height, width = _map_size(overlays)
    small = np.zeros((len(overlays), height, width), "uint8")
    for place, maps in enumerate(overlays.values()):
        whole = Image.fromarray(np.nan_to_num(np.asarray(maps[row], "float32")))
        values = np.asarray(whole.resize((width, height), Image.Resampling.BOX)).clip(0, 1)
        small[place] = (values * 255).round()
    return small


def _map_size(overlays: Mapping[str, np.ndarray]) -> tuple[int, int]:
    height, width = next(iter(overlays.values())).shape[1:]
    scale = min(1.0, MAP_SIDE / max(height, width, 1))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _ramp() -> np.ndarray:
    """Return the colours of `hotelviz.attribution.overlay`, uint8 (256, 3)."""
    import matplotlib

    from hotelviz.attribution.overlay import COLORMAP

    colours = np.asarray(matplotlib.colormaps[COLORMAP](np.arange(256)))[:, :3]
    return (colours * 255).round().astype("uint8")
