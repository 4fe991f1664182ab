"""A small model with random weights that can be measured."""

from collections.abc import Callable
from typing import Any

import pytest

from rnn_cli.evaluation.model import Model
from tests.inference import conftest as inference

make_model_file = inference.make_model_file


@pytest.fixture
def make_measured(make_model_file: inference.MakeModelFile) -> Callable[..., Model]:
    """`make_measured(mode="lines")`: what `make_model_file` makes, loaded with what evaluation adds."""

    def make(*args: Any, **kwargs: Any) -> Model:
        return Model.from_model_file(make_model_file(*args, **kwargs), name="small")

    return make
