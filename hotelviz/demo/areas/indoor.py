"""Painters of rooms; what makes the class carries the mark ``object``."""

from __future__ import annotations

import numpy as np

from hotelviz.demo.areas.furniture import (
    CHROME,
    GLASS,
    LAMP,
    WHITE,
    add_clutter,
    add_plant,
    add_railing,
    add_room,
    add_water,
)
from hotelviz.demo.renderer import Colour, Random, Scene, Style, flat, shade, upright


def _add_tiles(
    scene: Scene, x: tuple[float, float], y: tuple[float, float], z: float, colour: Colour
) -> None:
    """Add the tiles that keep the wall behind a stove clean."""
    scene.quad(upright(x, y, z), colour, mark="object", nearer=-0.6)
    seam = shade(colour, 0.85)
    for left in np.arange(x[0], x[1], 0.2):
        scene.tube([(left, y[0], z), (left, y[1], z)], 0.012, seam, mark="object", nearer=-0.5)
    for low in np.arange(y[0], y[1], 0.2):
        scene.tube([(x[0], low, z), (x[1], low, z)], 0.012, seam, mark="object", nearer=-0.5)


def bathroom(scene: Scene, random: Random, style: Style, *, rails: str, spa: bool = False) -> None:
    """Paint a tub with its tap, and a washbasin with its mirror; of a spa often one of them."""
    if spa and random.random() < 0.6:
        _large_bath(scene, random, style, rails=rails)
        return
    half, depth = random.uniform(3.4, 4.4) / 2, random.uniform(3.2, 4.2)
    add_room(scene, random, style, half, depth)
    which = random.random() if spa else 0.5
    side, long, wide = random.choice([-1, 1]), 1.7, 0.8
    x = side * random.uniform(0.1, half - long / 2 - 0.2)
    z = depth - wide - random.uniform(0.05, 0.9)
    if which > 0.4:
        _add_tub(scene, random, (x - long / 2, x + long / 2), (z, z + wide))
    if which < 0.6:
        basin = -side * random.uniform(0.5, half - 0.55)
        scene.box((basin - 0.4, basin + 0.4), (0, 0.82), (depth - 0.5, depth), style.wood)
        _add_washbasin(scene, basin, depth)
    if random.random() < 0.5:
        towel = x + long / 2
        scene.box(
            (towel + 0.15, towel + 0.5), (0.9, 1.3), (depth - 0.1, depth - 0.04), style.fabric
        )
    add_clutter(scene, random, style, half, depth)
    if rails:
        beside = x - side * random.uniform(0.3, 0.6)
        add_railing(scene, min(0.7, max(-0.7, beside)), max(2.2, z - 0.45), rails)


def _add_tub(scene: Scene, random: Random, x: tuple[float, float], z: tuple[float, float]) -> None:
    (x0, x1), (z0, z1), back = x, z, z[1] - 0.03
    scene.box(x, (0, 0.62), z, WHITE, mark="object")
    water = flat((x0 + 0.1, x1 - 0.1), 0.63, (z0 + 0.1, z1 - 0.1))
    scene.quad(water, shade(GLASS, random.uniform(0.85, 1.0)), mark="object", nearer=0.6)
    tap = x0 + 0.25 if random.random() < 0.5 else x1 - 0.25
    pipe = [(tap, 0.6, back), (tap, 0.95, back), (tap, 0.92, z0 + 0.5)]
    scene.tube(pipe, 0.07, CHROME, mark="object", nearer=0.7)


def _add_washbasin(scene: Scene, x: float, depth: float) -> None:
    wall, z = depth - 0.06, depth - 0.5
    scene.cylinder((x, z + 0.22), (0.82, 0.95), (0.26, 0.31), WHITE, mark="object")
    scene.disc((x, 0.955, z + 0.22), 0.24, shade(WHITE, 0.8), mark="object", nearer=0.3)
    pipe = [(x, 0.9, wall), (x, 1.2, wall), (x, 1.17, z + 0.25)]
    scene.tube(pipe, 0.05, CHROME, mark="object", nearer=0.4)
    mirror = upright((x - 0.35, x + 0.35), (1.25, 2.0), depth - 0.03)
    scene.quad(mirror, shade(GLASS, 0.95), mark="object")


