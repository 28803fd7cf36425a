"""Training of the feed-forward methods: it learns, is resumed to the bit, and says no clearly."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import pytest
import torch

from engine.api.errors import Cancelled, LikenessError, ModelError
from engine.api.training import TrainRequest
from engine.jobs.training import FIRST_CHECKED, SHOTS, train
from engine.methods.checkpoints import Checkpoints
from engine.methods.feedforward import training
from engine.methods.feedforward.lessons import Lessons, halves
from engine.methods.feedforward.method import MODELS
from engine.methods.feedforward.weights import learned, load_weights, save_weights, shipped, trained
from engine.methods.pace import Pace
from engine.people.cast import Cast

METHOD, SIZE, PEOPLE = "fastgha", 64, 4
SHIPPED_SIZE = 128
OVERFIT_STEPS, GAIN = 30, 1.0  # dB; it gained 1.38 when this was written
SHIPPED = [name for name in MODELS if (Path("engine/weights") / f"{name}.safetensors").is_file()]


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Lessons:
    cast = Cast(tmp_path_factory.mktemp("cast"), 6, SIZE)

    def person(seed: int):
        return halves(cast.views(seed))

    return Lessons([functools.partial(person, seed) for seed in range(PEOPLE)])


def run(people: Lessons, folder: Path, steps: int, until: int, resume: bool = False):
    """Train `until` a step of `steps`, and return the learned parameters."""
    state = training.new_state(METHOD, "compact", PEOPLE, 5, torch.device("cpu"))
    checkpoints = Checkpoints(folder / "checkpoint.npz", {"what": "test"}, lambda words: None)
    if resume:
        checkpoints.resume(state)
        assert state.steps > 0
    going = training.train(
        state, people, people, 5, Pace(steps), checkpoints, folder / "curves.csv"
    )
    for report in going:
        if report.step == until:
            break
    going.close()
    return {
        name: value.detach().clone() for name, value in learned(training.network(state)).items()
    }


def finished(going) -> training.Report:
    """The last report of a training."""
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def test_it_overfits_four_people(people, tmp_path):
    state = training.new_state(METHOD, "compact", PEOPLE, 0, torch.device("cpu"))
    model = training.network(state)
    before = training.held_out_psnr(model, people)
    checkpoints = Checkpoints(tmp_path / "checkpoint.npz", {}, lambda words: None)
    curves = tmp_path / "curves.csv"
    going = training.train(state, people, people, 0, Pace(OVERFIT_STEPS), checkpoints, curves)
    assert finished(going).psnr > before + GAIN
    rows = list(csv.DictReader(curves.open()))
    assert [int(row["step"]) for row in rows] == list(range(10, OVERFIT_STEPS + 1, 10))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_an_interrupted_training_goes_on_to_the_last_bit(people, tmp_path):
    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight = run(people, tmp_path / "straight", 4, 4)
    run(people, tmp_path / "broken", 4, 2)
    resumed = run(people, tmp_path / "broken", 4, 4, resume=True)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def loss_and_gradient(method: str, people: Lessons, mixed: bool, recompute: bool):
    """Loss and gradient (one long vector) of a first step, as training takes it."""
    torch.manual_seed(2)
    model = MODELS[method]("compact").train()
    model.mixed, model.recompute = mixed, recompute
    sources, targets = people.lesson(1)
    torch.manual_seed(3)
    loss, _ = model.loss(sources, targets[:1], 0.5)
    loss.backward()
    given = [value.grad for value in learned(model).values() if value.grad is not None]
    return float(loss.detach()), torch.cat([gradient.flatten() for gradient in given])


@pytest.mark.parametrize("method", MODELS)
def test_mixed_precision_and_recomputing_change_next_to_nothing(people, method):
    """What a training on CUDA does otherwise, done on the CPU."""
    loss, gradient = loss_and_gradient(method, people, mixed=False, recompute=False)
    again, same = loss_and_gradient(method, people, mixed=False, recompute=True)
    assert again == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(same, gradient, rtol=1e-4, atol=1e-6)
    mixed, close = loss_and_gradient(method, people, mixed=True, recompute=False)
    assert mixed == pytest.approx(loss, rel=0.03)
    assert torch.cosine_similarity(close, gradient, dim=0) > 0.9


def test_a_cancelled_training_leaves_a_checkpoint_and_no_weights(tmp_path):
    def impatient(event):
        if event.get("stage", "").startswith("Training"):
            raise Cancelled("Enough.")

    request = TrainRequest(METHOD, str(tmp_path / "t"), steps=3, people=1, size=48)
    with pytest.raises(Cancelled):
        train(request, impatient)
    assert (tmp_path / "t" / "checkpoint.npz").is_file()
    assert not list((tmp_path / "t").glob("*.safetensors"))
    with pytest.raises(LikenessError, match="--resume"):
        train(request, lambda event: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "nerf"}, "nerf"),
        ({"config": "huge"}, "huge"),
        ({"steps": 0}, "nothing to train"),
        ({"resume": True}, "no training to go on with"),
        ({"data": ["/nowhere"]}, "nowhere"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_done(tmp_path, changes, words):
    values = {"method": METHOD, "output": str(tmp_path / "t"), **changes}
    with pytest.raises(LikenessError, match=words):
        train(TrainRequest(**values), lambda event: None)
    assert not list(tmp_path.rglob("*.npz"))


def test_weights_come_back_in_half_precision(tmp_path):
    torch.manual_seed(1)
    model, other = MODELS[METHOD]("compact"), MODELS[METHOD]("compact")
    save_weights(model, METHOD, tmp_path / "w.safetensors", {"steps": 3})
    assert load_weights(other, METHOD, tmp_path / "w.safetensors") == {"steps": 3}
    for name, value in learned(model).items():
        assert torch.equal(value.half(), learned(other)[name].half())


def test_a_wrong_weights_file_is_refused_and_changes_nothing(tmp_path):
    model = MODELS[METHOD]("compact")
    before = {name: value.clone() for name, value in learned(model).items()}
    save_weights(model, METHOD, tmp_path / "w.safetensors", {})
    save_weights(model, "omgavatar", tmp_path / "other.safetensors", {})
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04cos\nsystem\n.")
    for name in ("other", "cut", "pickle", "missing"):
        with pytest.raises(ModelError):
            load_weights(model, METHOD, tmp_path / f"{name}.safetensors")
    assert all(torch.equal(value, before[name]) for name, value in learned(model).items())


@pytest.mark.parametrize("method", SHIPPED)
def test_shipped_weights_are_small_whole_and_fit(method):
    assert shipped(method).stat().st_size < 20e6
    assert trained(method).training is False


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Lessons:
    """Somebody that no shipped network was trained on."""
    cast = Cast(tmp_path_factory.mktemp("strangers"), SHOTS, SHIPPED_SIZE)
    return Lessons([lambda: halves(cast.views(FIRST_CHECKED + 1))])


@pytest.mark.parametrize("method", SHIPPED)
def test_shipped_weights_know_something_of_strangers(method, stranger):
    torch.manual_seed(0)
    untrained = training.held_out_psnr(MODELS[method]("compact"), stranger)
    assert training.held_out_psnr(trained(method), stranger) > untrained + 3.0


def test_weights_that_are_not_shipped_are_said_to_be_missing():
    with pytest.raises(ModelError, match="nobody"):
        shipped("nobody")
