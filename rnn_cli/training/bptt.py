"""One update by truncated backpropagation through time.

Source: P. J. Werbos, "Backpropagation Through Time: What It Does and How to Do It" (1990); truncation with the
state carried: R. J. Williams and J. Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of
Recurrent Network Trajectories" (1990).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import LossFunction
from rnn_cli.model.penalties import NO_PENALTIES, Penalties
from rnn_cli.text.streams import Window
from rnn_cli.training.optimizer import Optimizer, clip_by_norm
from rnn_cli.training.ranks import ALONE, Ranks
from rnn_cli.training.workers import Workers


class Update(NamedTuple):
    """What one update saw: sums over the window's words (no penalties), and the gradient's norm before clipping."""

    objective: float
    nll: float
    words: int
    gradient_norm: float

    @property
    def loss(self) -> float:
        """The mean objective, nats per token."""
        return self.objective / self.words


def train_on_window(
    model: LanguageModel,
    window: Window,
    state: State,
    *,
    loss_function: LossFunction,
    optimizer: Optimizer,
    learning_rate: float,
    max_grad_norm: float | None,
    workers: Workers,
    penalties: Penalties = NO_PENALTIES,
    ranks: Ranks = ALONE,
) -> tuple[State, Update]:
    """Read a window, find the error at each step, go back through its steps, and update the weights once.

    Args:
        window: inputs and targets (T, B); the target of a step is the word that comes next.
        state: the state that the last window ended with, (B, S) for each layer; of this rank's streams.
        workers: each of them reads some of the streams.
        penalties: added to the error.
        ranks: each of them reads some of the streams in a process of its own; all make the same update.

    Returns:
        The state after the window, to be carried into the next one, and what the update saw.
    """
    words = window.words
    # What is random is drawn for all streams, so that it is the same on all ranks, whatever their number.
    window_loss = loss_function.for_window()
    masks = model.draw_masks(model.tensor(window.inputs))
    mine = ranks.share(window.inputs.shape[1])
    window, masks = window.streams(mine), masks and masks.of_streams(mine)
    inputs, targets = model.tensor(window.inputs), model.tensor(window.targets)  # (T, B)
    counts = None if window.mask is None else model.tensor(window.mask)  # (T, B); padding is left out
    parameters = list(model.parameters())

    def forward_and_backward(streams: slice) -> tuple[State, float, float, Sequence[Tensor]]:
        # Forward, word by word. The state comes without its graph: no gradient crosses the window's edge.
        silent = masks and masks.of_streams(streams)
        hidden, state_after = model.unroll(
            inputs[:, streams], [layer[streams].detach() for layer in state], masks=silent, sparse=True
        )  # (T, B, H)

        # The error at each step against the next word, summed. (N, H) and (N,)
        read_out, came = model.read_out(hidden, silent), targets[:, streams].contiguous()
        here = None if counts is None else counts[:, streams]
        if here is None:
            read_out, came = read_out.flatten(0, 1), came.flatten()
        else:
            read_out, came = read_out[here], came[here]
        error = window_loss(read_out, came, model.V, model.c)
        penalty = penalties.of_window(hidden, silent and silent.output, here)
        total = error.objective if penalty is None else error.objective + penalty

        # Backward, from the last step to the first. Dividing the sum by the number of words keeps the learning
        # rate and the clipping threshold independent of the window's size.
        gradients = torch.autograd.grad(total / words, parameters)
        return state_after, error.objective.item(), error.nll.item(), gradients

    parts = workers.map(forward_and_backward, workers.shares(inputs.shape[1]))
    for parameter, *gradients in zip(parameters, *(part[3] for part in parts), strict=True):
        parameter.grad = sum(gradients[1:], gradients[0])
    ranks.add_up_gradients(parameters)
    gradient_norm = clip_by_norm(parameters, max_grad_norm)

    # W := W - η ∂Loss/∂W
    optimizer.step(learning_rate)
    model.constrain()
    state = [torch.cat(layer) for layer in zip(*(part[0] for part in parts), strict=True)]
    objective, nll = ranks.sum(sum(part[1] for part in parts), sum(part[2] for part in parts))
    return state, Update(objective, nll, words, gradient_norm)
