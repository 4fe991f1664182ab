"""`rnn predict` beside calling the torch model prompt by prompt, and what a generated word costs after any text.

    python -m benchmarks.inference [PROMPTS]

A random network of 33,278 words and 256 units, prompts of 5 to 20 words, the best five next words. Ours is
`TrainedModel.predict`, which `rnn predict` calls with 1,024 lines at a time; the other way reads one prompt after the
other with torch's nn.RNN, either calling the model as it is, which scores every position, or taking care to score the
last one only. Bars: 20 times as many prompts a second as calling the model, and a cost per generated word that does
not depend on how long the text before it is.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.measuring import Times, print_table, take_turns
from benchmarks.peer import Peer
from benchmarks.random_model import random_model
from rnn_cli.inference.trained_model import TrainedModel

VOCAB_SIZE, H = 33_278, 256
BAR = 20
BY_TORCH = 40  # prompts in a turn: one by one they take long enough


def random_prompts(number: int, words: tuple[int, int] = (5, 20)) -> list[str]:
    """Texts of w-words."""
    random = np.random.default_rng(0)
    return [
        " ".join(f"w{i}" for i in random.integers(VOCAB_SIZE - 2, size=random.integers(*words)))
        for _ in range(number)
    ]


@torch.inference_mode()
def one_by_one(model: Peer, prompts: list[torch.Tensor], *, last_only: bool) -> None:
    """What a script around a torch model does."""
    for ids in prompts:
        if last_only:
            hidden, _ = model.rnn(model.embedding(ids), torch.zeros(1, 1, H))
            scores = model.output(hidden[-1:])
        else:
            scores, _ = model(ids, torch.zeros(1, 1, H))
        torch.softmax(scores[-1, 0], dim=0).topk(5)


def main(arguments: list[str]) -> None:
    """Measure and print the tables."""
    number = int(arguments[0]) if arguments else 1024
    model = random_model(vocab_size=VOCAB_SIZE, size=H)
    prompts = random_prompts(number)
    peer = Peer(vocab_size=VOCAB_SIZE, embedding_size=H, hidden_size=H)
    as_ids = [torch.randint(VOCAB_SIZE, (len(prompt.split()) + 1, 1)) for prompt in prompts[:BY_TORCH]]
    ways: dict[str, Callable[[], object]] = {
        "rnn predict": lambda: model.predict(prompts),
        "torch, the model called": lambda: one_by_one(peer, as_ids, last_only=False),
        "torch, the last position only": lambda: one_by_one(peer, as_ids, last_only=True),
    }
    times = take_turns(ways, turns=5)
    rows = [["rnn predict", f"{number / times['rnn predict'].median:,.0f}", "", "", ""]]
    for name in list(ways)[1:]:
        ratio = Times(
            tuple(one * number / BY_TORCH for one in times[name].ratio_to(times["rnn predict"]).seconds)
        )
        bar = f"{BAR}" if "called" in name else ""
        rows.append(
            [name, f"{BY_TORCH / times[name].median:,.0f}", f"{ratio.median:.1f}", ratio.spread(1), bar]
        )
    print_table(
        f"The next word for {number:,} prompts, {VOCAB_SIZE:,} words, {H} units",
        ["way", "prompts/s", "rnn predict is faster by", "range", "bar"],
        rows,
    )
    rows = []
    for words in (10, 100, 1_000, 10_000):
        (prompt,) = random_prompts(1, (words, words + 1))
        one, many = (generation_s(model, prompt, length) for length in (20, 120))
        rows.append([f"{words:,}", f"{(many - one) * 10:,.2f}"])
    print_table("Cost of a generated word", ["words before it", "milliseconds"], rows)


def generation_s(model: TrainedModel, prompt: str, words: int) -> float:
    """Seconds for a continuation of so many words, the best of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        model.complete(prompt, top=1, max_words=words, samples=1, seed=1)
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main(sys.argv[1:])
