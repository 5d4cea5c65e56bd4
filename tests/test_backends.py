"""Backends: equal to Keras, cached, checked when loaded, and named when they cannot be had."""

from __future__ import annotations

import importlib.util
import resource
import signal

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from hotelviz.errors import BackendError, InferenceError, ModelWarning
from hotelviz.inference import make_backend, score_photos
from hotelviz.inference.backends import registry
from hotelviz.inference.pipeline import ThroughputMeter
from hotelviz.models import (
    Preprocessing,
    build_aesthetic,
    build_tagger,
    load_model,
    save_model,
    wrap_model,
)
from hotelviz.scores import open_scores

SMALL = {"input_size": 32, "weights": None, "backbone_kw": {"alpha": 0.25}}
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra 'fast' is not installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "backend-cache"
    monkeypatch.setenv("HOTELVIZ_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return build_aesthetic(**SMALL)


def rows(folder):
    parts = [pd.read_parquet(part) for part in sorted(folder.glob("part-*.parquet"))]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.slow
@needs_openvino
def test_openvino_scores_as_keras_does(demo_catalog, model, tmp_path):
    for backend in ("keras", "openvino"):
        score_photos(demo_catalog, [model], tmp_path / backend, backend=backend,
                     precision="float32", progress=False)  # fmt: skip
    keras_rows, openvino_rows = rows(tmp_path / "keras"), rows(tmp_path / "openvino")
    np.testing.assert_allclose(keras_rows["score"], openvino_rows["score"], atol=1e-4)
    same = ["image_id", "hotel_id", "path", "error", "hash"]
    pd.testing.assert_frame_equal(keras_rows[same], openvino_rows[same])


@pytest.mark.slow
@needs_openvino
def test_outputs_do_not_depend_on_the_photos_beside(model):
    backend = make_backend(model, "openvino", precision="float32")
    pixels = np.random.default_rng(0).integers(0, 256, (19, 32, 32, 3), dtype="uint8")
    together = backend.predict(pixels)
    order = np.random.default_rng(1).permutation(19)
    np.testing.assert_array_equal(backend.predict(pixels[order]), together[order])
    np.testing.assert_array_equal(backend.predict(pixels[:1]), together[:1])
    assert backend.predict(pixels[:0]).shape == (0, 10)


@pytest.mark.slow
@needs_openvino
def test_export_is_kept_by_fingerprint_and_made_again_when_damaged(
    cache, few_layers, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOTELVIZ_CACHE", str(tmp_path))
    file = tmp_path / "tagger.keras"
    save_model(build_tagger(["Bedroom", "Pool"], **SMALL), file)
    for text in ("", "not a network"):
        make_backend(load_model(file), "openvino", precision="float32")
        (exported,) = (tmp_path / "openvino").iterdir()
        network = exported / "network.xml"
        assert network.stat().st_size > 1000
        written = network.stat().st_mtime_ns
        make_backend(load_model(file), "openvino", precision="float32")
        assert network.stat().st_mtime_ns == written
        network.write_text(text)
    other = build_tagger(["Bedroom", "Pool"], **SMALL, seed=1)
    make_backend(other, "openvino", precision="float32")
    assert len(list((tmp_path / "openvino").iterdir())) == 2


@needs_openvino
def test_backend_that_is_not_exact_enough_is_refused(model, monkeypatch):
    monkeypatch.setattr(registry, "deviation", lambda *_: 0.011)
    fresh = wrap_model(model, task="aesthetic", preprocessing=Preprocessing(32, 32))
    with pytest.raises(BackendError, match=r"up to 0\.011 from Keras', more than 0\.01; take back"):
        make_backend(fresh, "openvino", precision="float32")


@pytest.mark.slow
@needs_openvino
def test_bfloat16_is_taken_only_where_it_is_exact_enough(monkeypatch):
    from hotelviz.inference.backends import openvino as fast

    monkeypatch.setattr(fast, "computes_bfloat16", lambda: True)
    tried = []

    def deviation(_, backend):
        tried.append(backend.precision)
        return 0.051 if backend.precision == "bfloat16" else 0.0

    monkeypatch.setattr(registry, "deviation", deviation)
    small = build_aesthetic(**SMALL)
    assert make_backend(small, "openvino").precision == "float32"
    assert tried == ["bfloat16"] * len(fast.EXACT_LAYERS) + ["float32"]
    with pytest.raises(BackendError, match=r"more than 0\.05; take precision='float32'"):
        make_backend(small, "openvino", precision="bfloat16")
    monkeypatch.setattr(fast, "computes_bfloat16", lambda: False)
    with pytest.raises(BackendError, match="does not compute in bfloat16"):
        make_backend(build_aesthetic(**SMALL), "openvino", precision="bfloat16")


@needs_openvino
@pytest.mark.parametrize("n_layers", [1, 3, 9])
def test_network_in_two_pieces_computes_what_the_whole_does(model, n_layers):
    from hotelviz.inference.backends.openvino import OpenVinoBackend

    pieces = OpenVinoBackend(model, "float32", n_layers)
    assert len(pieces.stages) == 2
    assert registry.deviation(model, pieces) < 1e-4


@keras.saving.register_keras_serializable("tests")
class InPython(keras.layers.Layer):
    """Runs Python, which no export can take along."""

    def call(self, inputs):
        doubled = tf.py_function(lambda values: values * 2, [inputs], tf.float32)
        return tf.ensure_shape(doubled, inputs.shape)

    def compute_output_shape(self, shape):
        return shape


@needs_openvino
def test_model_that_cannot_be_converted_is_named():
    inputs = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(InPython()(inputs))
    theirs = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(pooled))
    with pytest.warns(ModelWarning, match="can be used in this session"):
        ours = wrap_model(
            theirs, task="aesthetic", preprocessing=Preprocessing(32, 32), name="theirs"
        )
    with pytest.raises(BackendError, match=r"theirs: OpenVINO cannot convert .* backend='keras'"):
        make_backend(ours, "openvino")


def test_backend_that_is_not_installed_is_named_with_its_command(model, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    fresh = wrap_model(model, task="aesthetic", preprocessing=Preprocessing(32, 32))
    with pytest.raises(BackendError, match=r"pip install 'hotelviz\[fast\]'"):
        make_backend(fresh, "openvino", precision="float32")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "onnx"}, "one of keras, openvino; not 'onnx'"),
        ({"backend": "openvino", "precision": "int8"}, "one of float32, bfloat16; not 'int8'"),
        ({"backend": "keras", "precision": "bfloat16"}, "needs 'openvino'"),
    ],
)
def test_unknown_backends_are_refused(model, settings, message):
    with pytest.raises(BackendError, match=message):
        make_backend(model, **settings)


