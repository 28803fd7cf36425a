"""The reconstruction job on the fly: a camera, or a file played at its own rate, to a .likeness
file that can be looked at from the first seconds.

Frames arrive as they are tracked, learning goes on in between, and the end is written as for any
other fit. To stop is to finish: what was learned so far is written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.errors import Cancelled, LikenessError, TrackingError
from ..api.messages import Message
from ..api.requests import ReconstructRequest, changed
from ..api.settings import OnlineSettings, RGBAvatarSettings, TrackSettings
from ..progress import ProgressEvents, Report, unheard
from .foresight import Foresight
from .previews import Previews
from .reconstruction import Clock, check_request, conclude, info_of, load_engine
from .work_folder import work_folder, working_in

if TYPE_CHECKING:
    from ..avatar import BlendshapeAvatar
    from ..methods.online import OnlineFit
    from ..stream import Event, Stream
    from .live_record import LiveRecord
    from .live_source import LiveSource

FITTED = 0.9
"""How far the stream reaches on the progress bar, where its end is known."""
HALFWAY = 0.5
"""Where the schedule waits for an end that nobody knows: as much may come as has been."""
IDLE_SECONDS = 0.01
UNUSED_TRACKING = ("matting", "shoulders", "camera", "retrack")
"""Tracking settings that a stream has no time for, or no use."""
TOLD_EVERY = 40
"""Images whose PSNR is told as one figure."""


def reconstruct_online(
    request: ReconstructRequest, emit: Callable[[Message], None]
) -> dict[str, Any]:
    """Play, track and learn, then bake, measure and write. Cancelled or interrupted it writes what
    was learned so far; only before there is anything does it raise. Raises LikenessError."""
    settings = check_request(request)
    _refuse_what_cannot_be(request, settings)
    with working_in(work_folder(request.output)) as work:
        return _reconstruct(request, settings, work, emit)


def _refuse_what_cannot_be(request: ReconstructRequest, settings: Any) -> None:
    if not isinstance(settings, RGBAvatarSettings):
        raise LikenessError(f"{request.method} does not learn on the fly.", "Choose rgbavatar.")
    given: dict[str, Any] = {"clip": request.clip, "more_sources": request.more_sources}
    given |= {name: request.track.get(name) for name in UNUSED_TRACKING}
    for name, value in given.items():
        if value:
            raise LikenessError(f"A fit on the fly has no use for {name}.", "Leave it out.")


def _reconstruct(
    request: ReconstructRequest,
    settings: RGBAvatarSettings,
    work: Path,
    emit: Callable[[Message], None],
) -> dict[str, Any]:
    from .live_source import live_source

    bar, clock = ProgressEvents(emit), Clock()
    bar("Getting ready", 0.0)
    load_engine(request.device)
    track = changed(TrackSettings(), {"size": settings.size} | request.track)
    source = live_source(request, track)
    info = info_of(request, settings, source.info)
    session = Session(request, settings, source, source.record(work / "live"), info, emit)
    clock.lap("load")
    report: Report = bar
    with closing(source.open()) as stream:
        try:
            session.run(stream, bar)
        except (Cancelled, KeyboardInterrupt):
            if session.avatar is None:
                raise
            report = unheard  # who has cancelled listens no more, but finds the avatar
    avatar = session.finish(stream)
    clock.lap("stream")
    clip, tests = session.record.finished()
    return conclude(request, avatar, clip, info, tests, clock, report)


class Session:
    """One run of a stream: what has come, and what was learned of it."""

    def __init__(
        self,
        request: ReconstructRequest,
        settings: RGBAvatarSettings,
        source: LiveSource,
        record: LiveRecord,
        info: dict[str, Any],
        emit: Callable[[Message], None],
    ) -> None:
        """`info` is the avatar's; the figures of the run are added to it."""
        self.request, self.settings, self.source = request, settings, source
        self.record, self._info, self._emit = record, info, emit
        self._fit: OnlineFit | None = None
        self._previews: Previews | None = None
        self._foresight = Foresight(emit)
        self._began, self._ended = 0.0, math.inf  # the end in seconds since the beginning

    @property
    def avatar(self) -> BlendshapeAvatar | None:
        """The avatar so far."""
        return self._fit.avatar if self._fit else None

    def run(self, stream: Stream, report: Report) -> None:
        """Until the stream is over and polished, or the time is up."""
        self._began = time.monotonic()
        while (done := self._done(stream)) < 1:
            for event in stream.take():
                self._take(event)
            if self._fit and self._fit.avatar:
                self._fit.step(done)
                self._show(self._fit, self._fit.avatar, report, done)
            else:
                report("Getting to know the face", 0.0)
                time.sleep(IDLE_SECONDS)

    def finish(self, stream: Stream) -> BlendshapeAvatar:
        """The avatar with colours where nothing was seen. Raises TrackingError without one."""
        fit = self._fit
        if fit is None or fit.avatar is None:
            raise TrackingError(
                "The stream ended before the face was known.", "Give it a few seconds more."
            )
        fit.finish()
        seconds = time.monotonic() - self._began
        self._info["online"] = {
            "seconds": round(seconds, 1),
            "frames": stream.counts,
            "images": fit.images,
            "images_per_second": round(fit.images / seconds, 1),
            "previews": self._foresight.rows,
        }
        return fit.avatar

    def _take(self, event: Event) -> None:
        from ..methods.online import OnlineFit
        from ..stream import Learned

        self.record.take(event)
        if isinstance(event, Learned):
            if self._fit:
                self._fit.know(event)
            else:
                device, seed = self.request.device, self.request.seed
                self._fit = OnlineFit(event, self.settings, OnlineSettings(), device, seed)
            return
        self._foresight.see(event, self._now)
        if self._fit and not self.record.is_test(event):
            self._fit.keep(event)

    def _show(self, fit: OnlineFit, avatar: BlendshapeAvatar, report: Report, done: float) -> None:
        """Tell how it goes, write a preview when one is due."""
        if fit.images % TOLD_EVERY == 0:
            words = f"Live: {len(self.record)} frames, {fit.tally.take()[1]:.1f} dB"
            report(words, done * FITTED if math.isfinite(self.source.length) else 0.0)
        if self._previews is None:
            clip = self.record.clip()
            self._previews = Previews(self.request.preview, clip, self._info, self._emit)
        if self._previews.is_due:
            self._previews.clip = self.record.clip()
            baked = self._previews.offer(avatar)
            if baked:
                self._foresight.watch(baked, self._now)

    @property
    def _now(self) -> float:
        """Seconds since the stream began."""
        return time.monotonic() - self._began

    def _done(self, stream: Stream) -> float:
        """Where the fit stands, 0 to 1. A stream without a known end waits halfway."""
        now, polish = self._now, self.request.polish_seconds
        if stream.over:
            self._ended = min(self._ended, now)
        if now >= (self.request.max_seconds or math.inf) or now >= self._ended + polish:
            return 1.0
        whole = min(self.source.length + polish, self.request.max_seconds or math.inf)
        if math.isfinite(whole):
            return min(now / whole, 1 - 1e-6)
        images = self._fit.images if self._fit else 0
        halfway = min(images / self.settings.images, HALFWAY)
        if now < self._ended:
            return halfway
        return halfway + (1 - halfway) * (now - self._ended) / max(polish, 1e-6)
