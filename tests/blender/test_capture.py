"""Movement from outside: what files say, and in whose names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from likeness.blender_addon import live_link, name_map
from likeness.engine.api.errors import LikenessError
from likeness.engine.api.rotations import matrix_from_rotvec
from likeness.engine.heads.builtin import builtin_head

PASCAL = [name[0].upper() + name[1:] for name in name_map.ARKIT_NAMES]
ROTATIONS = [
    f"{who}{turn}" for who in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll")
]
HEADER = ["Timecode", "BlendShapeCount", *PASCAL, *ROTATIONS]


def row(code, **values):
    cells = [str(values.get(name, 0.0)) for name in HEADER[2:]]
    return ",".join([code, "61", *cells])


def write_csv(path, *rows):
    path.write_text("\n".join([",".join(HEADER), *rows]) + "\n")
    return path


@pytest.fixture
def take(tmp_path):
    """Half a second at 60 frames a second across midnight; the face is lost in one row."""
    codes = [f"23:59:59:{f:02d}.250" for f in range(45, 60)]
    codes += [f"00:00:00:{f:02d}.250" for f in range(15)]
    rows = [row(code, JawOpen=i / 30, HeadYaw=0.3) for i, code in enumerate(codes)]
    rows[10] = f"{codes[10]},0"
    return write_csv(tmp_path / "take.csv", *rows)


def test_live_link_times_come_from_the_time_code_and_go_past_midnight(take):
    motion = live_link.read_capture(take)
    assert len(motion.times) == 29
    np.testing.assert_allclose(np.delete(np.arange(30), 10) / 60, motion.times, atol=1e-6)
    np.testing.assert_allclose(motion.values["JawOpen"], motion.times * 2, atol=1e-6)
    assert set(PASCAL) <= set(motion.values)


@pytest.mark.parametrize(("last", "rate"), [(23, 24), (24, 25), (29, 30), (47, 48), (59, 60)])
def test_the_time_codes_rate_is_the_smallest_that_its_frames_fit(last, rate):
    codes = ["01:02:03:00.000", f"01:02:03:{last:02d}.500", "01:02:04:00"]
    times = live_link.time_code_seconds(codes)
    np.testing.assert_allclose(times, [0, (last + 0.5) / rate, 1])


def test_head_yaw_turns_to_the_persons_right_pitch_down(tmp_path):
    path = write_csv(
        tmp_path / "a.csv", row("00:00:00:00", HeadYaw=0.5), row("00:00:00:01", HeadPitch=0.5)
    )
    turns = matrix_from_rotvec(live_link.read_capture(path).head)
    face = turns @ np.array([0, 0, 1.0])  # out of the face; x is the person's left
    np.testing.assert_allclose(face[0], [-np.sin(0.5), 0, np.cos(0.5)], atol=1e-6)
    np.testing.assert_allclose(face[1], [0, -np.sin(0.5), np.cos(0.5)], atol=1e-6)


def test_eye_rotations_serve_where_the_file_has_no_eye_look(tmp_path):
    rows = [row("00:00:00:00", LeftEyeYaw=np.radians(15)), row("00:00:00:01", JawOpen=1)]
    values = live_link.read_capture(write_csv(tmp_path / "a.csv", *rows)).values
    assert values["eyeLookInLeft"][0] == pytest.approx(0.5)
    assert values["eyeLookOutLeft"][0] == 0
    with_look = [row("00:00:00:00", LeftEyeYaw=0.2, EyeLookOutLeft=0.3), rows[1]]
    values = live_link.read_capture(write_csv(tmp_path / "b.csv", *with_look)).values
    assert "eyeLookInLeft" not in values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mouth cues"),
        ("Timecode,BlendShapeCount,JawOpen\n", "holds no frame"),
        ("Timecode,BlendShapeCount,JawOpen\n00:00:00:00,61,open\n", "Line 2"),
        ("Timecode,BlendShapeCount,JawOpen\n00:00:00:00,61,nan\n", "impossible number"),
        ("Timecode,BlendShapeCount,JawOpen\nnoon,61,0.5\n", "times"),
        ("Timecode,BlendShapeCount,JawOpen\n00:00:09:00,61,0\n00:00:01:00,61,0\n", "forward"),
    ],
)
def test_a_bad_capture_is_refused_with_the_reason(tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(LikenessError, match=words):
        live_link.read_capture(path)


def test_another_rate_replaces_the_files_times(take):
    assert live_link.read_capture(take, rate=10).times[-1] == pytest.approx(2.8)


@pytest.mark.parametrize("suffix", ["tsv", "json"])
def test_rhubarbs_mouth_shapes_open_the_mouth_between_rests(tmp_path, suffix):
    path = tmp_path / f"line.{suffix}"
    if suffix == "tsv":
        path.write_text("0.00\tX\n0.50\tD\n1.00\tX\n1.50\tX\n")
    else:
        cues = [("X", 0, 0.5), ("D", 0.5, 1), ("X", 1, 1.5)]
        rows = [{"value": v, "start": s, "end": e} for v, s, e in cues]
        path.write_text(json.dumps({"mouthCues": rows}))
    motion = live_link.read_capture(path)
    curves, unknown = name_map.mapped(motion.values, name_map.PRESETS["RHUBARB"][2])
    assert not unknown
    jaw = np.interp([0.25, 0.5, 0.75, 1.25], motion.times, curves["jawOpen"])
    full = name_map.PRESETS["RHUBARB"][2]["D"]["jawOpen"]
    np.testing.assert_allclose(jaw, [0, full / 2, full, 0], atol=0.02 * full)


@pytest.mark.parametrize(
    "name", ["EyeBlinkLeft", "eyeBlinkLeft", "eyeBlink_L", "Eye_Blink_L", "Eye Blink Left"]
)
def test_spellings_of_arkits_names_need_no_table(name):
    curves, unknown = name_map.mapped({name: np.array([0.5])}, {})
    assert curves == {"eyeBlinkLeft": [0.5]}
    assert not unknown


def test_every_preset_speaks_of_the_52_expressions_only():
    arkit = set(builtin_head().expression_names)
    assert set(name_map.ARKIT_NAMES) == arkit
    for _, _, table in name_map.PRESETS.values():
        assert {target for targets in table.values() for target in targets} <= arkit


@pytest.mark.parametrize(
    ("names", "preset"),
    [
        (PASCAL, "ARKIT"),
        (["CTRL_expressions_jawOpen", "CTRL_expressions_eyeBlinkL"], "METAHUMAN"),
        (["viseme_aa", "viseme_PP", "viseme_sil"], "VISEMES"),
        (["A", "B", "C", "D", "E", "F", "X"], "RHUBARB"),
    ],
)
def test_the_preset_is_guessed_from_the_names(names, preset):
    assert name_map.guess(names) == preset


def test_several_curves_of_a_meta_human_add_up_to_one_expression():
    table = name_map.PRESETS["METAHUMAN"][2]
    names = [f"CTRL_expressions_mouthFunnel{part}" for part in ("UL", "UR", "DL", "DR")]
    curves, _ = name_map.mapped({name: np.array([0.8]) for name in names}, table)
    assert curves["mouthFunnel"] == pytest.approx(0.8)


@pytest.mark.parametrize("preset", name_map.PRESETS)
def test_a_table_survives_editing_as_text(preset):
    table = name_map.PRESETS[preset][2]
    again = name_map.from_text(name_map.to_text(table))
    values = {name: np.array([0.5]) for name in (*table, *PASCAL)}
    first, second = (name_map.mapped(values, t)[0] for t in (table, again))
    assert {n: float(v[0]) for n, v in first.items()} == {n: float(v[0]) for n, v in second.items()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ('{"a": 1}', "row 'a'"),
        ('{"a": {"b": "x"}}', "'b'"),
    ],
)
def test_a_bad_table_says_which_row(text, words):
    with pytest.raises(LikenessError, match=words):
        name_map.from_text(text)
