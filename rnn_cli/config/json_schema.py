"""The JSON Schema of what a config may say: for editors, and for messages that say what is allowed."""

import functools
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from rnn_cli.config.schema import Config, Section


class _WithoutInventedTitles(GenerateJsonSchema):
    """pydantic makes a title of every name ("Batch Size"); here a title says what is allowed."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


@functools.cache
def json_schema_of(section: type[Section]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a mapping of known keys. Shared: not to be changed."""
    schema = section.model_json_schema(schema_generator=_WithoutInventedTitles)
    return {"$schema": _WithoutInventedTitles.schema_dialect, **schema}


def config_schema() -> dict[str, Any]:
    """The JSON Schema of a config. Shared: not to be changed."""
    return json_schema_of(Config)
