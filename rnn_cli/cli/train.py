"""`rnn train`: one training after another, each into a run folder of its own."""

import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.errors import Interrupted, RnnError, UsageError

if TYPE_CHECKING:
    from rnn_cli.config.schema import Config
    from rnn_cli.evaluation.questions import Accuracy
    from rnn_cli.training.run_folder import RunFolder


def train(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CONFIG...", help="YAML files; each is trained in turn.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY.PATH=VALUE", help="Change a key of the config, as often as you like."
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            help="The folder to write to; with several configs, the folder for their folders. "
            "Left out, it is runs/NAME-OF-THE-CONFIG.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on with a run that was stopped.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the run that the folder holds.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object a run.")
    ] = False,
) -> int:
    """Train a network as CONFIG says, keep the best model, and say how good it is."""
    if resume is not None:
        if configs or set_ or run_dir or force:
            raise UsageError(
                "--resume goes on with a run as it is: give it alone, without CONFIG, --set, --run-dir or --force."
            )
        return _worst([_attempt(partial(_resume, resume, as_json=json_))])
    if not configs:
        raise UsageError("CONFIG is missing. To get a first one: rnn init > config.yaml")

    names = [config.stem for config in configs]
    if (run_dir or force) and (twice := [name for name in names if names.count(name) > 1]):
        raise UsageError(
            f"{names.count(twice[0])} configs are called {twice[0]}, and each would be written to the same folder. "
            "Rename them, or train them in calls of their own."
        )
    codes = []
    for config_path in configs:
        where = run_dir / config_path.stem if run_dir and len(configs) > 1 else run_dir
        codes.append(
            _attempt(partial(_train_anew, config_path, set_ or [], where, force=force, as_json=json_))
        )
        if codes[-1] == Interrupted.exit_code:
            break
    return _worst(codes)


def _train_anew(
    config_path: Path, overrides: list[str], run_dir: Path | None, *, force: bool, as_json: bool
) -> int:
    from rnn_cli.config import load_config
    from rnn_cli.training.run_folder import RunFolder, free_run_path

    config = load_config(config_path, overrides)
    runs = Path("runs")
    path = run_dir or (runs / config_path.stem if force else free_run_path(runs, config_path.stem))
    with RunFolder.create(path, force=force) as folder:
        return _train(config, folder, as_json=as_json, resume=False)


def _resume(run: Path, *, as_json: bool) -> int:
    from rnn_cli.config import load_config
    from rnn_cli.training.run_folder import RunFolder

    with RunFolder.reopen(run) as folder:
        return _train(load_config(folder.config), folder, as_json=as_json, resume=True)


def _train(config: "Config", folder: "RunFolder", *, as_json: bool, resume: bool) -> int:
    from rnn_cli import crash
    from rnn_cli.config import config_to_yaml
    from rnn_cli.console import TrainingDisplay, show_line
    from rnn_cli.evaluation.questions import answer_questions, read_questions
    from rnn_cli.inference import load
    from rnn_cli.training.run import train as train_run

    crash.remember("config", config_to_yaml(config))
    # Read before the training, so that a mistake in them does not come up after hours.
    questions = {name: read_questions(Path(path)) for name, path in config.data.questions.items()}
    with TrainingDisplay(
        max_epochs=config.training.max_epochs, max_minutes=config.training.max_minutes
    ) as display:
        outcome = train_run(config, folder, on_event=display.show, resume=resume)
    answers = {}
    if questions:
        model = load(folder.path)
        try:
            answers = {name: answer_questions(model, asked) for name, asked in questions.items()}
        except KeyboardInterrupt:
            raise Interrupted(
                f"Stopped before the questions were answered. Go on with: rnn train --resume {folder.path}"
            ) from None
    prompts = [question.text for asked in questions.values() for question in asked]
    prompt = min(prompts, key=len, default=outcome.opening)
    next_command = f"rnn complete {shlex.quote(prompt)} -m {shlex.quote(str(folder.path))}"
    folder.finish(
        summary := {
            "run": str(folder.path),
            "model": str(folder.model),
            **outcome.to_dict(),
            "questions": {name: accuracy.to_dict() for name, accuracy in answers.items()},
            "next": next_command,
        }
    )
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return 0
    for line in outcome.report():
        show_line(line)
    for name, accuracy in answers.items():
        _show_accuracy(name, accuracy)
    show_line(f"The model lies in {folder.path}. Try it:")
    show_line(f"  {next_command}")
    return 0


def _attempt(run: Callable[[], int]) -> int:
    """Run one training; what it understood to be wrong is printed, and the next one has its turn."""
    try:
        return run()
    except RnnError as error:
        from rnn_cli.console import show_failure

        return show_failure(error)


def _worst(codes: list[int]) -> int:
    """The exit code of several trainings: 0 only if all of them ended well."""
    return max(codes)


def _show_accuracy(name: str, accuracy: "Accuracy") -> None:
    from rnn_cli.console import show_table

    show_table(
        [("words to remember", "left"), ("questions", "right"), ("right", "right")],
        [
            *((band, f"{a.total:,}", f"{a.accuracy:.1%}") for band, a in accuracy.by_distance.items()),
            ("all", f"{accuracy.total:,}", f"{accuracy.accuracy:.1%} ± {accuracy.standard_error:.1%}"),
        ],
        title=f"{name}: right at the first guess",
    )
