"""One family of exceptions, and the exit code that each of them means.

    RnnError                 1    understood failure: what, where, allowed, how to mend
    ├── UsageError           2    the command line asks for something that cannot be
    │   └── ConfigError      2    a config says something that it may not (all problems at once)
    ├── TextError            1    a text file cannot be read or used
    ├── ModelFileError       1    a model file or run folder cannot be used
    ├── TrainingError        1    a training cannot go on
    │   └── RankLostError    1    another process of the same training has ended
    └── Interrupted        130    stopped by Ctrl-C or SIGTERM, after saving

Anything else that reaches the top is a bug of ours: exit code 3, traceback into a file.
"""


class RnnError(Exception):
    """An understood failure. The message is complete: it is printed as it stands."""

    exit_code = 1


class UsageError(RnnError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """A config says something that it may not. `problems` holds one complete message each, in file order."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TextError(RnnError):
    """A text file cannot be read or used."""


class ModelFileError(RnnError):
    """A model file or a run folder cannot be used."""


class TrainingError(RnnError):
    """A training cannot go on."""


class RankLostError(TrainingError):
    """Another process of the same training has ended, or cannot be reached."""


def ran_out_of_memory(error: Exception) -> bool:
    """Whether there was too little memory: Python and NumPy have a class for it, torch only says so."""
    said = str(error) if isinstance(error, RuntimeError) else ""
    return isinstance(error, MemoryError) or "can't allocate memory" in said or "out of memory" in said


class Interrupted(RnnError):  # noqa: N818 - nothing went wrong
    """Stopped by Ctrl-C or SIGTERM, after saving."""

    exit_code = 130
