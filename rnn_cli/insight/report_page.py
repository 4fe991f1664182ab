"""A report on a run as one page of HTML."""

from collections.abc import Iterable

from rnn_cli.evaluation.reliability import Band
from rnn_cli.insight.comparison import final_figures, shown
from rnn_cli.insight.curves import loss_lines
from rnn_cli.insight.html import Html, bar, element, page, table
from rnn_cli.insight.moments import flow_lines, flow_table, prompt_table, writing_table
from rnn_cli.insight.plots import Line, plot
from rnn_cli.insight.quality import Remembered
from rnn_cli.insight.report import Measured, Report
from rnn_cli.insight.runs import Run


def report_page(report: Report) -> str:
    """The page, whole; without matplotlib it has no plots."""
    run = report.run
    return page(
        f"rnn report: {run.name}",
        [
            element("h1", "Report on ", run.name),
            *(element("p", sentence) for sentence in report.missing),
            _section("What it came to", _pairs("± is one standard error.", "figure", _figures(run))),
            _section("How it was trained", *_curves(run)),
            *_flow(run),
            *_on_the_way(run),
            *([] if report.measured is None else _measured(report.measured)),
            *_completions(report),
            _section("The texts", _list(run.notices), _pairs("What was counted.", "text", _facts(run))),
            _section("The config", _pairs("As it was run.", "key", _config(run))),
        ],
    )  # fmt: skip


def _measured(measured: Measured) -> Iterable[Html]:
    name = {"valid": "validation text", "test": "test text", "train": "training text"}[measured.split]
    intro = (
        f"On {measured.tokens:,} tokens of the {name}: loss {measured.loss:.3f} nats per token, "
        f"{measured.accuracy:.1%} right at the first guess."
    )
    yield _section(
        "How far back it remembers",
        element("p", intro),
        element(
            "p",
            "The loss rises when the model sees only the last words before each prediction. Where it no longer "
            "rises, the model makes nothing of what stands further back.",
        ),
        *_memory_plot(measured.memory),
        table(
            "± is one standard error; a context is cut where it is longer than that.",
            [
                ("last words", "right"),
                ("contexts cut", "right"),
                ("rise of the loss, nats", "right"),
                ("", "left"),
            ],
            _memory_rows(measured.memory),
        ),
    )
    if measured.frequency:
        yield _section(
            "Frequent and rare words",
            table(
                "By how often the word to be predicted occurs in the training text.",
                [
                    ("occurrences", "left"),
                    ("tokens", "right"),
                    ("right", "right"),
                    ("", "left"),
                    ("bits", "right"),
                ],
                [
                    [
                        group.name,
                        f"{group.tokens:,}",
                        f"{group.accuracy:.1%}",
                        bar(group.accuracy),
                        f"{group.bits:.2f}",
                    ]
                    for group in measured.frequency
                ],
            ),
        )
    yield _section(
        "How far it can be believed",
        element(
            "p",
            "By the probability of the best guess. A model whose probabilities can be believed is right as often as "
            f"it says; on average this one is {measured.reliability.error:.1%} off.",
        ),
        table(
            "What the model says, and how often it is right.",
            [
                ("probability", "left"),
                ("tokens", "right"),
                ("it says", "right"),
                ("it is right", "right"),
                ("", "left"),
            ],
            [_confidence_row(band) for band in measured.reliability.bands],
        ),
    )


def _memory_rows(memory: list[Remembered]) -> list[list[str]]:
    most = max((abs(point.rise) for point in memory), default=0) or 1
    return [
        [
            f"{point.words:,}",
            f"{point.cut:.0%}",
            f"{point.rise:z.3f} ± {point.standard_error:.3f}",
            bar(abs(point.rise) / most, against=point.rise < 0),
        ]
        for point in memory
    ]


def _confidence_row(band: Band) -> list[str]:
    return [
        f"{band.low:.0%}-{band.high:.0%}",
        f"{band.total:,}",
        f"{band.confidence:.1%}",
        f"{band.accuracy:.1%}",
        bar(band.accuracy),
    ]


def _memory_plot(memory: list[Remembered]) -> list[Html]:
    line = Line("rise", [point.words for point in memory], [point.rise for point in memory])
    made = plot(
        "The rise of the loss by the number of last words seen.",
        [line],
        x_label="last words seen",
        y_label="rise, nats per token",
        log_x=True,
    )
    return [] if made is None else [made]


