"""A trained model at work: NumPy only, never torch."""

from rnn_cli.inference.completion import Completion, CompletionResult
from rnn_cli.inference.finding import find_model
from rnn_cli.inference.trained_model import TrainedModel, load

__all__ = ["Completion", "CompletionResult", "TrainedModel", "find_model", "load"]
