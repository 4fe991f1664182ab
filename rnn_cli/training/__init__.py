"""Training: the loop, one truncated update, the optimizer, checkpoints and the records the loop reports."""

from rnn_cli.cache import keep_torch_inside

keep_torch_inside()
