"""Check whether maps can be trusted to show what the network goes by.

A map that looks right may still explain nothing. Four questions, each a function: does hiding what
the map marks change the prediction (`deletion_insertion`)? Does the map lie on the object
(`pointing_game`)? Does it change when the network's weights become random
(`parameter_randomization`)? Do
other methods say the same (`method_agreement`)? `trust_table` asks all of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.attribution.maps import QUICK_METHODS, blur_baseline, explain
from hotelviz.attribution.targets import Target, fill_predicted, target_weights
from hotelviz.errors import AttributionError
from hotelviz.metrics import bootstrap_interval

if TYPE_CHECKING:
    import keras

#: Side of the tiles that are hidden, as a share of the photo's.
_TILE = 1 / 14
#: Rank correlations are computed on maps of at most so many pixels a side.
_COARSE = 28


def deletion_insertion(
    model: keras.Model,
    pixels: np.ndarray,
    maps: np.ndarray,
    target: Target = None,
    *,
    steps: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Hide, or uncover, a photo tile by tile in the order of its map, and in random order.

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
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> photos = np.zeros((2, 64, 64, 3), "uint8")
    >>> curves = deletion_insertion(tagger, photos, explain(tagger, photos), steps=4)
    >>> len(curves)  # 2 photos, 2 checks, 2 orders, 5 states
    40
    """
    from hotelviz.models import activations, model_info

    _check_maps(pixels, maps, ("photos", "maps"))
    if steps < 1:
        raise AttributionError(f"at least one step is needed, not {steps}")
    info, run = model_info(model), activations(model)
    size = info.preprocessing.size
    weights = target_weights(target, info, len(pixels))
    tiles = [max(1, round(1 / _TILE))] * 2
    rows = np.arange(size[0]) * tiles[0] // size[0]
    columns = np.arange(size[1]) * tiles[1] // size[1]
    random = np.random.default_rng(seed)
    shares = np.linspace(0, 1, steps + 1)
    parts = []
    for number, photo in enumerate(pixels):
        hidden = blur_baseline(photo)
        importance = _tile_means(maps[number], rows, columns, tiles)
        # Ties, such as all of an empty map, are in random order too.
        orders = {
            "map": np.lexsort((random.random(importance.size), -importance.ravel())),
            "random": random.permutation(importance.size),
        }
        states = []
        for order in orders.values():
            rank = np.empty(importance.size)
            rank[order] = (np.arange(importance.size) + 0.5) / importance.size
            covered = rank.reshape(tiles)[rows][:, columns] < shares[:, None, None]
            states += [np.where(covered[..., None], hidden, photo)]
            states += [np.where(covered[..., None], photo, hidden)]
        outputs = run(np.concatenate(states))
        wanted = fill_predicted(weights[number : number + 1], np.log(outputs[:1] + 1e-12)).sum(
            axis=1
        )
        parts.append((outputs @ wanted[0]).reshape(2, 2, len(shares)))
    index = pd.MultiIndex.from_product(
        [range(len(pixels)), ["map", "random"], ["deletion", "insertion"], shares],
        names=["photo", "order", "check", "share"],
    )
    values = np.array(parts, "float64").reshape(-1)
    return pd.DataFrame({"value": values}, index=index).reset_index()


def _tile_means(
    values: np.ndarray, rows: np.ndarray, columns: np.ndarray, tiles: Sequence[int]
) -> np.ndarray:
    sums = np.zeros(tuple(tiles))
    np.add.at(sums, (rows[:, None], columns[None]), values)
    return sums / np.outer(np.bincount(rows), np.bincount(columns))


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
    means = curves.sort_values("share").groupby(["photo", "order", "check"])
    areas = means[["share", "value"]].apply(
        lambda curve: float(np.trapezoid(curve["value"], curve["share"]))
    )
    table = areas.unstack(["order", "check"])
    found = pd.DataFrame(
        {
            "deletion": table["map", "deletion"],
            "insertion": table["map", "insertion"],
            "random_deletion": table["random", "deletion"],
            "random_insertion": table["random", "insertion"],
        }
    )
    found["deletion_margin"] = found["random_deletion"] - found["deletion"]
    found["insertion_margin"] = found["insertion"] - found["random_insertion"]
    return found.rename_axis(index="photo")


