"""`rnn score`: how probable every token of a text is, for reading-time studies and for ranking candidates."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.arguments import Model, State, state_carried_of
from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.lines import line_groups, text_of
from rnn_cli.cli.notes import note_calibration, note_direction
from rnn_cli.errors import RnnError
from rnn_cli.printable import escaped

if TYPE_CHECKING:
    from rnn_cli.inference.surprisal import LineScore

TOKENS = ("line", "token", "word", "text", "log_prob", "surprisal_bits", "rank", "unknown", "count")
TOTALS = ("line", "tokens", "log_prob", "surprisal_bits", "unknown")
LINES_AT_ONCE = 512  # a long line of kind char has many tokens


def score(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A text; - is standard input.")] = "-",
    model: Model = None,
    state: State = None,
    totals: Annotated[bool, typer.Option("--totals", help="Only the sums, one row a line.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object a line of FILE.")] = False,
) -> int:
    """Score every token of FILE: its log-probability (nats), surprisal (bits) and rank, and each line's total.

    The output is a table with tabs between the columns; the row after the tokens of a line is its total. A token says
    which word it belongs to: words stand between white space, with their punctuation; and how often it stands in the
    training text (count), where the model knows. The end of a line is a token, too. A line that cannot be scored is
    an error of its own, with --totals an empty row as well, and the exit code is 1 at the end.

    A token is judged by what stands before it; by a model that only reads backwards, by what stands behind it.
    """
    from rnn_cli.inference import find_model, load

    carried = state_carried_of(state)
    trained = load(find_model(model))
    note_calibration(trained)
    scorer = trained.line_scorer(state_carried=carried)
    note_direction(trained)
    before = scorer.start()
    failed = False
    with_spaces = 0
    written = [] if json_ else ["\t".join(TOTALS if totals else TOKENS)]
    number = 0
    groups = line_groups(file, command="rnn score", at_once=LINES_AT_ONCE)
    if scorer.backwards and scorer.state_carried:  # it begins with the last line
        groups = iter([[line for group in groups for line in group]])
    for lines in groups:
        texts = [text_of(line) for line in lines]
        found, before = scorer.score([text for text in texts if isinstance(text, str)], before)
        scores = iter(found)
        for text in texts:
            number += 1
            result = next(scores) if isinstance(text, str) else text
            if isinstance(result, RnnError):
                failed = True
                if json_:
                    written.append(json_line({"line": number, "error": str(result)}, encoding="utf-8"))
                else:
                    typer.echo(f"error: {file}:{number}: {result}", err=True)
                    if totals:  # empty, so that what is pasted beside the totals stays in its line
                        written.append("\t".join((f"{number}", *("" for _ in TOTALS[1:]))))
                continue
            with_spaces += any(token.word is None and token.text.isspace() for token in result.tokens)
            if json_:
                written.append(json_line({"line": number, **result.to_dict()}, encoding="utf-8"))
            else:
                written += _total(number, result) if totals else _rows(number, result)
        _write(written)
        written = []
    _write(written)
    if with_spaces:
        who = "1 line has" if with_spaces == 1 else f"{with_spaces:,} lines have"
        what = (
            "white space that is a token of its own (a second space, a tab): it counts in totals, in no word."
        )
        typer.echo(f"{who} {what}", err=True)
    return 1 if failed else 0


def _write(lines: list[str]) -> None:
    if lines:
        typer.echo("\n".join(lines).encode())  # UTF-8, whatever the terminal is


def _rows(number: int, line: "LineScore") -> Iterator[str]:
    """One row a token, and the total."""
    for place, token in enumerate(line.tokens, start=1):
        yield "\t".join(
            (
                f"{number}",
                f"{place}",
                "" if token.word is None else f"{token.word}",
                escaped(token.text),  # a tab would begin another column
                f"{token.log_prob:.6f}",
                f"{token.surprisal_bits:.6f}",
                f"{token.rank}",
                f"{token.unknown:d}",
                "" if token.count is None else f"{token.count}",
            )
        )
    yield f"{number}\ttotal\t\t\t{line.log_prob:.6f}\t{line.surprisal_bits:.6f}\t\t{line.unknown}\t"


def _total(number: int, line: "LineScore") -> Iterator[str]:
    sums = f"{line.log_prob:.6f}\t{line.surprisal_bits:.6f}\t{line.unknown}"
    yield f"{number}\t{len(line.tokens)}\t{sums}"
