"""The files that a config names: looked for, and written out as absolute paths.

`data.train`, `data.valid` and `data.test` may also name folders and patterns. What is kept is the files that
were found, so that a training that goes on later reads the same ones.
"""

import glob
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rnn_cli.config.nodes import Keys, Node, Problem
from rnn_cli.config.wording import closest, did_you_mean, shown

MOST_FILES = 50_000
"""The run's config and the model file list each, and both have to be read again."""


def resolve_paths(root: Node) -> tuple[Node, list[Problem]]:
    """Every path in the section `data` as an absolute one, and a problem for each that leads to no file.

    A folder becomes the files directly in it and a pattern the files that it matches, hidden ones left out, by
    name. Values that are no paths stay as they are, for the schema to refuse.
    """
    problems: list[Problem] = []

    def resolved(key: str, node: Node) -> Node:
        if key in {"train", "valid", "test"}:
            return _texts(node, ("data", key), problems)
        if key == "questions" and isinstance(node.value, dict):
            questions = {
                name: _one_file(child, ("data", key, name), problems) for name, child in node.value.items()
            }
            return replace(node, value=questions)
        return node

    sections = root.value if isinstance(root.value, dict) else {}
    data = sections.get("data")
    if data is None or not isinstance(data.value, dict):
        return root, []
    data = replace(data, value={key: resolved(key, node) for key, node in data.value.items()})
    problems += _too_many(data)
    return replace(root, value={**sections, "data": data}), problems


def _too_many(data: Node) -> list[Problem]:
    assert isinstance(data.value, dict)
    texts = {key: node for key, node in data.value.items() if key in {"train", "valid", "test"}}
    files = {key: len(node.value) for key, node in texts.items() if isinstance(node.value, list)}
    if sum(files.values()) <= MOST_FILES:
        return []
    most = max(files, key=lambda key: files[key])
    text = (
        f"found {files[most]:,} files, allowed: {MOST_FILES:,} in all texts together. Join them into fewer."
    )
    return [Problem(texts[most].place, ("data", most), text)]


def _texts(node: Node, keys: Keys, problems: list[Problem]) -> Node:
    """A node of one path where there is one file, else of a list."""
    if isinstance(node.value, list):
        files = [file for child in node.value for file in files_of(child, keys, problems)]
        return replace(node, value=files)
    files = files_of(node, keys, problems)
    return files[0] if len(files) == 1 else replace(node, value=files)


def files_of(node: Node, keys: Keys, problems: list[Problem]) -> list[Node]:
    """A node for each file that the path, folder or pattern in `node` stands for."""
    if not isinstance(node.value, str) or node.value == "":
        return [node]
    candidates = _candidates(node)
    # A file under the very name comes first: it may hold a star or a bracket, and then it is no pattern.
    for candidate in candidates:
        if _is_file(candidate):
            return _nodes_of([candidate], node, keys, problems)
    for candidate, folder in zip(candidates, node.place.source.folders, strict=True):
        files = _in_folder(candidate) or _matching(str(_path(node)), folder)
        if files:
            return _nodes_of(files, node, keys, problems)
    problems.append(Problem(node.place, keys, f"found {shown(node.value)}, {_no_texts(node, candidates)}"))
    return [node]


def _one_file(node: Node, keys: Keys, problems: list[Problem]) -> Node:
    if not isinstance(node.value, str) or node.value == "":
        return node
    candidates = _candidates(node)
    for candidate in candidates:
        if _is_file(candidate):
            return _nodes_of([candidate], node, keys, problems)[0]
    if any(_exists(candidate) for candidate in candidates):
        reason = "which is a folder. Name the file in it."
    else:
        reason = _no_such_file(node, candidates)
    problems.append(Problem(node.place, keys, f"found {shown(node.value)}, {reason}"))
    return node


def _nodes_of(files: list[Path], node: Node, keys: Keys, problems: list[Problem]) -> list[Node]:
    """A node for each of the files that `node` stands for, with its absolute path."""
    paths = [_absolute(file) for file in files]
    for path in paths:
        if not _is_unicode(path):
            problems.append(
                Problem(
                    node.place,
                    keys,
                    f'found {shown(node.value)}, which is "{path}", a name that is not UTF-8. '
                    "Rename the file or its folder.",
                )
            )
            return [node]
    return [replace(node, value=path) for path in paths]


def _is_unicode(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _path(node: Node) -> Path:
    path = Path(str(node.value))
    with suppress(RuntimeError):  # "~nobody" is then the name of a file
        path = path.expanduser()
    return path


def _candidates(node: Node) -> list[Path]:
    """Where the path in `node` may lead, in the order of looking."""
    return [folder / _path(node) for folder in node.place.source.folders]


def _absolute(file: Path) -> str:
    # Only the folder is resolved: behind a link the name, and with it ".gz", may be another.
    return str(file.parent.resolve() / file.name)


def _in_folder(folder: Path) -> list[Path]:
    """The files directly in `folder`, by name."""
    try:
        return [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith(".")]
    except (OSError, ValueError):
        return []  # no folder, no right to look at it or into it, or a name that cannot be one


def _matching(pattern: str, folder: Path) -> list[Path]:
    """The files that the pattern matches, by name; a relative pattern is looked for in `folder`."""
    if not glob.has_magic(pattern):
        return []
    try:
        found = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob finds hidden files
    except ValueError:  # a name that cannot be one
        return []
    # Path.is_file fails in a folder that may be listed and not entered.
    return [file for file in sorted(folder / name for name in found) if os.path.isfile(file)]  # noqa: PTH113


def _is_file(path: Path) -> bool:
    """Whether there is something to read; what is neither file nor folder is refused later, by name."""
    return _exists(path) and not path.is_dir()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no right to look, or a name that is too long
        return False


def _no_texts(node: Node, candidates: list[Path]) -> str:
    """Why a path, folder or pattern stands for no files."""
    for folder in candidates:
        if _exists(folder):
            try:
                has_folders = any(entry.is_dir() for entry in folder.iterdir())
            except OSError as error:
                return f"but the folder {folder.resolve()} cannot be read: {error.strerror}."
            deeper = f" For the files in its folders write {shown(str(_path(node) / '**' / '*'))}."
            return (
                f"but the folder {folder.resolve()} has no files in it, hidden ones left out."
                f"{deeper if has_folders else ''}"
            )
    if glob.has_magic(str(node.value)):
        return f"but no file matches it{_where(node)}."
    return _no_such_file(node, candidates)


def _no_such_file(node: Node, candidates: list[Path]) -> str:
    return f"but there is no such file{_where(node)}.{_near(_path(node), candidates)}"


def _where(node: Node) -> str:
    """Where a relative path was looked for."""
    folders = node.place.source.folders
    if _path(node).is_absolute():
        return ""
    if len(folders) == 1:
        return f" in the current folder ({folders[0]})"
    return f", neither beside the {node.place.source.kind} ({folders[0]}) nor in the current folder ({folders[1]})"


def _near(path: Path, candidates: list[Path]) -> str:
    """A file with a similar name, as a question; empty if there is none."""
    names: list[str] = []
    for candidate in candidates:
        with suppress(OSError, ValueError):  # no such folder, or a name that cannot be one
            names += [entry.name for entry in candidate.parent.iterdir() if entry.is_file()]
    near = closest(path.name, sorted(names), cutoff=0.75)
    return did_you_mean(near and shown(str(path.with_name(near))))
