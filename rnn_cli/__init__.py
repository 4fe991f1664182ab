"""rnn_cli: train a plain recurrent network on your own text, and let it complete sentences.

>>> import rnn_cli
>>> model = rnn_cli.load("runs/favourites")
>>> model.complete("My favourite dish is sushi. So, my favourite cuisine is ____.", top=5)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rnn_cli.inference import TrainedModel

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: "str | Path") -> "TrainedModel":
    """Open a trained model: a run folder or a model file. Needs NumPy only.

    Raises:
        ModelFileError: there is no model, or it cannot be used.
    """
    from rnn_cli.inference import load as load_model

    return load_model(path)
