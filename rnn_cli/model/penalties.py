"""What is added to the loss for what the hidden states are, so that they stay small and change slowly.

    α · mean h̃_t²  +  β · mean (h_t - h_{t-1})²        h_t of the top layer, h̃_t the same after dropout

Source: Merity, McCann and Socher, "Revisiting Activation Regularization for Language RNNs", arXiv:1708.01009.
"""

from typing import NamedTuple

from torch import Tensor


class Penalties(NamedTuple):
    """Their weights: α (AR) and β (TAR). 0: none."""

    activation: float = 0.0
    change: float = 0.0

    def of_window(self, hidden: Tensor, output_mask: Tensor | None, counts: Tensor | None) -> Tensor | None:
        """The sum over the words of a window of what is added to each one's loss, in nats; None where that is 0.

        Args:
            hidden: h_t of the top layer, (T, B, H).
            output_mask: what dropout multiplies it by, (B, H).
            counts: which words count, (T, B); None: all. The first of a stream's window has no change.
        """
        total: Tensor | None = None
        if self.activation:
            seen = hidden if output_mask is None else hidden * output_mask
            total = self.activation * _sum_of_mean_squares(seen, counts)
        if self.change and len(hidden) > 1:
            change = self.change * _sum_of_mean_squares(
                hidden[1:] - hidden[:-1], None if counts is None else counts[1:]
            )
            total = change if total is None else total + change
        return total


NO_PENALTIES = Penalties()


def _sum_of_mean_squares(values: Tensor, counts: Tensor | None) -> Tensor:
    """Σ over the places (T, B) that count of the mean square over the units: values (T, B, H)."""
    squares = values.pow(2).mean(dim=2)  # (T, B)
    return (squares if counts is None else squares[counts]).sum()
