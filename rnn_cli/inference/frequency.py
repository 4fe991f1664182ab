"""How probable words are by their frequency alone, and choices ranked by how much more probable a text makes them.

    ln P(w) = sum over the tokens of w of ln((count + 1) / (N + vocab_size))

N is the number of tokens of the training text; the 1 is so that a token which never stood there has a probability,
too. A word that the vocabulary does not have counts as `<unk>`. The score of a choice is then

    pmi(w) = ln P(w and all that stands behind it | what stands to the left) - ln P(w)

That is its pointwise mutual information with the text around it, but for a number that is the same for all choices of
a blank (Church and Hanks, Word Association Norms, Mutual Information, and Lexicography, 1990). By Bayes' rule the
share of e^pmi(w) in the sum over all choices is P(w | the text around it) if all are equally frequent beforehand.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError, UsageError
from rnn_cli.model_tensors import Counts
from rnn_cli.text.tokenizer import Tokenizer


class Frequencies:
    """The unigram distribution of a training text.

    Args:
        counts: how often each token stands in it, (vocab_size,).
    """

    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    @cached_property
    def log_probs(self) -> npt.NDArray[np.float64]:
        """ln P of each token, (vocab_size,), in nats."""
        counts = self.counts.astype(np.float64)  # whose sum has room for any number of tokens
        found: npt.NDArray[np.float64] = np.log(counts + 1) - np.log(counts.sum() + len(counts))
        return found

    def log_prob(self, ids: Sequence[int]) -> float:
        """ln P of some tokens, each by itself, in nats."""
        return float(self.log_probs[list(ids)].sum())


def frequencies_for_pmi(frequencies: Frequencies | None, tokenizer: Tokenizer) -> Frequencies:
    """What a model ranks choices by PMI with.

    Raises:
        UsageError: its tokens are no words.
        ModelFileError: it has no counts.
    """
    if tokenizer.kind != "word":
        raise UsageError(
            "--pmi asks how frequent a word is, and this model's tokens are pieces of words (kind "
            f"{tokenizer.kind}). Leave it out, or train with data.tokenizer.kind word."
        )
    if frequencies is None:
        raise ModelFileError(
            "--pmi asks how frequent a word is, and this model was trained before model files said so. Leave it out, "
            "or train the model again with this rnn_cli."
        )
    return frequencies
