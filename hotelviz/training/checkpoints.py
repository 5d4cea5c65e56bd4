"""Checkpoints from which a training goes on as if nothing had happened.

Keras' `BackupAndRestore` keeps weights and optimizer, but not what early stopping and the slowing
of the learning rate know, nor which epoch was best, nor what dropout draws next, and it takes the
averaged weights for the trained ones. Here one file per phase, replaced as a whole, says how far
the training came and which files hold its last and its best epoch; what is judged by is judged
again from the epochs that it lists; and what is drawn depends on the seed and the epoch alone.
"""

from __future__ import annotations

import json
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import callbacks
from tqdm.auto import tqdm

from hotelviz.errors import TrainingError
from hotelviz.io.atomic import atomic_path, remove_leftovers
from hotelviz.io.claims import claim, own_folder
from hotelviz.training.callbacks import Averages

#: What a folder of checkpoints is marked with.
PURPOSE = "training"


@contextmanager
def checkpoint_folder(folder: Path) -> Iterator[Path]:
    """Hold the folder of a training; one that hotelviz did not make is refused."""
    with claim(own_folder(folder, PURPOSE), folder=True):
        remove_leftovers(folder, "*-*.npz", seconds=0)
        yield folder


def reset_unless_same(folder: Path, about: Mapping[str, Any]) -> None:
    """Remove the checkpoints of a training of other settings or photos, with a warning.

    Decoded photos stay: their file knows itself what they are valid for.

    Parameters
    ----------
    folder : pathlib.Path
        Of the training.
    about : mapping
        Everything that the result depends on; values that JSON can hold.
    """
    record = folder / "training.json"
    wanted = json.loads(json.dumps(about))
    found = _read(record) if record.is_file() else None
    if found == wanted:
        return
    for pattern in ("*.npz", "*.json"):
        for file in folder.glob(pattern):
            file.unlink()
    with atomic_path(record) as temporary:
        temporary.write_text(json.dumps(wanted))
    if found is not None:
        names = [name for name in wanted if wanted[name] != found.get(name)]
        changed = ", ".join(names) or "other settings"
        warnings.warn(
            f"{folder}: holds a training of another kind (changed: {changed}); begun anew",
            stacklevel=2,
        )


def _read(file: Path) -> dict[str, Any]:
    """Read a file; nothing, where a disk that failed has left no more."""
    try:
        return dict(**json.loads(file.read_text(errors="replace")))
    except (ValueError, TypeError):
        return {}


