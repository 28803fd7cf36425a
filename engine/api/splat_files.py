"""Posed Gaussians to the files that other programs read: 3DGS PLY and glTF. One writer for all.

The command line and Blender both come here with Gaussians in y-up axes (x to the subject's left,
z out of the face, metres), which are turned into the axes that the file's readers expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .baked import GaussianArrays
from .errors import LikenessError
from .rotations import multiply_quats, quat_from_matrix
from .splat_glb import write_glb
from .splat_ply import write_ply

SUFFIXES = (".ply", ".glb")
# From y-up axes to those of a PLY, where nothing in the file says which they are.
AXES = {
    "y-down": np.diag([1.0, -1.0, -1.0]),  # as 3DGS is trained; viewers turn it upright
    "y-up": np.eye(3),
    "z-up": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),  # Blender's
}


def write_splats(
    path: str | Path,
    named: Mapping[str, GaussianArrays],
    axes: str = "y-down",
    rest: bool = False,
) -> int:
    """Write sets of y-up Gaussians by name as the file's suffix says. Returns how many were sound.

    A PLY holds all sets as one, in `axes`; a .glb is always y-up. Raises LikenessError.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise LikenessError(f"{Path(path).name} is no splat file.", f"End it in {SUFFIXES}.")
    if axes not in AXES:
        raise LikenessError(f"There are no axes '{axes}'.", f"Known: {', '.join(AXES)}.")
    sets = {name: kept for name, part in named.items() if len((kept := sound(part)).means)}
    if not sets:
        raise LikenessError("There is no Gaussian to write.", "Choose an avatar that is shown.")
    try:
        if suffix == ".glb":
            write_glb(path, sets)
        else:
            write_ply(path, turned(merged(list(sets.values())), AXES[axes]), rest)
    except OSError as error:
        raise LikenessError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Choose a folder that exists, with room and permission to write.",
        ) from error
    return sum(len(part.means) for part in sets.values())


def sound(gaussians: GaussianArrays) -> GaussianArrays:
    """Without those that a broken pose has made infinite: one spoils every reader's bounds."""
    finite = [np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in gaussians]
    kept = np.logical_and.reduce(finite)
    return gaussians if kept.all() else GaussianArrays(*(part[kept] for part in gaussians))


def merged(sets: list[GaussianArrays]) -> GaussianArrays:
    """Sets [N_i] as one [sum N_i]."""
    return GaussianArrays(*(np.concatenate(parts) for parts in zip(*sets, strict=True)))


def turned(gaussians: GaussianArrays, rotation: np.ndarray) -> GaussianArrays:
    """Gaussians in other axes: `rotation` [3, 3], proper."""
    quat = quat_from_matrix(rotation)
    return gaussians._replace(
        means=gaussians.means @ rotation.T,
        quats=multiply_quats(np.broadcast_to(quat, gaussians.quats.shape), gaussians.quats),
    )
