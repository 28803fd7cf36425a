"""The shape of a made-up person's head: identity directions, and no face is symmetric."""

from __future__ import annotations

import numpy as np

from ..api.head import HeadModel
from .noise import waves
from .template import template
from .traits import Traits

SPREAD = 0.75  # standard deviation of the identity coefficients
MOST = 1.8
ASYMMETRY = 0.0007  # metres
SWELL = 45.0  # millimetres, size of what is asymmetric
MASCULINE = {"jawWidth": 0.5, "browDepth": 0.6, "chinForward": 0.3, "neckWidth": 0.7, "size": 0.6,
             "upperLipFullness": -0.4, "lowerLipFullness": -0.3, "shoulderWidth": 0.6,
             "browHeight": -0.4}  # fmt: skip
"""Coefficients at full masculinity; a fully feminine head has their negatives."""


def physique(traits: Traits) -> HeadModel:
    """The person's neutral head."""
    rng = np.random.default_rng([traits.seed, 2])
    head = template().head
    identity = np.clip(rng.normal(0, SPREAD, len(head.identity_names)), -MOST, MOST)
    for name, amount in MASCULINE.items():
        identity[head.identity_names.index(name)] += amount * (1 - 2 * traits.femininity)
    identity[head.identity_names.index("cheekFullness")] -= 0.6 * (traits.age - 0.3)
    points = head.vertices * 1000
    offset = np.stack([waves(rng, points, SWELL) for _ in range(3)], 1) * ASYMMETRY
    for eye in eyeballs(head):
        offset[eye] = offset[eye].mean(0)  # a ball stays a ball
    return head.personalised(identity.astype(np.float32), offset.astype(np.float32))


def eyeballs(head: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the left and of the right eyeball."""
    region = head.region_names.index("eyeballs")
    both = np.unique(head.faces[head.face_regions == region])
    left = head.vertices[both, 0] > 0
    return both[left], both[~left]
