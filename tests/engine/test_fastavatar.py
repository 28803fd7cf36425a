"""FastAvatar: any number of frames in any order become one avatar, pruned without chance."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.api.baked import MEANS
from engine.api.errors import HeadError, LikenessError
from engine.methods.fastavatar.fusion import drawn_masks, fused, kept, masked
from engine.methods.fastavatar.gaussian_head import FrameGaussians
from engine.methods.fastavatar.losses import drawn_slices, tracking_loss
from engine.methods.fastavatar.model import WEIGHTS, FastAvatar
from engine.methods.fastavatar.packing import chosen_frames
from engine.methods.fastavatar.settings import CAPACITY, SIZES, FastAvatarSizes
from engine.methods.fastavatar.streaming import AvatarStream, joined, within_budget
from engine.methods.feedforward.method import render
from tests.engine.painted_person import painted_avatar, painted_views
from tests.small_avatar import small_head

TINY = FastAvatarSizes(64, 32, 4, 2, tokens_uv=12, points_uv=32, hidden=24, local=True)


@pytest.fixture(scope="module")
def views():
    return painted_views(6, 64)


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setitem(SIZES, "tiny", TINY)
    torch.manual_seed(0)
    return FastAvatar("tiny")


@pytest.fixture
def lively(network):
    """A network whose corrections are as large as a trained one's."""
    for part in (network.head.offset.out, network.head.rest.out):
        torch.nn.init.normal_(part.weight, std=0.3)
    return network.eval()


@torch.no_grad()
def test_the_order_of_the_frames_changes_nothing(lively, views):
    first = render(lively(views[[0, 1, 2, 3]]), views[4:])[0]
    second = render(lively(views[[3, 1, 0, 2]]), views[4:])[0]
    assert (first - second).abs().mean() < 1e-5
    # Equal depths of a point's Gaussians may be blended in either order.
    assert (first - second).abs().quantile(0.999) < 1e-2


@torch.no_grad()
def test_inference_draws_nothing(lively, views):
    first = lively(views[:3])
    torch.manual_seed(99)
    assert torch.equal(first.raw, lively(views[:3]).raw)


@torch.no_grad()
def test_every_frame_tells_the_others(lively, views):
    """Global attention: a frame's own Gaussians change with what stands beside it."""
    alone, _ = lively.gaussians(views[[0]])
    beside, _ = lively.gaussians(views[[0, 5]])
    assert not torch.allclose(alone.raw[0], beside.raw[0], atol=1e-4)


@torch.no_grad()
def test_each_frame_brings_its_own_gaussians(lively, views):
    gaussians, whole = lively.gaussians(views[:3])
    assert gaussians.raw.shape == (3, len(lively.points.binding.face), 14)
    assert len(whole) == 3


@torch.no_grad()
def test_points_that_are_seen_have_the_pictures_colours(network, views):
    """Without training, g_i rendered in its own frame is that frame, coarsely."""
    avatar = network.eval()(views[2:3])
    colors, alphas, _ = render(avatar, views[2:3])
    solid = alphas[0, ..., 0] > 0.9
    error = (colors - views.pictures[2:3, ..., :3])[0][solid].square().mean()
    assert solid.float().mean() > 0.2
    assert -10 * error.log10() > 20


@torch.no_grad()
def test_frames_beyond_the_capacity_are_packed_and_still_count(lively, views):
    chosen, rest = chosen_frames(views, 3)
    assert len(chosen) == 3
    before, whole = lively.gaussians(views, capacity=3)
    assert torch.equal(whole.vertices, views[chosen].vertices)
    pictures = views.pictures.clone()
    pictures[rest[0]] = 0.5
    after, _ = lively.gaussians(replace(views, pictures=pictures), capacity=3)
    assert before.raw.shape == after.raw.shape
    assert not torch.allclose(before.raw, after.raw, atol=1e-5)


