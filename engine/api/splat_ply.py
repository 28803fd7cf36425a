"""3D Gaussian Splatting's PLY: the layout that the INRIA code writes and that splat tools read.

Binary little-endian, one vertex a Gaussian, 32-bit floats: x y z nx ny nz f_dc_0..2 (f_rest_0..44)
opacity scale_0..2 rot_0..3. Values are raw, as trained: opacity is a logit, scales are logarithms,
rotations are w, x, y, z, colours are spherical harmonics of degree 0 (and zeros above it).
It does not know avatars or axes (splat_files).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .atomic import replacing
from .baked import GaussianArrays

SH_DC = 0.28209479177387814
"""Spherical harmonic of degree 0: colour = 0.5 + SH_DC * coefficient (Kerbl et al. 2023)."""
REST = 45
"""Coefficients of degrees 1 to 3, which some readers insist on; ours are 0."""
SURE = 1e-6  # opacities keep this distance from 0 and 1, where a logit is infinite
THIN = 1e-12  # metres; the logarithm of 0 is infinite


def property_names(rest: bool) -> list[str]:
    """The vertex properties in the order of the INRIA code."""
    return [
        *("x", "y", "z", "nx", "ny", "nz"),
        *(f"f_dc_{channel}" for channel in range(3)),
        *(f"f_rest_{index}" for index in range(REST if rest else 0)),
        "opacity",
        *(f"scale_{axis}" for axis in range(3)),
        *(f"rot_{part}" for part in range(4)),
    ]


def write_ply(path: str | Path, gaussians: GaussianArrays, rest: bool = False) -> None:
    """Write N Gaussians, whole or not at all. `rest` adds the 45 zeros. Raises OSError."""
    names = property_names(rest)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(gaussians.means)}",
        *(f"property float {name}" for name in names),
        "end_header",
    ]
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(_rows(gaussians, rest).tobytes())


def harmonics(colors: np.ndarray) -> np.ndarray:
    """Coefficients of degree 0 [..., 3] of display-referred colours [..., 3]."""
    return (np.asarray(colors) - 0.5) / SH_DC


def _rows(gaussians: GaussianArrays, rest: bool) -> np.ndarray:
    """One row of raw values [N, properties] for each Gaussian, little-endian float32."""
    count = len(gaussians.means)
    opacities = np.clip(np.asarray(gaussians.opacities, np.float64), SURE, 1 - SURE)
    columns = [
        gaussians.means,
        np.zeros((count, 3)),
        harmonics(gaussians.colors),
        np.zeros((count, REST if rest else 0)),
        np.log(opacities / (1 - opacities))[:, None],
        np.log(np.maximum(gaussians.scales, THIN)),
        gaussians.quats,
    ]
    return np.concatenate(columns, axis=1).astype("<f4")
