"""Runs side by side as one page of HTML, and the rows of its tables."""

from collections.abc import Sequence

from rnn_cli.insight.comparison import Comparison, Difference, Reached
from rnn_cli.insight.curves import loss_lines
from rnn_cli.insight.html import Html, element, page, table
from rnn_cli.insight.plots import plot
from rnn_cli.insight.runs import Run


def difference_rows(differences: Sequence[Difference]) -> list[list[str]]:
    """What, then what each run has."""
    return [[difference.what, *difference.runs] for difference in differences]


def level_rows(comparison: Comparison) -> list[list[str]]:
    """A perplexity, then when each run reached it."""
    return [[f"{level.perplexity:,g}", *map(_when, level.runs)] for level in comparison.levels]


def _when(reached: Reached | None) -> str:
    return "never" if reached is None else f"{reached.elapsed_s:,.0f} s, {reached.tokens:,} tokens"


def comparison_page(comparison: Comparison, runs: Sequence[Run]) -> str:
    """The page, whole; without matplotlib it has no plot."""
    names = [(name, "left") for name in comparison.names]
    parts = [
        element("h1", "Runs side by side"),
        _section("What they came to", "figure", difference_rows(comparison.figures), names,
                 " ".join(filter(None, ["± is one standard error.", comparison.caution]))),
        _section("What was set differently", "key", difference_rows(comparison.config), names,
                 "Keys of the configs that differ; - where a config has none."),
        *_curves(runs),
        _section("Time to a perplexity", "perplexity", level_rows(comparison), names,
                 "When a validation first found it: seconds and tokens of training."),
        _section("Prompts that they complete differently", "prompt", difference_rows(comparison.completions), names,
                 f"{len(comparison.completions)} of {comparison.prompts} prompts; each run's best words."),
    ]  # fmt: skip
    return page("rnn compare: " + ", ".join(comparison.names), parts)


def _section(
    heading: str, first: str, rows: list[list[str]], names: list[tuple[str, str]], caption: str
) -> Html:
    body = table(caption, [(first, "left"), *names], rows) if rows else element("p", "Nothing.")
    return element("section", element("h2", heading), body)


def _curves(runs: Sequence[Run]) -> list[Html]:
    lines = [line for number, run in enumerate(runs) for line in loss_lines(run, number, f"{run.name}, ")]
    figure = plot(
        "The loss by tokens trained on: lines of the windows trained on, marks of the validation text.",
        lines,
        x_label="tokens",
        y_label="loss, nats per token",
    )
    return [] if figure is None else [element("section", element("h2", "On the way"), figure)]
