r"""Draw what a channel, or an output, looks for: activation maximisation.

As in Lucid (Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017): the picture is a
Fourier spectrum whose frequencies are scaled by :math:`1/f`, as they are in photos, with
decorrelated colours; the network sees it turned, scaled and shifted by a little, anew in each
step. Maximising pixels directly gives noise instead.

Or as in MaCo (Fel et al.: Unlocking Feature Visualization for Deeper Networks with MAgnitude
Constrained Optimization, NeurIPS 2023, arXiv 2306.06805): the magnitudes of all frequencies stay
those of photos, :math:`r = \mathrm{E}_x |F(x)|`, and only the phases :math:`\varphi` of
:math:`F^{-1}(r e^{i \varphi})` are looked for (section 3.2). What the network looked at is opaque:
the gradients of the pixels, :math:`\alpha = \sum_t |\partial L_t / \partial x|`, summed over the
steps (section 3.3). The looks are the same as of the other method.

Many channels are drawn at once, by one compiled function with the network's weights as constants.
The first half of the steps draws the low half of the frequencies on a picture of half the size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote

import numpy as np
from PIL import Image

from hotelviz.errors import FeatureVisError, check_choice, did_you_mean
from hotelviz.feature_vis.channels import channel_node, checked_channels
from hotelviz.feature_vis.climb import Task, maximized
from hotelviz.feature_vis.magnitudes import natural_magnitudes
from hotelviz.io.atomic import atomic_path

if TYPE_CHECKING:
    import keras

#: How pictures are drawn.
Method: TypeAlias = Literal["fourier", "maco"]
#: The same, to look a name up in.
METHODS: tuple[Method, ...] = ("fourier", "maco")
#: Pictures that are drawn together; it bounds the memory.
TOGETHER = 16


def visualize_channels(
    model: keras.Model,
    layer: str,
    channels: Sequence[int],
    *,
    size: int = 192,
    steps: int = 128,
    seed: int = 0,
    method: Method = "fourier",
    magnitudes: np.ndarray | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw what channels look for, by activation maximisation.

    Parameters
    ----------
    model
        Any flat model.
    layer
        By name, such as ``conv_pw_7``. A convolution is looked at after its batch normalisation
        and before its activation.
    channels
        Their numbers, from 0.
    size
        Height and width of the pictures in pixels, at least 32; independent of the model's input.
    steps
        Of the maximisation. 128 give clear pictures; half of them a first look.
    seed
        A channel's picture depends on it and on nothing else that is drawn beside it.
    method
        ``"fourier"``, or ``"maco"``: magnitudes of frequencies stay those of photos.
    magnitudes
        Of ``"maco"``, as `photo_magnitudes` returns them; by default those of `natural_magnitudes`.
    cache
        A folder in which pictures are kept, and looked for, by the model's weights.

    Returns
    -------
    numpy.ndarray
        uint8 (len(channels), size, size, 3); of ``"maco"`` with a fourth channel, how opaque a
        place is: how much it mattered.

    Raises
    ------
    ModelError
        A layer that is not there or has no height and width; a number instead of its name.
    FeatureVisError
        A channel past the end, a picture that is too small, or magnitudes of another size.

    References
    ----------
    Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017, doi 10.23915/distill.00007.
    Fel et al.: Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained
    Optimization, NeurIPS 2023, arXiv 2306.06805, sections 3.2 (phases) and 3.3 (transparency).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> visualize_channels(tagger, "conv_pw_2", [0, 3], size=48, steps=2).shape
    (2, 48, 48, 3)
    """
    node = channel_node(model, layer)
    channels = checked_channels(node, layer, channels)

    task = Task(model, quote(layer, safe=""), node.output, size, steps, seed)
    task = _by(method, magnitudes, task)
    return _pictures(task, channels, _files(task, channels, cache))


def draw_channels(
    model: keras.Model,
    layer: str,
    *,
    cache: str | os.PathLike[str],
    size: int,
    steps: int,
    seed: int = 0,
    method: Method = "fourier",
    magnitudes: np.ndarray | None = None,
    progress: bool = True,
) -> list[Path]:
    """Draw all channels of a layer into files, those that are there already but once.

    A run that is stopped goes on where it was. Few pictures are held at a time.

    Parameters
    ----------
    model, layer, size, steps, seed, method, magnitudes, cache
        As in `visualize_channels`.
    progress
        Show a bar.

    Returns
    -------
    list of pathlib.Path
        PNG files, by channel.
    """
    from tqdm.auto import tqdm

    node = channel_node(model, layer)
    task = Task(model, quote(layer, safe=""), node.output, size, steps, seed)
    task, channels = _by(method, magnitudes, task), range(int(node.output.shape[-1]))
    files = _files(task, channels, cache)
    with tqdm(total=len(channels), unit="channels", disable=not progress) as bar:
        for start in channels[::TOGETHER]:
            together = channels[start : start + TOGETHER]
            _pictures(task, together, {channel: files[channel] for channel in together})
            bar.update(len(together))
    return list(files.values())


