"""Do what is planned, up to the index of its reports."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hotelviz.io.claims import own_folder
from hotelviz.pipeline.execution import Outcome, run_steps
from hotelviz.pipeline.plan import plan, remember, state_file
from hotelviz.reports import write_index


def run(
    catalog: str | os.PathLike[str],
    out: str | os.PathLike[str] = "reports",
    *,
    say: Callable[[str], Any] = print,
    **choices: Any,
) -> Outcome:
    """Do everything that can be done with a catalogue, and write the index of the reports.

    What is done is not done again unless its inputs, its parameters or the code have changed. A run
    that was stopped, however hard, goes on when it is called again. What fails keeps only that from
    being done which needs it.

    Parameters
    ----------
    catalog, out
        As in `plan`.
    say : callable, default print
        Is called with the plan, and with a line for each step.
    **choices
        The other parameters of `plan`.

    Returns
    -------
    Outcome
        Which steps were done, were unchanged, failed, were not done because of it, or had nothing
        to do. The index
        is ``index.html`` in `out`.

    Raises
    ------
    CatalogError, ReportError, ModelError
        As in `plan`, before anything is done.
    OutputError
        The folder cannot be written to, has ``data`` or ``models`` that no run made, or another run
        is at it.
    """
    # Loads Jupyter, which a plan does without.
    from hotelviz.reports.kernels import preloaded_kernels

    planned = plan(catalog, out, **choices)
    out = planned.request.out
    for name in ("data", "models"):
        own_folder(out / name, "run")
    say(str(planned))
    # Each kernel would take the whole memory of a GPU.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    remember(planned)
    notes = ["The run was stopped; the same command goes on with what is missing."]
    left_out = planned.left_out
    try:
        with preloaded_kernels():
            outcome = run_steps(planned.steps, state_file(out), again=planned.again, say=say)
        notes, left_out = outcome.lines(), left_out | outcome.left_out
    finally:
        told = [f"Left out: {part}: {why}" for part, why in left_out.items()]
        write_index(out, notes=[*notes, *told])
    return outcome
