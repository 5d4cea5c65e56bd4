"""Run parameterised notebooks and write each as one self-contained page."""

from typing import TYPE_CHECKING, Any

from hotelviz.reports.execution import run_report
from hotelviz.reports.headline import Headline
from hotelviz.reports.notebooks import find_notebook, list_reports, notebook_directory
from hotelviz.reports.parameters import convert_parameter, read_parameters

if TYPE_CHECKING:
    from hotelviz.reports.index import write_index

__all__ = [
    "Headline",
    "convert_parameter",
    "find_notebook",
    "list_reports",
    "notebook_directory",
    "read_parameters",
    "run_report",
    "write_index",
]


def __getattr__(name: str) -> Any:
    # It needs the gallery's pages, which a list of reports need not wait for.
    if name == "write_index":
        from hotelviz.reports.index import write_index

        return write_index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
