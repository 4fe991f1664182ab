"""The files that a config names: looked for, and written out as absolute paths."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rnn_cli.config.nodes import Keys, Node, Problem
from rnn_cli.config.wording import closest, did_you_mean, shown


def resolve_paths(root: Node) -> tuple[Node, list[Problem]]:
    """Every path in the section `data` as an absolute one, and a problem for each that leads to no file.

    Values that are no paths stay as they are, for the schema to refuse.
    """
    problems: list[Problem] = []

    def resolved(key: str, node: Node) -> Node:
        if key in {"train", "valid", "test"}:
            return _resolved(node, ("data", key), problems)
        if key == "questions" and isinstance(node.value, dict):
            questions = {
                name: _resolved(child, ("data", key, name), problems) for name, child in node.value.items()
            }
            return replace(node, value=questions)
        return node

    sections = root.value if isinstance(root.value, dict) else {}
    data = sections.get("data")
    if data is None or not isinstance(data.value, dict):
        return root, []
    data = replace(data, value={key: resolved(key, node) for key, node in data.value.items()})
    return replace(root, value={**sections, "data": data}), problems


def _resolved(node: Node, keys: Keys, problems: list[Problem]) -> Node:
    if isinstance(node.value, list):
        return replace(node, value=[_resolved(child, keys, problems) for child in node.value])
    if not isinstance(node.value, str) or node.value == "":
        return node
    path = Path(node.value)
    with suppress(RuntimeError):  # "~nobody" is then the name of a file
        path = path.expanduser()
    candidates = [folder / path for folder in node.place.source.folders]
    for candidate in candidates:
        if _exists(candidate) and not candidate.is_dir():
            # Only the folder is resolved: behind a link the name, and with it ".gz", may be another.
            return replace(node, value=str(candidate.parent.resolve() / candidate.name))
    if any(_exists(candidate) for candidate in candidates):
        reason = "which is a folder. Name the files in it."
    else:
        where = _where(path, node.place.source.folders)
        reason = f"but there is no such file{where}.{_near(path, candidates)}"
    problems.append(Problem(node.place, keys, f"found {shown(node.value)}, {reason}"))
    return node


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no right to look, or a name that is too long
        return False


def _where(path: Path, folders: tuple[Path, ...]) -> str:
    """Where a relative path was looked for."""
    if path.is_absolute():
        return ""
    if len(folders) == 1:
        return f" in the current folder ({folders[0]})"
    return f", neither beside the config ({folders[0]}) nor in the current folder ({folders[1]})"


def _near(path: Path, candidates: list[Path]) -> str:
    """A file with a similar name, as a question; empty if there is none."""
    names: list[str] = []
    for candidate in candidates:
        with suppress(OSError, ValueError):  # no such folder, or a name that cannot be one
            names += [entry.name for entry in candidate.parent.iterdir() if entry.is_file()]
    near = closest(path.name, sorted(names), cutoff=0.75)
    return did_you_mean(near and shown(str(path.with_name(near))))
