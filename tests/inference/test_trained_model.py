import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError, UsageError
from rnn_cli.inference import CompletionResult, TrainedModel, find_model, load
from rnn_cli.model_file import ModelFile, write_model_file

MakeModelFile = Callable[..., ModelFile]
MakeModel = Callable[..., TrainedModel]


def finished_run(path: Path, *, seconds: int) -> Path:
    path.mkdir(parents=True)
    (path / "model.safetensors").touch()
    (path / "summary.json").touch()
    os.utime(path / "summary.json", (seconds, seconds))
    return path


def test_a_model_comes_from_its_file_or_the_folder_of_its_run(
    tmp_path: Path, make_model_file: MakeModelFile
) -> None:
    model_file = make_model_file()
    write_model_file(tmp_path / "model.safetensors", model_file)

    for path in (tmp_path, tmp_path / "model.safetensors", str(tmp_path)):
        model = load(path)

        assert model.config == model_file.config
        assert model.metrics == {"valid": None}
        assert model.tokenizer.to_json() == model_file.tokenizer_json
        assert model.complete("My _____").completions[0].log_prob < 0


def test_a_vocabulary_of_another_model_is_refused(make_model_file: MakeModelFile) -> None:
    other = make_model_file(["a b c"])

    with pytest.raises(ModelFileError) as error:
        TrainedModel.from_model_file(
            replace(make_model_file(), tokenizer_json=other.tokenizer_json), name="x"
        )

    assert str(error.value) == (
        "x: the vocabulary has 5 tokens and the weights are for 30; they do not belong together."
    )


@pytest.mark.parametrize(
    ("key", "value"), [("cell", "esn"), ("hidden_activation", "swoosh"), ("output_activation", "sparsemax")]
)
def test_an_equation_that_is_not_known_is_named(make_model_file: MakeModelFile, key: str, value: str) -> None:
    model_file = make_model_file()
    model_file.config["model"][key] = value

    with pytest.raises(ModelFileError) as error:
        TrainedModel.from_model_file(model_file, name="x")

    assert str(error.value) == (
        f"x: the model's {key} is {value!r}, which this rnn_cli does not know. A newer rnn_cli may."
    )


def test_a_config_without_a_section_is_refused(make_model_file: MakeModelFile) -> None:
    model_file = make_model_file()
    del model_file.config["data"]

    with pytest.raises(ModelFileError) as error:
        TrainedModel.from_model_file(model_file, name="x")

    assert str(error.value) == "x: the model's config is not complete ('data')."


def test_a_damaged_tokenizer_is_refused(make_model_file: MakeModelFile) -> None:
    with pytest.raises(ModelFileError) as error:
        TrainedModel.from_model_file(replace(make_model_file(), tokenizer_json="{}"), name="x")

    assert str(error.value) == "x: This is not a tokenizer of rnn_cli."


def test_what_a_file_says_of_itself_is_shown_in_one_short_line(make_model_file: MakeModelFile) -> None:
    model_file = make_model_file()
    tokenizer = json.dumps({"format_version": "1\n\x1b[2J" + "x" * 1_000_000})
    model_file.config["model"]["cell"] = "gru\n\x1b[2J" + "x" * 1_000_000

    for changed in (model_file, replace(make_model_file(), tokenizer_json=tokenizer)):
        with pytest.raises(ModelFileError) as error:
            TrainedModel.from_model_file(changed, name="x")
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 250


def test_the_model_given_goes_before_the_variable_and_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished_run(Path("runs/old"), seconds=1_000)
    new = finished_run(Path("runs/new"), seconds=2_000)
    finished_run(Path("runs/no-model"), seconds=3_000).joinpath("model.safetensors").unlink()
    finished_run(Path("runs/not-finished"), seconds=4_000).joinpath("summary.json").unlink()

    assert find_model(None) == new
    monkeypatch.setenv("RNN_MODEL", "elsewhere")
    assert find_model(None) == Path("elsewhere")
    assert find_model("given") == Path("given")


def test_without_any_model_the_message_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModelFileError) as error:
        find_model(None)

    assert str(error.value) == (
        "There is no finished run in ./runs, and no model is named with --model or in the variable RNN_MODEL. "
        "Make a model with: rnn train my.txt"
    )


def test_a_blank_gets_five_completions_and_a_continuation_is_one(make_model: MakeModel) -> None:
    model = make_model()

    assert len(model.complete("My _____").completions) == 5
    assert len(model.complete("My").completions) == 1
    assert len(model.complete("My _____", top=2).completions) == 2
    assert len(model.complete("My", top=3).completions) == 3


def test_completions_come_best_first(make_model: MakeModel) -> None:
    model = make_model()

    for result in (
        model.complete("My _____", top=20),
        model.complete("My", top=5),
        model.complete("My", samples=9, seed=1),
    ):
        log_probs = [completion.log_prob for completion in result.completions]
        assert log_probs == sorted(log_probs, reverse=True)
        for completion in result.completions:
            assert completion.probability == pytest.approx(np.exp(completion.log_prob))
            assert "<unk>" not in completion.text


