"""A network into its model file, and back."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.errors import ModelFileError
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_file import read_model_file
from rnn_cli.training.saving import Provenance, load_weights, save_model


def make_model(*, seed: int = 0, tied: bool = False, num_layers: int = 2) -> LanguageModel:
    torch.manual_seed(seed)
    model = LanguageModel(
        vocab_size=7, embedding_size=4, hidden_size=4, num_layers=num_layers, tie_embeddings=tied
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1)
    return model


COUNTS = np.array([9, 5, 4, 3, 0, 2**53 + 1, 1])


def provenance(*, tied: bool = False, num_layers: int = 2) -> Provenance:
    model = {"cell": "elman", "embedding_size": 4, "hidden_size": 4, "num_layers": num_layers}
    config: dict[str, Any] = {"model": model, "output": {"tie_embeddings": tied}}
    return Provenance(
        config=config, tokenizer_json='{"été": 1}', training_data={"tokens": 145}, counts=COUNTS
    )


def test_every_weight_is_stored_under_its_letter(tmp_path: Path) -> None:
    model = make_model()
    save_model(tmp_path / "m", model, provenance(), {"step": 3})
    stored = read_model_file(tmp_path / "m")
    assert sorted(stored.tensors) == [
        "V", "c", "cells.0.W", "cells.0.b", "cells.1.W", "cells.1.b", "embedding",
    ]  # fmt: skip
    for name, parameter in model.named_parameters():
        assert np.array_equal(stored.tensors[name], parameter.detach().numpy()), name


def test_the_file_says_how_the_model_was_made_and_what_it_reached(tmp_path: Path) -> None:
    save_model(tmp_path / "m", make_model(), provenance(), {"step": 3, "valid": {"perplexity": 1.5}})
    stored = read_model_file(tmp_path / "m")
    assert stored.config == provenance().config
    assert stored.tokenizer_json == '{"été": 1}'
    assert stored.training_data == {"tokens": 145}
    assert stored.counts is not None
    assert stored.counts.tolist() == COUNTS.tolist()
    assert stored.metrics == {"step": 3, "valid": {"perplexity": 1.5}}


def test_a_state_saved_before_there_were_counts_can_be_resumed() -> None:
    made = provenance()
    said = {"config": made.config, "tokenizer_json": made.tokenizer_json, "training_data": made.training_data}
    before = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    assert made.fingerprint() == replace(made, counts=None).fingerprint() == before


def test_a_state_saved_before_there_was_a_key_can_be_resumed_where_it_is_not_used() -> None:
    def made(**data: Any) -> str:
        return replace(provenance(), config={"data": data}).fingerprint()

    assert made(mode="lines", measured_tokens=None) == made(mode="lines")
    assert made(mode="lines", measured_tokens=500) != made(mode="lines")


def test_a_state_saved_before_the_test_text_counted_can_be_resumed() -> None:
    def made(**data: Any) -> Provenance:
        return replace(provenance(), training_data={"tokens": 145, **data})

    texts = [made(test_files=[{"sha256": digits}]) for digits in ("12", "34")]
    assert texts[0].fingerprint() != texts[1].fingerprint()
    assert [set(text.fingerprints()) for text in texts] == [
        {text.fingerprint(), made().fingerprint()} for text in texts
    ]


def test_settings_that_change_nothing_about_the_weights_may_change_before_a_resume() -> None:
    def made(**sections: Any) -> Provenance:
        return replace(provenance(), config=sections)

    asked = made(
        data={"processes": 4, "mode": "lines"},
        training={"checkpoint_minutes": 5.0, "device": "cuda", "engine": "bfloat16", "threads": 4},
        logging={"tensorboard": True, "samples": True},
    )
    changed = made(
        data={"processes": None, "mode": "lines"},
        training={"checkpoint_minutes": 10.0, "device": "cpu", "engine": "float32", "threads": 1},
        logging={"tensorboard": False, "samples": True},
    )
    assert asked.fingerprint() == changed.fingerprint()
    assert asked.fingerprint() != made(data={"mode": "stream"}, training={}, logging={}).fingerprint()
    # Earlier versions had all but the device in it: their states are gone on from where nothing has changed.
    said = {name: value for name, value in asdict(replace(asked, counts=None)).items() if name != "counts"}
    del said["config"]["training"]["device"]
    before = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    assert before in asked.fingerprints()
    assert before not in changed.fingerprints()


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    model = make_model(tied=True)
    save_model(tmp_path / "m", model, provenance(tied=True), {})
    assert "V" not in read_model_file(tmp_path / "m").tensors
    other = make_model(seed=1, tied=True)
    load_weights(tmp_path / "m", other)
    assert other.V is other.embedding
    assert torch.equal(other.V, model.embedding)


def test_weights_come_back_bit_for_bit_with_the_metrics_of_their_file(tmp_path: Path) -> None:
    model, other = make_model(seed=0), make_model(seed=1)
    save_model(tmp_path / "m", model, provenance(), {"step": 3})
    assert load_weights(tmp_path / "m", other) == {"step": 3}
    for (name, expected), found in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(expected, found), name
        assert found.requires_grad


def test_saving_changes_neither_the_weights_nor_their_gradients(tmp_path: Path) -> None:
    model = make_model()
    model.c.grad = torch.ones(7)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    save_model(tmp_path / "m", model, provenance(), {})
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert torch.equal(model.c.grad, torch.ones(7))


def test_a_config_that_does_not_describe_the_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as error:
        save_model(tmp_path / "m", make_model(), provenance(num_layers=1), {})
    assert str(error.value) == (
        f"{tmp_path}/m: the tensor 'cells.1.W' has no place in a model with this config."
    )
    assert list(tmp_path.iterdir()) == []
