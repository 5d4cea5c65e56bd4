"""Plan a run and do it, up to the index of its reports."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hotelviz.io.claims import own_folder
from hotelviz.pipeline.execution import Outcome, run_steps
from hotelviz.pipeline.plan import Plan, make_plan, remember, state_file
from hotelviz.pipeline.request import Request, check_models, check_settings
from hotelviz.reports import write_index


def plan(
    catalog: str | os.PathLike[str],
    out: str | os.PathLike[str] = "reports",
    *,
    first: str | os.PathLike[str] | None = None,
    models: Mapping[str, str | os.PathLike[str]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    quick: bool = False,
    only: str | None = None,
    start: str | None = None,
    seed: int = 0,
    truth: str | os.PathLike[str] | None = None,
    banner: str = "",
    pretrained: bool | None = None,
) -> Plan:
    """Plan everything that can be done with a catalogue: nothing is written, nothing trained.

    Parameters
    ----------
    catalog : path
        The photos: what `hotelviz.catalog.read_catalog` reads, a folder with ``catalog.csv`` or
        ``catalog.parquet`` in it, or a folder of photos.
    out : path, default "reports"
        The folder of the reports. ``data/`` in it gets the catalogue with the split that all steps
        use, and the state of the run; ``models/`` the models, ``scores/`` the scores, ``audit/``
        the audit, ``tags.parquet`` the tagger's predictions, ``figures/`` the figures at print
        size.
    first : path, optional
        A catalogue with other people's ratings: the first aesthetic iteration learns from it, the
        second from the ratings of `catalog`.
    models : mapping of str to path, optional
        Models that exist: ``tagger``, ``aesthetic_1``, ``aesthetic_2``, or ``aesthetic`` for the
        last iteration, whichever that is. They are not trained. Aesthetic models without
        hotelviz' description are taken for such as idealo published.
    settings : mapping of str to mapping, optional
        Step -> parameter -> value; the others are the defaults of the notebooks.
    quick : bool, default False
        Fewer epochs, smaller drawings and fewer checks.
    only : str, optional
        Do this step, and what it needs as far as that is not done.
    start : str, optional
        Do this step again, and what needs it.
    seed : int, default 0
        For splits, trainings and samples.
    truth : path, optional
        The folder of a demo catalogue, where its faults are known.
    banner : str, default ""
        A line at the top of each page.
    pretrained : bool, optional
        Whether to start from ImageNet's weights; by default where they can be had.

    Returns
    -------
    Plan
        As text: the steps with an estimate of time, and what is left out and why.

    Raises
    ------
    CatalogError
        The catalogue cannot be used.
    ReportError
        A step or a parameter that there is not, or a value of another type.
    ModelError
        A model that is not there, or for another task.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> folder = tempfile.mkdtemp()
    >>> _ = make_demo_catalog(folder, n_hotels=3, size=(96, 128))
    >>> planned = plan(f"{folder}/catalog.csv", f"{folder}/reports", only="cleaning_audit",
    ...                pretrained=True)
    >>> [step.name for step in planned.steps]
    ['split', 'cleaning_audit']
    """
    return _planned(**locals())[0]


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
        Which steps were done, were unchanged, failed, or were not done because of it. The index
        is ``index.html`` in `out`.

    Raises
    ------
    CatalogError, ReportError, ModelError
        As in `plan`, before anything is done.
    OutputError
        The folder cannot be written to, has ``data`` or ``models`` that no run made, or another run
        is at it.
    """
    planned, request = _planned(catalog, out, **choices)
    for name in ("data", "models"):
        own_folder(request.out / name, "run")
    say(str(planned))
    # Each kernel would take the whole memory of a GPU.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    remember(planned, request.out)
    notes = ["The run was stopped; the same command goes on with what is missing."]
    try:
        outcome = run_steps(planned.steps, state_file(request.out), again=planned.again, say=say)
        notes = outcome.lines()
    finally:
        left_out = [f"Left out: {part}: {why}" for part, why in planned.left_out.items()]
        write_index(request.out, notes=[*notes, *left_out])
    return outcome


def _planned(
    catalog: str | os.PathLike[str],
    out: str | os.PathLike[str] = "reports",
    *,
    first: str | os.PathLike[str] | None = None,
    models: Mapping[str, str | os.PathLike[str]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    truth: str | os.PathLike[str] | None = None,
    banner: str = "",
    **kind: Any,
) -> tuple[Plan, Request]:
    request = Request(
        catalog=Path(catalog),
        out=Path(out),
        first=Path(first) if first else None,
        truth=Path(truth) if truth else None,
        models=check_models({name: Path(file) for name, file in (models or {}).items()}),
        settings=check_settings(settings or {}),
        seed=seed,
        banner=banner,
    )
    return make_plan(request, **kind)
