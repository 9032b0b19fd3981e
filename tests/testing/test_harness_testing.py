"""The pytest plugin for plugin authors, used in a separate project."""

import datasets  # noqa: F401  # pytester forgets what a run has imported, and numpy loads once a process only
import pytest

pytest_plugins = ["pytester"]

PLUGIN = """
from harness import Reward, RewardResult, RewardSpec, hookimpl

class Short(Reward):
    def __init__(self, config):
        pass

    def score(self, batch):
        return [RewardResult.ok({score}) for completion in batch.completions]

@{mark}
def harness_rewards():
    yield RewardSpec(name="short", summary="Short is good", load=Short)
"""
TEST = """
import chess_plugin

def test_the_plugin(check_plugin):
    check_plugin(chess_plugin)
"""


@pytest.mark.parametrize(
    ("score", "mark", "outcome", "said"),
    [
        ("1 / (1 + len(completion))", "hookimpl", {"passed": 1}, "1 passed"),
        ("float('inf')", "hookimpl", {"failed": 1}, "returned an ok result with the value inf"),
        ("1.0", "staticmethod", {"failed": 1}, "decorate it with @hookimpl"),
    ],
)
def test_a_plugin_authors_test_sees_sound_and_broken_plugins(pytester, score, mark, outcome, said):
    pytester.makeconftest('pytest_plugins = ["harness.testing.fixtures"]')
    pytester.makepyfile(chess_plugin=PLUGIN.format(score=score, mark=mark), test_chess=TEST)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**outcome)
    assert said in result.stdout.str()
