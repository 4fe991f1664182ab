"""The hand-derived pass through a window beside the step-by-step one, cell by cell, on one thread.

    python -m benchmarks.cells [TURNS]

One layer of 256 units reads windows of 35 steps of 64 streams, there and back, without embedding and output layer.
"""

import functools
import sys
from collections.abc import Callable

import torch

from benchmarks.measuring import print_table, take_turns
from rnn_cli.model.fused import read_window
from rnn_cli.model.language_model import WindowReader, step_by_step
from rnn_cli.model.make_cell import make_cell

T, B, H = 35, 64, 256

READERS: dict[str, WindowReader] = {
    "step by step": step_by_step,
    "float32": functools.partial(read_window, product_dtype=torch.float32),
    "bfloat16": functools.partial(read_window, product_dtype=torch.bfloat16),
}


def measure(kind: str, turns: int) -> list[str]:
    """One row of the table."""
    torch.manual_seed(0)
    cell = make_cell(
        kind,
        input_size=H,
        hidden_size=H,
        activation="relu" if kind == "indrnn" else "tanh",
        recurrent_init="orthogonal",
        memory_steps=None,
    )
    x = torch.randn(T, B, H, requires_grad=True)
    state, d_hidden = torch.zeros(B, cell.state_size), torch.randn(T, B, H)

    def step(reader: WindowReader) -> Callable[[], object]:
        def forward_and_backward() -> object:
            hidden, _ = reader(cell, x, state)
            return torch.autograd.grad(hidden, [x, *cell.parameters()], d_hidden)

        return forward_and_backward

    times = take_turns({name: step(reader) for name, reader in READERS.items()}, turns=turns)
    row = [kind, *(f"{T * B / times[name].median:,.0f}" for name in READERS)]
    for name in ("float32", "bfloat16"):
        ratio = times["step by step"].ratio_to(times[name])
        row += [f"{ratio.median:.2f}", ratio.spread()]
    return row


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    turns = int(arguments[0]) if arguments else 15
    torch.set_num_threads(1)
    print_table(
        f"Through one recurrent layer and back, H {H}, B {B}, T {T}, one thread: tokens/s",
        ["cell", *READERS, "float32 ratio", "range", "bfloat16 ratio", "range"],
        [measure(kind, turns) for kind in ("elman", "gru", "lstm", "mogrifier", "indrnn")],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
