"""Run hotelviz as ``python -m hotelviz.cli``."""

from hotelviz.cli import app

app()
