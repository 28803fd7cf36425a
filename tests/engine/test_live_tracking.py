"""Tracking a stream against tracking the whole clip, and the threads that run it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from engine.api.errors import TrackingError
from engine.api.head import HeadModel, HeadParams
from engine.api.rotations import matrix_from_rotvec, rotvec_from_matrix
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip
from engine.footage import FootageFrame, camera_frames, open_footage
from engine.heads.builtin import builtin_head
from engine.stream import Arrived, Event, Learned
from engine.tracking import track
from engine.tracking.crop import HeadCrop
from engine.tracking.live import Crop, live_crop, live_tracker, stack_params
from engine.tracking.live_person import bounded_minimum
from engine.tracking.live_stream import Backlog, LiveStream

SHARED = Path(__file__).parents[3] / "shared" / "footage"
CLIP = SHARED / "glasses_man.mp4"
FAST = TrackSettings(size=256, fast_matte=True, max_frames=40)
footage = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/footage")


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    return track(CLIP, tmp_path_factory.mktemp("offline") / "clip", FAST)


@pytest.fixture(scope="module")
def live(offline: TrackedClip) -> list[Event]:
    """What a live tracker tells of the same crops, one after the other."""
    left, top, side = offline.info["source"]["crop"]
    crop = HeadCrop(left, top, side, *offline.info["source"]["frame_size"])
    events: list[Event] = []
    with live_tracker(builtin_head(), crop, FAST) as tracker:
        for number, frame in enumerate(open_footage(CLIP).frames(FAST.max_frames)):
            image = crop.image(frame.rgb, FAST.size)
            events += tracker.track(Crop(number, frame.time, image, None))
        events += tracker.end()
    return events


def turns(params: HeadParams) -> np.ndarray:
    """The heads' rotations in the world [T, 3, 3]."""
    return matrix_from_rotvec(params.rotation.astype(float)) @ matrix_from_rotvec(
        params.neck.astype(float)
    )


@footage
def test_live_poses_are_those_of_the_whole_clip_within_degrees_and_millimetres(
    offline: TrackedClip, live: list[Event]
) -> None:
    arrived = [event for event in live if isinstance(event, Arrived)]
    assert [event.number for event in arrived] == list(range(len(offline)))
    person = next(event for event in live if isinstance(event, Learned))
    params = stack_params([event.frame.params for event in arrived])
    apart = rotvec_from_matrix(turns(offline.params).swapaxes(-1, -2) @ turns(params))
    degrees = np.degrees(np.linalg.norm(apart, axis=-1))
    assert np.median(degrees) < 1.5
    # The same skin in front of the camera: nose, chin, eye corners and brow, mean over the face.
    points = [1, 152, 33, 263, 10]
    there = landmarks(offline.head, offline.params, points)
    apart = landmarks(person.head, params, points) - there
    assert np.median(np.linalg.norm(apart[..., :2], axis=-1)) < 0.004  # metres, across the view
    assert np.median([event.confidence for event in arrived]) > 0.9


def landmarks(head: HeadModel, params: HeadParams, points: list[int]) -> np.ndarray:
    corners = head.pose(params)[:, head.faces[head.landmark_faces[points]]]
    return np.einsum("nk,tnkc->tnc", head.landmark_barycentrics[points], corners)


@footage
def test_the_person_comes_before_the_first_frame(live: list[Event]) -> None:
    assert isinstance(live[0], Learned)
    assert live[0].head.name == builtin_head().name
    assert len(live[0].numbers) == len(live[0].params) >= 12


@footage
def test_the_live_matte_holds_the_face_and_not_the_corners(live: list[Event]) -> None:
    frame = next(event.frame for event in live if isinstance(event, Arrived))
    assert frame.alpha[128, 128] == 255
    assert frame.alpha[2, 2] < 10
    assert frame.image.shape == (256, 256, 3)


@footage
def test_the_live_crop_has_room_for_the_head_to_move(offline: TrackedClip) -> None:
    frames = list(open_footage(SHARED / "talking_man.mp4").frames(4))
    crop = live_crop(frames)
    assert 0 <= crop.left <= crop.frame_width - crop.side
    assert 0 <= crop.top <= crop.frame_height - crop.side


def test_the_bounded_minimum_is_that_of_a_reference_solver() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        A, b = random.normal(size=(30, 12)), random.normal(size=30) * 2
        found = bounded_minimum(A.T @ A, A.T @ b, random.uniform(size=12))
        np.testing.assert_allclose(found, lsq_linear(A, b, (0, 1)).x, atol=2e-3)


def crop_number(number: int) -> Crop:
    return Crop(number, number / 25, np.zeros((2, 2, 3), np.uint8), None)


def test_the_newest_frame_comes_first_and_the_others_later() -> None:
    backlog = Backlog(10)
    for number in range(4):
        backlog.put(crop_number(number))
    taken = [backlog.take() for _ in range(4)]
    assert [(crop.number, recent) for crop, recent in filter(None, taken)] == [
        (3, True), (0, False), (1, False), (2, False),
    ]  # fmt: skip
    backlog.close()
    assert backlog.take() is None


def test_a_full_backlog_keeps_a_fair_sample_and_counts_what_it_drops() -> None:
    backlog = Backlog(40)
    for number in range(201):
        backlog.put(crop_number(number))
    assert backlog.dropped == 160
    backlog.close()
    backlog.take()
    kept = []
    while (waiting := backlog.take()) is not None:
        kept.append(waiting[0].number)
    assert len(kept) == 40
    # Binomial with a half: 20 of the first half, give or take 3.2.
    assert 8 <= sum(number < 100 for number in kept) <= 32


def streamed(stream: LiveStream, seconds: float) -> list[Event]:
    """All that comes until the stream is over."""
    events: list[Event] = []
    until = time.monotonic() + seconds
    while not stream.over and time.monotonic() < until:
        events += stream.take()
        time.sleep(0.01)
    stream.close()
    return events


def hurried(count: int) -> Iterator[FootageFrame]:
    """The footage without its pauses: far faster than anyone can track."""
    yield from open_footage(CLIP).frames(count)


@footage
def test_a_stream_that_is_too_fast_is_tracked_newest_first_and_to_the_end() -> None:
    stream = LiveStream(hurried(40), math.inf, FAST, builtin_head(), paced=False)
    arrived = [event for event in streamed(stream, 300) if isinstance(event, Arrived)]
    assert stream.counts == {"seen": 40, "tracked": 40, "dropped": 0}
    assert len({event.number for event in arrived}) == 40
    assert sum(not event.recent for event in arrived) > 10


@footage
def test_a_camera_is_read_like_a_file() -> None:
    """OpenCV reads a file as it reads a camera; there is no camera here."""
    clip = SHARED / "talking_man.mp4"
    with closing(camera_frames(str(clip))) as shots:
        frames = [next(shots) for _ in range(3)]
    first = next(iter(open_footage(clip).frames(1)))
    assert np.abs(frames[0].rgb.astype(int) - first.rgb).mean() < 3
    assert frames[0].time == 0 < frames[1].time


def test_what_goes_wrong_in_a_thread_is_raised_to_who_takes() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    frames = [FootageFrame(index / 25, noise, None) for index in range(12)]
    stream = LiveStream(iter(frames), 1.0, FAST, builtin_head(), paced=False)
    with pytest.raises(TrackingError, match="No face was found"):
        streamed(stream, 30)
    stream.close()
