"""Kill runs at random and go on with them on a re-sorted catalogue; compare with undisturbed ones.

    python benchmarks/kills.py [--short] [--only training scoring]

Needs no real photos: they are drawn here.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

from common import run

#: How often each run is killed.
KILLS = 10


def killed(
    work: Callable[..., Any],
    arguments: Callable[[int], tuple[Any, ...]],
    begun: Callable[[], bool],
    seconds: float,
    *,
    kills: int,
    seed: int = 0,
) -> int:
    """Start `work` in a process of its own, kill it at random, and let a last start end by itself.

    Parameters
    ----------
    work
        A function of a module, which a new process can import.
    arguments
        Number of the start -> the arguments of `work`.
    begun
        Says whether the run that was started has come to what is to be killed.
    seconds
        A run that has begun is killed after 0 to so many seconds.
    kills
        How often.
    seed
        Of the moments.

    Returns
    -------
    int
        How many runs were killed before they ended by themselves.
    """
    # Processes are forked from one that has imported everything, and computed nothing yet.
    context = multiprocessing.get_context("forkserver")
    chance, done = random.Random(seed), 0
    for start in range(kills):
        process = context.Process(target=work, args=arguments(start))
        process.start()
        while process.is_alive() and not begun():
            time.sleep(0.05)
        process.join(chance.uniform(0, seconds))
        if not process.is_alive():
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        done += 1
    last = context.Process(target=work, args=arguments(kills))
    last.start()
    last.join()
    if last.exitcode:
        raise SystemExit(f"the last start of {work.__name__} ended with {last.exitcode}")
    return done


SECTIONS: dict[str, Callable[..., None]] = {}


if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=SECTIONS)
