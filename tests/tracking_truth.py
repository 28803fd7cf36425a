"""Errors of the tracker against the sample's ground truth."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.api.head import HeadModel, HeadParams
from engine.api.rotations import matrix_from_rotvec, rotvec_from_matrix
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip
from engine.heads.builtin import builtin_head
from engine.tracking import track


def against_truth(seconds: float) -> str:
    """A table of errors against the sample's own parameters."""
    from engine.sample import make_sample

    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch) / "sample.mp4"
        make_sample(video, seconds)
        clip = track(video, Path(scratch) / "clip", TrackSettings(fast_matte=True))
        with np.load(video.with_suffix(".truth.npz")) as archive:
            truth = {name: archive[name] for name in archive.files}
        return _error_table(clip, truth)


def _error_table(clip: TrackedClip, truth: dict[str, np.ndarray]) -> str:
    names = clip.head.expression_names
    params = HeadParams(*(truth[n] for n in vars(clip.params)))
    person = replace(builtin_head(), vertices=truth["vertices"])
    head_turn = _degrees(turn(clip.params), turn(params))
    steady_turn = _degrees(turn(clip.params), turn(params) @ _offset(clip.params, params))
    seen, real = landmark_points(clip.head, clip.params), landmark_points(person, params)
    scale = np.median(real[..., 2] / seen[..., 2])  # one camera cannot tell size from distance
    apart = 1000 * np.abs(seen * scale - real)
    shown = np.array([not n.startswith("eyeLook") for n in names])
    moved = shown & (params.expression.max(0) > 0.3)
    still = shown & (params.expression.max(0) < 0.02)
    off = np.abs(clip.params.expression - params.expression)
    opened = params.expression[:, names.index("eyeBlinkLeft")] < 0.3
    gaze = np.concatenate([_degrees(_gaze(clip.params, s), _gaze(params, s))[opened]
                           for s in (0, 1)])  # fmt: skip
    rows = {
        "head's turn, degrees": head_turn,
        "the same without its constant part, degrees": steady_turn,
        "landmarks sideways, mm": np.linalg.norm(apart[..., :2], axis=-1),
        "landmarks in depth, mm": apart[..., 2],
        f"{moved.sum()} expressions that move, units of 1": off[:, moved],
        f"{still.sum()} expressions that rest, units of 1": off[:, still],
        "gaze of open eyes in the world, degrees": gaze,
    }
    lines = [f"| sample, {len(params)} frames | median | mean | 95 % |", "|---|--:|--:|--:|"]
    for label, values in rows.items():
        median, high = np.percentile(values, [50, 95])
        lines.append(f"| {label} | {median:.3f} | {values.mean():.3f} | {high:.3f} |")
    error = 100 * (1 / scale - 1)
    return "\n".join([*lines, "", f"Size and distance together are off by {error:+.1f} %."])


def landmark_points(head: HeadModel, params: HeadParams) -> np.ndarray:
    """The face's landmarks [T, M, 3] in the world."""
    chosen = on_mesh(head)
    corners = head.faces[head.landmark_faces[chosen]]
    posed = np.stack([head.pose(params[t])[corners] for t in range(len(params))])
    return np.einsum("mk,tmkc->tmc", head.landmark_barycentrics[chosen], posed)


def on_mesh(head: HeadModel) -> np.ndarray:
    return np.flatnonzero(head.landmark_faces[:468] >= 0)


def turn(params: HeadParams) -> np.ndarray:
    return matrix_from_rotvec(params.rotation) @ matrix_from_rotvec(params.neck)


def _gaze(params: HeadParams, side: int) -> np.ndarray:
    return turn(params) @ matrix_from_rotvec(params.eyes[:, side])


def _degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles [T] between rotations."""
    apart = rotvec_from_matrix(np.swapaxes(a, -1, -2) @ b)
    return np.degrees(np.linalg.norm(apart, axis=-1))


def _offset(a: HeadParams, b: HeadParams) -> np.ndarray:
    """The constant turn [3, 3] that takes b's heads nearest to a's."""
    u, _, vt = np.linalg.svd((np.swapaxes(turn(b), -1, -2) @ turn(a)).mean(0))
    return u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
