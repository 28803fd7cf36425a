"""VHAP's export, as GaussianAvatars and NeRSemble have it: `transforms.json`, `flame_param/`.

FLAME 2023; cameras are camera to world in OpenGL axes (y up, z back); a frame is one time step seen
by one camera. Of several cameras the one that sees the face from the front is taken.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import HeadError, TrackingError
from ..api.rotations import matrix_from_rotvec
from ..heads.array_archive import read_arrays
from .flame_track import EXPRESSIONS, HINT, SHAPES, FlameTrack, inside, numbers, padded

TRANSFORMS = ("transforms.json", "transforms_train.json", "transforms_val.json",
              "transforms_test.json")  # fmt: skip
VERTICES = 5023
PARAMETERS = ("shape", "expr", "rotation", "translation", "neck_pose", "jaw_pose", "eyes_pose",
              "static_offset", "dynamic_offset")  # fmt: skip
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "flame_param").is_dir() and any((folder / n).is_file() for n in TRANSFORMS)


def read(folder: Path, camera: str = "") -> FlameTrack:
    """The time steps seen by one camera: the named one, else the most frontal. TrackingError."""
    frames = _frames(folder)
    steps = _steps(folder, frames)
    by_camera: dict[str, list[dict[str, Any]]] = {}
    for frame in frames:
        by_camera.setdefault(str(frame.get("camera_id", frame.get("camera_index", 0))), []).append(
            frame
        )
    chosen = camera or max(by_camera, key=lambda name: _frontal(by_camera[name][0], steps))
    if chosen not in by_camera:
        raise TrackingError(
            f"There is no camera {chosen}.", f"There are {', '.join(sorted(by_camera))}."
        )
    track = _track(folder, sorted(by_camera[chosen], key=_timestep), steps)
    if len(by_camera) == 1:
        return track
    note = f"one of {len(by_camera)} cameras was taken, {chosen}; choose another by its name"
    return replace(track, notes=(note,))


def _frames(folder: Path) -> list[dict[str, Any]]:
    """The frames of the whole export, or of its splits where only those are there."""
    present = [folder / name for name in TRANSFORMS if (folder / name).is_file()]
    frames: list[dict[str, Any]] = []
    try:
        for path in present[:1] if present[0].name == TRANSFORMS[0] else present:
            content = json.loads(path.read_text("utf-8"))
            shared = {key: value for key, value in content.items() if key != "frames"}
            frames += [{**shared, **frame} for frame in content["frames"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(f"{path} is damaged: {error}.", HINT) from error
    if not frames:
        raise TrackingError(f"{present[0]} lists no frame.", HINT)
    return frames


def _timestep(frame: dict[str, Any]) -> int:
    try:
        return int(frame["timestep_index"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrackingError("A frame has no timestep_index.", HINT) from error


def _steps(folder: Path, frames: list[dict[str, Any]]) -> dict[int, dict[str, np.ndarray]]:
    """FLAME parameters of each time step."""
    return {
        step: _parameters(inside(folder, frame.get("flame_param_path"), "flame_param"))
        for step, frame in sorted({_timestep(frame): frame for frame in frames}.items())
    }


def _parameters(path: Path) -> dict[str, np.ndarray]:
    try:
        found = read_arrays(path, PARAMETERS)
    except HeadError as error:
        raise TrackingError(error.message, HINT) from error
    missing = [name for name in PARAMETERS[:7] if name not in found]
    if missing:
        raise TrackingError(f"{path.name} lacks {', '.join(missing)}.", HINT)
    if np.abs(found.get("dynamic_offset", np.zeros(1))).max(initial=0) > 1e-4:
        raise TrackingError(
            f"{path.name} has dynamic offsets, which no head model can follow.",
            "Export with use_dynamic_offset off.",
        )
    return {
        "shape": padded(found["shape"], SHAPES, f"{path.name}: shape"),
        "expression": padded(found["expr"], EXPRESSIONS, f"{path.name}: expr"),
        "eyes": numbers(np.ravel(found["eyes_pose"]), (6,), f"{path.name}: eyes_pose").reshape(
            2, 3
        ),
        "offset": _offset(found.get("static_offset"), path.name),
        **{
            key: numbers(np.ravel(found[name]), (3,), f"{path.name}: {name}")
            for key, name in (
                ("rotation", "rotation"),
                ("translation", "translation"),
                ("neck", "neck_pose"),
                ("jaw", "jaw_pose"),
            )
        },
    }


def _offset(stored: np.ndarray | None, name: str) -> np.ndarray:
    """Static offsets [5023, 3] of FLAME's own vertices; VHAP's teeth come after them."""
    if stored is None:
        return np.zeros((VERTICES, 3))
    flat = stored.reshape(-1, 3)
    if len(flat) < VERTICES:
        raise TrackingError(f"{name}: static_offset is {stored.shape}.", HINT)
    return numbers(flat[:VERTICES], (VERTICES, 3), f"{name}: static_offset")


def _viewmat(frame: dict[str, Any]) -> np.ndarray:
    """World to camera in OpenCV axes."""
    c2w = numbers(frame.get("transform_matrix"), (4, 4), "A frame's transform_matrix")
    if abs(np.linalg.det(c2w)) < 1e-6:
        raise TrackingError("A frame's transform_matrix cannot be inverted.", HINT)
    return np.linalg.inv(c2w @ OPENGL)


def _frontal(frame: dict[str, Any], steps: dict[int, dict[str, np.ndarray]]) -> float:
    """How much the face looks into the camera: the cosine, 1 straight on."""
    step = steps[_timestep(frame)]
    face = matrix_from_rotvec(step["rotation"]) @ matrix_from_rotvec(step["neck"])
    return -float((_viewmat(frame)[:3, :3] @ face[:, 2])[2])


def _track(
    folder: Path, frames: list[dict[str, Any]], steps: dict[int, dict[str, np.ndarray]]
) -> FlameTrack:
    chosen = [steps[_timestep(frame)] for frame in frames]
    K = np.stack([_intrinsics(frame) for frame in frames])
    if np.abs(K - K[0]).max() > 0.5:
        raise TrackingError("The camera zooms during the clip.", "Its focal length must be fixed.")
    images = tuple(inside(folder, frame.get("file_path"), "image") for frame in frames)
    has_masks = all("fg_mask_path" in frame for frame in frames)
    stacked = {
        key: np.stack([step[key] for step in chosen])
        for key in ("expression", "rotation", "translation", "neck", "jaw", "eyes")
    }
    return FlameTrack(
        layout="VHAP",
        version="2023",
        shape=chosen[0]["shape"],
        eyelids=np.zeros((len(frames), 2)),
        viewmats=np.stack([_viewmat(frame) for frame in frames]),
        K=K[0],
        images=images,
        masks=tuple(inside(folder, frame["fg_mask_path"], "mask") for frame in frames)
        if has_masks
        else (),
        offset=chosen[0]["offset"],
        **stacked,
    )


def _intrinsics(frame: dict[str, Any]) -> np.ndarray:
    values = [frame.get(key) for key in ("fl_x", "fl_y", "cx", "cy")]
    fx, fy, cx, cy = numbers(values, (4,), "A frame's fl_x, fl_y, cx, cy")
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
