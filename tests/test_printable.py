"""What cannot be seen is made visible."""

from rnn_cli.printable import escaped, masked


def test_what_cannot_be_printed_is_an_escape() -> None:
    assert escaped("tea\t\x1b[1mé") == "tea\\t\\x1b[1mé"


def test_what_joins_letters_belongs_to_the_spelling() -> None:
    assert escaped("می\u200cخواهم क्\u200dष") == "می\u200cخواهم क्\u200dष"
    assert escaped("a\u200bb") == "a\\u200bb"


def test_what_cannot_be_printed_is_a_question_mark() -> None:
    assert masked("tea\t\x1b[1mé") == "tea??[1mé"


def test_no_more_is_shown_than_asked_for() -> None:
    assert masked("sushi\n", 3) == "sus"