@torch.no_grad()
def test_packing_keeps_one_token_of_sixty_four(network, views):
    packed = network.transformer.packed(network.features(views)[-1], views)
    assert packed.shape == (1, len(views) * (64 // 8) ** 2 // 64, TINY.width)


@torch.no_grad()
def test_which_frames_stay_whole_does_not_depend_on_their_order(views):
    order = [4, 2, 0, 5, 1, 3]
    chosen, rest = chosen_frames(views, 3)
    again, _ = chosen_frames(views[order], 3)
    assert sorted(order[index] for index in again) == chosen
    assert sorted(chosen + rest) == list(range(6))


@torch.no_grad()
def test_many_frames_in_one_pass(lively):
    many = painted_views(CAPACITY + 4, 64)
    gaussians, whole = lively.gaussians(many)
    assert len(gaussians.raw) == len(whole) == CAPACITY


def test_every_parameter_learns(network, views, monkeypatch):
    monkeypatch.setattr("engine.methods.fastavatar.model.PACKED_SHARE", 1.0)
    network.train()
    loss, terms = network.loss(views[:4], views[4:], 0.0)
    loss.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    assert {"l1", "ssim", "track", "mask"} <= terms.keys()


def test_it_overfits_one_person(network, views):
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    values = []
    for _ in range(8):
        optimiser.zero_grad()
        torch.manual_seed(1)
        loss, _ = network.loss(views[:2], views[[1, 4]], 0.0)
        loss.backward()
        optimiser.step()
        values.append(float(loss.detach()))
    assert values[-1] < 0.9 * values[0]


def test_the_tracking_loss_is_the_distance_in_the_picture(network, views):
    """Equation 9 on a displacement whose image is known."""
    points = network.points
    raw = torch.zeros(2, len(points.binding.face), 14)
    assert tracking_loss(FrameGaussians(raw, raw[..., 0], raw[..., 0]), points, views[:2]) == 0
    raw[..., MEANS] = torch.tensor([0.004, 0, 0])
    found = tracking_loss(FrameGaussians(raw, raw[..., 0], raw[..., 0]), points, views[:2])
    # 4 mm along the skin, seen at all angles at about 0.8 m: at most f d / z / width.
    most = 64 * 0.9 / 0.4 * 0.004 / 0.75 / 64
    assert 0.4 * most < found < most


def test_slices_are_fewer_than_all_the_frames():
    torch.manual_seed(0)
    assert drawn_slices(1).several == []
    sizes = {len(drawn_slices(6).several) for _ in range(60)}
    assert sizes == {2, 3, 4, 5}
    singles = {drawn_slices(6).single[0] for _ in range(60)}
    assert singles == set(range(6))


def test_drawn_masks_are_whole_and_as_likely_as_their_logits_say():
    torch.manual_seed(0)
    logits = torch.full((20_000,), 0.7, requires_grad=True)
    masks = drawn_masks(logits)
    assert set(masks.detach().unique().tolist()) == {0.0, 1.0}
    assert masks.mean().item() == pytest.approx(torch.sigmoid(torch.tensor(0.7)).item(), abs=0.01)
    masks.sum().backward()
    assert (logits.grad > 0).all()


def test_the_likelier_of_staying_and_going_is_taken():
    logits = torch.tensor([[2.0, -1, 0.5], [-3, 1, -0.1]])
    assert kept(logits).tolist() == [[True, False, True], [False, True, False]]
    assert within_budget(logits, 2).tolist() == [[True, False, False], [False, True, False]]


def test_no_point_is_left_without_a_gaussian():
    assert kept(torch.tensor([[-5.0, -1], [-3, -2]])).tolist() == [[False, True], [True, False]]


def test_of_what_several_frames_see_the_best_stays():
    nothing = torch.zeros(3, 4)
    quality = torch.tensor([[0.9, 0.2, -torch.inf, -torch.inf], [0.8, 0.5, 0.3, -torch.inf],
                            [0.1, -torch.inf, -torch.inf, -torch.inf]])  # fmt: skip
    gaussians = FrameGaussians(torch.zeros(3, 4, 14), nothing, quality)
    assert kept(gaussians.standing).tolist() == [
        [True, False, False, True], [False, True, True, True], [False, False, False, True],
    ]  # fmt: skip
    # A frame alone keeps all that it has.
    assert kept(gaussians.of([2]).standing).all()


@torch.no_grad()
def test_a_mask_takes_gaussians_out_as_pruning_does(lively, views):
    gaussians, _ = lively.gaussians(views[:2])
    staying = torch.rand(gaussians.importance.shape) > 0.5
    soft = masked(views.head, lively.points, gaussians, staying.float())
    hard = fused(views.head, lively.points, gaussians, staying)
    assert len(hard.raw) == int(staying.sum())
    assert torch.allclose(render(soft, views[3:4])[0], render(hard, views[3:4])[0], atol=2e-3)


@torch.no_grad()
def test_a_stream_of_few_frames_is_the_batch(lively, views):
    stream = AvatarStream(lively)
    gaussians, _ = lively.gaussians(views, points=stream.points)
    batch = fused(views.head, stream.points, gaussians, kept(gaussians.standing))
    assert torch.allclose(stream.add(views).raw, batch.raw, atol=1e-5)


@torch.no_grad()
def test_a_long_stream_keeps_what_every_frame_brought(lively):
    many = painted_views(CAPACITY + 6, 64)
    stream = AvatarStream(lively)
    counts = [len(stream.add(many[[index]]).raw) for index in range(3)]
    assert counts == sorted(counts)
    stream.add(many[list(range(3, len(many)))])
    assert len(stream.found) == len(many)
    # The last window saw the overlap again, with the newest frames beside it.
    window = joined([many[[i]] for i in range(len(many) - 10, len(many))])
    last, _ = lively.gaussians(window, points=stream.points)
    assert torch.allclose(stream.found[-1].raw, last.raw[-1:], atol=1e-4)


@torch.no_grad()
def test_fewer_frames_get_denser_points(network, views, monkeypatch):
    monkeypatch.setattr("engine.methods.fastavatar.model.MOST_GAUSSIANS", 5_000)
    one, two, six = (len(network.denser_points(frames).waves) for frames in (1, 2, 6))
    assert one > two > six == len(network.points.waves)
    avatar = network.eval()(views[:1])
    assert len(avatar.raw) > 1.5 * len(network.points.waves)


def test_a_stream_stays_within_its_budget(lively, views):
    assert len(AvatarStream(lively, most_gaussians=500).add(views).raw) == 500


def test_adding_no_frame_says_so(lively, views):
    with pytest.raises(LikenessError, match="no frame to add"):
        AvatarStream(lively).add(views[:0])


def test_another_topology_is_refused(network, views):
    with pytest.raises(HeadError, match="built-in head"):
        network(replace(views, head=small_head()))


@torch.no_grad()
def test_it_bakes_exactly_without_blendshapes(lively, views):
    avatar = lively(views[:1])
    base, deltas, _ = avatar.linear(views.codes)
    assert torch.equal(torch.from_numpy(base), avatar.raw)
    assert len(deltas) == 0


def test_the_papers_configuration_has_the_papers_sizes():
    with torch.device("meta"):
        network = FastAvatar("paper").to("meta")
    transformer = network.transformer
    # Table 3: ten layers of each kind of width 1024; Table 2: 21.7 k Gaussians for a frame.
    assert len(transformer.whole) == len(transformer.frame) == 10
    assert transformer.enter.out_features == 1024
    assert 20_000 < len(network.points.waves) < 23_000
    assert len(network.points.token_waves) == len(network.points.waves)
    whole = sum(p.numel() for p in transformer.whole[0].parameters())
    assert whole == 12 * 1024**2 + 13 * 1024
    # Two streams of twelve squares each, and six more that modulate each.
    frame = sum(p.numel() for p in transformer.frame[0].parameters())
    assert frame == 2 * (12 * 1024**2 + 9 * 1024 + 6 * 1024**2 + 6 * 1024)
    assert network.head.rest.of_seen is None


def test_the_compact_configuration_is_small():
    with torch.device("meta"):
        network = FastAvatar("compact")
    assert sum(p.numel() for p in network.parameters()) < 4e6


def test_the_weights_are_the_papers():
    papers = {"l1": 0.8, "ssim": 0.1, "perceptual": 0.1, "track": 0.1, "mask": 0.0005}
    assert papers.items() <= WEIGHTS.items()


def test_the_landmarks_are_points_of_the_face(network):
    head = painted_avatar().head
    faces = network.points.binding.face[network.points.landmarks.numpy()]
    regions = {head.region_names[head.face_regions[face]] for face in faces}
    assert regions <= {"skin", "lips", "eyelids"}
    assert len(network.points.landmarks) > 25
