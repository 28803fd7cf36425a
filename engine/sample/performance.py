"""The sample's performance: what the puppet does, frame by frame. Known ground truth for tracking.

A person talks, smiles, blinks, raises the brows, looks about and turns the head. Every curve is
smooth noise or a fixed event list from one seed, so the clip is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..api.head import HeadParams

GAZE_RANGE = np.radians(30)  # the eye joint's angle at eyeLook* = 1 (docs/ARCHITECTURE.md)
Add = Callable[[str, np.ndarray], None]
Events = Callable[[float, float, float, float, float], np.ndarray]


def smooth_noise(rng: np.random.Generator, frames: int, fps: float, hertz: float) -> np.ndarray:
    """Band-limited noise [frames], about unit peak: cosine-interpolated random knots."""
    knots = rng.uniform(-1, 1, int(frames / fps * hertz) + 4)
    at = np.arange(frames) / fps * hertz
    left = at.astype(int)
    blend = 0.5 - 0.5 * np.cos(np.pi * (at - left))
    return knots[left] * (1 - blend) + knots[left + 1] * blend


def bump(
    frames: int, fps: float, start: float, rise: float, hold: float, fall: float
) -> np.ndarray:
    """0 -> 1 -> 0 [frames] with cosine flanks; all times in seconds."""
    t = np.arange(frames) / fps - start
    up = np.clip(t / rise, 0, 1)
    down = np.clip((t - rise - hold) / fall, 0, 1)
    return 0.5 * (np.cos(np.pi * down) - np.cos(np.pi * up))


def perform(names: tuple[str, ...], seconds: float, fps: float, seed: int = 7) -> HeadParams:
    """Head params [T] of the sample's performance, in head space (the caller adds the pose)."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * fps)
    curves = {name: np.zeros(frames) for name in names}

    def add(name: str, values: np.ndarray) -> None:
        curves[name] += values

    def both(name: str, values: np.ndarray) -> None:
        add(name + "Left", values)
        add(name + "Right", values)

    def events(first: float, every: float, rise: float, hold: float, fall: float) -> np.ndarray:
        starts = (
            np.arange(first, seconds, every)
            + rng.uniform(-0.25, 0.25, 99)[: len(np.arange(first, seconds, every))]
        )
        return sum((bump(frames, fps, s, rise, hold, fall) for s in starts), np.zeros(frames))

    _speak(add, both, events, rng, frames, fps)
    both("eyeBlink", np.clip(events(0.9, 2.1, 0.10, 0.05, 0.15), 0, 1))
    brows = 0.8 * events(2.6, 4.7, 0.35, 0.5, 0.5)
    both("browOuterUp", brows)
    add("browInnerUp", brows)
    both("browDown", 0.7 * events(4.9, 5.3, 0.3, 0.5, 0.4))
    both("noseSneer", 0.25 * events(4.9, 5.3, 0.3, 0.4, 0.4))
    gaze = _gaze(add, rng, frames, fps)
    yaw = np.radians(17) * smooth_noise(rng, frames, fps, 0.45)
    pitch = np.radians(7) * smooth_noise(rng, frames, fps, 0.6)
    roll = np.radians(4) * smooth_noise(rng, frames, fps, 0.5)
    sway = [0.006 * smooth_noise(rng, frames, fps, 0.3) for _ in range(3)]
    expression = np.stack([np.clip(curves[name], 0, 1) for name in names], -1)
    zeros = np.zeros((frames, 3))
    return HeadParams(
        expression=expression.astype(np.float32),
        neck=np.stack([pitch, yaw, roll], -1).astype(np.float32),
        jaw=zeros.astype(np.float32),
        eyes=gaze.astype(np.float32),
        rotation=np.stack([0.1 * pitch, 0.15 * yaw, 0.2 * roll], -1).astype(np.float32),
        translation=np.stack(sway, -1).astype(np.float32),
    )


def _speak(
    add: Add, both: Add, events: Events, rng: np.random.Generator, frames: int, fps: float
) -> None:
    """Syllables at about 4 Hz in phrases, with smiles between them."""
    phrase = np.clip(1.6 * smooth_noise(rng, frames, fps, 0.5) + 0.7, 0, 1)
    syllable = np.abs(smooth_noise(rng, frames, fps, 5.0)) * phrase
    add("jawOpen", 0.55 * syllable + 0.5 * events(3.4, 6.1, 0.3, 0.3, 0.35))
    add("mouthFunnel", 0.5 * np.clip(smooth_noise(rng, frames, fps, 2.5), 0, 1) * phrase)
    add("mouthPucker", np.clip(1.3 * smooth_noise(rng, frames, fps, 1.9), 0, 1) ** 2 * phrase)
    both("mouthLowerDown", 0.35 * np.clip(smooth_noise(rng, frames, fps, 3.0), 0, 1) * phrase)
    both("mouthUpperUp", 0.25 * np.clip(smooth_noise(rng, frames, fps, 2.2), 0, 1) * phrase)
    both("mouthStretch", 0.3 * np.clip(smooth_noise(rng, frames, fps, 1.5), 0, 1) * phrase)
    smile = np.clip(events(1.3, 3.9, 0.5, 0.9, 0.6), 0, 1)
    both("mouthSmile", 0.8 * smile)
    both("cheekSquint", 0.5 * smile)
    add("mouthLeft", 0.3 * events(7.1, 9.0, 0.3, 0.3, 0.3))


def _gaze(add: Add, rng: np.random.Generator, frames: int, fps: float) -> np.ndarray:
    """Saccades: gaze holds and jumps. Sets the eyeLook shapes; returns joints [T, 2, 3]."""
    hold = np.repeat(np.arange(frames), 18)[:frames]
    yaw = rng.uniform(-0.55, 0.55, frames)[hold]
    pitch = rng.uniform(-0.35, 0.35, frames)[hold]
    soften = np.ones(3) / 3
    yaw, pitch = np.convolve(yaw, soften, "same"), np.convolve(pitch, soften, "same")
    # +yaw turns the eyes to the subject's left: outwards for the left eye, inwards for the right.
    add("eyeLookOutLeft", np.clip(yaw, 0, 1))
    add("eyeLookInRight", np.clip(yaw, 0, 1))
    add("eyeLookInLeft", np.clip(-yaw, 0, 1))
    add("eyeLookOutRight", np.clip(-yaw, 0, 1))
    for side in ("Left", "Right"):
        add("eyeLookUp" + side, np.clip(pitch, 0, 1))
        add("eyeLookDown" + side, np.clip(-pitch, 0, 1))
    one = np.stack([-GAZE_RANGE * pitch, GAZE_RANGE * yaw, np.zeros(frames)], -1)
    return np.stack([one, one], 1)
