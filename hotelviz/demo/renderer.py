"""Draw rooms: boxes, discs and tubes in perspective, with light and shadow.

Lengths are metres; x grows to the right, y upwards, z away from the viewer.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypedDict, Unpack

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

Random = np.random.Generator
Colour = tuple[int, int, int]
Point = tuple[float, float, float]
Points = Sequence[Point]
#: From and to.
Span = tuple[float, float]

#: Drawn at this many times the photo's size, then reduced, for smooth edges.
_SUPERSAMPLE = 2


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour lighter (above 1) or darker."""
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in colour)
    return red, green, blue


def upright(x: Span, y: Span, z: float) -> list[Point]:
    """Return the corners of an upright rectangle that faces the viewer."""
    return [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]


def flat(x: Span, y: float, z: Span) -> list[Point]:
    """Return the corners of a level rectangle."""
    return [(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])]


def across(x: float, y: Span, z: Span) -> list[Point]:
    """Return the corners of an upright rectangle at the viewer's side."""
    return [(x, y[0], z[0]), (x, y[0], z[1]), (x, y[1], z[1]), (x, y[1], z[0])]


def ring(
    centre: Span, y: float, radius: float, n_points: int, turn: Span = (0.0, 2 * np.pi)
) -> list[Point]:
    """Return points of a level circle about `centre` (x, z), or of the part of it in `turn`."""
    angles = np.linspace(*turn, n_points, endpoint=turn[1] - turn[0] < 2 * np.pi)
    (x, z), cos, sin = centre, np.cos(angles), np.sin(angles)
    return [(x + radius * c, y, z + radius * s) for c, s in zip(cos, sin, strict=True)]


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Style:
    """The look of a hotel: every area of it shares colours and materials."""

    wall: Colour
    trim: Colour
    floor: Colour
    wood: Colour
    fabric: Colour
    accent: Colour
    stone: Colour
    warmth: float

    @classmethod
    def draw(cls, random: Random) -> Style:
        """Choose a palette."""

        def pick(hue: float, saturation: Span, value: Span) -> Colour:
            return _hsv(hue, random.uniform(*saturation), random.uniform(*value))

        hue = random.random()
        wood = pick(random.uniform(0.05, 0.1), (0.35, 0.6), (0.35, 0.7))
        return cls(
            wall=pick(hue, (0.03, 0.22), (0.78, 0.95)),
            trim=_hsv(hue, 0.05, 0.97),
            floor=wood if random.random() < 0.5 else pick(hue + 0.5, (0.02, 0.15), (0.55, 0.85)),
            wood=wood,
            fabric=pick(hue + random.choice([0, 0.33, 0.5]), (0.2, 0.6), (0.35, 0.8)),
            accent=_hsv(hue + random.choice([0.45, 0.55]), 0.6, 0.75),
            stone=pick(random.uniform(0.05, 0.15), (0, 0.15), (0.6, 0.9)),
            warmth=random.uniform(-0.06, 0.1),
        )


class Place(TypedDict, total=False):
    """The mask that a thing is part of, and how many metres nearer than it is it is drawn."""

    mark: str
    nearer: float


@dataclass
class _Item:
    """Polygons that hide one another as one thing; drawn from far to near."""

    distance: float
    faces: list[tuple[Points, Colour]] = field(default_factory=list)
    tubes: list[tuple[Points, float, Colour]] = field(default_factory=list)
    mark: str = ""


