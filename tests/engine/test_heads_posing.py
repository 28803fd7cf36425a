"""Claims about the torch twin of the head and about the head's file and contact sheet."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from engine.api.errors import HeadError
from engine.api.head import HeadParams
from engine.heads.builtin import builtin_head
from engine.heads.head_file import read_head, write_head
from engine.heads.posing import TorchHead, matrix_from_rotvec
from engine.heads.sheet import head_sheet
from engine.imaging import read_image

NAMES = [field.name for field in fields(HeadParams)]


def random_params(seed: int, count: int = 3) -> HeadParams:
    rng = np.random.default_rng(seed)
    shapes = ((52,), (3,), (3,), (2, 3), (3,), (3,))
    return HeadParams(*(rng.normal(0, 0.4, (count, *s)).astype(np.float32) for s in shapes))


def as_tensors(params: HeadParams) -> HeadParams:
    return HeadParams(*(torch.tensor(getattr(params, name)) for name in NAMES))


def test_the_torch_head_poses_and_codes_as_numpy_does():
    head, params = builtin_head(), random_params(1)
    twin = TorchHead(head)
    np.testing.assert_allclose(twin.pose(as_tensors(params)), head.pose(params), atol=1e-5)
    np.testing.assert_allclose(twin.code(as_tensors(params)), head.code(params), atol=1e-5)


def test_a_batch_of_poses_is_its_poses_one_by_one():
    head, params = builtin_head(), random_params(2)
    twin = TorchHead(head)
    batch = twin.pose(as_tensors(params))
    for index in range(3):
        single = twin.pose(as_tensors(params[index]))
        torch.testing.assert_close(batch[index], single, atol=1e-6, rtol=0)


def test_gradients_of_the_pose_agree_with_finite_differences():
    twin = TorchHead(builtin_head()).double()
    params = HeadParams(
        *(torch.tensor(getattr(random_params(3, 1), name)).double() for name in NAMES)
    )
    weights = torch.randn(2409, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    for name in NAMES:
        value = getattr(params, name).clone().requires_grad_()
        loss = (twin.pose(replace(params, **{name: value})) * weights).sum()
        (gradient,) = torch.autograd.grad(loss, value)
        step = torch.randn(value.shape, generator=torch.Generator().manual_seed(1)).double() * 1e-6
        ahead, behind = (
            (twin.pose(replace(params, **{name: value.detach() + s * step})) * weights).sum()
            for s in (1, -1)
        )
        expected = (ahead - behind) / 2
        assert (gradient * step).sum().item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-10)


def test_rotation_vectors_have_a_gradient_at_zero():
    zero = torch.zeros(3, requires_grad=True)
    matrix_from_rotvec(zero)[2, 1].backward()
    torch.testing.assert_close(zero.grad, torch.tensor([1.0, 0.0, 0.0]))


def test_a_written_head_reads_back_equal(tmp_path):
    head, path = builtin_head(), tmp_path / "head.npz"
    write_head(path, head)
    again = read_head(path)
    for field in fields(head):
        before, after = getattr(head, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after
    assert [p.name for p in tmp_path.iterdir()] == ["head.npz"]


def test_a_personalised_head_without_identity_reads_back(tmp_path):
    plain = builtin_head().personalised(np.zeros(len(builtin_head().identity_names)))
    write_head(tmp_path / "p.npz", plain)
    assert read_head(tmp_path / "p.npz").identity_names == ()


def test_bad_head_files_are_refused_with_a_hint(tmp_path):
    head, path = builtin_head(), tmp_path / "head.npz"
    write_head(path, head)
    whole = path.read_bytes()
    cases = {"cut short": whole[: len(whole) // 2], "not a zip": b"hello", "empty": b""}
    for name, content in cases.items():
        bad = tmp_path / name
        bad.write_bytes(content)
        with pytest.raises(HeadError) as caught:
            read_head(bad)
        assert caught.value.hint
    with pytest.raises(HeadError, match="There is no file"):
        read_head(tmp_path / "missing.npz")


def test_a_head_file_with_objects_in_it_is_never_unpickled(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, texts=np.array([{"a": 1}], dtype=object))
    with pytest.raises(HeadError, match="holds objects"):
        read_head(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"faces": np.full((4544, 3), 9999, np.int32)}, "outside"),
        ({"vertices": np.full((2409, 3), np.nan, np.float32)}, "not a number"),
        ({"code_names": ("one",)}, "code_matrix"),
        ({"skin_weights": np.ones((2409, 5), np.float32)}, "sum to 1"),
    ],
)
def test_inconsistent_heads_are_refused(tmp_path, change, told):
    write_head(tmp_path / "h.npz", replace(builtin_head(), **change))
    with pytest.raises(HeadError, match=told):
        read_head(tmp_path / "h.npz")


def test_the_contact_sheet_shows_six_views_and_every_expression(tmp_path):
    head_sheet(builtin_head(), tmp_path / "sheet.png", tile=48)
    image, _ = read_image(tmp_path / "sheet.png")
    assert image.shape == (8 * 48, 8 * 48, 3)
    tiles = image.reshape(8, 48, 8, 48, 3).swapaxes(1, 2).reshape(64, -1)
    assert (tiles.std(1)[:58] > 20).all()
    assert (tiles.std(1)[58:] == 0).all()


def test_a_sheet_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(HeadError, match="cannot be written"):
        head_sheet(builtin_head(), tmp_path / "no" / "sheet.png", tile=16)
