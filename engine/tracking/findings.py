"""What a clip's figures mean in words, and how to film it better.

One rule, one row of the table: how bad it is, when it holds, what it means, what to do about it.
Clean footage (three clips of talking people, 480 to 1080 pixels) stands beside each threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

SEVERITIES = ("serious", "warning", "note")
Figures = dict[str, Any]


class Finding(NamedTuple):
    """One thing that was noticed."""

    name: str
    severity: str
    words: str
    advice: str


@dataclass(frozen=True)
class Rule:
    """When to say what. `words` may name any figure in braces."""

    name: str
    severity: str
    holds: Callable[[Figures], bool]
    words: str
    advice: str
    of_stills: bool = False  # whether it makes sense for photographs too


def find(figures: Figures) -> list[Finding]:
    """What holds of a clip's figures, the worst first."""
    found = [
        Finding(rule.name, rule.severity, rule.words.format(**figures), rule.advice)
        for rule in RULES
        if (rule.of_stills or not figures["still"]) and rule.holds(figures)
    ]
    said = {finding.name for finding in found if finding.severity == "serious"}
    milder = [f for f in found if f.severity == "serious" or f.name not in said]
    return sorted(milder, key=lambda finding: SEVERITIES.index(finding.severity))


def _peak(figures: Figures, *names: str) -> float:
    """The highest that any of these expressions went; 1 when the head has none of them."""
    peaks = figures["expression_peaks"]
    return max((peaks[name] for name in names if name in peaks), default=1.0)


def _both(stem: str) -> tuple[str, str]:
    return f"{stem}Left", f"{stem}Right"


MOUTH, EYES, BROWS = 0.15, 0.5, 0.25
"""Peaks of coefficients 0..1 below which a part was not seen to move. A talking jaw reaches 0.3
to 0.6, a blink is calibrated to 1, and raised brows reach 0.5; noise stays under 0.1."""
TURNED, NODDED = 10.0, 6.0
"""Degrees to a side. At 10 the far ear and cheek begin to show; talking heads nod by 6 to 10."""
SOFT, BLOCKY = 0.115, 1.3
"""See sharpness.py and survey.py. Sharpness: clean 0.24 to 0.39, blurred by 3 pixels of a face of
250 0.10 to 0.13. Blocks: clean 1.10 to 1.15, H.264 at quality 40 1.28 to 1.38, at 46 1.5."""
FACE_SMALL, FACE_TINY = 200, 110
"""Pixels from brows to chin. The crop of 512 pixels shows a face of 250 to 300: below 200 it is
enlarged by a third, below 110 the networks (192 pixels) see less than they were made for."""

