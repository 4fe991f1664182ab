"""Eight small networks as one stacked computation, beside the real step of each in turn.

    python -m benchmarks.stacked [TURNS]

Stacked: torch.func.stack_module_state, vmap over the gradient of the plain path (vmap cannot go through the
hand-derived passes, which write into tensors that are there already), clipping by norm run by run, one AdamW over the
stacked weights. In turn: the program's own step (`engine: float32`), AdamW. The runs differ in seed. `apart by`:
the largest difference of a weight after some windows. AdamW moves a weight whose gradient is mere rounding by its
whole learning rate, so that it is larger than with sgd.

On one thread, CPU seconds count. On two threads it is time, beside one thread in turn: there `rnn batch --jobs 2`,
two processes of four runs each, comes to 0.5 at best, and at most half of that would be the bar.
"""

import copy
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from benchmarks import ours
from benchmarks.measuring import print_table, take_turns
from rnn_cli.config import Config
from rnn_cli.model.language_model import LanguageModel, State, step_by_step
from rnn_cli.text.streams import Window
from rnn_cli.training.bptt import train_on_window
from rnn_cli.training.build import build_loss, build_model, build_training_optimizer
from rnn_cli.training.workers import Workers

RUNS = 8
ROWS = [  # vocabulary, streams, steps in a window, units
    (200, 32, 35, 32),
    (200, 32, 35, 64),
    (2_000, 32, 35, 32),
    (2_000, 32, 35, 64),
    (200, 8, 20, 32),
]
WINDOWS = 2
BAR = 0.5


def config(size: int) -> Config:
    """The program's defaults, but for the sizes."""
    return Config.model_validate(
        {
            "data": {"train": "random words"},
            "model": {"embedding_size": size, "hidden_size": size},
            "output": {"softmax": "exact"},
            "training": {"engine": "float32", "threads": 1, "device": "cpu"},
        }
    )


Step = Callable[[], None]


def in_turn(models: list[LanguageModel], settings: Config, text: ours.Text) -> Step:
    """Trains each on the next windows, one after the other, as `rnn train` does."""
    losses = [build_loss(settings, text.counts) for _ in models]
    optimizers = [build_training_optimizer(settings, *pair) for pair in zip(models, losses, strict=True)]
    states = [model.initial_state(text.windows.batch_size) for model in models]
    workers = Workers(1)

    def step() -> None:
        for window in text.some(WINDOWS):
            for run, model in enumerate(models):
                states[run], _ = train_on_window(
                    model,
                    window,
                    states[run],
                    loss_function=losses[run],
                    optimizer=optimizers[run],
                    learning_rate=settings.training.learning_rate,
                    max_grad_norm=settings.training.max_grad_norm,
                    workers=workers,
                )

    return step


class _Error(nn.Module):
    """The mean error of a window as a module, for `functional_call`."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
        """(T, B) ids and the state before them: nats per token, and the state after them."""
        hidden, after = self.model.unroll(inputs, state, reader=step_by_step)
        return functional.cross_entropy(self.model.logits(hidden).flatten(0, 1), targets.flatten()), after


def stacked(models: list[LanguageModel], settings: Config, text: ours.Text) -> tuple[Step, dict[str, Tensor]]:
    """Trains all of them on the next windows at once; and their weights, (RUNS, ...) each."""
    modules = [_Error(model) for model in models]
    weights, _ = stack_module_state(modules)
    base = copy.deepcopy(modules[0]).to("meta")
    training = settings.training
    optimizer = torch.optim.AdamW(
        weights.values(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    states = [
        torch.stack(layers)
        for layers in zip(*(m.initial_state(text.windows.batch_size) for m in models), strict=True)
    ]

    def error(
        weights: dict[str, Tensor], state: State, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, State]:
        found: tuple[Tensor, State] = functional_call(base, weights, (inputs, targets, state))
        return found

    gradients_of_all = vmap(grad(error, has_aux=True), in_dims=(0, 0, None, None))

    def update(window: Window) -> None:
        nonlocal states
        inputs, targets = torch.from_numpy(window.inputs), torch.from_numpy(window.targets)
        gradients, states = gradients_of_all(weights, states, inputs, targets)
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients.values()]).norm(dim=0)  # (RUNS,)
        shrink = (training.max_grad_norm or torch.inf) / norms.clamp(min=training.max_grad_norm or torch.inf)
        for name, weight in weights.items():
            gradient = gradients[name] * shrink.view(-1, *[1] * (weight.dim() - 1))
            weight.grad = (
                gradient.contiguous()
            )  # vmap may order it otherwise, which the fused AdamW does not see
        optimizer.step()

    def step() -> None:
        for window in text.some(WINDOWS):
            update(window)

    return step, weights


def made(settings: Config, text: ours.Text) -> list[LanguageModel]:
    """The networks of eight seeds."""
    models = []
    for seed in range(RUNS):
        torch.manual_seed(seed)
        models.append(build_model(settings, text.counts).train())
    return models


def measure(row: tuple[int, int, int, int], turns: int) -> list[str]:
    """A row of the table."""
    vocab_size, batch_size, bptt_steps, units = row
    settings = config(units)
    text = ours.random_text(vocab_size=vocab_size, batch_size=batch_size, bptt_steps=bptt_steps)
    one_by_one, together = made(settings, text), made(settings, text)
    separate = in_turn(one_by_one, settings, text)
    at_once, weights = stacked(together, settings, text)
    torch.set_num_threads(1)
    separate()
    at_once()
    apart = max(
        (weights[f"model.{name}"][run] - weight).abs().max().item()
        for run, model in enumerate(one_by_one)
        for name, weight in model.named_parameters()
    )

    def on_two() -> None:
        torch.set_num_threads(2)
        at_once()
        torch.set_num_threads(1)

    cpu = take_turns({"in turn": separate, "stacked": at_once}, turns=turns, clock=time.process_time)
    wall = take_turns({"in turn": separate, "stacked": on_two}, turns=turns)
    one, two = (times["stacked"].ratio_to(times["in turn"]) for times in (cpu, wall))
    return [
        f"{vocab_size:,} words, B {batch_size}, T {bptt_steps}, {units} units",
        f"{1000 * cpu['in turn'].median / WINDOWS:.1f}",
        f"{1000 * cpu['stacked'].median / WINDOWS:.1f}",
        f"{one.median:.2f}",
        one.spread(),
        f"{two.median:.2f}",
        two.spread(),
        f"{BAR:g}",
        f"{apart:.0e}",
    ]


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    turns = int(arguments[0]) if arguments else 9
    print_table(
        f"{RUNS} small networks, CPU milliseconds of one thread for one update of all",
        [
            "network", "in turn", "stacked", "ratio", "range", "on two threads", "range", "bar", "apart by",
        ],
        [measure(row, turns) for row in ROWS],
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
