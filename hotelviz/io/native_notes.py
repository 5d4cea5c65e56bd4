"""What TensorFlow's native code notes when it starts, kept from terminals and pages.

It has no switch: the first lines are written before the library reads its settings. Only notes are
left out, by their form; warnings and errors stay, and come when the start is over.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_NOTE = re.compile(r"WARNING: All log messages before absl|I\d{4} [\d:.]+ +\d+ \S+\] ")


def is_native_note(line: str) -> bool:
    """Return whether a line is one of information by native code, and not a warning or an error.

    Examples
    --------
    >>> is_native_note("I0000 00:00:1764116.4 17 port.cc:153] oneDNN custom operations are on.")
    True
    >>> is_native_note("E0000 00:00:1764116.4 17 cuda.cc:52] no memory is left")
    False
    """
    return bool(_NOTE.match(line))


@contextlib.contextmanager
def without_native_notes() -> Iterator[None]:
    """Hold back what is written to standard error, and write it without notes at the end."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, contextlib.ExitStack() as end:
        terminal = os.dup(2)
        end.callback(os.close, terminal)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            held.seek(0)
            for line in held:
                if not is_native_note(line.decode(errors="replace")):
                    os.write(2, line)


class _Start(MetaPathFinder):
    """Finds TensorFlow once, and holds back its notes while it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def quietly(module: ModuleType) -> None:
            with without_native_notes():
                load(module)
                # The processor is looked at by the first operation.
                module.zeros(1)

        spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


_START = _Start()


def quiet_tensorflow() -> None:
    """Keep the notes of TensorFlow's start from the terminal, whenever it is imported."""
    # Where standard error is closed, there is nothing to keep quiet.
    wanted = "tensorflow" not in sys.modules and sys.stderr is not None
    if wanted and _START not in sys.meta_path:
        sys.meta_path.insert(0, _START)
