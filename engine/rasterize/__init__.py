"""One rasteriser interface with three backends, chosen by what is there.

`gsplat` (CUDA), `cpu` (our Numba kernels) and `reference` (plain torch, slow, exact, any dtype)
agree on the semantics of gsplat's classic pinhole mode, see `semantics.py`. Colours are blended as
they are given.
"""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from ..api.errors import DeviceError
from ..gaussians import Cameras, Gaussians

_HINTS = {
    "gsplat": "Install gsplat and a CUDA build of torch on a machine with an NVIDIA GPU.",
    "cpu": "Install numba, or use the slow 'reference' backend.",
    "reference": "",
}


def backends_available() -> tuple[str, ...]:
    """Names of the backends that this machine offers, fastest first. Loads none of them."""
    available = []
    if torch.cuda.is_available() and importlib.util.find_spec("gsplat") is not None:
        available.append("gsplat")
    if importlib.util.find_spec("numba") is not None:
        available.append("cpu")
    return (*available, "reference")


def choose_backend(device: torch.device | str) -> str:
    """The fastest backend for tensors on the device. Raises DeviceError for CUDA without gsplat."""
    kind = torch.device(device).type
    available = backends_available()
    if kind == "cuda":
        if "gsplat" not in available:
            raise DeviceError("The CUDA device cannot be used without gsplat.", _HINTS["gsplat"])
        return "gsplat"
    return "cpu" if kind == "cpu" and "cpu" in available else "reference"


def rasterize(
    gaussians: Gaussians,
    cameras: Cameras,
    backgrounds: Tensor | None = None,  # [B, D]; None = black
    backend: str = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """Render B images of B different sets of Gaussians, or of one set without batch dimension.

    Returns colors [B, H, W, D] over the background, alphas [B, H, W, 1], and depths [B, H, W, 1]:
    the camera z accumulated with the blending weights, not divided by alpha (metres).
    All three are differentiable with respect to every field of the Gaussians, colors also with
    respect to the backgrounds. Gaussians with a NaN or an infinity anywhere are left out.

    Raises DeviceError when the backend is not available or does not suit the tensors' device, and
    ValueError when shapes do not fit together.
    """
    name = choose_backend(gaussians.means.device) if backend == "auto" else backend
    _check_backend(name, gaussians.means.device)
    batched = _batched(gaussians, len(cameras.viewmats))
    channels = gaussians.colors.shape[-1]
    if backgrounds is None:
        backgrounds = gaussians.colors.new_zeros(len(cameras.viewmats), channels)
    if backgrounds.shape != (len(cameras.viewmats), channels):
        raise ValueError(
            f"backgrounds have shape {tuple(backgrounds.shape)}, "
            f"expected {(len(cameras.viewmats), channels)}"
        )
    if name == "gsplat":
        from .gsplat_backend import rasterize as render
    elif name == "cpu":
        from .cpu import rasterize as render
    else:
        from .reference import rasterize as render
    return render(batched, cameras, backgrounds)


def splat_weights(
    gaussians: Gaussians,
    cameras: Cameras,
    images: Tensor,  # [B, H, W, 3]
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """How much of each image each Gaussian covers, and the colour it covers there.

    Returns the sums over pixels of the blending weights w [B, N] and of w * image [B, N, 3]; their
    ratio is the colour initialisation of RGBAvatar eq. 3. Blending is linear in the colours, so
    both are the gradient of an image of four channels (red, green, blue, 1) with respect to them.
    """
    images_count = len(cameras.viewmats)
    still = Gaussians(*(value.detach() for value in _batched(gaussians, images_count)))
    colors = still.means.new_zeros(*still.opacities.shape, 4).requires_grad_()
    with torch.enable_grad():
        rendered, _, _ = rasterize(still._replace(colors=colors), cameras, backend=backend)
    upstream = torch.cat([images, torch.ones_like(images[..., :1])], -1).to(rendered)
    (sums,) = torch.autograd.grad(rendered, colors, upstream)
    return sums[..., 3], sums[..., :3]


def warm_up() -> None:
    """Compile the CPU kernels (seconds, the first time) or load them from the cache."""
    if "cpu" in backends_available():
        from . import cpu  # noqa: F401  (kernels compile on import)


def _check_backend(name: str, device: torch.device) -> None:
    if name not in _HINTS:
        raise DeviceError(f"There is no rasteriser '{name}'.", f"Choose from {', '.join(_HINTS)}.")
    if name not in backends_available():
        raise DeviceError(f"The rasteriser '{name}' is not available here.", _HINTS[name])
    if name == "cpu" and device.type != "cpu":
        raise DeviceError(
            f"The rasteriser 'cpu' cannot draw tensors on {device}.",
            "Use the device 'cpu' for both.",
        )


def _batched(gaussians: Gaussians, images: int) -> Gaussians:
    """All fields with a batch dimension of `images`; one set is repeated (as a view)."""
    size = gaussians.means.shape[-2]
    tails = {"means": (3,), "quats": (4,), "scales": (3,), "opacities": ()}
    fields = {}
    for name, value in gaussians._asdict().items():
        tail = tails.get(name, gaussians.colors.shape[-1:])
        expected = (images, size, *tail)
        if value.shape not in (expected, expected[1:], (1, *expected[1:])):
            raise ValueError(f"{name} have shape {tuple(value.shape)}, expected {expected}")
        fields[name] = value.expand(expected)
    return Gaussians(**fields)
