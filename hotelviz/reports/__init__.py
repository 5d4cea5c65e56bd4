"""Run parameterised notebooks and write each as one self-contained page."""

from hotelviz.reports.parameters import convert_parameter, read_parameters
from hotelviz.reports.run import (
    Headline,
    find_notebook,
    list_reports,
    notebook_directory,
    run_report,
    write_index,
)

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
