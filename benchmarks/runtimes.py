"""Compare runtimes that could run the networks on a processor.

    pip install onnxruntime tf2onnx ai-edge-litert openvino      # not the project's own needs
    KERAS_HOME=../shared/keras python benchmarks/runtimes.py [--short]

All run idealo's aesthetic MobileNet, exported from the same graph of 8-bit pixels, on the same
photos, in turn; each with as many threads as there are cores and the batch that suits it best.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import DATA, SHARED, results, run

# isort: split
import numpy as np
import pandas as pd

#: Photos a call that are tried for each runtime.
BATCHES = (1, 8, 32)
Predict = Callable[[np.ndarray], np.ndarray]


def onnx_runtime(graph: bytes, folder: str, batch: int) -> Predict:
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    file = f"{folder}/network.onnx"
    if not Path(file).exists():
        definition = tf.compat.v1.GraphDef.FromString(graph)
        source = next(node.name for node in definition.node if node.op == "Placeholder")
        tf2onnx.convert.from_graph_def(
            definition, input_names=[f"{source}:0"], output_names=["Identity:0"], opset=17,
            output_path=file,
        )  # fmt: skip
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: in_batches(lambda some: session.run(None, {name: some})[0], pixels, batch)


def lite_rt(function: object, folder: str, batch: int) -> Predict:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from hotelviz.images import usable_cores

    file = Path(folder) / "network.tflite"
    if not file.exists():
        concrete = tf.function(function[0], input_signature=[function[1]]).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        file.write_bytes(converter.convert())
    interpreter = Interpreter(model_path=str(file), num_threads=usable_cores())
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(source["index"], [batch, *source["shape"][1:]])
    interpreter.allocate_tensors()

    def call(some: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], some)
        interpreter.invoke()
        return interpreter.get_tensor(target["index"]).copy()

    return lambda pixels: in_batches(call, pixels, batch)


def open_vino(model: object, precision: str, layers: int, batch: int) -> Predict:
    from hotelviz.inference.backends.openvino import OpenVinoBackend

    # The backend of this project, with another size of its batches.
    kind = type("Sized", (OpenVinoBackend,), {"batch_size": batch})
    backend = kind(model, precision, layers)
    pool = ThreadPoolExecutor(backend.parallel)

    def predict(pixels: np.ndarray) -> np.ndarray:
        parts = np.array_split(pixels, max(1, len(pixels) // batch))
        return np.concatenate(list(pool.map(backend.predict, parts)))

    return predict


def in_batches(call: Predict, pixels: np.ndarray, batch: int) -> np.ndarray:
    return np.concatenate([call(pixels[n : n + batch]) for n in range(0, len(pixels), batch)])


def runtimes(*, short: bool) -> None:
    """Time each runtime at each batch, in turn, and compare its scores with Keras'."""
    from hotelviz.images import read_image
    from hotelviz.models import (
        Preprocessing,
        activations,
        constant_graph,
        pixel_function,
        wrap_model,
    )

    file = SHARED / "keras" / "nima" / "mobilenet_aesthetic.keras"
    model = wrap_model(file, task="aesthetic", preprocessing=Preprocessing(224, 224, "nearest"))
    function = pixel_function(model)
    graph = constant_graph(*function).graph.as_graph_def().SerializeToString()
    files = sorted((DATA / "hotels" / "photos").glob("*.jpg"))[: 32 if short else 64]
    pixels = np.stack([read_image(path, size=(224, 224)) for path in files])
    keras = activations(model)
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[tuple[str, int], Predict] = {("Keras, one tf.function", len(pixels)): keras}
        for batch in BATCHES:
            ways["ONNX Runtime float32", batch] = onnx_runtime(graph, folder, batch)
            ways["LiteRT float32", batch] = lite_rt(function, folder, batch)
            for precision, layers in (("float32", 0), ("bfloat16", 3), ("bfloat16", 0)):
                name = f"OpenVINO {precision}" + (", first 3 float32" if layers else "")
                ways[name, batch] = open_vino(model, precision, layers, batch)
        expected = keras(pixels) @ np.arange(1, 11)
        far: dict[tuple[str, int], float] = {}
        times: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
        for turn in range(3 if short else 6):
            for way, predict in ways.items():
                started = time.perf_counter()
                found = predict(pixels) @ np.arange(1, 11)
                if turn:
                    times[way].append(time.perf_counter() - started)
                far[way] = float(np.abs(found - expected).max())
    rows = [
        (name, batch, len(pixels) / np.median(taken), far[name, batch])
        for (name, batch), taken in times.items()
    ]
    table = pd.DataFrame(rows, columns=["runtime", "batch", "photos/s", "furthest from Keras"])
    print(table.round(4).to_string(index=False))
    for name, group in table.groupby("runtime", sort=False):
        best = group.loc[group["photos/s"].idxmax()]
        results.append(
            (
                name, "",
                f"{best['photos/s']:.0f} photos/s with batches of {best['batch']}; scores up to "
                f"{best['furthest from Keras']:.4f} from Keras'",
            )
        )  # fmt: skip


SECTIONS = {"runtimes": runtimes}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
