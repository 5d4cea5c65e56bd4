"""The `Gallery`: a table of photos that shows itself, live or as a page."""

from __future__ import annotations

import html
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.errors import GalleryError
from hotelviz.gallery.captions import rank_caption
from hotelviz.gallery.html import head, script, write_page
from hotelviz.gallery.listed_concepts import listed_concepts
from hotelviz.gallery.maps import named_overlays, small_maps
from hotelviz.gallery.payload import (
    as_text,
    caption_of,
    check_columns,
    check_frame,
    image_ids,
    make_payload,
    matrix_cells,
    packed,
)
from hotelviz.gallery.photo_provider import PhotoProvider
from hotelviz.gallery.places import photo_places
from hotelviz.gallery.positions import map_neighbours, map_positions, positions_note
from hotelviz.gallery.thumbnails import BUDGET, page_photos
from hotelviz.io.claims import check_output
from hotelviz.scores.predictions import join_photos

if TYPE_CHECKING:
    from hotelviz.gallery.widget import GalleryWidget

#: A live gallery of so many photos knows their captions at once, as a page does: they can be
#: searched, and have the room that they need. Those of more come with their photos.
_CAPTIONED = 200


@dataclass(eq=False, repr=False)
class Gallery:
    """A gallery of photos; as the last line of a notebook cell it shows itself.

    Filters, sorting, search, keys, a large view: see the gallery's help, ``?``. Live in JupyterLab
    photos come from the kernel as they come into view; in a report and in a saved page everything
    is in the page, or in a folder beside it.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row per photo, with ``path``. ``label``, ``predicted``, ``p_<class>``, ``hotel_id``,
        ``source``, ``score`` and the like become filters.
    caption : str or callable, optional
        A column, or a function from a row to text; None shows ``image_id`` or the path.
    group : str, optional
        A column to group by, in the order in which its values first occur; None for no groups.
    overlays : numpy.ndarray or mapping, optional
        Maps from `hotelviz.attribution`, float (len(frame), h, w) in 0 to 1, aligned with the
        rows, or several by name, as `hotelviz.attribution.evidence_maps` returns them. The key
        ``o`` lays one after the other over the photos; at first there is none. Where a map is NaN
        the photo has none.
    distributions : mapping, optional
        One or two: name, such as ``rated`` -> distributions over the scores 1 to 10, float
        (len(frame), 10); drawn as small bars under the caption. Rows of NaN have none.
    bars : str, default "shares of the scores 1 to 10"
        What the bars of the distributions are, in words.
    matrix : pandas.DataFrame, optional
        The counts of `hotelviz.metrics.confusion_matrix` over all photos that were judged: shown
        large, with shares of the true classes; a cell opens those of its photos that are here.
        Without it, the photos of the gallery have a folded one.
    positions : array or pandas.DataFrame of shape (len(frame), 2), optional
        Where the photos lie on a map beside the grid, like ones near each other: x and y, by row,
        or by ``image_id`` where the table's index has those. NaN where a photo has no place. A
        loop around photos shows them in the grid.
    neighbours : int array of shape (len(frame), k), optional
        The rows of the photos that are most like each, the most alike first; -1 for none. The key
        ``m`` shows them.
    colour : str, default ""
        What the points of the map are coloured by at first: a column, ``"right"`` for right or
        wrong, or ``"decision"``; by default the first that there is. The reader can choose another.
    concepts : pandas.DataFrame, optional
        What `hotelviz.concepts.photo_concepts` says of the photos: the large view lists them as
        bars with patches; a click shows the other photos with one.
    decisions : path, optional
        The decisions file (see `hotelviz.decisions`) to which a live gallery appends what is kept,
        dropped and relabelled; None: nothing can be decided live. A page on disk keeps decisions
        in the browser and exports them as such a file.
    reviewer : str, default ""
        Who decides; can be changed in the gallery.
    classes : sequence of str, optional
        The classes of the keys 1 to 9; by default those of the probabilities,
        else those that occur.
    open_groups : int, default 1
        How many groups are unfolded at first.
    max_photos : int, optional
        Show so many photos at most, and say how many there are; None shows all.
    thumbnail : int, default 320
        The longer side of a photo, in pixels; about 10 kB each at 224, 30 kB at 448. In a page the
        large view shows no more than that.
    budget : int, default 12 MB
        Bytes of photos that a page carries inside; with more they go to a folder beside it.
    title : str, default ""
        A heading.
    root : path, optional
        The folder with the photos, where they are not where ``path`` says: they are
        ``root/path``, or ``root/image_id`` where only that is there. See
        `hotelviz.catalog.current_paths` for the catalogue's own paths.

    Raises
    ------
    GalleryError
        A column that is not there; overlays, positions or neighbours that do not fit.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> gallery = Gallery(pd.DataFrame({"path": [str(file)], "note": ["a room"]}), caption="note")
    >>> gallery.captions(), gallery.payload()["size"]
    (['a room'], 1)
    """

    frame: pd.DataFrame
    _: KW_ONLY
    caption: str | Callable[[pd.Series], str] | None = None
    group: str | None = None
    overlays: np.ndarray | Mapping[str, np.ndarray] | None = None
    distributions: Mapping[str, np.ndarray] | None = None
    bars: str = "shares of the scores 1 to 10"
    matrix: pd.DataFrame | None = None
    positions: np.ndarray | pd.DataFrame | None = None
    neighbours: np.ndarray | None = None
    colour: str = ""
    concepts: pd.DataFrame | None = None
    decisions: str | os.PathLike[str] | None = None
    reviewer: str = ""
    classes: Sequence[str] | None = None
    open_groups: int = 1
    max_photos: int | None = None
    thumbnail: int = 320
    budget: int = BUDGET
    title: str = ""
    root: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        named = ["path", self.group, self.caption if isinstance(self.caption, str) else None]
        distributions = self.distributions or {}
        check_frame(self.frame, named, distributions)
        overlays = named_overlays(self.overlays, len(self.frame))
        self.total = len(self.frame)
        shown = slice(self.total if self.max_photos is None else self.max_photos)
        ids = image_ids(self.frame)
        self.frame = self.frame[shown].reset_index(drop=True)
        self._places, self._alike = None, None
        if self.positions is not None:
            self._places = map_positions(self.positions, ids)[shown]
        if self.neighbours is not None:
            self._alike = map_neighbours(self.neighbours, self.total, len(self.frame))
        self._concepts = None
        if self.concepts is not None:
            self._concepts = listed_concepts(self.concepts, ids[shown])
        if self.root is not None:
            self.frame = self.frame.assign(path=photo_places(self.frame, self.root))
        self._maps = {name: maps[shown] for name, maps in overlays.items()}
        self.distributions = {name: shares[shown] for name, shares in distributions.items()}

    def __len__(self) -> int:
        return self.total

    def __str__(self) -> str:
        return f"Gallery of {len(self):,} photos"

    def captions(self) -> list[str]:
        """Return the captions, by row."""
        return [caption_of(row, self.caption) for _, row in self.frame.iterrows()]

    def payload(self) -> dict[str, Any]:
        """Return what the script shows, without photos."""
        cut = len(self.frame) < self.total
        some = f"showing the first {len(self.frame):,} of {self.total:,} photos" if cut else ""
        of_table = make_payload(
            self.frame,
            group=self.group,
            overlays=self._maps,
            distributions=self.distributions or {},
            classes=self.classes,
        )
        return of_table | {
            "title": self.title,
            "bars": self.bars,
            "note": "; ".join(filter(None, [some, positions_note(self._places)])),
            "positions": self._places,
            "neighbours": self._alike,
            "colour": self.colour,
            "concepts": self._concepts,
            "open_groups": self.open_groups,
            "matrix": None if self.matrix is None else matrix_cells(self.matrix),
            "decisions": {"where": "", "reviewer": self.reviewer},
        }

    def widget(self) -> GalleryWidget:
        """Return the live gallery, as it shows itself in JupyterLab."""
        from hotelviz.gallery.widget import GalleryWidget

        photos = PhotoProvider(
            self.frame["path"].astype(str).tolist(),
            caption=lambda row: caption_of(self.frame.iloc[row], self.caption),
            side=self.thumbnail,
            overlays=self._maps,
        )
        payload = self.payload()
        payload["decisions"]["where"] = str(self.decisions or "")
        if len(self.frame) <= _CAPTIONED:
            payload["captions"] = self.captions()
        return GalleryWidget(payload, photos, self.decisions, self.frame)

    def to_html(self, *, files: Path, heading: bool = True) -> str:
        """Return the markup of the gallery, for a page with the head and script of `html`.

        Parameters
        ----------
        files : pathlib.Path
            Gets the photos that are beyond the budget. The page's head says where they
            lie in the end.
        heading : bool, default True
            Show the title in the gallery; a page of its own has it already.
        """
        paths = self.frame["path"].astype(str).tolist()
        photos = page_photos(paths, self.thumbnail, folder=files, budget=self.budget)
        payload = self.payload()
        if self._maps and len(self.frame):
            rows = range(len(self.frame))
            payload["maps"] = {"data": np.stack([small_maps(self._maps, row) for row in rows])}
        if not heading:
            payload["title"] = ""
        unread = f"{len(photos.errors):,} cannot be read" if photos.errors else ""
        payload |= {
            "note": "; ".join(filter(None, [payload["note"], unread])),
            "captions": self.captions(),
            **photos._asdict(),
        }
        # Nothing in the text can end the element or begin another.
        text = json.dumps(packed(payload, as_text), allow_nan=False).replace("<", "\\u003c")
        return (
            '<section data-hotelviz-gallery><script type="application/json">'
            f"{text}</script><noscript>{len(self.frame):,} photos: a gallery needs JavaScript."
            "</noscript></section>"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the gallery as a page of its own, whole or not at all.

        Parameters
        ----------
        path : path
            The page; photos beyond the budget go to ``<name>_photos`` beside it.

        Raises
        ------
        OutputError
            A folder of this name, or one that cannot be written to.
        """
        path, title = check_output(path), html.escape(self.title or "Gallery")
        with tempfile.TemporaryDirectory(prefix="hotelviz-") as folder:
            files = Path(folder) / "files"
            page = (
                '<!doctype html><html lang="en"><head><meta charset="utf-8">'
                f"{head(path)}<title>{title}</title></head><body><main><h1>{title}</h1>"
                f"{self.to_html(files=files, heading=False)}</main>{script()}</body></html>"
            )
            write_page(path, page, files)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:  # noqa: ARG002
        live: Any = self.widget()._repr_mimebundle_()
        data, metadata = live if isinstance(live, tuple) else (live, {})
        return {**data, "text/plain": str(self)}, metadata


def compare_orders(
    orders: pd.DataFrame, paths: pd.DataFrame, *, max_photos: int = 16, title: str = ""
) -> Gallery:
    """Show a hotel's photos in several orders, one below the other.

    Parameters
    ----------
    orders : pandas.DataFrame
        Of one hotel, from `hotelviz.ranking.current_and_new` or
        `hotelviz.ranking.orders_by_models`.
    paths : pandas.DataFrame
        ``image_id`` and ``path``, as in the catalogue or the scores.
    max_photos : int, default 16
        Photos of each order that are shown.
    title : str, default ""
        A heading.

    Returns
    -------
    Gallery
        Each photo's caption says where it stands, how far it has moved, and why.

    Raises
    ------
    GalleryError
        A photo of which it is not known where its file is.
    """
    check_columns(orders, ["order", "image_id", "rank", "score", "photos"], "these are no orders: ")
    check_columns(paths, ["path"], "pass the catalogue, which says where the photos' files are: ")
    photos = join_photos(paths[["image_id", "path"]], orders, how="right")
    lost = photos.loc[photos["path"].isna(), "image_id"].drop_duplicates()
    if len(lost):
        raise GalleryError(
            f"{len(lost):,} photos of the ranking, such as {lost.iloc[0]!r}, are not among those "
            "given, so that it is not known where their files are"
        )
    shown = photos[photos["rank"] <= max_photos]
    cut = (photos["photos"] > max_photos).any()
    # The head of each order says what is left out of it.
    some = shown["order"] + (
        f": the first {max_photos:,} of " + shown["photos"].astype(str) if cut else ""
    )
    return Gallery(
        shown.assign(order=some),
        caption=rank_caption,
        group="order",
        open_groups=photos["order"].nunique(),
        title=title,
    )
