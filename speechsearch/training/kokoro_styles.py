"""Describe voices of Kokoro by name: a packaged style or a blend of two, and how it is spoken.

``jf_alpha``, ``blend:jf_alpha+jm_kumo:0.4`` (0.4 of the second), then any of ``,speed=0.9`` (below 1 is slower),
``,height=1.1`` (a longer vocal tract: the sound is stretched, the rate kept), ``,accent=gb`` and ``,seed=7`` (the style
is moved a little towards the others, at random).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float32]

WOMEN = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro")
MEN = ("jm_kumo",)
RESERVED_STYLE = "jf_tebukuro"
RESERVED_KOKORO = (RESERVED_STYLE, f"blend:{RESERVED_STYLE}+jm_kumo:0.5", f"blend:{RESERVED_STYLE}+jf_alpha:0.5")
"""Kept for evaluation, and with them whatever else has the reserved style in it."""
ACCENTS = {"us": "en-us", "gb": "en-gb"}
SEED_WIDTH = 0.12


@dataclass(frozen=True, slots=True)
class Style:
    """What a voice's name says: how much of which packaged style, and how it is spoken."""

    shares: tuple[tuple[str, float], ...]
    speed: float = 1.0
    height: float = 1.0
    accent: str = "us"
    seed: int | None = None

    @property
    def is_reserved(self) -> bool:
        """Whether the reserved style is part of it."""
        return any(name == RESERVED_STYLE for name, _ in self.shares)


def read_style(name: str) -> Style:
    """Return what a voice's name describes.

    >>> read_style("blend:jf_alpha+jm_kumo:0.4,speed=0.9").shares
    (('jf_alpha', 0.6), ('jm_kumo', 0.4))
    >>> read_style("jf_tebukuro,height=1.1").is_reserved, read_style("jm_kumo,accent=gb").accent
    (True, 'gb')

    Raises:
        ValueError: a style, a setting or an accent is unknown.
    """
    described, *settings = name.split(",")
    shares = [(described, 1.0)]
    if described.startswith("blend:"):
        _, both, share = described.split(":")
        first, second = both.split("+")
        shares = [(first, round(1 - float(share), 4)), (second, float(share))]
    given = dict(setting.split("=", 1) for setting in settings)
    unknown = {style for style, _ in shares} - {*WOMEN, *MEN} | set(given) - {"speed", "height", "accent", "seed"}
    accent = given.get("accent", "us")
    if unknown or accent not in ACCENTS:
        raise ValueError(f"Kokoro voice {name!r} has unknown parts: {', '.join(sorted(unknown)) or accent}.")
    return Style(
        tuple(shares),
        float(given.get("speed", 1)),
        float(given.get("height", 1)),
        accent,
        int(given["seed"]) if "seed" in given else None,
    )


def style_rows(style: Style, packaged: Mapping[str, FloatMatrix]) -> FloatMatrix:
    """Return a style's vectors by number of tokens, (510, 1, 256) float32; no seed moves it to the reserved style."""
    rows = sum(np.float32(share) * packaged[name] for name, share in style.shares)
    if style.seed is not None:
        others = [packaged[name] for name in (*WOMEN, *MEN) if name != RESERVED_STYLE]
        middle = np.mean(others, axis=0)
        draws = np.random.default_rng(style.seed).normal(0, SEED_WIDTH, len(others))
        rows = rows + sum(np.float32(draw) * (other - middle) for draw, other in zip(draws, others, strict=True))
    return np.asarray(rows, np.float32)


def draw_style(rng: random.Random) -> str:
    """Return the name of a random training voice, a man's as often as a woman's, none with the reserved style.

    >>> any(read_style(draw_style(random.Random(seed))).is_reserved for seed in range(200))
    False
    """
    women = [name for name in WOMEN if name != RESERVED_STYLE]
    is_man = rng.random() < 0.5
    first, second = (MEN[0], rng.choice(women)) if is_man else rng.sample(women, 2)
    described = first if rng.random() < 0.3 else f"blend:{first}+{second}:{rng.uniform(0.1, 0.5 - 0.15 * is_man):.2f}"
    height = rng.uniform(0.97, 1.1) if is_man else rng.uniform(0.92, 1.06)
    accent = rng.choice(["us", "us", "gb"])
    speed, seed = rng.uniform(0.85, 1.2), rng.randrange(10_000)
    return f"{described},speed={speed:.2f},height={height:.2f},accent={accent},seed={seed}"
