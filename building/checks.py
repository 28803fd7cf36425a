"""Every check that can run on this machine, stage after stage, and a table of the results."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from . import extension
from .environments import blender_recipe, engine_recipe, set_up
from .shell import BLENDERS, ROOT, BuildError, say

# Blender 4.5's module hangs when the interpreter exits in the ordinary way.
PYTEST_THEN_EXIT = (
    "import os, sys, pytest; code = int(pytest.main(sys.argv[1:])); "
    "sys.stdout.flush(); sys.stderr.flush(); os._exit(code)"
)

LONG_TERM = {"4.5", "5.2"}
DIFFERING = ("character", "data", "storm", "viewport", "render_avatar")
"""What the versions between run: tests of where Blender's versions have differed."""


class Result(NamedTuple):
    """What a stage found. A linter counts as one test."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""


def run_all(names: Sequence[str]) -> int:
    """Run the named stages, or all of them, print a table. Returns the exit status."""
    unknown = set(names) - set(STAGES)
    if unknown:
        raise BuildError(f"No stage {', '.join(unknown)}; there are {', '.join(STAGES)}.")
    set_up()
    rows = []
    begin = time.monotonic()
    for name in names or STAGES:
        say(f"--- {name}")
        start = time.monotonic()
        rows.append((name, STAGES[name](), time.monotonic() - start))
    _print_table(rows, time.monotonic() - begin)
    return 1 if any(result.failed for _, result, _ in rows) else 0


def _print_table(rows: list[tuple[str, Result, float]], seconds: float) -> None:
    print(f"\n{'stage':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for name, found, spent in rows:
        counts = f"{found.passed:>8}{found.failed:>8}{found.skipped:>9}{spent:>9.1f}"
        print(f"{name:<12}{counts}  {found.note}".rstrip())
    passed = sum(result.passed for _, result, _ in rows)
    failed = sum(result.failed for _, result, _ in rows)
    skipped = sum(result.skipped for _, result, _ in rows)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped in {seconds:.1f}s", flush=True)


def _tool(*arguments: str) -> Result:
    """A linter or type checker of the engine's environment."""
    done = subprocess.run([engine_recipe().python, "-m", *arguments], cwd=ROOT)
    return Result(passed=1) if done.returncode == 0 else Result(failed=1)


def _pytest(
    folders: Sequence[str],
    python: Sequence[str | Path] | None = None,
    archive: Path | None = None,
) -> Result:
    """pytest on folders of tests/, counted from its own report; of the packaged extension where its
    `archive` is given."""
    command = python or (engine_recipe().python, "-m", "pytest")
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        paths = [f"tests/{folder}" for folder in folders]
        words = [*command, "-q", "--durations=5", f"--junitxml={report}", *paths]
        # Tests are small: torch's threads wait for each other longer than they work, on a busy
        # machine for minutes.
        threads = {"OMP_NUM_THREADS": "1"}
        variables = {**threads, **os.environ, "LIKENESS_PYTHON": str(engine_recipe().python)}
        if archive is not None:
            variables["LIKENESS_ZIP"] = str(archive)
        done = subprocess.run([str(word) for word in words], cwd=ROOT, env=variables)
        if not report.is_file():
            return Result(failed=1, note=f"pytest ended with status {done.returncode}")
        return _counted(ElementTree.parse(report).getroot(), done.returncode)


def _counted(report: ElementTree.Element, status: int) -> Result:
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in report.iter("testsuite"):
        for key in total:
            total[key] += int(suite.get(key, 0))
    failed = total["failures"] + total["errors"]
    # Status 5 is "no tests collected"; any other status without a failed test is a crash.
    if status not in (0, 5) and not failed:
        return Result(failed=1, note=f"pytest ended with status {status}")
    passed = total["tests"] - failed - total["skipped"]
    return Result(passed, failed, total["skipped"], "no tests here" if status == 5 else "")


def _blender(version: str) -> Result:
    python = blender_recipe(version).python
    if not python.exists():
        return Result(skipped=1, note=f"no Python {BLENDERS[version]['python']} on this machine")
    tests = (
        ["blender"] if version in LONG_TERM else [f"blender/test_{name}.py" for name in DIFFERING]
    )
    return _pytest(tests, (python, "-c", PYTEST_THEN_EXIT), _archive())


@cache
def _archive() -> Path:
    """The packaged extension: one for all versions of Blender."""
    return extension.package()


def _window() -> Result:
    if not (window_root() / ".likeness-window").is_file():
        return Result(skipped=1, note="needs root and tests/window/install_blender.sh")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return Result(skipped=1, note="needs root, to enter the chroot that holds Blender")
    return _pytest(["window"])


def window_root() -> Path:
    """Where .ci/run keeps the chroot with a whole Blender."""
    return Path(os.environ.get("LIKENESS_CACHE", "/var/tmp/likeness")) / "blender-sid"


STAGES: dict[str, Callable[[], Result]] = {
    "lint": partial(_tool, "ruff", "check", "."),
    "format": partial(_tool, "ruff", "format", "--check", "--quiet", "."),
    "types": partial(_tool, "mypy"),
    "api": partial(_pytest, ["api"]),
    "engine": partial(_pytest, ["engine"]),
    "gpu": partial(_pytest, ["gpu"]),
    **{f"blender-{version}": partial(_blender, version) for version in BLENDERS},
    "package": partial(_pytest, ["package"]),
    "window": _window,
}
