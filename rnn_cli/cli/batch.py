"""`rnn batch`: the trainings that a plan says, side by side, and their figures in one table."""

import json
import os
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.batch.names import config_name
from rnn_cli.cli.json_line import json_line
from rnn_cli.errors import RnnError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rnn_cli.batch.machines import Machines
    from rnn_cli.batch.plan import Plan
    from rnn_cli.batch.results import Results
    from rnn_cli.batch.search_results import SearchResults

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
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="dask://HOST:PORT",
            help="Train on the workers of a dask cluster, one run for each of their threads. The current folder, the "
            "texts and the runs must be where every worker finds them by the same path.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")] = False,
) -> int:
    """Train every run of PLAN, each in a process and a folder of its own, and compare them.

    A run that fails does not stop the others. Started again, finished runs are skipped and half ones go on.
    A PLAN with `search` may be started several times at once, also on machines that share its folder.
    """
    from rnn_cli.batch.plan import load_plan
    from rnn_cli.cli.app import command_names
    from rnn_cli.console import show_note

    read = load_plan(plan, commands=set(command_names()) - NOT_AFTER_TRAINING)
    path = run_dir or Path("runs") / config_name(plan)
    if read.search is not None and force:
        raise UsageError(
            "--force is for runs that a plan has changed. A search that is changed needs a folder of its own: "
            "--run-dir."
        )
    if read.repeats:
        drawn = read.repeats + len(read.runs)
        show_note(
            f"{read.repeats:,} of {drawn:,} runs are left out: what was drawn for them was drawn before."
        )
    if dry_run:
        return _show_space(read, path) if read.search else _show_configs(read, path, force=force)
    again = _again(plan, run_dir, jobs, on, force=force)
    with _machines(on) as machines:
        if read.search is not None:
            return _search(read, path, machines, again, jobs=jobs, as_json=json_)
        return _run(read, path, machines, again, jobs=jobs, force=force, as_json=json_)


def _again(plan: Path, run_dir: Path | None, jobs: int | None, on: str | None, *, force: bool) -> str:
    """The command that goes on with the plan, in the same folder and on the same machines.

    With --force where it was given: a run that was to be trained anew may not have begun.
    """
    options = {"--run-dir": run_dir, "--jobs": jobs, "--on": on}
    given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return shlex.join(["rnn", "batch", str(plan), *given, *(["--force"] if force else [])])


def _machines(on: str | None) -> "AbstractContextManager[Machines]":
    """Those to train on: this one, or a cluster."""
    if on is None:
        from rnn_cli.batch.machines import ThisMachine
        from rnn_cli.cores import usable_cores

        return nullcontext(ThisMachine(usable_cores()))
    from rnn_cli.batch.cluster import Cluster
    from rnn_cli.console import show_note

    return Cluster.at(on, say=show_note)


def _show_configs(plan: "Plan", path: Path, *, force: bool) -> int:
    """One YAML document a run; what is to be done with it stands in a comment."""
    from rnn_cli.batch.study import look_at
    from rnn_cli.config import config_to_yaml

    for run in look_at(plan, path, force=force):
        _, _, config = config_to_yaml(run.planned.config).partition("\n")
        typer.echo(f"---\n# {run.path} {run.next.value}\n{config}", nl=False)
    return 0


def _show_space(plan: "Plan", path: Path) -> int:
    """What is searched as comments, then one YAML document a config with the first value of every key."""
    from rnn_cli.batch.figures import higher_is_better
    from rnn_cli.config import config_to_yaml

    assert plan.search is not None
    settings = plan.search.settings
    ends = [f"{settings.trials:,} trials"] if settings.trials else []
    ends += [f"{settings.minutes:g} minutes"] if settings.minutes else []
    goal = "highest" if higher_is_better(str(plan.metric)) else "lowest"
    typer.echo(f"# {path}: a search of {' or '.join(ends)} for the {goal} {plan.metric}")
    for key, choices in plan.search.space.described().items():
        typer.echo(f"#   {key}: {json.dumps(choices, ensure_ascii=False)}")
    for run in plan.search.references:
        _, _, config = config_to_yaml(run.config).partition("\n")
        typer.echo(
            f"---\n# {run.source} with the first value of every key that is searched\n{config}", nl=False
        )
    return 0


