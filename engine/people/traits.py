"""What a made-up person is like: drawn from a seed, before anything is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HAIRCUTS = (
    "bald", "buzz", "short", "parted", "swept", "bob", "fringe", "long", "tied", "curly", "afro",
)  # fmt: skip
BEARDS = ("none", "stubble", "moustache", "goatee", "short", "full")
NECKLINES = ("crew", "v", "shirt", "turtleneck", "hood", "wide")
GLASSES = ("none", "round", "square", "wide", "dark")

# sRGB of skin from the lightest to the darkest, of hair, and of irises.
SKIN_TONES = np.array([
    (0.95, 0.82, 0.75), (0.90, 0.74, 0.65), (0.84, 0.66, 0.54), (0.74, 0.55, 0.42),
    (0.60, 0.42, 0.31), (0.45, 0.30, 0.22), (0.32, 0.21, 0.16),
])  # fmt: skip
HAIR_TONES = {
    "black": (0.09, 0.08, 0.08), "dark brown": (0.19, 0.13, 0.10), "brown": (0.32, 0.21, 0.14),
    "light brown": (0.46, 0.33, 0.22), "blonde": (0.73, 0.58, 0.38), "red": (0.50, 0.23, 0.12),
    "grey": (0.55, 0.54, 0.53), "white": (0.82, 0.81, 0.79), "dyed": (0.35, 0.20, 0.45),
}  # fmt: skip
IRIS_TONES = np.array([
    (0.30, 0.18, 0.10), (0.40, 0.25, 0.13), (0.18, 0.11, 0.08), (0.40, 0.44, 0.26),
    (0.33, 0.47, 0.60), (0.42, 0.55, 0.62), (0.36, 0.50, 0.40),
])  # fmt: skip


@dataclass(frozen=True)
class Traits:
    """One person. Shares are 0..1; colours are display-referred sRGB [3]."""

    seed: int
    melanin: float  # 0 the lightest skin .. 1 the darkest
    ruddiness: float
    age: float  # 0 twenty .. 1 eighty
    femininity: float
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    haircut: str
    beard: str
    neckline: str
    glasses: str
    freckles: float
    makeup: float
    brow_thickness: float  # mm, half of the brow's height
    cloth: np.ndarray
    trim: np.ndarray  # the second colour of clothes and the frame of glasses


def draw_traits(seed: int) -> Traits:
    """The traits of the person with this number."""
    rng = np.random.default_rng([seed, 1])
    melanin = rng.uniform() ** 1.7
    age, femininity = rng.beta(1.2, 1.7), rng.uniform()
    feminine = femininity > 0.5
    tone = np.array([np.interp(melanin * 6, np.arange(7), SKIN_TONES[:, k]) for k in range(3)])
    tone = tone * rng.normal(1, 0.03) * rng.normal((1.01, 0.985, 1.0), 0.012)
    hair = np.array(HAIR_TONES[_hair_tone(rng, melanin, age)])
    return Traits(
        seed=seed,
        melanin=melanin,
        ruddiness=rng.uniform(0.15, 1) * (1 - 0.6 * melanin),
        age=age,
        femininity=femininity,
        skin=np.clip(tone, 0.05, 0.97),
        hair=np.clip(hair * rng.uniform(0.8, 1.25) * rng.normal(1, 0.06, 3), 0.03, 0.9),
        iris=IRIS_TONES[rng.integers(0, 3 if melanin > 0.45 else 7)] * rng.normal(1, 0.1, 3),
        haircut=_haircut(rng, feminine, age, melanin),
        beard="none"
        if feminine
        else str(rng.choice(BEARDS, p=[0.3, 0.22, 0.09, 0.09, 0.16, 0.14])),
        neckline=str(rng.choice(NECKLINES, p=[0.3, 0.17, 0.2, 0.1, 0.1, 0.13])),
        glasses=str(rng.choice(GLASSES, p=[0.7, 0.1, 0.1, 0.08, 0.02])),
        freckles=float(rng.uniform() < 0.25) * rng.uniform(0.3, 1) * (1 - melanin),
        makeup=float(feminine and rng.uniform() < 0.6) * rng.uniform(0.2, 1),
        brow_thickness=rng.uniform(1.7, 3.0) if feminine else rng.uniform(2.6, 4.6),
        cloth=_cloth(rng),
        trim=_cloth(rng),
    )


def _hair_tone(rng: np.random.Generator, melanin: float, age: float) -> str:
    if rng.uniform() < 0.9 * max(0.0, age - 0.4) / 0.6:
        return str(rng.choice(["grey", "white"]))
    if rng.uniform() < 0.03:
        return "dyed"
    if rng.uniform() < melanin * 1.4:
        return str(rng.choice(["black", "dark brown"], p=[0.7, 0.3]))
    tones = ["black", "dark brown", "brown", "light brown", "blonde", "red"]
    return str(rng.choice(tones, p=[0.18, 0.25, 0.22, 0.14, 0.15, 0.06]))


def _haircut(rng: np.random.Generator, feminine: bool, age: float, melanin: float) -> str:
    weights = dict.fromkeys(HAIRCUTS, 1.0)
    for cut in ("bald", "buzz", "short", "parted", "swept"):
        weights[cut] = 0.25 if feminine else 3.0
    for cut in ("bob", "fringe", "long", "tied"):
        weights[cut] = 3.0 if feminine else 0.3
    weights["bald"] *= 0.4 + 1.2 * age
    weights["afro"] *= 0.1 + 3 * melanin
    total = np.array(list(weights.values()))
    return str(rng.choice(HAIRCUTS, p=total / total.sum()))


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """A colour of cloth: mostly muted, often black, white or blue."""
    value, saturation = rng.beta(0.9, 1.4), rng.beta(1.0, 4.5)
    hue = rng.uniform(0, 2 * np.pi)
    chroma = np.cos(hue + np.array([0, 2.1, 4.2]))
    return np.clip(value * (1 + 0.8 * saturation * chroma), 0.03, 0.95)
