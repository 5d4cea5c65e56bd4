"""Parameterised notebook in, self-contained HTML out.

A notebook is a function: its cell tagged ``parameters`` is the signature. `run_report` checks the
arguments before anything runs, executes the notebook in a fresh kernel of the running interpreter,
and writes one HTML page: no request to anywhere, and no script but the gallery's.
"""

from __future__ import annotations

import builtins
import datetime
import html
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import pandas as pd
from jupyter_core.utils import ensure_event_loop
from nbformat import NotebookNode, ValidationError

import hotelviz
from hotelviz.errors import ReportError, did_you_mean
from hotelviz.gallery import html as pages
from hotelviz.gallery.page_form import FILES_MIME
from hotelviz.io.atomic import written_files
from hotelviz.io.claims import check_apart, claim
from hotelviz.reports.parameters import convert_parameter

__all__ = ["Headline", "find_notebook", "list_reports", "run_report", "write_index"]

_TEMPLATES = Path(__file__).parent / "templates"
_HEADLINE = "application/vnd.hotelviz.headline+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
#: What colours a traceback in a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Headline:
    """A figure that stands for a whole report; the index of reports shows it.

    Parameters
    ----------
    label
        What it is, e.g. ``top-1 accuracy``.
    value
        The figure as it is to be read.
    detail
        An interval, or what it was measured on.

    Examples
    --------
    >>> Headline("top-1 accuracy", "0.91")._repr_mimebundle_()["text/plain"]
    'top-1 accuracy: 0.91'
    """

    def __init__(self, label: str, value: str, *, detail: str = "") -> None:
        self.label, self.value, self.detail = label, value, detail

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        label, value, detail = map(html.escape, (self.label, self.value, self.detail))
        return {
            _HEADLINE: {"label": self.label, "value": self.value, "detail": self.detail},
            "text/html": (
                f'<p class="headline mathjax_ignore"><span>{label}</span> <strong>{value}</strong> '
                f"<small>{detail}</small></p>"
            ),
            "text/plain": f"{self.label}: {self.value}",
        }


def notebook_directory() -> Path:
    """Give the folder of the notebooks: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def find_notebook(name: str | os.PathLike[str]) -> Path:
    """Find a notebook by the name of its report, or by its path.

    Parameters
    ----------
    name
        ``tagger_report``, or the path of an ``.ipynb`` file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ReportError
        When there is none, and the message lists those there are; or the file is no notebook.
    """
    path = Path(name)
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise ReportError(f"{path}: there is no such notebook")
        try:
            nbformat.read(path, as_version=4)
        except (AttributeError, KeyError, TypeError, ValueError, ValidationError) as error:
            raise ReportError(f"{path}: is no notebook: {error}") from error
        return path.absolute()
    names = sorted(file.stem for file in notebook_directory().glob("*.ipynb"))
    if str(name) not in names:
        raise ReportError(f"no report {str(name)!r}; there are {', '.join(names)}"
                          f"{did_you_mean(name, names)}")  # fmt: skip
    return notebook_directory() / f"{name}.ipynb"


def _parameters(notebook: Path) -> dict[str, dict[str, str]]:
    """Read the signature of a notebook: name -> its type, default and help."""
    import papermill

    return {
        name: {
            "type": "" if about["inferred_type_name"] == "None" else about["inferred_type_name"],
            "default": about["default"],
            "help": about["help"],
        }
        for name, about in papermill.inspect_notebook(str(notebook)).items()
    }


def list_reports() -> pd.DataFrame:
    """List the notebooks that come with the package.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``title`` and ``parameters``, each of these as ``name: type = default``.

    Examples
    --------
    >>> "tagger_report" in list_reports()["name"].to_list()
    True
    """
    rows = []
    for file in sorted(notebook_directory().glob("*.ipynb")):
        parameters = [
            f"{name}: {about['type'] or 'any'} = {about['default']}"
            for name, about in _parameters(file).items()
        ]
        title = _title(nbformat.read(file, as_version=4)) or file.stem
        rows.append({"name": file.stem, "title": title, "parameters": parameters})
    return pd.DataFrame(rows, columns=["name", "title", "parameters"])


def _checked(notebook: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the arguments to the declared types, or refuse them with the valid ones."""
    known = _parameters(notebook)
    signature = "".join(
        f"\n  {name}: {about['type'] or 'any'} = {about['default']}  {about['help']}".rstrip()
        for name, about in known.items()
    )
    result = {}
    for name, value in parameters.items():
        if name not in known:
            raise ReportError(
                f"{notebook.stem} has no parameter {name!r}{did_you_mean(name, list(known))}; "
                f"its parameters are{signature}"
            )
        try:
            result[name] = convert_parameter(name, value, known[name]["type"])
        except ReportError as error:
            raise ReportError(f"{notebook.stem}: {error}; its parameters are{signature}") from error
    return result


