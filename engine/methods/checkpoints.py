"""Checkpoints: all of a running fit that changes, in one file, so that an interrupted fit goes on.

The file is an .npz: arrays only, never unpickled; its member `header` is JSON in UTF-8 bytes
(docs/formats.md). What can be computed again from the footage and the seed is not in it.
"""

from __future__ import annotations

import json
import math
import os
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..api.atomic import replacing
from .training_frames import FrameQueue

VERSION = 1
EVERY_SECONDS = 60.0
SHARE = 0.02
"""Checkpoints may take this much of a fit's time."""
COUNTS = {"images": int, "steps": int, "done": float, "seconds": float}
HEADER, GENERATOR, QUEUE, ADAM = "header", "generator", "queue", "adam"
UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, IndexError, EOFError, OverflowError, RuntimeError,
    MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy, zipfile, JSON and torch raise on a damaged file."""


@dataclass
class FitState:
    """What a fit changes from step to step."""

    modules: Mapping[str, nn.Module]
    optimiser: torch.optim.Adam
    generator: torch.Generator
    queue: FrameQueue
    images: int = 0
    steps: int = 0
    done: float = 0.0  # 0 to 1
    seconds: float = 0.0


class Checkpoints:
    """The file in which one fit is kept while it runs."""

    def __init__(
        self, path: Path, identity: Mapping[str, Any], tell: Callable[[str], None]
    ) -> None:
        """`identity` names, in words and JSON values, all that makes this fit what it is: only a
        checkpoint with the same is continued. `tell` hears in one line what became of it."""
        self._path, self._tell = path, tell
        self._identity = json.loads(json.dumps(identity))  # as it will be read
        self._due = time.monotonic() + EVERY_SECONDS

    @property
    def folder(self) -> Path:
        """Where the fit may keep what it needs only while it runs."""
        return self._path.parent

    def resume(self, state: FitState) -> None:
        """Bring a fresh fit to where an interrupted one was, or leave it as it is and say why."""
        if not self._path.is_file():
            return
        try:
            header, arrays = _read(self._path)
            refusal = self._refusal(header)
            if not refusal:
                _restore(state, header, arrays)
        except UNREADABLE:
            refusal = "the checkpoint of the interrupted fit is damaged"
        self._tell(f"Starting afresh: {refusal}." if refusal else f"Resuming at {state.done:.0%}.")

    def keep(self, state: FitState, now: bool = False) -> None:
        """Write a checkpoint when it is time for one, or at once; where none can be written the
        fit goes on without."""
        started = time.monotonic()
        if not now and started < self._due:
            return
        header = {
            "version": VERSION,
            "identity": self._identity,
            **{name: getattr(state, name) for name in COUNTS},
        }
        try:
            _write(self._path, header, _arrays(state))
        except OSError as error:
            self._due = math.inf
            self._tell(f"No checkpoint can be written: {error.strerror}.")
            return
        ended = time.monotonic()
        self._due = ended + max(EVERY_SECONDS, (ended - started) / SHARE)

    def _refusal(self, header: dict[str, Any]) -> str:
        """Why a readable checkpoint cannot be continued; empty when it can."""
        if header["version"] > VERSION:
            return "the checkpoint was written by a newer version of Likeness"
        before = header["identity"]
        names = {*before, *self._identity}
        different = sorted(n for n in names if before.get(n) != self._identity.get(n))
        if not different:
            return ""
        verb = "is" if len(different) == 1 else "are"
        return f"the {' and the '.join(different)} {verb} not those of the interrupted fit"


def _arrays(state: FitState) -> dict[str, np.ndarray]:
    """Everything but the numbers of the header, by member name."""
    arrays = {
        f"{name}/{key}": value.detach().cpu().numpy()
        for name, module in state.modules.items()
        for key, value in module.state_dict().items()
    }
    for index, moments in state.optimiser.state_dict()["state"].items():
        for key, value in moments.items():
            arrays[f"{ADAM}/{index}/{key}"] = value.detach().cpu().numpy()
    arrays[GENERATOR] = state.generator.get_state().numpy()
    arrays[QUEUE] = state.queue.waiting.numpy()
    return arrays


def _write(path: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    text = json.dumps(header, allow_nan=False).encode("utf-8")
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{HEADER: np.frombuffer(text, np.uint8)}, **arrays)
        file.flush()
        os.fsync(file.fileno())  # whole on the disk before it takes the old one's place


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays. Raises one of UNREADABLE."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop(HEADER).tobytes())
    if not isinstance(header["version"], int) or not isinstance(header["identity"], dict):
        raise ValueError("the header does not say of which fit it is")
    return header, arrays


def _restore(state: FitState, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Bring the state to that of the checkpoint, all of it or, on damage, nothing."""
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a number is not finite")
    modules = {name: _module_state(m, name, arrays) for name, m in state.modules.items()}
    moments = _moments(state.optimiser, arrays)
    generator, queue = torch.from_numpy(arrays[GENERATOR]), torch.from_numpy(arrays[QUEUE])
    torch.Generator().set_state(generator)  # raises before anything is changed
    if queue.dtype != torch.long or not ((queue >= 0) & (queue < state.queue.frames)).all():
        raise ValueError("the queue names frames that are not there")
    counts = {name: kind(header[name]) for name, kind in COUNTS.items()}
    if min(counts.values()) < 0:
        raise ValueError("a count is negative")
    for name, module in state.modules.items():
        module.load_state_dict(modules[name])
    groups = state.optimiser.state_dict()["param_groups"]
    state.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    state.generator.set_state(generator)
    state.queue.waiting = queue
    for name, count in counts.items():
        setattr(state, name, count)


def _module_state(module: nn.Module, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The stored state of a module, each tensor of the very shape that it has now."""
    return {
        key: _like(value, arrays[f"{name}/{key}"]) for key, value in module.state_dict().items()
    }


def _moments(
    optimiser: torch.optim.Optimizer, arrays: dict[str, np.ndarray]
) -> dict[int, dict[str, Tensor]]:
    """The optimiser's state by parameter: a step count and moments shaped like the parameter."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    found: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith(f"{ADAM}/"):
            _, index, key = name.split("/")
            like = torch.zeros(()) if key == "step" else parameters[int(index)]
            found.setdefault(int(index), {})[key] = _like(like, array)
    if len({frozenset(moments) for moments in found.values()}) > 1:
        raise ValueError("the optimiser's state is incomplete")
    return found


def _like(now: Tensor, array: np.ndarray) -> Tensor:
    """A stored array as a tensor. Raises ValueError unless it is what `now` is."""
    stored = torch.from_numpy(array)
    if stored.shape != now.shape or stored.dtype != now.dtype:
        raise ValueError(f"{stored.shape} where {now.shape} was expected")
    return stored
