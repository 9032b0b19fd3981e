"""Which engine and settings a run uses: those of the protocol, the caller or the environment."""

from types import SimpleNamespace

import pytest

from harness import Engine, EngineSpec, Registry, UsageError, hookimpl
from harness.api.running import JOBS, engine_of


class Single(Engine):
    def __init__(self, config):
        self.config = config

    def execute(self, request):
        request.execute()


class Plugin:
    @hookimpl
    def harness_engines(self):
        yield EngineSpec(name="single", summary="-", load=Single)


def registry(*, installed):
    import harness.execution.engines

    found = Registry.of([("engines", harness.execution.engines), ("single", Plugin())])
    found.installed = installed
    return found


def chosen(name=None, stated=None, *, installed=True, **settings):
    engine = None if stated is None else SimpleNamespace(name=stated[0], config=stated[1])
    offer, config = engine_of(SimpleNamespace(engine=engine), registry(installed=installed), name, **settings)
    return offer.name, config.model_dump()


@pytest.fixture(autouse=True)
def no_default(monkeypatch):
    monkeypatch.delenv(JOBS, raising=False)


def test_by_default_steps_run_on_this_machine_several_at_a_time():
    assert chosen() == ("local", {"jobs": "auto", "threads": None})


def test_plugins_of_this_process_only_keep_the_run_in_this_process():
    assert chosen(installed=False) == ("local", {"jobs": 1, "threads": None})
    with pytest.raises(UsageError, match="worker processes only have installed plugins"):
        chosen(installed=False, jobs=2)


def test_the_caller_comes_before_the_protocol_and_the_protocol_before_the_environment(monkeypatch):
    monkeypatch.setenv(JOBS, "5")
    stated = ("local", {"jobs": 3, "threads": 2})
    assert chosen()[1]["jobs"] == 5
    assert chosen(stated=stated)[1] == {"jobs": 3, "threads": 2}
    assert chosen(stated=stated, jobs=4)[1] == {"jobs": 4, "threads": 2}
    assert chosen("single", stated) == ("single", {})
    assert chosen(stated=("single", {})) == ("single", {})


def test_a_setting_that_the_engine_lacks_is_refused():
    with pytest.raises(UsageError, match="jobs: the engine single has no such setting"):
        chosen("single", jobs=2)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_wrong_default_is_refused(monkeypatch, value):
    monkeypatch.setenv(JOBS, value)
    with pytest.raises(UsageError, match=f"{JOBS}: '{value}' is not a number of steps"):
        chosen()
