"""The window and constants of structural similarity (Wang et al. 2004), as 3D Gaussian splatting
and the papers after it use them. Here, because the kernels' cache follows this folder's sources."""

from __future__ import annotations

RADIUS, SIGMA = 5, 1.5
"""Pixels; 11 x 11."""
C1, C2 = 0.01**2, 0.03**2
