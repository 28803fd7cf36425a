"""Settings of every stage as frozen dataclasses, the presets, and the table of methods.

Blender reads this to draw its panels; the command line to make its options.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class TrackSettings:
    """Footage to tracked clip."""

    size: int = 512
    """Side of the square head crop in pixels (the papers' 512)."""
    focal_length: float = 1.3
    """In units of the frame's long side; not observable from landmarks (facts/tracking.md 3)."""
    fast_matte: bool = False
    """Selfie mask only, no closed-form matting: about six times faster, softer hair."""
    masks: str = ""
    """Folder of mask images that replace the matting, one per frame, in name order."""
    max_frames: int = 0
    """Read no more than this many frames; 0 reads all."""


@dataclass(frozen=True)
class RGBAvatarSettings:
    """RGBAvatar: reduced Gaussian blendshapes (paper 000)."""

    uv_size: int = 160
    """UV raster; one Gaussian per covered texel. The paper's 256 is for a GPU."""
    blendshapes: int = 20
    """K, RGBAvatar Fig. 3."""
    images: int = 6_000
    """Training images in all, counted over the batch (the paper: 50,000). On real clips 10,000
    gained nothing on held-out frames (docs/benchmarks.md)."""
    batch: int = 4
    """Images per step."""
    base_only_images: int = 600
    """The base trains alone for this many images (the code: 3,000 of 50,000)."""
    size: int = 512
    """Training resolution of the last phase."""
    half_size_share: float = 0.4
    """Share of the fit that trains at half of it, about twice as fast."""
    detail_weight: float = 3.0
    """How much more an error counts on the eyes and the mouth (1 = the paper's plain L1)."""


@dataclass(frozen=True)
class Method:
    """One row of the table of methods."""

    label: str
    description: str
    module: str  # engine.methods.<module>, with reconstruct(...)
    presets: dict[str, Any] = field(default_factory=dict)  # name -> settings


METHODS: dict[str, Method] = {
    "rgbavatar": Method(
        label="RGBAvatar",
        description="Reduced Gaussian blendshapes learned from a video",
        module="rgbavatar",
        presets={
            "draft": RGBAvatarSettings(uv_size=112, images=3_000, base_only_images=300, size=256),
            "standard": RGBAvatarSettings(),
            "best": replace(
                RGBAvatarSettings(), uv_size=256, images=50_000, base_only_images=3_000
            ),
        },
    ),
}
PRESETS = ("draft", "standard", "best")
