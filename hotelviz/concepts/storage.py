"""Concepts on disk: arrays and text in one file, nothing in it that could be run."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.concepts.factorisation import Concepts
from hotelviz.errors import ConceptError
from hotelviz.io.atomic import atomic_path

if TYPE_CHECKING:
    import keras

_ARRAYS = ("components", "readers", "usual", "places")
_TEXTS = ("model", "layer", "n_photos", "choice", "names")
#: More bytes than a thousand concepts of ten thousand channels need.
_LARGEST = 1 << 27


def save_concepts(
    concepts: Concepts, path: str | os.PathLike[str] | None = None, *, beside: str = ""
) -> Path:
    """Write concepts with their names to a file.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    path
        The file, ending in ``.npz``.
    beside
        Instead of `path`: the model's file; concepts are written beside it, by the hash of its
        weights (see `concepts_path`).

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ConceptError
        Neither or both of `path` and `beside`, or another ending.

    Examples
    --------
    >>> import tempfile
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(8, 5, name="conv"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bedroom", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> parts = np.eye(2, 8, dtype="float32")
    >>> concepts = Concepts(small, "conv", parts, parts, parts[:, 0], parts, pd.DataFrame(), 0)
    >>> file = save_concepts(concepts, f"{tempfile.mkdtemp()}/concepts.npz")
    >>> load_concepts(file, small).hash == concepts.hash
    True
    """
    from hotelviz.models import weights_hash

    if (path is None) == (not beside):
        raise ConceptError("save_concepts: say either path= or beside=, the model's file")
    file = Path(path) if path is not None else concepts_path(beside, concepts.model)
    if file.suffix != ".npz":
        raise ConceptError(f"{file}: the file of concepts ends in .npz")
    about = {
        "model": weights_hash(concepts.model), "layer": concepts.layer,
        "n_photos": concepts.n_photos, "choice": concepts.choice.to_dict("list"),
        "names": {str(number): name for number, name in concepts.names.items()},
    }  # fmt: skip
    arrays = {name: getattr(concepts, name) for name in _ARRAYS}
    with atomic_path(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, about=np.array(json.dumps(about)), **arrays)
    return file


def concepts_path(beside: str | os.PathLike[str], model: keras.Model) -> Path:
    """Return where the concepts of a model are kept beside its file, by the hash of its weights.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> concepts_path("models/tagger.keras", model).name[:16]
    'tagger.concepts-'
    """
    from hotelviz.models import weights_hash

    file = Path(beside)
    return file.with_name(f"{file.stem}.concepts-{weights_hash(model)}.npz")


def load_concepts(path: str | os.PathLike[str], model: keras.Model) -> Concepts:
    """Read concepts that `save_concepts` wrote.

    Parameters
    ----------
    path
        The file.
    model
        The model that they are of.

    Returns
    -------
    Concepts
        With the names that they had.

    Raises
    ------
    ConceptError
        The file cannot be read, is damaged or no file of concepts, or its concepts are of another
        model.

    See Also
    --------
    save_concepts : Writes the file; its example is of this function, too.
    """
    from hotelviz.models import find_node, weights_hash

    about, arrays = _read(Path(path))
    own = weights_hash(model)
    if about["model"] != own:
        raise ConceptError(
            f"{path}: concepts of another model ({about['model']}, not {own}): find those of this "
            "one, or load the model that they are of"
        )
    n_channels = int(find_node(model, about["layer"]).output.shape[-1])
    n_concepts = len(arrays["components"])
    shapes = {
        "components": (n_concepts, n_channels), "readers": (n_concepts, n_channels),
        "usual": (n_concepts,), "places": (len(arrays["places"]), n_channels),
    }  # fmt: skip
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ConceptError(f"{path}: damaged: {name} is not {shape} numbers")
    names = {int(number): str(name) for number, name in about["names"].items()}
    return Concepts(
        model, about["layer"], choice=pd.DataFrame(about["choice"]), n_photos=about["n_photos"],
        names={number: name for number, name in names.items() if number in range(n_concepts)},
        **{name: array.astype("float32") for name, array in arrays.items()},
    )  # fmt: skip


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST:
                raise ConceptError(f"{path}: larger than any file of concepts")
        # Without pickle nothing in it can be run.
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = {name: file[name] for name in _ARRAYS}
        missing = [name for name in _TEXTS if name not in about]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, ConceptError):
            raise
        raise ConceptError(f"{path}: no concepts can be read from it: {error}") from error
    if missing or arrays["components"].ndim != 2:
        raise ConceptError(f"{path}: no file of concepts: {', '.join(missing) or 'shapes'} missing")
    return about, arrays
