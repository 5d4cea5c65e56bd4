"""Run a notebook as a report: checked arguments, a fresh kernel, one page.

A notebook is a function: its cell tagged ``parameters`` is the signature.
"""

from __future__ import annotations

import builtins
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotelviz.errors import ReportError
from hotelviz.io.claims import check_apart, claim
from hotelviz.io.json_schemas import load_jsonschema
from hotelviz.reports.notebooks import find_notebook
from hotelviz.reports.parameters import check_parameters

#: What colours a traceback in a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run_report(
    notebook: str | os.PathLike[str],
    parameters: Mapping[str, Any],
    out: str | os.PathLike[str],
    *,
    progress: bool = True,
    banner: str = "",
    pages: Mapping[str, str] | None = None,
) -> Path:
    """Run a notebook and write what it shows as one HTML page.

    Parameters
    ----------
    notebook : str or path-like
        The name of a report (see `list_reports`) or the path of a notebook.
    parameters : mapping of str to object
        Arguments by name. Text is converted to the declared type. Relative paths start from the
        current folder.
    out : str or path-like
        The page; written whole or not at all.
    progress : bool, default True
        Show a bar over the cells.
    banner : str, default ""
        A line at the top of the page, such as that its hotels are drawn.
    pages : mapping of str to str, optional
        Name of a report -> the file of its page beside `out`, for links to pages that are yet to be
        written; those that are there are found.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    ReportError
        A parameter is unknown or of another type (before anything runs), a cell failed (the message
        shows it), or the disk is full. A page that was there is left as it was.
    OutputError
        Before anything runs: `out` is a folder, one of the files that are read, cannot be written,
        or is being written by another run.

    Examples
    --------
    >>> run_report("tagger_report", {"modell": "tagger.keras"}, "report.html")
    Traceback (most recent call last):
    hotelviz.errors.ReportError: tagger_report has no parameter 'modell'; did you mean...
    """
    source, out = find_notebook(notebook), Path(out)
    arguments = check_parameters(source, parameters)
    # Loads galleries and plots, for which one who typed a wrong path need not wait.
    from hotelviz.reports.page import write_report

    check_apart(out, source, *(text for text in arguments.values() if isinstance(text, str)))
    with claim(out), tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
        executed = Path(folder) / "executed.ipynb"
        _execute(source, arguments, executed, progress)
        write_report(executed, source.stem, out, banner=banner, pages=pages)
    return out


def _execute(source: Path, arguments: dict[str, Any], executed: Path, progress: bool) -> None:
    load_jsonschema()
    import papermill
    from jupyter_core.utils import ensure_event_loop

    from hotelviz.reports.kernels import KernelManager

    try:
        papermill.execute_notebook(
            str(source),
            str(executed),
            parameters=arguments,
            kernel_name="python3",
            kernel_manager_class=KernelManager,
            cwd=str(Path.cwd()),
            progress_bar={"desc": source.stem} if progress else False,
            extra_arguments=[
                "--IPKernelApp.extensions=hotelviz.reports.kernel",
                # It would say at every start that another process of this user can listen to it.
                "--IPKernelApp.log_level=50",
            ],
        )
    except papermill.PapermillExecutionError as error:
        # A bug is shown with the way to it, the user's mistake with the cell alone.
        kind = getattr(builtins, error.ename, OSError)
        more = error.source if issubclass(kind, OSError) else "\n".join(error.traceback)
        lines = _COLOURS.sub("", more).splitlines()
        raise ReportError(
            f"{source.stem}: cell {error.cell_index} failed with {error.ename}: "
            f"{error.evalue}\n" + "\n".join(f"    {line}" for line in lines)
        ) from error
    finally:
        # In a thread of its own the client of the kernel has made an event loop.
        if threading.current_thread() is not threading.main_thread():
            ensure_event_loop().close()
