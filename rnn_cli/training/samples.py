"""What the network in training writes, to be looked at beside its figures."""

from contextlib import suppress

import numpy as np

from rnn_cli.errors import RnnError
from rnn_cli.inference.completer import Completer
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.prompt import Prompt
from rnn_cli.inference.sampling import Sampling
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.tokenizer import Tokenizer

WORDS = 20
TEMPERATURE = 0.7
"""Below 1: what the network thinks likely shows better than what chance makes of it."""


class Sampler:
    """Goes on with the opening of the training text; the same random numbers each time, so that samples compare.

    Args:
        opening: the words to go on from.
        independent_lines: whether the network learns each line without memory of the one before.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        opening: str,
        *,
        cell: str,
        hidden_activation: str,
        output_activation: str,
        independent_lines: bool,
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt = Prompt(opening, segments=(opening,))
        self._cell = cell
        self._hidden_activation = hidden_activation
        self._output_activation = output_activation
        self._independent_lines = independent_lines

    def write(self, model: LanguageModel) -> str | None:
        """The opening and what the network adds to it, on one line; None while its numbers are out of bounds."""
        tensors: dict[str, np.ndarray] = {name: p.detach().numpy() for name, p in model.named_parameters()}
        engine = Engine(
            tensors,
            num_layers=len(model.cells),
            cell=self._cell,
            hidden_activation=self._hidden_activation,
            output_activation=self._output_activation,
        )
        completer = Completer(engine, self._tokenizer, independent_lines=self._independent_lines)
        sampling = Sampling(temperature=TEMPERATURE, samples=1, seed=0)
        with suppress(RnnError, ValueError, IndexError):
            result = completer.sampled_continuations(self._prompt, top=1, max_words=WORDS, sampling=sampling)
            text = "".join(c if c.isprintable() else " " for c in result.completions[0].text)
            return " ".join(text.split())
        return None