def pointing_game(maps: np.ndarray, masks: np.ndarray) -> pd.DataFrame:
    """Compare maps with masks of the objects that they should lie on.

    Parameters
    ----------
    maps
        float (N, height, width).
    masks
        bool, of the same shape.

    Returns
    -------
    pandas.DataFrame
        A row per photo: ``hit``, whether the map's peak lies in the mask (the pointing game; false
        for an empty map); ``energy``, the share of the map that lies in the mask, 0 to 1; and
        ``area``, the share of the photo that the mask takes, which a map that knows nothing would
        reach in both.

    Raises
    ------
    AttributionError
        When the shapes differ.

    References
    ----------
    Zhang et al.: Top-down Neural Attention by Excitation Backprop, ECCV 2016, arXiv 1608.00507.
    Wang et al.: Score-CAM, arXiv 1910.01279, section 4.3 (energy).

    Examples
    --------
    >>> maps = np.zeros((1, 4, 4)); maps[0, 1, 1] = 1.0; maps[0, 3, 3] = 0.5
    >>> masks = np.zeros((1, 4, 4), bool); masks[0, :2, :2] = True
    >>> pointing_game(maps, masks).round(2).to_dict("records")
    [{'hit': True, 'energy': 0.67, 'area': 0.25}]
    """
    _check_maps(maps, masks, ("maps", "masks"))
    flat, inside = maps.reshape(len(maps), -1), masks.reshape(len(masks), -1).astype(bool)
    total = flat.sum(axis=1)
    peak = flat.argmax(axis=1) if flat.size else np.zeros(len(flat), int)
    within = (flat * inside).sum(axis=1)
    return pd.DataFrame(
        {
            "hit": inside[np.arange(len(flat)), peak] & (total > 0),
            "energy": np.divide(within, total, out=np.zeros(len(flat)), where=total > 0),
            "area": inside.mean(axis=1),
        }
    )


