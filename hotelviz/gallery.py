"""The photo gallery: figures with captions, grouped, as HTML that stands alone.

The markup needs no script: groups are ``<details>``, photos are ``<figure>`` with embedded
thumbnails and alternative text. Everything that comes from data is escaped.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from hotelviz.attribution import colour_bar, overlay
from hotelviz.files import atomic_path
from hotelviz.images import ImageError, decode_image, encode_jpeg

__all__ = ["Gallery", "GalleryError", "mistakes", "tag_caption"]

_STYLE = (Path(__file__).parent / "templates" / "gallery.css").read_text(encoding="utf-8")


class GalleryError(ValueError):
    """A gallery cannot be made of this table."""


class _Thumbnail(NamedTuple):
    """A photo ready to be shown, and its overlay; or the reason why there is none."""

    photo: str
    overlay: str
    problem: str


def tag_caption(row: pd.Series) -> str:
    """Say what was predicted and how sure the model was, as in the talk.

    Parameters
    ----------
    row
        With ``predicted``, ``p_<class>`` and, if known, ``label``.

    Returns
    -------
    str
        ``predicted Reception 0.94, true Bathroom 0.06``; without the second half where the
        prediction is right or the truth is unknown.

    Examples
    --------
    >>> tag_caption(pd.Series({"predicted": "Reception", "label": "Bathroom",
    ...                        "p_Reception": 0.94, "p_Bathroom": 0.06}))
    'predicted Reception 0.94, true Bathroom 0.06'
    """
    predicted, label = row["predicted"], row.get("label")
    if pd.isna(predicted):
        return f"not predicted: {row.get('problem') or 'unreadable'}"
    text = f"predicted {predicted} {row[f'p_{predicted}']:.2f}".replace("_", " ")
    if label is None or pd.isna(label) or label == predicted:
        return text
    share = row.get(f"p_{label}")
    probability = "" if share is None else f" {share:.2f}"
    return f"{text}, true {label}{probability}".replace("_", " ")


def mistakes(tags: pd.DataFrame) -> pd.DataFrame:
    """Select the wrong predictions, the most frequent confusion and the surest error first.

    Parameters
    ----------
    tags
        With ``label``, ``predicted`` and ``p_<class>``. Photos without label or prediction are
        no mistakes.

    Returns
    -------
    pandas.DataFrame
        The rows with two more columns: ``pair``, such as ``Pool read as Bathroom``, and
        ``confidence``, the probability of the wrong class.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "a", "b"], "predicted": ["b", "a", "b"],
    ...                      "p_a": [0.2, 0.9, 0.1], "p_b": [0.8, 0.1, 0.9]})
    >>> mistakes(tags)["pair"].to_list()
    ['a read as b']
    """
    wrong = tags[
        tags["label"].notna() & tags["predicted"].notna() & (tags["label"] != tags["predicted"])
    ].copy()
    wrong["pair"] = wrong["label"].astype(str) + " read as " + wrong["predicted"].astype(str)
    wrong["pair"] = wrong["pair"].str.replace("_", " ")
    wrong["confidence"] = [row[f"p_{row['predicted']}"] for _, row in wrong.iterrows()]
    wrong["_frequency"] = wrong.groupby("pair")["pair"].transform("size")
    wrong = wrong.sort_values(
        ["_frequency", "pair", "confidence"], ascending=[False, True, False], kind="stable"
    )
    return wrong.drop(columns="_frequency")


class Gallery:
    """A gallery of photos; as the last line of a notebook cell it shows itself.

    Parameters
    ----------
    frame
        A row per photo, with ``path``.
    caption
        A column, or a function from a row to text; None shows ``image_id`` or the path.
    group
        A column to group by, in the order in which its values first occur; None for no groups.
    overlays
        Maps from `hotelviz.attribution`, float (len(frame), h, w) in 0 to 1, aligned with the
        rows; shown beside their photos.
    limit
        Show this many photos at most, and say how many there are.
    thumbnail
        The longer side of a photo, in pixels; about 10 kB each at 224.
    title
        A heading.

    Raises
    ------
    GalleryError
        A column that is not there, or overlays that do not fit.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> "<figcaption>a room</figcaption>" in Gallery(
    ...     pd.DataFrame({"path": [str(file)], "note": ["a room"]}), caption="note").to_html()
    True
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        caption: str | Callable[[pd.Series], str] | None = None,
        group: str | None = None,
        overlays: np.ndarray | None = None,
        limit: int = 200,
        thumbnail: int = 224,
        title: str = "",
    ) -> None:
        for column in ("path", group, caption if isinstance(caption, str) else None):
            if column is not None and column not in frame:
                raise GalleryError(
                    f"the table has no column {column!r}; it has {', '.join(map(str, frame))}"
                )
        if overlays is not None and (np.ndim(overlays) != 3 or len(overlays) != len(frame)):
            raise GalleryError(
                f"overlays have the shape {np.shape(overlays)}; expected ({len(frame)}, h, w)"
            )
        self.frame = frame.reset_index(drop=True)
        self.caption, self.group, self.overlays = caption, group, overlays
        self.limit, self.thumbnail, self.title = limit, thumbnail, title

    def __len__(self) -> int:
        return len(self.frame)

    def _repr_mimebundle_(
        self,
        include: Sequence[str] | None = None,  # noqa: ARG002
        exclude: Sequence[str] | None = None,  # noqa: ARG002
    ) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": f"Gallery of {len(self):,} photos"}

    def to_html(self) -> str:
        """Give the gallery as a piece of HTML with its own style."""
        shown = self.frame.head(self.limit)
        with ThreadPoolExecutor() as pool:
            thumbnails = list(pool.map(self._thumbnail, range(len(shown))))
        parts = [f"<style>{_STYLE}</style>", '<section class="hotelviz-gallery">']
        if self.title:
            parts.append(f"<h3>{html.escape(self.title)}</h3>")
        parts.append(f'<p class="count">{html.escape(self._count(thumbnails))}</p>')
        if self.overlays is not None and len(shown):
            parts.append(
                '<p class="scale">evidence for the class: low '
                f'<span class="bar" style="background:{colour_bar()}"></span> high</p>'
            )
        if self.group is None:
            parts.append(self._figures(shown, thumbnails))
        else:
            for number, (name, rows) in enumerate(shown.groupby(self.group, sort=False)):
                total = int((self.frame[self.group] == name).sum())
                parts.append(
                    f"<details{' open' if number == 0 else ''}><summary>"
                    f'{html.escape(str(name))} <span class="number">{total:,}</span></summary>'
                    f"{self._figures(rows, thumbnails)}</details>"
                )
        return "\n".join([*parts, "</section>"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the gallery as a page of its own, whole or not at all."""
        title = html.escape(self.title or "Gallery")
        with atomic_path(path) as temporary:
            temporary.write_text(
                '<!doctype html><html lang="en"><head><meta charset="utf-8">'
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
                f"<title>{title}</title></head><body>{self.to_html()}</body></html>",
                encoding="utf-8",
            )

    def _count(self, thumbnails: list[_Thumbnail]) -> str:
        if not len(self):
            return "No photos here."
        text = f"{len(self):,} photo{'s' if len(self) > 1 else ''}"
        if len(thumbnails) < len(self):
            text = f"showing the first {len(thumbnails):,} of {text}"
        unreadable = sum(bool(thumbnail.problem) for thumbnail in thumbnails)
        return text + (f"; {unreadable:,} cannot be read" if unreadable else "")

    def _text(self, row: pd.Series) -> str:
        if callable(self.caption):
            return self.caption(row)
        return str(row[self.caption or ("image_id" if "image_id" in row else "path")])

    def _thumbnail(self, number: int) -> _Thumbnail:
        path = self.frame.at[number, "path"]
        try:
            pixels = decode_image(path).pixels
        except ImageError as error:
            return _Thumbnail("", "", str(error).removeprefix(f"{path}: "))
        image = Image.fromarray(pixels)
        image.thumbnail((self.thumbnail, self.thumbnail), Image.Resampling.LANCZOS)
        small = np.asarray(image)
        laid = "" if self.overlays is None else _embed(overlay(small, self.overlays[number]))
        return _Thumbnail(_embed(small), laid, "")

    def _figures(self, rows: pd.DataFrame, thumbnails: list[_Thumbnail]) -> str:
        figures = [
            _figure(thumbnails[int(str(number))], self._text(row))
            for number, row in rows.iterrows()
        ]
        wide = " pairs" if self.overlays is not None else ""
        return f'<div class="photos{wide}">{"".join(figures)}</div>'


def _embed(pixels: np.ndarray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels)).decode()


def _figure(thumbnail: _Thumbnail, caption: str) -> str:
    text = html.escape(caption)
    if thumbnail.problem:
        reason = html.escape(thumbnail.problem)
        image = f'<p class="problem" role="img" aria-label="{text}">{reason}</p>'
    else:
        image = f'<img src="{thumbnail.photo}" alt="{text}" loading="lazy">'
        if thumbnail.overlay:
            image += (
                f'<img src="{thumbnail.overlay}" alt="Where the evidence is: {text}" '
                'loading="lazy">'
            )
    return f"<figure><div>{image}</div><figcaption>{text}</figcaption></figure>"
