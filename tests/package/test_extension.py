"""The packaged extension, installed by Blender itself in each Blender module, in a clean folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from building import extension  # noqa: E402
from building.environments import blender_recipe, engine_recipe  # noqa: E402
from building.shell import BLENDERS, VERSION, BuildError  # noqa: E402

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def archive() -> Path:
    try:
        return extension.package()
    except BuildError as error:
        if "needs a Blender module" in str(error):
            pytest.skip("no Blender module on this machine")
        raise


@pytest.fixture(scope="session", params=BLENDERS)
def installed(request, archive, tmp_path_factory) -> dict:
    """What a Blender says that has just installed the archive (probe.py)."""
    python = blender_recipe(request.param).python
    if not python.exists():
        pytest.skip(f"no Python {BLENDERS[request.param]['python']} on this machine")
    user = tmp_path_factory.mktemp("user")
    answer = user / "answer.json"
    command = [python, HERE / "probe.py", archive, engine_recipe().python, answer]
    variables = {**os.environ, "BLENDER_USER_RESOURCES": str(user)}
    variables.pop("PYTHONPATH", None)  # the extension must stand alone
    done = subprocess.run(
        command, cwd=user, env=variables, capture_output=True, text=True, timeout=300
    )
    assert answer.exists(), (done.stdout + done.stderr)[-3000:]
    return json.loads(answer.read_text())


def test_blenders_own_tool_accepts_the_archive(archive):
    # package() runs its validation and raises otherwise.
    assert zipfile.ZipFile(archive).testzip() is None
    assert archive.name == f"likeness-{VERSION}.zip"


def test_the_archive_holds_the_extension_and_nothing_else(archive):
    names = zipfile.ZipFile(archive).namelist()
    top = {name.split("/")[0] for name in names}
    files = {name.split("/")[0] for name in extension.STAGED_FILES}
    assert top == {*extension.PACKAGES, *files, "__init__.py"}
    assert "docs/manual.md" in names
    assert not [name for name in names if "__pycache__" in name or "sample" in name]


def test_the_archive_is_small_enough_to_send(archive):
    # Blender's extension platform refuses more than 200 MB; three small networks are in it.
    assert archive.stat().st_size < 45e6


def test_the_archive_brings_the_trained_weights_as_they_were_checked(archive):
    with zipfile.ZipFile(archive) as opened:
        sums = opened.read("engine/weights/SHA256SUMS").decode().split()
        shipped = dict(zip(sums[1::2], sums[::2], strict=True))
        inside = {name for name in opened.namelist() if name.endswith(".safetensors")}
        assert inside == {f"engine/weights/{name}" for name in shipped}
        for name, checksum in shipped.items():
            found = hashlib.sha256(opened.read(f"engine/weights/{name}")).hexdigest()
            assert found == checksum


def test_the_extension_is_enabled_after_installing(installed):
    assert installed["enabled"]


def test_its_operators_exist_after_installing(installed):
    assert {"import_avatar", "set_up_render"} <= set(installed["operators"])


def test_the_engine_answers_through_the_installed_extension(installed):
    assert installed["hello"]["event"] == "hello", installed
    assert installed["hello"]["protocol"] == 1


def test_disabling_takes_everything_away(installed):
    assert installed["operators_after_disabling"] == []
