"""The tracking stage from end to end: footage in, the folder of a tracked clip out.

Several clips of one person become one: their frames follow one another, seen as if by one camera.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..api.errors import FootageError, TrackingError
from ..api.head import HeadModel
from ..api.settings import TrackSettings
from ..clip import Camera, TrackedClip, check_clip_folder, frame_path, new_clip_folder, write_clip
from ..footage import Footage, footage_digest, open_footage
from ..imaging import with_alpha, write_png
from .crop import FACE_WANTED, HeadCrop, find_head
from .detectors import landmark_passes
from .head_crops import HeadCrops
from .in_order import in_order
from .mattes import matted
from .matting import foreground
from .performance import solve_performance
from .pose import VIEWMAT
from .quality import Evidence, Filmed, quality_report
from .report import write_report
from .sharpness import sharpness
from .shoulders import shown_part
from .survey import Survey
from .takes import Take, bridge_lost
from .views import TurnedCrop, one_view

MIN_FRAMES = 10
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class _Shot:
    """One clip of the footage and where its frames lie among all."""

    footage: Footage
    survey: Survey
    crop: HeadCrop
    view: HeadCrop | TurnedCrop
    frames: slice


def track(
    paths: str | Path | Sequence[str | Path],
    directory: str | Path,
    settings: TrackSettings | None = None,
    progress: Report | None = None,
) -> TrackedClip:
    """Track the one head in the footage at `paths` and write a tracked clip to `directory`.

    Several paths are clips of one person. `progress(stage, fraction)` may raise Cancelled; nothing
    half-written is left then, and an earlier clip in `directory` stays until the new one is whole.
    Raises FootageError and TrackingError.
    """
    settings = settings or TrackSettings()
    report: Report = progress or (lambda stage, fraction: None)
    directory = Path(directory).absolute()
    check_clip_folder(directory)
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if settings.masks and len(paths) > 1:
        raise FootageError("Masks go with one clip.", "Track the clips one by one.")
    footages = [open_footage(path, settings.masks) for path in paths]
    # All matrices are small: BLAS's threads would only spin, on cores that the mattes want.
    with threadpool_limits(1, "blas"), new_clip_folder(directory) as work:
        _track_into(work, footages, settings, report)
    return TrackedClip.load(directory)


def _track_into(
    work: Path, footages: Sequence[Footage], settings: TrackSettings, report: Report
) -> None:
    head = _head(settings.head)  # first, so that a bad one is told before the work
    shots, K = _shots(footages, settings, report)
    count = shots[-1].frames.stop
    with_alpha = all(shot.footage.has_alpha or shot.footage.masks for shot in shots)
    crops = HeadCrops(work, count, settings.size, with_alpha)
    try:
        times, takes = _takes(shots, crops, report)
        performance = solve_performance(head, takes, K, report)
        sharp = np.concatenate([sharpness(take.images, take.landmarks) for take in takes])
        shown = shown_part(performance.head, performance.params, K, settings)
        _write_frames(work, shots, crops, takes, shown, settings, report)
    finally:
        crops.remove()
    landmarks = np.concatenate([take.landmarks for take in takes])[..., :2].astype(np.float32)
    evidence = Evidence(
        shots=[Filmed(shot.survey, shot.crop.side, shot.footage.is_image) for shot in shots],
        errors=performance.errors,
        confidence=performance.confidence,
        params=performance.params,
        expression_names=performance.head.expression_names,
        sharpness=sharp,
        times=times,
        size=settings.size,
    )
    info = {
        "source": _source(shots),
        "settings": asdict(settings),
        "quality": quality_report(evidence),
    }
    camera = Camera(VIEWMAT, K, settings.size, settings.size)
    fps = _frames_per_second(shots, takes)
    clip = TrackedClip(
        work, info, camera, fps, performance.params, times, performance.confidence, landmarks
    )
    write_clip(clip, performance.head)
    write_report(TrackedClip.load(work))


def _shots(
    footages: Sequence[Footage], settings: TrackSettings, report: Report
) -> tuple[list[_Shot], np.ndarray]:
    """Where the head is in each clip, and the camera matrix that all views share."""
    limit = settings.max_frames
    found: list[tuple[HeadCrop, Survey]] = []
    for number, footage in enumerate(footages):
        expected = min(footage.count, limit) if limit else footage.count

        def advance(share: float, number: int = number) -> None:
            report("finding the head", (number + min(share, 1.0)) / len(footages))

        crop, survey = find_head(footage.frames(limit), expected, advance)
        if len(survey) < MIN_FRAMES and not footage.is_image:
            raise FootageError(
                f"{footage.path.name} has only {len(survey)} frames.",
                "Give at least ten seconds of video, or a single image.",
            )
        found.append((crop, survey))
    views, K = one_view([crop for crop, _ in found], settings.focal_length, settings.size)
    ends = np.cumsum([len(survey) for _, survey in found])
    return [
        _Shot(footage, survey, crop, view, slice(int(end) - len(survey), int(end)))
        for footage, (crop, survey), view, end in zip(footages, found, views, ends, strict=True)
    ], K


def _takes(
    shots: Sequence[_Shot], crops: HeadCrops, report: Report
) -> tuple[np.ndarray, list[Take]]:
    """Times [T] of all frames, a clip's after those before it, and each clip's landmarks."""
    total, start = shots[-1].frames.stop, 0.0
    times, takes = np.zeros(total), []
    for shot in shots:
        own = crops.fill(
            shot.frames, shot.footage, shot.view, lambda i: report("cropping", (i + 1) / total)
        )
        fps = (len(own) - 1) / own[-1] if len(own) > 1 else shot.footage.fps
        times[shot.frames] = start + own
        start += own[-1] + 1 / fps
        images = crops.images[shot.frames]
        low, share = shot.frames.start / total, len(own) / total

        def advance(done: float, low: float = low, share: float = share) -> None:
            report("landmarks", low + share * done)

        landmarks, disagreement = landmark_passes(images, advance)
        if not np.isfinite(disagreement).any():
            raise TrackingError(
                f"No face can be followed in {shot.footage.path.name}.",
                FACE_WANTED,
            )
        takes.append(Take(images, landmarks, disagreement, fps))
    return times, takes


def _head(path: str) -> HeadModel:
    """The head at `path`, the built-in one for an empty path. Raises HeadError."""
    if path:
        from ..heads.sources import read_any_head

        return read_any_head(path)
    from ..heads.builtin import builtin_head

    return builtin_head()


def _frames_per_second(shots: Sequence[_Shot], takes: Sequence[Take]) -> float:
    """The rate at which all frames take as long as they do in their clips."""
    return sum(len(s.survey) for s in shots) / sum(len(t.images) / t.fps for t in takes)


def _write_frames(
    work: Path,
    shots: Sequence[_Shot],
    crops: HeadCrops,
    takes: Sequence[Take],
    shown: Callable[[int], np.ndarray | float],
    settings: TrackSettings,
    report: Report,
) -> None:
    (work / "frames").mkdir()
    report("matting", 0.0)

    def write(frame: tuple[int, np.ndarray]) -> int:
        index, alpha = frame
        color = foreground(crops.images[index], alpha)
        matte = (alpha * 255).round().astype(np.uint8)
        write_png(frame_path(work, index), with_alpha(color, matte))
        return index

    for shot, take in zip(shots, takes, strict=True):
        inside = shot.view.inside(settings.size)
        own = None if crops.alphas is None else crops.alphas[shot.frames]
        alphas = _alphas(take, own, settings)
        frames = (
            (index, alpha * inside * shown(index))
            for index, alpha in enumerate(alphas, shot.frames.start)
        )
        # Closed whatever happens: no frame is matted or written once this has ended.
        with closing(alphas), closing(in_order(write, frames)) as written:
            for index in written:
                report("matting", (index + 1) / len(crops.images))


def _alphas(
    take: Take, own: np.ndarray | None, settings: TrackSettings
) -> Generator[np.ndarray, None, None]:
    """Alpha [H, W] float32 of every crop: the footage's own, else matted."""
    if own is not None:
        yield from (alpha.astype(np.float32) / 255 for alpha in own)
        return
    yield from matted(take.images, bridge_lost(take.landmarks)[:, :468, :2], settings)


def _source(shots: Sequence[_Shot]) -> dict[str, Any]:
    """Where the clip comes from: the first file as it always was, and each one with its frames."""
    files = [
        {
            "name": shot.footage.path.name,
            "sha256": footage_digest(shot.footage.path),
            "frame_size": list(shot.footage.size),
            "crop": [shot.crop.left, shot.crop.top, shot.crop.side],
            "frames": [shot.frames.start, shot.frames.stop],
        }
        for shot in shots
    ]
    return {**files[0], "files": files}
