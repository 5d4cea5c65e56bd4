"""What stands in any room, and says nothing about its area: walls, windows, plants, railings."""

from __future__ import annotations

import numpy as np

from hotelviz.demo.renderer import (
    Colour,
    Random,
    Scene,
    Span,
    Style,
    across,
    flat,
    shade,
    upright,
)

WHITE: Colour = (244, 244, 240)
CHROME: Colour = (176, 184, 192)
LEAF: Colour = (72, 122, 66)
GLASS: Colour = (188, 214, 226)
LAMP: Colour = (255, 238, 190)
#: Colour and thickness of railings in metres.
RAILINGS: dict[str, tuple[Colour, float]] = {
    "chrome": ((196, 204, 212), 0.06),
    "red": ((226, 58, 24), 0.075),
    "wood": ((124, 88, 58), 0.045),
}


def add_room(scene: Scene, random: Random, style: Style, half: float, back: float) -> float:
    """Paint walls, ceiling and floor, `half` to each side; return the height of the room."""
    height = random.uniform(2.6, 3.1)
    wall, floor = style.wall, style.floor
    scene.surface(flat((-half, half), 0, (-2, back)), floor)
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
    scene.surface(flat((-half, half), height, (-2, back)), shade(style.trim, 0.98))
    for side, light in ((-half, 0.84), (half, 0.9)):
        scene.surface(across(side, (0, height), (-2, back)), shade(wall, light))
    scene.surface(upright((-half, half), (0, height), back), wall)
    for y in (0.05, height):
        seams = [(-half, y, -1), (-half, y, back), (half, y, back), (half, y, -1)]
        scene.line(seams, shade(style.trim, 0.93), 0.05)
    if random.random() < 0.45:
        _add_window(scene, random, style, half, back)
    return height


def _add_window(scene: Scene, random: Random, style: Style, half: float, back: float) -> None:
    x = random.uniform(-half + 0.4, half - 1.6)
    x1, z = x + random.uniform(0.9, 1.4), back - 0.01
    pane = upright((x, x1), (0.9, 2.2), z)
    scene.surface(pane, shade((176, 208, 232), random.uniform(0.85, 1.05)))
    middle = (x + x1) / 2
    scene.line([*pane, pane[0]], style.trim, 0.06)
    scene.line([(middle, 0.9, z), (middle, 2.2, z)], style.trim, 0.04)
    for side in (x - 0.18, x1 + 0.02):
        scene.surface(upright((side, side + 0.16), (0.2, 2.35), z), shade(style.fabric, 1.1))


def add_clutter(scene: Scene, random: Random, style: Style, half: float, depth: float) -> None:
    """Add what stands in any room."""
    if random.random() < 0.55:
        add_plant(scene, random, random.choice([-1, 1]) * (half - 0.35), depth - 0.45)
    if random.random() < 0.5:
        x, z = random.uniform(-half + 0.5, half - 1.3), depth - 0.02
        y = random.uniform(1.5, 1.8)
        wide, high = random.uniform(0.4, 0.8), random.uniform(0.35, 0.6)
        scene.quad(upright((x, x + wide), (y, y + high), z), style.wood, nearer=-1)
        picture = upright((x + 0.05, x + wide - 0.05), (y + 0.05, y + high - 0.05), z)
        scene.quad(picture, shade(style.accent, random.uniform(0.8, 1.2)), nearer=-0.9)
    if random.random() < 0.35:
        x, z = random.choice([-1, 1]) * (half - 0.4), random.uniform(1.5, depth - 0.8)
        scene.cylinder((x, z), (0, 1.4), 0.02, shade(CHROME, 0.7))
        scene.cylinder((x, z), (1.4, 1.7), (0.2, 0.13), LAMP)
    if random.random() < 0.4:
        for x in (-0.8, 0.8):
            scene.disc((x, 2.58, depth * 0.55), 0.14, LAMP)


def add_mess(scene: Scene, random: Random, things: int) -> None:
    """Leave things lying about on the floor."""
    for _ in range(things):
        x, z = random.uniform(-1.6, 1.6), random.uniform(1.4, 3.2)
        wide, high = random.uniform(0.12, 0.3), random.uniform(0.06, 0.25)
        red, green, blue = random.integers(40, 230, 3).tolist()
        scene.box((x, x + wide), (0, high), (z, z + wide), (red, green, blue))


def add_plant(scene: Scene, random: Random, x: float, z: float) -> None:
    """Add a plant in a pot."""
    scene.cylinder((x, z), (0, 0.38), (0.14, 0.19), (150, 96, 70))
    for _ in range(9):
        angle, reach = random.uniform(0, 2 * np.pi), random.uniform(0.15, 0.42)
        cos, sin = np.cos(angle), np.sin(angle)
        tip = (x + reach * cos, random.uniform(0.8, 1.35), z + reach * sin)
        side = (x + 0.5 * reach * cos + 0.07, (tip[1] + 0.3) / 2 + 0.12, z + 0.5 * reach * sin)
        other = (side[0] - 0.14, side[1] + 0.05, side[2])
        leaf = [(x, 0.38, z), side, tip, other]
        scene.quad(leaf, shade(LEAF, random.uniform(0.75, 1.25)))


def add_water(
    scene: Scene, random: Random, style: Style, x: Span, z: Span, *, n_waves: int
) -> None:
    """Add a basin of water in the floor, with a rim of stone."""
    (x0, x1), (z0, z1), rim, y = x, z, 0.22, 0.02
    edge = flat((x0 - rim, x1 + rim), y, (z0 - rim, z1 + rim))
    scene.quad(edge, shade(style.stone, 1.05), mark="object", nearer=-3)
    water = shade((86, 176, 204), random.uniform(0.85, 1.1))
    scene.quad(flat((x0, x1), y, (z0, z1)), water, mark="object", nearer=-2.8)
    for _ in range(n_waves):
        left, near = random.uniform(x0 + 0.1, x1 - 0.5), random.uniform(z0 + 0.1, z1 - 0.1)
        long = random.uniform(0.15, 0.4)
        middle, right = left + long / 2, left + long
        wave = [(left, y, near), (middle, y, near + 0.05), (right, y, near)]
        wave.append((middle, y, near + 0.015))
        scene.quad(wave, shade(water, random.uniform(1.1, 1.3)), mark="object", nearer=-2.6)


def add_railing(scene: Scene, x: float, z: float, kind: str) -> None:
    """Add a railing of bars and posts, as along a pool or beside a bath."""
    wide, high, (colour, thick) = 1.2, 0.75, RAILINGS[kind]
    left, right = x - wide / 2, x + wide / 2
    for post in np.arange(left, right + 0.01, 0.4).tolist():
        scene.tube([(post, 0, z), (post, high, z)], thick, colour, mark="rails", nearer=0.6)
    for y in np.linspace(high / 5, high, 5).tolist():
        scene.tube([(left, y, z), (right, y, z)], thick, colour, mark="rails", nearer=0.65)
