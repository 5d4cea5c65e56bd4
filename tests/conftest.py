"""What tests share: no display, quiet TensorFlow, small catalogues."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# No test looks for weights beyond this machine, whatever it forgets to say.
os.environ["HOTELVIZ_NO_DOWNLOAD"] = "1"
# Networks of tests are small, and there are more workers than cores: threads would wait for each
# other. What tests start as a process of its own inherits it.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from filelock import FileLock

from hotelviz.io.json_schemas import load_jsonschema

# What is loaded here is loaded before the first worker starts: libraries are where they are used.
if TYPE_CHECKING:
    import keras
    import pandas as pd
    from PIL import Image

load_jsonschema()
# TensorFlow leaves a million objects that are never garbage: to walk them as often as Python does
# by default is a tenth of the time.
gc.set_threshold(100_000, 50, 100)

#: Is not searched for examples: pytest would import it again, and take it for another.
collect_ignore = ["conftest.py"]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than cores: a worker often waits for a kernel, a browser or a server.

    Those are slow, and each worker imports all there is.
    """
    from hotelviz.images import usable_cores

    return usable_cores() + (config.option.markexpr != "not slow")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever opens a browser is slow, and examples that train or draw what networks look for;
    the files that take longest come first.

    Each file is tested in one process.
    """
    slow = ("hotelviz.training.", "hotelviz.feature_vis.", "hotelviz.concepts.")
    for item in items:
        example = isinstance(item, pytest.DoctestItem) and item.name.startswith(slow)
        if example or "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    longest = [
        "test_notebooks.py", "test_labelling_page.py", "test_attribution.py", "test_training.py",
        "test_cluster.py", "test_training_resume.py", "test_labelling_looks.py",
        "test_training_ratings.py", "test_labelling_access.py", "test_cli.py", "test_filters.py",
        "test_geometry.py", "test_demo.py", "test_backends.py", "test_audit_labels.py",
    ]  # fmt: skip
    items.sort(key=lambda item: (*longest, item.path.name).index(item.path.name))


class ExamplesOnFewLayers:
    """A plugin, as fixtures of this file do not reach the package.

    Most examples say what happens around a network. They do so with three layers
    in MobileNet's place; `test_cli.py` trains MobileNet itself.
    """

    packages = (
        "hotelviz.training", "hotelviz.inference", "hotelviz.models", "hotelviz.attribution",
        "hotelviz.embeddings.neighbours", "hotelviz.audit.seen",
    )  # fmt: skip
    #: These show what MobileNet's layers are called, and where they look.
    on_mobilenet = (
        "hotelviz.models.activations", "hotelviz.models.backbones", "hotelviz.models.graph",
        "hotelviz.attribution.receptive_field",
    )  # fmt: skip

    @pytest.fixture(autouse=True)
    def examples_on_few_layers(self, request: pytest.FixtureRequest) -> None:
        name = request.node.name
        here = name.startswith(self.packages) and not name.startswith(self.on_mobilenet)
        if here and isinstance(request.node, pytest.DoctestItem):
            request.getfixturevalue("few_layers")

    @pytest.fixture(autouse=True)
    def examples_on_one_drawing(self, request: pytest.FixtureRequest) -> None:
        """Most examples draw the same small demo: it is drawn once, and copied for each."""
        name = request.node.name
        if isinstance(request.node, pytest.DoctestItem) and not name.startswith("hotelviz.demo"):
            request.getfixturevalue("drawn_once")

    @pytest.fixture
    def few_layers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put a backbone of three layers in MobileNet's place."""
        import keras
        from backbones import first_layers

        monkeypatch.setattr(keras.applications, "MobileNet", first_layers)

    @pytest.fixture(scope="session")
    def drawings(self, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
        """Give the folder of a demo of these settings, drawn once; tests only read it."""
        from hotelviz.demo import make_demo_catalog

        base = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:  # once for all workers
            base = base.parent

        def folder_of(**settings: object) -> Path:
            words = repr(sorted(settings.items())).encode()
            folder = base / f"drawing-{hashlib.sha256(words).hexdigest()[:12]}"
            with FileLock(base / "drawings.lock"):
                # A folder that is finished is taken as it is.
                make_demo_catalog(folder, **settings)
            return folder

        return folder_of

    @pytest.fixture
    def drawn_once(self, drawings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """Copy a demo that was drawn before: `make_demo_catalog` takes it as it is."""
        from hotelviz import demo

        original = demo.make_demo_catalog

        def copy(directory: str | Path, **settings: object) -> pd.DataFrame:
            shutil.copytree(drawings(**settings), directory, dirs_exist_ok=True)
            return original(directory, **settings)

        monkeypatch.setattr(demo, "make_demo_catalog", copy)


@pytest.fixture(scope="module")
def module_of_few_layers() -> Iterator[None]:
    """Put a backbone of three layers in MobileNet's place, for the models that a file shares."""
    import keras
    from backbones import first_layers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", first_layers)
        yield


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ExamplesOnFewLayers())


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


#: Settings of a small demo.
DEMO = {"n_hotels": 6, "size": (96, 128), "seed": 4}


@pytest.fixture(scope="session")
def demo_dir(drawings: Callable[..., Path]) -> Path:
    """A small demo catalogue, drawn once for all tests; they only read it."""
    return drawings(**DEMO)


@pytest.fixture
def demo_catalog(demo_dir: Path) -> pd.DataFrame:
    from hotelviz.demo import make_demo_catalog

    return make_demo_catalog(demo_dir, **DEMO)


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    """A catalogue in CSV, as a function from its text to its file."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        file = tmp_path / "photos.csv"
        file.write_bytes(text.encode(encoding))
        return file

    return write


@pytest.fixture(scope="session")
def album_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight different photos, drawn once for all tests; they only copy them."""
    from album import scene

    folder = tmp_path_factory.mktemp("album")
    for seed in range(8):
        scene(seed).save(folder / f"{seed}.jpg", quality=92)
    return folder


@pytest.fixture
def album(album_dir: Path, tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Eight different photos, as a function from more photos to a catalogue."""
    from album import catalog_of

    shutil.copytree(album_dir, tmp_path, dirs_exist_ok=True)

    def make(**added: Image.Image) -> pd.DataFrame:
        for name, image in added.items():
            image.save(tmp_path / f"{name}.jpg", quality=85)
        return catalog_of(sorted(tmp_path.glob("*.jpg")))

    return make


@pytest.fixture(scope="session")
def network() -> keras.Model:
    """A network whose features tell photos apart without any training; tests only read it."""
    import keras

    from hotelviz.models import Preprocessing, wrap_model

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(96, 9, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    return wrap_model(
        model, task="tagger", classes=["Bedroom", "Pool"], preprocessing=Preprocessing(64, 64)
    )
