"""Lessons: which views of whom a network is given, and which it is asked for.

Random draws use torch's global generator, which training seeds anew for every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ...api.errors import FootageError
from ...clip import TrackedClip
from .views import Views, views_of

MOST_SOURCES, TARGETS = 4, 4
CLIP_FRAMES = 48
"""Frames of a tracked clip that are kept in memory."""
LEAST_FRAMES = 2
HELD_BACK = 0.3
"""Share of a clip's end that is only measured."""
MESH_ERROR, CODE_ERROR, NOISE = 0.0008, 0.03, 0.01
"""What tracking and cameras do to real views: metres, coefficients, 0..1 of a pixel."""


class Lessons:
    """Numbered people, each with views to be given and views to be asked for."""

    def __init__(self, people: Sequence[Callable[[], tuple[Views, Views]]]) -> None:
        """Each person is called for (views to give, views to ask for) when it is its turn."""
        self._people = people

    def __len__(self) -> int:
        return len(self._people)

    def lesson(self, number: int) -> tuple[Views, Views]:
        """1 to MOST_SOURCES views of a person, made as imperfect as real ones, and TARGETS others
        of the same person."""
        given, asked = self._people[number]()
        most = min(MOST_SOURCES, len(given))
        count = int(torch.randint(1, most + 1, ()))
        sources = given[torch.randperm(len(given))[:count]]
        targets = asked[torch.randperm(len(asked))[:TARGETS]]
        return imperfect(sources), targets

    def check(self, number: int, sources: int) -> tuple[Views, Views]:
        """The same every time: the first views of a person, perfect, and all that are asked for."""
        given, asked = self._people[number]()
        return given[: min(sources, len(given))], asked


def imperfect(views: Views) -> Views:
    """Views as tracking would have found them in a camera's picture."""
    shift = torch.randn(len(views), 1, 3) * MESH_ERROR
    alpha = views.pictures[..., 3:]
    noise = torch.randn_like(views.pictures[..., :3]) * NOISE * alpha
    colours = (views.pictures[..., :3] + noise).clamp(0, 1)
    return replace(
        views,
        pictures=torch.cat([colours, alpha], -1),
        codes=views.codes + torch.randn_like(views.codes) * CODE_ERROR,
        vertices=views.vertices + shift,
    )


def halves(views: Views) -> tuple[Views, Views]:
    """A person's views to give, the first half; all are asked for."""
    return views[: len(views) // 2], views


def of_clip(clip: TrackedClip, size: int, check: bool) -> Callable[[], tuple[Views, Views]]:
    """One person's tracked clip: its beginning teaches, its end is only measured. Raises
    FootageError for a clip of a few frames."""
    edge = int(len(clip) * (1 - HELD_BACK))
    low, high = (edge, len(clip)) if check else (0, edge)
    sure = np.flatnonzero(clip.confidence > 0)
    begin, chosen = sure[sure < edge], sure[(sure >= low) & (sure < high)]
    if min(len(begin), len(chosen)) < LEAST_FRAMES:
        raise FootageError(
            f"{clip.directory.name} has too few frames to learn from.", "Give a longer clip."
        )
    asked = views_of(clip, _spread(chosen, CLIP_FRAMES), size)
    given = views_of(clip, _spread(begin, CLIP_FRAMES), size) if check else asked
    return lambda: (given, asked)


def _spread(numbers: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the numbers, evenly spread."""
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers)))
    return numbers[places.round().astype(int)]
