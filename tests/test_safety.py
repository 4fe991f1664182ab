"""No code out of data, no network, and nothing written outside the run folder and the cache."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rnn_cli
from tests.cli.conftest import CONFIG, LINES

PACKAGE = Path(rnn_cli.__file__).parent

MODULES = (
    "pickle", "_pickle", "cPickle", "pickletools", "marshal", "shelve", "dill", "cloudpickle", "joblib",
    "builtins", "runpy", "code", "ctypes", "subprocess", "multiprocessing", "pty", "socket", "socketserver",
    "ssl", "http", "urllib", "urllib3", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "xmlrpc",
    "webbrowser", "huggingface_hub",
)  # fmt: skip
NAMES = (
    "eval", "exec", "compile", "__import__", "__builtins__", "importlib.import_module", "importlib.util",
    "torch.load", "torch.jit", "torch.hub", "torch.package", "torch.serialization", "torch.compile",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.full_load_all", "yaml.unsafe_load",
    "yaml.unsafe_load_all", "yaml.Loader", "yaml.CLoader", "yaml.FullLoader", "yaml.UnsafeLoader",
    "yaml.Unpickler", "os.system", "os.popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.posix_spawnp",
    "os.startfile",
)  # fmt: skip
FAMILIES = ("os.exec", "os.spawn")  # os.execv and its kin
PICKLING_READERS = ("numpy.load", "numpy.lib.format.read_array", "numpy.lib.npyio.NpzFile")


def dangers(source: str) -> list[str]:
    """What a source uses that it may not, as "line: name", by the names under which modules are known."""
    tree = ast.parse(source)
    known = dict(imported(tree))
    found = [
        f"{node.lineno}: {name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute | ast.Import | ast.ImportFrom)
        for name in full_names(node, known)
        if is_dangerous(name)
    ]
    return found + [
        f"{node.lineno}: allow_pickle"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and may_unpickle(node, known)
    ]


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that the imports of a source give, and what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def full_names(node: ast.AST, known: dict[str, str]) -> list[str]:
    """`np.load` after `import numpy as np` is numpy.load; an import is all the names that it imports."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case ast.Name():
            return [known.get(node.id, node.id)]
        case ast.Attribute():
            return [f"{name}.{node.attr}" for name in full_names(node.value, known)]
    return []


def is_dangerous(name: str) -> bool:
    return (
        name.partition(".")[0] in MODULES
        or any(name == known or name.startswith(f"{known}.") for known in NAMES)
        or name.startswith(FAMILIES)
    )


def may_unpickle(call: ast.Call, known: dict[str, str]) -> bool:
    """Whether a call lets NumPy read pickles: allow_pickle may be False, and is given by name."""
    if any(
        keyword.arg == "allow_pickle"
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in call.keywords
    ):
        return True
    reads = set(full_names(call.func, known)) & set(PICKLING_READERS)
    return bool(reads) and (len(call.args) > 2 or any(keyword.arg is None for keyword in call.keywords))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        *((f"import {module}", [f"1: {module}"]) for module in MODULES),
        *((f"{name}(x)", [f"1: {name}"]) for name in NAMES if "." not in name),
        ("def f():\n    import pickle as harmless", ["2: pickle"]),
        ("from pickle import loads", ["1: pickle.loads"]),
        ("from os import system", ["1: os.system"]),
        ("import urllib.request", ["1: urllib.request"]),
        ("import os\nos.system('ls')", ["2: os.system"]),
        ("import os\nos.execv('/bin/ls', [])", ["2: os.execv"]),
        ("import os as o\nf = o.popen", ["2: os.popen"]),
        ("import torch\ntorch.load(p, weights_only=True)", ["2: torch.load"]),
        ("import torch as t\nt.load(p)", ["2: torch.load"]),
        ("from torch import load as read\nread(p)", ["1: torch.load", "2: torch.load"]),
        ("import yaml\nyaml.load(t, Loader=yaml.FullLoader)", ["2: yaml.load", "2: yaml.FullLoader"]),
        ("import yaml\nclass L(yaml.UnsafeLoader): pass", ["2: yaml.UnsafeLoader"]),
        ("import importlib\nimportlib.import_module(x)", ["2: importlib.import_module"]),
        ("import numpy as np\nnp.load(p, allow_pickle=True)", ["2: allow_pickle"]),
        ("import numpy as np\nnp.load(p, allow_pickle=allowed)", ["2: allow_pickle"]),
        ("import numpy as np\nnp.load(p, None, True)", ["2: allow_pickle"]),
        ("import numpy as np\nnp.load(p, **options)", ["2: allow_pickle"]),
        ("from numpy import load\nload(p, allow_pickle=1)", ["2: allow_pickle"]),
        ("import numpy as np\nnp.load(p, mmap_mode='r', allow_pickle=False)", []),
        ("import yaml\nyaml.safe_load(t); yaml.compose(t, Loader=yaml.SafeLoader)", []),
        ("import re\nre.compile('a'); model.eval(); torch.no_grad()", []),
        ("import json, os\njson.load(f); os.replace(a, b)", []),
        ("import importlib.metadata\nimportlib.metadata.version('x')", []),
        ("'import pickle; eval(x)'  # exec", []),
    ],
)
def test_the_check_finds_what_it_looks_for_and_nothing_else(source: str, found: list[str]) -> None:
    assert sorted(set(dangers(source))) == sorted(found)


