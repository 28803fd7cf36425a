"""INSTA: `transforms.json` (camera to world, OpenCV axes), `images/`, `flame/exp/`.

The export keeps only the expression, so the tracker's `checkpoint` folder must be there too. Its
images are matted, and clothes are cut away with label 90 of a face parser.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import TrackingError
from .flame_track import HINT, FlameTrack, inside, numbers
from .metrical import CHECKPOINT, has_frames, read_frames

TRANSFORMS = "transforms.json"
NO_CLOTHES = "INSTA cuts clothes away: the avatar will have no shoulders"


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / TRANSFORMS).is_file() and (folder / "flame" / "exp").is_dir()


def read(folder: Path) -> FlameTrack:
    """The tracked frames. Raises TrackingError, also when export and tracker disagree."""
    if not has_frames(folder / CHECKPOINT):
        raise TrackingError(
            f"{folder.name} has INSTA's export but not the tracker's checkpoint folder.",
            "Copy metrical-tracker's checkpoint folder into it: it alone has the shape and jaw.",
        )
    frames = _frames(folder)
    track = read_frames("INSTA", folder / CHECKPOINT, lambda stem: _image(frames, folder, stem))
    for path, viewmat in zip(track.images, track.viewmats, strict=True):
        c2w = numbers(frames[path.stem].get("transform_matrix"), (4, 4), f"{path.name}: its camera")
        if np.abs(c2w @ viewmat - np.eye(4)).max() > 1e-2:
            raise TrackingError(
                f"{TRANSFORMS} and {CHECKPOINT} disagree about the camera of {path.name}.",
                "They are of different runs of the tracker: export again.",
            )
    return replace(track, notes=(*track.notes, NO_CLOTHES))


def _frames(folder: Path) -> dict[str, dict[str, Any]]:
    """The export's frames by name; it lists them in no order."""
    try:
        content = json.loads((folder / TRANSFORMS).read_text("utf-8"))
        return {Path(frame["file_path"]).stem: frame for frame in content["frames"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(f"{folder / TRANSFORMS} is damaged: {error}.", HINT) from error


def _image(frames: dict[str, dict[str, Any]], folder: Path, stem: str) -> Path:
    if stem not in frames:
        raise TrackingError(f"{TRANSFORMS} has no frame {stem}.", "Export the data set again.")
    path = inside(folder, frames[stem]["file_path"], "image")
    if not path.is_file():
        raise TrackingError(f"The image {path.name} is missing in {path.parent}.", HINT)
    return path
