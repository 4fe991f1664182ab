"""What cannot be seen is made visible."""

from rnn_cli.printable import JOINERS, escaped, masked


def test_what_cannot_be_printed_is_an_escape() -> None:
    assert escaped("tea\t\x1b[1mé") == "tea\\t\\x1b[1mé"


def test_what_joins_letters_can_be_kept() -> None:
    assert escaped("می\u200cخواهم\t", keep=JOINERS) == "می\u200cخواهم\\t"
    assert escaped("می\u200cخواهم") == "می\\u200cخواهم"


def test_what_cannot_be_printed_is_a_question_mark() -> None:
    assert masked("tea\t\x1b[1mé") == "tea??[1mé"


def test_no_more_is_shown_than_asked_for() -> None:
    assert masked("sushi\n", 3) == "sus"
