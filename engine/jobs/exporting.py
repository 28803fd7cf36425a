"""The export job: an avatar's Gaussians, one pose or a performance, to PLY or glTF files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..api.avatar_file import read_avatar
from ..api.baked import BakedAvatar
from ..api.errors import LikenessError
from ..api.head import HeadParams
from ..api.messages import Message
from ..api.poses import parse_expression
from ..api.requests import ExportRequest
from ..api.splat_files import SUFFIXES, write_splats
from ..progress import ProgressEvents
from .rendering import parse_frames


def export(request: ExportRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Write an avatar's Gaussians. Raises LikenessError, also Cancelled; files are whole or not."""
    started = time.monotonic()
    report = ProgressEvents(emit)
    report("Reading the avatar", 0.0)
    _check(request)
    baked = read_avatar(request.avatar)
    count = _count(baked, request.level)
    files = list(_files(request, baked))
    written = 0
    for index, (path, params) in enumerate(files):
        report("Writing Gaussians", index / len(files))
        gaussians = baked.pose(params, count)
        written = write_splats(path, {baked.name: gaussians}, request.axes, request.rest)
    return {
        "path": str(files[0][0]),
        "files": len(files),
        "gaussians": written,
        "seconds": round(time.monotonic() - started, 1),
    }


def _check(request: ExportRequest) -> None:
    output = Path(request.output)
    if output.suffix.lower() not in SUFFIXES:
        raise LikenessError(f"{output.name} is no splat file.", f"End it in {SUFFIXES}.")
    if not output.absolute().parent.is_dir():
        raise LikenessError(f"There is no folder for {output}.", "Make it first.")


def _count(baked: BakedAvatar, level: int) -> int:
    if not 0 <= level < len(baked.levels):
        raise LikenessError(
            f"There is no level {level}.", f"This avatar has 0 to {len(baked.levels) - 1}."
        )
    return baked.levels[level]


def _files(request: ExportRequest, baked: BakedAvatar) -> Iterator[tuple[Path, HeadParams]]:
    """Each file to write and its pose, in the head's space: the origin between the ears."""
    output = Path(request.output)
    names = baked.head.expression_names
    given = parse_expression(request.expression, names)
    if not request.frames:
        yield output, replace(HeadParams.neutral(len(names)), expression=given)
        return
    performance = baked.performance.params
    place = np.median(performance.translation, axis=0)
    for number in parse_frames(request.frames, len(baked.performance.times)):
        played = performance[number]
        expression = np.where(given != 0, given, played.expression)
        params = replace(played, expression=expression, translation=played.translation - place)
        yield output.with_name(f"{output.stem}_{number:05d}{output.suffix}"), params
