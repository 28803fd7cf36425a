"""Tracking a stream: head crops in, as they come; the person, and frames with pose and matte, out.

Detectors follow the face from frame to frame. The person is learned from the first seconds, and
again when a few times as many have been seen; then every pose so far is told in the new terms.
It knows nothing of threads, clocks or learning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np

from ..api.errors import TrackingError
from ..api.head import HeadModel, HeadParams
from ..api.settings import TrackSettings
from ..clip import Camera, TrackedFrame
from ..footage import FootageFrame
from ..stream import Arrived, Event, Learned
from .crop import HeadCrop, find_head
from .detectors import landmarker, person_segmenter
from .live_matte import quick_foreground, quick_matte
from .live_person import Moment, Person, follow, learn_person
from .pose import VIEWMAT

LEARN_AT = (1.5, 4.0, 12.0, 36.0)
"""Seconds of the stream after which the person is learned: each time costs about two more."""
LEAST_FRAMES = 12
"""Fewer make no person."""
FACE_POINTS = 468
ROOM = 1.15
"""The crop is so much wider than the head in the first frames: it will move."""


@dataclass(frozen=True)
class Crop:
    """One frame of a stream, cut to the head."""

    number: int  # in the footage
    time: float  # seconds from the first frame
    image: np.ndarray  # [S, S, 3] uint8
    alpha: np.ndarray | None  # [S, S] uint8 where the footage has a matte


def live_crop(frames: Sequence[FootageFrame]) -> HeadCrop:
    """Where the head will be, from the first frames of a stream. Raises TrackingError."""
    found, _ = find_head(iter(frames), len(frames), lambda fraction: None)
    limit = max(found.side, min(found.frame_width, found.frame_height))
    side = min(round(found.side * ROOM), limit)
    more = (side - found.side) // 2
    left = min(max(found.left - more, 0), max(found.frame_width - side, 0))
    top = min(max(found.top - more, 0), max(found.frame_height - side, 0))
    return replace(found, left=left, top=top, side=side)


@contextmanager
def live_tracker(head: HeadModel, crop: HeadCrop, settings: TrackSettings) -> Iterator[LiveTracker]:
    """A tracker for crops of `crop`; `head` is any person's. Use it in the thread that made it."""
    with ExitStack() as stack:
        find = stack.enter_context(landmarker(single_images=False))
        segment = stack.enter_context(person_segmenter())
        yield LiveTracker(head, crop, settings, find, segment)


class LiveTracker:
    """One stream's tracking so far."""

    def __init__(
        self,
        head: HeadModel,
        crop: HeadCrop,
        settings: TrackSettings,
        find: Callable[[np.ndarray], np.ndarray | None],
        segment: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """`find` gives a picture's landmarks, `segment` its person mask (detectors.py)."""
        self._anyone, self._find, self._segment = head, find, segment
        self._inside = crop.inside(settings.size)
        K = crop.intrinsics(settings.focal_length, settings.size)
        self._camera = Camera(VIEWMAT, K, settings.size, settings.size)
        self._person: Person | None = None
        self._learned = 0  # times
        self._before: Moment | None = None
        self._history: list[_Seen] = []  # as long as the person may be learned again
        self._waiting: list[tuple[_Seen, np.ndarray, np.ndarray]] = []  # until there is a person

    def track(self, crop: Crop, recent: bool = True) -> list[Event]:
        """What a crop brings; nothing where the face is lost. Not `recent` is one that comes after
        newer ones. Raises TrackingError when the person cannot be learned."""
        points = self._find(crop.image)
        if points is None:
            return []
        seen = _Seen(crop.number, crop.time, points, recent)
        if self._learned < len(LEARN_AT):
            self._history.append(seen)
        self._waiting.append((seen, *self._cut_out(crop, points)))
        return self._tell(LEARN_AT)

    def end(self) -> list[Event]:
        """What is still to be told when the stream has ended. Raises TrackingError when it was too
        short to learn the person."""
        events = self._tell((0.0,)) if self._person is None else []
        if self._person is None:
            raise TrackingError(
                f"The face was seen in only {len(self._history)} frames of the stream.",
                "Sit in the light, look at the camera and give it a few seconds.",
            )
        return events

    def _tell(self, learn_at: Sequence[float]) -> list[Event]:
        events: list[Event] = []
        if self._learned < len(learn_at) and len(self._history) >= LEAST_FRAMES:
            times = [seen.time for seen in self._history]
            if max(times) - min(times) >= learn_at[self._learned]:
                events.append(self._learn())
        if self._person:
            events += [self._arrived(*waiting) for waiting in self._waiting]
            self._waiting.clear()
        return events

    def _learn(self) -> Learned:
        """The person from all frames so far, and these frames again."""
        self._history.sort(key=lambda seen: seen.number)
        points = np.array([seen.points for seen in self._history])
        times = np.array([seen.time for seen in self._history])
        numbers = np.array([seen.number for seen in self._history])
        self._person = learn_person(self._anyone, points, times, self._camera.K)
        self._learned, self._before = self._learned + 1, None
        params = [self._follow(seen, recent=True)[0] for seen in self._history]
        if self._learned == len(LEARN_AT):
            self._history.clear()
        return Learned(self._person.head, self._camera, numbers, stack_params(params))

    def _follow(self, seen: _Seen, recent: bool) -> tuple[HeadParams, float]:
        """Params and how sure they are."""
        assert self._person is not None
        moment, params, sure = follow(
            self._person, seen.points, seen.time, self._camera.K, self._before
        )
        if recent:
            self._before = moment
        return params, sure

    def _arrived(self, seen: _Seen, colour: np.ndarray, matte: np.ndarray) -> Arrived:
        params, sure = self._follow(seen, seen.recent)
        frame = TrackedFrame(colour, matte, self._camera, params)
        return Arrived(seen.number, seen.time, frame, sure, seen.recent)

    def _cut_out(self, crop: Crop, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Straight foreground colour [S, S, 3] and matte [S, S], uint8."""
        if crop.alpha is None:
            alpha = quick_matte(self._segment(crop.image), points[:FACE_POINTS, :2])
        else:
            alpha = crop.alpha.astype(np.float32) / 255
        alpha = alpha * self._inside
        return quick_foreground(crop.image, alpha), (alpha * 255).round().astype(np.uint8)


@dataclass(frozen=True)
class _Seen:
    """What the landmarker saw in one frame."""

    number: int
    time: float
    points: np.ndarray  # [478, 3]
    recent: bool


def stack_params(params: Sequence[HeadParams]) -> HeadParams:
    """Params without leading axis as one with it."""
    return HeadParams(
        *(np.stack([getattr(one, field.name) for one in params]) for field in fields(HeadParams))
    )
