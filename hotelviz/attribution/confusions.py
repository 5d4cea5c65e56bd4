"""What the photos of one confusion have in common: the patterns that speak for the wrong class.

Rails made pools look like bathrooms; hundreds of overlays had to be looked at to see it. Here the
patches under the hottest parts of all these maps are compared with one another: those that look
alike to the network form a pattern, and a pattern that is in most of the wrong photos, but in few
of the right ones, is a suspected shortcut.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.attribution.geometry import Axis
from hotelviz.attribution.maps import explain
from hotelviz.attribution.methods.perturbation import blur_baseline
from hotelviz.attribution.photos import iterate_pixels, read_pixels
from hotelviz.attribution.receptive_field import Grid, feature_grid
from hotelviz.attribution.targets import Target
from hotelviz.catalog import check_table
from hotelviz.errors import AttributionError
from hotelviz.metrics import misclassified

if TYPE_CHECKING:
    import keras

#: A patch's side as a share of the photo's, and how many patches a photo gives at most.
_WINDOW, _PATCHES = 0.25, 3
#: A patch has at least this share of the photo's hottest patch.
_LEAST = 0.3
#: Patches farther apart than this (cosine distance of standardised features) are different things.
_APART = 0.5
#: Cells of the layer that patterns are compared in, along a photo's side, at least.
_CELLS = 24
#: A suspected shortcut carries at least this share of the evidence, occurs so much more often in
#: errors than in rightly recognised photos that chance would rarely do it, and blurring it sets
#: this share of its errors right.
_SHARE, _CHANCE, _REPAIRED = 0.4, 0.05, 0.5
#: Misclassified photos that a suspected shortcut occurs in at least.
SHORTCUT_ERRORS = 4


class Confusion(NamedTuple):
    """What `explain_confusion` found.

    Attributes
    ----------
    true, predicted
        The pair of classes.
    photos
        The wrongly predicted photos: the rows of the predictions, the most confident first.
    maps
        ``predicted``, ``true`` and ``difference`` -> float32 (photos, height, width): what speaks
        for the one class, for the other, and for the first rather than the second.
    patches
        A row per patch: ``photo`` (a row of `photos`), ``path``, ``x`` and ``y`` (its centre, 0 to
        1 of the photo's width and height), ``side`` (its share of the photo's sides), ``weight``
        (its evidence) and ``pattern``.
    patterns
        A row per pattern, the weightiest first: ``weight``, its share of the evidence of all
        patches; ``patches``, how many there are; ``errors``, the share of wrong photos it occurs
        in, and ``right_true`` and ``right_predicted``, the shares of rightly predicted photos of
        either class; ``chance``, the probability that it is as much more frequent among the errors
        than among the right photos of the true class by chance (Fisher's exact test);
        ``repaired``, the share of the errors with the pattern that are predicted right once it is
        blurred; and ``suspect``, whether it is a suspected shortcut: one pattern that carries two
        fifths of the evidence, is in at least four errors, more often than chance would have it
        (5 %), and whose blurring sets half of them right.
    """

    true: str
    predicted: str
    photos: pd.DataFrame
    maps: dict[str, np.ndarray]
    patches: pd.DataFrame
    patterns: pd.DataFrame


def explain_confusion(
    model: keras.Model,
    predictions: pd.DataFrame,
    *,
    true: str,
    predicted: str,
    max_photos: int = 100,
) -> Confusion:
    """Find the patterns for which photos of one class are predicted as another.

    Parameters
    ----------
    model
        A tagger.
    predictions
        ``path``, ``label`` and ``predicted``; with ``p_<class>`` the most confident errors come
        first.
    true, predicted
        The confusion: the label of the photos, and what the model predicts.
    max_photos
        Of the errors, and of the right photos of each class, that are looked at.

    Returns
    -------
    Confusion
        Without photos and patterns when there is no such error.

    Raises
    ------
    AttributionError
        A class that the model does not know.
    CatalogError
        A column that is missing.

    Notes
    -----
    A photo's patches are the peaks of its layer-wise map (Layer-CAM) of *predicted rather than
    true* in a layer that still resolves a twenty-fourth of the photo, weighed with the map of the
    last layer. They are embedded as that layer's mean features within the patch, standardised over
    all photos, and joined by average linkage of the cosine distance. A pattern occurs in a photo
    when some place of it is as close to the pattern's centre as nine tenths of its own patches.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bathroom", "Pool"], input_size=64, weights=None)
    >>> right = pd.DataFrame({"path": ["a.jpg"], "label": ["Pool"], "predicted": ["Pool"]})
    >>> len(explain_confusion(tagger, right, true="Pool", predicted="Bathroom").photos)
    0
    """
    from hotelviz.models import model_info

    needs = ["path", "label", "predicted"]
    predictions = check_table(predictions, needs=needs, where="explain_confusion")
    if max_photos < 1:
        raise AttributionError(f"at least one photo is needed, not max_photos={max_photos}")
    pair = (predicted, true)
    size = model_info(model).preprocessing.size
    # Refuses classes that the model does not know, even when there is no such error.
    explain(model, np.zeros((0, *size, 3), "uint8"), pair)
    wrong = _chosen(predictions, true, predicted, max_photos)
    pixels, rows = read_pixels(model, wrong["path"])
    wrong = wrong.iloc[rows].reset_index(drop=True)
    targets: dict[str, Target] = {"predicted": predicted, "true": true, "difference": pair}
    maps = {name: explain(model, pixels, target) for name, target in targets.items()}
    if not len(pixels):
        return Confusion(true, predicted, wrong, maps, pd.DataFrame(), pd.DataFrame())
    layer = _fine_layer(model)
    grid = feature_grid(model, layer)
    patches = _patches(model, pixels, pair, maps["difference"], layer)
    right = [_chosen(predictions, name, name, max_photos) for name in (true, predicted)]
    sides = [pixels, *(read_pixels(model, photos["path"])[0] for photos in right)]
    sides = _standardised([_embedded(model, side, layer, grid) for side in sides])
    cells = _cell(patches["y"] * size[0], grid.rows), _cell(patches["x"] * size[1], grid.columns)
    vectors = sides[0][patches["photo"], *cells]
    patches["pattern"] = _grouped(vectors)
    patterns = _patterns(model, pixels, true, patches, vectors, sides, grid)
    patches["pattern"] = patterns.index.get_indexer(pd.Index(patches["pattern"]))
    patches.insert(1, "path", wrong["path"].to_numpy()[patches["photo"]])
    patches["side"] = _WINDOW
    patterns = patterns.reset_index(drop=True).rename_axis("pattern")
    return Confusion(true, predicted, wrong, maps, patches, patterns)


def explain_confusions(
    model: keras.Model,
    predictions: pd.DataFrame,
    gaps: pd.DataFrame,
    pair: Sequence[str] = (),
    *,
    n_confusions: int = 3,
) -> list[Confusion]:
    """Explain the confusions of the largest confidence gaps, or the one that is asked for.

    Parameters
    ----------
    model, predictions
        As in `explain_confusion`.
    gaps
        From `hotelviz.metrics.confusions`, in the order in which they are to be explained. Labels
        that the model does not know have no evidence of their own, and are passed over.
    pair
        The label and the prediction of the one confusion to explain; empty for those of `gaps`.
    n_confusions
        How many of `gaps`.

    Returns
    -------
    list of Confusion

    Examples
    --------
    >>> from hotelviz.metrics import confusions
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bathroom", "Pool"], input_size=64, weights=None)
    >>> tags = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "label": ["Pool"],
    ...                      "predicted": ["Bathroom"]})
    >>> explained = explain_confusions(tagger, tags, confusions(tags))
    >>> [(one.true, one.predicted, len(one.photos)) for one in explained]  # nobody has a.jpg
    [('Pool', 'Bathroom', 0)]
    """
    from hotelviz.models import model_info

    known = gaps[gaps["label"].isin(model_info(model).classes)].head(n_confusions)
    pairs = [tuple(pair)] if pair else zip(known["label"], known["predicted"], strict=True)
    return [
        explain_confusion(model, predictions, true=true, predicted=predicted)
        for true, predicted in pairs
    ]


def _chosen(predictions: pd.DataFrame, label: str, predicted: str, max_photos: int) -> pd.DataFrame:
    rows = predictions[(predictions["label"] == label) & (predictions["predicted"] == predicted)]
    if label != predicted:
        rows = misclassified(rows)
    elif len(rows) > max_photos:
        rows = rows.sample(max_photos, random_state=0)
    return rows.head(max_photos).reset_index(drop=True)


def _fine_layer(model: keras.Model) -> str:
    """Return the deepest layer that still resolves a twenty-fourth of the photo."""
    from hotelviz.models import iter_nodes, last_convolution, model_info

    size = model_info(model).preprocessing.size
    last = last_convolution(model).name
    fine = last
    for name, node in iter_nodes(model).items():
        shape = node.output.shape
        fits = len(shape) == 4 and all(
            cells > 1 and cells >= min(_CELLS, side // 8)
            for cells, side in zip(shape[1:3], size, strict=True)
        )
        if fits:
            with contextlib.suppress(AttributionError):  # its cells have no place
                feature_grid(model, name)
                fine = name
        if name == last:
            break
    return fine


def _patches(
    model: keras.Model, pixels: np.ndarray, pair: tuple[str, str], coarse: np.ndarray, layer: str
) -> pd.DataFrame:
    """Find the hottest places of each photo, no two of them within one patch."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    height, width = pixels.shape[1:3]
    apart = (round(_WINDOW * height), round(_WINDOW * width))
    fine = explain(model, pixels, pair, method="layercam", layer=layer)
    rows: list[tuple[float, ...]] = []
    for photo, (sharp, broad) in enumerate(zip(fine, coarse, strict=True)):
        # What only the fine layer marks may be outvoted above it: it counts for a fifth.
        # Beyond the photo there is no evidence: mirrored there, that at edges would count twice.
        spread = gaussian_filter(sharp, [side / 6 for side in apart], mode="constant")
        heat = spread * (0.25 + broad)
        top = heat.max()
        peaks = (maximum_filter(heat, apart) == heat) & (heat >= _LEAST * top) & (top > 0)
        y, x = np.nonzero(peaks)
        for place in np.argsort(-heat[y, x], kind="stable")[:_PATCHES]:
            rows.append((photo, x[place] / width, y[place] / height, heat[y[place], x[place]]))
    table = pd.DataFrame(rows, columns=["photo", "x", "y", "weight"], dtype=float)
    return table.astype({"photo": int})


