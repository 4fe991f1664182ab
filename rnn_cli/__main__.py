"""`rnn` and `python -m rnn_cli`: run a command; turn whatever goes wrong into a message and an exit code."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from rnn_cli.errors import RnnError, UsageError, ran_out_of_memory

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(arguments: list[str] | None = None) -> None:
    """Run a command line (that of the process, if none is given) and exit."""
    try:
        _run(arguments)
    except KeyboardInterrupt:  # before a command has begun; from then on `cli.app` answers it
        print("Stopped.", file=sys.stderr)
        sys.exit(130)


def _run(arguments: list[str] | None) -> None:
    from rnn_cli.cli.app import app
    from rnn_cli.parent import end_with_parent

    end_with_parent()
    # NumPy's threads wait for each other after every step: where other processes hold a core, two took more than six
    # times as long as one. Whoever knows better sets it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _do_without_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without an arrow still shows the rest
    try:
        _check_current_folder()
        app(arguments, prog_name="rnn")
    except RnnError as error:
        from rnn_cli.console import show_failure

        sys.exit(show_failure(error))
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            _report_bug()
        print(
            f"error: the output cannot be written ({error.strerror}). Make room and try again.",
            file=sys.stderr,
        )
        sys.exit(RnnError.exit_code)
    except Exception as error:
        if not ran_out_of_memory(error):
            _report_bug()
        print("error: memory ran out. Close other programs, or ask for less at once.", file=sys.stderr)
        sys.exit(RnnError.exit_code)


def _do_without_what_is_closed() -> None:
    """Let results, and what is said beside them, go nowhere where their stream is closed (>&-, 2>&-).

    What is said does so wherever it cannot be written to; of results it is told.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        closed = stream is None
        try:
            if isinstance(stream, io.TextIOWrapper):
                os.write(stream.fileno(), b"")
        except OSError as error:  # EBADF: programs such as nice open a closed one for reading
            closed = name == "stderr" or error.errno == errno.EBADF
        if closed:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
            setattr(sys, name, nowhere)


def _check_current_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("The current folder was removed. Go to one that is there: cd ~") from None


def _report_bug() -> NoReturn:
    from rnn_cli.crash import report, write_crash_file

    text = report()
    try:
        what_happened = (
            f"What happened is written in {write_crash_file(text)}; please report it with that file."
        )
    except (OSError, RnnError) as error:
        what_happened = (
            f"It could not be written to a file ({error}); please report it with what follows.\n\n{text}"
        )
    print(f"error: this is a bug in rnn_cli, not a mistake of yours. {what_happened}", file=sys.stderr)
    sys.exit(3)


if __name__ == "__main__":
    main()
