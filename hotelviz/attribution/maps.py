"""Compute maps of which pixels led to a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hotelviz.attribution.methods import CELL_METHODS, METHODS, map_function
from hotelviz.attribution.methods.cam import class_activation_map
from hotelviz.attribution.methods.perturbation import scaled_to_one
from hotelviz.attribution.photos import checked_photos, iterate_pixels, read_pixels
from hotelviz.attribution.receptive_field import feature_grid, upsample_to_input
from hotelviz.attribution.targets import Target, target_weights
from hotelviz.catalog import check_table
from hotelviz.errors import AttributionError, check_choice

if TYPE_CHECKING:
    import keras
    import pandas as pd


def explain(
    model: keras.Model,
    photos: np.ndarray | Sequence[str] | pd.Series,
    target: Target = None,
    *,
    method: str | None = None,
    layer: str | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> np.ndarray:
    """Compute maps of which pixels led to a prediction.

    Parameters
    ----------
    model
        A tagger, an aesthetic or a technical model.
    photos
        uint8 (N, height, width, 3) at the model's size, as `hotelviz.images.read_image` returns
        them; or the paths of photos, decoded as the model wants them.
    target
        What the maps speak for. A class; a pair such as ``("Pool", "Bathroom")``, what speaks for
        the first and against the second; for aesthetic models ``"mean_score"`` or
        ``"score>=7"``, the probability of such scores. A list has one for each photo. None is the
        predicted class, or the mean score.
    method
        ``cam`` (the default where the head is global average pooling and one dense layer),
        ``gradcam`` (otherwise), ``gradcam++``, ``layercam``, ``scorecam`` (the fast variant, of 16
        channels), ``saliency`` or ``smoothgrad``.
    layer
        Whose maps are weighted, by name; None takes the last convolution. ``cam`` and the methods
        of pixels, ``saliency`` and ``smoothgrad``, have no choice.
    batch_size
        Photos per pass; it bounds the memory.
    seed
        Of the noise of ``smoothgrad``.

    Returns
    -------
    numpy.ndarray
        float32 (N, height, width): what speaks *for* the target, scaled to a maximum of 1 in each
        map; all zero where nothing does, and for a photo that cannot be read.

    Raises
    ------
    AttributionError
        An unknown method or class, or ``cam`` for another head.
    ModelError
        A layer that is not there, or has no height and width; other pixels than the model takes.

    Notes
    -----
    Each cell of a feature map is laid where its receptive field is centred, see `feature_grid`.
    Stretching the map over the photo instead, as is often done, shifts every map to the upper left
    by half a cell (16 of 224 pixels for MobileNet).

    References
    ----------
    CAM: Zhou et al., CVPR 2016, arXiv 1512.04150, eq. 2. Grad-CAM: Selvaraju et al., ICCV 2017,
    arXiv 1610.02391. Grad-CAM++: Chattopadhay et al., WACV 2018, arXiv 1710.11063. Layer-CAM:
    Jiang et al., IEEE TIP 2021. Score-CAM: Wang et al., CVPRW 2020, arXiv 1910.01279. Saliency:
    Simonyan et al., arXiv 1312.6034. SmoothGrad: Smilkov et al., arXiv 1706.03825.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> explain(tagger, np.zeros((3, 64, 64, 3), "uint8"), ("Pool", "Bedroom")).shape
    (3, 64, 64)
    """
    from hotelviz.models import last_convolution, model_info

    info = model_info(model)
    photos = checked_photos(model, photos)
    method = _checked_method(model, method, layer)
    weights = target_weights(target, info, len(photos))
    size = info.preprocessing.size
    maps = np.zeros((len(photos), *size), "float32")
    if layer is None and method in CELL_METHODS and method != "cam":
        layer = last_convolution(model).name
    grid = feature_grid(model, layer) if method in CELL_METHODS else None
    compute = map_function(model, method, layer, seed) if len(photos) else None
    for rows, pixels in iterate_pixels(model, photos, batch_size=batch_size):
        assert compute is not None
        drawn = compute(pixels, weights[rows])
        if grid is not None:
            drawn = upsample_to_input(np.maximum(drawn, 0), grid, size)
        maps[rows] = scaled_to_one(drawn)
    return maps


def evidence_maps(model: keras.Model, predictions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Compute three maps for each photo: for its predicted class, for its true one, the difference.

    Parameters
    ----------
    model
        A tagger.
    predictions
        ``path``, ``predicted`` and ``label``.

    Returns
    -------
    dict
        ``predicted``, ``true`` and ``difference`` (what speaks for the first rather than the
        second) -> float32 (photos, height, width), as `hotelviz.gallery.Gallery` takes them. NaN
        where there is none: the photo cannot be read, the model does not know its label, or,
        without a difference, predicted it.

    Raises
    ------
    CatalogError
        A column that is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bathroom", "Pool"], input_size=64, weights=None)
    >>> none = pd.DataFrame({"path": [], "predicted": [], "label": []})
    >>> [maps.shape for maps in evidence_maps(tagger, none).values()]
    [(0, 64, 64), (0, 64, 64), (0, 64, 64)]
    """
    from hotelviz.models import model_info

    needs = ["path", "predicted", "label"]
    table = check_table(predictions, needs=needs, where="evidence_maps").reset_index(drop=True)
    info = model_info(model)
    pixels, rows = read_pixels(model, table["path"])
    read = np.asarray(rows, "int64")
    predicted, label = table["predicted"].to_numpy()[read], table["label"].to_numpy()[read]
    known = np.isin(label, info.classes)
    wrong = known & (label != predicted)
    targets = {
        "predicted": (np.ones(len(read), bool), list(predicted)),
        "true": (known, list(label[known])),
        "difference": (wrong, list(zip(predicted[wrong], label[wrong], strict=True))),
    }
    found = {}
    for name, (chosen, target) in targets.items():
        found[name] = np.full((len(table), *info.preprocessing.size), np.nan, "float32")
        found[name][read[chosen]] = explain(model, pixels[chosen], target)
    return found


