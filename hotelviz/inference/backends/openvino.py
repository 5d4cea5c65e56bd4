"""OpenVINO as the backend: exported, cached, and split where bfloat16 is not exact enough.

In bfloat16 nearly all of MobileNet's error comes from its first layers, where pixels differ by
little. These are computed in float32 therefore, as few of them as do: the network is cut in two at
a tensor that everything passes through.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import openvino
from openvino import opset13

from hotelviz.errors import BackendError
from hotelviz.images import usable_cores
from hotelviz.inference.backends.base import Backend, Precision
from hotelviz.io.atomic import atomic_path, remove_leftovers
from hotelviz.io.cache import cache_folder
from hotelviz.models import check_pixels, constant_graph, model_info, pixel_function, weights_hash

_CONVOLUTIONS = ("Convolution", "GroupConvolution")
#: How many of a network's first convolutions are computed in float32, tried in this order.
EXACT_LAYERS = (0, 3, 7, 13)


class OpenVinoBackend(Backend):
    """One stream a core, each with small batches: streams need not wait for one another.

    Batches are filled up to one size. The compiled network then never changes its shape, and a
    photo's outputs do not depend on which photos it is computed with.

    Parameters
    ----------
    model : keras.Model
        What it runs.
    precision : {"float32", "bfloat16"}
        What it multiplies in.
    exact_layers : int, default 0
        How many of the first convolutions are computed in float32, at least.

    Attributes
    ----------
    stages : list
        The compiled network, in one piece or two.

    Raises
    ------
    BackendError
        OpenVINO cannot convert the model.
    """

    name, batch_size = "openvino", 8

    def __init__(self, model: keras.Model, precision: Precision, exact_layers: int = 0) -> None:
        self.model, self.precision = model, precision
        core, exported = openvino.Core(), _exported(model)
        pieces = _cut(core, exported, exact_layers)
        kinds = ["f32"] * (len(pieces) - 1) + ["f32" if precision == "float32" else "bf16"]
        shape = [self.batch_size, *model_info(model).preprocessing.size, 3]
        self.stages = []
        for piece, kind in zip(pieces, kinds, strict=True):
            piece.reshape(shape)
            shape = list(piece.outputs[0].shape)
            settings = {
                "PERFORMANCE_HINT": "THROUGHPUT",
                "INFERENCE_PRECISION_HINT": kind,
                "INFERENCE_NUM_THREADS": usable_cores(),
            }
            self.stages.append(core.compile_model(piece, "CPU", settings))
        wanted = "OPTIMAL_NUMBER_OF_INFER_REQUESTS"
        self.parallel = max(int(stage.get_property(wanted)) for stage in self.stages)
        self._requests = threading.local()

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's outputs; each thread has requests of its own."""
        check_pixels(pixels, self.model)
        if not hasattr(self._requests, "mine"):
            self._requests.mine = [stage.create_infer_request() for stage in self.stages]
        outputs = np.empty((len(pixels), self.model.output_shape[-1]), "float32")
        for start in range(0, len(pixels), self.batch_size):
            some = np.ascontiguousarray(pixels[start : start + self.batch_size])
            if len(some) < self.batch_size:
                some = np.resize(some, (self.batch_size, *some.shape[1:]))
            for request in self._requests.mine:
                # Views of the request's own memory: valid until this thread asks it again.
                some = request.infer({0: some}, share_inputs=True, share_outputs=True)[0]
            outputs[start : start + self.batch_size] = some[: len(outputs) - start]
        return outputs


def computes_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _cut(core: openvino.Core, file: Path, exact_layers: int) -> list[openvino.Model]:
    """Return a network in two pieces, the first with so many convolutions or a few more.

    Where it cannot be cut, or is not to be, it is one piece.
    """
    network = core.read_model(file)
    name = _place_to_cut(network, exact_layers) if exact_layers else None
    if name is None:
        return [network]
    first, second = network, core.read_model(file)
    end = next(op for op in first.get_ops() if op.get_friendly_name() == name)
    begin = next(op for op in second.get_ops() if op.get_friendly_name() == name)
    taken = opset13.parameter(begin.output(0).get_partial_shape(), begin.output(0).element_type)
    for consumer in list(begin.output(0).get_target_inputs()):
        consumer.replace_source_output(taken.output(0))
    return [
        openvino.Model([opset13.result(end.output(0))], first.get_parameters(), "first"),
        openvino.Model(second.get_results(), [taken], "second"),
    ]


def _place_to_cut(network: openvino.Model, exact_layers: int) -> str | None:
    """Return the operation after which nothing else is still needed, past so many convolutions."""
    order = network.get_ordered_ops()
    waiting: Counter[str] = Counter()
    convolutions = 0
    for number, op in enumerate(order):
        sources = (value.get_source_output().get_node() for value in op.inputs())
        taken = [name for node in sources if (name := node.get_friendly_name()) in waiting]
        if not taken and op.get_type_name() != "Parameter":
            continue  # A constant, or computed from constants alone.
        waiting.subtract(taken)
        waiting = +waiting  # Without those that nothing needs any more.
        convolutions += op.get_type_name() in _CONVOLUTIONS
        consumers = op.output(0).get_target_inputs() if op.outputs() else ()
        waiting[op.get_friendly_name()] = len(consumers)
        followers = {later.get_type_name() for later in order[number + 1 :]}
        if (
            convolutions >= exact_layers
            and len(waiting) == 1
            and followers & set(_CONVOLUTIONS)
            and any(value.get_node().get_type_name() in _CONVOLUTIONS for value in consumers)
        ):
            return str(op.get_friendly_name())
    return None


def _exported(model: keras.Model) -> Path:
    """Return the file of the model in OpenVINO's format, exported now or found in the cache."""
    key = hashlib.sha256(
        "\n".join([weights_hash(model), model.to_json(), openvino.__version__]).encode()
    ).hexdigest()[:24]
    network = cache_folder("openvino", key, "network.xml")
    try:
        openvino.Core().read_model(network)
    except RuntimeError:  # It is not there, or damaged.
        remove_leftovers(network.parent, "network-*")
        # Where another process does the same, what it writes is the same.
        with atomic_path(network) as graph, atomic_path(network.with_suffix(".bin")) as weights:
            _export(model, graph, weights)
    return network


def _export(model: keras.Model, graph: Path, weights: Path) -> None:
    constant = constant_graph(*pixel_function(model))
    try:
        # Read by OpenVINO itself: its converter for Python reports each use to its makers.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "graph.pb"
            file.write_bytes(constant.graph.as_graph_def().SerializeToString())
            openvino.serialize(openvino.Core().read_model(file), graph, weights)
    except RuntimeError as error:
        raise BackendError(
            f"{model_info(model).backbone}: OpenVINO cannot convert this model "
            f"({_first_reason(error)}); take backend='keras'"
        ) from error


def _first_reason(error: BaseException) -> str:
    """Return the line of OpenVINO's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "conver" in line.lower() or "not supported" in line]
    return (telling or lines or [type(error).__name__])[0][:300]
