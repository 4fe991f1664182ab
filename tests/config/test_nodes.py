"""Laying values over values, and finding the way to one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_cli.config.nodes import Node, Place, Problem, Source, from_plain, merge, plain, walk

deterministic = settings(derandomize=True, deadline=None, max_examples=50)
BASE, OVER = Place(Source("base")), Place(Source("over"))

values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2),
    lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
flat_mappings = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3)


def merged(base: Any, over: Any) -> Any:
    return plain(merge(from_plain(base, BASE), from_plain(over, OVER)))


@deterministic
@given(values)
def test_a_value_comes_back_from_its_node(value: Any) -> None:
    assert plain(from_plain(value, BASE)) == value


@deterministic
@given(values, values)
def test_merging_twice_is_merging_once(base: Any, over: Any) -> None:
    once = merged(base, over)
    assert merged(once, over) == once


@deterministic
@given(flat_mappings, flat_mappings, flat_mappings)
def test_merging_one_after_the_other_is_merging_both_at_once(a: Any, b: Any, c: Any) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@deterministic
@given(mappings)
def test_an_empty_mapping_changes_nothing_and_takes_everything(mapping: Any) -> None:
    assert merged(mapping, {}) == mapping
    assert merged({}, mapping) == mapping


@deterministic
@given(mappings, mappings)
def test_the_later_wins_and_other_keys_stay_untouched(base: Any, over: Any) -> None:
    result = merged(base, over)
    assert result.keys() == base.keys() | over.keys()
    for key in result:
        if key not in over:
            assert result[key] == base[key]
        elif isinstance(over[key], dict) and isinstance(base.get(key), dict):
            assert result[key] == merged(base[key], over[key])
        else:
            assert result[key] == over[key]


@deterministic
@given(values, values)
def test_merging_changes_neither_of_the_two(base: Any, over: Any) -> None:
    base_node, over_node = from_plain(base, BASE), from_plain(over, OVER)
    merge(base_node, over_node)
    assert (plain(base_node), plain(over_node)) == (base, over)


def test_a_united_mapping_keeps_the_place_where_it_was_written_first() -> None:
    united = merge(from_plain({"a": {"b": 1, "c": 2}}, BASE), from_plain({"a": {"c": 3}}, OVER))
    assert [str(node.place) for node in walk(united, ("a", "b"))] == ["base", "base", "base"]
    assert [str(node.place) for node in walk(united, ("a", "c"))] == ["base", "base", "over"]


def test_a_way_is_walked_as_far_as_something_was_written() -> None:
    root = from_plain({"a": {"b": [5, 6]}}, BASE)
    assert [plain(node) for node in walk(root, ("a", "b", 1))][2:] == [[5, 6], 6]
    assert len(walk(root, ("a", "b", "c"))) == 3
    assert len(walk(root, ("a", 0))) == 2
    assert len(walk(root, ("x", "b"))) == 1


def test_a_problem_names_the_place_and_the_key_unless_the_override_names_it_already() -> None:
    in_file = Place(Source("c.yaml"), 3, 5)
    assert str(Problem(in_file, ("a", "b"), "wrong.")) == "c.yaml:3:5: a.b: wrong."
    assert str(Problem(in_file, (), "wrong.")) == "c.yaml:3:5: wrong."
    assert str(Problem(Place(Source("c.yaml")), (), "wrong.")) == "c.yaml: wrong."
    override = Place(Source("--set a.b=1", number=1, override="a.b"), 1, 1)
    assert str(Problem(override, ("a", "b"), "wrong.")) == "--set a.b=1: wrong."
    assert str(Problem(override, ("a",), "wrong.")) == "--set a.b=1: a: wrong."


def test_problems_are_ordered_by_source_then_line_then_column() -> None:
    file, override = Source("c.yaml"), Source("--set a=1", number=1, override="a")
    places = [Place(override, 1, 1), Place(file, 10, 4), Place(file, 10, 1), Place(file, 2, 9)]
    problems = [Problem(place, (), "wrong.") for place in places]
    assert sorted(problems, key=Problem.order) == problems[::-1]


def test_a_list_is_replaced_not_lengthened() -> None:
    assert merged({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


def test_the_node_of_a_list_item_has_one_place() -> None:
    item = Node(1, BASE, BASE)
    assert walk(Node([item], BASE, BASE), (0,))[-1] is item
