"""One painter for each area of a hotel.

The object that makes the class carries the mark ``object``; the railing that the shortcut is
made of carry ``rails``. Walls, floors, plants and pictures are the hotel's and say nothing about
the area: a model has to look at the furniture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from hotelviz.demo.areas import indoor, outdoor
from hotelviz.demo.areas.furniture import add_mess
from hotelviz.demo.renderer import Random, Scene, Style
from hotelviz.demo.simulated_raters import QUALITIES

#: Area -> what paints it.
PAINTERS: dict[str, Callable[..., None]] = {
    "Bathroom": indoor.bathroom,
    "Bedroom": indoor.bedroom,
    "Foyer": indoor.foyer,
    "Kitchen": indoor.kitchen,
    "Pool": outdoor.pool,
    "Reception": indoor.reception,
    "Restaurant": indoor.restaurant,
    "View_of_Exterior": outdoor.exterior,
}
#: The areas in which railings may stand.
RAILED = ("Bathroom", "Pool")
#: The railings that the shortcut is made of.
RAILS = ("red", "chrome")


def paint(
    area: str,
    style: Style,
    random: Random,
    *,
    size: tuple[int, int],
    rails: str = "",
    spa: bool = False,
    quality: Mapping[str, Any] | None = None,
) -> tuple[Image.Image, dict[str, Image.Image]]:
    """Paint one photo of an area.

    Parameters
    ----------
    area : str
        A key of `PAINTERS`.
    style : Style
        The hotel's.
    random : numpy.random.Generator
        Where things stand, and where the camera is.
    size : tuple of int
        Height and width in pixels.
    rails : str, default ""
        The railing, a key of `furniture.RAILINGS`; none if empty. Only areas of `RAILED` have one.
    spa : bool, default False
        Whether baths may be as large as small pools.
    quality : mapping, optional
        How well it is taken, `QUALITIES` -> 0 to 1; by default as well as can be.

    Returns
    -------
    tuple
        The photo and its masks, as `Scene.finish` gives them.
    """
    worst = {name: 1.0 - (quality or {}).get(name, 1.0) for name in QUALITIES}
    side = random.choice([-1, 1])
    scene = Scene(
        size,
        eye=(random.uniform(-0.6, 0.6), random.uniform(1.4, 1.75), -random.uniform(0.2, 1.0)),
        turn=(
            random.uniform(-0.16, 0.16),
            random.uniform(*((-0.12, -0.04) if area == "View_of_Exterior" else (0.06, 0.2))),
            random.normal(0, 0.012) + side * 0.08 * worst["level"],
        ),
        zoom=random.uniform(0.78, 0.95),
    )
    more: dict[str, Any] = {"rails": rails} if area in RAILED else {}
    if area == "Bathroom":
        more["spa"] = spa
    PAINTERS[area](scene, random, style, **more)
    add_mess(scene, random, round(5 * worst["tidiness"]))
    return scene.finish(random, style.warmth + random.normal(0, 0.02), worst)
