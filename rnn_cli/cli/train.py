"""`rnn train`: one training after another, of a config or of a text, each into a run folder of its own."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.texts import DEFAULT_BUDGET, check_budget, is_config, run_name, text_files
from rnn_cli.errors import Interrupted, RnnError, UsageError
from rnn_cli.training.launch import resume_command, started_together

if TYPE_CHECKING:
    from rnn_cli.config.schema import Config
    from rnn_cli.evaluation.questions import Accuracy, Question
    from rnn_cli.training.ranks import Ranks
    from rnn_cli.training.run_folder import RunFolder

ADVICE_WIDTH = 80


def train(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CONFIG|TEXT...",
            help="YAML files, or texts (files or folders, also packed), for which everything is chosen; "
            "each is trained in turn.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="TIME",
            help=f"How long a text may take, reading it and the test included: 90s, 10m, 1.5h. "
            f"Left out, it is {DEFAULT_BUDGET}.",
            show_default=False,
        ),
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
            "Left out, it is runs/NAME-OF-THE-CONFIG-OR-TEXT.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on with a run that was stopped.", show_default=False
        ),
    ] = None,
    index: Annotated[
        bool,
        typer.Option(
            "--index", help="Keep lines of the training text by hidden state, for `rnn complete --why`."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the run that the folder holds.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object a run.")
    ] = False,
) -> int:
    """Train a network as CONFIG says, or on TEXT in the time of --budget; keep the best model, say how good it is."""
    overrides = [*(set_ or []), *(["logging.index=true"] if index else [])]
    trainings = partial(
        _trainings, configs or [], overrides, budget, run_dir, resume, force=force, as_json=json_
    )
    return _together(trainings) if started_together() else trainings(None)


def _together(trainings: Callable[["Ranks"], int]) -> int:
    """As one of several processes: the first does what the command line says, the others train along."""
    from rnn_cli.training.follow import follow
    from rnn_cli.training.interrupt import StopSignal
    from rnn_cli.training.ranks import Ranks

    ranks = Ranks.join()
    with StopSignal() as stop:
        stop.wait_for_steps()  # a launcher that stops all of them must not keep this one from saying why
        exit_code = _attempt(lambda: trainings(ranks) if ranks.first else follow(ranks), ranks)
    ranks.leave()
    return exit_code


def _trainings(
    configs: list[Path],
    overrides: list[str],
    budget: str | None,
    run_dir: Path | None,
    resume: Path | None,
    ranks: "Ranks | None",
    *,
    force: bool,
    as_json: bool,
) -> int:
    """One training after another; those of a process among several are one."""
    if resume is not None:
        if configs or overrides or run_dir or force or budget:
            raise UsageError(
                "--resume goes on with a run as it is: give it alone, without CONFIG, --set, --run-dir, --budget, "
                "--index or --force."
            )
        return _attempt(partial(_resume, resume, ranks, as_json=as_json), ranks)
    if not configs:
        raise UsageError(
            "CONFIG or TEXT is missing. With a text everything is chosen for you: rnn train my.txt. "
            "To get a first config: rnn init > config.yaml"
        )
    budget_s = check_budget(budget, configs)
    if ranks is not None and not (len(configs) == 1 and is_config(configs[0])):
        raise UsageError(
            f"{ranks.count} processes together train one config: give one. For a text, let a single process choose "
            "first, and train with the config.yaml in its run."
        )

    names = [run_name(path) for path in configs]
    if (run_dir or force) and (twice := [name for name in names if names.count(name) > 1]):
        raise UsageError(
            f"{names.count(twice[0])} configs or texts are called {twice[0]}, and each would be written to the same "
            "folder. Rename them, or train them in calls of their own."
        )
    codes = []
    for path, name in zip(configs, names, strict=True):
        where = run_dir / name if run_dir and len(configs) > 1 else run_dir
        source = _Config(path, overrides) if is_config(path) else _Text(path, overrides, budget_s)
        codes.append(
            _attempt(partial(_train_anew, source, name, where, ranks, force=force, as_json=as_json), ranks)
        )
        if codes[-1] == Interrupted.exit_code:
            break
    return _worst(codes)


@dataclass(frozen=True)
class _Config:
    """A config file, to be trained as it says."""

    path: Path
    overrides: list[str]
    budget_s_in_force: None = None

    def check(self) -> Callable[[], "Config"]:
        """Everything that is wrong with it, before a folder is made."""
        from rnn_cli.config import load_config

        config = load_config(self.path, self.overrides)
        return lambda: config


@dataclass(frozen=True)
class _Text:
    """A text, for which everything is chosen."""

    path: Path
    overrides: list[str]
    budget_s: float

    @property
    def budget_s_in_force(self) -> float | None:
        """The budget; None where the user gives the minutes of training, which go before it."""
        from rnn_cli.config import read_overrides

        asked = read_overrides(self.overrides).get("training")
        return None if isinstance(asked, dict) and asked.get("max_minutes") else self.budget_s

    def check(self) -> Callable[[], "Config"]:
        """Everything that can be told at once; the choice itself takes some seconds."""
        from rnn_cli.config import read_overrides

        started_at = time.perf_counter()
        files = text_files(self.path)
        data = read_overrides(self.overrides).get("data")
        if isinstance(data, dict) and "train" in data:
            raise UsageError(
                f"--set data.train names another text than {self.path}, for which everything is chosen. Give that "
                "text itself: rnn train TEXT"
            )
        return partial(self._choose, files, started_at)

    def _choose(self, files: list[Path], started_at: float) -> "Config":
        from rnn_cli.console import TrainingDisplay, show_plan
        from rnn_cli.recipe.make import make_recipe

        try:
            with TrainingDisplay(max_epochs=1) as display:
                recipe = make_recipe(
                    files,
                    budget_s=self.budget_s,
                    overrides=self.overrides,
                    started_at=started_at,
                    on_event=display.show,
                )
        except KeyboardInterrupt:
            raise Interrupted("Stopped before the first step: there was nothing to save.") from None
        show_plan((reason.what, reason.choice, reason.why) for reason in recipe.reasons)
        return recipe.config


def _train_anew(
    source: _Config | _Text,
    name: str,
    run_dir: Path | None,
    ranks: "Ranks | None",
    *,
    force: bool,
    as_json: bool,
) -> int:
    make_config = source.check()
    from rnn_cli.training.interrupt import StopSignal
    from rnn_cli.training.run_folder import RunFolder, free_run_path

    runs = Path("runs")
    # Where no run has begun SIGTERM, too, has to leave by way of the folder, which goes then.
    with StopSignal() if ranks is None else nullcontext():
        path = run_dir or (runs / name if force else free_run_path(runs, name))
        if run_dir is None and path.name != name:
            _note_other_run(runs / name, path, as_json=as_json)
        with RunFolder.create(path, force=force) as folder:
            return _train(
                make_config(), folder, ranks, as_json=as_json, resume=False, budget_s=source.budget_s_in_force
            )


def _note_other_run(taken: Path, path: Path, *, as_json: bool) -> None:
    """Say where the run goes, and how to go on with the one that has its name, if that is half done."""
    from rnn_cli.console import show_note
    from rnn_cli.training.run_folder import RunFolder

    if as_json:
        return
    half = not RunFolder(taken).summary.exists() and RunFolder(taken).states()
    way_on = f" and half done (go on with it: rnn train --resume {taken})" if half else ""
    show_note(f"{taken} is there already{way_on}; this run goes to {path}.")


def _resume(run: Path, ranks: "Ranks | None", *, as_json: bool) -> int:
    from rnn_cli.config import load_config
    from rnn_cli.training.run_folder import RunFolder

    with RunFolder.reopen(run) as folder:
        return _train(load_config(folder.config), folder, ranks, as_json=as_json, resume=True)


def _train(
    config: "Config",
    folder: "RunFolder",
    ranks: "Ranks | None",
    *,
    as_json: bool,
    resume: bool,
    budget_s: float | None = None,
) -> int:
    from rnn_cli import crash
    from rnn_cli.config import config_to_yaml
    from rnn_cli.console import TrainingDisplay, results_are_read, show_line
    from rnn_cli.evaluation.questions import answer_questions, read_questions
    from rnn_cli.inference import load
    from rnn_cli.recipe.advice import advice
    from rnn_cli.training.history import curves, read_history
    from rnn_cli.training.ranks import ALONE
    from rnn_cli.training.run import train as train_run

    crash.remember("config", config_to_yaml(config))
    # Read before the training, so that a mistake in them does not come up after hours.
    questions = {name: read_questions(Path(path)) for name, path in config.data.questions.items()}
    with TrainingDisplay(
        max_epochs=config.training.max_epochs, max_minutes=config.training.max_minutes
    ) as display:
        outcome = train_run(
            config,
            folder,
            on_event=display.show,
            resume=resume,
            prompts=_some_of(questions),
            ranks=ranks or ALONE,
        )
    answers = {}
    if questions:
        model = load(folder.path)
        try:
            answers = {name: answer_questions(model, asked) for name, asked in questions.items()}
        except KeyboardInterrupt:
            raise Interrupted(
                f"Stopped before the questions were answered. Go on with: {resume_command(folder.path)}"
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
        typer.echo(json_line(summary))
        return 0
    for line in outcome.report():
        show_line(line)
    for name, accuracy in answers.items():
        _show_accuracy(name, accuracy)
    if results_are_read():
        history = read_history(folder.metrics)
        next_step = advice(history, config, outcome.reason, budget_s=budget_s)
        advised = wrap(next_step, ADVICE_WIDTH, break_on_hyphens=False)
        for line in ["", *curves(history), "", *advised, ""]:
            show_line(line)
    show_line(f"The model lies in {folder.path}. Try it:")
    show_line(f"  {next_command}")
    return 0


def _some_of(questions: Mapping[str, Sequence["Question"]]) -> list[str]:
    """The texts of a few questions, of each set the same number, as far from each other as can be."""
    from rnn_cli.training.samples import PROMPTS

    chosen: list[str] = []
    for asked in questions.values():
        count = min(len(asked), -(-PROMPTS // len(questions)))
        chosen += [asked[i * len(asked) // count].text for i in range(count)]
    return chosen[:PROMPTS]


def _attempt(run: Callable[[], int], ranks: "Ranks | None") -> int:
    """Run one training; what it understood to be wrong is printed, and the next one has its turn."""
    try:
        return run()
    except RnnError as error:
        from rnn_cli.console import show_failure

        if ranks is not None and ranks.first:
            ranks.tell(error)
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
