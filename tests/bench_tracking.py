"""Errors and speed of the tracker: against the sample's ground truth, and on the shared clips.

    python -m tests.bench_tracking [--frames 120] [--seconds 5] [--only sample|clips]

Prints two tables; asserts nothing. Held out: a random fifth of the landmarks is not part of the
fit; their distance from where the tracker expects them, as its neighbours slide over the skin, and
from the skin itself. Flow: corners of skin followed over five frames, on the squares of a 2 cm
checkerboard that the flow bundle never saw (facts/tracking.md 3). Jitter: what poses do while the
footage stands still, by those same corners; unrest: what they do in the stillest quarter of the
clip, which also has whatever the person really does there. Times are by the clock, right on an
idle machine; matting is counted from the background's plate to the written clip.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from engine.api.head import HeadModel, HeadParams
from engine.api.rotations import matrix_from_rotvec, rotvec_from_matrix
from engine.api.settings import TrackSettings
from engine.footage import open_footage
from engine.heads.builtin import builtin_head
from engine.tracking import flow, track
from engine.tracking.crop import find_head
from engine.tracking.detectors import landmark_passes
from engine.tracking.landmark_model import landmark_model
from engine.tracking.performance import Performance, solve_performance
from engine.tracking.pose import VIEWMAT, Poses, project
from engine.tracking.spread import spread_on_skin
from engine.tracking.takes import Take
from engine.tracking.tracks import Tracks, carry_tracks
from tests.tracking_truth import against_truth, landmark_points, on_mesh, turn

FOOTAGE = Path(__file__).parents[2] / "shared" / "footage"
SIZE = 512
HELD_OUT_SHARE, SQUARE, FLOW_SPAN = 0.2, 0.02, 5
WINDOW = 12  # frames: what a quadratic cannot follow in so many is unrest
STILL, STILL_WINDOW = 0.5, 5  # pixels from frame to frame, frames


class Solved(NamedTuple):
    """A solve in which some landmarks and some skin had no part."""

    take: Take
    K: np.ndarray
    performance: Performance
    held_out: np.ndarray  # landmarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=120, help="of each clip")
    parser.add_argument("--seconds", type=float, default=5.0, help="of the sample")
    parser.add_argument("--only", choices=("sample", "clips"))
    options = parser.parse_args()
    if options.only != "clips":
        print(against_truth(options.seconds), flush=True)
    if options.only != "sample":
        print("\n" + on_clips(sorted(FOOTAGE.glob("*.mp4")), options.frames))


def on_clips(clips: list[Path], frames: int) -> str:
    """A table of what can be measured without truth."""
    lines = [
        "| clip | frames | fitted px | held-out px | the skin's own px | flow of 5 frames px | "
        "jitter degrees (windows) | unrest degrees | "
        "tracking 1/s | matting 1/s | fast matte 1/s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for clip in clips:
        solved = solve_with_some_held_out(clip, frames)
        tracking, matting = speeds(clip, frames, fast=False)
        _, fast = speeds(clip, frames, fast=True)
        fitted, held, skin = reprojection(solved)
        turns = rotvec_from_matrix(turn(solved.performance.params))
        lines.append(
            f"| {clip.stem} | {len(solved.take.images)} | {fitted:.2f} | {held:.2f} | {skin:.2f} | "
            f"{flow_error(solved):.2f} | {jitter(solved)} | {unrest(turns):.3f} | "
            f"{tracking:.1f} | {matting:.1f} | {fast:.1f} |"
        )
    return "\n".join(lines)


def solve_with_some_held_out(path: Path, frames: int, seed: int = 0) -> Solved:
    """Track without a random fifth of the landmarks and half of the skin."""
    footage = open_footage(path)
    crop, survey = find_head(footage.frames(frames), frames, lambda share: None)
    images = np.stack([crop.image(f.rgb, SIZE) for f in footage.frames(len(survey))])
    landmarks, disagreement = landmark_passes(images, lambda share: None)
    K = crop.intrinsics(TrackSettings().focal_length, SIZE)
    head = builtin_head()
    on_mesh = np.flatnonzero(head.landmark_faces[:468] >= 0)
    chosen = np.random.default_rng(seed).permutation(on_mesh)
    held_out = np.sort(chosen[: round(HELD_OUT_SHARE * len(on_mesh))])
    faces = head.landmark_faces.copy()
    faces[held_out] = -1
    take = Take(images, landmarks, disagreement, footage.fps)
    with _on_squares(0):
        performance = solve_performance(
            replace(head, landmark_faces=faces), [take], K, lambda stage, share: None
        )
    return Solved(take, K, performance, held_out)


def reprojection(solved: Solved) -> tuple[float, float, float]:
    """Median distances in pixels of the landmarks fitted and of those held out from where they are
    expected, and of those held out from the skin."""
    performance = solved.performance
    person = replace(performance.head, landmark_faces=builtin_head().landmark_faces)
    slides = spread_on_skin(person, on_mesh(performance.head), performance.slide)
    sliding = replace(person, expression_deltas=person.expression_deltas + slides)
    held = np.isin(on_mesh(person), solved.held_out)

    def distances(head: HeadModel) -> np.ndarray:
        points = landmark_points(head, performance.params) @ VIEWMAT[:3, :3].T
        seen = solved.take.landmarks[:, on_mesh(head), :2]
        return np.linalg.norm(project(points, solved.K) - seen, axis=-1)

    expected, skin = distances(sliding), distances(person)
    return (
        float(np.nanmedian(expected[:, ~held])),
        float(np.nanmedian(expected[:, held])),
        float(np.nanmedian(skin[:, held])),
    )


def flow_error(solved: Solved) -> float:
    """Median error in pixels over five frames, on the squares of skin that the fit never saw."""
    tracks, shaped, poses = unseen_tracks(solved, FLOW_SPAN)
    error = carry_tracks(tracks, shaped, poses, solved.K)[2]
    return float(np.median(np.linalg.norm(error, axis=-1)))


def unseen_tracks(solved: Solved, span: int) -> tuple[Tracks, np.ndarray, Poses]:
    """Corners of skin that the fit never saw followed over `span` frames, and what should carry
    them: landmarks [T, M, 3] on the head, and its poses."""
    model = landmark_model(solved.performance.head)
    params = solved.performance.params
    poses = head_poses(solved.performance.head, params)
    shaped = model.skin(params.expression)
    with _on_squares(1), patch.object(flow, "SPANS", (span,)):
        pixels = project(poses.apply(shaped), solved.K)
        tracks = flow.find_tracks(solved.take.images, model, pixels, lambda share: None)
    return tracks, shaped, poses


@contextmanager
def _on_squares(colour: int) -> Iterator[None]:
    """Only triangles whose middles lie on the squares of one colour carry corners."""
    everywhere = flow.rigid_triangles

    def some(model: object) -> np.ndarray:
        triangles = everywhere(model)  # type: ignore[arg-type]
        middles = model.neutral[triangles].mean(1)[:, :2]  # type: ignore[attr-defined]
        return triangles[np.floor(middles / SQUARE).astype(int).sum(-1) % 2 == colour]

    with patch.object(flow, "rigid_triangles", some):
        yield


def jitter(solved: Solved) -> str:
    """RMS in degrees of the head's turn about a quadratic while the footage stands still, that is
    the median corner of unseen skin moves by less than STILL, and in how many windows."""
    tracks = unseen_tracks(solved, 1)[0]
    moved = np.linalg.norm(tracks.end - tracks.start, axis=-1)
    pairs = range(len(solved.take.images) - 1)
    still = [bool((tracks.first == t).any() and np.median(moved[tracks.first == t]) < STILL)
             for t in pairs]  # fmt: skip
    steps = STILL_WINDOW - 1
    starts = [t for t in pairs if len(still) >= t + steps and all(still[t : t + steps])]
    if not starts:
        return "never still"
    turns = rotvec_from_matrix(turn(solved.performance.params))
    windows = np.stack([turns[start : start + STILL_WINDOW] for start in starts])
    freedoms = STILL_WINDOW / (STILL_WINDOW - 3)  # the quadratic takes three
    return f"{_about_a_quadratic(windows) * np.sqrt(freedoms):.3f} ({len(starts)})"


def unrest(turns: np.ndarray) -> float:
    """RMS in degrees of turns [T, 3] about a quadratic, in the stillest quarter of windows."""
    starts = range(0, len(turns) - WINDOW + 1, WINDOW // 2)
    windows = np.stack([turns[start : start + WINDOW] for start in starts])
    motion = np.ptp(windows, axis=1).max(-1)
    return _about_a_quadratic(windows[motion <= np.percentile(motion, 25)])


def _about_a_quadratic(windows: np.ndarray) -> float:
    """RMS in degrees of windows [W, N, 3] of turns."""
    smooth = np.linspace(-1, 1, windows.shape[1])[:, None] ** np.arange(3)
    rest = windows - np.einsum("wp,nwc,vp->nvc", np.linalg.pinv(smooth).T, windows, smooth)
    return float(np.degrees(np.sqrt((rest**2).sum(-1).mean())))


def speeds(path: Path, frames: int, fast: bool) -> tuple[float, float]:
    """Frames per second of tracking and of matting."""
    marks: dict[str, float] = {}
    settings = TrackSettings(max_frames=frames, fast_matte=fast)
    with tempfile.TemporaryDirectory() as scratch:
        start = time.monotonic()

        def mark(stage: str, share: float) -> None:
            marks.setdefault(stage, time.monotonic())

        clip = track(path, Path(scratch) / "clip", settings, mark)
        end = time.monotonic()
        return len(clip) / (marks["matting"] - start), len(clip) / (end - marks["matting"])


def head_poses(head: HeadModel, params: HeadParams) -> Poses:
    """Head to camera, from torso and neck."""
    root, neck = matrix_from_rotvec(params.rotation), matrix_from_rotvec(params.neck)
    pivot = head.joint_positions[1].astype(float)
    place = np.einsum("tij,tj->ti", root, pivot - neck @ pivot) + params.translation
    return Poses(VIEWMAT[:3, :3] @ root @ neck, place @ VIEWMAT[:3, :3].T)


if __name__ == "__main__":
    main()
