"""The model of an earlier run: kept while another takes its place, and compared with that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hotelviz.catalog import read_catalog
from hotelviz.errors import ModelError
from hotelviz.io.atomic import atomic_path, remove_leftovers
from hotelviz.pipeline.state import read_json, write_json
from hotelviz.pipeline.step import LeftOut

_SAME = "the model is the same as before, so that there is nothing to compare"
_SEEN = (
    "no test photo is new to the model and to the earlier one: each is of a hotel that one of them "
    "has learned from; with a column split in the catalogue every run keeps the same hotels for "
    "the test"
)


def earlier_file(model: Path) -> Path:
    """Return the file of the model whose place another one took.

    Examples
    --------
    >>> earlier_file(Path("tagger.keras")).name
    'tagger.earlier.keras'
    """
    return model.with_suffix(".earlier.keras")


@contextmanager
def keep_earlier(model: Path, begun: Path, training: str) -> Iterator[None]:
    """Keep the model that a training replaces, whenever that is stopped or fails.

    The file that is about to be replaced is copied once, before the training of another state
    begins, and takes the place of the earlier model only when the training has ended. A training
    that goes on after a stop, or is done again in the same state, replaces no other model; nor
    does one that ends with the same weights.

    Parameters
    ----------
    model : pathlib.Path
        The file that the training writes.
    begun : pathlib.Path
        Remembers the state of the last training of each model that was begun (JSON).
    training : str
        The state: the hash of its inputs, its parameters and the code.
    """
    kept = model.with_suffix(".replaced.keras")
    known = read_json(begun)
    remove_leftovers(model.parent, f"{kept.stem}-*.keras", seconds=0)
    if known.get(model.stem) != training:
        if model.is_file() and not kept.exists():
            with atomic_path(kept) as temporary:
                shutil.copyfile(model, temporary)
        write_json(known | {model.stem: training}, begun)
    yield
    if kept.exists():
        if _same(kept, model):
            kept.unlink()
        else:
            kept.replace(earlier_file(model))


@dataclass(frozen=True)
class Comparison:
    """The comparison of a model that a run trains with the one whose place it takes.

    Attributes
    ----------
    model : pathlib.Path
        The file that the training writes.
    training : str
        The step that trains it.
    catalog : pathlib.Path
        The photos, with the split of the run.
    truth : str
        The column that a photo needs: ``label`` or ``rating_1``.
    page : pathlib.Path
        The page, beside which lie its facts.
    """

    model: Path
    training: str
    catalog: Path
    truth: str
    page: Path

    @property
    def facts(self) -> Path:
        """The file for other programs."""
        return self.page.with_suffix(".json")

    @cached_property
    def nothing(self) -> str:
        """Why there is nothing to compare; empty where there is. Asked after the training."""
        earlier = earlier_file(self.model)
        if not earlier.is_file():
            return _SAME
        from hotelviz.models import load_model, model_info, seen_photos

        photos = read_catalog(self.catalog, classes=None)
        photos = photos[photos[self.truth].notna() & photos["split"].eq("test")]
        try:
            both = [load_model(file) for file in (earlier, self.model)]
        except ModelError as error:
            return str(error)
        if self.truth == "label":
            shared = set.intersection(*(set(model_info(one).classes) for one in both))
            photos = photos[photos["label"].isin(shared)]
            if photos.empty:
                return "no test photo is of a class that the model and the earlier one both know"
        for one in both:
            photos = photos[seen_photos(one, photos).eq("")]
        return "" if len(photos) else _SEEN

    @contextmanager
    def unless_nothing(self) -> Iterator[None]:
        """Leave the comparison out where there is nothing to compare, and remove the last one.

        Raises
        ------
        LeftOut
            Says why.
        """
        if self.nothing:
            from hotelviz.gallery.html import remove_page

            remove_page(self.page)
            self.facts.unlink(missing_ok=True)
            raise LeftOut(self.nothing)
        yield


def _same(one: Path, other: Path) -> bool:
    """Return whether two files hold the same network; one that cannot be read is another."""
    from hotelviz.models import load_model, weights_hash

    try:
        return weights_hash(load_model(one)) == weights_hash(load_model(other))
    except ModelError:
        return False
