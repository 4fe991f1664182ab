"""What a user would otherwise write: torch's own parts, the softmax over the whole vocabulary, plain SGD, float32."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rnn_cli.cores import usable_cores
from rnn_cli.text.streams import Window


class Peer(nn.Module):
    """nn.Embedding, nn.RNN(tanh), nn.Linear."""

    def __init__(self, *, vocab_size: int, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.rnn = nn.RNN(embedding_size, hidden_size)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, words: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
        """words (T, B) and h_0 (1, B, H) give scores (T, B, vocab_size) and h_T."""
        hidden, h_T = self.rnn(self.embedding(words), h_0)
        return self.output(hidden), h_T


def trainer(windows: list[Window], *, vocab_size: int, size: int, device: str = "cpu") -> Callable[[], None]:
    """A function that trains the peer on the next window each time it is called, with all of torch's threads."""
    model = Peer(vocab_size=vocab_size, embedding_size=size, hidden_size=size).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    pairs = [
        (torch.from_numpy(np.ascontiguousarray(w.inputs)), torch.from_numpy(np.ascontiguousarray(w.targets)))
        for w in windows
    ]
    turn = 0
    h = torch.zeros(1, windows[0].inputs.shape[1], size, device=device)

    def step() -> None:
        nonlocal turn, h
        torch.set_num_threads(usable_cores())
        words, targets = (tensor.to(device) for tensor in pairs[turn % len(pairs)])
        turn += 1
        scores, h = model(words, h.detach())
        loss = functional.cross_entropy(scores.view(-1, vocab_size), targets.view(-1))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        torch.set_num_threads(1)

    return step
