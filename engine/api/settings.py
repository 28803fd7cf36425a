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
    head: str = ""
    """Path of a head model (a file or folder that `heads` can read); empty: the built-in head."""
    shoulders: str = "keep"
    """keep, or cut: nothing below the neck is left in the matte."""
    matting: str = ""
    """A video matting network (RVM's .onnx) that replaces ours; empty: none."""
    camera: str = ""
    """Of a tracked data set with several cameras the one to take; empty: the most frontal."""
    retrack: bool = False
    """Track the images of a tracked data set anew instead of taking over its parameters."""


@dataclass(frozen=True)
class PosingSettings:
    """How a finished avatar poses frames that it has not learned from, by their own pictures."""

    size: int = 256
    """Side of the pictures compared: half the papers' finds nearly the same, four times faster."""
    steps: int = 24
    """Of Adam, for each few frames."""
    prior: float = 1.0
    """How much what the tracker found weighs against the picture, as a share of what a training
    frame's does: the more steps are taken, the less of it is needed."""


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
    ssim_share: float = 0.2
    """Share of 1 - SSIM in the loss (the paper: 0): hair, glasses and skin come out sharper."""
    posing: PosingSettings = PosingSettings()
    """Of held-out frames, after the fit."""


@dataclass(frozen=True)
class OnlineSettings:
    """A fit while the footage is still coming in (paper 000, section 3.3)."""

    local_pool: int = 150
    """The newest frames, first in first out (the paper's 150)."""
    global_pool: int = 1000
    """A uniform sample of the frames before them, by reservoir sampling (the paper's 1,000)."""
    global_share: float = 0.3
    """Chance that an image of a batch is from the global pool. The paper's ratio of 0.7 for the
    local one; its code has 0.7 as the most that is drawn globally, see `ramped`."""
    ramped: bool = False
    """The global share grows with the number of frames in the past, as in the paper's code."""
    newness: float = 0.0
    """The newest local frame is drawn exp(newness) times as often as the oldest (the code: 1)."""


@dataclass(frozen=True)
class FlashAvatarSettings:
    """FlashAvatar: Gaussians on the UV map, moved by an offset network (paper 001)."""

    uv_size: int = 112
    """UV raster; 112 gives the built-in head 14,500 Gaussians, the paper's 128 gives FLAME 13,400
    (64, 128 and 256 give ours 5,400, 18,500 and 70,500)."""
    network_uv: int = 56
    """UV raster at whose points the network is asked, Gaussians reading between them: a quarter
    of the work. 0 asks at every Gaussian, as the paper does."""
    width: int = 128
    """Hidden units of the offset network (the paper: 256, at four times the cost)."""
    depth: int = 5
    """Its hidden layers (the paper; its code has 6)."""
    network_rate: float = 3e-3
    """Its learning rate (the paper: 1e-4, for 150,000 images)."""
    learn_positions: bool = True
    """Each Gaussian also has an offset of its own; in the paper only the network moves it."""
    confine: bool = True
    """A face part sees only its own share of the code, so that no slider moves another part. In
    the paper every point sees the whole code."""
    correct_frames: bool = True
    """Poses and expressions of the training frames are corrected with the Gaussians; the paper
    takes them as tracked."""
    images: int = 6_000
    """Training images in all, counted over the batch (the paper's code: 150,000)."""
    batch: int = 4
    """Images per step (the paper: 1)."""
    base_only_images: int = 300
    """The Gaussians train alone for this many images (the paper: 0)."""
    size: int = 512
    """Training resolution of the last phase."""
    half_size_share: float = 0.5
    """Share of the fit that trains at half of it."""
    mouth_weight: float = 40.0
    """How much more an error counts on the mouth (eq. 8)."""
    perceptual_weight: float = 0.05
    """Of LPIPS-VGG where its weights are installed, else of four times 1 - SSIM."""
    perceptual_from: float = 0.5
    """Share of the fit after which it counts (the paper: 15,000 of 150,000 images)."""
    lpips_window: float = 0.5
    """Side of the random window that LPIPS looks at, as a share of the image's (the paper: 1)."""
    posing: PosingSettings = PosingSettings()
    """Of held-out frames, after the fit."""


FLASHAVATAR_PAPER = FlashAvatarSettings(
    uv_size=128, network_uv=0, width=256, network_rate=1e-4, learn_positions=False, confine=False,
    correct_frames=False, images=150_000, batch=1, base_only_images=0, half_size_share=0.0,
    perceptual_from=0.1, lpips_window=1.0,
)  # fmt: skip
"""FlashAvatar as published: for a GPU, and to compare with."""


@dataclass(frozen=True)
class Method:
    """One row of the table of methods."""

    label: str
    description: str
    module: str  # engine.methods.<module>, with reconstruct(...)
    presets: dict[str, Any] = field(default_factory=dict)  # name -> settings
    settles: bool = False  # its avatars become sums of blendshapes by a short fit of their own


METHODS: dict[str, Method] = {
    "rgbavatar": Method(
        label="RGBAvatar",
        description="Reduced Gaussian blendshapes learned from a video",
        module="rgbavatar",
        presets={
            "draft": RGBAvatarSettings(uv_size=112, images=2_200, base_only_images=220, size=256),
            "standard": RGBAvatarSettings(),
            "best": replace(
                RGBAvatarSettings(),
                uv_size=224,
                images=12_000,
                base_only_images=1_200,
                posing=PosingSettings(size=512, steps=60, prior=0.25),
            ),
        },
    ),
    "flashavatar": Method(
        label="FlashAvatar",
        description="Few Gaussians moved by a small network, learned from a video",
        module="flashavatar",
        settles=True,
        presets={
            "draft": FlashAvatarSettings(
                uv_size=80, network_uv=40, images=2_400, size=256, half_size_share=0.3
            ),
            "standard": FlashAvatarSettings(),
            "best": FlashAvatarSettings(uv_size=256, network_uv=64, width=256, images=40_000),
            "paper": FLASHAVATAR_PAPER,
        },
    ),
}
SHOULDERS = ("keep", "cut")
PRESETS = ("draft", "standard", "best")
