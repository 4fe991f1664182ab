"""Networks that read backwards and pairs: what they are trained on, and that stopping them changes nothing."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_cli.config import Config
from rnn_cli.evaluation.model import Model
from rnn_cli.inference import load
from rnn_cli.model_file import read_model_file
from rnn_cli.model_tensors import BACKWARD
from rnn_cli.training.outcome import Outcome
from tests.training.conftest import LINES, MakeConfig
from tests.training.test_run import train_in, train_with_a_stop_at, weights


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_a_pair_is_a_forward_and_a_backward_network_in_one_file(
    mode: str, make_config: MakeConfig, tmp_path: Path
) -> None:
    def trained(direction: str) -> tuple[Outcome, dict[str, np.ndarray]]:
        config = make_config(data={"mode": mode}, model={"direction": direction})
        return train_in(tmp_path / direction, config), weights(tmp_path / direction)

    (forward, forward_weights), (backward, backward_weights) = trained("forward"), trained("backward")
    pair, pair_weights = trained("both")

    expected = forward_weights | {f"{BACKWARD}{name}": tensor for name, tensor in backward_weights.items()}
    assert expected.keys() == pair_weights.keys()
    for name, tensor in expected.items():
        assert np.array_equal(tensor, pair_weights[name]), name
    assert not np.array_equal(forward_weights["embedding"], backward_weights["embedding"])
    assert pair.first is not None
    assert (pair.first.valid, pair.valid) == (forward.valid, backward.valid)
    stored = read_model_file(tmp_path / "both/model.safetensors")
    assert stored.config["model"]["direction"] == "both"
    assert stored.metrics["valid"] == forward.valid.to_dict()  # type: ignore[union-attr]
    assert stored.metrics["backward"]["valid"] == backward.valid.to_dict()  # type: ignore[union-attr]
    alone = [read_model_file(tmp_path / name / "model.safetensors") for name in ("forward", "backward")]
    for one in (stored, *alone):  # one text, read from either end
        assert one.counts is not None
        assert one.counts.tolist() == stored.counts.tolist()  # type: ignore[union-attr]
    assert stored.mixture is not None
    assert pair.mixture is not None
    assert (
        stored.mixture["forward_weight"]
        == pair.mixture.forward_weight
        == load(tmp_path / "both").forward_weight
    )


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_what_reads_backwards_is_trained_on_the_text_turned_round(
    mode: str, make_config: MakeConfig, tmp_path: Path
) -> None:
    """The same bits as a forward training of a text in which all lines, and the words in each, are turned round."""
    texts = {"train.txt": LINES * 5, "valid.txt": ["the cat saw the log", "a dog sat on the mat"]}
    for name, lines in texts.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        turned = [" ".join(line.split()[::-1]) for line in reversed(lines)]
        (tmp_path / f"turned_{name}").write_text("\n".join(turned) + "\n")
    data = {"mode": mode, "tokenizer": {"split": "whitespace"}}
    train_in(tmp_path / "backward", make_config(data=data, model={"direction": "backward"}))
    turned_data = {key: str(tmp_path / f"turned_{key}.txt") for key in ("train", "valid")}
    train_in(tmp_path / "turned", make_config(data={**data, **turned_data}))

    tokens = [
        json.loads(read_model_file(tmp_path / run / "model.safetensors").tokenizer_json)
        for run in ("backward", "turned")
    ]
    vocabularies = [stored["tokenizer"]["model"]["vocab"] for stored in tokens]
    assert vocabularies[0] == vocabularies[1]
    found, expected = weights(tmp_path / "backward"), weights(tmp_path / "turned")
    for name, tensor in expected.items():
        assert np.array_equal(tensor, found[name]), name
    # And what training measured, evaluation measures.
    result = Model.evaluate(load_model(tmp_path / "backward"), tmp_path / "valid.txt").to_dict()
    valid = read_model_file(tmp_path / "backward/model.safetensors").metrics["valid"]
    assert result["perplexity"] == pytest.approx(valid["perplexity"], rel=1e-5)
    assert (result["tokens"], result["direction"]) == (valid["tokens"], "backward")


def load_model(path: Path) -> Model:
    import rnn_cli

    return rnn_cli.load(path)


@pytest.mark.parametrize("step", [1, 17, 39, 40, 57])
def test_a_pair_that_was_stopped_ends_with_the_same_bits(
    step: int, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def figures(path: Path) -> list[tuple[Any, ...]]:
        return [
            (r.get("network"), r["event"], r["step"], r["loss"])
            for r in records(path)
            if r["event"] in ("train", "validation")
        ]

    config = make_config(model={"direction": "both"})
    straight = train_in(tmp_path / "straight", config)
    assert straight.steps == 39  # of each network
    resumed = train_with_a_stop_at(step, tmp_path / "resumed", config, monkeypatch)

    expected, found = weights(tmp_path / "straight"), weights(tmp_path / "resumed")
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert np.array_equal(tensor, found[name]), name
    assert figures(tmp_path / "resumed") == figures(tmp_path / "straight")
    assert resumed.mixture == straight.mixture
    assert resumed.first is not None
    assert straight.first is not None
    assert resumed.first.valid == straight.first.valid
    assert resumed.to_dict()["steps"] == straight.to_dict()["steps"] == 78


def test_a_pair_that_was_stopped_in_its_second_half_can_be_used_as_a_forward_model(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training.test_run import stopped_run

    stopped_run(tmp_path / "run", make_config(model={"direction": "both"}), 45, monkeypatch)

    model = load(tmp_path / "run")

    assert (model.direction, model.backward) == ("forward", None)
    assert model.complete("the cat").completions


def test_both_networks_of_a_pair_stop_early_each_by_its_own_validations(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "valid.txt").write_text("mat the on sat cat the\nlog a saw a dog\n")  # what training unlearns
    config = make_config(
        training={"max_epochs": 30, "learning_rate": 0.05, "patience": 2}, model={"direction": "both"}
    )
    outcome = train_in(tmp_path / "run", config)
    assert outcome.first is not None
    assert (outcome.first.reason, outcome.reason) == ("stopped early", "stopped early")
    assert outcome.first.steps < 30 * 13 > outcome.steps


def test_the_minutes_of_a_pair_are_shared_by_its_networks(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(
        training={"max_epochs": 100_000, "max_minutes": 0.02, "engine": "float32", "threads": 1},
        model={"direction": "both"},
    )
    outcome = train_in(tmp_path / "run", config)
    assert outcome.first is not None
    assert (outcome.first.reason, outcome.reason) == ("time is up", "time is up")
    assert 0.2 < outcome.first.elapsed_s < 0.8
    assert 0.2 < outcome.elapsed_s < 0.8


def test_without_a_validation_text_both_networks_weigh_the_same(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    outcome = train_in(tmp_path / "run", make_config(model={"direction": "both"}, data={"valid": None}))
    assert outcome.mixture is None
    assert outcome.report()[-1] == "Without a validation text both weigh the same."
    assert load(tmp_path / "run").forward_weight == 0.5


def test_where_only_the_words_behind_decide_what_reads_backwards_and_a_pair_know(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    """The second word is said again at the end: nothing before it tells which it is."""
    chance = random.Random(1)
    words = ["red", "blue", "green", "black", "white", "brown"]

    def line() -> str:
        return f"see {(word := chance.choice(words))} {chance.choice(['birds', 'cats'])} that are {word}"

    for name, lines in (("train", 600), ("valid", 40)):
        (tmp_path / f"{name}.txt").write_text("".join(f"{line()}\n" for _ in range(lines)))
    questions = [line().split() for _ in range(60)]

    def right(direction: str) -> float:
        config: Config = make_config(
            data={"mode": "lines"},
            model={"direction": direction, "hidden_size": 24, "embedding_size": 12},
            training={"batch_size": 10, "bptt_steps": 10, "max_epochs": 4, "learning_rate": 0.02},
        )
        train_in(tmp_path / direction, config)
        model = load(tmp_path / direction)
        texts = [f"see ____ {' '.join(words[2:])}" for words in questions]
        results = model.predict(texts, top=1)
        return sum(
            result.completions[0].words == [words[1]]  # type: ignore[union-attr]
            for result, words in zip(results, questions, strict=True)
        ) / len(questions)

    assert right("backward") > 0.95
    assert right("both") > 0.95
    guesses = load(tmp_path / "both").predict(["see"], top=6)[0]  # what can be known from the left alone
    assert max(c.probability for c in guesses.completions) < 0.4  # type: ignore[union-attr]
