"""Commands of the harness in this process, on a test's own plugins."""

import typer
from typer.testing import CliRunner

from harness.cli import exec_node, run
from harness.cli.session import Session


def commands_on(monkeypatch, registry, evaluate):
    """Returns a function that runs `run` or `exec-node` with the plugins of a registry, without looking for faults.

    evaluate: scores a checkpoint in place of lm-eval. The function takes words and settings of `CliRunner.invoke`.
    """
    monkeypatch.setattr("harness.evaluation.lm_eval.evaluate_checkpoint", evaluate)
    monkeypatch.setattr("harness.execution.runner.faults_before_start", lambda *_: [])
    session = Session()
    session.__dict__["registry"] = registry
    app = typer.Typer()
    run.register(app)
    exec_node.register(app)
    return lambda *words, **settings: CliRunner().invoke(app, [*map(str, words)], obj=session, **settings)
