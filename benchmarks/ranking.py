"""How long it takes to rank a vocabulary for a blank with words on both sides; a random model of WikiText-2's size.

    python -m benchmarks.ranking

33,278 words, one layer of 256 units, a sentence of 20 words with the blank near its start, in the middle and at its
end; the median of 5 after one to warm up, without the time to load the model. Wall-clock and CPU seconds: other
programs on the machine lengthen the first only.
"""

import statistics
import time

import numpy as np

from rnn_cli.inference import TrainedModel
from rnn_cli.model_file import ModelFile
from rnn_cli.text.tokenizer import Tokenizer

VOCAB_SIZE = 33_278
H = 256
WORDS = 20
TIMES = 5


def random_model() -> TrainedModel:
    """A plain tanh network with random weights and the words w0, w1 and so on."""
    generator = np.random.default_rng(1)
    tokenizer = Tokenizer.train([" ".join(f"w{number}" for number in range(VOCAB_SIZE - 2))])
    shapes = {
        "embedding": (VOCAB_SIZE, H),
        "cells.0.W": (H, 2 * H),
        "cells.0.b": (H,),
        "V": (VOCAB_SIZE, H),
        "c": (VOCAB_SIZE,),
    }
    tensors = {name: (0.1 * generator.standard_normal(s)).astype(np.float32) for name, s in shapes.items()}
    model = {"cell": "elman", "num_layers": 1, "hidden_activation": "tanh", "output_activation": "softmax"}
    config = {"data": {"mode": "stream"}, "model": model}
    return TrainedModel.from_model_file(
        ModelFile(tensors, config, tokenizer.to_json(), {}, {}), name="random"
    )


def main() -> None:
    """Print one line for each place of the blank."""
    model = random_model()
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
