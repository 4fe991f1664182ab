"""Configs are plain YAML 1.2: what looks like a number is one, `on` is a word, and nothing is read twice.

PyYAML speaks YAML 1.1, in which `1e-3` is text, `010` is 8, `off` is false and the second of two equal keys
silently wins. The loader below has scalar rules of its own (the "core schema", yaml.org/spec/1.2.2 section
10.3.2); PyYAML itself stays as it is. What a config has no use for is refused: anchors, aliases, merge keys,
tags, and mappings as keys.
"""

import re

import yaml

from rnn_cli.config.nodes import Keys, Node, Place, Problem, Scalar, Source, merge

_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    # The kind, how it is written, and the characters that it may begin with ("" is an empty value).
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    # Not more digits than what is worked out from it has room for in a float; a longer number is one itself.
    ("int", r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
)
# PyYAML's words (their beginning), ours, and whether the fault is where the broken thing began.
_SYNTAX = (
    (
        "mapping values are not allowed here",
        'this ":" cannot stand here. Does the line above lack a ":", is the indentation off, '
        'or does a text with ": " in it lack quotes?',
        False,
    ),
    ("could not find expected ':'", 'this line has no ": ". Write it as "key: value".', True),
    ("found unexpected end of stream", "this quote is never closed.", True),
    ("expected ',' or ']'", 'this "[" is not closed, or a comma is missing after it.', True),
    ("expected ',' or '}'", 'this "{" is not closed, or a comma is missing after it.', True),
    ("expected the node content", "a value is missing here, or a bracket is not closed.", False),
    ("expected <block end>", "this does not fit the lines above. Check the indentation.", False),
    ("found character '\\t'", "a tab. Indent with spaces, and put a space after the colon.", False),
    (
        "expected alphabetic or numeric",
        'a value that begins with "*" or "&" needs quotes, as in "*.txt".',
        False,
    ),
    ("but found another document", '"---" begins a second document. A config is a single one.', False),
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# A config is three levels deep and has a hundred values. This is only to be safe from a text of brackets, of which
# PyYAML reads 20,000 in a second.
_DEEPEST = 20
_MOST_NODES = 10_000
# The config of a run lists its texts, one a line: as many as `paths` lets through, and some seconds to read.
_MOST_LINES_OF_LISTS = 100_000


class _RefusedError(yaml.MarkedYAMLError):
    """Good YAML that a config has no use for."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, used only to compose nodes."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - an empty one of its own, or PyYAML would share the 1.1 rules
    _depth = 0
    _nodes = 0
    _lines_of_lists = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, unless it is of a sort that a config has no use for."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if getattr(event, "anchor", None) is not None:
            raise _RefusedError(
                "anchors (&) and aliases (*) are not used in configs. Write the value out.", mark
            )
        if getattr(event, "tag", None) is not None:
            raise _RefusedError("tags (!) are not used in configs. Write the plain value.", mark)
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            raise _RefusedError("half a surrogate pair (from \\ud800 to \\udfff) is no character.", mark)
        if self._depth == _DEEPEST:
            raise _RefusedError(f"nested more than {_DEEPEST} deep.", mark)
        if self._nodes == _MOST_NODES:
            raise _RefusedError(f"more than {_MOST_NODES:,} keys and values, too many for a config.", mark)
        if _is_line_of_list(parent, event) and self._lines_of_lists < _MOST_LINES_OF_LISTS:
            self._lines_of_lists += 1
        else:
            self._nodes += 1
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _is_line_of_list(parent: yaml.Node | None, event: yaml.Event) -> bool:
    """Whether this is what stands behind a dash."""
    return (
        isinstance(event, yaml.ScalarEvent)
        and isinstance(parent, yaml.SequenceNode)
        and not parent.flow_style  # of brackets it is True
    )


for _kind, _pattern, _first in _SCALARS:
    CoreLoader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), _first)


def read_yaml(text: str, source: Source, keys: Keys = ()) -> tuple[Node | None, list[Problem]]:
    """Read one YAML document, and say what is wrong with it.

    Args:
        keys: the keys under which the whole text stands, for the problems.

    Returns:
        The value, None if the text is empty or cannot be read, and the problems. Two equal keys are a
        problem, and are read as one.
    """
    try:
        composed = yaml.compose(text, Loader=CoreLoader)
    except yaml.reader.ReaderError as error:
        place = place_after(text[: error.position], source)
        return None, [Problem(place, keys, f"the character U+{error.character:04X} is not allowed.")]
    except yaml.MarkedYAMLError as error:
        return None, [_syntax_problem(error, source, keys)]
    except (ValueError, OverflowError):  # PyYAML does not check the number in "\U..." and in %YAML
        return None, [Problem(Place(source), keys, "not valid YAML: a number in it is too large.")]
    if composed is None:
        return None, []
    problems: list[Problem] = []
    node = _with_places(composed, composed, keys, source, problems)
    return node, problems


def _syntax_problem(error: yaml.MarkedYAMLError, source: Source, keys: Keys) -> Problem:
    found, mark = str(error.problem), error.problem_mark
    text = found if isinstance(error, _RefusedError) else f"not valid YAML: {found}."
    for theirs, ours, at_its_beginning in _SYNTAX:
        if found.startswith(theirs):
            text = ours
            mark = error.context_mark if at_its_beginning else mark
    return Problem(_place(mark, source) if mark else Place(source), keys, text)


def place_after(text: str, source: Source) -> Place:
    """Where the character stands that follows `text`, the beginning of a source."""
    line_start = text.rfind("\n") + 1
    return Place(source, text.count("\n") + 1, len(text) - line_start + 1)


def _with_places(
    node: yaml.Node, key_node: yaml.Node, keys: Keys, source: Source, problems: list[Problem]
) -> Node:
    """PyYAML's node as ours; what is wrong with its keys and texts is added to `problems`."""
    key_place, place = _place(key_node.start_mark, source), _place(node.start_mark, source)
    if isinstance(node, yaml.ScalarNode):
        return Node(_scalar(node), key_place, place)
    if isinstance(node, yaml.SequenceNode):
        children = [_with_places(child, child, keys, source, problems) for child in node.value]
        return Node(children, key_place, place)

    mapping: dict[str, Node] = {}
    for child_key, child in node.value:
        child_place = _place(child_key.start_mark, source)
        if not isinstance(child_key, yaml.ScalarNode):
            problems.append(Problem(child_place, keys, "a list or a mapping cannot be a key."))
            continue
        key = child_key.value  # as it is written: a question may be called 2024 or on
        read = _with_places(child, child_key, (*keys, key), source, problems)
        if key in mapping:
            first = mapping[key].key_place
            text = f"written twice, first at line {first.line}. Keep one of the two."
            problems.append(Problem(child_place, (*keys, key), text))
            read = merge(mapping[key], read)
        mapping[key] = read
    return Node(mapping, key_place, place)


def _place(mark: yaml.Mark, source: Source) -> Place:
    return Place(source, mark.line + 1, mark.column + 1)


def _scalar(node: yaml.ScalarNode) -> Scalar:
    text: str = node.value
    match node.tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        case "float":
            return float(text.lower().replace(".i", "i").replace(".n", "n"))  # .inf and .nan
    return text
