"""JSON that any output can carry."""

import json
import math

import pytest

from rnn_cli.cli.json_line import json_line

FOUND = {"word": "é → 😀", "path": "caf\udce9"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_it_is_json_in_every_encoding(encoding: str) -> None:
    for found in (FOUND, {"word": "é → 😀"}, {"word": "é"}):
        line = json_line(found, encoding=encoding)
        assert json.loads(line.encode(encoding, "backslashreplace").decode(encoding)) == found


def test_what_the_output_can_carry_is_written_as_it_is() -> None:
    assert json_line({"word": "é → 😀"}, encoding="utf-8") == '{"word": "é → 😀"}'
    assert json_line({"word": "é"}, encoding="ascii") == '{"word": "\\u00e9"}'


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert json_line({"a": [math.inf, (math.nan, 1.5)], "b": {"c": -math.inf}}) == (
        '{"a": [null, [null, 1.5]], "b": {"c": null}}'
    )
