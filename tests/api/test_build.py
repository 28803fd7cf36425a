"""What build.py promises: nothing done twice, nothing half done, no failure hidden."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from building import bench, checks, environments, shell

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LINUX = pytest.mark.skipif(os.name == "nt", reason="shims are shell scripts here")


@pytest.fixture
def recipe(tmp_path) -> environments.Recipe:
    return environments.Recipe(tmp_path, (VERSION,), [["torch==1"], ["--no-deps", "mediapipe==1"]])


def test_an_environment_is_complete_only_with_the_stamp_of_its_own_recipe(recipe):
    assert not recipe.is_complete()
    recipe.stamp.write_text(recipe.digest())
    assert recipe.is_complete()
    assert not recipe._replace(installs=[["torch==2"]]).is_complete()


def test_pins_that_change_make_an_environment_incomplete(recipe, monkeypatch, tmp_path):
    recipe.stamp.write_text(recipe.digest())
    (tmp_path / "constraints.txt").write_text("numpy==2\n")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    assert not recipe.is_complete()


def test_an_interrupted_setup_leaves_no_stamp_and_is_resumed(recipe, monkeypatch):
    monkeypatch.setattr(environments, "engine_recipe", lambda: recipe)
    monkeypatch.setattr(environments, "has_cuda", lambda: True)
    monkeypatch.setattr(environments, "_make", lambda _: None)
    monkeypatch.setattr(environments, "say", lambda _: None)
    called = []

    def pip(*command, **_):
        called.append(command[-1])
        if len(called) == 2:
            raise shell.BuildError("no network")

    monkeypatch.setattr(environments, "run", pip)
    with pytest.raises(shell.BuildError):
        environments.set_up_engine()
    assert not recipe.is_complete()
    environments.set_up_engine()
    assert recipe.is_complete()
    assert called == ["torch==1", "mediapipe==1", "torch==1", "mediapipe==1"]
    environments.set_up_engine()
    assert len(called) == 4


@LINUX
def test_a_version_managers_broken_shim_is_passed_over(tmp_path, monkeypatch):
    shim = tmp_path / f"python{VERSION}"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    names = [[str(shim)], [str(tmp_path / "missing")], [sys.executable]]
    monkeypatch.setattr(environments, "_candidates", lambda _: names)
    assert environments.find_python((VERSION,)) == Path(sys.executable)


def test_no_interpreter_of_another_version_is_taken(monkeypatch):
    monkeypatch.setattr(environments, "_candidates", lambda _: [[sys.executable]])
    assert environments.find_python(("2.7",)) is None


def test_a_quiet_command_that_fails_shows_its_last_words():
    with pytest.raises(shell.BuildError, match=r"disk is full(.|\n)*status 3"):
        shell.run(
            sys.executable, "-c", "import sys; print('disk is full'); sys.exit(3)", quiet=True
        )


@pytest.mark.parametrize(
    ("report", "status", "expected"),
    [
        ('tests="5" failures="1" errors="1" skipped="1"', 1, (2, 2, 1)),
        ('tests="3" failures="0" errors="0" skipped="0"', 0, (3, 0, 0)),
        ('tests="0" failures="0" errors="0" skipped="0"', 5, (0, 0, 0)),
        # A crash after the last test must not pass for a success.
        ('tests="3" failures="0" errors="0" skipped="0"', 139, (0, 1, 0)),
    ],
)
def test_results_are_counted_from_the_report_and_the_exit_status(report, status, expected):
    found = checks._counted(ElementTree.fromstring(f"<testsuite {report}/>"), status)
    assert found[:3] == expected


def test_a_run_without_a_report_is_a_failure():
    found = checks._pytest(["api"], (sys.executable, "-c", "import os; os._exit(0)"))
    assert found.failed == 1


def test_a_benchmarks_section_is_replaced_and_peoples_words_stay(tmp_path):
    document = tmp_path / "benchmarks.md"
    bench._put(document, "speed", "| old |")
    headed = document.read_text().replace("## Speed", "### How fast it is")
    document.write_text(headed + "\nWhat it means.\n")
    bench._put(document, "memory", "| other |")
    bench._put(document, "speed", "| new |")
    text = document.read_text()
    assert "| old |" not in text
    assert text.count("<!-- begin speed -->") == 1
    assert text.count("### How fast it is") == 1
    assert "## Speed" not in text
    assert text.index("| new |") < text.index("What it means.") < text.index("| other |")


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, quick: bool) -> set[str]:
    """The modules that the benchmarks run with the footage of this folder."""
    monkeypatch.setattr(bench, "FOOTAGE", folder)
    clips = [bench.Clip(folder / "clip", 1.0)]
    return {section.module for section in bench._sections(clips, folder, set(bench.names()), quick)}


def test_only_the_sections_asked_for_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FOOTAGE", tmp_path)
    clips = [bench.Clip(tmp_path / "clip", 1.0)]
    made = bench._sections(clips, tmp_path, {"fit-curves", "rasterize"}, quick=False)
    assert [section.name for section in made] == ["fit curves", "rasterize"]


def test_an_unknown_section_is_named_with_those_there_are(tmp_path):
    with pytest.raises(shell.BuildError, match=r"no section speed\. There are: .*rasterize.*fits"):
        bench.write(["speed"])


def test_every_benchmark_runs_where_there_is_footage_and_all_but_matting_on_the_sample(
    tmp_path, monkeypatch
):
    written = {f"tests.{path.stem}" for path in (shell.ROOT / "tests").glob("bench_*.py")}
    assert programs(tmp_path, monkeypatch, quick=False) == written - {"tests.bench_matting"}
    (tmp_path / "clip.mp4").touch()
    assert programs(tmp_path, monkeypatch, quick=False) == written
    assert programs(tmp_path, monkeypatch, quick=True) == written


def test_every_program_with_arguments_for_a_quick_run_is_there():
    for program in bench.QUICK:
        assert (shell.ROOT / "tests" / f"bench_{program}.py").is_file()
