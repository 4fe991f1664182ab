"""Everything that a training needs to go on: out to a file and back."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from rnn_cli.errors import ModelFileError
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import ExactSoftmax, SampledSoftmax
from rnn_cli.tensor_file import write_tensor_file
from rnn_cli.training.averaging import WeightAverage
from rnn_cli.training.checkpoint import (
    Progress,
    latest_first,
    load_checkpoint,
    load_checkpoint_weights,
    save_checkpoint,
)
from rnn_cli.training.optimizer import Optimizer, build_optimizer

PROGRESS = Progress(
    epoch=2,
    window=7,
    step=47,
    best_loss=1.25,
    since_best=1,
    rate_factor=0.5,
    elapsed_s=12.5,
    update_cpu_s=11.5,
    objective=3.5,
    nll=3.25,
    words=24,
    seconds=0.125,
    level=1.75,
    rollbacks=[{"event": "rollback", "step": 31, "loss": None}],
    metrics_bytes=4711,
)


class Parts(NamedTuple):
    """What a checkpoint is made from."""

    model: LanguageModel
    optimizer: Optimizer
    loss_function: ExactSoftmax | SampledSoftmax
    average: WeightAverage | None = None

    def update(self) -> None:
        """One update on words that depend on torch's random numbers."""
        words = torch.randint(5, (3, 2))
        hidden, _ = self.model.unroll(words, self.model.initial_state(2), sparse=self.loss_function.sparse)
        self.model.zero_grad()
        self.loss_function(
            hidden.flatten(0, 1), words.flatten(), self.model.V, self.model.c
        ).objective.backward()
        self.optimizer.step(0.05)

    def weights(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self.model.parameters()]


def make_parts(
    *, kind: str = "adamw", sampled: bool = False, hidden_size: int = 4, num_layers: int = 2
) -> Parts:
    model = LanguageModel(vocab_size=5, embedding_size=3, hidden_size=hidden_size, num_layers=num_layers)
    loss_function = (
        SampledSoftmax(torch.tensor([5, 4, 3, 2, 1]), samples=2, seed=1) if sampled else ExactSoftmax()
    )
    tables = [model.embedding, model.V]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    optimizer = build_optimizer(kind, others, tables, weight_decay=0.0, sparse=loss_function.sparse)
    return Parts(model, optimizer, loss_function)


def save(
    path: Path,
    parts: Parts,
    state: State | None = None,
    progress: Progress = PROGRESS,
    fingerprint: str = "this one",
) -> Path:
    state = [torch.full((2, 4), 0.25), torch.full((2, 4), -0.5)] if state is None else state
    save_checkpoint(path, **parts._asdict(), state=state, progress=progress, fingerprint=fingerprint)
    return path


@pytest.mark.parametrize("progress", [PROGRESS, Progress()])
def test_the_place_in_the_data_and_the_carried_state_come_back(tmp_path: Path, progress: Progress) -> None:
    path = save(tmp_path / "c", make_parts(), progress=progress)
    state, found = load_checkpoint(path, **make_parts()._asdict(), fingerprints=["this one"])
    assert found == progress
    assert [h.tolist() for h in state] == [[[0.25] * 4] * 2, [[-0.5] * 4] * 2]


def test_weights_come_back_bit_for_bit_in_place(tmp_path: Path) -> None:
    parts, other = make_parts(), make_parts()
    path = save(tmp_path / "c", parts)
    tensor = other.model.V
    load_checkpoint(path, **other._asdict(), fingerprints=["this one"])
    assert other.model.V is tensor
    assert all(torch.equal(p, q) for p, q in zip(parts.weights(), other.weights(), strict=True))


@pytest.mark.parametrize(
    ("kind", "sampled"),
    [
        *itertools.product(["sgd", "adam", "adamw", "muon", "adagrad"], [False, True]),
        *itertools.product(
            ["momentum", "nesterov", "rmsprop"], [False]
        ),  # these have no update of rows alone
    ],
)
def test_after_a_resume_updates_are_the_same_to_the_last_bit(
    tmp_path: Path, kind: str, sampled: bool
) -> None:
    torch.manual_seed(0)
    parts = make_parts(kind=kind, sampled=sampled)
    parts.update()
    path = save(tmp_path / "c", parts)
    parts.update()
    parts.update()

    torch.manual_seed(99)
    resumed = make_parts(kind=kind, sampled=sampled)
    resumed.update()  # what it has seen before the resume must not count
    load_checkpoint(path, **resumed._asdict(), fingerprints=["this one"])
    resumed.update()
    resumed.update()
    for expected, found in zip(parts.weights(), resumed.weights(), strict=True):
        assert torch.equal(expected, found)


