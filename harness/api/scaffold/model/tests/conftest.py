import pytest

pytest_plugins = ["harness.testing.fixtures"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keeps what the tests build out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
