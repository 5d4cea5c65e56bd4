"""Check a model file before anything of it is unpacked or built.

A ``.keras`` file may come from anywhere. Keras' safe mode keeps it from running code; here it is
kept from taking the memory, and whatever is wrong with it becomes one kind of error. Nothing is
taken from what the file says about itself without a bound: members are read up to a limit, and the
network is first built without its weights, so that a description that asks for terabytes is
refused before they are allocated.
"""

from __future__ import annotations

import io
import json
import math
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import keras
import tensorflow as tf
from keras.src.backend.common import global_state

from hotelviz.errors import ModelError

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
#: Bytes of the description, and of the network's configuration, at most.
_DESCRIPTION, _CONFIGURATION = 1 << 20, 16 << 20
#: What a weights file may hold beside the weights: its own structure, and an optimizer's state.
_BESIDE, _TIMES = 64 << 20, 4
#: How much smaller weights may be packed, which hardly pack at all, and texts: lists of photos
#: pack to a twentieth.
_EXPANSION, _OF_TEXT = 20, 60
#: Members of an archive, objects of a configuration or a weights file, and how deep they are
#: nested, at most.
_MEMBERS, _OBJECTS, _ARRAYS, _DEPTH = 100, 500_000, 50_000, 100
#: Numbers of one layer's output for one photo, at most: 1 GiB in float32.
_ACTIVATIONS = 1 << 28
#: Classes of Keras that run code, read other files, or need other packages.
_REFUSED = (
    "FlaxLayer", "IntegerLookup", "JaxLayer", "Lambda", "StringLookup", "TFSMLayer",
    "TextVectorization", "TorchModuleWrapper", "__lambda__", "__typespec__",
)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"


@contextmanager
def opened(path: Path, name: object = None) -> Iterator[zipfile.ZipFile]:
    """Open a model file; whatever goes wrong meanwhile is a `ModelError` that names it.

    Parameters
    ----------
    path
        The file.
    name
        What the message begins with; None takes the path.
    """
    name = name or path
    try:
        with path.open("rb") as file:
            if file.read(len(_HDF5)) == _HDF5:
                raise ModelError(
                    "an older file of Keras (HDF5), which cannot be looked into safely. Load it "
                    "with keras.models.load_model and save it as .keras"
                )
            with zipfile.ZipFile(file) as archive:
                _check_members(archive)
                yield archive
    except FileNotFoundError:
        raise ModelError(f"{name}: there is no such model file") from None
    except ModelError as error:
        raise ModelError(f"{name}: {str(error).removeprefix(f'{path}: ')}") from error
    except zipfile.BadZipFile as error:
        raise ModelError(f"{name}: not a Keras model file (.keras), or damaged: {error}") from None
    except Exception as error:
        # zipfile, zlib, h5py, json and Keras raise a dozen kinds over damaged files; the file is
        # at fault in all of them.
        reason = f"{type(error).__name__}: {str(error)[:500]}"
        raise ModelError(f"{name}: the model file cannot be read: {reason}") from error


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > _MEMBERS:
        raise ModelError(f"the archive has {len(members):,} members; a model has a handful")
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
            raise ModelError(f"the member {member.filename!r} leads out of the archive")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ModelError(f"the member {member.filename!r} is a link")
        if member.flag_bits & 1:
            raise ModelError(f"the member {member.filename!r} is encrypted")
    if len({member.filename for member in members}) < len(members):
        raise ModelError("a member occurs twice in the archive")
    size = archive.fp.seek(0, io.SEEK_END) if archive.fp else 0
    if sum(member.compress_size for member in members) > size:
        raise ModelError("the archive's members are said to be larger than the file")


def read_member(archive: zipfile.ZipFile, name: str, limit: int = _DESCRIPTION) -> bytes:
    """Read a member, of at most `limit` bytes, and of no more than it can be packed from.

    Raises
    ------
    KeyError
        When there is none of that name.
    ModelError
        When it is larger.
    """
    member = archive.getinfo(name)
    limit = min(limit, _OF_TEXT * member.compress_size + _DESCRIPTION)
    data = b""
    if member.file_size <= limit:
        with archive.open(member) as file:
            data = file.read(limit + 1)
    if max(member.file_size, len(data)) > limit:
        raise ModelError(f"{name} is larger than {limit:,} bytes")
    return data


