"""Made-up people as tracked clips: filmed by a camera that stands still, every pose known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from engine.api.head import HeadParams
from engine.clip import Camera, TrackedClip, frame_path, write_clip
from engine.gaussians import Cameras
from engine.imaging import write_png
from engine.people.acting import act
from engine.people.person import Person, make_person
from engine.people.studio import LOOK_AT, filmed, look_at

DISTANCE, FOCAL = 0.7, 1.7
"""Metres from the camera to the head, and the focal length in sides of the picture."""
TURNS = np.radians([12.0, 30.0, 0.0])
"""How far at most the whole body nods, turns and tilts before the camera."""
AT_ONCE = 4
"""Frames filmed together."""


def filmed_clip(seed: int, frames: int, size: int, directory: Path) -> TrackedClip:
    """The made-up person `seed` in `frames` poses. `directory` must not exist."""
    person = make_person(seed)
    rng = np.random.default_rng([seed, 22])
    params = act(rng, person.head.expression_names, frames)
    turns = rng.uniform(-1, 1, (frames, 3)) * TURNS
    params = replace(params, rotation=(params.rotation + turns).astype(np.float32))
    viewmat = look_at(LOOK_AT + [0, 0, DISTANCE], LOOK_AT).astype(np.float32)
    K = np.array([[FOCAL, 0, 0.5], [0, FOCAL, 0.5], [0, 0, 1 / size]], np.float32) * size
    (directory / "frames").mkdir(parents=True)
    for start in range(0, frames, AT_ONCE):
        some = params[slice(start, start + AT_ONCE)]
        for number, picture in enumerate(_pictures(person, some, viewmat, K, size), start):
            write_png(frame_path(directory, number), picture)
    clip = TrackedClip(
        directory, {"source": {"name": f"made-up person {seed}"}, "quality": {"warnings": []}},
        Camera(viewmat, K, size, size), 25.0, params, np.arange(frames) / 25.0,
        np.ones(frames, np.float32), np.full((frames, 478, 2), np.nan, np.float32),
    )  # fmt: skip
    write_clip(clip, person.head)
    return TrackedClip.load(directory)


def _pictures(
    person: Person, params: HeadParams, viewmat: np.ndarray, K: np.ndarray, size: int
) -> np.ndarray:
    """Straight colours and mattes [V, size, size, 4] uint8."""
    count = len(params)
    cameras = Cameras(
        torch.from_numpy(viewmat).repeat(count, 1, 1), torch.from_numpy(K).repeat(count, 1, 1),
        size, size,
    )  # fmt: skip
    pictures = filmed(person, params, cameras).pictures.numpy()
    matte = pictures[..., 3:]
    straight = np.where(matte > 1e-3, pictures[..., :3] / np.maximum(matte, 1e-3), 0)
    return (np.concatenate([straight, matte], -1).clip(0, 1) * 255 + 0.5).astype(np.uint8)
