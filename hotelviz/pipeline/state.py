"""What a run remembers: which steps are done, and of what they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hotelviz.io.atomic import atomic_path
from hotelviz.pipeline.step import Step


class RunState:
    """The steps that are done, in a JSON file that is written after each of them.

    Parameters
    ----------
    file : pathlib.Path
        The file. One that is not there, or is damaged, is of a run that has done nothing yet.

    Examples
    --------
    >>> import tempfile
    >>> file, step = Path(tempfile.mkdtemp()) / "run.json", Step("split", print)
    >>> RunState(file).done(step, step.fingerprint(), seconds=0.5)
    >>> RunState(file).is_current(step)
    True
    """

    def __init__(self, file: Path) -> None:
        self.file, self._steps = file, read_json(file)

    def is_current(self, step: Step) -> bool:
        """Return whether a step is done, and nothing that it depends on has changed since."""
        known = self._steps.get(step.name, {})
        there = "left_out" in known or step.is_there()
        return "fingerprint" in known and there and known["fingerprint"] == step.fingerprint()

    def left_out(self, step: Step) -> str:
        """Return why a step had nothing to do when it was done last; empty where it had."""
        return str(self._steps.get(step.name, {}).get("left_out", ""))

    def begin(self, step: Step) -> None:
        """Forget that a step was done: what a kill leaves of it is not taken for the whole."""
        if self._steps.pop(step.name, None) is not None:
            write_json(self._steps, self.file)

    def done(self, step: Step, fingerprint: str, *, seconds: float, left_out: str = "") -> None:
        """Remember that a step was done, of what was there when it began, or why it was not."""
        about: dict[str, Any] = {"fingerprint": fingerprint, "seconds": round(seconds, 1)}
        self._steps[step.name] = about | ({"left_out": left_out} if left_out else {})
        write_json(self._steps, self.file)


def read_json(file: Path) -> dict[str, Any]:
    """Return what a file remembers; nothing where it is not there, or damaged."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def write_json(values: dict[str, Any], file: Path) -> None:
    """Write what is to be remembered, whole or not at all."""
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