def check_archive(archive: zipfile.ZipFile) -> None:
    """Check that a model can be built from an archive, and what that takes, without building it.

    Raises
    ------
    ModelError
        Another class of model than a graph of layers; layers that are not Keras' own or run code; a
        description that asks for more weights than the file has, or the other way round.
    """
    for name in (_CONFIG, _WEIGHTS):
        if name not in archive.namelist():
            raise ModelError(
                f"not a model of Keras 3: {name} is missing; write one with "
                "model.save('name.keras')"
            )
    config = json.loads(read_member(archive, _CONFIG, _CONFIGURATION))
    if not isinstance(config, dict) or config.get("class_name") not in ("Functional", "Sequential"):
        raise ModelError(
            f"{_CONFIG} describes no graph of layers: build the model with "
            "keras.Model(inputs, outputs), and save that"
        )
    config["compile_config"] = None
    foreign = foreign_objects(config)
    if foreign:
        raise ModelError(
            f"{_CONFIG} has {', '.join(foreign[:5])}, which Keras does not have, or which can run "
            "code: a file with it is not loaded. If you made it yourself, load it with Keras and "
            "pass the model to hotelviz.models.wrap_model"
        )
    _check_size(_skeleton(config), archive)


def foreign_objects(config: Any) -> list[str]:
    """Return the objects in a configuration that are not Keras' own, or that run code.

    Raises
    ------
    ModelError
        When the configuration is nested too deeply or has too many objects.
    """
    found: dict[str, None] = {}
    waiting, seen = [(config, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > _DEPTH or seen > _OBJECTS:
            raise ModelError(f"{_CONFIG} is nested too deeply or has too many objects")
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                found |= dict.fromkeys(_foreign(value))
            waiting += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(each, depth + 1) for each in value]
    return list(found)


def _foreign(value: dict[str, Any]) -> list[str]:
    name, module = value["class_name"], value.get("module")
    registered = value.get("registered_name")
    if name in _REFUSED:
        return ["Lambda" if name == "__lambda__" else name]
    if name == "function" and module in (None, "builtins"):
        # Keras' own function by its plain name, or one that is nowhere to be found.
        function = str(value.get("config"))
        return [] if hasattr(keras.activations, function) else [f"the function {function}"]
    if isinstance(registered, str) and ">" in registered:
        return [registered]
    if module is None or module == "keras" or str(module).startswith("keras."):
        return []
    return [] if name.startswith("__") and module == "builtins" else [f"{module}.{name}"]


def _skeleton(config: dict[str, Any]) -> keras.Model:
    """Build a model whose weights have shapes, and no values."""
    waiting = list(global_state.get_global_attribute("uninitialized_variables") or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            return keras.saving.deserialize_keras_object(config, safe_mode=True)
    finally:
        # Keras would give them values, and so allocate them, at the next occasion.
        global_state.set_global_attribute("uninitialized_variables", waiting)


def _check_size(model: keras.Model, archive: zipfile.ZipFile) -> None:
    if not isinstance(model, keras.Model):
        raise ModelError(f"{_CONFIG} describes no model")
    asked = sum(_count(each.shape) * tf.as_dtype(each.dtype).size for each in model.weights)
    member = archive.getinfo(_WEIGHTS)
    held, stored = member.file_size, member.compress_size
    if held > _EXPANSION * stored + _DESCRIPTION:
        raise ModelError(f"{_WEIGHTS} has {stored:,} bytes that unpack to {held:,}: no weights do")
    if asked > held:
        raise ModelError(f"{_CONFIG} asks for {asked:,} bytes of weights; {_WEIGHTS} has {held:,}")
    if held > _TIMES * asked + _BESIDE:
        raise ModelError(f"{_WEIGHTS} unpacks to {held:,} bytes; {_CONFIG} describes {asked:,}")
    for layer in model.layers:
        for tensor in (each for node in layer._inbound_nodes for each in node.output_tensors):
            if (size := _count(tensor.shape)) > _ACTIVATIONS:
                found = f"{size:,} numbers for each photo ({tensor.shape})"
                raise ModelError(f"layer {layer.name!r} gives {found}: too many")
    with h5py.File(io.BytesIO(read_member(archive, _WEIGHTS, held)), "r") as weights:
        _check_weights(weights, held)


def _check_weights(weights: h5py.File, held: int) -> None:
    """Check that a weights file holds all that it lists: nothing elsewhere, nothing packed."""
    size = seen = 0
    waiting: list[tuple[h5py.Group, int]] = [(weights, 0)]
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            seen += 1
            if depth > _DEPTH or seen > _ARRAYS:
                raise ModelError(f"{_WEIGHTS} is nested too deeply or has too many arrays")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelError(f"{_WEIGHTS} has a link to elsewhere, {name!r}")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            elif item.external or item.is_virtual:
                raise ModelError(f"{_WEIGHTS} has values elsewhere, {name!r}")
            else:
                size += _count(item.shape or ()) * item.dtype.itemsize
                if size > held:
                    raise ModelError(f"{_WEIGHTS} says that it has more values than it can hold")


def _count(shape: Any) -> int:
    return math.prod(int(side) for side in shape if side is not None)
