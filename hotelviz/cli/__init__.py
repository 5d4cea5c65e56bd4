"""The verbs of hotelviz on the command line."""

from hotelviz.cli import models, pages, photos
from hotelviz.cli.shared import app

__all__ = ["app", "models", "pages", "photos"]
