"""The verbs of hotelviz on the command line."""

from hotelviz.cli import compare, data, label, models, report  # noqa: F401  they register their verbs
from hotelviz.cli.options import app

__all__ = ["app"]
