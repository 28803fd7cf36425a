"""The blending loops must run on several pixels at once. Losing that is silent, and costs 7 times.

Looked for in the machine code, where no load on the machine can disturb the answer: the loops'
exponential rounds its argument to an integer, and nothing else does that to a whole vector.
"""

from __future__ import annotations

import platform
import re

import pytest

numba = pytest.importorskip("numba")

from engine.jit import VECTOR_MATH  # noqa: E402
from engine.rasterize import cpu_blending  # noqa: E402  (needs numba)

PACKED = {
    "x86_64": (r"\bv?cvtt?ps2dq\b", r"\b(v?mulps|vfn?m(add|sub)\d+ps)\b"),
    "arm64": (r"\bfcvtzs(\.4s|\s+v\d+\.4s)", r"\b(fmul|fmla)(\.4s|\s+v\d+\.4s)"),
}
MACHINE = {"AMD64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@pytest.mark.skipif(MACHINE not in PACKED, reason=f"no patterns for {platform.machine()} code")
@pytest.mark.parametrize("name", ["blend", "blend_backward"])
def test_the_loop_over_pixels_is_vector_code(name):
    kernel = getattr(cpu_blending, name)
    options = {"nogil": True, "fastmath": VECTOR_MATH, "error_model": "numpy"}
    fresh = numba.njit(kernel.signatures[0], **options)(kernel.py_func)  # a cached one has no code
    code = fresh.inspect_asm(kernel.signatures[0])
    conversion, arithmetic = PACKED[MACHINE]
    assert re.search(conversion, code), "the exponential is computed pixel by pixel"
    assert len(re.findall(arithmetic, code)) >= 15
