"""Training of a feed-forward method: steps, measurements and checkpoints, until it is done.

One person a step. Every step draws from a generator seeded by its number, so that an interrupted
training goes on as if it had not been interrupted: on the CPU to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from ...api.errors import LikenessError
from ..checkpoints import Checkpoints, FitState
from ..pace import Pace
from ..training_frames import FrameQueue
from .curves import EVERY, Curves
from .lessons import Lessons
from .method import MODELS, FeedForward, render
from .views import Views
from .weights import learned

RATES = {"compact": 1e-3, "paper": 4e-5}
"""AdamW's learning rate; the paper's is FastAvatar's (paper 002, table 3)."""
LAST_RATE, DECAY = 0.02, 0.01
"""The share of the rate that is left at the end, and AdamW's weight decay."""
BETAS = (0.9, 0.98)
WARM_UP = 20  # steps
LONGEST_GRADIENT = 1.0
BAD_STEPS = 25
"""Steps in a row without a finite gradient after which training has failed."""
CHECK_EVERY = 100  # steps
CHECK_SOURCES = 4


@dataclass(frozen=True)
class Report:
    """How a training stands."""

    step: int
    done: float  # 0..1
    loss: float  # mean of the last steps
    psnr: float | None  # on people never trained on, when last measured
    model: FeedForward


def new_state(method: str, config: str, people: int, seed: int, device: torch.device) -> FitState:
    """A network with its first weights and all else that training changes."""
    torch.manual_seed(seed)
    model = MODELS[method](config)
    model.begin()
    model.to(device)
    model.recompute = model.mixed = device.type == "cuda"
    optimiser = torch.optim.AdamW(
        learned(model).values(), lr=RATES[config], betas=BETAS, weight_decay=DECAY
    )
    generator = torch.Generator().manual_seed(seed)
    return FitState({"model": model}, optimiser, generator, FrameQueue(people, generator))


def train(
    state: FitState, lessons: Lessons, checks: Lessons, seed: int, pace: Pace,
    checkpoints: Checkpoints, curves: Path,
) -> Generator[Report, None, Report]:  # fmt: skip
    """Steps from where the state is. Closing it keeps a checkpoint. Raises LikenessError when the
    loss stays without a finite gradient."""
    model = network(state)
    pace.resume(state.seconds)
    written = Curves(curves, state.steps)
    loss, psnr, bad = math.nan, None, 0
    try:
        while pace.done(state.steps) < 1:
            state.done, state.seconds = pace.done(state.steps), pace.spent
            terms, good = _step(model, state, lessons, seed)
            bad = 0 if good else bad + 1
            if bad == BAD_STEPS:
                raise LikenessError("The training has diverged.", "Try another seed.")
            written.add(terms)
            state.steps += 1
            state.images = state.steps
            if state.steps % EVERY == 0:
                due = state.steps % CHECK_EVERY == 0
                measured = held_out_psnr(model, checks) if due else None
                psnr = measured if due else psnr
                loss = written.row(state.steps, pace.spent, _rate(state), measured)
                checkpoints.keep(state)
            yield Report(state.steps, pace.done(state.steps), loss, psnr, model)
    finally:
        state.done, state.seconds = pace.done(state.steps), pace.spent
        if state.steps and bad < BAD_STEPS:
            checkpoints.keep(state, now=True)
    return Report(state.steps, 1.0, loss, held_out_psnr(model, checks), model)


def network(state: FitState) -> FeedForward:
    """The network of a state."""
    model = state.modules["model"]
    assert isinstance(model, FeedForward)
    return model


def _step(
    model: FeedForward, state: FitState, lessons: Lessons, seed: int
) -> tuple[dict[str, float], bool]:
    """Learn from one person: the loss's terms, and whether its gradient was finite."""
    torch.manual_seed(seed * 1_000_003 + state.steps)
    model.train()
    device = next(model.parameters()).device
    sources, targets = lessons.lesson(int(state.queue.take(1)))
    loss, terms = model.loss(sources.to(device), targets.to(device), state.done)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    length = torch.nn.utils.clip_grad_norm_(learned(model).values(), LONGEST_GRADIENT)
    good = bool(torch.isfinite(length))
    if good:
        for group in state.optimiser.param_groups:
            group["lr"] = _rate(state)
        state.optimiser.step()
    return {"loss": float(loss.detach()), **terms}, good


def _rate(state: FitState) -> float:
    """The learning rate: a linear start, then half a cosine down to LAST_RATE of it."""
    fall = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(state.done, 1)))
    return RATES[network(state).config] * min(1.0, (state.steps + 1) / WARM_UP) * fall


@torch.no_grad()
def held_out_psnr(model: FeedForward, checks: Lessons, sources: int = CHECK_SOURCES) -> float:
    """Mean PSNR (dB, full frame on black) of the views asked for, over all people checked."""
    model.eval()
    device = next(model.parameters()).device
    figures = []
    for number in range(len(checks)):
        given, asked = (views.to(device) for views in checks.check(number, sources))
        figures += psnr_of(model, given, asked)
    return sum(figures) / len(figures)


def psnr_of(model: FeedForward, given: Views, asked: Views) -> list[float]:
    """PSNR in dB of each view asked for."""
    image, _, _ = render(model(given), asked)
    square = (image.clamp(0, 1) - asked.pictures[..., :3]).square().mean((1, 2, 3))
    return (-10 * square.clamp_min(1e-10).log10()).tolist()
