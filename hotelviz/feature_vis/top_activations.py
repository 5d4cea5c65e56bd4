"""The photos that excite a channel most: what it looks for in the real world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import FeatureVisError
from hotelviz.feature_vis.channels import channel_node, checked_channels

if TYPE_CHECKING:
    import keras

    from hotelviz.attribution.geometry import Axis
    from hotelviz.images import View

#: A patch's side as a share of the photo's, at least and at most.
_SMALLEST, _LARGEST = 0.15, 0.5
_COLUMNS = ["layer", "channel", "rank", "image_id", "path", "activation", "x", "y", "side"]


def top_photos(
    model: keras.Model,
    photos: pd.DataFrame,
    layer: str,
    channels: int | Sequence[int],
    *,
    n_photos: int = 9,
    batch_size: int = 32,
) -> pd.DataFrame:
    """Find the photos, and the patches of them, that excite channels most.

    Parameters
    ----------
    model
        Any flat model.
    photos
        With ``image_id`` and ``path``.
    layer
        By name; see `hotelviz.feature_vis.visualize_channels`.
    channels
        One number or several, from 0; all are answered in one pass over the photos.
    n_photos
        How many photos a channel.
    batch_size
        Photos per pass; it bounds the memory.

    Returns
    -------
    pandas.DataFrame
        A row per channel and photo, the strongest first: ``layer``, ``channel``, ``rank`` (from
        1), ``image_id``, ``path``, ``activation`` at the strongest place, its ``x`` and ``y`` (0
        to 1 of the photo's width and height), and ``side``, the part of the photo to show around
        it: the layer's receptive field, between 0.15 and 0.5.

    Raises
    ------
    ModelError
        A layer that is not there or has no height and width.
    FeatureVisError
        A channel past the end.
    AttributionError
        When it is not known where the layer's cells lie, see `hotelviz.attribution.feature_grid`.
    CatalogError
        A column that is missing.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(5)
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> top_photos(tagger, photos, "conv_pw_2", [0, 1], n_photos=3)["rank"].to_list()
    [1, 2, 3, 1, 2, 3]
    """
    from hotelviz.attribution import feature_grid
    from hotelviz.images import iterate_images
    from hotelviz.models import model_info

    photos = check_table(photos, needs=["image_id", "path"], where="top_photos", unique=False)
    if n_photos < 1 or batch_size < 1:
        raise FeatureVisError(f"n_photos={n_photos} and batch_size={batch_size} must be at least 1")
    given = [channels] if isinstance(channels, int | np.integer) else list(channels)
    node = channel_node(model, layer)
    numbers = checked_channels(node, layer, given)
    wanted, grid = model_info(model).preprocessing, feature_grid(model, layer)
    run = _strongest(model, layer, numbers)
    found = []
    for batch in iterate_images(
        photos["path"], size=wanted.size, batch_size=batch_size, resample=wanted.resample
    ):
        if len(batch.rows):
            values, cells = run(batch.pixels)
            index = pd.MultiIndex.from_product([batch.rows, numbers], names=["row", "channel"])
            columns = {"activation": values.ravel(), "cell": cells.ravel()}
            found.append(pd.DataFrame(columns, index=index).reset_index())
    if not found:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat(found).sort_values("activation", ascending=False, kind="stable")
    table["rank"] = table.groupby("channel").cumcount() + 1
    table = table[table["rank"] <= n_photos]
    table = table.set_index("channel").loc[numbers].reset_index()
    y, x = np.divmod(table["cell"].to_numpy(), int(node.output.shape[2]))
    seen = max(axis.reach / pixels for axis, pixels in zip(grid, wanted.size, strict=True))
    return table.join(photos[["image_id", "path"]].reset_index(drop=True), on="row").assign(
        layer=layer,
        x=_share(grid.columns, x, wanted.width),
        y=_share(grid.rows, y, wanted.height),
        side=float(np.clip(seen, _SMALLEST, _LARGEST)),
    )[_COLUMNS]


def _share(axis: Axis, cells: np.ndarray, pixels: int) -> np.ndarray:
    """Return where cells lie, 0 to 1 of the photo's side."""
    return np.asarray(((axis.start + axis.step * cells + 0.5) / pixels).clip(0, 1))


def _strongest(model: keras.Model, layer: str, channels: Sequence[int]) -> Any:
    """Return the function from pixels to each channel's largest value, and its cell."""
    from keras import ops

    from hotelviz.models import activations, cached_function

    def make() -> Any:
        own = ops.take(channel_node(model, layer).output, list(channels), axis=-1)
        flat = ops.reshape(own, (-1, own.shape[1] * own.shape[2], len(channels)))
        return activations(model, [ops.max(flat, axis=1), ops.argmax(flat, axis=1)])

    return cached_function(model, ("strongest", layer, *channels), make)


def patch_pixels(photos: pd.DataFrame, *, size: int = 96, view: View | None = None) -> np.ndarray:
    """Read photos, and cut the patches out of them.

    Parameters
    ----------
    photos
        With ``path``, ``x``, ``y`` (the patch's centre, 0 to 1) and ``side`` (its share of the
        photo's sides), as `top_photos` returns them.
    size
        Height and width of the result in pixels.
    view
        How the photos are decoded, such as one that is kept (see `hotelviz.images.keep_views`);
        None for their own resolution.

    Returns
    -------
    numpy.ndarray
        uint8 (len(photos), size, size, 3); a patch at the edge is moved inside. Grey for a photo
        that cannot be read.

    Examples
    --------
    >>> lost = pd.DataFrame({"path": ["/nowhere/a.jpg"], "x": 0.5, "y": 0.5, "side": 0.2})
    >>> patch_pixels(lost, size=8)[0, 0, 0].tolist()
    [128, 128, 128]
    """
    from PIL import Image

    from hotelviz.images import ImageError, decode_image, read_view

    check_table(photos, needs=["path"], where="patch_pixels", unique=False)
    for column in ("x", "y", "side"):
        if column not in photos:
            raise FeatureVisError(
                f"patch_pixels: the table has no column {column!r}; see top_photos"
            )
        if not photos[column].between(0, 1).all():
            raise FeatureVisError(f"patch_pixels: {column!r} is a share of the photo, 0 to 1")
    if size < 1:
        raise FeatureVisError(f"a patch has at least one pixel a side, not {size}")

    patches = np.full((len(photos), size, size, 3), 128, "uint8")
    columns = (photos[name] for name in ("path", "x", "y", "side"))
    for number, (path, x, y, side) in enumerate(zip(*columns, strict=True)):
        try:
            photo = read_view(path, view) if view else decode_image(path)
            image = Image.fromarray(photo.pixels)
        except ImageError:
            continue
        wide, high = image.width * side, image.height * side
        left = min(max(x * image.width - wide / 2, 0), image.width - wide)
        top = min(max(y * image.height - high / 2, 0), image.height - high)
        box = (left, top, left + wide, top + high)
        patches[number] = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box))
    return patches
