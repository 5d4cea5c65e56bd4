"""Check whether maps can be trusted to show what the network goes by.

A map that looks right may still explain nothing. Four questions, each a function: does hiding what
the map marks change the prediction (`deletion_insertion`)? Does the map lie on the object
(`pointing_game`)? Does it change when the network's weights become random
(`parameter_randomization`)? Do other methods agree (`method_agreement`)? `trust_table` asks all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.attribution.deletion import check_same_shape, curve_areas, deletion_insertion
from hotelviz.attribution.maps import explain
from hotelviz.attribution.methods import QUICK_METHODS
from hotelviz.attribution.targets import Target
from hotelviz.errors import AttributionError
from hotelviz.metrics import mean_interval

if TYPE_CHECKING:
    import keras

#: Rank correlations are computed on maps of at most so many pixels a side.
_COARSE = 28


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
    check_same_shape(maps, masks, ("maps", "masks"))
    flat, inside = maps.reshape(len(maps), -1), masks.reshape(len(masks), -1).astype(bool)
    total = flat.sum(axis=1)
    peak = flat.argmax(axis=1) if flat.size else np.zeros(len(flat), int)
    within = (flat * inside).sum(axis=1)
    hit = inside[np.arange(len(flat)), peak] & (total > 0)
    energy = np.divide(within, total, out=np.zeros(len(flat)), where=total > 0)
    return pd.DataFrame({"hit": hit, "energy": energy, "area": inside.mean(axis=1)})


def parameter_randomization(
    model: keras.Model,
    pixels: np.ndarray,
    target: Target = None,
    *,
    method: str | None = None,
    n_stages: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute how much maps change when the weights become random, from the top down.

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
    n_stages
        From the head alone to the whole network.
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
    >>> float(parameter_randomization(tagger, photos, "Pool", n_stages=1)["correlation"][0])
    1.0
    """
    from hotelviz.models import activations, copy_model, iter_nodes, model_info

    info = model_info(model)
    if n_stages < 1:
        raise AttributionError(f"at least one stage is needed, not {n_stages}")
    if target is None and info.task == "tagger":
        target = [info.classes[number] for number in activations(model)(pixels).argmax(axis=1)]
    intact = explain(model, pixels, target, method=method)
    nodes = iter_nodes(model).values()
    # An operation that is no layer has none.
    layers = {node.layer.name: node.layer for node in nodes if getattr(node.layer, "weights", ())}
    names = list(layers)[::-1]
    random = np.random.default_rng(seed)
    rows = [{"layer": "", "correlation": _mean_correlation(intact, intact)}]
    ends = sorted({round(end) for end in np.geomspace(1, len(names), n_stages)})
    weights: dict[str, list[np.ndarray]] = {}
    for end in ends if n_stages > 1 else [len(names)]:
        for name in names[len(weights) : end]:
            weights[name] = [_redrawn(tensor, random) for tensor in layers[name].get_weights()]
        # Compiled functions see the weights of the time they were made: each stage has its own.
        changed = copy_model(model)
        for name, drawn in weights.items():
            changed.get_layer(name).set_weights(drawn)
        maps = explain(changed, pixels, target, method=method)
        rows.append({"layer": names[end - 1], "correlation": _mean_correlation(intact, maps)})
    return pd.DataFrame(rows)


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
    agreement = {a: {b: _mean_correlation(maps[b], maps[a]) for b in maps} for a in maps}
    return pd.DataFrame(agreement)


def _mean_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the mean over photos of the rank correlation (Spearman's) of each one's two maps.

    It is 0 where a map is constant.
    """
    from scipy.stats import rankdata

    check_same_shape(one, other, ("maps", "other maps"))
    step = max(1, one.shape[1] // _COARSE)
    sides = [
        rankdata(maps[:, step // 2 :: step, step // 2 :: step].reshape(len(maps), -1), axis=1)
        for maps in (one, other)
    ]
    first, second = (side - side.mean(axis=1, keepdims=True) for side in sides)
    norms = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    products = (first * second).sum(axis=1)
    return float(np.divide(products, norms, out=np.zeros(len(products)), where=norms > 0).mean())


def trust_table(
    model: keras.Model,
    pixels: np.ndarray,
    target: Target = None,
    *,
    methods: Sequence[str] = QUICK_METHODS,
    masks: np.ndarray | None = None,
    groups: Sequence[str] | pd.Series | None = None,
    n_randomized: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute all checks for several methods.

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
    n_randomized
        Photos that the check with random weights is made on.
    seed
        Of everything random.

    Returns
    -------
    pandas.DataFrame
        A row per method: ``deletion`` and ``insertion``, margins over random order with the
        bounds of their 95 % intervals (``deletion_low`` and so on); with masks ``hit`` and
        ``energy``; ``randomised``, the correlation with the maps of a wholly random network;
        ``agreement``, the mean correlation with the other methods; ``ms``, milliseconds a photo.

    Examples
    --------
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(4, 3, name="conv", activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bed", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> photos = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8")
    >>> trust_table(small, photos, methods=["gradcam"], n_randomized=1).index.to_list()
    ['gradcam']
    """
    if not len(pixels) or not methods:
        raise AttributionError("there is nothing to check: no photo or no method")
    drawn, seconds = {}, {}
    for method in methods:
        first = target if target is None or isinstance(target, str | tuple) else target[:1]
        explain(model, pixels[:1], first, method=method)  # compiles
        started = time.perf_counter()
        drawn[method] = explain(model, pixels, target, method=method, seed=seed)
        seconds[method] = time.perf_counter() - started
    alike = method_agreement(drawn)
    few = target if target is None or isinstance(target, str | tuple) else target[:n_randomized]
    rows = []
    for method, maps in drawn.items():
        areas = curve_areas(deletion_insertion(model, pixels, maps, target, seed=seed))
        row: dict[str, float | str] = {"method": method}
        for check in ("deletion", "insertion"):
            row |= _mean_with_interval(check, areas[f"{check}_margin"].to_numpy(), groups, seed)
        if masks is not None:
            inside = pointing_game(maps, masks)
            row |= {"hit": float(inside["hit"].mean()), "energy": float(inside["energy"].mean())}
        randomized = parameter_randomization(
            model, pixels[:n_randomized], few, method=method, n_stages=1, seed=seed
        )
        row |= {
            "randomised": float(randomized["correlation"].iloc[-1]),
            "agreement": alike[method].drop(method).mean(),
            "ms": 1000 * seconds[method] / len(pixels),
        }
        rows.append(row)
    return pd.DataFrame(rows).set_index("method")


def _mean_with_interval(
    name: str, values: np.ndarray, groups: Sequence[str] | pd.Series | None, seed: int
) -> dict[str, float]:
    interval = mean_interval(values, groups=groups, seed=seed)
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
