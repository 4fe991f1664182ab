"""`rnn eval`: measure a trained model on a text or a set of questions."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnn_cli.cli.arguments import BlankWords, Cache, Model, Ngram, Pmi, blank_words_of, ngram_file
from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.notes import note_calibration, note_direction, note_forward_alone
from rnn_cli.errors import UsageError

if TYPE_CHECKING:
    from rnn_cli.evaluation.answering import SetEvaluation
    from rnn_cli.evaluation.reliability import Reliability
    from rnn_cli.evaluation.text import TextEvaluation

MOST_PROBLEMS_SHOWN = 20
MOST_LINES_READ = 100_000  # of a text to calibrate on, which needs far fewer

Row = tuple[str, ...]


def eval_(
    file: Annotated[Path, typer.Argument(metavar="FILE|SET", help="A text, or a file of questions.")],
    model: Model = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers",
            metavar="FILE",
            help="The answers to questions of the format msr.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="text, msr, choices, cloze, last-word or pairs. Left out: what FILE looks like.",
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            "--calibrate",
            metavar="TEXT",
            help="Fit one temperature on this validation text first, and of a pair the weights of its two networks; "
            "they are stored in the model file.",
            show_default=False,
        ),
    ] = None,
    cache: Cache = False,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Dynamic evaluation: the network goes on learning from FILE.")
    ] = False,
    ngram: Ngram = False,
    fit: Annotated[
        Path | None,
        typer.Option(
            "--fit",
            metavar="TEXT",
            help="Fit the numbers of --cache, --dynamic and --ngram on this validation text first, and store them in "
            "the model file.",
            show_default=False,
        ),
    ] = None,
    pmi: Pmi = False,
    blank_words: BlankWords = "1",
    batch_size: Annotated[
        int,
        typer.Option("--batch-size", help="Lines or questions read side by side; changes the speed only."),
    ] = 64,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Measure a model on FILE.

    A text: perplexity with its terms, bits per character, right guesses. Questions: how many are answered rightly, by
    category where the set has one. Both: how often the model is right when it says 70 %. Formats: CSV of the
    Microsoft Research Sentence Completion Challenge (msr); JSON lines {"text", "choices", "answer"} (choices) or
    {"text", "answer"} (cloze); passages whose last word is to be predicted, as lines or {"text"} (last-word);
    {"sentence_good", "sentence_bad"} (pairs).

    --cache, --dynamic and --ngram add to the network where it predicts; all may be given. Each combination has
    numbers of its own, which --fit finds; without it they are defaults. Figures say what was added.
    """
    import rnn_cli
    from rnn_cli.console import show_error
    from rnn_cli.inference import find_model

    words = blank_words_of(blank_words)
    path = find_model(model)
    added: dict[str, Any] = {"cache": cache, "dynamic": dynamic, "ngram": ngram_file(path) if ngram else None}
    asked: dict[str, Any] = {
        "answers": answers,
        "format": format_,
        "blank_words": words,
        "batch_size": batch_size,
        "pmi": pmi,
        **added,
    }
    if calibrate is not None or fit is not None:
        _check(path, file, asked, calibrate, fit)
    calibration = None if calibrate is None else _calibrate(path, calibrate)
    fitted = None if fit is None else _fit(path, fit, added)
    _note_fitted_on((calibrate, fit), file)
    trained = rnn_cli.load(path)
    note_calibration(trained)
    result = trained.evaluate(file, **asked)
    figures = result.to_dict()
    if figures["format"] == "text":
        note_direction(trained)
    elif "added" in figures:
        note_forward_alone(trained)
    problems: list[str] = figures.get("problems", [])
    for problem in problems[:MOST_PROBLEMS_SHOWN]:
        show_error(problem)
    if len(problems) > MOST_PROBLEMS_SHOWN:
        show_error(f"{len(problems) - MOST_PROBLEMS_SHOWN:,} more lines could not be used.")
    if json_:
        extra = {"calibration": calibration} if calibration is not None else {}
        extra |= {"fitted": fitted} if fitted is not None else {}
        typer.echo(json_line({"file": str(file), "model": str(path), **figures, **extra}))
    else:
        _show(result, file)
    return 1 if problems else 0


def _check(path: Path, file: Path, asked: dict[str, Any], calibrate: Path | None, fit: Path | None) -> None:
    """Refuse what cannot be, before the model file is written to."""
    import rnn_cli
    from rnn_cli.evaluation.question_files import check_can_be_read

    _, additions = rnn_cli.load(path).check_evaluation(file, **asked)
    if fit is not None and not additions.names:
        raise UsageError("--fit is for what is added: give --cache, --dynamic or --ngram with it.")
    for text in (calibrate, fit):
        if text is not None:
            check_can_be_read(text)


