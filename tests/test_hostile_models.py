"""Model files from anywhere: damaged, packed to burst, or saying what they are not."""

from __future__ import annotations

import copy
import io
import json
import os
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L

from hotelviz.errors import ModelError
from hotelviz.models import Preprocessing, load_model, read_info, save_model, wrap_model

DESCRIPTION, CONFIG, WEIGHTS = "hotelviz.json", "config.json", "model.weights.h5"


def network() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    tensor = L.Conv2D(4, 3, strides=2, activation="relu", name="conv")(inputs)
    tensor = L.BatchNormalization()(tensor)
    outputs = L.Dense(2, "softmax", name="dense")(L.GlobalAveragePooling2D()(tensor))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> dict[str, bytes]:
    file = tmp_path_factory.mktemp("model") / "good.keras"
    model = wrap_model(network(), task="tagger", classes=["Bed", "Pool"],
                  preprocessing=Preprocessing(32, 32))  # fmt: skip
    save_model(model, file)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(file: Path, members: dict[str, bytes], **changes: bytes | None) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {**members, **changes}.items():
            if data is not None:
                archive.writestr(name, data)
    return file


def refused(file: Path) -> str:
    """What loading a file says, which begins with its name."""
    with pytest.raises(ModelError) as caught:
        load_model(file)
    assert str(caught.value).startswith(str(file))
    return str(caught.value)


def test_file_that_is_packed_again_is_still_read(members, tmp_path):
    again = load_model(packed(tmp_path / "good.keras", members))
    assert again.output_shape == (None, 2)


DESCRIPTIONS = {
    "fewer classes": (lambda d: d | {"classes": ["Bed"]}, "at least two different classes"),
    "more classes": (lambda d: d | {"classes": ["a", "b", "c"]}, "2 outputs, but 3 classes"),
    "one class twice": (lambda d: d | {"classes": ["a", "a"]}, "each once"),
    "classes that are no list": (lambda d: d | {"classes": "ab"}, "classes must be a list"),
    "a class that is no text": (lambda d: d | {"classes": ["a", 2]}, "a class is a text"),
    "an empty class": (lambda d: d | {"classes": ["a", " "]}, "not empty"),
    "scores of another number": (lambda d: d | {"task": "aesthetic"}, "are the scores 1 to 10"),
    "an unknown task": (lambda d: d | {"task": "taggr"}, "did you mean 'tagger'"),
    "a task that is no text": (lambda d: d | {"task": ["tagger"]}, "task must be one of"),
    "a backbone that is no text": (lambda d: d | {"backbone": {"a": 1}}, "backbone must be text"),
    "training that is no mapping": (lambda d: d | {"training": 3}, "training must have names"),
    "a version of the future": (lambda d: d | {"version": "99.1"}, "later than .* update hotelviz"),
    "an unknown field": (lambda d: d | {"code": "x"}, "not a description of a model"),
    "no list of fields": (lambda d: [d], "not a description of a model"),
    "another size": (lambda d: _size(d, height=64), r"input is \(None, 32, 32, 3\), not"),
    "a size of text": (lambda d: _size(d, height="32"), "no whole number of pixels"),
    "a size with a fraction": (lambda d: _size(d, height=32.0), "no whole number of pixels"),
    "a size of nothing": (lambda d: _size(d, height=0), "less than 32"),
    "a size of a map": (lambda d: _size(d, height=10**6), "more than 4096"),
    "an unknown value range": (lambda d: _size(d, value_range="0..2"), "value_range must be one"),
    "a resampling of a list": (lambda d: _size(d, resample=["a"]), "resample must be one of"),
}


def _size(description: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return description | {"preprocessing": description["preprocessing"] | changes}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_description_that_does_not_fit_is_refused(members, tmp_path, name):
    change, message = DESCRIPTIONS[name]
    text = json.dumps(change(json.loads(members[DESCRIPTION])))
    file = packed(tmp_path / "odd.keras", members, **{DESCRIPTION: text.encode()})
    with pytest.raises(ModelError, match=message) as caught:
        load_model(file)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("data", [b"\xff\xfe{", b"[" * 100_000, b"null", b"", b"{}", b"NaN"])
def test_description_that_is_no_json_is_refused(members, tmp_path, data):
    refused(packed(tmp_path / "odd.keras", members, **{DESCRIPTION: data}))


def _layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in config["config"]["layers"] if each["name"] == name)


def _changed(members: dict[str, bytes], change: Callable[[dict[str, Any]], Any]) -> bytes:
    config = json.loads(members[CONFIG])
    change(config)
    return json.dumps(config).encode()


def _terabytes(config: dict[str, Any]) -> None:
    _layer(config, "dense")["config"]["units"] = 10**12


def _terabytes_of_a_kernel(config: dict[str, Any]) -> None:
    _layer(config, "conv")["config"] |= {"kernel_size": [10**6, 10**6], "padding": "same"}