@pytest.mark.slow
@needs_openvino
def test_scores_of_two_backends_do_not_mix(demo_catalog, model, tmp_path):
    few = demo_catalog.head(3)
    score_photos(few, [model], tmp_path / "s", progress=False)
    with pytest.raises(InferenceError, match=r"another backend .keras float32, not openvino "):
        score_photos(few, [model], tmp_path / "s", backend="openvino", precision="float32")


@pytest.mark.slow
def test_parts_do_not_depend_on_batches(demo_catalog, model, tmp_path):
    for number, (part_size, batch_size) in enumerate([(5, 7), (64, 3)]):
        score_photos(demo_catalog, [model], tmp_path / str(number), part_size=part_size,
                     batch_size=batch_size, progress=False)  # fmt: skip
    first, second = rows(tmp_path / "0"), rows(tmp_path / "1")
    pd.testing.assert_frame_equal(first, second, atol=1e-5)
    assert first["image_id"].to_list() == demo_catalog["image_id"].to_list()


@pytest.mark.slow
def test_full_disk_leaves_whole_parts_and_the_run_goes_on(demo_catalog, model, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "scores"
    big = demo_catalog.copy()
    # The third part does not fit: its names are long and compress badly.
    random = np.random.default_rng(0)
    big.loc[big.index[32:48], "hotel_id"] = [random.bytes(4000).hex() for _ in range(16)]
    score_photos(big, [model], whole, part_size=16, progress=False)
    limit = max(part.stat().st_size for part in whole.glob("*.parquet"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit - 1, before[1]))
        with pytest.raises(
            InferenceError, match=r"part-00002\.parquet: cannot be written .* goes on"
        ):
            score_photos(big, [model], out, part_size=16, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert sorted(file.name for file in out.iterdir()) == [
        "_hotelviz.json", "part-00000.parquet", "part-00001.parquet",
    ]  # fmt: skip
    assert len(open_scores(out)) == 32
    rest = score_photos(big, [model], out, part_size=16, progress=False)
    assert rest.photos == len(big) - 32
    pd.testing.assert_series_equal(rows(out)["score"], rows(whole)["score"])


def test_meter_names_what_bounds():
    meter = ThroughputMeter(workers=2, parallel=1, photos=10)
    meter.wall_start -= 10
    meter.reading = 18.0
    assert meter.result().bound == "disk"
    meter.reading, meter.inference = 1.0, 9.0
    assert meter.result().bound == "inference"
    meter.processor_start -= 1000
    meter.decoding = 900.0
    assert meter.result().bound == "decode"
    meter.decoding = 100.0
    assert meter.result().bound == "inference"
