"""The two implementations of the network, torch for training and NumPy for use, from the same model file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rnn_cli.config import HIDDEN_ACTIVATIONS, Config, config_to_dict
from rnn_cli.inference import load
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model.losses import log_probs
from rnn_cli.model_tensors import CELLS
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.training.build import build_model
from rnn_cli.training.saving import Provenance, load_weights, save_model

TEXT = ["the cat sat on the mat", "a dog saw the cat"]
WORDS = torch.tensor([[1, 3], [5, 2], [2, 2], [7, 4], [3, 8]])  # (T, B)


def make(tmp_path: Path, **model_settings: object) -> tuple[LanguageModel, Path]:
    """A torch model with weights large enough to matter, and its file."""
    tie = model_settings.pop("tie_embeddings", False)
    mode = model_settings.pop("mode", "stream")
    config = Config.model_validate(
        {
            "data": {"train": "train.txt", "mode": mode},
            "model": {"embedding_size": 12, "hidden_size": 12, **model_settings},
            "output": {"tie_embeddings": tie},
        }
    )
    tokenizer = Tokenizer.train(TEXT)
    torch.manual_seed(0)
    model = build_model(config, np.arange(tokenizer.vocab_size))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.4, 0.4)
    path = tmp_path / "model.safetensors"
    save_model(path, model, Provenance(config_to_dict(config), tokenizer.to_json(), {}), {})
    return model.eval(), path


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("output_activation", ["softmax", "sigmoid"])
def test_numpy_equals_torch_to_a_hundred_thousandth(
    activation: str, output_activation: str, tmp_path: Path
) -> None:
    model, path = make(
        tmp_path, hidden_activation=activation, output_activation=output_activation, num_layers=2
    )
    with torch.inference_mode():
        hidden, state = model.unroll(WORDS, model.initial_state(2))
        expected = log_probs(model.logits(hidden), output_activation).numpy()
    engine = load(path).engine
    found_hidden, found_state = engine.read(WORDS.numpy(), engine.initial_state(2))
    np.testing.assert_allclose(found_hidden, hidden.numpy(), atol=1e-5)
    np.testing.assert_allclose(engine.log_probs(found_hidden), expected, atol=1e-5)
    for found, layer in zip(found_state, state, strict=True):
        np.testing.assert_allclose(found, layer.numpy(), atol=1e-5)


@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_model_of_any_cell_completes_with_the_probabilities_that_torch_gives(
    cell: str, num_layers: int, mode: str, tmp_path: Path
) -> None:
    model, path = make(tmp_path, cell=cell, num_layers=num_layers, mode=mode)
    trained = load(path)
    before = [trained.tokenizer.eos_id, *trained.tokenizer.encode("the cat sat on")[:4]]
    with torch.inference_mode():
        hidden, _ = model.unroll(torch.tensor(before)[:, None], model.initial_state(1))
        expected = log_probs(model.logits(hidden[-1, 0]), "softmax").numpy()
    completions = trained.complete("the cat sat on ____", top=5).completions
    pieces = [piece.strip() for piece in trained.tokenizer.pieces]
    for completion in completions:
        word = pieces.index(completion.words[0])
        assert completion.joint_log_prob == pytest.approx(expected[word], abs=1e-5)


def test_tied_tables_come_back_tied(tmp_path: Path) -> None:
    model, path = make(tmp_path, tie_embeddings=True)
    with torch.inference_mode():
        hidden, _ = model.unroll(WORDS, model.initial_state(2))
        expected = log_probs(model.logits(hidden), "softmax").numpy()
    engine = load(path).engine
    found, _ = engine.read(WORDS.numpy(), engine.initial_state(2))
    np.testing.assert_allclose(engine.log_probs(found), expected, atol=1e-5)


@pytest.mark.parametrize("sizes", [{}, {"embedding_size": 7}], ids=["one size", "projected"])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_numpy_equals_torch_with_norms_and_with_a_projection(
    cell: str, layer_norm: bool, sizes: dict[str, int], tmp_path: Path
) -> None:
    settings = {"cell": cell, "layer_norm": layer_norm, "num_layers": 2, "tie_embeddings": True, **sizes}
    model, path = make(tmp_path, **settings)
    assert (model.P is not None, len(model.norms)) == (bool(sizes), 2 if layer_norm else 0)
    with torch.inference_mode():
        hidden, state = model.unroll(WORDS, model.initial_state(2))
        expected = log_probs(model.logits(hidden), "softmax").numpy()
    engine = load(path).engine
    found, found_state = engine.read(WORDS.numpy(), engine.initial_state(2))
    np.testing.assert_allclose(engine.log_probs(found), expected, atol=1e-5)
    for one, layer in zip(found_state, state, strict=True):
        np.testing.assert_allclose(one, layer.numpy(), atol=1e-5)
    last, _ = engine.read_each(WORDS.numpy().T.tolist())
    np.testing.assert_allclose(engine.log_probs(last), expected[-1], atol=1e-5)


def test_a_model_file_gives_torch_its_weights_back(tmp_path: Path) -> None:
    model, path = make(tmp_path)
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    load_weights(path, model)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.detach(), expected[name]), name
