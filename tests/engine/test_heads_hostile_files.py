"""Claims about head files made to harm: one clear line each, nothing run, little memory, soon."""

from __future__ import annotations

import io
import json
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.api.errors import HeadError
from engine.heads import array_archive, flame, gnm
from engine.heads.builtin import builtin_head
from engine.heads.head_file import read_head, write_head
from engine.heads.obj_file import read_obj
from engine.heads.pickle_reader import read_pickle
from engine.heads.sources import read_any_head

WITNESS = "likeness-was-run"
SECONDS = 5.0


class Runs:
    """A pickle of it asks for a call when it is loaded."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call, self.arguments


def calling(module: str, name: str, argument: str) -> bytes:
    """A pickle by hand: GLOBAL module name, one argument, REDUCE."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def stacked(module: str, name: str) -> bytes:
    """Protocol 4: the name is put together on the stack."""

    def text(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode()

    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text("touch x") + b"\x85R."


def nested() -> bytes:
    """A harmless dictionary whose array hides a call in its state."""
    return pickle.dumps({"v_template": np.zeros((2, 3)), "f": Runs(eval, "1+1")}, 2)


PICKLES: dict[str, bytes] = {
    "os.system": calling("os", "system", f"touch {WITNESS}"),
    "posix.system": calling("posix", "system", f"touch {WITNESS}"),
    "builtins.eval": calling("builtins", "eval", f"open('{WITNESS}','w')"),
    "builtins.exec of Python 2": calling("__builtin__", "execfile", WITNESS),
    "subprocess by REDUCE": pickle.dumps(Runs(__import__("subprocess").run, ["touch", WITNESS])),
    "getattr": calling("builtins", "getattr", "x"),
    "numpy's own loader": calling("numpy", "load", WITNESS),
    "numpy.f2py": calling("numpy.f2py.crackfortran", "myeval", f"open('{WITNESS}','w')"),
    "STACK_GLOBAL os.system": stacked("os", "system"),
    "STACK_GLOBAL with a dotted name": stacked("builtins", "__import__.__self__"),
    "a call inside a dictionary": nested(),
    "a call inside a call": calling("numpy.core.multiarray", "_reconstruct", "x")[:-1]
    + b"c__builtin__\neval\n(V1\ntRb.",
    "INST": b"(V1\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nV1\no.",
    "EXT1": b"\x82\x01.",
    "PERSID": b"Psomething\n.",
    "NEWOBJ_EX": b"\x80\x04cnumpy\ndtype\n)}\x92.",
    "a memo far away": b"]r\xff\xff\xff\x7fh\xff.",
    "bytes of a declared terabyte": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
    "a state for a plain value": b"}}b.",
    "an empty stack": b"R.",
    "marks without end": b"(" * 600_000 + b".",
    "cut short": pickle.dumps({"v_template": np.zeros((9, 3))})[:-20],
    "not a pickle": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "no dictionary": pickle.dumps([1, 2, 3]),
    "an array of objects": pickle.dumps({"v_template": np.array([{}, None], object)}),
    "a shape beyond its bytes": pickle.dumps({"v_template": np.zeros((4, 3))}, 2).replace(
        b"K\x04K\x03", b"M\xff\xffK\x03"
    ),
    "text instead of an array": pickle.dumps({"v_template": "hello"}),
}


@pytest.mark.parametrize("case", PICKLES)
def test_a_hostile_pickle_is_refused_in_one_line_and_nothing_runs(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flame2020.pkl"
    path.write_bytes(PICKLES[case])
    refused(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == PICKLES[case]


def refused(path: Path) -> HeadError:
    """Reading `path` fails with one line and a hint, soon."""
    started = time.monotonic()
    with pytest.raises(HeadError) as caught:
        read_any_head(path)
    assert time.monotonic() - started < SECONDS
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def member(shape: str, data: bytes = b"", descr: str = "<f4") -> bytes:
    """A .npy whose header says what it likes."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def of_arrays(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(value) for name, value in arrays.items()})
    return buffer.getvalue()


def objects() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, v_template=np.array([Runs(eval, f"open('{WITNESS}','w')")], object))
    return buffer.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "0 bytes": lambda: b"",
    "not a zip": lambda: b"hello" * 100,
    "a zip cut short": lambda: of_arrays(v_template=np.zeros((5023, 3)))[:2000],
    "no array that we know": lambda: of_arrays(a=1, b=2),
    "an array of objects": objects,
    "a declared terabyte": lambda: archive(v_template=member("(1000000, 1000000)")),
    "a negative shape": lambda: archive(v_template=member("(-4, 3)", bytes(48))),
    "a shape that overflows": lambda: archive(v_template=member("(4294967296, 4294967296)")),
    "code for a shape": lambda: archive(v_template=member("__import__('os').system('touch x')")),
    "a dtype of objects": lambda: archive(v_template=member("(1,)", bytes(8), "|O")),
    "FLAME of a wrong shape": lambda: of_arrays(v_template=np.zeros((10, 3)), f=np.zeros((4, 3))),
    "GNM without its other keys": lambda: of_arrays(
        template_vertex_positions=np.zeros((17821, 3), np.float32)
    ),
    "ICT with too few vertices": lambda: of_arrays(
        vertices=np.zeros((9, 3)), faces=np.zeros((1, 4), int), uvs=np.zeros((1, 2)),
        face_uvs=np.zeros((1, 4), int), expression_names=np.array(["a"]),
        expression_deltas=np.zeros((1, 9, 3)), identity_deltas=np.zeros((1, 9, 3)),
    ),
    "ICT with texts for numbers": lambda: of_arrays(
        vertices=np.full((26719, 3), "x"), faces=np.zeros((1, 4), int), uvs=np.zeros((1, 2)),
        face_uvs=np.zeros((1, 4), int), expression_names=np.array(["a"]),
        expression_deltas=np.zeros((1, 26719, 3)), identity_deltas=np.zeros((1, 26719, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ARCHIVES)
def test_a_hostile_archive_is_refused_in_one_line_and_nothing_runs(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flame2023.npz"
    path.write_bytes(ARCHIVES[case]())
    refused(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(array_archive, "MAX_BYTES", 8 << 20)
    path = tmp_path / "gnm_head.npz"
    path.write_bytes(archive(template_vertex_positions=bytes(64 << 20)))
    assert path.stat().st_size < 100_000
    assert "unpacks to 64 MiB" in str(refused(path))


def spoilt_flame(**changes: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from tests.engine.foreign_heads import flame_arrays

        path = folder / "flame2023.npz"
        small = {"shapedirs": np.zeros((5023, 3, 400), np.float16)}
        spoilt = {name: np.asarray(value) for name, value in changes.items()}
        np.savez(path, **(flame_arrays() | small | spoilt))
        return path

    return write


FLAMES: dict[str, Callable[[Path], Path]] = {
    "NaN": spoilt_flame(v_template=np.full((5023, 3), np.nan)),
    "a face out of range": spoilt_flame(f=np.full((9976, 3), 5023)),
    "a negative face": spoilt_flame(f=np.full((9976, 3), -1)),
    "complex numbers": spoilt_flame(weights=np.zeros((5023, 5), complex)),
    "a flat head": spoilt_flame(v_template=np.zeros((5023, 3))),
    "all faces the same": spoilt_flame(f=np.tile([0, 1, 2], (9976, 1))),
}


@pytest.mark.parametrize("case", FLAMES)
def test_a_spoilt_flame_is_refused_in_one_line(case, tmp_path):
    refused(FLAMES[case](tmp_path))


OBJS: dict[str, bytes] = {
    "0 bytes of vertices": b"v \n",
    "two numbers": b"v 1 2\nv 1 2 3\n",
    "not a number": b"v 1 2 x\n",
    "NaN": b"v nan 0 0\n",
    "a face out of range": b"v 0 0 0\nf 1 2 3\n",
    "a face of seven": b"v 0 0 0\nf 1 1 1 1 1 1 1\n",
    "a face of words": b"v 0 0 0\nf a b c\n",
    "a face from the end": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -1 -2 -3\n",
    "a texture index out of range": b"v 0 0 0\nvt 0 0\nf 1/9 1/1 1/1\n",
}


@pytest.mark.parametrize("case", OBJS)
def test_a_spoilt_obj_is_refused_in_one_line(case, tmp_path):
    path = tmp_path / "generic_neutral_mesh.obj"
    path.write_bytes(OBJS[case])
    with pytest.raises(HeadError) as caught:
        read_obj(path)
    assert caught.value.hint
    refused(tmp_path)  # as a folder of ICT-FaceKit too


def test_an_ict_folder_whose_shapes_differ_in_length_is_refused(tmp_path):
    (tmp_path / "generic_neutral_mesh.obj").write_bytes(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "jawOpen.obj").write_bytes(b"v 0 0 0\n")
    assert "jawOpen.obj has 1 vertices" in str(refused(tmp_path))


def test_our_own_head_file_with_a_huge_declared_shape_is_refused(tmp_path):
    path = tmp_path / "head.npz"
    write_head(path, builtin_head())
    with zipfile.ZipFile(path) as whole:
        members = {name.removesuffix(".npy"): whole.read(name) for name in whole.namelist()}
    members["vertices"] = member("(100000000000, 3)", bytes(12))
    path.write_bytes(archive(**members))
    with pytest.raises(HeadError, match="vertices"):
        read_head(path)


def test_our_own_head_file_with_texts_that_are_no_json_is_refused(tmp_path):
    path = tmp_path / "head.npz"
    path.write_bytes(of_arrays(texts=np.frombuffer(b"[" * 5000, np.uint8), vertices=[0]))
    with pytest.raises(HeadError):
        read_head(path)
    assert json.loads("1") == 1


def test_a_pickle_of_plain_values_is_only_described(tmp_path):
    path = tmp_path / "plain.pkl"
    path.write_bytes(pickle.dumps({"a": [1, 2.5, "x"], "b": (None, True)}, 2))
    assert read_pickle(path) == {"a": [1, 2.5, "x"], "b": (None, True)}


def test_the_readers_name_what_they_wanted(tmp_path):
    path = tmp_path / "flame2023.npz"
    np.savez(path, v_template=np.zeros((5023, 3)))
    with pytest.raises(HeadError, match="has no f"):
        flame.read_flame(path)
    np.savez(path, template_vertex_positions=np.zeros((1, 3)))
    with pytest.raises(HeadError, match="expected \\(17821, 3\\)"):
        gnm.read_gnm(path)
