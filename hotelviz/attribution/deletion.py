"""Deletion and insertion: how hiding what a map marks changes the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.attribution.methods.perturbation import blur_baseline
from hotelviz.attribution.targets import Target, fill_predicted, target_weights
from hotelviz.errors import AttributionError

if TYPE_CHECKING:
    import keras

#: Tiles that are hidden or uncovered, along each side of a photo.
_TILES = 14


def deletion_insertion(
    model: keras.Model,
    pixels: np.ndarray,
    maps: np.ndarray,
    target: Target = None,
    *,
    steps: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute predictions while photos are hidden, or uncovered, in the order of their maps.

    Parameters
    ----------
    model
        Any.
    pixels
        uint8 (N, height, width, 3) at the model's size.
    maps
        float (N, height, width), of `explain`.
    target
        What the maps speak for.
    steps
        In how many steps.
    seed
        Of the random order.

    Returns
    -------
    pandas.DataFrame
        A row per photo, check, order and step: ``photo`` (its number), ``check`` (``deletion`` or
        ``insertion``), ``order`` (``map`` or ``random``), ``share`` of the photo that is hidden
        (deletion) or uncovered (insertion), and ``value``: the probability of the class, the
        difference of both of a pair, or the score. For a good map the value falls fast in deletion
        and rises fast in insertion. See `curve_areas`.

    Notes
    -----
    Hidden is what is blurred: black tiles would be edges that no photo has. Tiles are a fourteenth
    of the photo wide, in both orders, so that the random order hides as coherent pieces as the
    map's does.

    References
    ----------
    Petsiuk, Das, Saenko: RISE, BMVC 2018, arXiv 1806.07421, section 4.1.

    Examples
    --------
    >>> from hotelviz.attribution import explain
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> photos = np.zeros((2, 64, 64, 3), "uint8")
    >>> curves = deletion_insertion(tagger, photos, explain(tagger, photos), steps=4)
    >>> len(curves)  # 2 photos, 2 checks, 2 orders, 5 states
    40
    """
    from hotelviz.models import activations, model_info

    check_same_shape(pixels, maps, ("photos", "maps"))
    if steps < 1:
        raise AttributionError(f"at least one step is needed, not {steps}")
    run = activations(model)
    all_weights = target_weights(target, model_info(model), len(pixels))
    random = np.random.default_rng(seed)
    shares = np.linspace(0, 1, steps + 1)
    parts = []
    for photo, values, weights in zip(pixels, maps, all_weights, strict=True):
        importance = _tile_means(values)
        # Ties, such as all of an empty map, are in random order too.
        by_map = np.lexsort((random.random(importance.size), -importance))
        orders = (by_map, random.permutation(importance.size))
        outputs = run(np.concatenate([_states(photo, order, shares) for order in orders]))
        wanted = fill_predicted(weights[None], np.log(outputs[:1] + 1e-12)).sum(axis=1)[0]
        parts.append(outputs @ wanted)
    index = pd.MultiIndex.from_product(
        [range(len(pixels)), ["map", "random"], ["deletion", "insertion"], shares],
        names=["photo", "order", "check", "share"],
    )
    return pd.Series(np.ravel(parts), index, "float64", "value").reset_index()


def _tiles(n_pixels: int) -> np.ndarray:
    """Return the tile, along one side, that each pixel lies in."""
    return np.arange(n_pixels) * _TILES // n_pixels


def _tile_means(values: np.ndarray) -> np.ndarray:
    """Compute the mean of a map in each tile, row by row."""
    rows, columns = map(_tiles, values.shape)
    sums = np.zeros((_TILES, _TILES))
    np.add.at(sums, (rows[:, None], columns[None]), values)
    return (sums / np.outer(np.bincount(rows), np.bincount(columns))).ravel()


def _states(photo: np.ndarray, order: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return a photo with shares of its tiles hidden in an order, and then uncovered in it."""
    rank = np.empty(order.size)
    rank[order] = (np.arange(order.size) + 0.5) / order.size
    rows, columns = map(_tiles, photo.shape[:2])
    first = rank.reshape(_TILES, _TILES)[rows][:, columns] < shares[:, None, None]
    first, hidden = first[..., None], blur_baseline(photo)
    return np.concatenate([np.where(first, hidden, photo), np.where(first, photo, hidden)])


def curve_areas(curves: pd.DataFrame) -> pd.DataFrame:
    """Compute the areas under the curves of `deletion_insertion`, and the margins over chance.

    Parameters
    ----------
    curves
        Of `deletion_insertion`.

    Returns
    -------
    pandas.DataFrame
        A row per photo: ``deletion``, ``insertion`` and their areas in random order,
        ``random_deletion`` and ``random_insertion``; ``deletion_margin`` and
        ``insertion_margin``, by how much the map does better (positive is better).

    Examples
    --------
    >>> curves = pd.DataFrame({"photo": 0, "check": ["deletion"] * 4 + ["insertion"] * 4,
    ...                        "order": ["map", "map", "random", "random"] * 2,
    ...                        "share": [0.0, 1.0] * 4, "value": [1, 0, 1, 1, 0, 1, 0, 0]})
    >>> curve_areas(curves)[["deletion_margin", "insertion_margin"]].to_numpy().tolist()
    [[0.5, 0.5]]
    """
    for column in ("photo", "check", "order", "share", "value"):
        if column not in curves:
            raise AttributionError(
                f"the curves have no column {column!r}; they come from deletion_insertion"
            )
    groups = curves.sort_values("share").groupby(["order", "check", "photo"])
    areas = groups[["share", "value"]].apply(
        lambda curve: float(np.trapezoid(curve["value"], curve["share"]))
    )
    checks = ("deletion", "insertion")
    found = pd.DataFrame({check: areas["map", check] for check in checks})
    for check in checks:
        found[f"random_{check}"] = areas["random", check]
    found["deletion_margin"] = found["random_deletion"] - found["deletion"]
    found["insertion_margin"] = found["insertion"] - found["random_insertion"]
    return found.rename_axis(index="photo")


def check_same_shape(one: np.ndarray, other: np.ndarray, names: tuple[str, str]) -> None:
    """Check that two things can be compared place by place: one shape, and only numbers."""
    if one.shape[:3] != other.shape[:3] or one.ndim < 3:
        raise AttributionError(
            f"{names[0]} of the shape {one.shape}, but {names[1]} of {other.shape}: photos, height "
            "and width must be the same"
        )
    for name, values in zip(names, (one, other), strict=True):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise AttributionError(f"{name} have values that are no numbers (NaN)")
