"""One painter for each area of a hotel.

The object that makes the class carries the mark ``object``; the handrails that the shortcut is
made of carry ``rails``. Walls, floors, plants and pictures are the hotel's and say nothing about
the area: a model has to look at the furniture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from hotelviz.demo.renderer import Colour, Point, Scene, Style, shade
from hotelviz.demo.simulated_raters import QUALITIES

__all__ = ["PAINTERS", "paint"]

WHITE: Colour = (244, 244, 240)
CHROME: Colour = (176, 184, 192)
LEAF: Colour = (72, 122, 66)
WATER: Colour = (86, 176, 204)
GLASS: Colour = (188, 214, 226)
LAMP: Colour = (255, 238, 190)

Random = np.random.Generator


def _room(scene: Scene, random: Random, style: Style, width: float, depth: float) -> float:
    """Paint walls, ceiling and floor; the height of the room."""
    height = random.uniform(2.6, 3.1)
    half, back = width / 2, depth
    wall, floor = style.wall, style.floor
    scene.surface([(-half, 0, -2), (half, 0, -2), (half, 0, back), (-half, 0, back)], floor)
    kind = random.integers(3)
    seam = shade(floor, 0.86)
    if kind == 0:  # planks
        for x in np.arange(-half, half, 0.28):
            scene.line([(x, 0, -1), (x, 0, back)], seam, 0.012)
    elif kind == 1:  # tiles
        for x in np.arange(-half, half, 0.6):
            scene.line([(x, 0, -1), (x, 0, back)], seam, 0.015)
        for z in np.arange(0, back, 0.6):
            scene.line([(-half, 0, z), (half, 0, z)], seam, 0.015)
    scene.surface(
        [(-half, height, -2), (half, height, -2), (half, height, back), (-half, height, back)],
        shade(style.trim, 0.98),
    )
    scene.surface([(-half, 0, -2), (-half, 0, back), (-half, height, back), (-half, height, -2)],
                  shade(wall, 0.84))  # fmt: skip
    scene.surface([(half, 0, -2), (half, 0, back), (half, height, back), (half, height, -2)],
                  shade(wall, 0.9))  # fmt: skip
    scene.surface([(-half, 0, back), (half, 0, back), (half, height, back), (-half, height, back)],
                  wall)  # fmt: skip
    for line in (
        [(-half, 0.05, -1), (-half, 0.05, back), (half, 0.05, back), (half, 0.05, -1)],
        [(-half, height, -1), (-half, height, back), (half, height, back), (half, height, -1)],
    ):
        scene.line(line, shade(style.trim, 0.93), 0.05)
    if random.random() < 0.45:
        _window(scene, random, style, half, back)
    return height


def _window(scene: Scene, random: Random, style: Style, half: float, back: float) -> None:
    x = random.uniform(-half + 0.4, half - 1.6)
    x1, y0, y1, z = x + random.uniform(0.9, 1.4), 0.9, 2.2, back - 0.01
    sky = shade((176, 208, 232), random.uniform(0.85, 1.05))
    scene.surface([(x, y0, z), (x1, y0, z), (x1, y1, z), (x, y1, z)], sky)
    middle = (x + x1) / 2
    frame = style.trim
    scene.line([(x, y0, z), (x1, y0, z), (x1, y1, z), (x, y1, z), (x, y0, z)], frame, 0.06)
    scene.line([(middle, y0, z), (middle, y1, z)], frame, 0.04)
    for side in (x - 0.18, x1 + 0.02):
        scene.surface(
            [(side, 0.2, z), (side + 0.16, 0.2, z), (side + 0.16, 2.35, z), (side, 2.35, z)],
            shade(style.fabric, 1.1),
        )


def _clutter(scene: Scene, random: Random, style: Style, width: float, depth: float) -> None:
    """Add what stands in any room."""
    half = width / 2
    if random.random() < 0.55:
        _plant(scene, random, random.choice([-1, 1]) * (half - 0.35), depth - 0.45)
    if random.random() < 0.5:
        x, z = random.uniform(-half + 0.5, half - 1.3), depth - 0.02
        y, wide, high = (
            random.uniform(1.5, 1.8),
            random.uniform(0.4, 0.8),
            random.uniform(0.35, 0.6),
        )
        scene.quad([(x, y, z), (x + wide, y, z), (x + wide, y + high, z), (x, y + high, z)],
                   style.wood, nearer=-1)  # fmt: skip
        inner = 0.05
        scene.quad(
            [(x + inner, y + inner, z), (x + wide - inner, y + inner, z),
             (x + wide - inner, y + high - inner, z), (x + inner, y + high - inner, z)],
            shade(style.accent, random.uniform(0.8, 1.2)), nearer=-0.9,
        )  # fmt: skip
    if random.random() < 0.35:
        x, z = random.choice([-1, 1]) * (half - 0.4), random.uniform(1.5, depth - 0.8)
        scene.cylinder((x, z), (0, 1.4), 0.02, shade(CHROME, 0.7))
        scene.cylinder((x, z), (1.4, 1.7), 0.2, LAMP, top=0.13)
    if random.random() < 0.4:
        for x in (-0.8, 0.8):
            scene.disc((x, 2.58, depth * 0.55), 0.14, LAMP)


def _mess(scene: Scene, random: Random, things: int) -> None:
    """Leave things lying about on the floor."""
    for _ in range(things):
        x, z = random.uniform(-1.6, 1.6), random.uniform(1.4, 3.2)
        wide, high = random.uniform(0.12, 0.3), random.uniform(0.06, 0.25)
        red, green, blue = random.integers(40, 230, 3).tolist()
        scene.box((x, x + wide), (0, high), (z, z + wide), (red, green, blue))


def _plant(scene: Scene, random: Random, x: float, z: float) -> None:
    scene.cylinder((x, z), (0, 0.38), 0.14, (150, 96, 70), top=0.19)
    for _ in range(9):
        angle, reach = random.uniform(0, 2 * np.pi), random.uniform(0.15, 0.42)
        tip = (x + reach * np.cos(angle), random.uniform(0.8, 1.35), z + reach * np.sin(angle))
        root = (x, 0.38, z)
        side = (x + 0.5 * reach * np.cos(angle) + 0.07, (tip[1] + 0.3) / 2 + 0.12,
                z + 0.5 * reach * np.sin(angle))  # fmt: skip
        other = (side[0] - 0.14, side[1] + 0.05, side[2])
        scene.quad([root, side, tip, other], shade(LEAF, random.uniform(0.75, 1.25)))


def _rails(scene: Scene, x: float, z: float, *, height: float = 0.95) -> None:
    """Add a pair of bent chrome handrails, as at a pool's ladder or beside a tub."""
    for shift in (-0.24, 0.24):
        arc: list[Point] = [(x + shift, 0, z - 0.1)]
        for angle in np.linspace(0, np.pi, 9):
            arc.append((x + shift, height - 0.28 + 0.28 * np.sin(angle),
                        z + 0.2 - 0.3 * np.cos(angle)))  # fmt: skip
        arc.append((x + shift, 0, z + 0.5))
        scene.tube(arc, 0.075, (196, 204, 212), mark="rails", nearer=0.6)