def _curves(run: Run) -> list[Html]:
    tokens = [run.tokens(record["step"]) for record in run.train]
    if not run.train:
        return [
            element("p", "No windows were recorded: the training is shorter than training.log_every_windows.")
        ]
    plots = [plot("The loss: a line for the windows trained on, marks for the validation text.", loss_lines(run),
                  x_label="tokens trained on", y_label="nats per token")]  # fmt: skip
    for key, caption, log_y in (
        ("learning_rate", "The learning rate.", False),
        ("gradient_norm", "The norm of the gradient before clipping.", True),
    ):
        line = Line(key, tokens, [record[key] for record in run.train])
        label = key.replace("_", " ")
        plots.append(plot(caption, [line], x_label="tokens trained on", y_label=label, log_y=log_y))
    made = [figure for figure in plots if figure is not None]
    return made or [_milestones(run)]


def _flow(run: Run) -> list[Html]:
    """How far back errors reached through the training; nothing where that was not recorded."""
    columns, rows = flow_table(run)
    if not rows:
        return []
    made = plot(
        "The gradient's norm by the steps back from the error, a line for each moment of the training.",
        flow_lines(run),
        x_label="steps back",
        y_label="norm of ∂Loss_T/∂h",
        log_y=True,
    )
    return [
        _section(
            "How far back an error reached",
            element(
                "p",
                "The error at the last step of a window, and how much it would change with the state so many steps "
                "before. Where the line falls, the gradient vanishes and little can be learnt from what stands "
                "there; where it rises, it explodes. In the training text's first window, at validations.",
            ),
            *([] if made is None else [made]),
            table("Norm of ∂Loss_T/∂h by steps back, after so many tokens of training.", columns, rows),
        )
    ]


def _on_the_way(run: Run) -> list[Html]:
    """What the network said and wrote at moments of the training; nothing where that was not recorded."""
    tables = []
    columns, rows = prompt_table(run)
    if rows:
        tables.append(
            table("The next word in the same prompts, after so many tokens of training.", columns, rows)
        )
    columns, rows = writing_table(run)
    if rows:
        caption = "How it went on with the opening of the training text, drawn with the same random numbers."
        tables.append(table(caption, columns, rows))
    return [_section("What it said on the way", *tables)] if tables else []


def _milestones(run: Run) -> Html:
    """What the curves would show, at ten moments."""
    count = len(run.train)
    chosen = sorted({round(i * (count - 1) / 9) for i in range(10)})
    return table(
        "Ten moments of the training.",
        [("tokens", "right"), ("loss", "right"), ("learning rate", "right"), ("gradient norm", "right")],
        [
            [
                f"{run.tokens(record['step']):,}",
                f"{record['loss']:.3f}",
                f"{record['learning_rate']:.2e}",
                f"{record['gradient_norm']:.2f}",
            ]
            for record in (run.train[i] for i in chosen)
        ],
    )


def _completions(report: Report) -> list[Html]:
    if not report.completions:
        return []
    rows = [
        [
            prompt.text,
            ", ".join(
                f"{' '.join(one.words) or '(line ends)'} {one.probability:.0%}" for one in result.completions
            ),
            prompt.answer or "",
        ]
        for prompt, result in report.completions
    ]
    columns = [("prompt", "left"), ("best words", "left"), ("answer", "left")]
    if not any(prompt.answer for prompt, _ in report.completions):
        rows, columns = [row[:2] for row in rows], columns[:2]
    return [_section("What it says", table("The blank, or the word that comes next.", columns, rows))]


def _figures(run: Run) -> list[tuple[str, str]]:
    return [(difference.what, difference.runs[0]) for difference in final_figures([run])]


def _facts(run: Run) -> list[tuple[str, str]]:
    names = {
        "vocab_size": "tokens in the vocabulary",
        "train_tokens": "tokens of the training text",
        "windows_per_epoch": "windows an epoch",
        "batch_size": "streams in a window",
    }
    return [(name, f"{run.start[key]:,}") for key, name in names.items()]


def _config(run: Run) -> list[tuple[str, str]]:
    return [(key, shown(value)) for key, value in run.flat_config.items()]


def _section(heading: str, *parts: Html) -> Html:
    return element("section", element("h2", heading), *parts)


def _pairs(caption: str, first: str, rows: Iterable[tuple[str, str]]) -> Html:
    return table(caption, [(first, "left"), ("value", "left")], rows)


def _list(sentences: Iterable[str]) -> Html:
    return element("ul", *(element("li", sentence) for sentence in sentences))
