"""Light that arrives at a point, by the direction a surface there faces: nine numbers a colour.

Irradiance varies so slowly with direction that spherical harmonics up to the second order hold it
to a few per cent (Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance
Environment Maps", 2001). Here it is divided by pi: what a white matt surface sends back. NumPy
only; directions are unit vectors of any one space.
"""

from __future__ import annotations

import numpy as np

from .coordinates import linear_from_srgb, srgb_from_linear

DARK = np.zeros((9, 3))  # coefficients of no light at all
# What is left of each order after a surface has gathered from its half space, over pi.
_GATHERED = np.repeat([1.0, 2 / 3, 1 / 4], [1, 3, 5])


def _harmonics(directions: np.ndarray) -> np.ndarray:
    """The nine real spherical harmonics [N, 9] in directions [N, 3]."""
    x, y, z = directions.T
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def from_lights(directions: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Coefficients [9, 3] of far lights in directions [L, 3].

    `amounts` [L, 3] is each light's irradiance on a surface that faces it.
    """
    return _GATHERED[:, None] * (_harmonics(directions).T @ amounts)


def from_everywhere(radiance: np.ndarray) -> np.ndarray:
    """Coefficients [9, 3] of the same radiance [3] from all directions."""
    coefficients = np.zeros((9, 3))
    coefficients[0] = np.asarray(radiance) / 0.282095
    return coefficients


def sent_back(coefficients: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Light [N, 3] that white matt surfaces with unit normals [N, 3] send back."""
    return np.maximum(_harmonics(normals) @ coefficients, 0.0)


def relit(
    colors: np.ndarray, normals: np.ndarray, coefficients: np.ndarray, strength: float
) -> np.ndarray:
    """Display-referred colours [N, 3] as matt paint under the light, at a strength of 0 to 1.

    The footage's own light stays in the paint, so this tints and shades; it does not take that
    light away.
    """
    gain = (1 - strength) + strength * sent_back(coefficients, normals)
    return srgb_from_linear(linear_from_srgb(colors) * gain).astype(np.float32)
