"""The benchmarks: every tests/bench_*.py, and fits of real footage, written to docs/benchmarks.md.

A benchmark prints a table. Each has a section between two marks in the document; what stands
outside the marks is written by people and stays.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import tempfile
import time
from pathlib import Path

from .environments import set_up_engine
from .shell import ROOT, BuildError, run, say

DOCUMENT = ROOT / "docs" / "benchmarks.md"
FOOTAGE = ROOT.parent / "shared" / "footage"
TITLE = "# Benchmarks\n\nWritten by `python build.py bench`.\n"
HEADER = (
    "| clip | frames | PSNR dB | SSIM | landmarks px | Gaussians | track s | fit s |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|\n"
)


def write() -> None:
    """Run everything and rewrite the sections of docs/benchmarks.md."""
    python = set_up_engine()
    for path in sorted((ROOT / "tests").glob("bench_*.py")):
        say(f"--- {path.stem}")
        module = f"tests.{path.stem}"
        done = subprocess.run([python, "-m", module], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{module} failed:\n{done.stderr[-2000:]}")
        _put(path.stem.removeprefix("bench_").replace("_", " "), done.stdout.strip())
    clips = sorted(FOOTAGE.glob("*.mp4"))
    rows = [_fit(python, clip) for clip in clips] or [_fit(python, None)]
    _put("fits", HEADER + "\n".join(rows))
    say(f"wrote {DOCUMENT.relative_to(ROOT)}")


def _fit(python: Path, clip: Path | None) -> str:
    """Track and fit a clip (None: the sample) as a user would; a row of the table."""
    variables = {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if clip is None:
            clip = folder / "sample.mp4"
            run(python, ROOT / "demo" / "sample.py", clip, env=variables)
        say(f"--- fit {clip.stem}")
        avatar, tracked = folder / "avatar.likeness", folder / "clip"
        start = time.monotonic()
        run(python, "-m", "engine", "track", clip, "-o", tracked)
        middle = time.monotonic()
        run(python, "-m", "engine", "fit", tracked, "-o", avatar)
        end = time.monotonic()
        run(python, ROOT / "demo" / "judge.py", tracked, avatar, folder, env=variables)
        found = json.loads((folder / "judgement.json").read_text("utf-8"))
    held_out, counts = found["held_out"], found["counts"]
    error = found["tracking"].get("reprojection_px_at_512", float("nan"))
    return (
        f"| {clip.stem} | {counts['frames']} | {held_out['psnr']:.2f} | {held_out['ssim']:.3f} | "
        f"{error:.2f} | {counts['gaussians']} | {middle - start:.0f} | {end - middle:.0f} |"
    )


def _put(name: str, text: str) -> None:
    """Replace the section of this name, or append it."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}"
    section = f"{begin}\n## {name.capitalize()}\n\n{machine}\n\n{text}\n{end}"
    document = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else TITLE
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(document):
        document = pattern.sub(lambda _: section, document)
    else:
        document = f"{document.rstrip()}\n\n{section}\n"
    temporary = DOCUMENT.with_suffix(".part")
    temporary.write_text(document, "utf-8")
    os.replace(temporary, DOCUMENT)