def test_saving_disturbs_neither_the_random_numbers_nor_the_weights(tmp_path: Path) -> None:
    parts = make_parts(sampled=True)
    parts.update()
    random, weights = torch.get_rng_state(), parts.weights()
    save(tmp_path / "c", parts)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(p, q) for p, q in zip(parts.weights(), weights, strict=True))


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "c", make_parts())
    before = path.read_bytes()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, make_parts(), progress=Progress(step=48))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def refusal(path: Path, parts: Parts) -> str:
    with pytest.raises(ModelFileError) as error:
        load_checkpoint(path, **parts._asdict(), fingerprints=["this one"])
    return str(error.value)


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    write_tensor_file(tmp_path / "c", {"x": np.zeros(1)}, {"format": "rnn_cli"})
    assert refusal(tmp_path / "c", make_parts()) == f"{tmp_path}/c is not a checkpoint of rnn_cli."


def test_a_network_of_another_size_does_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "c", make_parts())
    message = refusal(path, make_parts(hidden_size=6))
    assert message.startswith(f"{path} cannot be used to go on: it does not fit this training (")


def test_a_network_with_more_layers_does_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "c", make_parts(num_layers=1), state=[torch.zeros(2, 4)])
    assert refusal(path, make_parts(num_layers=2)) == (
        f"{path} cannot be used to go on: it does not fit this training ('model.cells.1.W')."
    )


def test_a_checkpoint_of_another_text_or_other_settings_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "c", make_parts(), fingerprint="another")
    assert refusal(path, make_parts()) == (
        f"{path} cannot be used to go on: a text or the settings have changed since. "
        "Put them back as they were, or start anew: rnn train CONFIG."
    )


WHOLE = "the file is damaged or cut off. Copy it again."
DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda whole: b"", "this file was not written by rnn_cli. Give a file that rnn_cli wrote."),
    "cut off in the weights": (lambda whole: whole[:-10], WHOLE),
    "another step": (lambda whole: whole.replace(b'\\"step\\": 47', b'\\"step\\": 48'), WHOLE),
    "a wrong bit": (lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), WHOLE),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_one_clear_message(tmp_path: Path, damage: str) -> None:
    path = save(tmp_path / "c", make_parts())
    whole = path.read_bytes()
    break_it, message = DAMAGE[damage]
    path.write_bytes(break_it(whole))
    assert path.read_bytes() != whole
    assert refusal(path, make_parts()) == f"{path}: {message}"


def test_a_checkpoint_that_is_missing_is_one_clear_message(tmp_path: Path) -> None:
    message = refusal(tmp_path / "c", make_parts())
    assert message == f"{tmp_path}/c: cannot be read (No such file or directory)."


def test_the_latest_comes_first_whatever_its_name_and_one_that_cannot_be_read_last(tmp_path: Path) -> None:
    rollback = {"event": "rollback"}
    ages = {
        "start": Progress(),
        "in the epoch": Progress(step=3, window=3),
        "before its validation": Progress(step=9, window=9),
        "after it": Progress(step=9, epoch=1),
        "after a rollback to the start": Progress(rollbacks=[rollback]),
        "and later": Progress(step=2, window=2, rollbacks=[rollback]),
    }
    paths = [save(tmp_path / name, make_parts(), progress=progress) for name, progress in ages.items()]
    (tmp_path / "damaged").write_bytes(b"x")
    for order in (paths, paths[::-1], sorted(paths)):
        assert latest_first([tmp_path / "damaged", *order]) == [*paths[::-1], tmp_path / "damaged"]


def test_only_the_weights_can_be_taken(tmp_path: Path) -> None:
    parts, other = make_parts(sampled=True), make_parts(sampled=True)
    path = save(tmp_path / "c", parts)
    random, draws = torch.get_rng_state(), other.loss_function.generator.get_state()  # type: ignore[union-attr]
    load_checkpoint_weights(path, model=other.model, fingerprints=["this one"])
    assert all(torch.equal(p, q) for p, q in zip(parts.weights(), other.weights(), strict=True))
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(other.loss_function.generator.get_state(), draws)  # type: ignore[union-attr]


def test_a_checkpoint_is_plain_tensors_and_texts(tmp_path: Path) -> None:
    parts = make_parts(sampled=True)
    parts.update()
    names = load_file(save(tmp_path / "c", parts)).keys()
    assert {name.split(".")[0] for name in names} == {"model", "optimizer", "random", "state"}
    assert {"state.0", "state.1", "random.torch", "random.samples", "model.V"} <= names
