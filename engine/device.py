"""What this machine offers: devices and packages, told without importing the heavy ones."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from . import __version__
from .api.errors import DeviceError
from .api.messages import PROTOCOL_VERSION
from .api.settings import METHODS

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
PACKAGES = ("torch", "numba", "numpy", "mediapipe", "gsplat", "opencv-python-headless")


def hello() -> dict[str, Any]:
    """The fields of a hello event."""
    packages = {name: version for name in PACKAGES if (version := _version(name))}
    return {
        "protocol": PROTOCOL_VERSION,
        "tool_version": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "cpu_count": os.cpu_count() or 1,
        "devices": ["cpu", *(["cuda"] if _has_cuda(packages.get("torch", "")) else [])],
        "packages": packages,
        "methods": list(METHODS),
    }


def check_device(name: str) -> None:
    """Raise DeviceError unless the device is known and there."""
    if name not in DEVICES:
        raise DeviceError(f"There is no device '{name}'.", f"Known: {', '.join(DEVICES)}.")
    if name == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DeviceError("No CUDA device can be used here.", "Choose auto or cpu.")


def torch_device(name: str) -> torch.device:
    """The device of a checked name; `auto` is CUDA where there is some."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _has_cuda(torch_version: str) -> bool:
    """Whether torch is not a CPU build and NVIDIA's driver counts a device."""
    if not torch_version or torch_version.endswith("+cpu"):
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 < count.value
