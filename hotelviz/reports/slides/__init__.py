"""A talk of the reports: one page of slides, and each figure as PNG and SVG beside it."""

from hotelviz.reports.slides.deck import Deck, write_slides

__all__ = ["Deck", "write_slides"]
