"""Photos that are drawn for tests, and their catalogues."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


@functools.cache
def _drawn(seed: int, size: tuple[int, int]) -> Image.Image:
    random = np.random.default_rng(seed)
    layers = [
        Image.fromarray(random.integers(0, 255, (n, n, 3), dtype="uint8")).resize(size, 2)
        for n in (3, 6, 12, 48)
    ]
    mixed = np.mean([np.asarray(layer, dtype=float) for layer in layers], axis=0)
    return Image.fromarray(np.clip((mixed - 127) * 2 + 127, 0, 255).astype("uint8"))


def scene(seed: int, size: tuple[int, int] = (300, 225)) -> Image.Image:
    """A photo with structure at all scales, different for each seed."""
    return _drawn(seed, size).copy()


def catalog_of(paths: list[Path], **columns: object) -> pd.DataFrame:
    names = [path.name for path in paths]
    table = {"image_id": names, "path": [str(path) for path in paths], "hotel_id": names}
    return pd.DataFrame({**table, **columns})


def gradient(width: int = 96, height: int = 64) -> np.ndarray:
    """Red grows to the right, green downwards, blue is 90: every turn is visible."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 90)], axis=2).round().astype("uint8")


def save(path: Path, mode: str = "RGB", **kw: object) -> Path:
    Image.fromarray(gradient()).convert(mode).save(path, **kw)
    return path
