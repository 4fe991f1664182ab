"""`rnn`: the commands put together. Imports nothing heavy: each command loads what it needs when it runs."""

import functools
from collections.abc import Callable
from typing import Annotated, ParamSpec

import typer

from rnn_cli import __version__
from rnn_cli.cli.batch import batch
from rnn_cli.cli.check import check
from rnn_cli.cli.check_grad import check_grad
from rnn_cli.cli.compare import compare
from rnn_cli.cli.complete import complete
from rnn_cli.cli.eval import eval_
from rnn_cli.cli.init import init
from rnn_cli.cli.ngram import ngram
from rnn_cli.cli.predict import predict
from rnn_cli.cli.report import report
from rnn_cli.cli.runs import runs
from rnn_cli.cli.score import score
from rnn_cli.cli.trace import trace
from rnn_cli.cli.train import train
from rnn_cli.errors import Interrupted

P = ParamSpec("P")

app = typer.Typer(
    name="rnn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _exits(command: Callable[P, int]) -> Callable[P, None]:
    """A command returns its exit code; typer wants it raised, and would say nothing of a Ctrl-C."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            exit_code = command(*args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted("Stopped.") from None
        raise typer.Exit(exit_code)

    return run


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rnn_cli {__version__}")
        raise typer.Exit


@app.callback()
def rnn(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Train a plain recurrent network on your own text, and let it complete sentences."""


for command in (
    train, complete, predict, score, eval_, ngram, trace, report, compare, batch, runs, check, check_grad, init,
):  # fmt: skip
    # A sentence that was typed without quotation marks is told so, in place of "unexpected extra arguments".
    settings = {"allow_extra_args": command in (complete, trace)}
    app.command(command.__name__.rstrip("_").replace("_", "-"), context_settings=settings)(_exits(command))


def command_names() -> list[str]:
    """Every command of `rnn`."""
    return [str(known.name) for known in app.registered_commands]