def _lambda(config: dict[str, Any]) -> None:
    layer = _layer(config, "dense")
    layer["class_name"] = "Lambda"


def _foreign(config: dict[str, Any]) -> None:
    layer = _layer(config, "dense")
    layer["module"], layer["class_name"] = "os.path", "join"


def _registered(config: dict[str, Any]) -> None:
    layer = _layer(config, "dense")
    layer |= {"module": None, "class_name": "Mine", "registered_name": "mine>Mine"}


def _function(config: dict[str, Any]) -> None:
    _layer(config, "dense")["config"]["activation"] = {
        "module": "builtins", "class_name": "function", "config": "eval",
        "registered_name": "function",
    }  # fmt: skip


def _activations(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] = {
        **config["config"]["layers"][1], "module": "keras.layers", "class_name": "UpSampling2D",
        "registered_name": None, "build_config": None,
        "config": {"name": "conv", "size": [10**6, 10**6]},
    }  # fmt: skip


def _deep(config: dict[str, Any]) -> None:
    config["extra"] = 1
    for _ in range(400):
        config["extra"] = [config["extra"]]


CONFIGS = {
    "terabytes of units": (_terabytes, "asks for [0-9,]+ bytes of weights"),
    "terabytes of a kernel": (_terabytes_of_a_kernel, "bytes of weights"),
    "a large number of numbers": (_activations, "too many|cannot be read"),
    "Lambda": (_lambda, "has Lambda, which Keras does not have, or which can run code"),
    "another module": (_foreign, "has os.path.join"),
    "a registered class": (_registered, "has mine>Mine"),
    "a function of Python's": (_function, "the function eval"),
    "deep nesting": (_deep, "nested too deeply"),
    "no model": (lambda c: c.update(class_name="Dense"), "no graph of layers"),
    "no layers": (lambda c: c["config"].update(layers=[]), None),
    "layers of nothing": (lambda c: c["config"].update(layers=[None, 3]), None),
    "a layer less": (lambda c: c["config"]["layers"].pop(1), None),
    "a stride of nothing": (lambda c: _layer(c, "conv")["config"].update(strides=[0, 0]), None),
    "a kernel of text": (lambda c: _layer(c, "conv")["config"].update(kernel_size="a"), None),
    "units of nothing": (lambda c: _layer(c, "dense")["config"].update(units=-3), None),
    "more digits than fit": (lambda c: _layer(c, "dense")["config"].update(units=10**400), None),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration_that_is_hostile_is_refused(members, tmp_path, name):
    change, message = CONFIGS[name]
    config = _changed(members, change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=message):
        load_model(packed(tmp_path / "odd.keras", members, **{CONFIG: config}))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_what_was_refused_is_not_built_later(members, tmp_path):
    """Keras gives values to weights that have none yet when it next can."""
    config = _changed(members, _terabytes)
    refused(packed(tmp_path / "odd.keras", members, **{CONFIG: config}))
    with keras.StatelessScope():
        pass
    assert load_model(packed(tmp_path / "good.keras", members)).count_params() == 138


def _weights(change: Callable[[h5py.File], Any], members: dict[str, bytes]) -> bytes:
    data = io.BytesIO(members[WEIGHTS])
    with h5py.File(data, "r+") as file:
        change(file)
    return data.getvalue()


def _array(file: h5py.File) -> h5py.Dataset:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset)
                    and item.ndim == 2 else None)  # fmt: skip
    return file[found[0]]


def _filled(value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        _array(file)[0, 0] = value

    return change


def _linked(file: h5py.File) -> None:
    name = _array(file).name
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def _huge(file: h5py.File) -> None:
    name = _array(file).name
    del file[name]
    file.create_dataset(name, (10**6, 10**6), "float32", chunks=(1000, 1000), compression="gzip")


def _other_shape(file: h5py.File) -> None:
    name = _array(file).name
    del file[name]
    file[name] = np.zeros((3, 3), "float32")


def _circle(file: h5py.File) -> None:
    empty = file.create_group("empty")
    empty["again"] = empty["and again"] = empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_filled(np.nan), "values that are no numbers"),
        (_filled(np.inf), "values that are no numbers"),
        (_linked, "a link to elsewhere"),
        (_huge, "more values than it can hold"),
        (_other_shape, "cannot be read"),
        (_circle, "nested too deeply"),
        (lambda file: file.clear(), "cannot be read"),
    ],
)
def test_weights_that_are_hostile_are_refused(members, tmp_path, change, message):
    data = _weights(change, members)
    file = packed(tmp_path / "odd.keras", members, **{WEIGHTS: data})
    with pytest.raises(ModelError, match=message):
        load_model(file)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_missing_member_is_named(members, tmp_path, name):
    assert f"{name} is missing" in refused(packed(tmp_path / "odd.keras", members, **{name: None}))