def visualize_outputs(
    model: keras.Model,
    classes: Sequence[str] | None = None,
    *,
    size: int = 224,
    steps: int = 256,
    seed: int = 0,
    method: Method = "fourier",
    magnitudes: np.ndarray | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw what classes, or scores, look like to a model: what makes their logits largest.

    Parameters
    ----------
    model
        Any flat model.
    classes
        By name; scores are ``"1"`` to ``"10"``. None takes all.
    size, steps, seed, method, magnitudes, cache
        As in `visualize_channels`.

    Returns
    -------
    numpy.ndarray
        uint8 (len(classes), size, size, 3).

    Raises
    ------
    FeatureVisError
        A class that the model does not know, or a picture that is too small.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> visualize_outputs(tagger, ["Pool"], size=48, steps=2).shape
    (1, 48, 48, 3)
    """
    from hotelviz.models import logits, model_info

    known = model_info(model).classes
    chosen = list(known if classes is None else classes)
    for name in chosen:
        if name not in known:
            raise FeatureVisError(
                f"the model does not know the class {name!r}; it knows {', '.join(known)}"
                f"{did_you_mean(name, known)}"
            )

    # No layer's quoted name begins like that.
    task = Task(model, "=outputs", logits(model), size, steps, seed)
    task, numbers = _by(method, magnitudes, task), [known.index(name) for name in chosen]
    return _pictures(task, numbers, _files(task, numbers, cache))


def _by(method: str, magnitudes: np.ndarray | None, task: Task) -> Task:
    """Check how something is drawn, and return its task."""
    size = task.size
    check_choice(method, METHODS, "method", FeatureVisError)
    if size < 32:
        raise FeatureVisError(f"a picture needs at least 32 pixels a side, not {size}")
    if task.steps < 1:
        raise FeatureVisError(f"at least one step is needed, not {task.steps}")
    if method == "fourier":
        return task
    given = natural_magnitudes(size) if magnitudes is None else np.asarray(magnitudes)
    if given.shape != (wanted := (3, size, size // 2 + 1)):
        raise FeatureVisError(
            f"the magnitudes have the shape {given.shape}, those of pictures of {size} pixels "
            f"{wanted}: make them with photo_magnitudes(photos, size={size})"
        )
    return task._replace(magnitudes=given.astype("float32"))


def _pictures(task: Task, channels: Sequence[int], files: Mapping[int, Path]) -> np.ndarray:
    """Return the pictures of channels, cached ones from files."""
    kept = {channel: _read(file, task) for channel, file in files.items()}
    pictures = {channel: picture for channel, picture in kept.items() if picture is not None}
    missing = [channel for channel in dict.fromkeys(channels) if channel not in pictures]
    for start in range(0, len(missing), TOGETHER):
        together = missing[start : start + TOGETHER]
        for channel, picture in zip(together, maximized(task, together), strict=True):
            pictures[channel] = picture
            if files:
                with atomic_path(files[channel]) as temporary:
                    Image.fromarray(picture).save(temporary, format="PNG")
    shown = [pictures[channel] for channel in channels]
    return np.stack(shown) if shown else np.zeros((0, *_shape(task)), "uint8")


def _files(
    task: Task, channels: Sequence[int], cache: str | os.PathLike[str] | None
) -> dict[int, Path]:
    """Return where pictures are kept, by all that they depend on; nowhere without a cache."""
    from hotelviz.models import weights_hash

    if cache is None:
        return {}
    folder, end = Path(cache) / weights_hash(task.model), f"{task.size}px-{task.steps}-{task.seed}"
    if task.magnitudes is not None:
        end += f"-maco-{hashlib.sha256(task.magnitudes.tobytes()).hexdigest()[:12]}"
    return {channel: folder / f"{task.name}-{channel}-{end}.png" for channel in channels}


def _shape(task: Task) -> tuple[int, int, int]:
    return task.size, task.size, 3 if task.magnitudes is None else 4


def _read(file: Path, task: Task) -> np.ndarray | None:
    """Read a picture that is kept; None for none, and for what is no such picture."""
    try:
        with Image.open(file, formats=["PNG"]) as image:
            picture = np.asarray(image)
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for damaged files
        return None
    return picture if picture.shape == _shape(task) and picture.dtype == np.uint8 else None
