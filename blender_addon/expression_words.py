"""What each ARKit expression does, in a few words, for tooltips. Left is the person's own left."""

from __future__ import annotations

_WORDS = {
    "browDown": "pulls the {side} eyebrow down and inwards, as in anger",
    "browInnerUp": "raises the inner ends of both eyebrows, as in grief",
    "browOuterUp": "raises the outer end of the {side} eyebrow",
    "cheekPuff": "blows up both cheeks",
    "cheekSquint": "lifts the {side} cheek towards the eye, as in an honest smile",
    "eyeBlink": "closes the {side} eyelids",
    "eyeLookDown": "turns the {side} eye down, the lid follows",
    "eyeLookIn": "turns the {side} eye towards the nose",
    "eyeLookOut": "turns the {side} eye away from the nose",
    "eyeLookUp": "turns the {side} eye up, the lid follows",
    "eyeSquint": "narrows the {side} eye from below",
    "eyeWide": "opens the {side} eye wide",
    "jawForward": "pushes the lower jaw forward",
    "jaw": "moves the lower jaw to the person's {side}",
    "jawOpen": "drops the lower jaw and opens the mouth",
    "mouthClose": "closes the lips over an open jaw; use it together with Jaw Open",
    "mouthDimple": "pulls the {side} corner of the mouth back and in",
    "mouthFrown": "pulls the {side} corner of the mouth down",
    "mouthFunnel": "opens the lips to a funnel, as in 'oh'",
    "mouth": "moves both lips to the person's {side}",
    "mouthLowerDown": "pulls the {side} of the lower lip down",
    "mouthPress": "presses the lips together on the {side}",
    "mouthPucker": "purses the lips, as in a kiss",
    "mouthRollLower": "rolls the lower lip in over the teeth",
    "mouthRollUpper": "rolls the upper lip in over the teeth",
    "mouthShrugLower": "pushes the lower lip and the chin up",
    "mouthShrugUpper": "pushes the upper lip up and out",
    "mouthSmile": "pulls the {side} corner of the mouth up and out",
    "mouthStretch": "pulls the {side} corner of the mouth straight out",
    "mouthUpperUp": "lifts the {side} of the upper lip",
    "noseSneer": "wrinkles the {side} of the nose and lifts the nostril",
    "tongueOut": "puts the tongue out",
}
_SIDES = ("Left", "Right")


def words_for(key: str) -> str:
    """What a slider does, as a sentence without its full stop."""
    if key in _WORDS:
        return _sentence(_WORDS[key])
    for side in _SIDES:
        stem = key.removesuffix(side)
        if stem != key and stem in _WORDS:
            return _sentence(_WORDS[stem].format(side=side.lower()))
    if key.startswith("reduced."):
        return "Adds to one of the learned blendshapes: what it moves differs from avatar to avatar"
    return "Moves the head as its maker named it"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
