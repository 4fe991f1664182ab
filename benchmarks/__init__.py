"""What measures: one script for each claim in the README, each against a peer in the same run."""

import os

# As `rnn` sets it before NumPy comes, see `rnn_cli.__main__`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