def run_report(
    notebook: str | os.PathLike[str],
    parameters: Mapping[str, Any],
    out: str | os.PathLike[str],
    *,
    progress: bool = True,
) -> Path:
    """Run a notebook and write what it shows as one HTML page.

    Parameters
    ----------
    notebook
        The name of a report (see `list_reports`) or the path of a notebook.
    parameters
        Arguments by name. Text is converted to the declared type. Relative paths start from the
        current folder.
    out
        The page; written whole or not at all.
    progress
        Show a bar over the cells.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    ReportError
        An unknown or mistyped parameter (before anything runs), a cell that failed (the message
        shows it), or a disk that is full. A page that was there is left as it was.
    OutputError
        Before anything runs: `out` is a folder, one of the files that are read, cannot be written,
        or is being written by another run.
    """
    import papermill

    source, out = find_notebook(notebook), Path(out)
    arguments = _checked(source, parameters)
    check_apart(out, source, *(text for text in arguments.values() if isinstance(text, str)))
    with claim(out), tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
        executed = Path(folder) / "executed.ipynb"
        try:
            with _kernel_environment:
                papermill.execute_notebook(
                    str(source),
                    str(executed),
                    parameters=arguments,
                    kernel_name="python3",
                    cwd=str(Path.cwd()),
                    progress_bar={"desc": source.stem} if progress else False,
                    # Galleries become parts of the page.
                    extra_arguments=["--IPKernelApp.extensions=hotelviz.gallery.page_form"],
                )
        except papermill.PapermillExecutionError as error:
            # What is no mistake of the user's is told with the way to it.
            kind = getattr(builtins, error.ename, OSError)
            more = error.source if issubclass(kind, OSError) else "\n".join(error.traceback)
            raise ReportError(
                f"{source.stem}: cell {error.cell_index} failed with {error.ename}: "
                f"{error.evalue}\n{_indented(_COLOURS.sub('', more))}"
            ) from error
        finally:
            # In a thread of its own the client of the kernel has made an event loop.
            if threading.current_thread() is not threading.main_thread():
                ensure_event_loop().close()
        files = Path(folder) / "files"
        page = _to_html(nbformat.read(executed, as_version=4), source.stem, out, files)
        _write(out, page, files)
    return out


