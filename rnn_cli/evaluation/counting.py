"""The n-grams of the text that a model was trained on, counted with the model's own vocabulary."""

from pathlib import Path
from typing import Any

from rnn_cli.errors import TextError, UsageError
from rnn_cli.inference.ngram import HIGHEST_ORDER, NgramModel, vocabulary_of
from rnn_cli.inference.ngram_counts import count_ngrams
from rnn_cli.inference.trained_model import TrainedModel
from rnn_cli.text.corpus import Corpus, prepare_corpus
from rnn_cli.text.split import text_of_split

ORDERS = {"word": 4, "bpe": 5, "char": 8}
"""What serves by the kind of token; longer n-grams take more room and hardly help."""


def count_text(model: TrainedModel, text: Path | None = None, *, order: int | None = None) -> NgramModel:
    """Count the n-grams of a text.

    Args:
        text: what is counted, whole; None: what the model was trained on, without what was kept apart of it.
        order: tokens in the longest n-grams; None: what suits the vocabulary.

    Raises:
        UsageError: the order is out of its range, or the model only reads backwards.
        TextError: a text cannot be read, has no tokens, or is not where it was at the training.
    """
    if order is not None and not 2 <= order <= HIGHEST_ORDER:
        raise UsageError(f"--order is {order}; it has to be a whole number from 2 to {HIGHEST_ORDER}.")
    model.check_reads_forward()
    data = model.config["data"]
    corpus = _training_text(model, data) if text is None else prepare_corpus([text], model.tokenizer)
    lines = data["mode"] == "lines"
    # A blank line that stands alone has no tokens.
    tokens = int(corpus.line_spans()[1].sum()) if lines and corpus.tokens else corpus.tokens
    if not tokens:
        raise TextError(
            f"There is nothing to count: {text or 'the text that the model was trained on'} has no line with a token "
            "in it. Name another text: rnn ngram TEXT"
        )
    ngrams = count_ngrams(
        corpus.ids,
        model.tokenizer.vocab_size,
        order or ORDERS[model.tokenizer.kind],
        eos_id=model.tokenizer.eos_id,
        lines=lines,
    )
    return NgramModel(
        ngrams,
        lines=lines,
        eos_id=model.tokenizer.eos_id,
        vocabulary=vocabulary_of(model.tokenizer.to_json()),
        counted={
            "tokens": tokens,
            "files": [{"name": Path(t.path).name, "sha256": t.sha256} for t in corpus.texts],
        },
    )


def _training_text(model: TrainedModel, data: dict[str, Any]) -> Corpus:
    text = text_of_split(data, "train")
    if text is None:
        raise TextError("The model does not say what it was trained on. Name the text: rnn ngram TEXT")
    paths, part = text
    if missing := next((path for path in paths if not path.exists()), None):
        raise TextError(
            f"The text that the model was trained on is not at {missing}. Name it: rnn ngram TEXT"
        )
    return prepare_corpus(paths, model.tokenizer, encoding=data.get("encoding", "auto"), part=part)
