import sys
from types import SimpleNamespace

import pytest
from harness_NAME.engine import Commands

from harness import NoConfig, StepFailed


def test_the_error_is_what_the_command_said_last():
    arguments = [sys.executable, "-c", "raise SystemExit('no room')"]
    with pytest.raises(StepFailed, match="no room"):
        Commands(NoConfig()).execute(SimpleNamespace(arguments=arguments, label="a step"))
