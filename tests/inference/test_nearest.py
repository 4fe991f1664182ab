import time

from rnn_cli.inference.nearest import nearest_words


def test_words_that_differ_in_case_only_come_first() -> None:
    assert nearest_words("SUSHI", ["sushis", "Sushi", "sushi", "rice"]) == ["Sushi", "sushi", "sushis"]


def test_words_that_are_spelled_alike_come_best_first() -> None:
    known = ["favourites", "flavours", "favourite", "sushi"]

    assert nearest_words("favorite", known) == ["favourite", "favourites", "flavours"]


def test_a_wrong_first_letter_is_forgiven() -> None:
    assert nearest_words("zushi", ["sushi", "rice"]) == ["sushi"]


def test_there_may_be_no_word_that_is_near() -> None:
    assert nearest_words("xylophone", ["sushi", "rice"]) == []
    assert nearest_words("sushi", []) == []


def test_as_many_are_given_as_asked_for() -> None:
    assert nearest_words("cats", ["cat", "cots", "carts"], count=2) == ["carts", "cat"]


def test_a_large_vocabulary_takes_bounded_time() -> None:
    known = [f"sh{i:06d}" for i in range(250_000)]
    start = time.perf_counter()

    nearest_words("shibboleth", known)
    nearest_words("sh99999x", known)

    assert time.perf_counter() - start < 3  # about 0.4 s on an idle core
