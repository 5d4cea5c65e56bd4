"""Find concepts by xplique's CRAFT, for `benchmarks/craft.py`, in an environment that has xplique.

    python benchmarks/reference_craft.py FOLDER N_CONCEPTS

FOLDER holds ``tagger.keras`` and ``NUMBER.npz`` for each class, with the pixels that concepts are
found in and applied to, as the network takes them. Beside each comes ``NUMBER-found.npz``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import keras
import numpy as np
from xplique.concepts import CraftTf


def main(folder: Path, n_concepts: int) -> None:
    """Find concepts of each class, and how strong they are in other photos."""
    network = keras.models.load_model(folder / "tagger.keras", compile=False)
    pooled, dense = network.get_layer("pooled"), network.layers[-1]
    features = keras.Model(network.inputs, pooled.input)
    above = keras.Input(pooled.input.shape[1:])
    logits = keras.layers.Dense(dense.units)
    head = keras.Model(above, logits(keras.layers.GlobalAveragePooling2D()(above)))
    logits.set_weights(dense.get_weights())
    for file in sorted(folder.glob("[0-9]*.npz")):
        if "found" in file.stem:
            continue
        given = np.load(file)
        # NMF begins at random.
        np.random.seed(0)
        started, used = time.perf_counter(), time.process_time()
        craft = CraftTf(features, head, number_of_concepts=n_concepts)
        craft.fit(given["finding"], class_id=int(file.stem))
        importance = craft.estimate_importance()
        strength = craft.transform(given["judged"]).mean(axis=(1, 2))
        np.savez(
            folder / f"{file.stem}-found.npz", components=craft.factorization.concept_bank_w,
            importance=importance, strength=strength, wall=time.perf_counter() - started,
            cpu=time.process_time() - used,
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
