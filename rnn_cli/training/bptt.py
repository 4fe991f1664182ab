"""One update by truncated backpropagation through time.

Source: P. J. Werbos, "Backpropagation Through Time: What It Does and How to Do It" (1990); truncation with the
state carried: R. J. Williams and J. Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of
Recurrent Network Trajectories" (1990).
"""

from typing import NamedTuple

import torch

from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import LossFunction
from rnn_cli.text.streams import Window
from rnn_cli.training.optimizer import Optimizer, clip_by_norm


class Update(NamedTuple):
    """What one update saw: sums over the window's words, and the gradient's norm before clipping."""

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
) -> tuple[State, Update]:
    """Read a window, find the error at each step, go back through its steps, and update the weights once.

    Args:
        window: inputs and targets (T, B); the target of a step is the word that comes next.
        state: the state that the last window ended with, (B, H) for each layer.

    Returns:
        The state after the window, to be carried into the next one, and what the update saw.
    """
    inputs, targets = torch.from_numpy(window.inputs), torch.from_numpy(window.targets)  # (T, B)

    # Forward, word by word. The state comes without its graph: no gradient crosses the window's edge.
    state = [h.detach() for h in state]
    hidden, state = model.unroll(inputs, state, sparse=loss_function.sparse)  # (T, B, H)

    # The error at each step against the next word, summed; padding is left out. (N, H) and (N,)
    if window.mask is None:
        hidden, targets = hidden.flatten(0, 1), targets.flatten()
    else:
        counts = torch.from_numpy(window.mask)
        hidden, targets = hidden[counts], targets[counts]
    error = loss_function(hidden, targets, model.V, model.c)

    # Backward, from the last step to the first. Dividing the sum by the number of words keeps the learning
    # rate and the clipping threshold independent of the window's size.
    optimizer.zero_grad()
    (error.objective / len(targets)).backward()  # type: ignore[no-untyped-call]
    gradient_norm = clip_by_norm(model.parameters(), max_grad_norm)

    # W := W - η ∂Loss/∂W
    optimizer.step(learning_rate)
    return state, Update(error.objective.item(), error.nll.item(), len(targets), gradient_norm)
