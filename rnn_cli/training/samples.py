"""What the network in training writes, to be looked at beside its figures."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from rnn_cli.errors import RnnError, UsageError
from rnn_cli.inference.completer import Completer
from rnn_cli.inference.completion import CompletionResult
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.prompt import Prompt
from rnn_cli.inference.request import Request
from rnn_cli.inference.sampling import Sampling
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.training.events import Sampled

PROMPTS = 6
FEWEST_TOKENS, MOST_TOKENS = 6, 24  # of a line that a prompt is made of, and of the prompt
WORDS = 20
TEMPERATURE = 0.7
"""Below 1: what the network thinks likely shows better than what chance makes of it."""


class Sampler:
    """Goes on with the opening of the training text; the same random numbers each time, so that samples compare.

    It also says which word comes next in a few prompts, always the same ones.

    Args:
        opening: the words to go on from.
        prompts: texts, of which what stands behind a blank is not looked at; those with nothing before it are left
            out, as are those that no model is asked.
        independent_lines: whether the network learns each line without memory of the one before.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        opening: str,
        prompts: Sequence[str] = (),
        *,
        cell: str,
        hidden_activation: str,
        output_activation: str,
        independent_lines: bool,
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt = Prompt(opening, segments=(opening,))
        self._asked = [left for prompt in prompts if (left := _without_what_is_behind(prompt)) is not None]
        self._cell = cell
        self._hidden_activation = hidden_activation
        self._output_activation = output_activation
        self._independent_lines = independent_lines

    def sample(self, model: LanguageModel, step: int) -> Sampled | None:
        """What the network does after so many updates; None while its numbers are out of bounds."""
        completer = self._completer(model)
        text = self._write(completer)
        return None if text is None else Sampled(step, text, self._complete(completer))

    def _completer(self, model: LanguageModel) -> Completer:
        tensors: dict[str, np.ndarray] = {
            name: p.detach().cpu().numpy() for name, p in model.named_parameters()
        }
        engine = Engine(
            tensors,
            num_layers=len(model.cells),
            cell=self._cell,
            hidden_activation=self._hidden_activation,
            output_activation=self._output_activation,
        )
        return Completer(engine, self._tokenizer, independent_lines=self._independent_lines)

    def _write(self, completer: Completer) -> str | None:
        """The opening and what the network adds to it, on one line."""
        sampling = Sampling(temperature=TEMPERATURE, samples=1, seed=0)
        with suppress(RnnError, ValueError, IndexError):
            result = completer.sampled_continuations(self._prompt, top=1, max_words=WORDS, sampling=sampling)
            return _in_one_line(result.completions[0].text)
        return None

    def _complete(self, completer: Completer) -> list[dict[str, Any]]:
        """The prompts with what the network says next and its probability; without those that it cannot read."""
        found = []
        for result in completer.answers([Request(prompt) for prompt in self._asked], top=1):
            if isinstance(result, CompletionResult) and result.completions:
                best = result.completions[0]
                word = _in_one_line(" ".join(best.words))
                found.append({"prompt": result.text, "word": word, "probability": round(best.probability, 4)})
        return found


def prompts_in(corpus: Corpus, tokenizer: Tokenizer) -> list[str]:
    """The first half of each of a few lines of a text, spread over it: prompts for a text without questions."""
    starts, lengths = corpus.line_spans()
    long = np.flatnonzero(lengths >= FEWEST_TOKENS)
    chosen = long[np.arange(min(PROMPTS, len(long))) * len(long) // max(1, min(PROMPTS, len(long)))]
    return [
        tokenizer.decode(corpus.ids[start : start + min(length // 2, MOST_TOKENS)].tolist()).strip()
        for start, length in zip(starts[chosen], lengths[chosen], strict=True)
    ]


def _without_what_is_behind(text: str) -> Prompt | None:
    """The left side of a prompt's first blank: the next word is found in a moment, while a blank is weighed.

    None where nothing stands there, or `Prompt.parse` refuses it: a line of a text may be all underscores.
    """
    try:
        left = Prompt.parse(text).left.rstrip()
    except UsageError:
        return None
    return Prompt(left, segments=(left,)) if left else None


def _in_one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