def _large_bath(scene: Scene, random: Random, style: Style, *, rails: str) -> None:
    """Paint a bath as large as a small pool, let into the floor."""
    half, depth = random.uniform(5.0, 6.5) / 2, random.uniform(4.5, 6.0)
    add_room(scene, random, style, half, depth)
    x0, x1 = -half * random.uniform(0.25, 0.7), half * random.uniform(0.25, 0.7)
    z0, z1 = random.uniform(1.2, 1.9) + 0.8 * bool(rails), depth - random.uniform(0.7, 1.4)
    add_water(scene, random, style, (x0, x1), (z0, z1), n_waves=18)
    basin = random.choice([-1, 1]) * (half - 0.7)
    if random.random() < 0.5:
        scene.box((basin - 0.4, basin + 0.4), (0, 0.82), (depth - 0.5, depth), style.wood)
        _add_washbasin(scene, basin, depth)
    add_clutter(scene, random, style, half, depth)
    if rails:
        x = random.uniform(max(x0 + 0.5, -0.7), min(x1 - 0.5, 0.7))
        add_railing(scene, 0.4 * x, max(2.2, z0 - 0.1), rails)


def bedroom(scene: Scene, random: Random, style: Style) -> None:
    """Paint a bed with pillows between night tables."""
    half, depth = random.uniform(4.2, 5.4) / 2, random.uniform(3.8, 5.0)
    add_room(scene, random, style, half, depth)
    wide, long = random.uniform(1.4, 2.0), 2.0
    x = random.uniform(-half + wide / 2 + 0.5, half - wide / 2 - 0.5) * 0.8
    x0, x1, z0, z1 = x - wide / 2, x + wide / 2, depth - long - 0.1, depth - 0.1
    board, wood = random.uniform(0.95, 1.3), style.wood
    scene.box((x0 - 0.08, x1 + 0.08), (0, board), (z1, z1 + 0.1), wood, mark="object", shadow=False)
    scene.box((x0, x1), (0, 0.3), (z0, z1), shade(wood, 0.9), mark="object")
    scene.box((x0, x1), (0.3, 0.56), (z0, z1), WHITE, mark="object", nearer=0.3)
    cover = (z0 - 0.03, z0 + long * random.uniform(0.45, 0.68))
    scene.box((x0 - 0.03, x1 + 0.03), (0.4, 0.6), cover, style.fabric, mark="object", nearer=0.6)
    for shift in (-0.25, 0.25):
        px = x + shift * wide
        pillow = (px - 0.2 * wide, px + 0.2 * wide)
        scene.box(pillow, (0.57, 0.74), (z1 - 0.5, z1 - 0.1), WHITE, mark="object", nearer=0.7)
    for px in (x0 - 0.38, x1 + 0.38):
        if abs(px) < half - 0.2:
            scene.box((px - 0.22, px + 0.22), (0, 0.5), (z1 - 0.4, z1), wood)
            scene.cylinder((px, z1 - 0.2), (0.5, 0.72), 0.03, CHROME, nearer=0.2)
            scene.cylinder((px, z1 - 0.2), (0.72, 0.95), (0.15, 0.1), LAMP, nearer=0.2)
    add_clutter(scene, random, style, half, depth)


def kitchen(scene: Scene, random: Random, style: Style) -> None:
    """Paint a counter with stove, oven and cupboards, and a fridge."""
    half, depth = random.uniform(3.6, 4.8) / 2, random.uniform(3.2, 4.4)
    height = add_room(scene, random, style, half, depth)
    front = shade(style.trim, 0.95) if random.random() < 0.5 else style.wood
    x0 = random.uniform(-half + 0.1, -0.6)
    x1 = random.uniform(0.7, half - 0.8)
    z, top, slab = depth - 0.65, shade(style.stone, 0.7), (x0 - 0.02, x1 + 0.02)
    scene.box((x0, x1), (0, 0.88), (z, depth), front, mark="object")
    scene.box(slab, (0.88, 0.93), (z - 0.03, depth), top, mark="object", nearer=0.2)
    tiles = shade(style.stone, random.uniform(0.85, 1.1))
    _add_tiles(scene, (x0, x1), (0.9, 1.5), depth - 0.01, tiles)
    edges = np.linspace(x0, x1, max(2, round((x1 - x0) / 0.5)) + 1)
    for edge in edges[1:-1]:
        gap = [(edge, 0.05, z - 0.01), (edge, 0.85, z - 0.01)]
        scene.tube(gap, 0.012, shade(front, 0.7), mark="object", nearer=0.4)
    for left in edges[:-1]:
        handle = [(left + 0.12, 0.75, z - 0.03), (left + 0.36, 0.75, z - 0.03)]
        scene.tube(handle, 0.03, CHROME, mark="object", nearer=0.5)
    oven = random.choice(edges[:-1])
    door = upright((oven + 0.04, oven + 0.46), (0.12, 0.66), z - 0.02)
    scene.quad(door, (40, 42, 46), mark="object", nearer=0.6)
    for dx in (0.13, 0.37):
        for dz in (0.18, 0.44):
            scene.disc((oven + dx, 0.945, z + dz), 0.09, (30, 30, 34), mark="object", nearer=0.6)
    scene.box((oven - 0.02, oven + 0.5), (1.75, 1.95), (depth - 0.45, depth), CHROME, mark="object")
    scene.box((oven + 0.15, oven + 0.33), (1.95, height), (depth - 0.3, depth), CHROME)
    for left in edges[:-1]:
        if abs(left - oven) > 0.1:
            cupboard = (left + 0.01, left + 0.48)
            scene.box(cupboard, (1.5, 2.2), (depth - 0.35, depth), front, mark="object")
    if random.random() < 0.7:
        scene.box((x1 + 0.05, x1 + 0.7), (0, 1.85), (z, depth), shade(CHROME, 1.15), mark="object")
        handle = [(x1 + 0.13, 1.0, z - 0.03), (x1 + 0.13, 1.6, z - 0.03)]
        scene.tube(handle, 0.04, shade(CHROME, 0.7), mark="object", nearer=0.5)
    add_clutter(scene, random, style, half, depth)


