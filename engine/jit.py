"""The only file that imports Numba: decorators and intrinsics of which the CPU kernels are made.

Kernels carry explicit signatures, so they are compiled (or read from Numba's cache) when their
module is imported, never in the middle of a call.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending
from numba.core import cgutils

log = logging.getLogger(__name__)

# What these make cannot be typed: they turn the signatures of functions into other ones.
_njit: Any = numba.njit
_intrinsic: Any = extending.intrinsic

# No 'nnan' or 'ninf': NaN tests must survive. 'reassoc' lets LLVM vectorise sums.
VECTOR_MATH = {"reassoc", "contract", "arcp", "nsz"}
EXACT_MATH = {"contract"}


@cache
def _sources_digest() -> str:
    """In the cache's file names, since Numba notices a change of the kernel's own file only."""
    digest = hashlib.sha256()
    for path in [Path(__file__), *sorted(Path(__file__).with_name("rasterize").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def kernel(signature: str, math: set[str]) -> Callable[[Callable[..., None]], Any]:
    """Compile for one signature; cached where Numba finds a folder. Runs without the GIL."""

    def compile_kernel(function: Callable[..., None]) -> Any:
        function.__qualname__ += f"_{_sources_digest()}"
        options: Any = {"nogil": True, "fastmath": math, "error_model": "numpy"}
        try:
            return _njit(signature, cache=True, **options)(function)
        except RuntimeError as error:
            if "no locator" not in str(error):
                raise
            log.info("Nowhere to cache %s; compiling it for this process.", function.__name__)
            return _njit(signature, **options)(function)

    return compile_kernel


def device(math: set[str]) -> Callable[[Callable[..., Any]], Any]:
    """A function that kernels call, inlined."""
    return _njit(nogil=True, fastmath=math, error_model="numpy", forceinline=True)


@_intrinsic
def next_index(typing: Any, counter: Any) -> Any:
    """Take the next number from a shared int64[1] counter. The threads' only communication."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return numba.int64(counter), code


# Least-squares polynomial of 2^f on [-1/2, 1/2] at Chebyshev nodes; relative error 2e-7 in float32.
_NODES = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2
_EXP2 = np.polyfit(_NODES, np.exp2(_NODES), 5, w=np.exp2(-_NODES))


@_intrinsic
def exp2(typing: Any, x: Any) -> Any:
    """2^x for float32 x in [-126, 127]: plain arithmetic, which LLVM can vectorise."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        f32, i32 = ir.FloatType(), ir.IntType(32)
        rint = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(f32, [f32]), "llvm.rint.f32"
        )
        whole = builder.call(rint, [value])
        rest = builder.fsub(value, whole)
        result = ir.Constant(f32, float(np.float32(_EXP2[0])))
        for coefficient in _EXP2[1:]:
            term = ir.Constant(f32, float(np.float32(coefficient)))
            result = builder.fadd(builder.fmul(result, rest), term)
        exponent = builder.add(builder.fptosi(whole, i32), ir.Constant(i32, 127))
        power = builder.bitcast(builder.shl(exponent, ir.Constant(i32, 23)), f32)
        return builder.fmul(result, power)

    return numba.float32(numba.float32), code
