"""What can be asked of a feed-forward method: pictures of a person to an avatar in one go.

Blender reads the table to draw its panels, the command line to make its options.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

REFINE_SECONDS = 20.0


@dataclass(frozen=True)
class Regressor:
    """One row of the table of feed-forward methods."""

    label: str
    description: str


REGRESSORS: dict[str, Regressor] = {
    "omgavatar": Regressor(
        "OMG-Avatar", "One picture to Gaussians on the head's vertices, in three levels of detail"
    ),
    "fastgha": Regressor("FastGHA", "A few pictures to Gaussians for every pixel of theirs"),
    "fastavatar": Regressor("FastAvatar", "One to sixteen pictures, better with each one"),
}
"""By name: `engine.methods.feedforward.method.MODELS` has the networks."""


@dataclass(frozen=True)
class RegressRequest:
    """One picture or a few, or frames of a clip, to a .likeness file.

    Result: that of a ReconstructRequest, and pictures_seen, psnr_seen.
    """

    source: str
    """An image, a folder of images, a video, or the folder of a tracked clip."""
    output: str
    """The .likeness file to write."""
    method: str = "omgavatar"
    """A name in REGRESSORS."""
    more_sources: list[str] = field(default_factory=list)
    """Further images of the same person, of any size."""
    frames: str = ""
    """Of a clip: a count, spread evenly ("16"), or numbers ("0,40,80"). The others are measured."""
    refine: float = REFINE_SECONDS
    """Seconds of fitting to the pictures; 0 leaves the avatar as it was regressed."""
    add_to: str = ""
    """A .likeness file that these pictures improve, instead of a new avatar."""
    track: dict[str, Any] = field(default_factory=dict)
    """What differs from TrackSettings."""
    size: int = 0
    """Side of the pictures in pixels; 0 is 512."""
    clip: str = ""
    """Folder that keeps the tracked pictures."""
    device: str = "auto"
    """auto, cpu or cuda."""
    preview: str = ""
    """A .likeness file to replace from time to time with the avatar so far; empty for none."""
    pictures: str = ""
    """Folder for comparison.png, sliders.png and orbit.png; empty for none."""
    consent: str = ""
    """A note on the consent of the person, kept in the avatar."""