RULES = (
    # How well the head could be followed.
    Rule(
        "lost", "serious", lambda f: f["lost_share"] > 0.2,
        "the face was lost in {lost_share:.0%} of the frames",
        "Keep the face towards the camera, uncovered and well lit; turn no further than a profile.",
    ),
    Rule(
        "lost", "warning", lambda f: f["lost_share"] > 0.03,
        "the face was lost in {lost_share:.0%} of the frames",
        "Keep hands and hair off the face and turn no further than a profile.",
    ),
    Rule(
        "loose", "warning", lambda f: f["reprojection_px_at_512"] > 2.0,  # clean: 0.7 to 1.4
        "the head fits loosely ({reprojection_px_at_512} px): expect soft detail",
        "Film with a normal lens from a metre away; masks and heavy make-up mislead the tracker.",
        of_stills=True,
    ),
    # What was performed.
    Rule(
        "short", "warning", lambda f: f["seconds"] < 8 or f["frames"] < 200,
        "the clip is short ({seconds:.0f} s): unseen expressions will be guessed",
        "Film 20 to 60 seconds: talk, smile, blink, raise the brows, turn the head slowly.",
    ),
    Rule(
        "mouth_closed", "serious", lambda f: _peak(f, "jawOpen") < MOUTH,
        "the mouth never opens: teeth will be guessed",
        "Talk, and open the mouth wide once or twice so that both rows of teeth show.",
    ),
    Rule(
        "eyes_open", "warning", lambda f: _peak(f, *_both("eyeBlink")) < EYES,
        "the eyes hardly ever close: the lids will be guessed",
        "Blink normally, and once keep the eyes shut for a second.",
    ),
    Rule(
        "brows_still", "warning",
        lambda f: _peak(f, "browInnerUp", *_both("browOuterUp")) < BROWS,
        "the brows never rise: the forehead will stay smooth",
        "Raise the brows once as if surprised.",
    ),
    Rule(
        "no_frown", "note", lambda f: _peak(f, *_both("browDown")) < BROWS,
        "the brows never frown",
        "Frown once as if the sun were in your eyes.",
    ),
    Rule(
        "no_smile", "warning", lambda f: _peak(f, *_both("mouthSmile")) < BROWS,
        "there is no smile: its cheeks and teeth will be guessed",
        "Smile once with closed lips and once with the teeth.",
    ),
    Rule(
        "no_pucker", "note", lambda f: _peak(f, "mouthPucker", "mouthFunnel") < BROWS,
        "the lips never purse: kisses and 'oo' will be guessed",
        "Say 'oo' and 'who' slowly.",
    ),
    Rule(
        "eyes_fixed", "note",
        lambda f: f["gaze_yaw_degrees"][1] - f["gaze_yaw_degrees"][0] < 8,
        "the eyes hardly look to the sides",
        "Look left and right once without turning the head.",
    ),
    Rule(
        "still_head", "serious", lambda f: f["yaw_degrees"][1] - f["yaw_degrees"][0] < 8,
        "the head hardly turns: its sides will be guessed",
        "Turn the head slowly to each side, until the far ear disappears, and back.",
    ),
    Rule(
        "never_left", "warning", lambda f: f["yaw_degrees"][1] < TURNED,
        "the head never turns to its left: its right side will be guessed",
        "Turn the head slowly to its left, about as far as a shoulder check.",
    ),
    Rule(
        "never_right", "warning", lambda f: f["yaw_degrees"][0] > -TURNED,
        "the head never turns to its right: its left side will be guessed",
        "Turn the head slowly to its right, about as far as a shoulder check.",
    ),
    Rule(
        "never_up", "note", lambda f: f["pitch_degrees"][0] > -NODDED,
        "the head never looks up: below the chin will be guessed",
        "Look up slowly once.",
    ),
    Rule(
        "never_down", "note", lambda f: f["pitch_degrees"][1] < NODDED,
        "the head never looks down: the top of the hair will be guessed",
        "Look down slowly once.",
    ),
    # How it was filmed.
    Rule(
        "small_face", "serious", lambda f: f["face_height_px"] < FACE_TINY,
        "the face is only {face_height_px:.0f} pixels tall",
        "Go nearer: the head with its hair should fill most of the picture's height.",
        of_stills=True,
    ),
    Rule(
        "low_resolution", "warning",
        lambda f: f["face_height_px"] < FACE_SMALL and f["face_share"] >= 0.4,
        "the footage is small ({frame_size[0]} x {frame_size[1]}): the avatar will be soft",
        "Film in 1080p or more, and keep the original file; messengers shrink videos.",
        of_stills=True,
    ),
    Rule(
        "small_face", "warning",
        lambda f: f["face_height_px"] < FACE_SMALL and f["face_share"] < 0.4,
        "the face is small ({face_height_px:.0f} pixels, {face_share:.0%} of the picture)",
        "Go nearer: the head with its hair should fill most of the picture's height.",
        of_stills=True,
    ),
    Rule(
        "soft", "warning", lambda f: 0 < f["sharpness"] < SOFT,
        "the whole clip is soft or heavily compressed",
        "Wipe the lens, tap on the face to focus, and use the original file.",
        of_stills=True,
    ),
    Rule(
        "blocks", "warning", lambda f: f["blockiness"] > BLOCKY,
        "the footage is heavily compressed: its blocks will be learned",
        "Use the original file, or export at a higher bit rate.",
        of_stills=True,
    ),
    Rule(
        "blur", "serious", lambda f: f["blurred_share"] > 0.3,
        "{blurred_share:.0%} of the frames are blurred",
        "Move more slowly, in more light: phones lengthen the exposure when it is dark.",
    ),
    Rule(
        "blur", "warning", lambda f: f["blurred_share"] > 0.05,  # clean: none
        "{blurred_share:.0%} of the frames are blurred",
        "Move more slowly, in more light: phones lengthen the exposure when it is dark.",
    ),
    Rule(
        "exposure", "warning", lambda f: f["exposure_stops"] > 0.4,  # clean: 0.1 to 0.17
        "the light on the face changes by {exposure_stops:.1f} stops",
        "Lock the exposure (hold a finger on the face) and stay in one place and light.",
    ),
    Rule(
        "white_balance", "warning", lambda f: f["white_balance_stops"] > 0.15,  # clean: to 0.05
        "the white balance drifts by {white_balance_stops:.2f} stops",
        "Lock exposure and white balance before filming, and keep screens off the face.",
    ),
    Rule(
        "burnt", "warning", lambda f: f["burnt_share"] > 0.08,  # clean: to 0.03
        "{burnt_share:.0%} of the face is over-exposed",
        "Lower the exposure until no part of the face is plain white.",
        of_stills=True,
    ),
    Rule(
        "dark", "warning", lambda f: 0 < f["face_light"] < 0.025,  # clean: 0.16
        "the face is very dark",
        "Face a window or a lamp.",
        of_stills=True,
    ),
    Rule(
        "leaves", "serious", lambda f: f["face_cut_share"] > 0.2,
        "the face leaves the picture in {face_cut_share:.0%} of the frames",
        "Leave room around the head for its movements.",
    ),
    Rule(
        "leaves", "warning", lambda f: f["face_cut_share"] > 0.02,
        "the face leaves the picture in {face_cut_share:.0%} of the frames",
        "Leave room around the head for its movements.",
    ),
    Rule(
        "hair_cut", "note", lambda f: f["hair_cut_share"] > 0.3 and f["face_cut_share"] <= 0.02,
        "the hair is cut off by the edge of the picture",
        "Leave room above the head.",
        of_stills=True,
    ),
    Rule(
        "second_face", "warning", lambda f: f["second_face_share"] > 0.08,  # clean: to 0.02
        "another face is in {second_face_share:.0%} of the frames",
        "Film one person before a plain wall; crop out others, mirrors and posters.",
        of_stills=True,
    ),
    Rule(
        "moving_camera", "warning", lambda f: f["camera_drift_per_mille"] > 0.7,  # clean: 0.00
        "the camera moves",
        "Put the camera on a stand or a shelf, and turn the head instead.",
    ),
    Rule(
        "cuts", "serious", lambda f: f["cuts"] > 0,
        "the footage is edited ({cuts} cuts): other shots have other light and framing",
        "Give one continuous shot, or several shots as files of their own.",
    ),
)  # fmt: skip
