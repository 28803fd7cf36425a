"""The architecture's rules of who may import whom (docs/ARCHITECTURE.md), read from the sources."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("engine", "blender_addon", "operators", "panels")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
STANDARD = sys.stdlib_module_names
HEAVY = ("cv2", "mediapipe", "pymatting", "gsplat", "numba", "onnxruntime", "safetensors")
# panels -> operators -> blender_addon -> engine.api; registration alone sees all three.
MAY_IMPORT = {
    "engine": {"engine"},
    "blender_addon": {"blender_addon", "engine"},
    "operators": {"blender_addon", "engine", "operators"},
    "panels": {"blender_addon", "engine", "operators", "panels"},
}
VAGUE_WORDS = ("utils", "helpers", "common", "manager", "service", "handler", "factory", "base")


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a module imports; relative ones are made absolute from the root."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            stem = list(package[: len(package) + 1 - node.level]) if node.level else []
            stem += node.module.split(".") if node.module else []
            yield from (".".join([*stem, alias.name]) for alias in node.names)


def offences(folder: str, forbidden) -> list[str]:
    """ "file imports name" for the sources of a folder whose imports are forbidden."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in SOURCES
        if path.relative_to(ROOT).is_relative_to(folder)
        for name in imports(path)
        if forbidden(name)
    ]


def top(name: str) -> str:
    return name.partition(".")[0]


def test_the_reader_of_imports_resolves_relative_names():
    found = set(imports(ROOT / "engine" / "api" / "baked.py"))
    assert {"numpy", "engine.api.head.HeadModel", "dataclasses.dataclass"} <= found


def test_the_engine_never_imports_blender():
    assert not offences("engine", lambda name: top(name) in {"bpy", "gpu", "mathutils", "bmesh"})


def test_the_shared_part_needs_only_the_standard_library_and_numpy():
    def forbidden(name):
        return top(name) not in {*STANDARD, "numpy"} and not name.startswith("engine.api.")

    assert not offences("engine/api", forbidden)


def test_the_bridge_needs_only_the_standard_library_and_the_shared_part():
    def forbidden(name):
        return top(name) not in {*STANDARD, "numpy"} and not name.startswith("engine.api.")

    assert not offences("blender_addon/bridge.py", forbidden)


@pytest.mark.parametrize("folder", ["blender_addon", "operators", "panels"])
def test_blender_knows_only_the_shared_part_of_the_engine(folder):
    def forbidden(name):
        return top(name) == "engine" and not name.startswith("engine.api.")

    assert not offences(folder, forbidden)


@pytest.mark.parametrize("folder", ["blender_addon", "operators", "panels"])
def test_the_extension_needs_nothing_that_blender_does_not_bring(folder):
    brought = {*STANDARD, *PACKAGES, "numpy", "bpy", "bpy_extras", "gpu", "gpu_extras", "mathutils"}
    brought |= {"idprop", "bl_math", "blf", "imbuf"}
    assert not offences(folder, lambda name: top(name) not in brought)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder):
    found = [
        offence
        for offence in offences(
            folder, lambda name: top(name) in PACKAGES and top(name) not in MAY_IMPORT[folder]
        )
        if not offence.startswith("blender_addon/registration.py")
    ]
    assert not found


@pytest.mark.parametrize("library", HEAVY)
def test_each_heavy_library_is_imported_in_one_file(library):
    files = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(top(name) == library for name in imports(path))
    }
    assert len(files) <= 1, files


@pytest.mark.parametrize("library", [*HEAVY, "torch", "scipy"])
def test_blender_never_loads_the_heavy_libraries(library):
    for folder in ("blender_addon", "operators", "panels", "engine/api"):
        assert not offences(folder, lambda name: top(name) == library)


def test_no_file_is_longer_than_300_lines():
    everything = [*SOURCES, *(ROOT / "building").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): count
        for path in everything
        if (count := len(path.read_text("utf-8").splitlines())) >= 300
    }
    assert not long


def test_no_function_is_longer_than_50_lines():
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in [*SOURCES, *(ROOT / "building").glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 50
    ]
    assert not long


def test_names_say_what_is_inside():
    vague = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if set(path.stem.split("_")) & {*VAGUE_WORDS}
    ]
    assert not vague


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_importing_a_module_runs_no_loop_and_opens_nothing():
    """Top levels hold definitions, constants and imports; calls as statements have effects."""
    allowed = {"engine/__main__.py"}
    effects = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if str(path.relative_to(ROOT)) not in allowed
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    ]
    assert not effects
