"""The jobs that the worker and the command line run, each from a request to the fields of a result.

A job is called as job(request, emit): it tells progress and previews through `emit`, which raises
Cancelled when the user has had enough. Every file a job writes is whole or not there. The modules
are light; heavy packages load when a job starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.regression import RegressRequest
from ..api.requests import (
    BakeRequest,
    CompareRequest,
    ExportRequest,
    HeadsRequest,
    ReconstructRequest,
    RenderRequest,
    TrackRequest,
    parse,
)
from ..api.training import TrainRequest
from .baking import bake
from .comparison import compare
from .exporting import export
from .heads import heads
from .online import reconstruct_online
from .reconstruction import reconstruct
from .regression import regress
from .rendering import render
from .tracking import track
from .training import train

Emit = Callable[[Message], None]


def _reconstruct(request: ReconstructRequest, emit: Emit) -> dict[str, Any]:
    return (reconstruct_online if request.online else reconstruct)(request, emit)


JOBS: dict[str, tuple[type[Any], Callable[[Any, Emit], dict[str, Any]]]] = {
    "track": (TrackRequest, track),
    "reconstruct": (ReconstructRequest, _reconstruct),
    "regress": (RegressRequest, regress),
    "render": (RenderRequest, render),
    "export": (ExportRequest, export),
    "bake": (BakeRequest, bake),
    "compare": (CompareRequest, compare),
    "heads": (HeadsRequest, heads),
    "train": (TrainRequest, train),
}


def run_job(name: str, values: dict[str, Any], emit: Emit) -> Message:
    """Run a job by name and return its result event. Raises LikenessError, also Cancelled."""
    kind, job = JOBS[name]
    try:
        return {"event": "result", **job(parse(kind, values), emit)}
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == __package__.partition(".")[0]:
            raise  # a defect of ours, not of the environment
        raise LikenessError(
            f"The engine's Python has no {error.name}.", "Set the avatar engine up again."
        ) from error
