"""How long it takes to rank a vocabulary for a blank with words on both sides; a random model of WikiText-2's size.

    python -m benchmarks.ranking

33,278 words, one layer of 256 units, a sentence of 20 words with the blank near its start, in the middle and at its
end; the median of 5 after one to warm up, without the time to load the model. Wall-clock and CPU seconds: other
programs on the machine lengthen the first only.
"""

import statistics
import time

from benchmarks.random_model import random_model

WORDS = 20
TIMES = 5


def main() -> None:
    """Print one line for each place of the blank."""
    model = random_model(vocab_size=33_278, size=256)
    for name, place in (("start", 1), ("middle", WORDS // 2), ("end", WORDS - 1)):
        words = [f"w{number}" for number in range(100, 100 + WORDS)]
        words[place] = "____"
        seconds, cpu_seconds = [], []
        for _ in range(TIMES + 1):
            start, cpu_start = time.perf_counter(), time.process_time()
            result = model.complete(" ".join(words))
            seconds.append(time.perf_counter() - start)
            cpu_seconds.append(time.process_time() - cpu_start)
        wall, cpu = (statistics.median(some[1:]) for some in (seconds, cpu_seconds))
        print(f"blank at the {name}: {wall:.2f} s, {cpu:.2f} s CPU, {result.ranked}")


if __name__ == "__main__":
    main()
