"""YAML 1.2 scalars, places, duplicate keys, and what is refused."""

import itertools
import math
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_cli.config.nodes import Node, Source, plain, walk
from rnn_cli.config.yaml_reader import read_yaml

SOURCE = Source("c.yaml")


def read(text: str) -> Node:
    node, problems = read_yaml(text, SOURCE)
    assert problems == []
    assert node is not None
    return node


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in read_yaml(text, SOURCE)[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("2.", 2.0),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("+7", 7),
        ("-0", 0),
        ("010", 10),
        ("08", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1,000", "1,000"),
        ("1:30", "1:30"),
        ("12e", "12e"),
        ("1e-3 # a comment", 0.001),
        ("١", "١"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("9" * 5000, math.inf),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("None", "None"),
        ("nULL", "nULL"),
        ('""', ""),
        ("'1'", "1"),
        ('"true"', "true"),
        ("2026-01-31", "2026-01-31"),
        ("12:30:45", "12:30:45"),
        ("=", "="),
        ("C:\\texts\\a.txt", "C:\\texts\\a.txt"),
        ("|\n  on\n  2\n", "on\n2\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = plain(read(f"key: {text}"))["key"]
    assert (found, type(found)) == (value, type(value))


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(plain(read("key: .NaN"))["key"])


def test_keys_are_texts_as_they_are_written() -> None:
    assert plain(read("{on: 1, 2024: 2, 010: 3, ~: 4, '': 5, <<: {a: 1}}")) == {
        "on": 1,
        "2024": 2,
        "010": 3,
        "~": 4,
        "": 5,
        "<<": {"a": 1},
    }


def test_pyyaml_itself_stays_as_it_is() -> None:
    assert yaml.safe_load("[off, 010, 1e-3]") == [False, 8, "1e-3"]


def test_every_value_and_key_knows_its_line_and_column() -> None:
    root = read("# a comment\na:\n  b: [x,\n    y]\n  ünï: 'z'\n")
    places = {
        way: (str(walk(root, way)[-1].key_place), str(walk(root, way)[-1].place))
        for way in [(), ("a",), ("a", "b"), ("a", "b", 1), ("a", "ünï")]
    }
    assert places == {
        (): ("c.yaml:2:1", "c.yaml:2:1"),
        ("a",): ("c.yaml:2:1", "c.yaml:3:3"),
        ("a", "b"): ("c.yaml:3:3", "c.yaml:3:6"),
        ("a", "b", 1): ("c.yaml:4:5", "c.yaml:4:5"),
        ("a", "ünï"): ("c.yaml:5:3", "c.yaml:5:8"),
    }


def test_an_empty_text_has_no_value_and_no_problem() -> None:
    assert read_yaml("# only a comment\n", SOURCE) == (None, [])


COLON = (
    'this ":" cannot stand here. Does the line above lack a ":", is the indentation off, '
    'or does a text with ": " in it lack quotes?'
)
ANCHORS = "anchors (&) and aliases (*) are not used in configs. Write the value out."
TAGS = "tags (!) are not used in configs. Write the plain value."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", "2:1: a tab. Indent with spaces, and put a space after the colon."),
        ("a:\t1\n", "1:3: a tab. Indent with spaces, and put a space after the colon."),
        ("a: b: c\n", f"1:5: {COLON}"),
        ("a:\n  b 1\n  c: 2\n", f"3:4: {COLON}"),
        ("a:\n  b: 1\n c: 2\n", "3:2: this does not fit the lines above. Check the indentation."),
        ("a: [1, 2]]\n", "1:10: this does not fit the lines above. Check the indentation."),
        ("a: 1\nb\n", '2:1: this line has no ": ". Write it as "key: value".'),
        ("a: 'b\nc: 1\n", "1:4: this quote is never closed."),
        ("a: [1, 2\nb: 1\n", '1:4: this "[" is not closed, or a comma is missing after it.'),
        ("a: {b: 1\n", '1:4: this "{" is not closed, or a comma is missing after it.'),
        ("a: [\n", "2:1: a value is missing here, or a bracket is not closed."),
        ("a: 1\n---\nb: 2\n", '2:1: "---" begins a second document. A config is a single one.'),
        ("a: *.txt\n", '1:5: a value that begins with "*" or "&" needs quotes, as in "*.txt".'),
        ("a: @b\n", "1:4: not valid YAML: found character '@' that cannot start any token."),
        ("a: >x\n", "1:5: not valid YAML: expected chomping or indentation indicators, but found 'x'."),
        ("a: &x 1\nb: *x\n", f"1:4: {ANCHORS}"),
        ("a: 1\nb: *x\n", f"2:4: {ANCHORS}"),
        ("&x a: 1\n", f"1:1: {ANCHORS}"),
        ("a: !!python/object/apply:os.system [ls]\n", f"1:4: {TAGS}"),
        ("a: !!int '1'\n", f"1:4: {TAGS}"),
        ("!config\na: 1\n", f"1:1: {TAGS}"),
        ("a: [" + "[" * 30 + "]" * 31, "1:23: nested more than 20 deep."),
        ("a: 1\nb: x\0y\n", "2:5: the character U+0000 is not allowed."),
        ("a: \x1b[0m\n", "1:4: the character U+001B is not allowed."),
        ('a: "\\ud83d"\n', "1:4: half a surrogate pair (from \\ud800 to \\udfff) is no character."),
        ("a: 1\n? [b]\n: 2\n", "2:3: a list or a mapping cannot be a key."),
        ("a: 1\nb: 2\na: 3\n", "3:1: a: written twice, first at line 1. Keep one of the two."),
        ("a:\n  b: 1\n  b: 1\n", "3:3: a.b: written twice, first at line 2. Keep one of the two."),
        ("a: [{b: 1, b: 2}]\n", "1:12: a.b: written twice, first at line 1. Keep one of the two."),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_answered_in_one_exact_sentence(text: str, message: str) -> None:
    assert problems_of(text) == [f"c.yaml:{message}"]


def test_a_number_too_large_for_pyyaml_is_no_bug_of_ours() -> None:
    assert problems_of('a: "\\UFFFFFFFF"') == ["c.yaml: not valid YAML: a number in it is too large."]


def test_a_key_written_three_times_is_reported_twice() -> None:
    assert problems_of("a: 1\na: 2\na: 3\n") == [
        "c.yaml:2:1: a: written twice, first at line 1. Keep one of the two.",
        "c.yaml:3:1: a: written twice, first at line 2. Keep one of the two.",
    ]


def test_two_equal_sections_are_read_as_one_so_that_nothing_is_missed() -> None:
    node, problems = read_yaml("a:\n  b: 1\na:\n  c: 2\n", SOURCE)
    assert node is not None
    assert plain(node) == {"a": {"b": 1, "c": 2}}
    assert [str(problem) for problem in problems] == [
        "c.yaml:3:1: a: written twice, first at line 1. Keep one of the two."
    ]


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in itertools.pairwise("abcdefghij")
)
TOO_MANY = "more than 10,000 keys and values, too many for a config."
DEEP = "nested more than 20 deep."
N = 1_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, f"1:4: {ANCHORS}"),
        ("a: &a [*a]\n", f"1:4: {ANCHORS}"),
        ("a: 1\nb:\n  <<: *a\n", f"3:7: {ANCHORS}"),
        ("a: " + "[" * N, f"1:23: {DEEP}"),
        ("a: " + "{" * N, f"1:23: {DEEP}"),
        ("a: " + "[" * (N // 2) + "]" * (N // 2), f"1:23: {DEEP}"),
        ("- " * (N // 2), f"1:41: {DEEP}"),
        ("? " * (N // 2), f"1:41: {DEEP}"),
        ("".join("  " * i + "a:\n" for i in range(900)), f"20:39: {DEEP}"),
        ("a: [" + "[]," * (N // 3) + "]", f"1:29996: {TOO_MANY}"),
        ("a: [" + "{}," * (N // 3) + "]", f"1:29996: {TOO_MANY}"),
        ("a: [" + "1," * (N // 2) + "]", f"1:19999: {TOO_MANY}"),
        ("{" + "a," * (N // 2) + "}", f"1:10001: {TOO_MANY}"),
        ("a: 1\n" * (N // 5), f"5000:4: {TOO_MANY}"),
        ("x" * N + ": 1", f"1:{N + 1}: {COLON}"),
        ("a: '" + "x" * N, "1:4: this quote is never closed."),
    ],
    ids=str.split("laughs self merge [ { [] - ? indented lists mappings numbers keys equal long open"),
)
def test_a_text_made_to_fill_the_memory_is_refused_at_once(text: str, message: str) -> None:
    start = time.perf_counter()
    assert problems_of(text) == [f"c.yaml:{message}"]
    assert time.perf_counter() - start < 10  # a second, when nothing else runs


def test_lines_of_lists_are_read_beyond_ten_thousand_and_refused_at_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "a:\n" + "- 1\n" * 11_000
    assert plain(read(text)) == {"a": [1] * 11_000}
    monkeypatch.setattr("rnn_cli.config.yaml_reader._MOST_LINES_OF_LISTS", 500)
    assert problems_of(text) == [f"c.yaml:10499:3: {TOO_MANY}"]


def test_ten_thousand_keys_and_values_are_read() -> None:
    assert len(plain(read("[" + "1," * 9_999 + "]"))) == 9_999
    assert problems_of("[" + "1," * 10_000 + "]") == [f"c.yaml:1:20000: {TOO_MANY}"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: " + "x" * N, "x" * N),
        ("a: " + "9" * N, math.inf),
        ("a: 0x" + "f" * N, "0x" + "f" * N),
        ("a: 1e" + "9" * N, math.inf),
        ("a: x\n" + "#" * N, "x"),
    ],
    ids=["text", "digits", "hex", "exponent", "comment"],
)
def test_a_huge_value_is_read_in_time_that_grows_with_its_length(text: str, value: Any) -> None:
    start = time.perf_counter()
    assert plain(read(text)) == {"a": value}
    assert time.perf_counter() - start < 10


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,?\n\t 01.e~<=\\\x00\ud800é"), max_size=30))
def test_no_text_makes_the_reader_fall_over(text: str) -> None:
    node, problems = read_yaml(text, SOURCE)
    assert node is not None or len(problems) <= 1
    assert all(str(problem).startswith("c.yaml:") for problem in problems)