def contributions(
    model: keras.Model, pixels: np.ndarray, target: Target = None, *, batch_size: int = 64
) -> np.ndarray:
    """Compute what each cell of the last feature map contributes to the target.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.
    pixels
        uint8 (N, height, width, 3) at the model's size.
    target
        As in `explain`.
    batch_size
        Photos per forward pass.

    Returns
    -------
    numpy.ndarray
        float32 (N, h, w), signed; 7 x 7 for MobileNet at 224 pixels. The mean over a map is the
        class's logit less its bias (of a pair: the difference of both).

    Raises
    ------
    AttributionError
        When the head is another one, or a class is not the model's.
    ModelError
        Other pixels than the model takes.

    Examples
    --------
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(4, 3, name="conv", activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bed", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> contributions(small, np.zeros((3, 32, 32, 3), "uint8"), "Pool").shape
    (3, 30, 30)
    """
    from hotelviz.models import model_info

    _checked_method(model, "cam", None)
    weights = target_weights(target, model_info(model), len(pixels))
    compute = class_activation_map(model)
    batches = iterate_pixels(model, pixels, batch_size=batch_size)
    parts = [compute(part, weights[rows]) for rows, part in batches]
    return np.concatenate(parts) if parts else np.zeros((0, 1, 1), "float32")


def _checked_method(model: keras.Model, method: str | None, layer: str | None) -> str:
    """Return the method, or the model's default one, if it can explain this model."""
    from hotelviz.models import gap_node, iter_nodes

    pooled = gap_node(model)
    if method is None:
        return "cam" if pooled and layer is None else "gradcam"
    check_choice(method, METHODS, "method", AttributionError)
    if layer is not None and method not in CELL_METHODS[1:]:
        raise AttributionError(f"{method} has no choice of layer; leave layer={layer!r} out")
    if method == "cam" and not pooled:
        raise AttributionError(
            "class activation maps need a head of global average pooling and one dense layer; "
            f"this model ends in {', '.join(list(iter_nodes(model))[-4:])}: use method='gradcam'"
        )
    return method
