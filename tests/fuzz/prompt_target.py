"""Prompts: a completion with sound probabilities, or one message; as an argument of `complete` and as a line."""

import json
import math
import random
from typing import Any

from rnn_cli.cli.predict import _answers
from rnn_cli.errors import UsageError
from rnn_cli.inference import CompletionResult, TrainedModel
from rnn_cli.inference.prompt import Prompt
from tests.fuzz import nasty
from tests.fuzz.models import KINDS, WORDS, tiny_model_file

_ODD_NUMBERS = (
    0,
    1,
    2,
    3,
    5,
    999,
    1001,
    -1,
    10**12,
    10**400,
    0.5,
    -0.0,
    1e-300,
    5e-324,
    1e308,
    math.inf,
    math.nan,
)
_OPTIONS = ("top", "temperature", "top_k", "top_p", "samples", "seed", "max_words")


class PromptTarget:
    """Completes random texts with tiny models of every kind."""

    name = "prompt"

    def __init__(self) -> None:
        self._models = [TrainedModel.from_model_file(tiny_model_file(kind), name="tiny") for kind in KINDS]

    def make(self, rng: random.Random) -> bytes:
        """JSON: which model, the text, and options; or a model and the bytes of a line as latin-1."""
        which = rng.randrange(len(KINDS))
        text = nasty.text(rng, WORDS)
        if rng.random() < 0.3:
            return json.dumps([which, _line(rng, text).decode("latin-1")]).encode()
        options: dict[str, Any] = {"max_words": rng.randint(1, 4)}
        for _ in range(rng.randrange(3)):
            name = rng.choice(_OPTIONS)
            good = 0.5 if name == "top_p" else rng.randint(1, 3)
            options[name] = rng.choice(_ODD_NUMBERS) if rng.random() < 0.3 else good
        if (
            options["max_words"] == 999
        ):  # random models do not end their sentences: that is work, not a finding
            options["max_words"] = 9
        if rng.random() < 0.2:
            options["choices"] = [nasty.text(rng, WORDS)[:9] for _ in range(rng.randrange(4))]
        if rng.random() < 0.1:
            options["blank_words"] = [rng.randint(0, 2), rng.randint(1, 3)]
        if rng.random() < 0.1:
            options["why"] = True
        return json.dumps([which, text, options]).encode()

    def check(self, data: bytes) -> str | None:
        """What comes back is sound, and can be printed as JSON."""
        which, text, *options = json.loads(data)
        model = self._models[which]
        if not options:
            (answer,) = _answers(model, [text.encode("latin-1")], 2)
            json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
            return _one_line(answer["error"]) if "error" in answer else None
        try:
            result = model.complete(text, **options[0])
        except UsageError as error:
            return _one_line(str(error))
        _check_sound(result, Prompt.parse(text), options[0])
        _check_scores(model, text)
        return None


def _line(rng: random.Random, text: str) -> bytes:
    """The text as a line of a file: plain, or in JSON, now and then with damage."""
    line = text
    if rng.random() < 0.5:
        line = json.dumps({"id": 1, "text": text, text[:3]: [text]}, ensure_ascii=rng.random() < 0.5)
    content = line.encode("utf-8", "surrogatepass")
    return nasty.damaged(rng, content) if rng.random() < 0.4 else content


def _one_line(message: str) -> str:
    assert message.isprintable(), "a message that cannot be printed on one line"
    return message


def _check_scores(model: TrainedModel, text: str) -> None:
    for line in model.score(text[:200]).lines:
        json.dumps(line.to_dict(), allow_nan=False, ensure_ascii=False).encode()
        assert math.isclose(line.log_prob, sum(token.log_prob for token in line.tokens), abs_tol=1e-6)
        words = sum(word.log_prob for word in line.words)
        tokens = sum(token.log_prob for token in line.tokens if token.word is not None)
        assert not line.words or math.isclose(words, tokens, abs_tol=1e-6), "words without their tokens"


def _check_sound(result: CompletionResult, prompt: Prompt, options: dict[str, Any]) -> None:
    json.dumps(result.to_dict(), allow_nan=False, ensure_ascii=False).encode()
    log_probs = [completion.log_prob for completion in result.completions]
    assert log_probs == sorted(log_probs, reverse=True), "not best first"
    for completion in result.completions:
        assert completion.log_prob <= 1e-5, "a probability above 1"
        assert math.isclose(completion.probability, math.exp(completion.log_prob)), "not the same probability"
        if prompt.right is not None:
            assert result.ranked is not None
            assert completion.text.startswith(prompt.left), "the left side was changed"
            assert completion.text.endswith(prompt.right), "the right side was changed"
            assert completion.fills is not None
            if "choices" not in options:
                fewest, most = options.get("blank_words", (1, 1))
                assert all(fewest <= len(words) <= most for words in completion.fills), (
                    "a blank without its words"
                )
    if prompt.right is None and len(result.completions) > 1:
        assert all(completion.text for completion in result.completions), "an empty continuation"
