"""What a training recorded at its validations, as rows of tables: how far back errors reached, what it wrote.

Each table has a column for each of a few moments, which are called by the tokens trained on.
"""

from collections.abc import Sequence

from rnn_cli.insight.plots import Line
from rnn_cli.insight.runs import Record, Run

MOMENTS = 5
NOTHING = "-"
LINE_ENDS = "(line ends)"

Columns = list[tuple[str, str]]
Rows = list[list[str]]


def moments(records: Sequence[Record]) -> list[Record]:
    """A few records spread over all of them, the first and the last among them."""
    last = len(records) - 1
    chosen = sorted({round(i * last / (MOMENTS - 1)) for i in range(MOMENTS)}) if records else []
    return [records[i] for i in chosen]


def flow_lines(run: Run) -> list[Line]:
    """The gradient's norm by lag at each moment; what cannot be drawn on a logarithmic axis is left out."""
    lines = []
    for number, record in enumerate(moments(run.gradient_flow)):
        points = [(lag, norm) for lag, norm in enumerate(record["by_lag"]) if norm]
        x, y = [lag for lag, _ in points], [norm for _, norm in points]
        if points:
            lines.append(Line(f"after {run.tokens(record['step']):,} tokens", x, y, number))
    return lines


def flow_table(run: Run) -> tuple[Columns, Rows]:
    """The gradient's norm 0, 1, 2, 4, 8 ... steps back at each moment."""
    chosen = moments(run.gradient_flow)
    longest = max((len(record["by_lag"]) for record in chosen), default=0)
    lags = [0, *(1 << power for power in range(longest.bit_length()) if 1 << power < longest)]
    if longest and lags[-1] != longest - 1:
        lags.append(longest - 1)
    rows = [
        [f"{lag:,}", *(_norm(record["by_lag"], lag) for record in chosen)] for lag in lags if lag < longest
    ]
    return [("steps back", "right"), *_headings(run, chosen)], rows


def _norm(by_lag: Sequence[float | None], lag: int) -> str:
    norm = by_lag[lag] if lag < len(by_lag) else None
    return NOTHING if norm is None else f"{norm:#.2g}"


def prompt_table(run: Run) -> tuple[Columns, Rows]:
    """What the network said next in each prompt at each moment, with its probability."""
    chosen = [record for record in moments(run.samples) if record.get("completions")]
    said = [
        {
            one["prompt"]: f"{one['word'] or LINE_ENDS} {one['probability']:.0%}"
            for one in record["completions"]
        }
        for record in chosen
    ]
    prompts = dict.fromkeys(prompt for at_moment in said for prompt in at_moment)
    rows = [[prompt, *(at_moment.get(prompt, NOTHING) for at_moment in said)] for prompt in prompts]
    return [("prompt", "left"), *((heading, "left") for heading, _ in _headings(run, chosen))], rows


def writing_table(run: Run) -> tuple[Columns, Rows]:
    """What the network wrote at each moment."""
    rows = [[f"{run.tokens(record['step']):,}", str(record["text"])] for record in moments(run.samples)]
    return [("tokens", "right"), ("what it wrote", "left")], rows


def _headings(run: Run, chosen: Sequence[Record]) -> Columns:
    return [(f"{run.tokens(record['step']):,}", "right") for record in chosen]