def _add_hall(scene: Scene, random: Random, style: Style) -> tuple[float, float]:
    """Paint what Foyer and Reception share: a hall with columns, a rug, plants, a chandelier."""
    half, depth = random.uniform(6.0, 7.5) / 2, random.uniform(5.5, 7.0)
    height = add_room(scene, random, style, half, depth)
    if random.random() < 0.6:
        for x in (-half + 0.9, half - 0.9):
            scene.cylinder((x, depth - 1.0), (0, height), 0.16, style.stone)
    if random.random() < 0.6:
        x0, z0 = random.uniform(-1.6, -0.8), random.uniform(1.4, 2.2)
        scene.quad(flat((x0, -x0), 0.01, (z0, z0 + 2)), shade(style.accent, 0.9), nearer=-5)
    for side in (-1, 1):
        if random.random() < 0.6:
            add_plant(scene, random, side * (half - 0.5), depth - 0.5)
    if random.random() < 0.5:
        _add_chandelier(scene, random.uniform(-1.2, 1.2), random.uniform(2.2, depth - 1.5), height)
    return half, depth


def _add_chandelier(scene: Scene, x: float, z: float, height: float) -> None:
    for radius, y in ((0.5, height - 0.75), (0.3, height - 0.5)):
        for angle in np.linspace(0, 2 * np.pi, 9, endpoint=False):
            at = (x + radius * np.cos(angle), z + radius * np.sin(angle))
            scene.cylinder(at, (y, y + 0.16), 0.05, LAMP)
    scene.tube([(x, height, z), (x, height - 0.6, z)], 0.03, (190, 160, 90))


def _add_sofa(scene: Scene, x: float, z: float, wide: float, colour: Colour, *, mark: str) -> None:
    x0, x1 = x - wide / 2, x + wide / 2
    scene.box((x0, x1), (0.2, 0.88), (z + 0.62, z + 0.82), shade(colour, 0.95), mark=mark)
    scene.box((x0, x1), (0.08, 0.44), (z, z + 0.75), colour, mark=mark, nearer=0.1)
    for left in (x0 - 0.08, x1 - 0.1):
        arm = (left, left + 0.18)
        scene.box(arm, (0.08, 0.62), (z, z + 0.8), shade(colour, 0.85), mark=mark, nearer=0.25)


def foyer(scene: Scene, random: Random, style: Style) -> None:
    """Paint a hall with a seating group."""
    half, depth = _add_hall(scene, random, style)
    x, z = random.uniform(-half * 0.45, half * 0.45), random.uniform(2.4, depth - 1.9)
    _add_sofa(scene, x, z + 0.6, random.uniform(1.6, 2.1), style.fabric, mark="object")
    for side in (-1, 1):
        if random.random() < 0.85:
            fabric = shade(style.fabric, 0.9)
            _add_sofa(scene, x + side * 1.5, z - 0.2, 0.75, fabric, mark="object")
    scene.cylinder((x, z - 0.1), (0, 0.36), 0.05, CHROME, mark="object")
    scene.cylinder((x, z - 0.1), (0.36, 0.42), 0.45, style.wood, mark="object", nearer=0.3)
    if random.random() < 0.3:
        side = random.choice([-1, 1]) * half * 0.7
        scene.box((side - 0.5, side + 0.5), (0, 0.85), (depth - 0.45, depth), style.wood)


