"""Training on a GPU beside torch's own nn.RNN, which is cuDNN there: the recurrence alone, and whole updates.

    python -m benchmarks.cuda [TURNS]

`recurrence`: one tanh layer reads windows of 35 steps, there and back, without embedding and output layer; ours by
CUDA graphs, as `rnn train` does. `update`: 33,278 words, exact softmax; the peer is that of `peer.py`, in float32.
Both take turns; `ratio` is the median over the turns of the peer's time over ours, above 1 where ours is faster. In
float32 cuDNN rounds factors to TF32, PyTorch's default for it, and other products do not. Needs a GPU.
"""

import functools
import sys
from collections.abc import Callable

import torch
from torch import nn

from benchmarks import ours, peer
from benchmarks.measuring import Times, print_table, take_turns
from rnn_cli.model.cells import ElmanCell
from rnn_cli.model.fused import read_window
from rnn_cli.model.graphed import GraphedWindows

T, VOCAB_SIZE = 35, 33_278
UNITS, STREAMS = (256, 512, 1024), (64, 256)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Step = Callable[[], object]


def to_the_end(step: Step) -> Step:
    """The step, and the wait until the GPU has done it."""

    def timed() -> None:
        step()
        torch.cuda.synchronize()

    return timed


def recurrence(units: int, streams: int, dtype: torch.dtype) -> tuple[Step, Step]:
    """A window there and back, ours and cuDNN's, with products in `dtype`."""
    torch.manual_seed(0)
    cell = ElmanCell(input_size=units, hidden_size=units).to("cuda")
    reader = GraphedWindows(functools.partial(read_window, product_dtype=dtype))
    x = torch.randn(T, streams, units, device="cuda", requires_grad=True)
    state, d_hidden = torch.zeros(streams, units, device="cuda"), torch.randn_like(x)
    theirs = nn.RNN(units, units).to("cuda", dtype)
    their_x, their_d = x.detach().to(dtype).requires_grad_(), d_hidden.to(dtype)

    def step() -> object:
        hidden, _ = reader(cell, x, state)
        return torch.autograd.grad(hidden, [x, *cell.parameters()], d_hidden)

    def their_step() -> object:
        hidden, _ = theirs(their_x)
        return torch.autograd.grad(hidden, [their_x, *theirs.parameters()], their_d)

    return step, their_step


def update(units: int, streams: int, engine: str) -> tuple[Step, Step]:
    """A whole update, ours and the peer's."""
    text = ours.random_text(vocab_size=VOCAB_SIZE, batch_size=streams, bptt_steps=T)
    settings = ours.config(size=units, softmax="exact", engine=engine, threads=1, device="cuda")
    step, _ = ours.trainer(settings, text)
    return step, peer.trainer(text.some(), vocab_size=VOCAB_SIZE, size=units, device="cuda")


def measure(turns: int) -> list[list[str]]:
    """The rows of the table."""
    rows = []
    for units in UNITS:
        for streams in STREAMS:
            for name, dtype in DTYPES.items():
                for what, (step, their_step) in {
                    "recurrence": recurrence(units, streams, dtype),
                    "update": update(units, streams, name),
                }.items():
                    steps = {"ours": to_the_end(step), "nn.RNN": to_the_end(their_step)}
                    times = take_turns(steps, turns=turns, warm_up=5)
                    rows.append([f"{what} H {units:,} B {streams} {name}", *figures(times, T * streams)])
    return rows


def figures(times: dict[str, Times], tokens: int) -> list[str]:
    """Tokens/s of both, the ratio and its range."""
    ratio = times["nn.RNN"].ratio_to(times["ours"])
    rates = [f"{tokens / times[name].median:,.0f}" for name in ("nn.RNN", "ours")]
    return [*rates, f"{ratio.median:.2f}", ratio.spread()]


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    if not torch.cuda.is_available():
        raise SystemExit(f"benchmarks.cuda needs a GPU, and PyTorch {torch.__version__} finds none here.")
    turns = int(arguments[0]) if arguments else 15
    title = f"Tokens/s on {torch.cuda.get_device_name()}, T {T}"
    print_table(title, ["what", "nn.RNN", "ours", "ratio", "range"], measure(turns))


if __name__ == "__main__":
    main(sys.argv[1:])
