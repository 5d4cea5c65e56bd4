"""Painters of pools and facades; what makes the class carries the mark ``object``."""

from __future__ import annotations

import numpy as np

from hotelviz.demo.areas.furniture import (
    LEAF,
    add_plant,
    add_railing,
    add_room,
    add_water,
)
from hotelviz.demo.renderer import Random, Scene, Style, flat, shade, upright


def pool(scene: Scene, random: Random, style: Style, *, rails: str) -> None:
    """Paint a basin of water, indoors or under the sky, with loungers."""
    half, depth = random.uniform(6.0, 7.5) / 2, random.uniform(5.5, 7.5)
    if random.random() < 0.6:
        add_room(scene, random, style, half, depth)
    else:
        _add_landscape(scene, random, style)
    x0, x1 = -half * random.uniform(0.25, 0.75), half * random.uniform(0.25, 0.75)
    z0, z1 = random.uniform(1.2, 1.9), depth - random.uniform(0.9, 1.8)
    if rails:
        z0 += 0.8  # the whole railing is in the picture
    add_water(scene, random, style, (x0, x1), (z0, z1), n_waves=26)
    for side in (-1, 1):
        x = side * (half - 0.55)
        if random.random() < 0.75 and x0 - 0.6 > -half and x1 + 0.6 < half + 1:
            z = random.uniform(z0 + 0.3, max(z0 + 0.3, z1 - 1.0))
            scene.box((x - 0.3, x + 0.3), (0.18, 0.28), (z, z + 1.3), style.fabric)
            scene.box((x - 0.3, x + 0.3), (0.28, 0.7), (z + 1.2, z + 1.32), style.fabric)
    if rails:
        # Where the camera sees them.
        x = random.uniform(max(x0 + 0.5, -0.7), min(x1 - 0.5, 0.7))
        add_railing(scene, 0.4 * x, max(z0 - 0.1, 2.2), rails)
    if random.random() < 0.5:
        add_plant(scene, random, random.choice([-1, 1]) * (half - 0.5), depth - 0.6)


def _add_landscape(scene: Scene, random: Random, style: Style) -> None:
    """Paint sky, far hills and ground."""
    scene.sky(shade((112, 164, 218), random.uniform(0.8, 1.1)), (222, 234, 242))
    far = 60
    xs = np.linspace(-far, far, 14)
    ridge = [(float(x), float(random.uniform(3, 9)), float(far)) for x in xs]
    scene.surface([*ridge, (far, -2, far), (-far, -2, far)], (138, 164, 150))
    ground = shade((120, 150, 92), random.uniform(0.85, 1.1))
    scene.surface(flat((-far, far), 0, (-2, far)), ground)
    if random.random() < 0.6:
        scene.surface(flat((-6, 6), 0, (-2, 9)), style.stone)


def exterior(scene: Scene, random: Random, style: Style) -> None:
    """Paint the hotel's facade under the sky, with trees and a path."""
    _add_landscape(scene, random, style)
    z = random.uniform(11, 16)
    wide, floors = random.uniform(8, 13), int(random.integers(3, 6))
    x0 = random.uniform(-wide * 0.75, -wide * 0.25)
    x1, high = x0 + wide, floors * 2.3
    eaves, deep, roof = (x0 - 0.3, x1 + 0.3), (z - 0.3, z + 7.3), shade(style.fabric, 0.8)
    scene.box((x0, x1), (0, high), (z, z + 7), shade(style.wall, 1.02), mark="object")
    scene.box(eaves, (high, high + 0.4), deep, roof, mark="object", nearer=0.5)
    columns = max(3, int(wide / 1.7))
    door = int(random.integers(columns))
    for row in range(floors):
        for column in range(columns):
            left = x0 + 0.5 + column * (wide - 0.6) / columns
            y, right = 0.8 + row * 2.3, left + 0.85
            if row == 0 and column == door:
                entrance = upright((left, right), (0.0, y + 1.1), z - 0.02)
                scene.quad(entrance, shade(style.wood, 0.8), mark="object", nearer=3)
                continue
            glass = shade((96, 128, 156), random.uniform(0.8, 1.4))
            pane = upright((left, right), (y, y + 1.1), z - 0.02)
            scene.quad(pane, glass, mark="object", nearer=3)
            sill = upright((left - 0.1, right + 0.1), (y - 0.12, y), z - 0.04)
            scene.quad(sill, style.trim, mark="object", nearer=3.1)
    for _ in range(int(random.integers(1, 4))):
        x = random.choice([-1, 1]) * random.uniform(2.5, 7)
        _add_tree(scene, random, float(x), float(random.uniform(6, z - 2)))


def _add_tree(scene: Scene, random: Random, x: float, z: float) -> None:
    scene.cylinder((x, z), (0, 1.6), 0.14, (104, 78, 56))
    for _ in range(8):
        cx, cy = x + random.uniform(-0.6, 0.6), random.uniform(1.6, 3.4)
        radius, angles = random.uniform(0.45, 0.8), np.linspace(0, 2 * np.pi, 14, endpoint=False)
        crown = [(cx + radius * np.cos(a), cy + radius * np.sin(a), z) for a in angles]
        scene.quad(crown, shade(LEAF, random.uniform(0.75, 1.3)), nearer=0.1)