def _calibrate(path: Path, text: Path) -> dict[str, Any]:
    """Fit a temperature, and the weights of a pair, and store them; returns what is stored."""
    import rnn_cli
    from rnn_cli.console import show_note
    from rnn_cli.evaluation.calibration import fit_mixture, fit_temperatures
    from rnn_cli.model_file import store_fitted
    from rnn_cli.text.reader import read_lines

    model = rnn_cli.load(path)
    lines = list(islice(read_lines([text]), MOST_LINES_READ))
    stored: dict[str, Any] = {"text": str(text)}
    for name, fitted in fit_temperatures(model, lines).items():
        stored = {**{f"{name}{key}": value for key, value in fitted.to_dict().items()}, **stored}
        show_note(
            f"Fitted {name}temperature {fitted.temperature:.3f} on {fitted.tokens:,} tokens of {text} (loss "
            f"{fitted.loss_before:.4f} before, {fitted.loss_after:.4f} with it) and stored it in the model."
        )
    store_fitted(path, calibration=stored)
    if (mixture := fit_mixture(rnn_cli.load(path), lines)) is not None:
        show_note(str(mixture))
        store_fitted(path, mixture={**mixture.to_dict(), "text": str(text)})
        stored["mixture"] = mixture.to_dict()
    return stored


def _fit(path: Path, text: Path, added: dict[str, Any]) -> dict[str, Any]:
    """Fit the numbers of what is added and store them; returns what is stored."""
    import rnn_cli
    from rnn_cli.console import show_note
    from rnn_cli.evaluation.fitting import fit_additions
    from rnn_cli.model_file import store_addition
    from rnn_cli.text.reader import read_lines

    trained = rnn_cli.load(path)
    additions = trained.additions(**added)
    fitted = fit_additions(trained, read_lines([text]), additions, name=text.name)
    store_addition(path, additions.key, fitted.to_dict())
    show_note(
        f"Fitted {' and '.join(f'--{name}' for name in additions.names)} on {fitted.tokens:,} tokens of {text} (loss "
        f"{fitted.loss_before:.4f} before, {fitted.loss_after:.4f} with it) and stored the numbers in the model."
    )
    return fitted.to_dict()


def _note_fitted_on(texts: Iterable[Path | None], file: Path) -> None:
    """Say so where one of the texts that something was fitted on is the one that is measured."""
    from rnn_cli.console import show_note

    if any(text is not None and text.resolve() == file.resolve() for text in texts):
        show_note(
            "The text that is measured is the very one that was fitted on, so its figures are better than others "
            "will be."
        )


def _show(result: "TextEvaluation | SetEvaluation", file: Path) -> None:
    from rnn_cli.console import show_table
    from rnn_cli.evaluation.text import TextEvaluation

    two = [("", "left"), ("", "right")]
    if isinstance(result, TextEvaluation):
        show_table(two, _text_rows(result), title=f"{file}")
        _show_line(f"({result.terms()})")
    else:
        show_table(
            [("questions", "left"), ("total", "right"), ("right", "right")],
            _question_rows(result),
            title=f"{file} ({result.format})",
        )
        if result.direction != "forward":
            _show_line(_directions(result.direction, result.forward_weight))
        if result.unknown_answers:
            _show_line(f"({result.unknown_answers:,} answers have a word that the model does not know.)")
        if result.pmi:
            _show_line(
                "(choices ranked as if all were equally frequent: by PMI, ln P(text with the choice) - "
                "ln P(choice by its frequency))"
            )
        if result.additions.names:
            _show_line(f"({result.additions.terms()})")
    typer.echo()
    show_table(
        [("when it says", "left"), ("answers", "right"), ("on average", "right"), ("it is right", "right")],
        _reliability_rows(result.reliability),
        title="how far its probabilities can be believed",
    )
    _show_line(f"(expected calibration error {result.reliability.error:.1%})")


def _directions(direction: str, forward_weight: float | None) -> str:
    if forward_weight is None:
        return f"(read {direction}s)"
    return f"(read from both ends: forward weighs {forward_weight:.2f}, backward {1 - forward_weight:.2f})"


def _text_rows(result: "TextEvaluation") -> list[Row]:
    perplexity = result.perplexity
    of_loss, of_perplexity = perplexity.loss_standard_error or 0.0, perplexity.standard_error or 0.0
    rows: list[Row] = [
        ("perplexity", f"{perplexity.perplexity:,.2f} ± {of_perplexity:,.2f}"),
        ("loss (nats per token)", f"{perplexity.loss:.4f} ± {of_loss:.4f}"),
        ("bits per character", f"{result.bits_per_character:.4f}"),
    ]
    for guesses in result.hits:
        share, error = result.accuracy(guesses)
        what = "right at the first guess" if guesses == 1 else f"among the first {guesses} guesses"
        rows.append((what, f"{share:.2%} ± {error:.2%}"))
    return rows


def _question_rows(result: "SetEvaluation") -> list[Row]:
    accuracy = result.accuracy
    parts = [
        *accuracy.by_category.items(),  # one of which may be called as a distance is
        *((f"answer {where}", part) for where, part in result.by_occurrence.items()),
        *((f"distance {band}", part) for band, part in accuracy.by_distance.items()),
    ]
    return [
        *((name, f"{part.total:,}", f"{part.accuracy:.1%}") for name, part in parts),
        ("all", f"{accuracy.total:,}", f"{accuracy.accuracy:.1%} ± {accuracy.standard_error:.1%}"),
    ]


def _reliability_rows(reliability: "Reliability") -> list[Row]:
    return [
        (
            f"{band.low:.0%} to {band.high:.0%}",
            f"{band.total:,}",
            f"{band.confidence:.1%}",
            f"{band.accuracy:.1%}",
        )
        for band in reliability.bands
    ]


def _show_line(line: str) -> None:
    from rnn_cli.console import show_line

    show_line(line)
