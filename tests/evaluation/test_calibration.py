import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError, TextError
from rnn_cli.evaluation.calibration import fit_temperature
from rnn_cli.evaluation.model import Model
from rnn_cli.evaluation.text import evaluate_text
from rnn_cli.model_file import ModelFile, read_model_file, store_fitted, write_model_file
from rnn_cli.text.tokenizer import Tokenizer

MakeModelFile = Callable[..., ModelFile]
LINES = ["My dish is pasta.", "Is it? It is!", "So, my favourite cuisine is Italian."] * 3


@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_temperature_fitted_is_the_best_of_all(
    make_model_file: MakeModelFile, mode: str, output: str
) -> None:
    model_file = make_model_file(mode=mode, scale=0.3)
    ids = Tokenizer.from_json(model_file.tokenizer_json).encode(" ".join(LINES))
    counts = np.bincount(ids, minlength=len(model_file.tensors["c"]))
    model_file.tensors["c"][:] = 2 * np.log(counts + 1)  # it knows how frequent words are, and is too sure
    model_file.config["model"]["output_activation"] = output
    fitted = fit_temperature(Model.from_model_file(model_file, name="x"), LINES)

    def loss(temperature: float) -> float:
        model = Model.from_model_file(replace(model_file, calibration={"temperature": temperature}), name="x")
        return evaluate_text(model, LINES, batch_size=4).perplexity.loss

    assert fitted.loss_before == pytest.approx(loss(1.0), rel=1e-5)
    assert fitted.loss_after == pytest.approx(loss(fitted.temperature), rel=1e-5)
    for other in np.geomspace(0.1, 10, 21):
        assert loss(float(other)) >= fitted.loss_after - 1e-6
    assert loss(fitted.temperature * 1.05) > fitted.loss_after < loss(fitted.temperature / 1.05)


def test_a_model_that_knew_nothing_gets_as_hot_as_is_allowed(make_model_file: MakeModelFile) -> None:
    model_file = make_model_file(scale=0.0)
    model_file.tensors["c"][2] = 5.0  # always sure of a word that does not come

    fitted = fit_temperature(Model.from_model_file(model_file, name="x"), ["Is it?"] * 5)

    assert fitted.temperature > 15


def test_only_the_first_tokens_are_used(
    make_model_file: MakeModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model.from_model_file(make_model_file(), name="x")
    monkeypatch.setattr("rnn_cli.evaluation.calibration.MOST_TOKENS", 7)

    fitted = fit_temperature(model, LINES)
    assert fitted.tokens == 7
    log_probs = [token.log_prob for line in model.score("\n".join(LINES)).lines for token in line.tokens]
    assert fitted.loss_before == pytest.approx(
        -np.mean(log_probs[:7]), rel=1e-5
    )  # no end where a line is cut


def test_a_text_without_words_is_refused(make_model_file: MakeModelFile) -> None:
    with pytest.raises(TextError) as error:
        fit_temperature(Model.from_model_file(make_model_file(mode="lines"), name="x"), [""])

    assert str(error.value) == "The text has no words to calibrate with."


def test_a_calibration_is_stored_and_all_else_stays(tmp_path: Path, make_model_file: MakeModelFile) -> None:
    path = tmp_path / "model.safetensors"
    before = make_model_file()
    write_model_file(path, before)

    store_fitted(tmp_path, calibration={"temperature": 2.0, "text": "valid.txt"})
    store_fitted(path, calibration={"temperature": 1.5, "text": "valid.txt"})

    after = read_model_file(path)
    assert after.calibration == {"temperature": 1.5, "text": "valid.txt"}
    assert before.calibration is None
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[name], tensor)
    assert replace(after, tensors={}, calibration=None) == replace(before, tensors={})
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_calibrated_model_applies_it_everywhere(make_model_file: MakeModelFile) -> None:
    plain = Model.from_model_file(make_model_file(), name="x")
    model = Model.from_model_file(replace(make_model_file(), calibration={"temperature": 2.0}), name="x")

    assert (plain.temperature, model.temperature) == (1.0, 2.0)
    log_probs = np.array([c.log_prob for c in plain.complete("My __", top=1000).completions]) / 2
    expected = log_probs - np.logaddexp.reduce(log_probs)
    assert [c.log_prob for c in model.complete("My __", top=1000).completions] == pytest.approx(
        list(expected), abs=1e-5
    )
    assert model.score("My dish").log_prob != pytest.approx(plain.score("My dish").log_prob, abs=1e-2)
    assert model.predict(["My"])[0] != plain.predict(["My"])[0]


@pytest.mark.parametrize("temperature", [0, -1, 1000, "2", None, float("nan")])
def test_a_temperature_that_cannot_be_is_refused(make_model_file: MakeModelFile, temperature: object) -> None:
    model_file = replace(make_model_file(), calibration={"temperature": temperature})

    with pytest.raises(ModelFileError) as error:
        Model.from_model_file(model_file, name="x")

    assert str(error.value) == (
        f"x: the calibration's temperature is {temperature!r}; it has to be a number from 0.01 to 100. "
        "Calibrate anew."
    )


def test_what_was_fitted_is_json(make_model_file: MakeModelFile) -> None:
    fitted = fit_temperature(Model.from_model_file(make_model_file(), name="x"), LINES)

    assert list(json.loads(json.dumps(fitted.to_dict()))) == [
        "temperature", "tokens", "loss_before", "loss_after",
    ]  # fmt: skip
