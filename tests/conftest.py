"""What tests share: no display, quiet TensorFlow, small catalogues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from hotelviz.demo import make_demo_catalog


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo catalogue, drawn once for all tests; they only read it."""
    folder = tmp_path_factory.mktemp("demo")
    make_demo_catalog(folder, hotels=5, size=(96, 128), seed=1)
    return folder


@pytest.fixture
def demo_catalog(demo_dir: Path) -> pd.DataFrame:
    return make_demo_catalog(demo_dir, hotels=5, size=(96, 128), seed=1)
