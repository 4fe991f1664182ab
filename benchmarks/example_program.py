"""What the field's example program makes of a text in so many minutes, to stand beside `rnn train FILE --budget`.

    python -m benchmarks.example_program FOLDER lstm 2 5 10 30 60
    python -m benchmarks.example_program FOLDER tanh 2 5 10 30 60 --rate 5

FOLDER holds wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens. The network and its training are those of
pytorch/examples, word_language_model, as its README runs it (all defaults), written here with torch's own parts: two
layers of 200 units, dropout 0.2, 20 streams of 35 words, plain SGD from 20, a quarter of it after a validation that
is no better, gradients cut to 0.25. The clock stands still while the test text is read at the end of each budget.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measuring import print_table

UNITS, LAYERS, DROPOUT = 200, 2, 0.2
STREAMS, STEPS, CLIP = 20, 35, 0.25
STREAMS_MEASURED = 10
STALLED = 4.0
"""The learning rate is divided by this after a validation that is no better."""


class ExampleNetwork(nn.Module):
    """nn.Embedding, nn.LSTM or nn.RNN(tanh), nn.Linear, with dropout before, between and after the layers."""

    def __init__(self, kind: str, vocab_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, UNITS)
        layer = nn.LSTM if kind == "lstm" else nn.RNN
        self.rnn = layer(UNITS, UNITS, LAYERS, dropout=DROPOUT)
        self.output = nn.Linear(UNITS, vocab_size)
        self.dropout = nn.Dropout(DROPOUT)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, words: Tensor, state: object) -> tuple[Tensor, object]:
        """words (T, B) and the state before them give scores (T, B, vocab_size) and the state after."""
        hidden, state = self.rnn(self.dropout(self.embedding(words)), state)
        return self.output(self.dropout(hidden)), state


class Training:
    """Updates on and on, with a validation after each pass through the text."""

    def __init__(self, model: ExampleNetwork, train: Tensor, valid: Tensor, learning_rate: float) -> None:
        self.model, self.train, self.valid, self.learning_rate = model, train, valid, learning_rate
        self.state: object = None
        self.at = self.updates = 0
        self.best = math.inf

    def update(self) -> None:
        """By one window; behind the last one a validation."""
        self.model.train()
        words, targets = self.train[self.at : self.at + STEPS], self.train[self.at + 1 : self.at + STEPS + 1]
        scores, state = self.model(words[: len(targets)], self.state)
        self.state = _detached(state)
        self.model.zero_grad()
        functional.cross_entropy(scores.flatten(0, 1), targets.flatten()).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-self.learning_rate)
        self.updates += 1
        self.at += STEPS
        if self.at >= len(self.train) - 1:
            self._validate()

    def _validate(self) -> None:
        loss = math.log(perplexity(self.model, self.valid))
        if loss >= self.best:
            self.learning_rate /= STALLED
        self.best = min(self.best, loss)
        self.at, self.state = 0, None


def _detached(state: object) -> object:
    return state.detach() if isinstance(state, Tensor) else tuple(part.detach() for part in state)  # type: ignore[attr-defined]


@torch.no_grad()
def perplexity(model: ExampleNetwork, text: Tensor) -> float:
    """Of a text (length, B), the state carried; infinite where it cannot be written down."""
    model.eval()
    nll, state = 0.0, None
    for at in range(0, len(text) - 1, STEPS):
        targets = text[at + 1 : at + STEPS + 1]
        scores, state = model(text[at : at + len(targets)], state)
        nll += float(functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum"))
    mean = nll / ((len(text) - 1) * text.shape[1])
    return math.exp(mean) if mean < 700 else math.inf


def read(folder: Path) -> tuple[dict[str, Tensor], int]:
    """The ids of each text, and how many words there are in all three, as the example program counts them."""
    words: dict[str, int] = {}
    texts = {}
    for part in ("train", "valid", "test"):
        lines = (folder / f"wiki.{part}.tokens").read_text(encoding="utf-8").splitlines()
        ids = [words.setdefault(word, len(words)) for line in lines for word in [*line.split(), "<eos>"]]
        texts[part] = torch.tensor(ids)
    return texts, len(words)


def side_by_side(ids: Tensor, streams: int) -> Tensor:
    """A text as (length, streams); what is left over is dropped."""
    length = len(ids) // streams
    return ids[: length * streams].view(streams, length).T.contiguous()


def main(arguments: list[str]) -> None:
    """Train for the longest budget, measuring at the end of each."""
    parser = argparse.ArgumentParser("python -m benchmarks.example_program")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("kind", choices=["lstm", "tanh"])
    parser.add_argument("minutes", type=float, nargs="+", metavar="MINUTES")
    parser.add_argument("--rate", type=float, default=20.0, help="the learning rate at the beginning")
    parser.add_argument("--threads", type=int, help="of torch; all cores without it")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(1111)
    texts, vocab_size = read(options.folder)
    training = Training(
        ExampleNetwork(options.kind, vocab_size),
        side_by_side(texts["train"], STREAMS),
        side_by_side(texts["valid"], STREAMS_MEASURED),
        options.rate,
    )
    rows = measured(training, side_by_side(texts["test"], STREAMS_MEASURED), sorted(options.minutes))
    title = f"{options.kind}, learning rate {options.rate:g}, {torch.get_num_threads()} threads"
    print_table(title, ["minutes", "updates", "passes", "test perplexity"], rows)


def measured(training: Training, test: Tensor, minutes: list[float]) -> list[list[str]]:
    """A row for each budget; the test does not count."""
    rows = []
    elapsed_s = 0.0
    for budget in minutes:
        began = time.perf_counter() - elapsed_s
        while (elapsed_s := time.perf_counter() - began) < 60 * budget:
            training.update()
        passes = training.updates / math.ceil((len(training.train) - 1) / STEPS)
        found = perplexity(training.model, test)
        rows.append([f"{budget:g}", f"{training.updates:,}", f"{passes:.2f}", f"{found:,.1f}"])
        print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