def parameter_randomization(
    model: keras.Model,
    pixels: np.ndarray,
    target: Target = None,
    *,
    method: str | None = None,
    stages: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    """Make the weights random from the top down, and see whether the maps change.

    Parameters
    ----------
    model
        Any; itself untouched.
    pixels
        uint8 (N, height, width, 3) at the model's size.
    target
        What the maps speak for; None takes what the intact model predicts, at every stage.
    method
        As in `explain`.
    stages
        How many, from the head alone to the whole network.
    seed
        Of the random weights.

    Returns
    -------
    pandas.DataFrame
        A row per stage: ``layer``, down to which the weights are random (the first row: nothing
        is, ``layer`` is empty), and ``correlation``, the mean rank correlation of the photos' maps
        with those of the intact network. A map that survives random weights shows edges in the
        photo, not what the network has learned.

    Notes
    -----
    Each tensor of weights is drawn anew from the normal distribution of its own mean and standard
    deviation, so that signals keep their size; variances are shuffled, since they must stay
    positive.

    References
    ----------
    Adebayo et al.: Sanity Checks for Saliency Maps, NeurIPS 2018, arXiv 1810.03292.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> photos = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype="uint8")
    >>> float(parameter_randomization(tagger, photos, "Pool", stages=1)["correlation"][0])
    1.0
    """
    from hotelviz.models import activations, iter_nodes, model_info

    info = model_info(model)
    if stages < 1:
        raise AttributionError(f"at least one stage is needed, not {stages}")
    if target is None and info.task == "tagger":
        target = [info.classes[number] for number in activations(model)(pixels).argmax(axis=1)]
    intact = explain(model, pixels, target, method=method)
    layers = {
        step.layer.name: step.layer for step in iter_nodes(model).values() if step.layer.weights
    }
    names = list(layers)[::-1]
    random = np.random.default_rng(seed)
    rows = [{"layer": "", "correlation": float(rank_correlation(intact, intact).mean())}]
    ends = sorted({round(end) for end in np.geomspace(1, len(names), stages)})
    if stages == 1:
        ends = [len(names)]
    weights = {name: layer.get_weights() for name, layer in layers.items()}
    done = 0
    for end in ends:
        for name in names[done:end]:
            weights[name] = [_redrawn(tensor, random) for tensor in weights[name]]
        done = end
        # Compiled functions see the weights of the time they were made: each stage has its own.
        changed = _copy(model)
        for name in names[:end]:
            changed.get_layer(name).set_weights(weights[name])
        maps = explain(changed, pixels, target, method=method)
        correlation = float(rank_correlation(intact, maps).mean())
        rows.append({"layer": names[end - 1], "correlation": correlation})
    return pd.DataFrame(rows)


def _copy(model: keras.Model) -> keras.Model:
    import keras

    from hotelviz.models import model_info
    from hotelviz.models.info import attach

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return attach(copy, model_info(model))


def _redrawn(tensor: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if tensor.min() >= 0:  # variances, and batch normalisation's scales
        return random.permutation(tensor.ravel()).reshape(tensor.shape)
    return random.normal(tensor.mean(), tensor.std() + 1e-12, tensor.shape).astype(tensor.dtype)


def method_agreement(maps: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Compute how alike the maps of several methods are.

    Parameters
    ----------
    maps
        Method -> float (N, height, width), of the same photos.

    Returns
    -------
    pandas.DataFrame
        Methods by methods: the mean rank correlation over the photos, -1 to 1.

    Examples
    --------
    >>> ramp = np.arange(16.0).reshape(1, 4, 4)
    >>> float(method_agreement({"a": ramp, "b": -ramp}).loc["a", "b"])
    -1.0
    """
    values = {
        (one, other): float(rank_correlation(maps[one], maps[other]).mean())
        for one in maps
        for other in maps
    }
    return pd.Series(values).unstack().reindex(index=list(maps), columns=list(maps))


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute Spearman's rank correlation of each photo's two maps; 0 where one is constant."""
    from scipy.stats import rankdata

    _check_maps(one, other, ("maps", "other maps"))
    step = max(1, one.shape[1] // _COARSE)
    sides = [
        rankdata(maps[:, step // 2 :: step, step // 2 :: step].reshape(len(maps), -1), axis=1)
        for maps in (one, other)
    ]
    first, second = (side - side.mean(axis=1, keepdims=True) for side in sides)
    norms = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    products = (first * second).sum(axis=1)
    return np.divide(products, norms, out=np.zeros(len(products)), where=norms > 0)


def trust_table(
    model: keras.Model,
    pixels: np.ndarray,
    target: Target = None,
    *,
    methods: Sequence[str] = QUICK_METHODS,
    masks: np.ndarray | None = None,
    groups: Sequence[str] | pd.Series | None = None,
    randomised: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Put methods to all checks.

    Parameters
    ----------
    model, pixels, target
        As in `deletion_insertion`.
    methods
        Of `explain`.
    masks
        bool (N, height, width) of the objects, where they are known.
    groups
        The hotel of each photo, for the intervals.
    randomised
        How many photos the check with random weights is made on.
    seed
        Of everything random.

    Returns
    -------
    pandas.DataFrame
        A row per method: ``deletion`` and ``insertion``, margins over random order with the
        bounds of their 95 % intervals (``deletion_low`` and so on); with masks ``hit`` and
        ``energy``; ``randomised``, the correlation with the maps of a wholly random network;
        ``agreement``, the mean correlation with the other methods; ``ms``, milliseconds a photo.
    """
    if not len(pixels) or not methods:
        raise AttributionError("there is nothing to check: no photo or no method")
    drawn, seconds = {}, {}
    for method in methods:
        explain(model, pixels[:1], target if isinstance(target, str | tuple) else None,
                method=method)  # fmt: skip
        started = time.perf_counter()
        drawn[method] = explain(model, pixels, target, method=method, seed=seed)
        seconds[method] = time.perf_counter() - started
    alike = method_agreement(drawn)
    few = target if target is None or isinstance(target, str | tuple) else target[:randomised]
    rows = []
    for method, maps in drawn.items():
        areas = curve_areas(deletion_insertion(model, pixels, maps, target, seed=seed))
        row: dict[str, float | str] = {"method": method}
        for check in ("deletion", "insertion"):
            margins = areas[f"{check}_margin"].to_numpy()
            interval = bootstrap_interval(
                lambda drawn, margins=margins: float(margins[drawn].mean()),  # type: ignore[misc]
                len(margins), groups=groups, seed=seed,
            )  # fmt: skip
            row |= {
                check: interval.value, f"{check}_low": interval.low, f"{check}_high": interval.high
            }  # fmt: skip
        if masks is not None:
            inside = pointing_game(maps, masks)
            row |= {"hit": float(inside["hit"].mean()), "energy": float(inside["energy"].mean())}
        course = parameter_randomization(
            model, pixels[:randomised], few, method=method, stages=1, seed=seed
        )  # fmt: skip
        others = alike.loc[method].drop(method)
        row |= {
            "randomised": float(course["correlation"].iloc[-1]),
            "agreement": float(others.mean()) if len(others) else np.nan,
            "ms": 1000 * seconds[method] / max(1, len(pixels)),
        }
        rows.append(row)
    return pd.DataFrame(rows).set_index("method")


def _check_maps(one: np.ndarray, other: np.ndarray, names: tuple[str, str]) -> None:
    """Refuse two things that are to be compared place by place, and are not of one shape."""
    if one.shape[:3] != other.shape[:3] or one.ndim < 3:
        raise AttributionError(
            f"{names[0]} of the shape {one.shape}, but {names[1]} of {other.shape}: photos, height "
            "and width must be the same"
        )
    for name, values in zip(names, (one, other), strict=True):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise AttributionError(f"{name} have values that are no numbers (NaN)")
