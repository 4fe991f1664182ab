"""Draw docs/terminal.svg: the commands of the README and what they really print.

    python docs/picture.py RUN

RUN is a finished run of configs/favourites.yaml.
"""

import io
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COMMANDS = [
    'rnn complete "My favourite dish is sushi. So, my favourite cuisine is _____."',
    'rnn complete "My favourite dish is goulash. The ferry crosses twice a day in good weather. '
    'There is a good film on television. So, my favourite cuisine is _____." --top 2',
    'rnn complete "Somebody should water the"',
    'rnn complete "My favorite dish is sushi. So, my favourite cuisine is ____" --top 1',
]


def main(run: str) -> None:
    """Run the commands and export what a terminal shows."""
    console = Console(record=True, width=96, file=io.StringIO())
    for command in COMMANDS:
        arguments = [*shlex.split(command)[1:], "-m", run]
        done = subprocess.run(
            [sys.executable, "-m", "rnn_cli", *arguments], capture_output=True, text=True, check=True
        )
        console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
        console.print(Text(done.stderr, style="yellow"), end="")
        console.print(Text(done.stdout))
    console.save_svg(str(Path(__file__).with_name("terminal.svg")), title="rnn")


if __name__ == "__main__":
    main(sys.argv[1])
