"""How long `rnn complete` takes from a cold start, beside `import torch`.

    python -m benchmarks.startup RUN [ROUNDS]

RUN is a run folder or model file. The two commands take turns, so that a busy machine slows both alike; the table
gives medians and the range, and the median of the ratios within a round.
"""

import statistics
import subprocess
import sys
import time

PROMPT = "My favourite dish is sushi. So, my favourite cuisine is _____."


def seconds(command: list[str]) -> float:
    """Wall-clock seconds of one whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    run = arguments[0]
    rounds = int(arguments[1]) if len(arguments) > 1 else 11
    complete = [sys.executable, "-m", "rnn_cli", "complete", PROMPT, "-m", run]
    import_torch = [sys.executable, "-c", "import torch"]
    pairs = [(seconds(complete), seconds(import_torch)) for _ in range(rounds + 1)][
        1:
    ]  # the first one warms up
    for name, times in zip(("rnn complete", "import torch"), zip(*pairs, strict=True), strict=True):
        print(f"{name:14} median {statistics.median(times):.2f} s   {min(times):.2f} to {max(times):.2f} s")
    ratios = [ours / torchs for ours, torchs in pairs]
    print(f"{'ratio':14} median {statistics.median(ratios):.2f}     {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
