"""The tracking stage from end to end: footage in, the folder of a tracked clip out."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import FootageError, TrackingError
from ..api.head import HeadModel
from ..api.settings import TrackSettings
from ..clip import Camera, TrackedClip, frame_path, is_clip, write_clip
from ..footage import Footage, open_footage
from ..imaging import write_png
from .crop import HeadCrop, find_head
from .detectors import landmark_passes, person_segmenter
from .matting import foreground, mattes, steady, trimap
from .performance import Performance, bridge_lost, solve_performance
from .pose import VIEWMAT

MIN_FRAMES = 10
Report = Callable[[str, float], None]


def track(
    path: str | Path,
    directory: str | Path,
    settings: TrackSettings | None = None,
    progress: Report | None = None,
) -> TrackedClip:
    """Track the one head in the footage at `path` and write a tracked clip to `directory`.

    `progress(stage, fraction)` may raise Cancelled; nothing half-written is left then, and an
    earlier clip in `directory` stays until the new one is whole. Raises FootageError and
    TrackingError.
    """
    settings = settings or TrackSettings()
    report: Report = progress or (lambda stage, fraction: None)
    directory = Path(directory).absolute()
    _check_target(directory)
    footage = open_footage(path, settings.masks)
    directory.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _track_into(work, footage, settings, report)
        _replace(directory, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return TrackedClip.load(directory)


def _track_into(work: Path, footage: Footage, settings: TrackSettings, report: Report) -> None:
    limit = settings.max_frames
    expected = min(footage.count, limit) if limit else footage.count
    crop, count = find_head(
        footage.frames(limit), expected, lambda f: report("finding the head", min(f, 1.0))
    )
    if count < MIN_FRAMES and not footage.is_image:
        raise FootageError(
            f"{footage.path.name} has only {count} frames.",
            "Give at least ten seconds of video, or a single image.",
        )
    crops, times = _read_crops(work, footage, crop, count, settings, report)
    try:
        landmarks, disagreement = landmark_passes(crops.images, lambda f: report("landmarks", f))
        K = crop.intrinsics(settings.focal_length, settings.size)
        fps = (count - 1) / times[-1] if count > 1 else footage.fps
        performance = solve_performance(
            _builtin_head(), crops.images, landmarks, disagreement, K, fps, report
        )
        _write_frames(work, crops, crop, landmarks, settings, report)
    finally:
        crops.remove()
    clip = _clip(work, footage, settings, performance, K, times, fps, landmarks, crop)
    write_clip(clip, performance.head)


def _builtin_head() -> HeadModel:
    from ..heads.builtin import builtin_head

    return builtin_head()


class _Crops:
    """The head crops on disk while tracking: memory stays small for long footage."""

    def __init__(self, work: Path, count: int, size: int, with_alpha: bool) -> None:
        self._paths = [work / "crops.raw"] + ([work / "alphas.raw"] if with_alpha else [])
        shape = (count, size, size)
        self.images = np.memmap(self._paths[0], np.uint8, "w+", shape=(*shape, 3))
        self.alphas = np.memmap(self._paths[1], np.uint8, "w+", shape=shape) if with_alpha else None

    def remove(self) -> None:
        """Delete the files; the arrays are gone with them."""
        del self.images, self.alphas  # Windows keeps a mapped file
        for path in self._paths:
            path.unlink(missing_ok=True)


def _read_crops(
    work: Path,
    footage: Footage,
    crop: HeadCrop,
    count: int,
    settings: TrackSettings,
    report: Report,
) -> tuple[_Crops, np.ndarray]:
    with_alpha = footage.has_alpha or bool(footage.masks)
    crops = _Crops(work, count, settings.size, with_alpha)
    times = np.zeros(count)
    for index, frame in enumerate(footage.frames(count)):
        times[index] = frame.time
        crops.images[index] = crop.image(frame.rgb, settings.size)
        if crops.alphas is not None and frame.alpha is not None:
            crops.alphas[index] = crop.image(frame.alpha, settings.size, outside=0)
        report("cropping", (index + 1) / count)
    return crops, times


def _write_frames(
    work: Path,
    crops: _Crops,
    crop: HeadCrop,
    landmarks: np.ndarray,
    settings: TrackSettings,
    report: Report,
) -> None:
    (work / "frames").mkdir()
    inside = crop.inside(settings.size)
    for index, alpha in enumerate(_alphas(crops, landmarks, settings)):
        alpha = alpha * inside
        color = foreground(crops.images[index], alpha)
        matte = (alpha * 255).round().astype(np.uint8)
        write_png(frame_path(work, index), np.dstack([color, matte]))
        report("matting", (index + 1) / len(crops.images))


def _alphas(crops: _Crops, landmarks: np.ndarray, settings: TrackSettings) -> Iterator[np.ndarray]:
    """Alpha [H, W] float32 of every crop: the footage's own, else matted."""
    if crops.alphas is not None:
        yield from (alpha.astype(np.float32) / 255 for alpha in crops.alphas)
        return
    with person_segmenter() as segment:
        masks = (segment(np.ascontiguousarray(image)) for image in crops.images)
        if settings.fast_matte:
            yield from masks
            return
        faces = bridge_lost(landmarks)[:, :468, :2]
        trimaps = (trimap(mask, face) for mask, face in zip(masks, faces, strict=True))
        yield from steady(mattes(crops.images, trimaps))


def _clip(
    work: Path,
    footage: Footage,
    settings: TrackSettings,
    performance: Performance,
    K: np.ndarray,
    times: np.ndarray,
    fps: float,
    landmarks: np.ndarray,
    crop: HeadCrop,
) -> TrackedClip:
    info: dict[str, Any] = {
        "source": {
            "name": footage.path.name,
            "sha256": _digest(footage),
            "frame_size": list(footage.size),
            "crop": [crop.left, crop.top, crop.side],
        },
        "settings": asdict(settings),
        "quality": performance.quality,
    }
    camera = Camera(VIEWMAT, K, settings.size, settings.size)
    return TrackedClip(
        work, info, camera, fps, performance.params, times, performance.confidence,
        landmarks[..., :2].astype(np.float32),
    )  # fmt: skip


def _digest(footage: Footage) -> str:
    """SHA-256 of the footage's bytes, for an avatar's provenance."""
    digest = hashlib.sha256()
    for path in footage.images or (footage.path,):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _check_target(directory: Path) -> None:
    if directory.is_dir() and (is_clip(directory) or not any(directory.iterdir())):
        return
    if directory.exists():
        raise TrackingError(
            f"{directory} exists and is not a tracked clip.", "Choose another folder."
        )


def _replace(directory: Path, work: Path) -> None:
    """Put the finished folder in its place; an older clip goes last."""
    if directory.exists():
        old = work.with_name(work.name + "-old")
        os.replace(directory, old)
        os.replace(work, directory)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(work, directory)
