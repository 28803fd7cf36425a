"""The two pictures by which a fit is judged: footage beside avatar, and one slider at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from .api.baked import BakedAvatar
from .api.head import HeadParams
from .imaging import write_png
from .metrics import on_black
from .render import orbit_camera, render_performance, source_camera, usual_pose

if TYPE_CHECKING:
    from .clip import TrackedClip

COLUMNS = 3
SLIDERS = (
    ("jaw open", ("jawOpen",)),
    ("smile", ("mouthSmileLeft", "mouthSmileRight")),
    ("frown", ("mouthFrownLeft", "mouthFrownRight")),
    ("pucker", ("mouthPucker",)),
    ("funnel", ("mouthFunnel",)),
    ("mouth left", ("mouthLeft",)),
    ("press", ("mouthPressLeft", "mouthPressRight")),
    ("blink", ("eyeBlinkLeft", "eyeBlinkRight")),
    ("wink", ("eyeBlinkLeft",)),
    ("wide", ("eyeWideLeft", "eyeWideRight")),
    ("brows up", ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")),
    ("brows down", ("browDownLeft", "browDownRight")),
    ("sneer", ("noseSneerLeft", "noseSneerRight")),
    ("puff", ("cheekPuff",)),
)
"""Single controls a person would try first, each fully on."""
GAZE = 0.35
"""Radians the eyes turn in the gaze pictures: about 20 degrees."""


def write_comparison(
    path: str | Path, baked: BakedAvatar, clip: TrackedClip, frames: np.ndarray, most: int = 9
) -> None:
    """Footage | avatar for up to `most` of the frames, spread evenly, as one PNG."""
    frames = np.asarray(frames)
    picked = frames[np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))]
    renders = render_performance(baked, clip.params[picked], clip.camera)
    tiles = [
        labelled(np.concatenate([on_black(clip.frame(int(i))), rgb], axis=1), f"frame {i}")
        for i, (rgb, _) in zip(picked, renders, strict=True)
    ]
    write_png(path, sheet(tiles, COLUMNS))


def write_sliders(path: str | Path, baked: BakedAvatar, size: int = 360) -> None:
    """The neutral face and single expressions fully on, then gaze to four sides, as one PNG."""
    labels, poses = slider_poses(baked)
    renders = render_performance(baked, poses, source_camera(baked, size))
    tiles = [labelled(rgb, label) for label, (rgb, _) in zip(labels, renders, strict=True)]
    write_png(path, sheet(tiles, 5))


def write_orbit(path: str | Path, baked: BakedAvatar, size: int = 400) -> None:
    """The usual pose seen from -30 to 30 degrees beside the camera, and from above and below."""
    pose, camera = usual_pose(baked), source_camera(baked, size)
    centre = baked.head.pose(pose).mean(0)
    views = [(yaw, 0.0) for yaw in np.radians([-30, -15, 0, 15, 30])]
    views += [(0.0, pitch) for pitch in np.radians([15, -15])]
    cameras = [orbit_camera(camera, centre, yaw, pitch) for yaw, pitch in views]
    poses = _stack([pose] * len(views))
    renders = render_performance(baked, poses, cameras, background=(0.5, 0.5, 0.5))
    write_png(path, sheet([labelled(rgb, "") for rgb, _ in renders], 4))


def slider_poses(baked: BakedAvatar) -> tuple[list[str], HeadParams]:
    """Labels and poses of the slider sheet: those of SLIDERS that this head has."""
    pose, names = usual_pose(baked), baked.head.expression_names
    labels, poses = ["neutral"], [pose]
    for label, controls in SLIDERS:
        if not all(control in names for control in controls):
            continue
        expression = pose.expression.copy()
        expression[[names.index(control) for control in controls]] = 1
        labels.append(label)
        poses.append(replace(pose, expression=expression))
    for label, turn in (("gaze left", (0, GAZE)), ("gaze up", (-GAZE, 0))):
        eyes = np.zeros((2, 3), np.float32)
        eyes[:, :2] = turn
        labels.append(label)
        poses.append(replace(pose, eyes=eyes))
    return labels, _stack(poses)


def _stack(poses: Sequence[HeadParams]) -> HeadParams:
    fields = ("expression", "neck", "jaw", "eyes", "rotation", "translation")
    return HeadParams(*(np.stack([getattr(pose, name) for pose in poses]) for name in fields))


def labelled(image: np.ndarray, label: str) -> np.ndarray:
    """A float image [H, W, 3] as bytes with a label in its corner."""
    picture = Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))
    ImageDraw.Draw(picture).text((6, 4), label, fill=(255, 255, 255))
    return np.asarray(picture)


def sheet(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Equal tiles in rows; the rest of the last row is black."""
    blank = np.zeros_like(tiles[0])
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.concatenate(padded[i : i + columns], 1) for i in range(0, len(padded), columns)]
    return np.concatenate(rows, 0)