def _rewritten(members: dict[str, bytes], file: Path, **info: Any) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name)
            for key, value in info.items():
                setattr(member, key, value)
            archive.writestr(member, data)
    return file


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_odd_are_refused(members, tmp_path):
    twice = packed(tmp_path / "twice.keras", members)
    with zipfile.ZipFile(twice, "a") as archive:
        archive.writestr(DESCRIPTION, members[DESCRIPTION])
    assert "occurs twice" in refused(twice)
    out = packed(tmp_path / "out.keras", members, **{"../x": b"x"})
    assert "leads out of the archive" in refused(out)
    many = packed(tmp_path / "many.keras", members, **{str(n): b"" for n in range(200)})
    assert "204 members" in refused(many) or "members" in refused(many)
    assert "is a link" in refused(
        _rewritten(members, tmp_path / "link.keras", external_attr=0o120777 << 16)
    )
    data = bytearray(packed(tmp_path / "locked.keras", members).read_bytes())
    for signature, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(signature) + at] |= 1
    (tmp_path / "locked.keras").write_bytes(data)
    assert "is encrypted" in refused(tmp_path / "locked.keras")
    (tmp_path / "old.keras").write_bytes(members[WEIGHTS])
    assert "older file of Keras" in refused(tmp_path / "old.keras")
    (tmp_path / "folder.keras").mkdir()
    assert "cannot be read" in refused(tmp_path / "folder.keras")


@pytest.mark.parametrize("name", [DESCRIPTION, CONFIG, WEIGHTS, "hotelviz-learned.json"])
def test_bomb_is_refused_before_it_is_unpacked(members, tmp_path, name):
    """A member of 100 MB in 100 kB."""
    file = tmp_path / "bomb.keras"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, data in members.items():
            if other != name:
                archive.writestr(other, data)
        with archive.open(name, "w") as member:
            for _ in range(100):
                member.write(bytes(1 << 20))
    assert file.stat().st_size < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    message = refused(file)
    assert "larger than" in message or "unpack to" in message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert time.perf_counter() - started < 5
    if name != DESCRIPTION:
        assert read_info(file).classes == ("Bed", "Pool")


def mutated(members: dict[str, bytes], random: np.random.Generator) -> bytes:
    """A model file with something wrong with it: bytes, members, the configuration, the weights."""
    kind = int(random.integers(6))
    changed = dict(members)
    if kind >= 3:
        name = str(random.choice([DESCRIPTION, CONFIG, CONFIG, WEIGHTS]))
        data = bytearray(changed[name])
        if kind == 3 and name != WEIGHTS:
            data = bytearray(json.dumps(_mangled(json.loads(data), random)).encode())
        else:
            for place in random.integers(0, len(data), int(random.integers(1, 20))):
                data[place] = int(random.integers(256))
        changed[name] = bytes(data)
    file = io.BytesIO()
    method = int(random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in changed.items():
            archive.writestr(name, data)
    data = bytearray(file.getvalue())
    if kind == 0:
        return bytes(data[: int(random.integers(len(data)))])
    if kind in (1, 2):
        # At the end is the archive's list of its members, which matters most.
        start = 0 if kind == 1 else max(0, len(data) - 600)
        for place in random.integers(start, len(data), int(random.integers(1, 12))):
            data[place] = int(random.integers(256))
    return bytes(data)


def _mangled(value: Any, random: np.random.Generator) -> Any:
    """Replace one value, or leave one out, somewhere in nested lists and mappings."""
    odd = [None, -1, 0, 10**9, 2**70, 1e308, "", "relu", [], {}, [[]], True, "\x00", "../x"]
    if not isinstance(value, dict | list) or not value or random.random() < 0.08:
        return odd[int(random.integers(len(odd)))]
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[int(random.integers(len(keys)))]
    value = copy.copy(value)
    if random.random() < 0.05:
        del value[key]
    else:
        value[key] = _mangled(value[key], random)
    return value


@pytest.mark.parametrize("seed", range(int(os.environ.get("HOTELVIZ_MUTATIONS", "60")) // 20))
def test_mutated_files_are_loaded_or_refused_and_nothing_else(members, tmp_path, seed):
    """Whatever is wrong: a model that works, or a `ModelError` that names the file."""
    pixels = np.zeros((1, 32, 32, 3), "float32")
    for number in range(20):
        random = np.random.default_rng((seed, number))
        file = tmp_path / f"{number}.keras"
        file.write_bytes(mutated(members, random))
        try:
            model = load_model(file)
        except ModelError as error:
            said = str(error)
        else:
            said = str(file)
            assert np.asarray(model(pixels, training=False)).sum() == pytest.approx(1, abs=1e-3)
        assert said.startswith(str(file))