def _run(
    plan: "Plan",
    path: Path,
    machines: "Machines",
    again: str,
    *,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> int:
    from rnn_cli.batch.job import State
    from rnn_cli.batch.results import gather
    from rnn_cli.batch.scheduler import run_study
    from rnn_cli.batch.study import Study
    from rnn_cli.batch_display import BatchDisplay
    from rnn_cli.errors import Interrupted
    from rnn_cli.training.interrupt import StopSignal

    with Study.open(plan, path, force=force) as study:
        shares = machines.shares(runs=len(study.to_do()), jobs=jobs, planned_threads=plan.threads)
        with StopSignal() as stop, BatchDisplay() as display:
            stop.wait_for_steps()
            outcomes = run_study(
                study, shares=shares, stop=stop, on_event=display.show, launcher=machines.launcher
            )
        results = gather(study, outcomes)
        results.write(path)
    if as_json:
        typer.echo(json_line(results.to_dict()))
    else:
        _show(results, path)
    if stop.received:
        raise Interrupted(
            f"Stopped: {results.count(State.FINISHED)} of {len(results.runs)} runs are finished. "
            f"Go on with: {again}"
        )
    if left := results.count(State.STOPPED) + results.count(State.WAITING):
        raise RnnError(f"{left} of {len(results.runs)} runs are not finished. Go on with: {again}")
    return 1 if results.count(State.FAILED) else 0


def _search(
    plan: "Plan", path: Path, machines: "Machines", again: str, *, jobs: int | None, as_json: bool
) -> int:
    from rnn_cli.batch.job import State
    from rnn_cli.batch.search import Search
    from rnn_cli.batch.search_results import gather_search
    from rnn_cli.batch.searching import run_search
    from rnn_cli.batch_display import BatchDisplay
    from rnn_cli.errors import Interrupted
    from rnn_cli.training.interrupt import StopSignal

    assert plan.search is not None
    try:
        with Search.open(plan, path) as search:
            most = plan.search.settings.trials
            shares = machines.shares(runs=most, jobs=jobs, planned_threads=plan.threads)
            with StopSignal() as stop, BatchDisplay() as display:
                stop.wait_for_steps()
                run_search(
                    search, shares=shares, stop=stop, on_event=display.show, launcher=machines.launcher
                )
            search.close()
            results = gather_search(search)
            results.write(path)
    except OSError as error:
        raise RnnError(
            f"{path}: the search cannot go on ({error.strerror or error}). What is saved there is kept. "
            f"Mend that, and go on with: {again}"
        ) from error
    if as_json:
        typer.echo(json_line(results.to_dict()))
    else:
        _show(results, path)
        _show_best(results)
    if stop.received:
        ended = (State.FINISHED, State.GONE, State.PRUNED, State.FAILED)
        done = sum(results.count(state) for state in ended)
        raise Interrupted(f"Stopped: {done} trials are done. Go on with: {again}")
    if not machines.launcher.can_start():
        raise RnnError(f"The connection to the cluster was lost. Go on with: {again}")
    return 1 if results.count(State.FAILED) or search.cut_off else 0


def _show(results: "Results | SearchResults", path: Path) -> None:
    """The table, what failed, and where the figures lie."""
    from rnn_cli.batch.job import State
    from rnn_cli.batch.study import log_of_failure
    from rnn_cli.console import show_error, show_line, show_table

    show_table(results.columns(), results.rows())
    for run in results.runs:
        stopped_from_outside = run.outcome.state is State.STOPPED and run.outcome.reason
        if run.outcome.state is State.FAILED or stopped_from_outside:
            log = log_of_failure(Path(run.folder))
            where = f" Its log: {log}" if os.access(log, os.R_OK) else ""  # its folder may be gone
            show_error(f"{run.planned.name}: {run.outcome.reason}{where}")
    show_line(f"Every figure of every run: {path}/results.csv and {path}/results.json")


def _show_best(results: "SearchResults") -> None:
    from rnn_cli.batch.job import State
    from rnn_cli.console import show_line

    if gone := results.best_gone:
        show_line(f"The model of the best trial is gone: somebody has removed {gone.folder}")
    if results.best is not None:
        show_line(f"The best model{' that is left' if gone else ''}: {results.best.folder}")
    for state, what in (
        (State.STOPPED, "half done; it goes on when the plan is started again with trials and minutes left"),
        (State.RUNNING, "trained by another process; the last one to end writes the complete results"),
    ):
        if count := results.count(state):
            show_line(f"{count} trial{'s are' if count > 1 else ' is'} {what}.")
