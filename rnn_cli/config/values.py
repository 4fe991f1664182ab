"""Kinds of values that a config has and pydantic does not: paths, one or several, and names of encodings."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema


def _as_tuple(value: Any) -> Any:
    """One path, a list of paths or null, as a tuple; anything else stays, for pydantic to refuse."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _as_written(paths: tuple[str, ...]) -> str | list[str] | None:
    """The shortest way to write paths: null, one path, or a list."""
    return list(paths) if len(paths) > 1 else paths[0] if paths else None


def _known_codec(name: str) -> str:
    if name != "auto":
        try:
            "a".encode(name)  # unlike codecs.lookup, this refuses codecs that are not about text, such as hex
        except (LookupError, ValueError) as error:
            raise ValueError("no such codec") from error
    return name


# The title of a schema says in words what is allowed, where the JSON Schema's own keywords cannot.
_PATH: dict[str, Any] = {"type": "string", "minLength": 1, "title": "a path"}
_PATH_LIST: dict[str, Any] = {"type": "array", "items": _PATH}
_SOME_PATHS = {"anyOf": [_PATH, {**_PATH_LIST, "minItems": 1}], "title": "a path or a list of paths"}
_ANY_PATHS = {"anyOf": [_PATH, _PATH_LIST, {"type": "null"}], "title": "a path, a list of paths, or null"}
_QUESTIONS = {"type": "object", "additionalProperties": _PATH, "title": "a mapping of names to paths"}
_CODEC = {
    "type": "string",
    "title": '"auto" or a Python codec such as "utf-8" or "cp1252"',
    "examples": ["auto", "utf-8", "utf-16", "cp1252", "latin-1"],
}
_Path = Annotated[str, Field(min_length=1)]
_PathTuple = Annotated[
    tuple[_Path, ...], BeforeValidator(_as_tuple), PlainSerializer(_as_written, when_used="json")
]
Paths = Annotated[_PathTuple, WithJsonSchema(_ANY_PATHS)]
SomePaths = Annotated[_PathTuple, Field(min_length=1), WithJsonSchema(_SOME_PATHS)]
Questions = Annotated[dict[str, _Path], WithJsonSchema(_QUESTIONS)]
Codec = Annotated[str, AfterValidator(_known_codec), WithJsonSchema(_CODEC)]
