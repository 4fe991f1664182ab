"""The mean of the weights over the last part of a training, which is often better than the last of them.

Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992); for language models,
Merity, Keskar, Socher, arXiv:1708.02182, where plain sgd at a constant rate is averaged.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

UPDATES_APART = 10
"""Weights of neighbouring updates are nearly the same; so far apart they cost a fiftieth of the time of an update."""

FEWEST_WEIGHTS = 10
"""So many are in the mean at least, where there are so many updates."""


def updates_apart(updates: float) -> int:
    """How many updates lie between two weights that go into the mean, where it is over so many updates in all."""
    return max(1, min(UPDATES_APART, int(updates / FEWEST_WEIGHTS)))


class WeightAverage:
    """The running mean of a network's weights.

    Attributes:
        share: of all updates, the last ones: those that count.
        count: weights taken so far.
        means: the mean of each parameter by its name; empty before the first.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.count = 0
        self.means: dict[str, Tensor] = {}

    @torch.no_grad()
    def take(self, model: nn.Module) -> None:
        """Count the weights as they are now: mean := mean + (weights - mean) / count."""
        self.count += 1
        for name, parameter in model.named_parameters():
            if self.count == 1:
                self.means[name] = parameter.detach().clone()
            else:
                self.means[name].lerp_(parameter, 1 / self.count)

    def restore(self, count: int, means: dict[str, Tensor]) -> None:
        """Go on from what was taken before."""
        self.count, self.means = count, means

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """Inside, the network has the mean weights; afterwards its own again. Without a mean, its own all along."""
        parameters = dict(model.named_parameters())
        own = {name: parameters[name].data for name in self.means}
        for name, mean in self.means.items():
            parameters[name].data = mean
        try:
            yield
        finally:
            for name, weights in own.items():
                parameters[name].data = weights
