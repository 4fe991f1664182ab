"""`rnn` and `python -m rnn_cli`: run a command; turn whatever goes wrong into a message and an exit code."""

import sys

from rnn_cli.errors import RnnError


def main(arguments: list[str] | None = None) -> None:
    """Run a command line (that of the process, if none is given) and exit."""
    from rnn_cli.cli.app import app

    try:
        app(arguments, prog_name="rnn")
    except RnnError as error:
        from rnn_cli.console import show_error

        show_error(str(error))
        sys.exit(error.exit_code)
    except Exception:
        from rnn_cli.crash import write_crash_file

        path = write_crash_file()
        print(
            f"error: this is a bug in rnn_cli, not a mistake of yours. What happened is written in {path}; "
            "please report it with that file.",
            file=sys.stderr,
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
