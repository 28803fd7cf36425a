"""The regression job: one picture of a head, or a few, to a .likeness file within a minute.

It knows the order of the stages and where files lie; what a stage does is in methods/regression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.avatar_file import read_avatar
from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.regression import REGRESSORS, RegressRequest
from ..api.requests import ReconstructRequest
from ..progress import ProgressEvents, Report, span
from .previews import Previews
from .reconstruction import FITTED, Clock, check_request, conclude, info_of, load_engine
from .source_clip import source_clip
from .tracking import footage_report
from .work_folder import work_folder, working_in

if TYPE_CHECKING:
    from ..api.baked import BakedAvatar
    from ..api.head import HeadParams
    from ..clip import TrackedClip
    from ..methods.feedforward.views import Views
    from ..methods.regression.refine import Refined

TRACKED = 0.3
SIZE = 512
MOST_PICTURES = 64
OF_A_VIDEO = 16
"""Frames taken of a clip where nobody says which (FastAvatar's capacity)."""
MOST_MEASURED = 24
SHAPED = 0.3
"""How far shaping reaches on the way to the finished avatar."""
PRESET = "images"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Scene:
    """What the avatar is made from."""

    clip: TrackedClip
    frames: np.ndarray  # [V] of the clip
    views: Views
    params: HeadParams  # [V] of the views
    earlier: BakedAvatar | None


def regress(request: RegressRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Track, regress, refine, complete, bake, write. Raises LikenessError, also Cancelled.

    Interrupted, it leaves the tracked pictures in a hidden folder beside the output.
    """
    fit = _checked(request)
    with working_in(work_folder(request.output)) as work:
        return _regress(request, fit, work, emit)


def _regress(
    request: RegressRequest,
    fit: ReconstructRequest,
    work: Path,
    emit: Callable[[Message], None],
) -> dict[str, Any]:
    def tell(message: str) -> None:
        emit({"event": "notice", "message": message})

    bar, clock = ProgressEvents(emit), Clock()
    earlier = read_avatar(request.add_to) if request.add_to else None
    clip = source_clip(_with_head(fit, earlier, work), work, span(bar, 0, TRACKED), tell)
    clock.lap("track")
    emit(footage_report(clip))
    report = span(bar, bar.fraction, 1)
    report("Starting the engine", 0.0)
    load_engine(request.device)
    scene = _scene(request, clip, earlier)
    info = _info(request, fit, scene)
    clock.lap("load")
    previews = Previews(request.preview, clip, info, emit)
    making = span(report, 0, FITTED)
    found = _made(request, scene, previews, tell, making)
    clock.lap("regress")
    return _concluded(fit, scene, found, info, clock, report)


def _made(
    request: RegressRequest, scene: _Scene, previews: Previews, tell: Tell, report: Report
) -> Refined:
    """The avatar of the pictures, whole."""
    from ..methods.regression.choice import first_avatar
    from ..methods.regression.refine import Effort
    from ..methods.regression.steps import finished

    first, last = span(report, 0, SHAPED), span(report, SHAPED, 1)
    baked = scene.earlier
    if baked is None:
        label = REGRESSORS[request.method].label
        baked, notice = first_avatar(request.method, label, scene.clip, scene.views, first)
        if notice:
            tell(notice)
    effort = Effort(seconds=request.refine)
    fresh = len(scene.frames)
    return finished(baked, scene.views, scene.params, effort, last, previews.offer, fresh)


def _concluded(
    fit: ReconstructRequest,
    scene: _Scene,
    found: Refined,
    info: dict[str, Any],
    clock: Clock,
    report: Report,
) -> dict[str, Any]:
    """Bake, measure, write; the job's result."""
    from ..methods.photometric import put_params
    from ..methods.regression.memory import with_performance
    from ..restored_avatar import RestoredAvatar

    count = len(scene.frames)
    own = found.params[:count]
    tracked = replace(scene.clip, params=put_params(scene.clip.params, scene.frames, own))
    tests = _measured(scene)
    if scene.earlier is not None:
        tracked = with_performance(tracked, tracked.params, scene.earlier.performance)
    info["pictures_seen"], info["refinement_images"] = count, found.images
    info["psnr_seen"] = round(found.psnr, 2)
    avatar = RestoredAvatar(found.baked)
    result = conclude(fit, avatar, tracked, info, tests, clock, report)
    return {**result, "pictures_seen": count, "psnr_seen": info["psnr_seen"]}


def _scene(request: RegressRequest, clip: TrackedClip, earlier: BakedAvatar | None) -> _Scene:
    """The pictures that the avatar sees; those it remembers come last."""
    from ..methods.feedforward.views import views_of
    from ..methods.regression.memory import on_head, params_together, remembered, together

    stills = all(len(take) == 1 for take in clip.takes)
    frames = chosen_frames(request.frames, len(clip), stills)
    size = min(request.size or SIZE, clip.camera.width)
    views, params = views_of(clip, frames, size), clip.params[frames]
    if earlier is not None:
        before, before_params = remembered(earlier, size)
        views = together(on_head(views, params, earlier), before)
        params = params_together(params, before_params)
    return _Scene(clip, frames, views, params, earlier)


def chosen_frames(text: str, count: int, every: bool = False) -> np.ndarray:
    """The frames that "16" (spread evenly) or "0,40,80" name among `count`; all of a few, else some
    of them, for an empty text. Raises LikenessError."""
    every_of = count <= OF_A_VIDEO or every
    text = text or str(count if every_of else OF_A_VIDEO)
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if len(numbers) == 1 and "," not in text:
        wanted = min(max(numbers[0], 0), count)
        numbers = [int((number + 0.5) * count / wanted) for number in range(wanted)]
    if not numbers or min(numbers) < 0 or max(numbers) >= count:
        raise LikenessError(
            f"'{text}' names none of the {count} frames.", "Give a count (4) or numbers (0,40,80)."
        )
    if len(numbers) > MOST_PICTURES:
        raise LikenessError(
            f"{len(numbers)} pictures are more than one avatar is regressed from.",
            f"Give up to {MOST_PICTURES}, or fit the footage instead.",
        )
    return np.array(numbers)


def _measured(scene: _Scene) -> np.ndarray:
    """Frames of a clip that the avatar has not seen, some of them."""
    if scene.earlier is not None:
        return np.zeros(0, np.int32)
    others = np.setdiff1d(np.arange(len(scene.clip)), scene.frames)
    if not len(others):
        return others.astype(np.int32)
    spread = np.linspace(0, len(others) - 1, MOST_MEASURED).round().astype(int)
    return others[np.unique(spread)].astype(np.int32)


def _checked(request: RegressRequest) -> ReconstructRequest:
    """The request as a fit's, once all that can be wrong with it is known not to be."""
    if request.method not in REGRESSORS:
        known = ", ".join(REGRESSORS)
        raise LikenessError(f"There is no method '{request.method}'.", f"Known: {known}.")
    if request.refine < 0:
        raise LikenessError("A refinement cannot take less than no time.", "Give seconds, or 0.")
    pictures = 1 + len(request.more_sources)
    if pictures > MOST_PICTURES:
        raise LikenessError(
            f"{pictures} pictures are more than one avatar is regressed from.",
            f"Give up to {MOST_PICTURES}.",
        )
    fit = ReconstructRequest(
        source=request.source,
        output=request.output,
        more_sources=request.more_sources,
        track=request.track,
        size=request.size,
        clip=request.clip,
        device=request.device,
        preview=request.preview,
        pictures=request.pictures,
        consent=request.consent,
    )
    check_request(fit)
    return fit


def _with_head(
    fit: ReconstructRequest, earlier: BakedAvatar | None, work: Path
) -> ReconstructRequest:
    """New pictures of an avatar are tracked with its own head."""
    if earlier is None:
        return fit
    from ..heads.head_file import write_head

    path = work / "head.npz"
    write_head(path, earlier.head)
    return replace(fit, track={**fit.track, "head": str(path)})


def _info(request: RegressRequest, fit: ReconstructRequest, scene: _Scene) -> dict[str, Any]:
    """What the avatar's file says of how it was made."""
    settings = {"refine": request.refine, "frames": request.frames}
    named = replace(fit, method=request.method, preset=PRESET)
    info = info_of(named, request, scene.clip.info)
    info["settings"] = settings
    if scene.earlier is not None:
        origin = scene.earlier.info.get("provenance", {})
        new = info["provenance"]
        added = [new.get("source", {}), *new.get("more_sources", [])]
        info["provenance"] = {
            **new,
            "source": origin.get("source", {}),
            "more_sources": [*origin.get("more_sources", []), *added],
        }
        info["name"] = scene.earlier.name
    return info
