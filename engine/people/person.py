"""A made-up person, complete: head, painted skin, hair, clothes and glasses, ready to be filmed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..api.head import HeadModel
from ..binding import SurfaceBinding
from .clothes import clothed, collar
from .fur import Fur, grow_fur, shadowed
from .glasses import spectacles
from .hair import grow_hair, hair_tone, hairline_share
from .inside import eye_albedo, mouth_albedo
from .lighting import Light, draw_light
from .noise import mixed
from .physique import physique
from .skin import skin_albedo
from .strands import Strands, joined
from .template import Template, template
from .traits import Traits, draw_traits


@dataclass(frozen=True)
class Person:
    """Everything of one person that does not change from picture to picture."""

    traits: Traits
    head: HeadModel  # neutral
    albedo: np.ndarray  # [N, 3] linear, of the template's Gaussians
    lift: np.ndarray  # [N] metres that clothes stand off the skin
    gloss: np.ndarray  # [N] strength of highlights
    strands: Strands  # free: hair, collar, glasses
    fur: Fur
    light: Light  # where the person is


@lru_cache(maxsize=1)
def canvas_surface() -> SurfaceBinding:
    """The template's binding in torch."""
    return SurfaceBinding(template().binding, template().head.faces)


def make_person(seed: int) -> Person:
    """The person with this number; always the same one."""
    traits, canvas = draw_traits(seed), template()
    head = physique(traits)
    bare = _painted(traits, canvas)
    albedo, lift = clothed(traits, canvas, bare)
    free = (grow_hair(traits, head), collar(traits, head), spectacles(traits, head))
    return Person(
        traits=traits,
        head=head,
        albedo=albedo.astype(np.float32),
        lift=lift.astype(np.float32),
        gloss=_gloss(traits, canvas, lift),
        strands=joined([part for part in free if part is not None]),
        fur=grow_fur(traits, head, canvas),
        light=draw_light(np.random.default_rng([seed, 13])),
    )


def _painted(traits: Traits, canvas: Template) -> np.ndarray:
    """Albedo [N, 3] of the bare person: skin, scalp, eyes and mouth."""
    albedo = shadowed(traits, canvas, skin_albedo(traits, canvas))
    scalp = hairline_share(traits, canvas.points) * canvas.of("scalp", "skin")
    covered = 0.55 if traits.haircut == "bald" else 0.85
    albedo = mixed(albedo, hair_tone(traits) * 0.8, scalp * covered)
    albedo = np.where(canvas.of("eyeballs")[:, None], eye_albedo(traits, canvas), albedo)
    inside = canvas.of("mouth", "teeth", "tongue")
    return np.where(inside[:, None], mouth_albedo(traits, canvas), albedo)


def _gloss(traits: Traits, canvas: Template, lift: np.ndarray) -> np.ndarray:
    """Strength [N] of the highlights: wet eyes and lips, oily skin, dull cloth."""
    rng = np.random.default_rng([traits.seed, 14])
    strength = np.full(len(canvas.points), rng.uniform(0.03, 0.16))
    strength[canvas.of("lips")] *= 1.6 + traits.makeup
    strength[canvas.of("eyeballs")] = 1.2
    strength[canvas.of("teeth", "tongue")] = 0.15
    strength[lift > 0.001] = 0.0
    return strength.astype(np.float32)
