"""The CUDA backend: gsplat (1.5.3 or newer) behind our interface. The only file that imports it.

Needs a CUDA device; gsplat compiles its kernels at the first use unless a matching wheel is
installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..api.errors import DeviceError
from ..gaussians import Cameras, Gaussians
from .semantics import BLUR, FAR, NEAR, drop_nonfinite

_HINT = (
    "Install a gsplat wheel that matches torch and CUDA, or the CUDA toolkit (nvcc) and a C++ "
    "compiler so that it can compile; or use the CPU."
)


@cache
def _rasterization() -> Callable[..., Any]:
    try:
        from gsplat import rasterization
        from gsplat.cuda import _backend
    except (ImportError, OSError, RuntimeError) as error:
        raise DeviceError(f"gsplat cannot be loaded: {error}.", _HINT) from error
    if getattr(_backend, "_C", True) is None:  # gsplat only prints when it could not compile
        raise DeviceError("gsplat is installed, but its CUDA kernels are not.", _HINT)
    return rasterization


def rasterize(
    gaussians: Gaussians, cameras: Cameras, backgrounds: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See `engine.rasterize.rasterize`; here all fields have a batch dimension [B, N, ...]."""
    if not torch.cuda.is_available():
        raise DeviceError("gsplat needs a CUDA device, and torch finds none.", "Use the CPU.")
    means = gaussians.means
    if means.device.type != "cuda":
        raise DeviceError(f"gsplat needs tensors on a CUDA device, not on {means.device}.", _HINT)
    tensors = (value.to(torch.float32) for value in drop_nonfinite(gaussians))
    colors, alphas, _ = _rasterization()(
        *tensors,
        viewmats=cameras.viewmats[:, None].to(means),
        Ks=cameras.Ks[:, None].to(means),
        width=cameras.width,
        height=cameras.height,
        near_plane=NEAR,
        far_plane=FAR,
        eps2d=BLUR,
        packed=False,  # gsplat#764: packed mode refuses backgrounds
        backgrounds=backgrounds[:, None].to(means),
        render_mode="RGB+D",
    )
    return colors[:, 0, ..., :-1], alphas[:, 0], colors[:, 0, ..., -1:]