def _embedded(model: keras.Model, pixels: np.ndarray, layer: str, grid: Grid) -> np.ndarray:
    """Compute for each cell the mean features of the patch around it."""
    from scipy.ndimage import uniform_filter

    from hotelviz.models import activations, find_node

    run = activations(model, layer)
    parts = [np.zeros((0, *find_node(model, layer).output.shape[1:]), "float32")]
    parts += [run(batch) for _, batch in iterate_pixels(model, pixels, batch_size=32)]
    window = (1, *_cells_within(grid, pixels.shape[1:3]), 1)
    return np.asarray(uniform_filter(np.concatenate(parts), size=window, mode="nearest"))


def _standardised(sides: list[np.ndarray]) -> list[np.ndarray]:
    cells = np.concatenate([side.reshape(-1, side.shape[-1]) for side in sides])
    mean, spread = cells.mean(axis=0), cells.std(axis=0) + 1e-6
    scaled = [(side - mean) / spread for side in sides]
    return [
        side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9) for side in scaled
    ]


def _cell(places: pd.Series, axis: Axis) -> np.ndarray:
    numbers = np.rint((places.to_numpy() - axis.start) / axis.step)
    return numbers.clip(0, len(axis.first) - 1).astype(int)


def _cells_within(grid: Grid, size: tuple[int, ...]) -> list[int]:
    """Return how many cells a patch is high and wide, at least one."""
    cells = [round(_WINDOW * pixels / axis.step) for pixels, axis in zip(size, grid, strict=True)]
    return [max(1, count) for count in cells]


