"""hotelviz: analyse and interpret the image models of a hotel price comparison.

Photos enter at the top as rows of a catalogue, and leave at the bottom as a picture::

    catalog -> training -> inference -> scores -> metrics -> plots / gallery -> reports -> cli
       |          ^            |                                ^
     images     models         +-> audit, attribution, feature_vis, ranking, labelling

Import the package of the step you are at: ``from hotelviz import catalog, training``. Each is
imported when it is first used, so that ``hotelviz --help`` does not wait for TensorFlow.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.2.0"

__all__ = [
    "attribution",
    "audit",
    "catalog",
    "decisions",
    "demo",
    "errors",
    "feature_vis",
    "gallery",
    "images",
    "inference",
    "labelling",
    "metrics",
    "models",
    "pipeline",
    "plots",
    "ranking",
    "reports",
    "schema",
    "scores",
    "training",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"hotelviz.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