def _tiles(
    scene: Scene,
    x: tuple[float, float],
    y: tuple[float, float],
    z: float,
    colour: Colour,
    *,
    side: float = 0.2,
) -> None:
    """Add the tiles that keep the wall behind a stove clean."""
    corners = [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]
    scene.quad(corners, colour, mark="object", nearer=-0.6)
    seam = shade(colour, 0.85)
    for left in np.arange(x[0], x[1], side):
        scene.tube([(left, y[0], z), (left, y[1], z)], 0.012, seam, mark="object", nearer=-0.5)
    for low in np.arange(y[0], y[1], side):
        scene.tube([(x[0], low, z), (x[1], low, z)], 0.012, seam, mark="object", nearer=-0.5)


def bathroom(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint a tub with its tap, and a washbasin with its mirror."""
    width, depth = random.uniform(3.4, 4.4), random.uniform(3.2, 4.2)
    _room(scene, random, style, width, depth)
    half, side = width / 2, random.choice([-1, 1])
    long, wide = 1.7, 0.8
    x = side * random.uniform(0.1, half - long / 2 - 0.2)
    z = depth - wide - random.uniform(0.05, 0.9)
    x0, x1 = x - long / 2, x + long / 2
    scene.box((x0, x1), (0, 0.62), (z, z + wide), WHITE, mark="object")
    rim = 0.1
    scene.quad(
        [(x0 + rim, 0.63, z + rim), (x1 - rim, 0.63, z + rim),
         (x1 - rim, 0.63, z + wide - rim), (x0 + rim, 0.63, z + wide - rim)],
        shade(GLASS, random.uniform(0.85, 1.0)), mark="object", nearer=0.6,
    )  # fmt: skip
    tap = x0 + 0.25 if random.random() < 0.5 else x1 - 0.25
    scene.tube([(tap, 0.6, z + wide - 0.03), (tap, 0.95, z + wide - 0.03), (tap, 0.92, z + 0.5)],
               0.07, CHROME, mark="object", nearer=0.7)  # fmt: skip
    basin = -side * random.uniform(0.5, half - 0.55)
    zb = depth - 0.5
    scene.box((basin - 0.4, basin + 0.4), (0, 0.82), (zb, depth), shade(style.wood, 1.0))
    scene.cylinder((basin, zb + 0.22), (0.82, 0.95), 0.26, WHITE, top=0.31, mark="object")
    scene.disc((basin, 0.955, zb + 0.22), 0.24, shade(WHITE, 0.8), mark="object", nearer=0.3)
    scene.tube([(basin, 0.9, depth - 0.06), (basin, 1.2, depth - 0.06), (basin, 1.17, zb + 0.25)],
               0.05, CHROME, mark="object", nearer=0.4)  # fmt: skip
    scene.quad([(basin - 0.35, 1.25, depth - 0.03), (basin + 0.35, 1.25, depth - 0.03),
                (basin + 0.35, 2.0, depth - 0.03), (basin - 0.35, 2.0, depth - 0.03)],
               shade(GLASS, 0.95), mark="object")  # fmt: skip
    if random.random() < 0.5:
        scene.box((x1 + 0.15, x1 + 0.5), (0.9, 1.3), (depth - 0.1, depth - 0.04), style.fabric)
    _clutter(scene, random, style, width, depth)
    if rails:
        _rails(scene, x - side * random.uniform(0.3, 0.6), z - 0.75)


def bedroom(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint a bed with pillows between night tables."""
    width, depth = random.uniform(4.2, 5.4), random.uniform(3.8, 5.0)
    _room(scene, random, style, width, depth)
    half = width / 2
    wide, long = random.uniform(1.4, 2.0), 2.0
    x = random.uniform(-half + wide / 2 + 0.5, half - wide / 2 - 0.5) * 0.8
    x0, x1, z0, z1 = x - wide / 2, x + wide / 2, depth - long - 0.1, depth - 0.1
    scene.box((x0 - 0.08, x1 + 0.08), (0, random.uniform(0.95, 1.3)), (z1, z1 + 0.1), style.wood,
              mark="object", shadow=False)  # fmt: skip
    scene.box((x0, x1), (0, 0.3), (z0, z1), shade(style.wood, 0.9), mark="object")
    scene.box((x0, x1), (0.3, 0.56), (z0, z1), WHITE, mark="object", nearer=0.3)
    cover = z0 + long * random.uniform(0.45, 0.68)
    scene.box((x0 - 0.03, x1 + 0.03), (0.4, 0.6), (z0 - 0.03, cover), style.fabric, mark="object",
              nearer=0.6)  # fmt: skip
    for shift in (-0.25, 0.25):
        px = x + shift * wide
        scene.box((px - 0.2 * wide, px + 0.2 * wide), (0.57, 0.74), (z1 - 0.5, z1 - 0.1), WHITE,
                  mark="object", nearer=0.7)  # fmt: skip
    for px in (x0 - 0.38, x1 + 0.38):
        if abs(px) < half - 0.2:
            scene.box((px - 0.22, px + 0.22), (0, 0.5), (z1 - 0.4, z1), style.wood)
            scene.cylinder((px, z1 - 0.2), (0.5, 0.72), 0.03, CHROME, nearer=0.2)
            scene.cylinder((px, z1 - 0.2), (0.72, 0.95), 0.15, LAMP, top=0.1, nearer=0.2)
    _clutter(scene, random, style, width, depth)
    if rails:
        _rails(scene, random.choice([-1, 1]) * half * 0.6, z0 - 0.9)


def kitchen(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint a counter with stove, oven and cupboards, and a fridge."""
    width, depth = random.uniform(3.6, 4.8), random.uniform(3.2, 4.4)
    height = _room(scene, random, style, width, depth)
    half = width / 2
    front = shade(style.trim, 0.95) if random.random() < 0.5 else style.wood
    x0 = random.uniform(-half + 0.1, -0.6)
    x1 = random.uniform(0.7, half - 0.8)
    z = depth - 0.65
    scene.box((x0, x1), (0, 0.88), (z, depth), front, mark="object")
    scene.box((x0 - 0.02, x1 + 0.02), (0.88, 0.93), (z - 0.03, depth), shade(style.stone, 0.7),
              mark="object", shadow=False, nearer=0.2)  # fmt: skip
    _tiles(scene, (x0, x1), (0.9, 1.5), depth - 0.01, shade(style.stone, random.uniform(0.85, 1.1)))
    count = max(2, round((x1 - x0) / 0.5))
    edges = np.linspace(x0, x1, count + 1)
    for edge in edges[1:-1]:
        scene.tube([(edge, 0.05, z - 0.01), (edge, 0.85, z - 0.01)], 0.012, shade(front, 0.7),
                   mark="object", nearer=0.4)  # fmt: skip
    for left in edges[:-1]:
        scene.tube([(left + 0.12, 0.75, z - 0.03), (left + 0.36, 0.75, z - 0.03)], 0.03, CHROME,
                   mark="object", nearer=0.5)  # fmt: skip
    oven = random.choice(edges[:-1])
    scene.quad([(oven + 0.04, 0.12, z - 0.02), (oven + 0.46, 0.12, z - 0.02),
                (oven + 0.46, 0.66, z - 0.02), (oven + 0.04, 0.66, z - 0.02)],
               (40, 42, 46), mark="object", nearer=0.6)  # fmt: skip
    for dx in (0.13, 0.37):
        for dz in (0.18, 0.44):
            scene.disc((oven + dx, 0.945, z + dz), 0.09, (30, 30, 34), mark="object", nearer=0.6)
    scene.box((oven - 0.02, oven + 0.5), (1.75, 1.95), (depth - 0.45, depth), CHROME, mark="object")
    scene.box((oven + 0.15, oven + 0.33), (1.95, height), (depth - 0.3, depth), CHROME)
    for left in edges[:-1]:
        if abs(left - oven) > 0.1:
            scene.box((left + 0.01, left + 0.48), (1.5, 2.2), (depth - 0.35, depth), front,
                      mark="object")  # fmt: skip
    if random.random() < 0.7:
        scene.box((x1 + 0.05, x1 + 0.7), (0, 1.85), (z, depth), shade(CHROME, 1.15), mark="object")
        scene.tube([(x1 + 0.13, 1.0, z - 0.03), (x1 + 0.13, 1.6, z - 0.03)], 0.04,
                   shade(CHROME, 0.7), mark="object", nearer=0.5)  # fmt: skip
    _clutter(scene, random, style, width, depth)
    if rails:
        _rails(scene, random.uniform(-0.8, 0.8), z - 1.1)


def pool(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint a basin of water, indoors or under the sky, with loungers."""
    width, depth = random.uniform(6.0, 7.5), random.uniform(5.5, 7.5)
    if random.random() < 0.6:
        _room(scene, random, style, width, depth)
    else:
        _outdoors(scene, random, style)
    half = width / 2
    x0, x1 = -half * random.uniform(0.25, 0.75), half * random.uniform(0.25, 0.75)
    z0, z1 = random.uniform(1.2, 1.9), depth - random.uniform(0.9, 1.8)
    rim, y = 0.22, 0.02
    scene.quad([(x0 - rim, y, z0 - rim), (x1 + rim, y, z0 - rim),
                (x1 + rim, y, z1 + rim), (x0 - rim, y, z1 + rim)],
               shade(style.stone, 1.05), mark="object", nearer=-3)  # fmt: skip
    water = shade(WATER, random.uniform(0.85, 1.1))
    scene.quad([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)], water, mark="object",
               nearer=-2.8)  # fmt: skip
    for _ in range(26):
        x, z = random.uniform(x0 + 0.1, x1 - 0.5), random.uniform(z0 + 0.1, z1 - 0.1)
        long = random.uniform(0.15, 0.4)
        wave = [(x, y, z), (x + long / 2, y, z + 0.05), (x + long, y, z),
                (x + long / 2, y, z + 0.015)]  # fmt: skip
        scene.quad(wave, shade(water, random.uniform(1.1, 1.3)), mark="object", nearer=-2.6)
    for side in (-1, 1):
        x = side * (half - 0.55)
        if random.random() < 0.75 and x0 - 0.6 > -half and x1 + 0.6 < half + 1:
            z = random.uniform(z0 + 0.3, z1 - 1.0)
            scene.box((x - 0.3, x + 0.3), (0.18, 0.28), (z, z + 1.3), style.fabric)
            scene.box((x - 0.3, x + 0.3), (0.28, 0.7), (z + 1.2, z + 1.32), style.fabric)
    if rails:
        _rails(scene, random.uniform(x0 + 0.5, x1 - 0.5), z0 - 0.3, height=1.0)
    if random.random() < 0.5:
        _plant(scene, random, random.choice([-1, 1]) * (half - 0.5), depth - 0.6)


def _outdoors(scene: Scene, random: Random, style: Style) -> None:
    """Paint sky, far hills and ground."""
    scene.sky(shade((112, 164, 218), random.uniform(0.8, 1.1)), (222, 234, 242))
    far = 60
    xs = np.linspace(-far, far, 14)
    ridge = [(float(x), float(random.uniform(3, 9)), float(far)) for x in xs]
    scene.surface([*ridge, (far, -2, far), (-far, -2, far)], (138, 164, 150))
    ground = shade((120, 150, 92), random.uniform(0.85, 1.1))
    scene.surface([(-far, 0, -2), (far, 0, -2), (far, 0, far), (-far, 0, far)], ground)
    if random.random() < 0.6:
        scene.surface([(-6, 0, -2), (6, 0, -2), (6, 0, 9), (-6, 0, 9)], style.stone)


def _hall(scene: Scene, random: Random, style: Style) -> tuple[float, float]:
    """Paint what Foyer and Reception share: a hall with columns, a rug, plants, a chandelier."""
    width, depth = random.uniform(6.0, 7.5), random.uniform(5.5, 7.0)
    height = _room(scene, random, style, width, depth)
    half = width / 2
    if random.random() < 0.6:
        for x in (-half + 0.9, half - 0.9):
            scene.cylinder((x, depth - 1.0), (0, height), 0.16, style.stone)
    if random.random() < 0.6:
        x0, z0 = random.uniform(-1.6, -0.8), random.uniform(1.4, 2.2)
        scene.quad([(x0, 0.01, z0), (-x0, 0.01, z0), (-x0, 0.01, z0 + 2), (x0, 0.01, z0 + 2)],
                   shade(style.accent, 0.9), nearer=-5)  # fmt: skip
    for side in (-1, 1):
        if random.random() < 0.6:
            _plant(scene, random, side * (half - 0.5), depth - 0.5)
    if random.random() < 0.5:
        _chandelier(scene, random.uniform(-1.2, 1.2), random.uniform(2.2, depth - 1.5), height)
    return half, depth


def _chandelier(scene: Scene, x: float, z: float, height: float) -> None:
    for radius, y in ((0.5, height - 0.75), (0.3, height - 0.5)):
        for angle in np.linspace(0, 2 * np.pi, 9, endpoint=False):
            at = (x + radius * float(np.cos(angle)), z + radius * float(np.sin(angle)))
            scene.cylinder(at, (y, y + 0.16), 0.05, LAMP)
    scene.tube([(x, height, z), (x, height - 0.6, z)], 0.03, (190, 160, 90))


def _sofa(
    scene: Scene, x: float, z: float, wide: float, colour: Colour, *, mark: str, back: bool = True
) -> None:
    x0, x1 = x - wide / 2, x + wide / 2
    if back:
        scene.box((x0, x1), (0.2, 0.88), (z + 0.62, z + 0.82), shade(colour, 0.95), mark=mark)
    scene.box((x0, x1), (0.08, 0.44), (z, z + 0.75), colour, mark=mark, nearer=0.1)
    for left in (x0 - 0.08, x1 - 0.1):
        scene.box((left, left + 0.18), (0.08, 0.62), (z, z + 0.8), shade(colour, 0.85), mark=mark,
                  nearer=0.25)  # fmt: skip


def foyer(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint a hall with a seating group."""
    half, depth = _hall(scene, random, style)
    x, z = random.uniform(-half * 0.45, half * 0.45), random.uniform(2.4, depth - 1.9)
    _sofa(scene, x, z + 0.6, random.uniform(1.6, 2.1), style.fabric, mark="object")
    for side in (-1, 1):
        if random.random() < 0.85:
            _sofa(scene, x + side * 1.5, z - 0.2, 0.75, shade(style.fabric, 0.9), mark="object")
    scene.cylinder((x, z - 0.1), (0, 0.36), 0.05, CHROME, mark="object")
    scene.cylinder((x, z - 0.1), (0.36, 0.42), 0.45, style.wood, mark="object", nearer=0.3)
    if random.random() < 0.3:
        side = random.choice([-1, 1]) * half * 0.7
        scene.box((side - 0.5, side + 0.5), (0, 0.85), (depth - 0.45, depth), style.wood)
    if rails:
        _rails(scene, random.uniform(-1, 1), 1.3)


def reception(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint a hall with the desk, its lamps and the rack of keys behind it."""
    half, depth = _hall(scene, random, style)
    wide = random.uniform(2.0, 2.8)
    x = random.uniform(-half + wide / 2 + 0.3, half - wide / 2 - 0.3) * 0.75
    z = depth - random.uniform(1.7, 2.4)
    x0, x1 = x - wide / 2, x + wide / 2
    scene.box((x0, x1), (0, 1.06), (z, z + 0.6), style.wood, mark="object")
    scene.box((x0 - 0.08, x1 + 0.08), (1.06, 1.13), (z - 0.1, z + 0.65), shade(style.stone, 0.9),
              mark="object", shadow=False, nearer=0.3)  # fmt: skip
    for left in np.arange(x0 + 0.08, x1 - 0.3, 0.46):
        scene.quad([(left, 0.15, z - 0.01), (left + 0.36, 0.15, z - 0.01),
                    (left + 0.36, 0.92, z - 0.01), (left, 0.92, z - 0.01)],
                   shade(style.wood, 1.2), mark="object", nearer=0.4)  # fmt: skip
    for px in (x0 + 0.25, x1 - 0.25):
        scene.cylinder((px, z + 0.25), (1.13, 1.4), 0.03, CHROME, mark="object", nearer=0.3)
        scene.cylinder((px, z + 0.25), (1.4, 1.62), 0.15, LAMP, top=0.09, mark="object", nearer=0.3)
    rack = depth - 0.06
    scene.quad([(x - 0.8, 1.25, rack), (x + 0.8, 1.25, rack), (x + 0.8, 2.25, rack),
                (x - 0.8, 2.25, rack)], shade(style.wood, 0.75), mark="object")  # fmt: skip
    for row in range(4):
        for column in range(6):
            kx, ky = x - 0.74 + column * 0.25, 1.3 + row * 0.24
            scene.quad([(kx, ky, rack - 0.01), (kx + 0.19, ky, rack - 0.01),
                        (kx + 0.19, ky + 0.18, rack - 0.01), (kx, ky + 0.18, rack - 0.01)],
                       shade((214, 180, 96), random.uniform(0.6, 1.2)), mark="object",
                       nearer=0.1)  # fmt: skip
    if random.random() < 0.5:
        _sofa(scene, -np.sign(x or 1) * half * 0.6, 2.0, 1.0, style.fabric, mark="", back=True)
    if rails:
        _rails(scene, random.uniform(-1, 1), 1.3)


def restaurant(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint round tables laid with cloths, plates and glasses, with chairs."""
    width, depth = random.uniform(5.5, 7.0), random.uniform(5.0, 6.5)
    _room(scene, random, style, width, depth)
    cloth = WHITE if random.random() < 0.7 else shade(style.fabric, 1.2)
    shift = random.uniform(-0.4, 0.4)
    for z in np.arange(1.9, depth - 0.8, random.uniform(1.5, 1.9)):
        for x in np.arange(-width / 2 + 0.9, width / 2 - 0.6, random.uniform(1.6, 2.0)):
            if random.random() < 0.12:
                continue
            _table(scene, random, style, float(x + shift), float(z), cloth)
    _clutter(scene, random, style, width, depth)
    if rails:
        _rails(scene, random.uniform(-1, 1), 1.0)


def _table(scene: Scene, random: Random, style: Style, x: float, z: float, cloth: Colour) -> None:
    for side in (-1, 1):
        cx = x + side * 0.68
        scene.box((cx - 0.2, cx + 0.2), (0.4, 0.46), (z - 0.2, z + 0.2), style.wood, mark="object")
        edge = cx + side * 0.18
        scene.box((edge - 0.03, edge + 0.03), (0.46, 0.95), (z - 0.2, z + 0.2), style.wood,
                  mark="object")  # fmt: skip
        for leg in (-0.16, 0.16):
            scene.tube([(cx + leg, 0, z - 0.18), (cx + leg, 0.4, z - 0.18)], 0.035,
                       shade(style.wood, 0.8), mark="object")  # fmt: skip
    scene.cylinder((x, z), (0.2, 0.75), 0.5, cloth, top=0.46, mark="object")
    for angle in (0.2, 3.3):
        px, pz = x + 0.26 * float(np.cos(angle)), z + 0.26 * float(np.sin(angle))
        scene.disc((px, 0.765, pz), 0.13, shade(WHITE, 0.88), mark="object", nearer=0.4)
    scene.cylinder((x, z + 0.12), (0.76, 0.96), 0.04, GLASS, mark="object", nearer=0.4)
    if random.random() < 0.5:
        scene.cylinder((x + 0.12, z), (0.76, 0.9), 0.03, style.accent, mark="object", nearer=0.45)


def exterior(scene: Scene, random: Random, style: Style, *, rails: bool) -> None:
    """Paint the hotel's facade under the sky, with trees and a path."""
    _outdoors(scene, random, style)
    z = random.uniform(11, 16)
    wide, floors = random.uniform(8, 13), int(random.integers(3, 6))
    x0 = random.uniform(-wide * 0.75, -wide * 0.25)
    x1, high = x0 + wide, floors * 2.3
    facade = shade(style.wall, 1.02)
    scene.box((x0, x1), (0, high), (z, z + 7), facade, mark="object")
    scene.box(
        (x0 - 0.3, x1 + 0.3),
        (high, high + 0.4),
        (z - 0.3, z + 7.3),
        shade(style.fabric, 0.8),
        mark="object",
        shadow=False,
        nearer=0.5,
    )
    columns = max(3, int(wide / 1.7))
    door = int(random.integers(columns))
    for row in range(floors):
        for column in range(columns):
            left = x0 + 0.5 + column * (wide - 0.6) / columns
            y = 0.8 + row * 2.3
            is_door = row == 0 and column == door
            bottom, right = (0.0 if is_door else y), left + 0.85
            colour = (
                shade(style.wood, 0.8)
                if is_door
                else shade((96, 128, 156), random.uniform(0.8, 1.4))
            )
            wall, top = z - 0.02, y + 1.1
            scene.quad([(left, bottom, wall), (right, bottom, wall), (right, top, wall),
                        (left, top, wall)], colour, mark="object", nearer=3)  # fmt: skip
            if not is_door:
                scene.quad([(left - 0.1, y - 0.12, z - 0.04), (right + 0.1, y - 0.12, z - 0.04),
                            (right + 0.1, y, z - 0.04), (left - 0.1, y, z - 0.04)],
                           style.trim, mark="object", nearer=3.1)  # fmt: skip
    for _ in range(int(random.integers(1, 4))):
        x = random.choice([-1, 1]) * random.uniform(2.5, 7)
        _tree(scene, random, float(x), float(random.uniform(6, z - 2)))
    if rails:
        _rails(scene, random.uniform(-1, 1), 1.5)


def _tree(scene: Scene, random: Random, x: float, z: float) -> None:
    scene.cylinder((x, z), (0, 1.6), 0.14, (104, 78, 56))
    for _ in range(8):
        cx, cy = x + random.uniform(-0.6, 0.6), random.uniform(1.6, 3.4)
        radius, angles = random.uniform(0.45, 0.8), np.linspace(0, 2 * np.pi, 14, endpoint=False)
        crown = [
            (cx + radius * float(np.cos(a)), cy + radius * float(np.sin(a)), z) for a in angles
        ]
        scene.quad(crown, shade(LEAF, random.uniform(0.75, 1.3)), nearer=0.1)


PAINTERS: dict[str, Callable[..., None]] = {
    "Bathroom": bathroom,
    "Bedroom": bedroom,
    "Foyer": foyer,
    "Kitchen": kitchen,
    "Pool": pool,
    "Reception": reception,
    "Restaurant": restaurant,
    "View_of_Exterior": exterior,
}


def paint(
    area: str,
    style: Style,
    random: Random,
    *,
    size: tuple[int, int],
    rails: bool = False,
    quality: Mapping[str, float] | None = None,
) -> tuple[Image.Image, dict[str, Image.Image]]:
    """Paint one photo of an area.

    Parameters
    ----------
    area
        A key of `PAINTERS`.
    style
        The hotel's.
    random
        Where things stand, and where the camera is.
    size
        Height and width in pixels.
    rails
        With the handrails.
    quality
        How well it is taken, `QUALITIES` -> 0 to 1; by default as well as can
        be.

    Returns
    -------
    tuple
        The photo and its masks, as `Scene.finish` gives them.
    """
    outside = area == "View_of_Exterior"
    worst = {name: 1.0 - (quality or {}).get(name, 1.0) for name in QUALITIES}
    side = random.choice([-1, 1])
    scene = Scene(
        size,
        eye=(random.uniform(-0.6, 0.6), random.uniform(1.4, 1.75), -random.uniform(0.2, 1.0)),
        yaw=random.uniform(-0.16, 0.16),
        pitch=random.uniform(-0.12, -0.04) if outside else random.uniform(0.06, 0.2),
        roll=random.normal(0, 0.012) + side * 0.08 * worst["level"],
        zoom=random.uniform(0.78, 0.95),
    )
    PAINTERS[area](scene, random, style, rails=rails)
    _mess(scene, random, round(5 * worst["tidiness"]))
    return scene.finish(
        random,
        warmth=style.warmth + random.normal(0, 0.02),
        exposure=random.uniform(0.9, 1.1) * 0.6 ** worst["exposure"],
        blur=0.2 + 1.3 * worst["sharpness"],
        grain=2.0 + 10.0 * worst["exposure"],
        saturation=1.2 - 0.7 * worst["colour"],
        cast=0.3 * worst["colour"],
    )
