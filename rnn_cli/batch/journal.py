"""The journal of a search, as optuna keeps it, and how optuna chooses and prunes."""

from pathlib import Path
from typing import TYPE_CHECKING

from rnn_cli.batch.space import SearchSettings
from rnn_cli.errors import RnnError, UsageError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

JOURNAL = "search.journal"

_NAME = "search"  # of the one study in a journal


def check_optuna() -> None:
    """Whether a search is possible at all.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UsageError(
            "A plan with search needs the package optuna, which is not installed. "
            "Install it from a clone: pip install -c constraints.txt '.[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # what matters of it is told by us


def open_journal(folder: Path, settings: SearchSettings, *, lowest: bool) -> "Study":
    """The study in the journal of a folder, which is made where there is none.

    Args:
        lowest: whether the lowest figure is the best.

    Raises:
        RnnError: the journal is damaged.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = folder / JOURNAL
    try:
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path))),
            study_name=_NAME,
            direction="minimize" if lowest else "maximize",
            pruner=_pruner(settings),
            load_if_exists=True,
        )
    except (ValueError, KeyError) as error:
        raise RnnError(f"{path} is damaged ({error}). Choose another folder with --run-dir.") from error


def _pruner(settings: SearchSettings) -> "BasePruner":
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    match settings.pruner:
        case "median":
            return MedianPruner(n_startup_trials=settings.startup_trials)
        case "halving":
            return SuccessiveHalvingPruner()
    return NopPruner()


def sampler(settings: SearchSettings, number: int) -> "BaseSampler":
    """Seeded by the trial's number: processes that share a search do not draw the same, and a restart does."""
    from optuna.samplers import RandomSampler, TPESampler

    if settings.sampler == "random":
        return RandomSampler(seed=number)
    return TPESampler(
        seed=number,
        n_startup_trials=settings.startup_trials,
        multivariate=True,  # the best learning rate depends on the size
        constant_liar=True,  # trials that still run count as bad: side by side they spread out
    )
