"""Run steps: in the order of their needs, side by side, each once, whatever fails or is killed."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from hotelviz.errors import HotelvizError
from hotelviz.images import usable_cores
from hotelviz.io.claims import claim
from hotelviz.pipeline.state import RunState
from hotelviz.pipeline.step import LeftOut, Step

#: Side by side at most, whatever the machine: each report is a process with a network of its own.
_MOST = 3


@dataclass
class Outcome:
    """What became of the steps of a run.

    Attributes
    ----------
    done, unchanged : list of str
        The steps that were done now, and those that did not have to be, in the plan's order.
    failed : dict
        Step -> what went wrong.
    not_done : dict
        Step -> the step that it needs, and that failed or was not done.
    left_out : dict
        Step -> why it had nothing to do, which showed only when it began.
    """

    done: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    not_done: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return what was not done and why, a line for each step."""
        failed = [f"{name} failed: {text.splitlines()[0]}" for name, text in self.failed.items()]
        return failed + [
            f"{name} was not done: it needs {why}" for name, why in self.not_done.items()
        ]

    def __str__(self) -> str:
        details = [text for text in self.failed.values() if "\n" in text]
        return "\n".join([*details, *self.lines()])


def run_steps(
    steps: Sequence[Step],
    state: Path,
    *,
    again: Collection[str] = (),
    workers: int | None = None,
    say: Callable[[str], Any] = print,
) -> Outcome:
    """Do steps that are not done yet; what fails keeps only that from being done which needs it.

    Parameters
    ----------
    steps : sequence of Step
        In the order in which they are counted.
    state : pathlib.Path
        The file in which the steps that are done are remembered. It belongs to one run at a time.
    again : collection of str, default ()
        Steps that are done again although nothing has changed.
    workers : int, optional
        How many steps run side by side; by default one more than there are cores, since the start
        of a report keeps one core busy while another trains, and 3 at most.
    say : callable, default print
        Is called with a line for each beginning and end.

    Returns
    -------
    Outcome

    Raises
    ------
    OutputError
        Another run is at it.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "run.json"
    >>> steps = [Step("read", lambda: None), Step("train", lambda: None, needs=("read",))]
    >>> run_steps(steps, file, say=lambda line: None).done
    ['read', 'train']
    >>> run_steps(steps, file).unchanged
    1 of 2, read: unchanged
    2 of 2, train: unchanged
    ['read', 'train']
    """
    with claim(state):
        run = _Run(steps, RunState(state), set(again), say)
        return run.to_the_end(workers or min(_MOST, usable_cores() + 1))


class _Run:
    def __init__(
        self, steps: Sequence[Step], state: RunState, again: set[str], say: Callable[[str], Any]
    ) -> None:
        self.steps = {step.name: step for step in steps}
        self.places = {name: number for number, name in enumerate(self.steps, start=1)}
        self.state, self.again, self.say = state, again, say
        self.outcome = Outcome()
        self.running: dict[str, Step] = {}
        #: Name, fingerprint at the beginning, seconds, what went wrong, and why it is left out.
        self.ended: queue.Queue[tuple[str, str, float, str, str]] = queue.Queue()
        self.order = TopologicalSorter(
            {name: set(step.needs) & self.steps.keys() for name, step in self.steps.items()}
        )

    def to_the_end(self, workers: int) -> Outcome:
        self.order.prepare()
        ready: list[Step] = []
        while self.order.is_active():
            ready += [self.steps[name] for name in self.order.get_ready()]
            ready.sort(key=self._still_to_come, reverse=True)
            waiting = [step for step in ready if not self._settled(step, workers)]
            # What was settled without work may have made others ready.
            if len(waiting) == len(ready) and self.running:
                self._take_in(*self.ended.get())
            ready = waiting
        # Steps that ran side by side end in any order.
        for names in (self.outcome.done, self.outcome.unchanged):
            names.sort(key=self.places.__getitem__)
        return self.outcome

    def _still_to_come(self, step: Step) -> float:
        """Return how long a step and what comes after it take: the longest way begins first."""
        after = [other for other in self.steps.values() if step.name in other.needs]
        return (step.seconds or 1.0) + max(map(self._still_to_come, after), default=0.0)

    def _settled(self, step: Step, workers: int) -> bool:
        """Return whether a step is begun, or needs not or cannot be done."""
        gone = self.outcome.failed.keys() | self.outcome.not_done.keys()
        if lacking := [name for name in step.needs if name in gone]:
            self.outcome.not_done[step.name] = lacking[0]
            self._tell(step, f"not done, since it needs {lacking[0]}")
        elif step.name not in self.again and self.state.is_current(step):
            self.outcome.unchanged.append(step.name)
            self._tell(step, "unchanged")
        else:
            return self._begun(step, workers)
        self.order.done(step.name)
        return True

    def _begun(self, step: Step, workers: int) -> bool:
        busy = step.heavy and any(other.heavy for other in self.running.values())
        if busy or len(self.running) >= workers:
            return False
        self.state.begin(step)
        self.running[step.name] = step
        self._tell(step, f"begins{f', {about(step.seconds)}' if step.seconds else ''}")
        # A thread that ends with the program: one who presses Ctrl-C does not wait for a notebook.
        threading.Thread(
            target=self._do, args=(step, step.fingerprint()), name=step.name, daemon=True
        ).start()
        return True

    def _do(self, step: Step, fingerprint: str) -> None:
        start, message, left_out = time.monotonic(), "", ""
        try:
            step.action()
        except LeftOut as reason:
            left_out = str(reason)
        except (HotelvizError, OSError) as error:
            message = str(error) or type(error).__name__
        except BaseException as error:
            # A bug shows the way to it.
            message = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        self.ended.put((step.name, fingerprint, time.monotonic() - start, message, left_out))

    def _take_in(
        self, name: str, fingerprint: str, seconds: float, message: str, left_out: str
    ) -> None:
        step = self.running.pop(name)
        if not message and not left_out and not step.is_there():
            lacking = next(path for path in step.outputs if not path.exists())
            message = f"it ended without leaving {lacking}"
        if message:
            self.outcome.failed[name] = message
            self._tell(step, f"failed after {in_time(seconds)}: {message.splitlines()[0]}")
        elif left_out:
            self.state.done(step, fingerprint, seconds=seconds, left_out=left_out)
            self.outcome.left_out[name] = left_out
            self._tell(step, f"left out: {left_out}")
        else:
            self.state.done(step, fingerprint, seconds=seconds)
            self.outcome.done.append(name)
            self._tell(step, f"done in {in_time(seconds)}")
        self.order.done(name)

    def _tell(self, step: Step, what: str) -> None:
        self.say(f"{self.places[step.name]} of {len(self.places)}, {step.name}: {what}")


def about(seconds: float) -> str:
    """Return an estimate of time in words.

    Examples
    --------
    >>> about(0.3), about(44), about(130), about(5000)
    ('about 1 s', 'about 45 s', 'about 2 min', 'about 1.4 h')
    """
    if seconds < 60:
        return f"about {max(1, round(seconds) if seconds < 10 else 5 * round(seconds / 5))} s"
    return (
        f"about {seconds / 60:.0f} min" if seconds < 5400 * 0.9 else f"about {seconds / 3600:.1f} h"
    )


def in_time(seconds: float) -> str:
    """Return a measured time in words.

    Examples
    --------
    >>> in_time(0.32), in_time(75), in_time(7260)
    ('0.3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
