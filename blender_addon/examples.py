"""Example animations: a blink loop, an idle loop and a spoken line, to start from or to learn from.

Each is an Action on slots like every other, made for the scene's frame rate; loops repeat for ever
by a Cycles modifier.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine.api.poses import POSES, VISEMES, sided
from ..engine.api.rotations import quat_from_matrix
from . import actions, pose
from .actions import BoneChannels
from .avatar_object import find_rig
from .coordinates import rotations_to_blender

EXAMPLES = {
    "BLINK": ("Blink Loop", "Blinks at natural, uneven intervals, for ever"),
    "IDLE": ("Idle Loop", "Looks about, breathes and blinks, for ever"),
    "TALK": ("Talk", "Mouths a short line of text by visemes, with brows and nods"),
}
_BLINKS = (0.9, 3.6, 4.1, 7.2)  # seconds within a loop
_LOOP = 9.0  # seconds
_CLOSING, _CLOSED, _OPENING = 0.08, 0.04, 0.17  # seconds of a blink
# "Hello, I am your avatar. Move me as you like."
_LINE = "E L O . . AA I . AA M . O R . AA F AA TH AA . . M U F . M I . AA S . U . L AA I K . ."
_SYLLABLE = 0.11  # seconds a viseme
_WIDE = 0.9  # how far visemes open in fluent speech

Curves = dict[str, np.ndarray]


def add(scene: bpy.types.Scene, proxy: bpy.types.Object, kind: str) -> bpy.types.Action:
    """Make an example for this avatar and play it. It is an asset, too."""
    rate = scene.render.fps / scene.render.fps_base
    makers = {"BLINK": _blink, "IDLE": _idle, "TALK": _talk}
    names = [key.name for key in pose.keys_in(proxy, "ALL")]
    times, shapes, turns = makers[kind](names)
    shapes = {name: values for name, values in shapes.items() if name in names}
    label, words = EXAMPLES[kind]
    bones = _bone_channels(proxy, turns)
    frames = 1 + times * rate
    action = actions.write(label, proxy, frames, shapes, bones, "BEZIER")
    if kind != "TALK":
        _repeat(action)
    actions.mark_asset(action, words, ("Animation",))
    actions.assign(proxy, action, "ALL" if bones else "FACE")
    return action


def _blink(names: list[str]) -> tuple[np.ndarray, Curves, Curves]:
    """Times [T], values [T] of sliders among `names`, head turns [T, 3] (none): a blink loop."""
    times, lids = [0.0], [0.0]
    for blink in _BLINKS:
        ends = np.cumsum([blink, _CLOSING, _CLOSED, _OPENING])
        times += ends.tolist()
        lids += [0.0, 1.0, 1.0, 0.0]
    times.append(_LOOP)
    lids.append(0.0)
    both = sided({"eyeBlink": 1.0}, names)
    return np.array(times), {name: np.array(lids) for name in both}, {}


def _idle(names: list[str]) -> tuple[np.ndarray, Curves, Curves]:
    """The idle loop on an even grid: whole periods, so that the end meets the start."""
    times = np.linspace(0, _LOOP, 109)
    blink_times, lids, _ = _blink(names)
    shapes = {name: np.interp(times, blink_times, values) for name, values in lids.items()}
    turn = 2 * np.pi * times / _LOOP
    glance = 0.25 * np.sign(np.sin(turn + 0.6)) * (np.abs(np.sin(turn + 0.6)) > 0.5)
    shapes |= {
        "eyeLookOutLeft": np.maximum(glance, 0),
        "eyeLookInRight": np.maximum(glance, 0),
        "eyeLookInLeft": np.maximum(-glance, 0),
        "eyeLookOutRight": np.maximum(-glance, 0),
        "browInnerUp": 0.06 * (1 + np.sin(2 * turn)),
        "mouthSmileLeft": 0.06 * (1 + np.sin(turn)),
        "mouthSmileRight": 0.06 * (1 + np.sin(turn + 0.3)),
    }
    sway = np.stack([0.02 * np.sin(3 * turn), 0.05 * np.sin(turn), 0.015 * np.sin(2 * turn)], -1)
    return times, shapes, {"neck": sway}


def _talk(names: list[str]) -> tuple[np.ndarray, Curves, Curves]:
    """One spoken line: a viseme each _SYLLABLE, closed at pauses."""
    line = _LINE.split()
    visemes = {name: viseme for name, viseme in POSES.items() if viseme.category == VISEMES}
    rows = [sided(visemes[word].values, names) if word in visemes else {} for word in line]
    times = np.arange(len(line) + 2) * _SYLLABLE
    shapes = {}
    for name in {name for row in rows for name in row}:
        values = [0.0, *(_WIDE * row.get(name, 0.0) for row in rows), 0.0]
        shapes[name] = np.array(values)
    beat = 2 * np.pi * times / 1.3
    shapes["browInnerUp"] = 0.2 * np.maximum(np.sin(beat), 0)
    nod = np.stack([0.04 * np.sin(beat), 0.05 * np.sin(beat / 2.2), np.zeros_like(beat)], -1)
    return times, shapes, {"neck": nod}


def _bone_channels(proxy: bpy.types.Object, turns: Curves) -> dict[str, BoneChannels]:
    """Quaternions of small turns [T, 3] (pitch, yaw, roll in radians, head axes) of bones."""
    rig = find_rig(proxy)
    channels = {}
    for name, turn in turns.items() if rig is not None else ():
        if name in rig.data.bones:
            channels[name] = _channels_of(rig.data.bones[name], turn)
    return channels


def _channels_of(bone: bpy.types.Bone, turn: np.ndarray) -> BoneChannels:
    matrices = rotations_to_blender(turn)
    rest = np.array(bone.matrix_local, np.float64)[:3, :3]
    return BoneChannels(None, quat_from_matrix(rest.T @ matrices @ rest))


def _repeat(action: bpy.types.Action) -> None:
    for kind in actions.KINDS.values():
        for curve in actions.curves_of(action, kind):
            curve.modifiers.new("CYCLES")
