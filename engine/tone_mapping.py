"""Footage of wide gamut or high dynamic range to the sRGB that everything else works in.

A table over the coded colours, written as a .cube file that ffmpeg applies: quick, and the same on
every machine. BT.2100 for the transfer curves, BT.2408 for diffuse white at 203 nits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

NODES = 49
DIFFUSE_WHITE = 203.0  # nits, BT.2408
PEAK = 1000.0  # nits: HLG's nominal display, and what phones master PQ for
KNEE = 0.6
"""Linear light below this stays as it is; what is above, up to PEAK, is bent below 1."""
HLG_A, HLG_B, HLG_C, HLG_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
PQ_M1, PQ_M2, PQ_C1, PQ_C2, PQ_C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
TO_BT709 = {
    "bt2020": np.array([[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349],
                        [-0.018151, -0.100579, 1.118730]]),
    # Display P3, of phones' photographs and some of their films.
    "smpte432": np.array([[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0],
                          [-0.019638, -0.078636, 1.098274]]),
}  # fmt: skip
HDR = ("smpte2084", "arib-std-b67")


def needs_mapping(primaries: str, transfer: str) -> bool:
    """Whether colours stored so are not sRGB's, by ffmpeg's names."""
    return transfer in HDR or primaries in TO_BT709


def to_srgb(code: np.ndarray, primaries: str, transfer: str) -> np.ndarray:
    """sRGB [..., 3] in 0..1 of coded R'G'B' [..., 3] in 0..1."""
    linear = np.asarray(code, np.float64)
    if transfer == "smpte2084":
        linear = pq_nits(linear) / DIFFUSE_WHITE
    elif transfer == "arib-std-b67":
        linear = hlg_nits(linear) / DIFFUSE_WHITE
    else:
        linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    linear = np.maximum(linear @ TO_BT709.get(primaries, np.eye(3)).T, 0)
    if transfer in HDR:
        linear = tone_mapped(linear)
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def pq_nits(code: np.ndarray) -> np.ndarray:
    """Luminance of PQ-coded values (BT.2100 table 4)."""
    power = np.maximum(code, 0) ** (1 / PQ_M2)
    return 10_000 * (np.maximum(power - PQ_C1, 0) / (PQ_C2 - PQ_C3 * power)) ** (1 / PQ_M1)


def hlg_nits(code: np.ndarray) -> np.ndarray:
    """Luminance of HLG-coded R'G'B' [..., 3] on a display of PEAK nits (BT.2100 table 5)."""
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - HLG_C) / HLG_A) + HLG_B) / 12)
    luma = (scene * LUMA_2020).sum(-1, keepdims=True)
    return PEAK * np.maximum(luma, 1e-9) ** (HLG_GAMMA - 1) * scene


def tone_mapped(linear: np.ndarray) -> np.ndarray:
    """Linear RGB [..., 3], 1 at diffuse white, with highlights bent below 1, hue kept.

    Reinhard et al. 2002, eq. 4, above the knee, so that skin keeps its tone.
    """
    brightest = np.maximum(linear.max(-1, keepdims=True), 1e-9)
    over = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
    most = (PEAK / DIFFUSE_WHITE - KNEE) / (1 - KNEE)
    bent = KNEE + (1 - KNEE) * over * (1 + over / most**2) / (1 + over)
    return linear * np.where(brightest > KNEE, np.minimum(bent, 1.0) / brightest, 1.0)


def write_cube(path: Path, primaries: str, transfer: str) -> None:
    """Write the table as a .cube file; red runs fastest."""
    steps = np.linspace(0, 1, NODES)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    colours = to_srgb(np.stack([red, green, blue], -1), primaries, transfer).reshape(-1, 3)
    lines = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in colours.tolist())
    path.write_text(f"LUT_3D_SIZE {NODES}\n{lines}\n", encoding="ascii")
