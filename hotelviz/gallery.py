"""The photo gallery: figures with captions, grouped, as HTML that stands alone.

The markup needs no script: groups are ``<details>``, photos are ``<figure>`` with embedded
thumbnails and alternative text. Everything that comes from data is escaped.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from hotelviz.attribution import colour_bar, overlay
from hotelviz.files import atomic_path
from hotelviz.images import ImageError, decode_image, encode_jpeg

__all__ = [
    "Gallery",
    "GalleryError",
    "before_after",
    "issue_caption",
    "mistakes",
    "rank_caption",
    "score_caption",
    "tag_caption",
]

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


def score_caption(row: pd.Series) -> str:
    """Say which score was predicted and how people rated the photo, as in the talk.

    Parameters
    ----------
    row
        With ``score``, and if known ``score_std``, ``rated_mean`` and ``rated_std``.

    Returns
    -------
    str
        ``predicted (6.151 / 1.334), rated (6.000 / 1.100)``: mean and standard deviation.

    Examples
    --------
    >>> score_caption(pd.Series({"score": 6.0942, "rated_mean": 6.5, "rated_std": 1.25}))
    'predicted 6.094, rated (6.500 / 1.250)'
    """
    if pd.isna(row["score"]):
        return f"not scored: {row.get('problem') or 'unreadable'}"
    std = row.get("score_std")
    text = (
        f"predicted {row['score']:.3f}"
        if std is None or pd.isna(std)
        else f"predicted ({row['score']:.3f} / {std:.3f})"
    )
    rated = row.get("rated_mean")
    if rated is not None and not pd.isna(rated):
        text += f", rated ({rated:.3f} / {row['rated_std']:.3f})"
    return text


def rank_caption(row: pd.Series) -> str:
    """Say where a photo stands and why.

    Parameters
    ----------
    row
        A row of `hotelviz.ranking.rank_hotel_photos`.

    Returns
    -------
    str
        ``predicted: 6.094; rank 1/12 (today 7); Bedroom 0.93; best Bedroom``.

    Examples
    --------
    >>> rank_caption(pd.Series({"score": 6.0942, "rank": 1, "photos": 12, "position": 7,
    ...                         "area": "Bedroom", "confidence": 0.93, "reason": "best Bedroom"}))
    'predicted: 6.094; rank 1/12 (today 7); Bedroom 0.93; best Bedroom'
    """
    parts = [f"predicted: {row['score']:.3f}", f"rank {row['rank']}/{row['photos']}"]
    if not pd.isna(row.get("position")):
        parts[-1] += f" (today {row['position']})"
    if not pd.isna(row.get("area")):
        sure = "" if row.get("trusted", True) else ", not sure enough for a slot"
        parts.append(f"{str(row['area']).replace('_', ' ')} {row['confidence']:.2f}{sure}")
    return "; ".join([*parts, row["reason"]])


def issue_caption(row: pd.Series) -> str:
    """Say what is wrong with a photo.

    Parameters
    ----------
    row
        ``issue`` and ``detail`` of `hotelviz.audit.find_issues`, and, if known, ``label``,
        ``hotel_id``, ``width`` and ``height``.

    Returns
    -------
    str
        ``dark: 95 % is darker than 20%; labelled Pool``.

    Examples
    --------
    >>> issue_caption(pd.Series({"issue": "near_duplicate", "detail": "copy of a.jpg",
    ...                          "label": "Pool", "hotel_id": "h1", "width": 40, "height": 30}))
    'copy of a.jpg; labelled Pool; hotel h1; 40 x 30'
    """
    copy = str(row["issue"]).endswith("duplicate")
    parts = [row["detail"] if copy else f"{row['issue']}: {row['detail']}".replace("_", " ")]
    label = row.get("label")
    if label is not None and not pd.isna(label) and row["issue"] != "label_error":
        parts.append(f"labelled {str(label).replace('_', ' ')}")
    if copy:
        parts.append(f"hotel {row['hotel_id']}")
        if not pd.isna(row.get("width")):
            parts.append(f"{row['width']:.0f} x {row['height']:.0f}")
    return "; ".join(parts)


def before_after(
    ranking: pd.DataFrame, paths: pd.DataFrame, *, limit: int = 16, title: str = ""
) -> Gallery:
    """Show a hotel's photos in today's order and, below, in the new one.

    Parameters
    ----------
    ranking
        The rows of one hotel, of `hotelviz.ranking.rank_hotel_photos`.
    paths
        ``image_id`` and ``path``, as in the catalogue or the scores.
    limit
        How many photos of each order are shown.
    title
        A heading.

    Returns
    -------
    Gallery
        Each photo's caption says where it stands and why.

    Raises
    ------
    GalleryError
        When the rows are of several hotels.
    """
    if ranking["hotel_id"].nunique() != 1:
        raise GalleryError("a gallery of before and after is for the photos of one hotel")
    photos = ranking.merge(paths[["image_id", "path"]], on="image_id", how="left")
    parts = [
        photos.sort_values(column).head(limit).assign(order=name)
        for name, column in (("today", "position"), ("new order", "rank"))
        if photos[column].notna().any()
    ]
    return Gallery(
        pd.concat(parts, ignore_index=True),
        caption=rank_caption,
        group="order",
        open_groups=2,
        limit=2 * limit,
        title=title,
    )


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
    distributions
        One or two: name, such as ``rated`` -> distributions over the scores 1 to 10, float
        (len(frame), 10); drawn as small bars under the caption. Rows of NaN have none.
    open_groups
        How many groups are unfolded at first.
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
        distributions: Mapping[str, np.ndarray] | None = None,
        open_groups: int = 1,
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
        if distributions is not None and not 1 <= len(distributions) <= 2:
            raise GalleryError(f"one or two distributions can be drawn, not {len(distributions)}")
        for name, shares in (distributions or {}).items():
            if np.shape(shares) != (len(frame), 10):
                raise GalleryError(
                    f"the distributions {name!r} have the shape {np.shape(shares)}; expected "
                    f"({len(frame)}, 10)"
                )
        self.distributions, self.open_groups = dict(distributions or {}), open_groups
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
        if self.distributions:
            names = zip(self._colours(), self.distributions, strict=True)
            keys = " ".join(
                f'<span class="key {colour}"></span> {html.escape(name)}' for colour, name in names
            )
            parts.append(f'<p class="scale">bars: shares of the scores 1 to 10: {keys}</p>')
        if self.group is None:
            parts.append(self._figures(shown, thumbnails))
        else:
            for number, (name, rows) in enumerate(shown.groupby(self.group, sort=False)):
                total = int((self.frame[self.group] == name).sum())
                parts.append(
                    f"<details{' open' if number < self.open_groups else ''}><summary>"
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
            _figure(thumbnails[number], self._text(row), self._bars(number))
            for number, (_, row) in zip(map(int, rows.index), rows.iterrows(), strict=True)
        ]
        wide = " pairs" if self.overlays is not None else ""
        return f'<div class="photos{wide}">{"".join(figures)}</div>'

    def _colours(self) -> list[str]:
        """Blue, and grey for the first of two."""
        return ["b0", "b1"][-len(self.distributions) :]

    def _bars(self, number: int) -> str:
        """Draw the distributions of a photo as small bars, side by side, with their numbers."""
        sides = {
            name: shares[number]
            for name, shares in self.distributions.items()
            if np.isfinite(shares[number]).all()
        }
        if not sides:
            return ""
        tallest = max(float(np.max(shares)) for shares in sides.values())
        width = 8 / len(sides)
        bars, texts = [], []
        colours = dict(zip(self.distributions, self._colours(), strict=True))
        for place, (name, shares) in enumerate(sides.items()):
            texts.append(f"{name} {', '.join(f'{share:.0%}' for share in shares)}")
            for score, share in enumerate(shares):
                height = 26 * float(share) / tallest
                bars.append(
                    f'<rect class="{colours[name]}" x="{score * 10 + 1 + place * width:.1f}" '
                    f'y="{28 - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                )
        label = html.escape(f"shares of the scores 1 to 10: {'; '.join(texts)}")
        names = html.escape(" and ".join(sides))
        return (
            f'<svg class="scores" viewBox="0 0 100 29" role="img" aria-label="{label}">'
            f"<title>{names}: scores 1 to 10</title>{''.join(bars)}"
            '<line x1="0" y1="28.5" x2="100" y2="28.5"/></svg>'
        )


def _embed(pixels: np.ndarray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels)).decode()


def _figure(thumbnail: _Thumbnail, caption: str, bars: str) -> str:
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
    return f"<figure><div>{image}</div><figcaption>{text}{bars}</figcaption></figure>"