def test_a_continuation_has_the_number_of_words_that_was_allowed(make_model: MakeModel) -> None:
    model = make_model()

    for max_words in (1, 2, 3):
        for completion in model.complete("My", top=4, max_words=max_words).completions:
            assert sum(word.isalnum() for word in completion.words) <= max_words


@pytest.mark.parametrize(
    "option", [{"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.9}, {"samples": 2}, {"seed": 1}]
)
def test_any_option_of_chance_draws(make_model: MakeModel, option: dict[str, Any]) -> None:
    model = make_model()

    completions = model.complete("My favourite", **option).completions

    assert len(completions) == option.get("samples", 1)


def test_the_same_seed_draws_the_same(make_model: MakeModel) -> None:
    model = make_model(kind="char")

    first = model.complete("My", samples=3, seed=5, max_words=3)
    second = model.complete("My", samples=3, seed=5, max_words=3)

    assert first == second
    assert first != model.complete("My", samples=3, seed=6, max_words=3)


def test_of_those_drawn_the_best_are_kept(make_model: MakeModel) -> None:
    model = make_model()

    kept = model.complete("My", samples=6, seed=5, top=2).completions

    assert kept == model.complete("My", samples=6, seed=5).completions[:2]


def test_temperature_0_is_the_best_piece_each_time(make_model: MakeModel) -> None:
    model = make_model()

    (drawn,) = model.complete("My favourite", temperature=0).completions

    assert drawn.text == model.complete("My favourite").completions[0].text


def test_an_option_of_chance_does_not_go_with_a_blank(make_model: MakeModel) -> None:
    with pytest.raises(UsageError) as error:
        make_model().complete("My _____", top_k=3, seed=1)

    assert str(error.value) == (
        "--top-k is for drawing a continuation; the words for a blank are ranked, not drawn. Leave it out."
    )


@pytest.mark.parametrize("option", ["top", "max_words", "temperature", "top_k", "top_p", "samples", "seed"])
def test_options_out_of_range_are_refused_with_their_name(make_model: MakeModel, option: str) -> None:
    out_of_range: dict[str, Any] = {option: -1}
    with pytest.raises(UsageError) as error:
        make_model().complete("My", **out_of_range)

    assert str(error.value).startswith(f"--{option.replace('_', '-')} is -1; it has to be ")


def test_the_number_of_predictions_is_checked(make_model: MakeModel) -> None:
    with pytest.raises(UsageError) as error:
        make_model().predict(["My"], top=0)

    assert str(error.value) == "--top is 0; it has to be a whole number from 1 to 1,000."


def test_a_prompt_that_cannot_be_answered_does_not_stop_the_others(make_model: MakeModel) -> None:
    first, second, third = make_model().predict(["My _____", "_____", "Is"])

    assert isinstance(first, CompletionResult)
    assert isinstance(third, CompletionResult)
    assert (first.text, third.text) == ("My _____", "Is")
    assert isinstance(second, UsageError)
    assert str(second).startswith("The text is nothing but a blank")


def test_predicting_nothing_gives_nothing(make_model: MakeModel) -> None:
    assert make_model().predict([]) == []


def test_where_lines_are_independent_the_line_before_does_not_matter(make_model: MakeModel) -> None:
    def log_prob(mode: str, text: str) -> float:
        return make_model(mode=mode).complete(text, top=1).completions[0].log_prob

    assert log_prob("lines", "Is it?\nMy _____") == log_prob("lines", "My _____")
    assert log_prob("stream", "Is it?\nMy _____") != log_prob("stream", "My _____")


def test_words_that_the_model_does_not_know_are_named(make_model: MakeModel) -> None:
    result = make_model().complete("My favorite dish is _____ or ramen.")

    assert result.unknown == ["favorite", "or", "ramen"]


def test_near_words_come_from_the_vocabulary(make_model: MakeModel) -> None:
    assert make_model().nearest_words("favorite") == ["favourite"]
    assert make_model().nearest_words("SUSHI") == ["sushi"]
    assert make_model(kind="char").nearest_words("é") == []


def test_the_result_is_json(make_model: MakeModel) -> None:
    for settings in ({}, {"kind": "char"}, {"kind": "bpe", "max_size": 290}):
        model = make_model(**settings)
        for text in ("", "It __", "My favourite dish is", "My favourite dish is __."):
            record = json.loads(json.dumps(model.complete(text, top=2).to_dict(), allow_nan=False))

            assert list(record)[:3] == ["text", "completions", "unknown"]
            for completion in record["completions"]:
                assert list(completion)[:4] == ["text", "words", "probability", "log_prob"]


def test_inference_needs_neither_torch_nor_pydantic() -> None:
    script = (
        "import sys, rnn_cli.inference, rnn_cli.evaluation.questions\n"
        "print([name for name in ('torch', 'pydantic', 'fsspec', 'rich') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("predict", "predict takes a list of texts. For one text: complete(text)."),
        ("sentence_log_probs", "sentence_log_probs takes a list of sentences. For one text: score(text)."),
    ],
)
def test_one_text_where_a_list_belongs_is_not_taken_for_its_letters(
    make_model: MakeModel, method: str, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        getattr(make_model(), method)("My dish")
    assert str(error.value) == message
