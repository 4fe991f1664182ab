"""How the pieces of a vocabulary are shown to a person, each on its own."""

from rnn_cli.printable import escaped
from rnn_cli.text.rules import EOS, UNK
from rnn_cli.text.tokenizer import Tokenizer


def label(tokenizer: Tokenizer, id_: int) -> str:
    """The word or piece of an id without the space before it; white space and control characters can be seen."""
    if id_ == tokenizer.eos_id:
        return EOS
    if id_ == tokenizer.unk_id:
        return UNK
    piece = tokenizer.pieces[id_]
    text = piece.removeprefix(" ") if tokenizer.joins_with_space else piece
    text = (text or piece).replace(" ", "␣")
    return escaped(text)
