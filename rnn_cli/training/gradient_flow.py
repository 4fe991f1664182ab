"""How far back an error reaches: the gradient of the last step's loss, step by step into the past."""

import torch
from torch import Tensor

from rnn_cli.model.cells import Cell
from rnn_cli.model.language_model import LanguageModel, step_by_step
from rnn_cli.model.losses import log_probs
from rnn_cli.text.streams import Window


def gradient_by_lag(model: LanguageModel, window: Window, output_activation: str) -> list[float]:
    """‖∂Loss_T/∂h_{T-k}‖ for k = 0, 1, ... T-1, nats per unit of the state; the mean over the streams.

    h stands for all that the cell keeps: for lstm and mogrifier the slow memory, too.

    Loss_T is the error at the window's last step alone. Where the norms fall with k, what stands k words back cannot
    teach the network much (the gradient vanishes); where they rise, it explodes. Source: Hochreiter, "Untersuchungen
    zu dynamischen neuronalen Netzen" (1991); Bengio, Simard, Frasconi (1994); Pascanu et al., arXiv:1211.5063.

    The window is read from no memory, without dropout; no random number is drawn. T is the last step at which a
    stream counts, and only the streams that count there are looked at.
    """
    counts = torch.ones(window.targets.shape) if window.mask is None else torch.from_numpy(window.mask)
    last = int(counts.any(dim=1).nonzero().max())
    streams = counts[last].nonzero()[:, 0]
    words = torch.from_numpy(window.inputs)[: last + 1, streams].to(model.device)  # (T, B)
    came = torch.from_numpy(window.targets)[last, streams].to(model.device)  # (B,)
    read: list[Tensor] = []  # the state of each layer, step after step, (B, S)

    def remember(cell: Cell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden, state = step_by_step(cell, x, state)
        read.append(state)
        return hidden, state

    was_training = model.training
    model.eval()
    try:
        state = model.initial_state(len(streams))
        for t in range(last + 1):
            hidden, state = model.unroll(words[t : t + 1], state, reader=remember)
        chances = log_probs(model.logits(hidden[0]), output_activation)  # (B, vocab_size)
        gradients = torch.autograd.grad(-chances.gather(1, came[:, None]).sum(), read)
    finally:
        model.train(was_training)
    layers = len(read) // (last + 1)
    steps = [
        torch.cat(gradients[at : at + layers], dim=1) for at in range(0, len(read), layers)
    ]  # (B, all S)
    return [step.norm(dim=1).mean().item() for step in reversed(steps)]
