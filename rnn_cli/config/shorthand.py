"""Short ways to write what is meant: `tokenizer: char` is `tokenizer: {kind: char}`."""

from dataclasses import replace
from typing import Any

from rnn_cli.config.nodes import Node, walk


def spelled_out(root: Node) -> Node:
    """The same config with the tokenizer as a mapping; its kind stays where it was written."""
    way = walk(root, ("data", "tokenizer"))
    if len(way) < 3 or not isinstance(way[2].value, str):
        return root
    data, tokenizer = way[1:]
    tokenizer = replace(tokenizer, value={"kind": tokenizer})
    data = replace(data, value={**_mapping(data), "tokenizer": tokenizer})
    return replace(root, value={**_mapping(root), "data": data})


def with_short_forms(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema that editors check with, short forms allowed."""
    definitions = schema["$defs"]
    data = definitions["DataConfig"]
    tokenizer = dict(data["properties"]["tokenizer"])
    kinds = {"enum": definitions["TokenizerConfig"]["properties"]["kind"]["enum"]}
    tokenizer["description"] = "how text becomes tokens: a kind alone, or a mapping"
    tokenizer["anyOf"] = [kinds, {"$ref": tokenizer.pop("$ref")}]
    data = {**data, "properties": {**data["properties"], "tokenizer": tokenizer}}
    return {**schema, "$defs": {**definitions, "DataConfig": data}}


def _mapping(node: Node) -> dict[str, Node]:
    assert isinstance(node.value, dict)
    return node.value
