"""The side of a cluster that speaks to the scheduler, without one."""

import socket
from pathlib import Path
from typing import Any, cast

import pytest

from rnn_cli.batch import cluster
from rnn_cli.batch.cluster import Cluster, RemoteCommand
from rnn_cli.batch.launcher import Order
from rnn_cli.batch.scheduler import Resources
from rnn_cli.errors import RnnError, UsageError

ClosedClientError = pytest.importorskip("distributed.client").ClosedClientError


class FakeFuture:
    def __init__(self) -> None:
        self.status = "pending"
        self.cancelled = False
        self.error: BaseException | None = None

    def result(self) -> dict[str, Any]:
        return {"exit_code": 1, "why": "The text is unlucky."}

    def exception(self) -> BaseException | None:
        return self.error

    def cancel(self) -> None:
        self.cancelled = True


class FakeClient:
    """Has two workers, and keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.status = "running"

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        self.tell = lambda told: handler((0.0, told))

    def nthreads(self) -> dict[str, int]:
        if self.status == "closed":
            raise AttributeError("'NoneType' object has no attribute 'ncores'")  # as dask does
        return {"tcp://a:1": 4, "tcp://b:1": 2}

    def submit(self, function: Any, order: Any, *, key: str, pure: bool) -> FakeFuture:
        if self.status == "closed":
            raise ClosedClientError
        self.sent.append(order)
        return FakeFuture()


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def machines(client: FakeClient) -> Cluster:
    return Cluster(cast("Any", client), "dask://a:8786")


def begin(machines: Cluster, client: FakeClient) -> tuple[RemoteCommand, FakeFuture, str]:
    command = machines.start(Order(Path("runs/a"), ["train"], Path("runs/a/log")))
    return command, cast("FakeFuture", command.future), client.sent[-1]["name"]


@pytest.mark.parametrize(
    ("on", "meant"),
    [
        ("tcp://a:8786", " Did you mean dask://a:8786?"),
        ("a:8786", " Did you mean dask://a:8786?"),
        ("dask://a", ""),
        ("dask://a:b", ""),
    ],
)
def test_an_address_of_another_kind_is_refused(on: str, meant: str) -> None:
    with pytest.raises(UsageError) as error:
        Cluster.at(on, print)
    assert str(error.value) == (
        f'--on: found "{on}", allowed: dask://HOST:PORT, the address that `dask scheduler` prints as '
        f"tcp://HOST:PORT.{meant}"
    )


def test_where_no_scheduler_answers_the_commands_that_start_one_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "CONNECTED_IN_S", 0.2)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RnnError) as error:
            Cluster.at(f"dask://127.0.0.1:{port}", print)
    assert str(error.value) == (
        f"--on dask://127.0.0.1:{port}: no dask scheduler answers there. "
        f"Start one: dask scheduler --port {port}, and on every machine: dask worker 127.0.0.1:{port}"
    )


def test_a_plan_is_sent_whole_and_a_search_has_as_many_trials_at_once_as_there_are_threads(
    machines: Cluster,
) -> None:
    where = "on 2 workers of dask://a:8786"
    assert machines.shares(runs=40, jobs=None, planned_threads=None) == Resources(40, 1, where)
    assert machines.shares(runs=40, jobs=3, planned_threads=2) == Resources(3, 2, where)
    assert machines.shares(runs=None, jobs=None, planned_threads=None) == Resources(6, 1, where)


def test_a_command_is_sent_as_texts_and_waits_until_a_worker_begins_it(
    machines: Cluster, client: FakeClient
) -> None:
    command, _, name = begin(machines, client)
    assert client.sent == [
        {
            "name": name,
            "folder": str(Path.cwd()),
            "run": "runs/a",
            "words": ["train"],
            "resume": None,
            "log": "runs/a/log",
            "output": None,
            "environment": {},
        }
    ]
    assert (command.where(), command.poll()) == (None, None)
    client.tell({"name": "another's", "begun": "tcp://b:1"})
    assert command.where() is None
    client.tell({"name": name, "begun": "tcp://a:1"})
    assert (command.where(), command.poll()) == ("tcp://a:1", None)


def test_what_the_worker_says_at_the_end_is_its_end(machines: Cluster, client: FakeClient) -> None:
    command, future, _ = begin(machines, client)
    future.status = "finished"
    assert (command.poll(), command.why()) == (1, "The text is unlucky.")


def test_called_off_it_ends_when_the_worker_has_saved(machines: Cluster, client: FakeClient) -> None:
    command, future, name = begin(machines, client)
    client.tell({"name": name, "begun": "tcp://a:1"})
    command.ask_to_stop()
    assert future.cancelled
    assert command.poll() is None
    client.tell({"name": name, "done": {"exit_code": 130, "why": ""}})
    assert command.poll() == 130


def test_called_off_before_a_worker_had_it_it_ends_by_itself(
    machines: Cluster, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CALLED_OFF_IN_S", 0.0)
    command, _, _ = begin(machines, client)
    command.ask_to_stop()
    assert command.poll() == 130


def test_called_off_when_its_worker_is_gone_it_ends_by_itself(
    machines: Cluster, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CALLED_OFF_IN_S", 0.0)
    commands = {where: begin(machines, client) for where in ("tcp://a:1", "tcp://gone:1")}
    for where, (command, _, name) in commands.items():
        client.tell({"name": name, "begun": where})
        command.ask_to_stop()
    assert {where: command.poll() for where, (command, _, _) in commands.items()} == {
        "tcp://a:1": None,  # it is saving
        "tcp://gone:1": 130,
    }


def test_when_the_scheduler_is_gone_what_was_sent_is_stopped_and_nothing_more_is_started(
    machines: Cluster, client: FakeClient
) -> None:
    sent, future, name = begin(machines, client)
    client.tell({"name": name, "begun": "tcp://a:1"})
    assert machines.can_start()
    future.status, client.status = "cancelled", "closed"
    late = machines.start(Order(Path("runs/b"), ["train"], Path("runs/b/log")))
    late.ask_to_stop()
    why = "the connection to the cluster was lost. Start the same plan again to go on."
    assert [(command.poll(), command.why()) for command in (sent, late)] == [(130, why)] * 2
    assert not machines.can_start()
    assert not machines.is_there("tcp://a:1")


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        (
            "error",
            ModuleNotFoundError("No module named 'rnn_cli'"),
            "the cluster cannot run it (No module named 'rnn_cli'). "
            "Install the same version of rnn_cli on the scheduler and on every worker.",
        ),
        ("error", ValueError("x"), "the cluster could not run it (ValueError: x)."),
    ],
)
def test_what_the_cluster_could_not_run_is_told(
    machines: Cluster, client: FakeClient, status: str, error: BaseException | None, why: str
) -> None:
    command, future, _ = begin(machines, client)
    future.status, future.error = status, error
    assert (command.poll(), command.why()) == (1, why)
