"""Several clips of one person as the source of one avatar."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.requests import ReconstructRequest, TrackRequest, parse
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip
from engine.footage import footage_digest
from engine.imaging import write_png
from engine.jobs.source_clip import source_clip
from engine.provenance import provenance
from tests.engine.test_reconstruct_job import write_ellipsoid


def two_pictures(folder: Path) -> list[Path]:
    paths = [folder / "a.png", folder / "b.png"]
    for index, path in enumerate(paths):
        write_png(path, np.full((32, 32, 3), 100 * index, np.uint8))
    return paths


def named(path: Path, frames: list[int]) -> dict[str, Any]:
    return {"name": path.name, "sha256": footage_digest(path), "frames": frames}


def tracked(folder: Path, files: list[dict[str, Any]]) -> TrackedClip:
    """A clip of 40 frames as if tracked from these files with the usual settings."""
    write_ellipsoid(folder, asdict(TrackSettings()))
    info = json.loads((folder / "clip.json").read_text("utf-8"))
    info["source"] = {**files[0], "files": files}
    (folder / "clip.json").write_text(json.dumps(info), encoding="utf-8")
    return TrackedClip.load(folder)


def test_old_messages_with_one_source_are_still_understood() -> None:
    values = {"source": "a.mp4", "output": "a.likeness"}
    assert parse(ReconstructRequest, values).more_sources == []
    assert parse(TrackRequest, {**values, "more_sources": ["b.mp4"]}).more_sources == ["b.mp4"]


def test_a_kept_clip_of_two_files_is_used_again_for_the_same_two_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two_pictures(tmp_path)
    kept = tracked(tmp_path / "clip", [named(a, [0, 25]), named(b, [25, 40])])
    asked: list[list[Path]] = []

    def track_clip(sources: list[Path], *rest: Any) -> TrackedClip:
        asked.append(list(sources))
        return kept

    monkeypatch.setattr("engine.jobs.source_clip.track_clip", track_clip)

    def ask(*sources: Path) -> None:
        request = ReconstructRequest(
            str(sources[0]), "a.likeness", more_sources=[str(s) for s in sources[1:]]
        )
        source_clip(request, tmp_path, lambda stage, share: None, lambda words: None)

    ask(a, b)
    assert asked == []
    ask(a)
    ask(b, a)
    assert asked == [[a], [b, a]]


def test_takes_and_provenance_name_every_file(tmp_path: Path) -> None:
    a, b = two_pictures(tmp_path)
    clip = tracked(tmp_path / "clip", [named(a, [0, 25]), named(b, [25, 40])])
    assert clip.takes == [range(25), range(25, 40)]
    origin = provenance(clip.info, "")
    assert origin["source"] == {"name": "a.png", "sha256": footage_digest(a)}
    assert origin["more_sources"] == [{"name": "b.png", "sha256": footage_digest(b)}]
