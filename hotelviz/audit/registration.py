"""Lay two photos over each other, and compute how alike they are then."""

from __future__ import annotations

import numpy as np

from hotelviz.embeddings.property_cache import THUMBNAIL_SIDE

#: The share of the pixels that differ most is left out: a watermark, or what a person covers.
_LEFT_OUT = 0.15
#: The most a photo may be shifted or zoomed, as a share of half its side.
_MOST = 0.2
#: Half the size first, where large shifts are small; photos that differ there are done with.
_STEPS = ((THUMBNAIL_SIDE // 2, 3), (THUMBNAIL_SIDE, 4))
_HOPELESS = 0.95
_BLOCK = 256


def aligned_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute how alike photos are once shift, zoom, exposure and a covered part are undone.

    Two copies of a photo, one of them cropped, brightened, compressed or with a watermark, are
    nearly the same once laid over each other; two photos of similar rooms are not.

    Parameters
    ----------
    first, second : uint8 arrays of shape (n_pairs, 32, 32, 3)
        Thumbnails.

    Returns
    -------
    float array of shape (n_pairs,)
        -1 to 1: the correlation of the pixels, the 15 % that differ most left out.
        Photos of one brightness give 0, unless they are equal.

    References
    ----------
    Lucas, Kanade: An iterative image registration technique, IJCAI 1981, with shift, zoom, gain
    and offset as parameters; from coarse to fine, Bergen et al., ECCV 1992; least trimmed squares,
    Rousseeuw 1984.

    Examples
    --------
    >>> photo = np.random.default_rng(0).integers(0, 255, (1, 8, 8, 3), dtype="uint8")
    >>> photo = photo.repeat(4, axis=1).repeat(4, axis=2)
    >>> float(aligned_similarity(photo, photo // 2 + 9)[0].round(2))
    1.0
    """
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(first), _BLOCK)]
    found = [_compare(first[block], second[block]) for block in blocks]
    return np.concatenate([np.zeros(0), *found])


def _compare(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    similarity: np.ndarray = (first == second).all(axis=(1, 2, 3)).astype(float)
    moved = np.zeros((len(first), 4), "float32")
    going = np.flatnonzero(similarity < 1)
    for side, steps in _STEPS:
        going = going[(similarity[going] == 0) | (similarity[going] >= _HOPELESS)]
        if len(going):
            similarity[going], moved[going] = _align(
                _shrunk(first[going], side), _shrunk(second[going], side), moved[going], steps
            )
    return similarity


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    factor = THUMBNAIL_SIDE // side
    shape = (len(pixels), side, factor, side, factor, 3)
    return np.asarray(pixels.reshape(shape).mean(axis=(2, 4), dtype="float32"))


def _align(
    fixed: np.ndarray, moving: np.ndarray, moved: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Take some Gauss-Newton steps; return the best correlation on the way, and where it ended."""
    count, side = fixed.shape[:2]
    grid = np.linspace(-1, 1, side, dtype="float32")
    spacing = np.float32(2 / (side - 1))
    weight = np.ones((count, side, side, 1), "float32")
    best = np.full(count, -1.0)
    for step in range(steps + 1):
        warped, inside = _warp(moving, moved, grid)
        seen = weight * inside
        total = 3 * seen.sum(axis=(1, 2, 3), keepdims=True)
        a = fixed - (fixed * seen).sum(axis=(1, 2, 3), keepdims=True) / total
        b = warped - (warped * seen).sum(axis=(1, 2, 3), keepdims=True) / total
        power_a, power_b, both = (
            np.einsum("nyxc,nyxc,nyxk->n", u, v, seen) for u, v in ((a, a), (b, b), (a, b))
        )
        best = np.maximum(best, both / np.sqrt(np.maximum(power_a * power_b, 1e-6)))
        if step == steps:
            break
        gain = (both / np.maximum(power_b, 1e-6))[:, None, None, None]
        left = a - gain * b
        weight = _least(np.einsum("nyxc,nyxc->nyx", left, left))
        down, right = (gain / spacing * slope for slope in np.gradient(warped, axis=(1, 2)))
        slopes = np.stack(
            [right, right * grid[:, None], down, down * grid[:, None, None], b, np.ones_like(b)],
            axis=1,
        ).reshape(count, 6, -1)
        weighted = slopes * np.repeat(weight * inside, 3, axis=-1).reshape(count, 1, -1)
        normal = weighted @ slopes.transpose(0, 2, 1)
        # A plain photo has no slopes to go by: it stays where it is.
        diagonal = np.einsum("nii->ni", normal)
        normal += (1e-4 * diagonal + 1e-6)[:, :, None] * np.eye(6, dtype="float32")
        change = np.linalg.solve(normal, weighted @ left.reshape(count, -1, 1))
        moved = np.clip(moved + change[:, :4, 0], -_MOST, _MOST)
    return best, moved


def _warp(pixels: np.ndarray, moved: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift and zoom; also return which pixels come from inside the photo."""
    side = pixels.shape[1]
    each = np.arange(len(pixels))[:, None]
    sharpened, seen = pixels, []
    for shift, zoom in ((2, 3), (0, 1)):  # rows first, then columns
        place = moved[:, [shift]] + (1 + moved[:, [zoom]]) * grid
        seen.append(abs(place) <= 1 + 1e-3)
        place = np.clip((place + 1) * (side - 1) / 2, 0, side - 1 - 1e-3)
        below = place.astype(int)
        share = (place - below).astype("float32")[:, :, None, None]
        between = sharpened[each, below] * (1 - share) + sharpened[each, below + 1] * share
        sharpened = between.transpose(0, 2, 1, 3)
    return sharpened, (seen[0][:, :, None] & seen[1][:, None, :])[..., None]


def _least(error: np.ndarray) -> np.ndarray:
    """Weigh the pixels that differ most with 0, the others with 1."""
    flat = error.reshape(len(error), -1)
    kept = int((1 - _LEFT_OUT) * flat.shape[1])
    limit = np.partition(flat, kept, axis=1)[:, kept, None, None]
    return (error <= limit).astype("float32")[..., None]
