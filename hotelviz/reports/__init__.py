"""Run parameterised notebooks and write each as one self-contained page."""

from hotelviz.reports.execution import run_report
from hotelviz.reports.index import write_index
from hotelviz.reports.notebooks import find_notebook, list_reports, notebook_directory
from hotelviz.reports.parameters import convert_parameter, read_parameters
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict

__all__ = [
    "Card",
    "NextStep",
    "Table",
    "Verdict",
    "convert_parameter",
    "find_notebook",
    "list_reports",
    "notebook_directory",
    "read_parameters",
    "run_report",
    "write_index",
]
