"""The benchmarks: every tests/bench_*.py, and fits of real footage, written to docs/benchmarks.md.

A benchmark prints a table. Each has a section between two marks in the document; what stands
outside the marks, and a section's heading, is written by people and stays. A quick run shows that
everything works; its figures go to out/bench and leave the document alone. So do pictures of the
people in the shared footage. Everything takes many hours without a GPU; each section is written
as soon as it is done.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Set
from pathlib import Path
from typing import NamedTuple

from .environments import set_up_engine
from .shell import ROOT, BuildError, run, say

DOCUMENT = ROOT / "docs" / "benchmarks.md"
OUT = ROOT / "out" / "bench"
FOOTAGE = ROOT.parent / "shared" / "footage"
TITLE = "# Benchmarks\n\nWritten by `python build.py bench`.\n"
HEADER = (
    "| clip | frames | PSNR dB | SSIM | landmarks px | Gaussians | track s | fit s |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|\n"
)
QUICK_FRAMES = "100"
QUICK: dict[str, tuple[str, ...]] = {
    "rasterize": ("--quick",),
    "matting": ("--frames", "8", "talking_man"),
    "tracking": ("--frames", "40", "--seconds", "2"),
    "online": ("--steps", "40"),
    "methods": ("--seconds", "20"),
    "fit": ("--quick",),
    "images": ("--people", "1", "--methods", "fastgha", "--frames", "1", "--refine", "2"),
    "regressed": ("omgavatar", "--people", "1"),
    "renders": ("--engines", "CYCLES:1"),
}
"""Arguments that make a program short."""
FITS = "fits"
PARTS = {"fit": ("fit-ablations", "fit-curves", "fit-sheets")}
"""Programs with more than one section, and those."""
TRACKED = (*PARTS["fit"], "methods", "online", "images", FITS)
"""Sections that are about tracked footage."""
FOOTAGE_ONLY = ("matting",)
"""Programs that have nothing to measure on the sample."""


WINDOW_ONLY = ("renders",)
"""Programs that need the Blender window that .ci/run installs."""
WINDOW = Path(os.environ.get("LIKENESS_CACHE", "/var/tmp/likeness")) / "blender-sid"


class Clip(NamedTuple):
    """Footage, tracked once for all that follows."""

    folder: Path  # the tracked clip
    seconds: float  # of tracking


class Section(NamedTuple):
    """One run of one program, and the mark of what it prints."""

    name: str
    module: str
    arguments: list[str]


def names() -> list[str]:
    """The sections, in the order in which they are made."""
    programs = [path.stem.removeprefix("bench_") for path in _programs()]
    return [part for program in programs for part in PARTS.get(program, (program,))] + [FITS]


def write(sections: Collection[str] = (), quick: bool = False) -> None:
    """Run everything that this machine can, or only these sections, and rewrite them. Raises
    BuildError for a section that there is not, and at the end when some of it failed; the rest is
    written then."""
    chosen = set(sections or names())
    if unknown := chosen - set(names()):
        raise BuildError(
            f"There is no section {', '.join(sorted(unknown))}. There are: {', '.join(names())}."
        )
    python = set_up_engine()
    document = OUT / DOCUMENT.name if quick else DOCUMENT
    pictures = document.parent / "img"
    pictures.mkdir(parents=True, exist_ok=True)
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        footage = chosen.intersection(TRACKED)
        clips = list(_tracked(python, Path(scratch), quick)) if footage else []
        for section in _sections(clips, pictures, chosen, quick):
            say(f"--- {section.name}")
            command = [str(python), "-m", section.module, *section.arguments]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                failures.append(f"{section.name} failed:\n{done.stderr[-2000:]}")
            else:
                _put(document, section.name, done.stdout.strip())
        if FITS in chosen:
            rows = [_fit(python, clip, Path(scratch), quick) for clip in clips]
            _put(document, FITS, HEADER + "\n".join(rows))
    say(f"wrote {document.relative_to(ROOT)}")
    if failures:
        raise BuildError("\n\n".join(failures))


def _tracked(python: Path, scratch: Path, quick: bool) -> Iterator[Clip]:
    """The shared footage, or the sample where there is none, tracked as a user would."""
    footage = sorted(FOOTAGE.glob("*.mp4"))
    if not footage:
        footage = [scratch / "sample.mp4"]
        run(python, ROOT / "demo" / "sample.py", footage[0], env={"PYTHONPATH": str(ROOT)})
    for path in footage[-1:] if quick else footage:
        say(f"--- track {path.stem}")
        folder = scratch / path.stem
        start = time.monotonic()
        few = ("--max-frames", QUICK_FRAMES) if quick else ()
        run(python, "-m", "engine", "track", path, "-o", folder, *few)
        yield Clip(folder, time.monotonic() - start)


def _programs() -> list[Path]:
    return sorted((ROOT / "tests").glob("bench_*.py"))


def _sections(
    clips: list[Clip], pictures: Path, chosen: Set[str], quick: bool
) -> Iterator[Section]:
    """What to run, in this order."""
    has_footage = any(FOOTAGE.glob("*.mp4"))
    folders = [str(clip.folder) for clip in clips]
    for path in _programs():
        program = path.stem.removeprefix("bench_")
        if chosen.isdisjoint(PARTS.get(program, (program,))):
            continue
        module, arguments = f"tests.{path.stem}", list(QUICK.get(program, ()) if quick else ())
        if program in FOOTAGE_ONLY and not has_footage:
            say(f"{program} is left out: there is no footage in {FOOTAGE}")
        elif program in WINDOW_ONLY and not (WINDOW / ".likeness-window").exists():
            say(f"{program} is left out: there is no Blender window in {WINDOW}")
        elif program == "fit":
            arguments += ["--clips", *folders]
            for name in (part for part in PARTS["fit"] if part in chosen):
                part = name.removeprefix("fit-")
                # Pictures of the people in the shared footage are for looking, not for the manual.
                place = OUT if part == "sheets" and has_footage else pictures
                yield Section(f"fit {part}", module, [part, *arguments, "--pictures", str(place)])
        elif program == "methods":
            plot = pictures / "flashavatar_bake.png"
            yield Section(program, module, [folders[0], "--plot", str(plot), *arguments])
        elif program in ("online", "images"):
            yield Section(program, module, ["--clips", *folders, *arguments])
        elif program == "tracking" and not has_footage:
            yield Section(program, module, ["--only", "sample", *arguments])
        else:
            yield Section(program.replace("_", " "), module, arguments)


def _fit(python: Path, clip: Clip, scratch: Path, quick: bool) -> str:
    """Fit a tracked clip as a user would; a row of the table."""
    name = clip.folder.name
    say(f"--- fit {name}")
    avatar = scratch / f"{name}.likeness"
    start = time.monotonic()
    few = ("--preset", "draft", "--max-seconds", "20") if quick else ()
    run(python, "-m", "engine", "fit", clip.folder, "-o", avatar, *few)
    seconds = time.monotonic() - start
    judge = ROOT / "demo" / "judge.py"
    run(python, judge, clip.folder, avatar, scratch, env={"PYTHONPATH": str(ROOT)})
    found = json.loads((scratch / "judgement.json").read_text("utf-8"))
    held_out, counts = found["held_out"], found["counts"]
    error = found["tracking"].get("reprojection_px_at_512", float("nan"))
    return (
        f"| {name} | {counts['frames']} | {held_out['psnr']:.2f} | {held_out['ssim']:.3f} | "
        f"{error:.2f} | {counts['gaussians']} | {clip.seconds:.0f} | {seconds:.0f} |"
    )


def _put(path: Path, name: str, text: str) -> None:
    """Replace the section of this name in the document, all but its heading, or append it."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}"
    document = path.read_text("utf-8") if path.exists() else TITLE
    pattern = re.compile(rf"{re.escape(begin)}\n(#+ [^\n]*\n)?.*?{re.escape(end)}", re.DOTALL)
    found = pattern.search(document)
    heading = (found and found[1]) or f"## {name.capitalize()}\n"
    section = f"{begin}\n{heading}\n{machine}\n\n{text}\n{end}"
    if found:
        document = document[: found.start()] + section + document[found.end() :]
    else:
        document = f"{document.rstrip()}\n\n{section}\n"
    temporary = path.with_suffix(".part")
    temporary.write_text(document, "utf-8")
    os.replace(temporary, path)
