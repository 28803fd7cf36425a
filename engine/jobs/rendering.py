"""The rendering job: an avatar to numbered RGBA PNGs, or to a video."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.atomic import replacing
from ..api.avatar_file import read_avatar
from ..api.baked import BakedAvatar
from ..api.errors import LikenessError
from ..api.head import HeadParams
from ..api.messages import Message
from ..api.requests import RenderRequest
from ..progress import ProgressEvents, Report
from .tracking import check_size

if TYPE_CHECKING:
    from ..clip import Camera

VIDEO_SUFFIXES = (".mp4", ".mov", ".webm")
ALPHA_SUFFIX = ".webm"
CAMERAS = ("source", "orbit")
ORBIT_DEGREES = 30.0
ORBIT_FRAMES = 72
"""Frames of an orbit about a still face."""
COLOURS = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0), "grey": (0.5, 0.5, 0.5)}
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class _Shot:
    """What to draw: T poses, a camera for each, the frame number each is named by."""

    baked: BakedAvatar
    params: HeadParams
    cameras: list[Camera]
    numbers: range
    background: Colour | None  # None leaves it transparent
    count: int  # Gaussians


def render(request: RenderRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Draw an avatar. Raises LikenessError, also Cancelled; no frame is ever half-written."""
    started = time.monotonic()
    output = Path(request.output)
    video = output.suffix.lower() in VIDEO_SUFFIXES
    _check(request, output, video)
    report = ProgressEvents(emit)
    report("Reading the avatar", 0.0)
    shot = _shot(request, read_avatar(request.avatar), video)
    try:
        if video:
            _write_video(output, shot, report)
        else:
            _write_images(output, shot, report)
    except OSError as error:
        raise LikenessError(
            f"{output} cannot be written: {error}.", "Choose a place with room and permission."
        ) from error
    return {
        "path": str(output),
        "frames": len(shot.numbers),
        "seconds": round(time.monotonic() - started, 1),
    }


def parse_background(text: str) -> Colour | None:
    """A colour in 0..1, or None for transparent. Raises LikenessError."""
    if text == "transparent":
        return None
    if text in COLOURS:
        return COLOURS[text]
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return red, green, blue
    raise LikenessError(
        f"'{text}' is no background.", f"Give transparent, {', '.join(COLOURS)} or #rrggbb."
    )


def parse_frames(text: str, count: int) -> range:
    """The frames of "A:B" among `count`: B is left out. Raises LikenessError."""
    match = re.fullmatch(r"(-?\d*):(-?\d*)", text or ":")
    limits = [int(part) if part else None for part in match.groups()] if match else []
    frames = range(count)[slice(*limits)] if match else range(0)
    if not frames:
        raise LikenessError(
            f"'{text}' picks none of the {count} frames.", "Give A:B, for example 0:100."
        )
    return frames


def _check(request: RenderRequest, output: Path, video: bool) -> None:
    if request.camera not in CAMERAS:
        raise LikenessError(f"There is no camera '{request.camera}'.", f"Known: {CAMERAS}.")
    if request.size:
        check_size(request.size)
    if output.suffix and not video and not output.is_dir():
        raise LikenessError(
            f"{output.name} is no video that can be written.",
            f"End it in {', '.join(VIDEO_SUFFIXES)}, or give a folder for images.",
        )
    if output.is_file() and not video:
        raise LikenessError(f"{output} is a file.", "Give a folder for the images.")
    if not output.absolute().parent.is_dir():
        raise LikenessError(f"There is no folder for {output}.", "Make it first.")


def _shot(request: RenderRequest, baked: BakedAvatar, video: bool) -> _Shot:
    background = parse_background(request.background or ("black" if video else "transparent"))
    if background is None and video and not request.output.lower().endswith(ALPHA_SUFFIX):
        raise LikenessError(
            "This kind of video has no transparency.", f"Render to images or to {ALPHA_SUFFIX}."
        )
    if not 0 <= request.level < len(baked.levels):
        raise LikenessError(
            f"There is no level {request.level}.", f"This avatar has 0 to {len(baked.levels) - 1}."
        )
    orbits = request.camera == "orbit"
    still = ORBIT_FRAMES if orbits else 1
    total = len(baked.performance.times) if request.performance else still
    numbers = parse_frames(request.frames, total)
    from ..render import orbit_camera, source_camera, usual_pose

    camera = source_camera(baked, request.size or None)
    usual = usual_pose(baked)
    params = baked.performance.params[list(numbers)] if request.performance else None
    cameras = [camera] * len(numbers)
    if orbits:
        centre = baked.head.pose(usual).mean(0)
        swing = np.radians(ORBIT_DEGREES) * np.sin(2 * np.pi * np.array(numbers) / total)
        cameras = [orbit_camera(camera, centre, float(yaw)) for yaw in swing]
    return _Shot(
        baked=baked,
        params=params if params is not None else _repeated(usual, len(numbers)),
        cameras=cameras,
        numbers=numbers,
        background=background,
        count=baked.levels[request.level],
    )


def _repeated(pose: HeadParams, count: int) -> HeadParams:
    values = (getattr(pose, field.name) for field in fields(HeadParams))
    return HeadParams(*(np.repeat(np.asarray(value)[None], count, axis=0) for value in values))


def _images(shot: _Shot, report: Report) -> Iterator[np.ndarray]:
    """RGB, or RGBA where the background is transparent, [H, W, 3 or 4] uint8."""
    from ..render import render_performance

    frames = render_performance(shot.baked, shot.params, shot.cameras, shot.background, shot.count)
    for index, (rgb, alpha) in enumerate(frames):
        report("Rendering", index / len(shot.numbers))
        if shot.background is None:
            # Over black the colours are premultiplied; PNG wants them straight.
            straight = rgb / np.maximum(alpha, 1 / 255)[..., None]
            rgb = np.concatenate([straight, alpha[..., None]], axis=-1)
        yield (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)


def _write_images(folder: Path, shot: _Shot, report: Report) -> None:
    from ..imaging import write_png

    folder.mkdir(exist_ok=True)
    for number, image in zip(shot.numbers, _images(shot, report), strict=True):
        write_png(folder / f"{number:05d}.png", image)


def _write_video(path: Path, shot: _Shot, report: Report) -> None:
    from ..video import encode

    camera, fps = shot.cameras[0], shot.baked.performance.fps
    alpha = shot.background is None
    with replacing(path) as temporary:
        encode(temporary, _images(shot, report), camera.width, camera.height, fps, alpha)
