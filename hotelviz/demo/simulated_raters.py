"""How well a drawn photo is taken, and what simulated raters think of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

Random = np.random.Generator

#: What makes a photo a good one; each from 0 (bad) to 1 (good).
QUALITIES = ("exposure", "sharpness", "colour", "level", "tidiness")

#: Points of the scale that a photo loses where a quality is at its worst.
_COLLEAGUES = {"exposure": 3.2, "sharpness": 1.4, "colour": 3.2, "level": 0.5, "tidiness": 0.5}
#: The public likes colours, pools and façades, and hardly minds how a photo was taken.
_PUBLIC = {"exposure": 0.8, "sharpness": 0.8, "colour": 3.0, "level": 0.3, "tidiness": 0.4}
_LIKED = {"Pool": 1.0, "View_of_Exterior": 0.8, "Kitchen": -0.6, "Bathroom": -0.5}
_BEST = 8.2
#: Share of the photos that a photographer took.
_CAREFUL = 0.6
#: How bad the qualities of such a photo can be.
_SLIPS = {"exposure": 0.4, "sharpness": 0.2, "colour": 0.7, "level": 0.2, "tidiness": 0.3}

#: Rater group -> how many they are, how far each one's level is off, how unsteady they are.
_RATERS = {"colleague": (12, 0.5, 0.7), "public": (30, 0.8, 1.5)}


def draw_qualities(random: Random, n_photos: int) -> pd.DataFrame:
    """Draw how well each of `n_photos` photos is taken: columns `QUALITIES`, 0 to 1."""
    shape = (n_photos, len(QUALITIES))
    careful = random.random((n_photos, 1)) < _CAREFUL
    slips = np.array([_SLIPS[name] for name in QUALITIES]) * random.beta(1, 1.3, shape)
    values = np.where(careful, 1 - slips, random.beta(1.0, 0.9, shape))
    return pd.DataFrame(values.round(3), columns=list(QUALITIES))


def expected_score(photos: pd.DataFrame, group: str) -> pd.Series:
    """Return the score from 1 to 10 that a group of raters gives on average, without noise.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``true_label`` and the columns `QUALITIES`.
    group : str
        ``colleague`` or ``public``.
    """
    losses = _COLLEAGUES if group == "colleague" else _PUBLIC
    lost = [points * (1 - photos[name]) for name, points in losses.items()]
    score = _BEST - pd.concat(lost, axis=1).sum(axis=1)
    if group == "public":
        score = score + photos["true_label"].map(_LIKED).fillna(0.0)
    return score.clip(1.0, 10.0)


def rate(photos: pd.DataFrame, group: str, random: Random) -> pd.DataFrame:
    """Let a group of simulated raters rate photos.

    Each rater has a level of their own (a bias) and is unsteady (a noise).

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``image_id``, ``true_label`` and the columns `QUALITIES`.
    group : str
        ``colleague`` or ``public``.
    random : numpy.random.Generator
        For biases and noise.

    Returns
    -------
    pandas.DataFrame
        ``image_id``, ``rater``, ``score``: a row per photo and rater.
    """
    raters, bias, noise = _RATERS[group]
    levels = random.normal(0, bias, raters)
    wanted = expected_score(photos, group).to_numpy()[:, None] + levels
    scores = (wanted + random.normal(0, noise, wanted.shape)).round().clip(1, 10).astype(int)
    names = [f"{group}-{number + 1:02d}" for number in range(raters)]
    each = pd.MultiIndex.from_product([photos["image_id"], names], names=["image_id", "rater"])
    return pd.Series(scores.ravel(), each, name="score").reset_index()
