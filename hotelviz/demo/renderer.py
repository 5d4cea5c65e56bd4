"""Draw rooms: boxes, discs and tubes in perspective, with light and shadow.

Lengths are metres; x grows to the right, y upwards, z away from the viewer.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

__all__ = ["Colour", "Point", "Scene", "Style", "flat", "ring", "shade", "upright"]

Colour = tuple[int, int, int]
Point = tuple[float, float, float]
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
    def draw(cls, random: np.random.Generator) -> Style:
        """Choose a palette."""
        hue = random.random()
        wood = _hsv(random.uniform(0.05, 0.1), random.uniform(0.35, 0.6), random.uniform(0.35, 0.7))
        return cls(
            wall=_hsv(hue, random.uniform(0.03, 0.22), random.uniform(0.78, 0.95)),
            trim=_hsv(hue, 0.05, 0.97),
            floor=wood
            if random.random() < 0.5
            else _hsv(hue + 0.5, random.uniform(0.02, 0.15), random.uniform(0.55, 0.85)),
            wood=wood,
            fabric=_hsv(
                hue + random.choice([0, 0.33, 0.5]), random.uniform(0.2, 0.6),
                random.uniform(0.35, 0.8),
            ),
            accent=_hsv(hue + random.choice([0.45, 0.55]), 0.6, 0.75),
            stone=_hsv(
                random.uniform(0.05, 0.15), random.uniform(0, 0.15), random.uniform(0.6, 0.9)
            ),
            warmth=random.uniform(-0.06, 0.1),
        )  # fmt: skip


@dataclass
class _Item:
    """Polygons that hide one another as one thing; drawn from far to near."""

    distance: float
    faces: list[tuple[list[Point], Colour]] = field(default_factory=list)
    tubes: list[tuple[list[Point], float, Colour]] = field(default_factory=list)
    mark: str = ""


class Scene:
    """One photo being painted.

    Parameters
    ----------
    size : tuple of int
        Height and width of the photo in pixels.
    eye : tuple of float
        Where the camera stands.
    yaw, pitch, roll : float
        How it is turned, in radians.
    zoom : float
        Focal length as a share of the photo's width.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        eye: Point,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        zoom: float = 0.9,
    ) -> None:
        self.size = size
        height, width = size[0] * _SUPERSAMPLE, size[1] * _SUPERSAMPLE
        self.canvas = Image.new("RGB", (width, height))
        self.shadow = Image.new("L", (width // 4, height // 4), 255)
        self.masks = {mark: Image.new("L", (width, height)) for mark in ("object", "rails")}
        self.eye, self.focal = np.array(eye), zoom * width
        (sin_y, cos_y), (sin_p, cos_p), (sin_r, cos_r) = (
            (np.sin(angle), np.cos(angle)) for angle in (yaw, pitch, roll)
        )
        about_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
        about_x = np.array([[1, 0, 0], [0, cos_p, sin_p], [0, -sin_p, cos_p]])
        about_z = np.array([[cos_r, -sin_r, 0], [sin_r, cos_r, 0], [0, 0, 1]])
        self.rotation = about_z @ about_x @ about_y
        self.items: list[_Item] = []
        self._pen = ImageDraw.Draw(self.canvas)
        self._shadow_pen = ImageDraw.Draw(self.shadow)
        self._mask_pens = {mark: ImageDraw.Draw(mask) for mark, mask in self.masks.items()}

    def project(self, points: Sequence[Point]) -> list[Span]:
        """Return the canvas coordinates of points in the room."""
        seen = (np.asarray(points, dtype=float) - self.eye) @ self.rotation.T
        depth = np.maximum(seen[:, 2], 0.05)
        x = self.canvas.width / 2 + self.focal * seen[:, 0] / depth
        y = self.canvas.height / 2 - self.focal * seen[:, 1] / depth
        return list(zip(x.tolist(), y.tolist(), strict=True))

    def surface(self, points: Sequence[Point], colour: Colour) -> None:
        """Paint a wall, floor or ceiling at once, behind everything."""
        self._pen.polygon(self.project(points), fill=colour)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 0.01) -> None:
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

    def cast(self, points: Sequence[Point], strength: float = 0.55) -> None:
        """Cast a soft shadow on what has been painted so far."""
        path = [(x / 4, y / 4) for x, y in self.project(points)]
        self._shadow_pen.polygon(path, fill=round(255 * (1 - strength)))

    def _item(self, centre: Point | np.ndarray, mark: str, nearer: float) -> _Item:
        item = _Item(float(np.linalg.norm(np.array(centre) - self.eye)) - nearer, mark=mark)
        self.items.append(item)
        return item

    def quad(
        self, points: Sequence[Point], colour: Colour, *, mark: str = "", nearer: float = 0.0
    ) -> None:
        """Add a flat polygon; `nearer` metres bring it before what it lies on."""
        item = self._item(np.mean(points, axis=0), mark, nearer)
        item.faces.append((list(points), colour))

    def box(
        self,
        x: Span,
        y: Span,
        z: Span,
        colour: Colour,
        *,
        mark: str = "",
        shadow: bool = True,
        nearer: float = 0.0,
    ) -> None:
        """Add a box; its top is light, its sides are darker."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        if shadow and y0 < 0.3:
            self.cast(flat((x0 - 0.12, x1 + 0.12), 0, (z0 - 0.12, z1 + 0.12)))
        item = self._item(((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2), mark, nearer)
        faces = []
        if self.eye[0] < x0:
            faces.append(([(x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)], 0.7))
        if self.eye[0] > x1:
            faces.append(([(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)], 0.78))
        if self.eye[1] > y1:
            faces.append((flat(x, y1, z), 1.12))
        if self.eye[1] < y0:
            faces.append((flat(x, y0, z), 0.6))
        faces.append((upright(x, y, z0), 0.92))
        item.faces += [(points, shade(colour, light)) for points, light in faces]

    def disc(
        self, centre: Point, radius: float, colour: Colour, *, mark: str = "", nearer: float = 0.0
    ) -> None:
        """Add a horizontal disc."""
        self.quad(
            ring((centre[0], centre[2]), centre[1], radius, 28), colour, mark=mark, nearer=nearer
        )

    def cylinder(
        self,
        centre: Span,
        y: Span,
        radius: float,
        colour: Colour,
        *,
        top: float | None = None,
        mark: str = "",
        nearer: float = 0.0,
    ) -> None:
        """Add an upright cylinder, or a cone's trunk whose upper radius is `top`."""
        upper = radius if top is None else top
        if y[0] < 0.3:
            self.cast(ring(centre, 0, 1.25 * radius, 20))
        item = self._item((centre[0], sum(y) / 2, centre[1]), mark, nearer)
        # Strips from the shaded to the lit side make it round.
        for turn in pairwise(np.linspace(np.pi, 2 * np.pi, 9).tolist()):
            below, above = ring(centre, y[0], radius, 2, turn), ring(centre, y[1], upper, 2, turn)
            side = 0.6 + 0.4 * (turn[0] < 4.7)
            light = 0.72 + 0.4 * np.sin(sum(turn) / 2 - np.pi) ** 2 * side
            item.faces.append(([*below, *above[::-1]], shade(colour, float(light))))
        if self.eye[1] > y[1]:
            item.faces.append((ring(centre, y[1], upper, 24), shade(colour, 1.1)))

    def tube(
        self,
        points: Sequence[Point],
        width: float,
        colour: Colour,
        *,
        mark: str = "",
        nearer: float = 0.0,
    ) -> None:
        """Add a bent metal tube with a highlight."""
        item = self._item(np.mean(points, axis=0), mark, nearer)
        item.tubes.append((list(points), width, colour))

    def finish(
        self,
        random: np.random.Generator,
        *,
        warmth: float = 0.0,
        exposure: float = 1.0,
        blur: float = 0.0,
        grain: float = 3.0,
        saturation: float = 1.0,
        cast: float = 0.0,
    ) -> tuple[Image.Image, dict[str, Image.Image]]:
        """Paint everything, light it and reduce it to the photo's size.

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
        height, width = self.size
        photo = self.canvas.resize((width, height), Image.Resampling.BOX)
        if blur:
            photo = photo.filter(ImageFilter.GaussianBlur(blur))
        masks = {
            mark: mask.resize((width, height), Image.Resampling.BOX).point(
                lambda v: 255 * (v > 127)
            )
            for mark, mask in self.masks.items()
        }
        photo = ImageEnhance.Color(photo).enhance(saturation)
        # The cast of a lamp that the camera did not balance: green and yellow.
        tint = np.array([1 + warmth - cast / 2, 1 + warmth / 4, 1 - warmth - cast])
        return self._light(photo, random, exposure, tint, grain), masks

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
            for mark, pen in self._mask_pens.items():
                if item.mark == mark:
                    pen.line(path, fill=255, width=width, joint="curve")

    def _light(
        self,
        photo: Image.Image,
        random: np.random.Generator,
        exposure: float,
        tint: np.ndarray,
        grain: float,
    ) -> Image.Image:
        height, width = self.size
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        lamp_x, lamp_y = random.uniform(0.1, 0.9), random.uniform(-0.2, 0.5)
        glow = np.exp(-((x - lamp_x) ** 2 + (y - lamp_y) ** 2) / 0.35)
        corners = 1 - 0.35 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
        light = exposure * corners * (0.8 + 0.32 * glow)
        noise = random.normal(0, grain, (height, width, 1))
        pixels = np.asarray(photo) * light[..., None] * tint + noise
        return Image.fromarray(pixels.clip(0, 255).astype("uint8"))
