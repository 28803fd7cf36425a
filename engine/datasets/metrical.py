"""metrical-tracker: `checkpoint/%05d.frame`, which INSTA, RGBAvatar and FlashAvatar build on.

A frame is a torch file: `flame` of FLAME 2020 (exp, shape, eyes and jaw as 6D rotations, eyelids),
and `opencv` (R, t, K; world to camera). The head stands at the origin; its pose is the camera's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import TrackingError
from ..api.rotations import rotvec_from_matrix
from .flame_track import EXPRESSIONS, HINT, SHAPES, FlameTrack, image_size, numbers, one_of, padded
from .torch_file import read_torch_file

CHECKPOINT = "checkpoint"
SUFFIXES = (".png", ".jpg", ".jpeg")


def has_frames(folder: Path) -> bool:
    """Whether a folder is a tracker's `checkpoint` folder."""
    return folder.is_dir() and any(folder.glob("*.frame"))


def matches(folder: Path) -> bool:
    """Whether this is the tracker's own output."""
    return has_frames(folder / CHECKPOINT) and (folder / "input").is_dir()


def read(folder: Path) -> FlameTrack:
    """The tracked frames with the images that the tracker saw. Raises TrackingError."""
    return read_frames(
        "metrical-tracker", folder / CHECKPOINT, lambda stem: named(folder / "input", stem)
    )


def named(folder: Path, stem: str) -> Path:
    """The image of that name. Raises TrackingError when it is not there."""
    return one_of(folder, [stem + suffix for suffix in SUFFIXES], "The image")


def read_frames(
    layout: str,
    checkpoint: Path,
    image_of: Callable[[str], Path],
    mask_of: Callable[[str], Path] | None = None,
    parsing_of: Callable[[str], Path] | None = None,
) -> FlameTrack:
    """All `.frame` files, in the order of their names, with what belongs to each name (a stem)."""
    paths = sorted(checkpoint.glob("*.frame"), key=lambda path: path.name)
    payloads = [_payload(path) for path in paths]
    images = tuple(image_of(path.stem) for path in paths)
    width, height = image_size(images[0])
    stored = payloads[0]["size"]
    if stored != (height, width):
        raise TrackingError(
            f"The images are {width}x{height}, but were tracked at {stored[1]}x{stored[0]}.", HINT
        )
    K = np.stack([payload["K"] for payload in payloads])
    if np.abs(K - K[0]).max() > 0.5:
        raise TrackingError("The camera zooms during the clip.", "Its focal length must be fixed.")
    stacked = {
        key: np.stack([payload[key] for payload in payloads])
        for key in ("expression", "jaw", "eyes", "eyelids", "viewmat")
    }
    still = np.zeros((len(paths), 3))
    return FlameTrack(
        layout, "2020", payloads[0]["shape"], stacked["expression"], still, still, still,
        stacked["jaw"], stacked["eyes"], stacked["eyelids"], stacked["viewmat"], K[0], images,
        masks=() if mask_of is None else tuple(mask_of(path.stem) for path in paths),
        parsing=() if parsing_of is None else tuple(parsing_of(path.stem) for path in paths),
        neck_is_rigid=True,
    )  # fmt: skip


def _payload(path: Path) -> dict[str, Any]:
    """One frame's parameters, checked."""
    content = read_torch_file(path)
    try:
        flame, opencv = content["flame"], content["opencv"]
        eyelids = flame.get("eyelids", np.zeros((1, 2)))
        expression, shape = np.asarray(flame["exp"]), np.asarray(flame["shape"])
        jaw, eyes = flame["jaw"], flame["eyes"]
        R, t, K = opencv["R"], opencv["t"], opencv["K"]
        height, width = (int(n) for n in np.ravel(content["img_size"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrackingError(f"{path.name} is no tracked frame: {error} is wrong.", HINT) from error
    turn = numbers(R, (3, 3), f"{path.name}: opencv R")
    if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-2 or np.linalg.det(turn) < 0:
        raise TrackingError(f"{path.name}: opencv R is no rotation.", HINT)
    viewmat = np.eye(4)
    viewmat[:3, :3] = turn
    viewmat[:3, 3] = numbers(np.ravel(t), (3,), f"{path.name}: opencv t")
    return {
        "expression": padded(expression, EXPRESSIONS, f"{path.name}: exp"),
        "shape": padded(shape, SHAPES, f"{path.name}: shape"),
        "jaw": _rotvec(numbers(np.ravel(jaw), (6,), f"{path.name}: jaw")),
        "eyes": _rotvec(numbers(np.ravel(eyes), (12,), f"{path.name}: eyes").reshape(2, 6)),
        "eyelids": numbers(np.ravel(eyelids), (2,), f"{path.name}: eyelids"),
        "viewmat": viewmat,
        "K": numbers(K, (3, 3), f"{path.name}: opencv K"),
        "size": (height, width),
    }


def _rotvec(six: np.ndarray) -> np.ndarray:
    """Rotation vectors [..., 3] of 6D rotations [..., 6]: the first two rows (Zhou et al. 2019)."""
    first = six[..., :3] / np.maximum(np.linalg.norm(six[..., :3], axis=-1, keepdims=True), 1e-9)
    second = six[..., 3:] - (first * six[..., 3:]).sum(-1, keepdims=True) * first
    second /= np.maximum(np.linalg.norm(second, axis=-1, keepdims=True), 1e-9)
    return rotvec_from_matrix(np.stack([first, second, np.cross(first, second)], -2))