def _grouped(vectors: np.ndarray) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering

    if len(vectors) < 2:
        return np.zeros(len(vectors), int)
    groups = AgglomerativeClustering(
        n_clusters=None, distance_threshold=_APART, metric="cosine", linkage="average"
    )
    return np.asarray(groups.fit_predict(vectors))


def _patterns(
    model: keras.Model,
    pixels: np.ndarray,
    true: str,
    patches: pd.DataFrame,
    vectors: np.ndarray,
    sides: list[np.ndarray],
    grid: Grid,
) -> pd.DataFrame:
    """Compute the weight of each pattern, and the shares of photos that it occurs in."""
    from scipy.ndimage import maximum_filter
    from scipy.stats import fisher_exact

    from hotelviz.models import activations, model_info

    apart = _cells_within(grid, pixels.shape[1:3])
    number = model_info(model).classes.index(true)
    rows = {}
    for pattern, own in patches.groupby("pattern"):
        members = vectors[own.index]
        centre = members.mean(axis=0)
        centre = centre / max(float(np.linalg.norm(centre)), 1e-9)
        # Of a pattern with few patches the centre is closer to each than to others of its kind.
        least = min(float(np.quantile(members @ centre, 0.1)), 1 - _APART / 2)
        has = [(side @ centre).max(axis=(1, 2), initial=-1) >= least for side in sides]
        has[0][own["photo"].unique()] = True
        counts = [[int(occurs.sum()), int((~occurs).sum())] for occurs in has]
        shares = [float(occurs.mean()) if len(occurs) else np.nan for occurs in has]
        alike = sides[0] @ centre
        # Wherever the pattern occurs, not only in its hottest patches.
        occurs_at = (alike >= least) & (maximum_filter(alike, (1, *apart)) == alike)
        blurred = activations(model)(_without(pixels, own, occurs_at, grid)).argmax(axis=1)
        row = {
            "weight": float(own["weight"].sum() / patches["weight"].sum()),
            "patches": len(own),
            **dict(zip(["errors", "right_true", "right_predicted"], shares, strict=True)),
            "chance": float(fisher_exact(counts[:2], alternative="greater").pvalue),
            "repaired": float((blurred == number).mean()),
        }
        row["suspect"] = (
            row["weight"] >= _SHARE
            and counts[0][0] >= SHORTCUT_ERRORS
            and row["chance"] < _CHANCE
            and row["repaired"] >= _REPAIRED
        )
        rows[pattern] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.sort_values("weight", ascending=False, kind="stable")


def _without(
    pixels: np.ndarray, own: pd.DataFrame, occurs_at: np.ndarray, grid: Grid
) -> np.ndarray:
    """Return the photos of a pattern's patches with the pattern blurred in them."""
    height, width = pixels.shape[1:3]
    high, wide = round(_WINDOW / 2 * height), round(_WINDOW / 2 * width)
    hidden = []
    for photo in own["photo"].unique().tolist():
        found = own[own["photo"] == photo]
        y, x = np.nonzero(occurs_at[photo])
        down = [*found["y"], *((grid.rows.start + grid.rows.step * y) / height)]
        across = [*found["x"], *((grid.columns.start + grid.columns.step * x) / width)]
        changed, blurred = pixels[photo].copy(), blur_baseline(pixels[photo])
        for row, column in zip(down, across, strict=True):
            top, left = round(row * height) - high, round(column * width) - wide
            window = np.s_[max(0, top) : top + 2 * high + 1, max(0, left) : left + 2 * wide + 1]
            changed[window] = blurred[window]
        hidden.append(changed)
    return np.stack(hidden)
