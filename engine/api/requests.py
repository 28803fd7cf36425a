"""What can be asked of the engine: one dataclass for each job, from a message or a command line.

Paths are the caller's; make them absolute, the worker's working directory is not yours.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

from .errors import LikenessError


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)


@dataclass(frozen=True)
class TrackRequest:
    """Footage to the folder of a tracked clip.

    Result: path, frames, seconds, quality (with its findings), warnings, sheet.
    """

    source: str
    """A video, an image, a folder of images, or camera:0; what a camera films is kept as a video
    beside the output."""
    output: str
    """Folder of the tracked clip: new, empty, or an earlier clip, which is replaced."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What differs from TrackSettings."""
    more_sources: list[str] = field(default_factory=list)
    """Further clips of the same person, tracked into the same folder."""
    seconds: float = 0.0
    """How long to film when the source is a camera (camera:0, or its device file)."""


@dataclass(frozen=True)
class ReconstructRequest:
    """Footage or a tracked clip to a .likeness file.

    Result: path, gaussians, blendshapes, metrics, seconds (by stage), warnings, pictures.
    """

    source: str
    """A video, an image, a folder of images, or the folder of a tracked clip; online also a camera
    by its number or device file."""
    output: str
    """The .likeness file to write."""
    method: str = "rgbavatar"
    """A name in METHODS."""
    preset: str = "standard"
    """A name in PRESETS."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What differs from the preset's settings."""
    more_sources: list[str] = field(default_factory=list)
    """Further footage of the same person: one identity, each clip with poses of its own."""
    track: dict[str, Any] = field(default_factory=dict)
    """What differs from TrackSettings."""
    size: int = 0
    """Side of the training images in pixels; 0 keeps the preset's. Footage is cropped to it too."""
    clip: str = ""
    """Folder that keeps the tracked clip, reused when footage and settings are the same. Without
    it the clip lies beside the output until the fit has succeeded."""
    test_frames: str = "15%"
    """The last frames, a count or a share, never trained on; at most 350. Of several clips, the
    last of each: every clip's own light and framing is measured."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    max_seconds: float = 0.0
    """Ends the fit (not the tracking) after so long; 0 lets it run through."""
    online: bool = False
    """Play the footage at its own rate, or a camera (`camera:0`), and learn while it runs. To
    cancel is then to finish: what was learned so far is written. `max_seconds` ends all of it."""
    polish_seconds: float = 0.0
    """Online: go on learning for so long after the stream has ended."""
    preview: str = ""
    """A .likeness file to replace from time to time with the avatar so far, and a .png of the same
    name with its picture; empty for none."""
    pictures: str = ""
    """Folder for comparison.png, sliders.png and orbit.png; empty for none."""
    consent: str = ""
    """A note on the consent of the person in the footage, kept in the avatar."""
    restart: bool = False
    """Forget an interrupted fit; else one with the same output and settings is gone on with."""


@dataclass(frozen=True)
class RenderRequest:
    """An avatar to RGBA images or a video. Result: path, frames, seconds."""

    avatar: str
    """A .likeness file."""
    output: str
    """A folder for numbered PNGs, or a video file."""
    performance: bool = False
    """Play the performance tracked in the footage; else the neutral face."""
    frames: str = ""
    """A:B, from frame A up to but not including B; either may be left out."""
    camera: str = "source"
    """source, or orbit: swings 30 degrees to both sides."""
    background: str = ""
    """transparent, a name, #rrggbb; empty: transparent for images, black for a video."""
    size: int = 0
    """Width in pixels; 0 keeps the footage's."""
    level: int = 0
    """Level of detail, 0 the finest."""


@dataclass(frozen=True)
class ExportRequest:
    """An avatar to Gaussians that other programs read. Result: path, files, gaussians, seconds."""

    avatar: str
    """A .likeness file."""
    output: str
    """A .ply or .glb file; with `frames`, numbered files beside it: NAME_00000.ply and so on."""
    frames: str = ""
    """A:B of the performance, B is left out, ":" is all of it; empty for one still pose."""
    expression: str = ""
    """Poses and expressions as "smile=0.5,jawOpen=1"; with `frames` instead of those played."""
    axes: str = "y-down"
    """Of a PLY: y-down as 3DGS trains, y-up, or z-up."""
    rest: bool = False
    """Give a PLY the 45 harmonics that some readers insist on, all 0."""
    level: int = 0
    """Level of detail, 0 the finest."""


@dataclass(frozen=True)
class CompareRequest:
    """Several methods on one clip. Result: path, rows (one for each method), files."""

    source: str
    """Footage, or the folder of a tracked clip."""
    output: str
    """Folder for the avatars, the table (text, JSON, CSV) and the sheet."""
    methods: str = "rgbavatar,flashavatar"
    """Names in METHODS, with commas."""
    preset: str = "standard"
    """A name in PRESETS, for all of them."""
    size: int = 0
    """Side of the training images in pixels; 0 keeps the preset's."""
    test_frames: str = "15%"
    """The last frames, a count or a share, never trained on."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    max_seconds: float = 0.0
    """Ends each fit after so long; 0 lets it run through."""


@dataclass(frozen=True)
class BakeRequest:
    """A baked avatar made smaller, its levels of detail thinned out anew. Result: path, gaussians,
    levels, metrics (with a clip: held out, before and after), seconds."""

    avatar: str
    """A .likeness file."""
    output: str
    """The .likeness file to write."""
    prune: float = 0.0
    """Share of the Gaussians to leave out, those that show least."""
    clip: str = ""
    """Folder of the tracked clip; the rest is fitted to it a little more."""
    images: int = 600
    """Training images of that."""
    device: str = "auto"
    """auto, cpu or cuda."""


@dataclass(frozen=True)
class HeadsRequest:
    """Heads to choose from. Result: path, heads (cards, see head_library), words."""

    action: str
    """list, add or download."""
    what: str = ""
    """add: a head model's path; download: its key (ict, gnm); list: one more path, or empty."""
    consent: bool = False
    """The user has agreed to the download and to the head's licence."""


def parse(kind: type[T], values: dict[str, Any]) -> T:
    """A request from a message's fields. Raises LikenessError on unknown, missing or mistyped."""
    required = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING]
    for name in required:
        if not values.get(name):
            raise LikenessError(f"The request has no {name}.", "Give it a path.")
    return changed(kind(**dict.fromkeys(required, "")), values)


def changed(settings: T, changes: dict[str, Any]) -> T:
    """A dataclass with some fields changed; types are checked against the present values.

    Raises LikenessError on an unknown field or another type.
    """
    present = {f.name: getattr(settings, f.name) for f in fields(settings)}
    for name, value in changes.items():
        if name not in present:
            raise LikenessError(f"There is no setting '{name}'.", f"Known: {', '.join(present)}.")
        expected = type(present[name])
        fits = isinstance(value, expected) or (expected is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and expected is not bool):
            raise LikenessError(f"{name} is {value!r:.60}.", f"Expected {expected.__name__}.")
    return replace(settings, **changes)