class PhaseCheckpoint(callbacks.Callback):  # type: ignore[misc]
    """Keeps the state of one phase: its history, its last and its best epoch, and who judges.

    Parameters
    ----------
    folder : pathlib.Path
        Of the training.
    phase : str
        Its name in the history.
    epochs : int
        How many there are at most.
    seed : int
        Of what layers draw, such as dropout.
    judges : sequence of keras.callbacks.Callback, default ()
        What decides by the history to stop or to slow down; asked after each epoch.
    averages : Averages, optional
        Where the checkpoints hold averaged weights.
    choose : bool
        Keep the epoch of the least validation loss, rather than the last.
    progress : bool, default False
        Show a bar of the epochs.
    """

    def __init__(
        self,
        folder: Path,
        phase: str,
        *,
        epochs: int,
        seed: int,
        judges: Sequence[callbacks.Callback] = (),
        averages: Averages | None = None,
        choose: bool,
        progress: bool = False,
    ) -> None:
        super().__init__()
        self.folder, self.phase, self.epochs, self.seed = folder, phase, epochs, seed
        self.judges = callbacks.CallbackList(list(judges))
        self.averages, self.choose = averages, choose
        self.state: dict[str, Any] = {"rows": [], "best": None, "ended": epochs == 0}
        self.file = folder / f"{phase}.json"
        if self.file.is_file():
            found = _read(self.file)
            if self._is_complete(found):
                self.state = found
            else:
                warnings.warn(
                    f"{self.file}: the checkpoint is damaged; {phase} is begun anew", stacklevel=2
                )
        self.bar = tqdm(
            total=epochs, initial=self.first, unit="epoch", desc=phase, disable=not progress
        )

    def _is_complete(self, state: Mapping[str, Any]) -> bool:
        """Return whether the weights are there; a file that was cut off has no list of members."""
        return set(state) == set(self.state) and all(
            zipfile.is_zipfile(self._weights(epoch))
            for epoch in (state["best"], len(state["rows"]))
        )

    @property
    def first(self) -> int:
        """Number of the first epoch that is still to do, from 0."""
        return len(self.state["rows"])

    @property
    def ended(self) -> bool:
        """Whether no epoch is left to do."""
        return bool(self.state["ended"])

    @property
    def best(self) -> int | None:
        """Number of the epoch whose weights are kept, from 1; None where none was done."""
        return None if self.state["best"] is None else int(self.state["best"])

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row per epoch, in figures for people."""
        return [
            {"kept": row["epoch"] == self.best}
            | {
                name: round(value, 2 if name == "seconds" else 5)
                if isinstance(value, float) and name != "learning_rate"
                else value
                for name, value in row.items()
            }
            for row in self.state["rows"]
        ]

    def fit(
        self,
        network: keras.Model,
        batches: Any,
        val: Any,
        *steering: callbacks.Callback,
        **how: Any,
    ) -> None:
        """Run the epochs that are left to do; this sees what steering has done."""
        how |= {"initial_epoch": self.first, "epochs": self.epochs, "shuffle": False, "verbose": 0}
        network.fit(batches, validation_data=val, callbacks=[*steering, self], **how)

    def load_best(self, network: keras.Model) -> None:
        """Put the weights of the best epoch into a network, if any epoch was done."""
        self.bar.close()
        if self.state["best"] is not None:
            with np.load(self._weights(self.state["best"])) as saved:
                network.set_weights([saved[name] for name in saved.files[: len(network.weights)]])

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Continue from what the last run left."""
        self.judges.set_model(self.model)
        self.judges.on_train_begin(logs)
        for epoch, row in enumerate(self.state["rows"]):
            self.judges.on_epoch_end(epoch, row)
        self.model.stop_training = False
        if self.first:
            with np.load(self._weights(self.first)) as saved:
                for variable, value in zip(self._variables(), saved.values(), strict=True):
                    variable.assign(value)
            if self.averages is not None:
                self.averages.mark_swapped()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Make layers draw what depends on the seed and the epoch alone."""
        self.started = time.perf_counter()
        for number, layer in enumerate(self.model.layers):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                drawn = np.random.SeedSequence((self.seed, epoch, number)).generate_state(1)
                generator.state.assign([int(drawn[0]) >> 1, 0])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the epoch, have it judged, and keep its weights."""
        row: dict[str, Any] = {
            "epoch": epoch + 1,
            "phase": self.phase,
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": time.perf_counter() - self.started,
            **{name: float(value) for name, value in (logs or {}).items()},
        }
        if not np.isfinite(row["loss"]):
            raise TrainingError(
                f"{self.phase}, epoch {epoch + 1}: the loss is {row['loss']}: nothing is learned "
                "any more. A lower learning rate helps; the epochs before are kept"
            )
        self.state["rows"].append(row)
        self.judges.on_epoch_end(epoch, row)
        best = self.state["best"]
        if best is None or not self.choose or self._loss(epoch + 1) < self._loss(best):
            self.state["best"] = epoch + 1
        self.state["ended"] = epoch + 1 == self.epochs or self.model.stop_training
        with atomic_path(self._weights(epoch + 1)) as temporary:
            np.savez(temporary, *[variable.numpy() for variable in self._variables()])
        with atomic_path(self.file) as temporary:
            temporary.write_text(json.dumps(self.state))
        for file in self.folder.glob(f"{self.phase}-*.npz"):
            if file not in {self._weights(self.state["best"]), self._weights(epoch + 1)}:
                file.unlink()
        self.bar.update()

    def _loss(self, epoch: int) -> float:
        loss = float(self.state["rows"][epoch - 1]["val_loss"])
        return np.inf if np.isnan(loss) else loss

    def _weights(self, epoch: int) -> Path:
        return self.folder / f"{self.phase}-{epoch}.npz"

    def _variables(self) -> list[Any]:
        return [*self.model.weights, *self.model.optimizer.variables]
