"""Training: the loop, one truncated update, the optimizer, checkpoints and the records the loop reports."""