class Scene:
    """One photo being painted.

    Parameters
    ----------
    size : tuple of int
        Height and width of the photo in pixels.
    eye : tuple of float
        Where the camera stands.
    turn : tuple of float
        How it is turned: yaw, pitch and roll, in radians.
    zoom : float
        Focal length as a share of the photo's width.
    """

    def __init__(self, size: tuple[int, int], *, eye: Point, turn: Point, zoom: float) -> None:
        self.size = size
        height, width = size[0] * _SUPERSAMPLE, size[1] * _SUPERSAMPLE
        self.canvas = Image.new("RGB", (width, height))
        self.shadow = Image.new("L", (width // 4, height // 4), 255)
        self.masks = {mark: Image.new("L", (width, height)) for mark in ("object", "rails")}
        self.eye, self.focal = np.array(eye), zoom * width
        (sin_y, cos_y), (sin_p, cos_p), (sin_r, cos_r) = (
            (np.sin(angle), np.cos(angle)) for angle in turn
        )
        about_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
        about_x = np.array([[1, 0, 0], [0, cos_p, sin_p], [0, -sin_p, cos_p]])
        about_z = np.array([[cos_r, -sin_r, 0], [sin_r, cos_r, 0], [0, 0, 1]])
        self.rotation = about_z @ about_x @ about_y
        self.items: list[_Item] = []
        self._pen = ImageDraw.Draw(self.canvas)
        self._shadow_pen = ImageDraw.Draw(self.shadow)
        self._mask_pens = {mark: ImageDraw.Draw(mask) for mark, mask in self.masks.items()}

    def project(self, points: Points) -> list[Span]:
        """Return the canvas coordinates of points in the room."""
        seen = (np.asarray(points, dtype=float) - self.eye) @ self.rotation.T
        depth = np.maximum(seen[:, 2], 0.05)
        x = self.canvas.width / 2 + self.focal * seen[:, 0] / depth
        y = self.canvas.height / 2 - self.focal * seen[:, 1] / depth
        return list(zip(x.tolist(), y.tolist(), strict=True))

    def surface(self, points: Points, colour: Colour) -> None:
        """Paint a wall, floor or ceiling at once, behind everything."""
        self._pen.polygon(self.project(points), fill=colour)

    def line(self, points: Points, colour: Colour, width: float = 0.01) -> None:
        """Paint a seam on a surface; `width` in metres."""
        path = self.project(points)
        depth = float(np.linalg.norm(np.mean(points, axis=0) - self.eye))
        self._pen.line(path, fill=colour, width=max(1, round(self.focal * width / depth)))

    def sky(self, top: Colour, bottom: Colour) -> None:
        """Fill the canvas with a vertical gradient."""
        share = np.linspace(0, 1, self.canvas.height)[:, None, None]
        rows = np.array(top) * (1 - share) + np.array(bottom) * share
        gradient = np.broadcast_to(rows, (self.canvas.height, self.canvas.width, 3))
        self.canvas.paste(Image.fromarray(gradient.astype("uint8")))

    def cast(self, points: Points, strength: float = 0.55) -> None:
        """Cast a soft shadow on what has been painted so far."""
        path = [(x / 4, y / 4) for x, y in self.project(points)]
        self._shadow_pen.polygon(path, fill=round(255 * (1 - strength)))

    def _item(self, centre: Point | np.ndarray, *, mark: str = "", nearer: float = 0.0) -> _Item:
        item = _Item(float(np.linalg.norm(np.array(centre) - self.eye)) - nearer, mark=mark)
        self.items.append(item)
        return item

    def quad(self, points: Points, colour: Colour, **place: Unpack[Place]) -> None:
        """Add a flat polygon; `nearer` metres bring it before what it lies on."""
        self._item(np.mean(points, axis=0), **place).faces.append((points, colour))

    def box(
        self, x: Span, y: Span, z: Span, colour: Colour, shadow: bool = True, **place: Unpack[Place]
    ) -> None:
        """Add a box; its top is light, its sides are darker."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        if shadow and y0 < 0.3:
            self.cast(flat((x0 - 0.12, x1 + 0.12), 0, (z0 - 0.12, z1 + 0.12)))
        item = self._item(((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2), **place)
        faces = [
            (self.eye[0] < x0, across(x0, y, z), 0.7),
            (self.eye[0] > x1, across(x1, y, z), 0.78),
            (self.eye[1] > y1, flat(x, y1, z), 1.12),
            (self.eye[1] < y0, flat(x, y0, z), 0.6),
            (True, upright(x, y, z0), 0.92),
        ]
        item.faces += [(points, shade(colour, light)) for seen, points, light in faces if seen]

    def disc(self, centre: Point, radius: float, colour: Colour, **place: Unpack[Place]) -> None:
        """Add a horizontal disc."""
        self.quad(ring((centre[0], centre[2]), centre[1], radius, 28), colour, **place)

    def cylinder(
        self, centre: Span, y: Span, radius: float | Span, colour: Colour, **place: Unpack[Place]
    ) -> None:
        """Add an upright cylinder, or a cone's trunk of a lower and an upper radius."""
        lower, upper = radius if isinstance(radius, tuple) else (radius, radius)
        if y[0] < 0.3:
            self.cast(ring(centre, 0, 1.25 * lower, 20))
        item = self._item((centre[0], sum(y) / 2, centre[1]), **place)
        # Strips from the shaded to the lit side make it round.
        for turn in pairwise(np.linspace(np.pi, 2 * np.pi, 9).tolist()):
            below, above = ring(centre, y[0], lower, 2, turn), ring(centre, y[1], upper, 2, turn)
            side = 0.6 + 0.4 * (turn[0] < 4.7)
            light = 0.72 + 0.4 * np.sin(sum(turn) / 2 - np.pi) ** 2 * side
            item.faces.append(([*below, *above[::-1]], shade(colour, float(light))))
        if self.eye[1] > y[1]:
            item.faces.append((ring(centre, y[1], upper, 24), shade(colour, 1.1)))

    def tube(self, points: Points, width: float, colour: Colour, **place: Unpack[Place]) -> None:
        """Add a bent metal tube with a highlight."""
        self._item(np.mean(points, axis=0), **place).tubes.append((points, width, colour))

    def finish(
        self, random: Random, warmth: float, worst: Mapping[str, float]
    ) -> tuple[Image.Image, dict[str, Image.Image]]:
        """Paint everything, light it and reduce it to the photo's size.

        Parameters
        ----------
        random
            Where the light comes from, and the noise.
        warmth
            How much redder, and less blue, the light is; 0 for white.
        worst
            How badly the photo is taken: exposure, sharpness and colour, 0 (well) to 1.

        Returns
        -------
        tuple
            The photo, and for each mark the mask (mode L, 255 = visible part of what is marked).
        """
        soft = self.shadow.filter(ImageFilter.GaussianBlur(self.canvas.width / 4 / 60))
        soft = soft.resize(self.canvas.size, Image.Resampling.BILINEAR)
        self.canvas.paste(ImageChops.multiply(self.canvas, Image.merge("RGB", [soft] * 3)))
        for item in sorted(self.items, key=lambda item: -item.distance):
            self._paint(item)
        height, width = size = self.size
        masks = {
            mark: mask.resize(size[::-1], Image.Resampling.BOX).point(lambda v: 255 * (v > 127))
            for mark, mask in self.masks.items()
        }
        exposure = random.uniform(0.9, 1.1) * 0.6 ** worst["exposure"]
        photo = self.canvas.resize(size[::-1], Image.Resampling.BOX)
        photo = photo.filter(ImageFilter.GaussianBlur(0.2 + 1.3 * worst["sharpness"]))
        photo = ImageEnhance.Color(photo).enhance(1.2 - 0.7 * worst["colour"])
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        lamp_x, lamp_y = random.uniform(0.1, 0.9), random.uniform(-0.2, 0.5)
        glow = np.exp(-((x - lamp_x) ** 2 + (y - lamp_y) ** 2) / 0.35)
        corners = 1 - 0.35 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
        light = exposure * corners * (0.8 + 0.32 * glow)
        # The cast of a lamp that the camera did not balance: green and yellow.
        cast = 0.3 * worst["colour"]
        tint = np.array([1 + warmth - cast / 2, 1 + warmth / 4, 1 - warmth - cast])
        noise = random.normal(0, 2.0 + 10.0 * worst["exposure"], (height, width, 1))
        pixels = np.asarray(photo) * light[..., None] * tint + noise
        return Image.fromarray(pixels.clip(0, 255).astype("uint8")), masks

    def _paint(self, item: _Item) -> None:
        for points, colour in item.faces:
            path = self.project(points)
            self._pen.polygon(path, fill=colour)
            for mark, pen in self._mask_pens.items():
                pen.polygon(path, fill=255 * (item.mark == mark))
        for points, metres, colour in item.tubes:
            path = self.project(points)
            depth = float(np.linalg.norm(np.mean(points, axis=0) - self.eye))
            width = max(2, round(self.focal * metres / depth))
            self._pen.line(path, fill=shade(colour, 0.55), width=width, joint="curve")
            self._pen.line(path, fill=colour, width=max(1, width * 2 // 3), joint="curve")
            self._pen.line(path, fill=shade(colour, 1.35), width=max(1, width // 4), joint="curve")
            if item.mark:
                self._mask_pens[item.mark].line(path, fill=255, width=width, joint="curve")