class _KernelEnvironment:
    """Let kernels' figures come out as pictures, and keep TensorFlow's start-up notes out.

    Kernels inherit the variables of this process: they are set as long as any report runs.
    """

    def __init__(self) -> None:
        self._lock, self._running = threading.Lock(), 0
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        wanted = {
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._before = {name: os.environ.get(name) for name in wanted}
                os.environ.update(wanted)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running:
                return
            for name, value in self._before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


_kernel_environment = _KernelEnvironment()


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _write(out: Path, page: str, files: Path | None = None) -> None:
    try:
        pages.write_page(out, page, files)
    except OSError as error:
        raise ReportError(f"{out}: cannot be written: {error.strerror or error}") from error


def _title(notebook: NotebookNode) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return ""


def _to_html(notebook: NotebookNode, name: str, out: Path, files: Path) -> str:
    """Convert an executed notebook to the page; photos that lie in folders move to `files`."""
    from nbconvert import HTMLExporter

    arguments: list[tuple[str, str]] = []
    headlines: list[dict[str, str]] = []
    contents: list[tuple[str, str]] = []
    heading = title = _title(notebook) or name
    if notebook.cells and notebook.cells[0].source.startswith("# "):
        # The page's header shows it.
        notebook.cells[0].source = notebook.cells[0].source.partition("\n")[2]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    heading = line.lstrip("#").strip()
                    if line.startswith("## "):
                        contents.append((heading.replace(" ", "-"), heading))
            continue
        if "injected-parameters" in cell.metadata.get("tags", []):
            arguments = [
                (key.strip(), value.strip())
                for key, found, value in (line.partition("=") for line in cell.source.splitlines())
                if found
            ]
        cell.outputs = [output for output in cell.get("outputs", []) if not _is_progress(output)]
        for output in cell.outputs:
            data = output.get("data", {})
            if _HEADLINE in data:
                headlines.append(data.pop(_HEADLINE))
            if FILES_MIME in data:
                _collect(Path(data.pop(FILES_MIME)["folder"]), files)
            for kind in ("image/png", "image/jpeg"):
                if kind in data:
                    output.metadata.setdefault(kind, {}).setdefault("alt", heading)
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_anchor_links=True,
    )
    page, _ = exporter.from_notebook_node(
        notebook,
        resources={
            "report": {
                "title": title,
                "name": name,
                "date": _now(),
                "version": hotelviz.__version__,
                "head": pages.head(out),
                "script": pages.script(),
                "arguments": arguments,
                "headlines": headlines,
                "contents": contents,
            }
        },
    )
    return page


def _collect(folder: Path, files: Path) -> None:
    """Take the photos that a gallery left for the page."""
    files.mkdir(exist_ok=True)
    for one in folder.iterdir():
        shutil.move(one, files / one.name)
    folder.rmdir()


def _is_progress(output: NotebookNode) -> bool:
    """Tell progress bars, which mean nothing afterwards, from what is to be kept."""
    if output.output_type == "stream" and output.name == "stderr":
        return "it/s" in output.text or "\r" in output.text or "%|" in output.text
    return _WIDGET in output.get("data", {})


def _now() -> str:
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")


class _Head(HTMLParser):
    """The ``hotelviz:`` meta tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.meta: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and (values.get("name") or "").startswith("hotelviz:"):
            key = (values["name"] or "").removeprefix("hotelviz:")
            self.meta.append((key, values.get("content") or ""))


def write_index(directory: str | os.PathLike[str]) -> Path:
    """Write ``index.html``, which links the reports of a folder with their headline figures.

    Parameters
    ----------
    directory
        Its ``.html`` files that hotelviz wrote are listed by name; others are passed over.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    ReportError
        When it cannot be written.
    """
    directory = Path(directory)
    cards = []
    for file in written_files(directory, "*.html"):
        if file.name == "index.html":
            continue
        head = _Head()
        with file.open(encoding="utf-8", errors="replace") as page:
            # The meta tags stand at the top, before megabytes of photos.
            head.feed(page.read(20_000))
        meta = dict(head.meta)
        if "report" not in meta:
            continue
        figures = "".join(
            f"<p class=headline><span>{label}</span> <strong>{value}</strong> "
            f"<small>{detail}</small></p>"
            for label, value, detail in (
                (html.escape(part) for part in json.loads(content))
                for key, content in head.meta
                if key == "headline"
            )
        )
        cards.append(
            f'<li><a href="{quote(file.name)}"><h2>{html.escape(meta["report"])}</h2></a>{figures}'
            f"<p class=quiet>{html.escape(meta.get('date', ''))}</p></li>"
        )
    body = f"<ul class=reports>{''.join(cards)}</ul>" if cards else "<p>No reports yet.</p>"
    _write(
        directory / "index.html",
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"{pages.head(directory / 'index.html')}<title>hotelviz reports</title></head>"
        f"<body><main><header><h1>hotelviz reports</h1><p class=quiet>{_now()}</p></header>"
        f"{body}</main></body></html>\n",
    )
    return directory / "index.html"
