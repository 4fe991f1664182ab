"""JSON for standard output, whatever its encoding."""

import json
import math
import sys
from typing import Any


def json_line(found: Any, *, encoding: str | None = None) -> str:
    """The JSON of an object in one line, in ASCII where the output cannot carry its characters.

    Else it would be written as Python escapes it, such as "\\xe9", which is no JSON. Numbers that JSON does not have,
    infinite ones and such that are none, are null.

    Args:
        encoding: of the output. None: that of standard output.
    """
    try:
        text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    except ValueError:
        found = _finite(found)
        text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding or sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(found, allow_nan=False)
    return text


def _finite(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _finite(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_finite(value) for value in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found
