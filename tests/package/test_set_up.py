"""Set Up Avatar Engine for real, with two packages made here and an index on 127.0.0.1: offline,
over a network that breaks off, repaired, removed. No Blender is needed for it."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
import time
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if "likeness" not in sys.modules:  # the checkout under its installed name
    sys.modules["likeness"] = types.ModuleType("likeness")
    sys.modules["likeness"].__path__ = [str(ROOT)]

from likeness.blender_addon import environment, programs  # noqa: E402
from likeness.blender_addon.environment import Choices  # noqa: E402

PROJECT = """
[project.optional-dependencies]
cpu = ["likeness-torch==1.0"]
mediapipe = ["likeness-tracker==1.0"]
cuda = ["likeness-gsplat==1.0"]
"""


def write_wheel(folder: Path, name: str) -> Path:
    """A package of one module that says its version."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    files = {
        f"{module}.py": "__version__ = '1.0'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in files) + f"{info}/RECORD,,\n"
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name_inside, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(name_inside, text)
    return path


class Index:
    """A package index that breaks off its first answers."""

    def __init__(self, folder: Path, failures: int) -> None:
        self.asked: list[str] = []
        index = self

        class Answers(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                if len(index.asked) <= failures:
                    self.close_connection = True  # no answer at all
                    return
                super().do_GET()

            def log_message(self, *_: object) -> None:
                return

            def __init__(self, *request: object) -> None:
                super().__init__(*request, directory=str(folder))

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEP 503: a page of links for each package."""
    folder = tmp_path_factory.mktemp("index")
    for name in ("likeness-torch", "likeness-tracker"):
        (folder / name).mkdir()
        wheel = write_wheel(folder / name, name)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        link = f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>'
        (folder / name / "index.html").write_text(link)
    return folder


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pins of two small packages in place of ours; pip as it is on a user's machine."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "constraints.txt").write_text("likeness-torch==1.0\n")
    monkeypatch.setattr(environment, "ROOT", project)
    monkeypatch.setattr(environment, "IMPORTS", "likeness_torch as torch, likeness_tracker")
    monkeypatch.setattr(environment, "TORCH_CPU_INDEX", "http://127.0.0.1:9/")
    monkeypatch.setattr(environment, "find_interpreter", lambda: sys.executable)
    monkeypatch.setattr(programs, "FIRST_WAIT", 0.2)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")  # pip's own tries cost a minute


@pytest.fixture
def unreliable(index_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    index = Index(index_folder, failures=2)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setattr(environment, "TORCH_CPU_INDEX", index.url)
    yield index
    index.close()


def run(started: programs.Programs) -> programs.State:
    started.start()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = started.poll()
        if state.finished:
            return state
        time.sleep(0.05)
    raise TimeoutError(state)


def version_in(folder: Path) -> str:
    code = "import likeness_torch, likeness_tracker; print(likeness_torch.__version__)"
    command = [environment.python_in(folder), "-c", code]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def test_offline_from_a_folder_of_wheels_then_repaired_then_removed(
    index_folder: Path, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for wheel in index_folder.rglob("*.whl"):
        (wheels / wheel.name).write_bytes(wheel.read_bytes())
    folder = tmp_path / "user" / "engine"
    choices = Choices("cpu", str(wheels))
    assert run(environment.set_up(folder, choices)).error == ""
    assert environment.is_complete(folder)
    assert version_in(folder) == "1.0"
    for module in folder.rglob("likeness_torch*"):  # what a broken disk or a user may do
        module.unlink() if module.is_file() else None
    assert version_in(folder) == ""
    assert run(environment.set_up(folder, choices)).error == ""
    assert version_in(folder) == "1.0"
    assert run(environment.removal(folder)).error == ""
    assert not folder.exists()
    assert not environment.is_complete(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["engine-setup.log"]


def test_a_network_that_breaks_off_is_tried_again_until_it_holds(
    unreliable: Index, tmp_path: Path
) -> None:
    folder = tmp_path / "user" / "engine"
    started = environment.set_up(folder, Choices("cpu"))
    assert run(started).error == ""
    assert version_in(folder) == "1.0"
    log = environment.log_path(folder).read_text()
    assert log.count("$ ") > 4  # make, packages (more than once), tracker, check
    assert len(unreliable.asked) > 4


def test_without_any_network_it_ends_with_the_reason_and_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    folder = tmp_path / "user" / "engine"
    monkeypatch.setattr(environment, "TRIES", 2)
    state = run(environment.set_up(folder, Choices("cpu")))
    assert "Downloading packages failed: ERROR" in state.error
    assert "likeness-torch" in state.error
    assert str(environment.log_path(folder)) in state.error
    assert not environment.is_complete(folder)
