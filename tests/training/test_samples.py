"""What the network in training writes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.corpus import prepare_corpus
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.training.samples import Sampler, prompts_in


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["the cat sat on the mat"])


def sampler(tokenizer: Tokenizer, opening: str = "the cat", prompts: Sequence[str] = ()) -> Sampler:
    return Sampler(
        tokenizer,
        opening,
        prompts,
        cell="elman",
        hidden_activation="tanh",
        output_activation="softmax",
        independent_lines=False,
    )


def network(tokenizer: Tokenizer) -> LanguageModel:
    """After any word, "sat" is likely."""
    torch.manual_seed(0)
    model = LanguageModel(vocab_size=tokenizer.vocab_size, embedding_size=3, hidden_size=4, dropout=0.5)
    with torch.no_grad():
        model.c[tokenizer.pieces.index(" sat")] = 9.0
    return model.train()


def test_a_sample_goes_on_with_the_opening(tokenizer: Tokenizer) -> None:
    found = sampler(tokenizer).sample(network(tokenizer), 7)
    assert found is not None
    assert found.step == 7
    assert found.text.startswith("the cat sat sat sat")
    assert len(found.text.split()) == 22
    assert found.completions == []


def test_the_same_prompts_are_completed_each_time(tokenizer: Tokenizer) -> None:
    writer = sampler(tokenizer, prompts=["the cat ____ on the mat", "on", "x ____"])
    model = network(tokenizer)
    before, after = writer.sample(model, 1), None
    with torch.no_grad():
        model.c[tokenizer.pieces.index(" mat")] = 30.0
    after = writer.sample(model, 2)
    assert before is not None
    assert after is not None
    assert [(one["prompt"], one["word"]) for one in before.completions] == [
        ("the cat", "sat"),
        ("on", "sat"),
        ("x", "sat"),
    ]
    assert [one["word"] for one in after.completions] == ["mat"] * 3
    assert 0.9 < before.completions[0]["probability"] < after.completions[0]["probability"] == 1
    assert json.loads(json.dumps(after.to_record()))["completions"] == after.completions


def test_a_line_that_is_no_prompt_is_not_completed(tokenizer: Tokenizer) -> None:
    lines = ["_" * 60, "____ sat on the mat", "the cat" + " __ sat" * 11, "the cat"]
    found = sampler(tokenizer, prompts=lines).sample(network(tokenizer), 1)
    assert found is not None
    assert [one["prompt"] for one in found.completions] == ["the cat"]


def test_a_text_without_questions_has_the_beginnings_of_its_lines_as_prompts(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("too short\n" + "".join(f"this is line number {n} of ten\n" for n in range(10)))
    words = Tokenizer.train(path.read_text().splitlines())
    found = prompts_in(prepare_corpus([path], words), words)
    assert found == ["this is line number" for _ in range(6)]
    letters = Tokenizer.train(path.read_text().splitlines(), kind="char")
    found = prompts_in(prepare_corpus([path], letters), letters)
    assert found[:2] == ["too s", "this is line n"]
    path.write_text("short\n")
    assert prompts_in(prepare_corpus([path], words), words) == []


def test_the_same_network_writes_the_same_and_draws_no_number_of_torchs(tokenizer: Tokenizer) -> None:
    model, writer = network(tokenizer), sampler(tokenizer)
    before = torch.get_rng_state()
    assert writer.sample(model, 1) == writer.sample(model, 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


def test_a_network_out_of_bounds_writes_nothing(tokenizer: Tokenizer) -> None:
    model = network(tokenizer)
    with torch.no_grad():
        model.c.fill_(float("nan"))
    assert sampler(tokenizer, prompts=["the cat"]).sample(model, 1) is None


def test_a_sample_is_one_printable_line() -> None:
    tokenizer = Tokenizer.train(["a\tb\x07c"], kind="char")
    found = sampler(tokenizer, opening="a\t", prompts=["a"]).sample(network_of_bells(tokenizer), 1)
    assert found is not None
    assert found.text.isprintable()
    assert [one["word"].isprintable() for one in found.completions] == [True]


def network_of_bells(tokenizer: Tokenizer) -> LanguageModel:
    model = LanguageModel(vocab_size=tokenizer.vocab_size, embedding_size=3, hidden_size=4)
    with torch.no_grad():
        model.c[tokenizer.pieces.index("\x07")] = 9.0
    return model