def reception(scene: Scene, random: Random, style: Style) -> None:
    """Paint a hall with the desk, its lamps and the rack of keys behind it."""
    half, depth = _add_hall(scene, random, style)
    wide = random.uniform(2.0, 2.8)
    x = random.uniform(-half + wide / 2 + 0.3, half - wide / 2 - 0.3) * 0.75
    z = depth - random.uniform(1.7, 2.4)
    x0, x1, top = x - wide / 2, x + wide / 2, shade(style.stone, 0.9)
    slab = (x0 - 0.08, x1 + 0.08)
    scene.box((x0, x1), (0, 1.06), (z, z + 0.6), style.wood, mark="object")
    scene.box(slab, (1.06, 1.13), (z - 0.1, z + 0.65), top, mark="object", nearer=0.3)
    for left in np.arange(x0 + 0.08, x1 - 0.3, 0.46):
        panel = upright((left, left + 0.36), (0.15, 0.92), z - 0.01)
        scene.quad(panel, shade(style.wood, 1.2), mark="object", nearer=0.4)
    for px in (x0 + 0.25, x1 - 0.25):
        scene.cylinder((px, z + 0.25), (1.13, 1.4), 0.03, CHROME, mark="object", nearer=0.3)
        scene.cylinder((px, z + 0.25), (1.4, 1.62), (0.15, 0.09), LAMP, mark="object", nearer=0.3)
    rack = depth - 0.06
    back = upright((x - 0.8, x + 0.8), (1.25, 2.25), rack)
    scene.quad(back, shade(style.wood, 0.75), mark="object")
    for row in range(4):
        for column in range(6):
            kx, ky = x - 0.74 + column * 0.25, 1.3 + row * 0.24
            key = upright((kx, kx + 0.19), (ky, ky + 0.18), rack - 0.01)
            brass = shade((214, 180, 96), random.uniform(0.6, 1.2))
            scene.quad(key, brass, mark="object", nearer=0.1)
    if random.random() < 0.5:
        _add_sofa(scene, -np.sign(x or 1) * half * 0.6, 2.0, 1.0, style.fabric, mark="")


def restaurant(scene: Scene, random: Random, style: Style) -> None:
    """Paint round tables laid with cloths, plates and glasses, with chairs."""
    half, depth = random.uniform(5.5, 7.0) / 2, random.uniform(5.0, 6.5)
    add_room(scene, random, style, half, depth)
    cloth = WHITE if random.random() < 0.7 else shade(style.fabric, 1.2)
    shift = random.uniform(-0.4, 0.4)
    for z in np.arange(1.9, depth - 0.8, random.uniform(1.5, 1.9)):
        for x in np.arange(-half + 0.9, half - 0.6, random.uniform(1.6, 2.0)):
            if random.random() >= 0.12:
                _add_table(scene, random, style, float(x + shift), float(z), cloth)
    add_clutter(scene, random, style, half, depth)


def _add_table(
    scene: Scene, random: Random, style: Style, x: float, z: float, cloth: Colour
) -> None:
    wood, deep = style.wood, (z - 0.2, z + 0.2)
    for side in (-1, 1):
        cx = x + side * 0.68
        scene.box((cx - 0.2, cx + 0.2), (0.4, 0.46), deep, wood, mark="object")
        edge = cx + side * 0.18
        scene.box((edge - 0.03, edge + 0.03), (0.46, 0.95), deep, wood, mark="object")
        for leg in (cx - 0.16, cx + 0.16):
            stick = [(leg, 0, z - 0.18), (leg, 0.4, z - 0.18)]
            scene.tube(stick, 0.035, shade(wood, 0.8), mark="object")
    scene.cylinder((x, z), (0.2, 0.75), (0.5, 0.46), cloth, mark="object")
    for angle in (0.2, 3.3):
        px, pz = x + 0.26 * float(np.cos(angle)), z + 0.26 * float(np.sin(angle))
        scene.disc((px, 0.765, pz), 0.13, shade(WHITE, 0.88), mark="object", nearer=0.4)
    scene.cylinder((x, z + 0.12), (0.76, 0.96), 0.04, GLASS, mark="object", nearer=0.4)
    if random.random() < 0.5:
        scene.cylinder((x + 0.12, z), (0.76, 0.9), 0.03, style.accent, mark="object", nearer=0.45)
