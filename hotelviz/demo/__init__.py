"""A catalogue to try everything on, drawn by the program, with known faults.

The photos are drawings of rooms in perspective. Nothing is downloaded, and everything that an
audit or an explanation should find is known: the true labels, the duplicates, the damaged files,
where in each photo the object is that makes its class, and one planted shortcut.
"""

from hotelviz.demo.catalog import make_demo_catalog
from hotelviz.demo.network import make_demo_network
from hotelviz.demo.settings import demo_banner, demo_settings, scratch_settings
from hotelviz.demo.truth import (
    compare_with_planted,
    decide_by_truth,
    read_masks,
    read_truth,
    with_true_labels,
)
from hotelviz.errors import DemoError

__all__ = [
    "DemoError",
    "compare_with_planted",
    "decide_by_truth",
    "demo_banner",
    "demo_settings",
    "make_demo_catalog",
    "make_demo_network",
    "read_masks",
    "read_truth",
    "scratch_settings",
    "with_true_labels",
]
