"""The comparison job: several methods on one clip, as a table and a sheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..api.atomic import replacing
from ..api.avatar_file import read_avatar
from ..api.baked import BakedAvatar
from ..api.errors import LikenessError
from ..api.messages import Message
from ..api.requests import CompareRequest, ReconstructRequest
from ..api.settings import METHODS
from ..progress import ProgressEvents
from .reconstruction import reconstruct

SUFFIX = ".likeness"
COLUMNS = {
    "method": "{}",
    "psnr": "{:.2f}",
    "ssim": "{:.4f}",
    "fit_seconds": "{:.0f}",
    "gaussians": "{}",
    "blendshapes": "{}",
    "bake_psnr": "{:.1f}",
    "megabytes": "{:.1f}",
    "evaluate_ms": "{:.1f}",
    "render_ms": "{:.1f}",
}
"""Of the table, with the form of each; PSNR in dB, held-out frames; bake_psnr against the un-baked
avatar."""
FITTED = 0.95
"""Share of the progress bar that the fits take."""


def compare(request: CompareRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Fit, measure and draw. Raises LikenessError, also Cancelled."""
    names = _methods(request.methods)
    folder = Path(request.output)
    _make(folder)
    bar = ProgressEvents(emit)
    rows, avatars = [], {}
    for index, name in enumerate(names):
        part = FITTED * index / len(names), FITTED * (index + 1) / len(names)
        result = reconstruct(_fit_request(request, folder, name), _within(emit, bar, name, part))
        avatars[name] = read_avatar(result["path"])
        rows.append(_row(name, result, avatars[name]))
    bar("Drawing the sheet", FITTED)
    files = _write_table(folder, rows)
    files.append(_write_sheet(folder, avatars, _clip_folder(request, folder)))
    return {"path": str(folder), "rows": rows, "files": files}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text."""
    cells = [list(COLUMNS)]
    cells += [
        [form.format(row[name]) if name in row else "-" for name, form in COLUMNS.items()]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    ]
    return "\n".join(lines) + "\n"


def _methods(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names or len(set(names)) < len(names):
        raise LikenessError(
            f"'{text}' are no methods to compare.", f"Name some of {', '.join(METHODS)}, once each."
        )
    return names


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(f"{folder} cannot be made: {error}.", "Choose another.") from error


def _fit_request(request: CompareRequest, folder: Path, method: str) -> ReconstructRequest:
    return ReconstructRequest(
        source=request.source,
        output=str(folder / f"{method}{SUFFIX}"),
        method=method,
        preset=request.preset,
        size=request.size,
        clip=str(folder / "clip"),
        test_frames=request.test_frames,
        device=request.device,
        seed=request.seed,
        max_seconds=request.max_seconds,
        pictures=str(folder / method),
    )


def _clip_folder(request: CompareRequest, folder: Path) -> Path:
    """The tracked clip: the source itself, or what the first fit has made of it."""
    from ..clip import is_clip

    return Path(request.source) if is_clip(Path(request.source)) else folder / "clip"


def _within(
    emit: Callable[[Message], None], bar: ProgressEvents, name: str, part: tuple[float, float]
) -> Callable[[Message], None]:
    """Events of one fit as those of a part of the whole job."""
    low, high = part

    def pass_on(event: Message) -> None:
        if event["event"] == "progress":
            bar(f"{METHODS[name].label}: {event['stage']}", low + (high - low) * event["fraction"])
        else:
            emit(event)

    return pass_on


def _row(method: str, result: dict[str, Any], baked: BakedAvatar) -> dict[str, Any]:
    from ..side_by_side import speed

    evaluated, drawn = speed(baked)
    metrics = {k: result["metrics"][k] for k in ("psnr", "ssim") if k in result["metrics"]}
    return {
        "method": method,
        **metrics,
        "fit_seconds": round(result["seconds"]["fit"] + result["seconds"]["settle"], 1),
        "gaussians": result["gaussians"],
        "blendshapes": result["blendshapes"],
        "bake_psnr": round(result["bake_error"]["psnr"], 2),
        "megabytes": round(Path(result["path"]).stat().st_size / 1e6, 2),
        "evaluate_ms": round(evaluated, 2),
        "render_ms": round(drawn, 2),
    }


def _write_table(folder: Path, rows: list[dict[str, Any]]) -> list[str]:
    text = io.StringIO()
    lines = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    contents = {
        "comparison.txt": table(rows),
        "comparison.json": json.dumps(rows, indent=1) + "\n",
        "comparison.csv": text.getvalue(),
    }
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(content, "utf-8")
    return [str(folder / name) for name in contents]


def _write_sheet(folder: Path, avatars: dict[str, BakedAvatar], clip_folder: Path) -> str:
    import numpy as np

    from ..clip import TrackedClip
    from ..imaging import write_png
    from ..side_by_side import side_by_side

    clip = TrackedClip.load(clip_folder)
    tests = next(iter(avatars.values())).performance.test_frames
    frames = tests if len(tests) else np.arange(len(clip))
    path = folder / "side_by_side.png"
    write_png(path, side_by_side(avatars, clip, frames))
    return str(path)
