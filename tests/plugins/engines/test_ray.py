"""The engine `ray`: what steps ask for, what is refused, and nodes computed by the actors of a small local cluster."""

import os
import socket
import threading

import pytest
from pydantic import ValidationError
from worker_script import Asked

from harness import StepFailed, UsageError, WorkerLost
from harness_engines.ray.cluster import RayMachine, _check_look
from harness_engines.ray.config import RayConfig
from harness_engines.ray.engine import Ray
from harness_engines.ray.worker import Look, look_at

MACHINE = RayMachine(identifier="0", name="m0", cpus=4)


def test_a_machine_that_does_not_see_the_store_is_named(tmp_path):
    token, protocol = tmp_path / "token", tmp_path / "protocol.yaml"
    protocol.write_text("schema: 1")
    assert look_at(str(token), str(protocol)) == Look(store=False, protocol=True)
    token.write_text("of another run")
    assert look_at(str(token), str(protocol)) == Look(store=False, protocol=True)
    token.write_text("token")
    assert look_at(str(token), str(protocol)) == Look(store=True, protocol=True)
    with pytest.raises(UsageError, match="the machine m0 of the Ray cluster does not see the store") as raised:
        _check_look(Look(store=False, protocol=True), MACHINE, tmp_path / "store", protocol)
    assert "a folder that all machines share" in raised.value.hint
    with pytest.raises(UsageError, match="does not see the protocol"):
        _check_look(Look(store=True, protocol=False), MACHINE, tmp_path / "store", protocol)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "head:99999", "ray://head:10001"])
def test_an_address_that_cannot_be_one_is_refused(address):
    with pytest.raises(ValidationError, match=r"HOST:PORT"):
        RayConfig(address=address)


def test_without_ray_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("harness_engines.ray.cluster.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="which is not installed") as raised:
        Ray(RayConfig()).check([Asked("good", tmp_path).request])
    assert raised.value.hint == "pip install 'mdrl-harness[ray]'"


def test_an_address_where_nothing_listens_is_told_as_that(tmp_path):
    pytest.importorskip("ray")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = silent.getsockname()[1]
        with pytest.raises(UsageError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
            Ray(RayConfig(address=f"127.0.0.1:{port}")).check([Asked("good", tmp_path).request])


@pytest.mark.parametrize(("answer", "told"), [(None, "timed out"), (b"HTTP/1.1 400 Bad\r\n", "something else")])
def test_an_address_where_something_else_listens_is_told_as_that(answer, told, tmp_path):
    pytest.importorskip("ray")

    def reply():
        connection, _ = other.accept()
        connection.recv(100)
        if answer is not None:
            connection.sendall(answer)
        connections.append(connection)

    connections = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        threading.Thread(target=reply, daemon=True).start()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"no Ray cluster answers at {address}: {told}"):
            Ray(RayConfig(address=address, connect_seconds=0.5)).check([Asked("good", tmp_path).request])


@pytest.mark.parametrize(("address", "asked"), [("local", []), ("auto", ["auto"])])
def test_a_plan_starts_no_ray(address, asked, tmp_path, monkeypatch):
    def init(address, **settings):
        addresses.append(address)
        raise ConnectionError("there is no cluster")  # as Ray says for `auto`

    addresses = []
    monkeypatch.setattr(pytest.importorskip("ray"), "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    engine = Ray(RayConfig(address=address))
    with pytest.raises(UsageError, match="no Ray cluster runs here"):
        engine.capacity([Asked("good", tmp_path).request])
    engine.close(stop=False)
    assert addresses == asked


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    pytest.importorskip("ray")
    engine = Ray(RayConfig(address="local"))
    folder = tmp_path_factory.mktemp("first")
    (folder / "protocol.yaml").touch()
    engine.check([Asked(str(number), folder, cpus=1).request for number in range(9)])
    yield engine
    engine.close(stop=False)


def test_an_actor_computes_nodes_one_after_another(engine, tmp_path):
    first, second = Asked("one", tmp_path), Asked("two", tmp_path)
    engine.submit(first.request).result(120)
    engine.submit(second.request).result(120)
    assert (tmp_path / "two").is_file()
    assert first.started == second.started, "its process has the libraries already"
    assert first.progressed.is_set()
    assert first.notes == [os.environ.get("OMP_NUM_THREADS", "1")]


def test_errors_of_nodes_and_lost_processes_are_told_apart(engine, tmp_path):
    with pytest.raises(StepFailed, match="the data is torn"):
        engine.submit(Asked("fail", tmp_path).request).result(120)
    with pytest.raises(WorkerLost, match="was killed"):
        engine.submit(Asked("die", tmp_path).request).result(120)
    engine.submit(Asked("good", tmp_path).request).result(120)


def test_an_actor_whose_process_ray_ends_is_a_lost_worker(engine, tmp_path):
    import ray

    asked = Asked("hang", tmp_path)
    future = engine.submit(asked.request)
    assert asked.progressed.wait(120)
    with engine._lock:
        busy = [actor for actor in engine._actors if actor not in [idle for _, idle in engine._idle]]
    for actor in busy:
        ray.kill(actor)
    with pytest.raises(WorkerLost, match="is gone") as raised:
        future.result(120)
    assert raised.value.where == "step hang"


def test_idle_actors_make_room_for_others(engine, tmp_path):
    engine.submit(Asked("small", tmp_path).request).result(120)
    most = max(machine.cpus for machine in engine._connected().machines)
    engine.submit(Asked("large", tmp_path, cpus=most).request).result(120)
    assert (tmp_path / "large").is_file()