def test_the_package_runs_no_code_out_of_data_and_speaks_to_no_network() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert PACKAGE / "model_file.py" in files
    found = {str(path.relative_to(PACKAGE)): dangers(path.read_text(encoding="utf-8")) for path in files}
    process = found.pop("process.py")  # starts `rnn` for `rnn batch`, and the workers of rnn_cli.text
    assert {line.partition(": ")[2] for line in process} == {
        "subprocess", "subprocess.DEVNULL", "subprocess.Popen", "subprocess.TimeoutExpired",
    }  # fmt: skip
    assert {name: dangerous for name, dangerous in found.items() if dangerous} == {}


WATCHED = """
import json, os, sys
from pathlib import Path

changed, refused = [], []
PATHS = {  # the event, and which of its arguments are a path and its folder's number
    "os.mkdir": [(0, 2)], "os.remove": [(0, 1)], "os.rmdir": [(0, 1)], "os.rename": [(0, 2), (1, 3)],
    "os.link": [(1, 3)], "os.symlink": [(1, 2)], "os.truncate": [(0, None)], "os.chmod": [(0, 2)],
    "os.chown": [(0, 3)], "os.utime": [(0, 3)], "os.mkfifo": [(0, None)], "os.setxattr": [(0, None)],
    "sqlite3.connect": [(0, None)], "tempfile.mkstemp": [(0, None)], "tempfile.mkdtemp": [(0, None)],
}
REFUSED = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
           "os.fork", "os.posix_spawn", "os.spawn", "pickle.find_class", "urllib.Request")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def note(path, folder=None):
    if isinstance(path, int):
        return
    if folder is not None and folder >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))
    changed.append(os.path.abspath(os.fsdecode(path)))

def watch(event, arguments):
    if event == "subprocess.Popen" and arguments[0] == "fc-list":
        pass  # matplotlib asks once which fonts there are
    elif event in REFUSED:
        refused.append(event)
    elif event == "open":
        path, mode, flags = arguments
        if (flags or 0) & WRITING or set(mode or "") & set("wax+"):
            note(path)
    else:
        for path, folder in PATHS.get(event, ()):
            note(arguments[path], None if folder is None else arguments[folder])

sys.addaudithook(watch)
from rnn_cli.__main__ import main

codes = []
for command in json.loads(sys.argv[1]):
    try:
        main(command)
    except SystemExit as end:
        codes.append(end.code or 0)
seen = len(changed)
Path("elsewhere").mkdir()
os.open("elsewhere/a", os.O_WRONLY | os.O_CREAT)
Path("elsewhere/a").rename("elsewhere/b")
os.remove("b", dir_fd=os.open("elsewhere", os.O_RDONLY))
report = {"codes": codes, "changed": changed[:seen], "refused": refused, "elsewhere": changed[seen:]}
sys.stdout.flush()
print("\\n" + json.dumps(report))
"""
COMMANDS = [
    ["init"],
    ["check", "tiny.yaml"],
    ["train", "tiny.yaml", "--run-dir", "run"],
    ["train", "tiny.yaml", "--run-dir", "run", "--force"],
    ["complete", "the cat", "-m", "run"],
    ["complete", "the ____ sat", "-m", "run", "--json"],
    ["predict", "prompts.txt", "-m", "run"],
    ["trace", "the ____ sat", "-m", "run"],
    ["check-grad", "run"],
    ["compare", "run", "run"],
    ["report", "run"],
    ["check", "gone.yaml"],
    ["complete", "the cat", "-m", "train.txt"],
]


def everything_in(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def test_commands_write_nothing_but_the_run_folder_and_the_cache(tmp_path: Path) -> None:
    """Through Python's own calls (an audit hook sees them) or any others (the folders are compared)."""
    work = tmp_path / "work"
    for name in ("work", "home", "temporary"):
        (tmp_path / name).mkdir()
    (work / "train.txt").write_text("\n".join(LINES * 6) + "\n")
    (work / "valid.txt").write_text("the cat saw the log\n")
    (work / "prompts.txt").write_text("the cat\nthe ____ sat\n")
    (work / "tiny.yaml").write_text(CONFIG)
    before = everything_in(tmp_path)

    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    environment = kept | {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "temporary"),
        "RNN_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(COMMANDS)],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    report = json.loads(done.stdout.splitlines()[-1])

    def outside(paths: set[str]) -> list[str]:
        allowed = (str(work / "run"), str(tmp_path / "cache"))
        return sorted(
            path
            for path in paths
            if path not in allowed and not path.startswith((*(f"{folder}/" for folder in allowed), "/dev/"))
        )

    elsewhere = str(work / "elsewhere")
    assert report["codes"] == [0] * 11 + [2, 1], done.stderr
    assert report["refused"] == []
    assert str(work / "run" / "model.safetensors") in report["changed"]  # or the hook was blind
    assert report["elsewhere"] == [
        elsewhere, f"{elsewhere}/a", f"{elsewhere}/a", f"{elsewhere}/b", f"{elsewhere}/b",
    ]  # fmt: skip
    assert outside(set(report["changed"])) == []
    assert outside(everything_in(tmp_path) - before) == [elsewhere]
    assert before <= everything_in(tmp_path)
