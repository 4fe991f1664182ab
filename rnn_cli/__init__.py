"""rnn_cli: train a plain recurrent network on your own text, and let it complete sentences.

>>> import rnn_cli
>>> model = rnn_cli.load("runs/favourites")
>>> model.complete("My favourite dish is sushi. So, my favourite cuisine is ____.", top=5)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rnn_cli.evaluation.model import Model

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: "str | Path") -> "Model":
    """Open a trained model: a run folder or a model file. Needs NumPy only.

    What it can do: `complete` and `predict` fill blanks and go on with a text, `score` gives the log-probability of
    every token, `evaluate` measures it on a text or a set of questions.

    Raises:
        ModelFileError: there is no model, or it cannot be used.
    """
    from pathlib import Path

    from rnn_cli.evaluation.model import Model
    from rnn_cli.inference.trained_model import index_beside
    from rnn_cli.model_file import read_model_file

    path = Path(path)
    return Model.from_model_file(read_model_file(path), name=str(path), index=index_beside(path))
