"""Find notebooks, and read their titles and parameters without running anything."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hotelviz.errors import ReportError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class Parameter(NamedTuple):
    """A parameter of a notebook.

    Attributes
    ----------
    type : str
        Its type as it is declared; empty where there is none.
    default : str
        Its default as it is written.
    help : str
        The comment behind it.
    """

    type: str
    default: str
    help: str


def notebook_directory() -> Path:
    """Return the folder of the notebooks: in an installed package, beside it in a checkout.

    Examples
    --------
    >>> notebook_directory().name
    'notebooks'
    """
    package = Path(__file__).parent.parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def find_notebook(name: str | os.PathLike[str]) -> Path:
    """Find a notebook by the name of its report, or by its path.

    Parameters
    ----------
    name : str or path-like
        ``tagger_report``, or the path of an ``.ipynb`` file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ReportError
        There is none, and the message lists those there are; or the file is no notebook.

    Examples
    --------
    >>> find_notebook("tagger_report").name
    'tagger_report.ipynb'
    """
    path = Path(name)
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise ReportError(f"{path}: there is no such notebook")
        read_cells(path)
        return path.absolute()
    names = sorted(file.stem for file in notebook_directory().glob("*.ipynb"))
    if str(name) not in names:
        raise ReportError(f"no report {str(name)!r}; there are {', '.join(names)}"
                          f"{did_you_mean(name, names)}")  # fmt: skip
    return notebook_directory() / f"{name}.ipynb"


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook, each with ``cell_type``, ``metadata`` and ``source``.

    Raises
    ------
    ReportError
        The file is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [
            {
                "cell_type": cell["cell_type"],
                "metadata": dict(cell["metadata"]),
                "source": "".join(cell["source"]),
            }
            for cell in cells
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{path}: is no notebook: {error!r}") from error


def notebook_title(cells: Iterable[dict[str, Any]]) -> str:
    """Return the first heading of a notebook's text; empty where there is none."""
    texts = (cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    lines = (line for text in texts for line in text.splitlines())
    return next((line[2:].strip() for line in lines if line.startswith("# ")), "")


def notebook_parameters(cells: Iterable[dict[str, Any]]) -> dict[str, Parameter]:
    """Return the parameters of a notebook by name: what the cell tagged ``parameters`` sets.

    Parameters
    ----------
    cells : iterable of dict
        Those of `read_cells`.

    Examples
    --------
    >>> source = 'seed: int = 0  # of the sample'
    >>> notebook_parameters([{"metadata": {"tags": ["parameters"]}, "source": source}])
    {'seed': Parameter(type='int', default='0', help='of the sample')}
    """
    tagged = (cell["source"] for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    return dict(_parameters_in(next(tagged, "")))


# A plan of a run asks for the same ones dozens of times.
@lru_cache(maxsize=64)
def _parameters_in(source: str) -> dict[str, Parameter]:
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and value is not None:
            kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            behind = lines[value.end_lineno - 1].encode()[value.end_col_offset :].decode()
            found[target.id] = Parameter(
                kind.strip("'\""),
                ast.get_source_segment(source, value) or "",
                behind.partition("#")[2].strip(),
            )
    return found


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
    import pandas as pd

    rows = []
    for file in sorted(notebook_directory().glob("*.ipynb")):
        cells = read_cells(file)
        parameters = [
            f"{name}: {about.type or 'any'} = {about.default}"
            for name, about in notebook_parameters(cells).items()
        ]
        title = notebook_title(cells) or file.stem
        rows.append({"name": file.stem, "title": title, "parameters": parameters})
    return pd.DataFrame(rows, columns=["name", "title", "parameters"])
