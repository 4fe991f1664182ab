"""`rnn batch`: the trainings that a plan says, side by side, and their figures in one table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rnn_cli.batch.plan import Plan
    from rnn_cli.batch.results import Results

NOT_AFTER_TRAINING = {"batch", "init", "runs", "train"}


def batch(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="A YAML file: configs, and what to vary in them.")
    ],
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            help="Trainings side by side. Left out: one for each core; the cores are shared out as threads.",
            show_default=False,
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            help="The folder for the runs and the results. Left out, it is runs/NAME-OF-THE-PLAN.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train runs anew that the plan has changed since.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train nothing: print the config of every run.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")] = False,
) -> int:
    """Train every run of PLAN, each in a process and a folder of its own, and compare them.

    A run that fails does not stop the others. Started again, finished runs are skipped and half ones go on.
    """
    from rnn_cli.batch.plan import load_plan
    from rnn_cli.cli.app import command_names

    study = load_plan(plan, commands=set(command_names()) - NOT_AFTER_TRAINING)
    path = run_dir or Path("runs") / plan.stem
    if dry_run:
        return _show_configs(study, path, force=force)
    return _run(study, path, jobs=jobs, force=force, as_json=json_)


def _show_configs(plan: "Plan", path: Path, *, force: bool) -> int:
    """One YAML document a run; what is to be done with it stands in a comment."""
    from rnn_cli.batch.study import look_at
    from rnn_cli.config import config_to_yaml

    for run in look_at(plan, path, force=force):
        _, _, config = config_to_yaml(run.planned.config).partition("\n")
        typer.echo(f"---\n# {run.path} {run.next.value}\n{config}", nl=False)
    return 0


def _run(plan: "Plan", path: Path, *, jobs: int | None, force: bool, as_json: bool) -> int:
    from rnn_cli.batch.job import State
    from rnn_cli.batch.results import gather
    from rnn_cli.batch.scheduler import run_study
    from rnn_cli.batch.study import Study
    from rnn_cli.batch_display import BatchDisplay
    from rnn_cli.errors import Interrupted
    from rnn_cli.training.cores import usable_cores
    from rnn_cli.training.interrupt import StopSignal

    with Study.open(plan, path, force=force) as study:
        with StopSignal() as stop, BatchDisplay() as display:
            stop.wait_for_steps()
            outcomes = run_study(study, cores=usable_cores(), jobs=jobs, stop=stop, on_event=display.show)
        results = gather(study, outcomes)
        results.write(path)
    if as_json:
        typer.echo(json.dumps(results.to_dict(), ensure_ascii=False))
    else:
        _show(results, path)
    if stop.received:
        raise Interrupted(
            f"Stopped: {results.count(State.FINISHED)} of {len(results.runs)} runs are finished. "
            f"Go on with: rnn batch {plan.path}"
        )
    return 1 if results.count(State.FAILED) else 0


def _show(results: "Results", path: Path) -> None:
    """The table, what failed, and where the figures lie."""
    from rnn_cli.batch.job import State
    from rnn_cli.console import show_error, show_line, show_table

    show_table(results.columns(), results.rows())
    for run in results.runs:
        if run.outcome.state is State.FAILED:
            show_error(f"{run.planned.name}: {run.outcome.reason} Its log: {run.folder}/train.log")
    show_line(f"Every figure of every run: {path}/results.csv and {path}/results.json")
