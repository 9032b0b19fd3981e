"""Scoring through OpenAI-compatible servers: a small one of the tests, and `transformers serve` itself."""

import json
import os
import select
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command import harness
from transformers import AutoTokenizer

from harness.errors import StepFailed, UsageError
from harness.evaluation import server
from harness.evaluation.language_models import release_models
from harness.evaluation.lm_eval import evaluate_checkpoint
from harness.evaluation.server_check import server_faults
from harness.plugin.interfaces import EvaluationTask, TaskSet
from harness.protocol.backends import DEFAULT_SERVE
from harness.protocol.evaluation_settings import EvaluationSettings
from harness_lab.domains import LabDomainConfig, MathDomain
from harness_lab.model import FOLDER

for package in ("aiohttp", "tenacity"):
    pytest.importorskip(package)
SMALL = (sys.executable, str(Path(__file__).parents[1] / "support" / "openai_server.py"), "{model}", "{port}")
DOMAIN = MathDomain(LabDomainConfig())


def of_server(*options, **further):
    return EvaluationSettings(limit=12, batch_size=1, backend="openai", serve=(*SMALL, *options), **further)


def score(output, settings, tasks=None, model=FOLDER):
    output.mkdir()
    try:
        evaluate_checkpoint(model, tasks or TaskSet.of(DOMAIN), settings, output)
    finally:
        release_models()
    samples = [json.loads(line) for path in output.glob("samples_*.jsonl") for line in path.open()]
    return json.loads((output / "rows.json").read_text()), samples


def test_a_server_of_its_own_is_started_for_the_checkpoint_and_ended(tmp_path):
    (row,), samples = score(tmp_path / "a", of_server())
    assert [sample["resps"] for sample in samples] == [[["1"]]] * 12 and row["n"] == 12
    assert not server._running


def test_a_server_that_dies_is_told_with_its_last_words(tmp_path):
    with pytest.raises(StepFailed, match=r"ended with code 9: out of luck.*(.|\n)*repeats this score only"):
        score(tmp_path / "a", of_server(f"dies-once={tmp_path / 'died'}", args={"max_retries": 1}))


def test_a_server_that_does_not_start_is_told(tmp_path):
    with pytest.raises(UsageError, match="no program 'not-here'"):
        server.OwnServer(("not-here", "{model}", "{port}"), FOLDER)
    with pytest.raises(StepFailed, match=r"ended with code 1: .*ValueError"):
        server.OwnServer((sys.executable, "-c", "raise ValueError('{model} {port}')"), FOLDER)


STARTS = """
import sys
from pathlib import Path
from harness.evaluation.server import OwnServer
print(OwnServer(sys.argv[2:], Path(sys.argv[1]))._process.pid, flush=True)
sys.stdin.read()
"""


def test_a_server_ends_with_the_process_that_started_it_however_that_ends():
    owner = subprocess.Popen(
        [sys.executable, "-c", STARTS, str(FOLDER), *SMALL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    served = os.pidfd_open(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    assert select.select([served], [], [], 10)[0], "the server outlived a killed owner"


@pytest.fixture
def running(request, tmp_path):
    port = server._free_port()
    words = [word.replace("{port}", str(port)).replace("{model}", str(FOLDER)) for word in SMALL]
    process = subprocess.Popen([*words, *request.param])
    while True:
        try:
            server.ask(f"http://127.0.0.1:{port}/v1", str(FOLDER))
            break
        except Exception:
            assert process.poll() is None
    yield f"http://127.0.0.1:{port}/v1/completions"
    process.kill()
    process.wait()


def at(url):
    return EvaluationSettings(limit=4, batch_size=1, backend="openai", args={"base_url": url})


@pytest.mark.parametrize("running", [[]], indirect=True)
def test_a_server_at_a_url_has_to_serve_the_checkpoint(tmp_path, running):
    (row,), _ = score(tmp_path / "a", at(running))
    assert row["n"] == 4
    other = tmp_path / "other"
    shutil.copytree(FOLDER, other)
    with pytest.raises(UsageError, match=r"does not serve the checkpoint .*other.*(.|\n)*remove base_url"):
        score(tmp_path / "b", at(running), model=other)


@pytest.mark.parametrize("running", [["any-model"]], indirect=True)
def test_a_server_that_ignores_the_name_of_the_model_is_refused(tmp_path, running):
    with pytest.raises(UsageError, match="may score other weights"):
        score(tmp_path / "a", at(running))


def test_a_server_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="the server does not answer"):
        score(tmp_path / "a", at(f"http://127.0.0.1:{server._free_port()}/v1"))


def own_tasks(folder, **changes):
    """Returns the lab's task of mathematics with other settings, under the name `own`."""
    shutil.copytree(DOMAIN.task_folder(), folder, ignore=shutil.ignore_patterns("lab_*", "__pycache__"))
    text = (DOMAIN.task_folder() / "lab_math.yaml").read_text().replace("task: lab_math", "task: own")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    (folder / "own.yaml").write_text(text)
    metric = DOMAIN.evaluation_tasks()[0].metric
    return TaskSet(tasks=[EvaluationTask(task="own", metric=metric)], folder=folder)


def log_likelihoods(folder):
    folder.mkdir()
    (folder / "own.yaml").write_text(
        "task: own\noutput_type: multiple_choice\ndataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {folder / 'rows.jsonl'}}}}}\ntest_split: test\n"
        "doc_to_text: '{{q}}'\ndoc_to_choice: [a, b]\ndoc_to_target: 0\n"
    )
    (folder / "rows.jsonl").write_text('{"q": "x"}\n')
    return TaskSet(tasks=[EvaluationTask(task="own", metric="acc")], folder=folder)


def faults(tasks, settings):
    return [problem.message for problem in server_faults({"own": (tasks, settings)}, FOLDER)]


def test_tasks_that_need_log_likelihoods_are_refused_before_the_start_where_there_are_none(tmp_path):
    tasks = log_likelihoods(tmp_path / "tasks")
    (told,) = faults(tasks, of_server())
    assert told.startswith("the task own needs log-likelihoods, which the backend openai does not give with `")
    assert faults(tasks, of_server("log-likelihoods")) == []
    assert faults(TaskSet.of(DOMAIN), of_server()) == []
    rows, _ = score(tmp_path / "out", of_server("log-likelihoods"), tasks)
    assert {row["metric"] for row in rows} >= {"acc"} and rows[0]["n"] == 1
    (told, *_) = faults(tasks, of_server("log-likelihoods", chat_template=True))
    assert told.endswith("does not give for chat messages")


PROTOCOL = """\
schema: 1
name: served
model: {use: lab-tiny}
domains: {math: {use: lab-math}, code: {use: lab-code}}
evaluate: {limit: 12, backend: openai, serve: SERVE, args: {max_retries: 1}}
"""


def test_a_run_whose_server_dies_loses_nothing_and_goes_on(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(PROTOCOL.replace("SERVE", json.dumps([*SMALL, f"dies-once={tmp_path / 'died'}"])))
    told = harness("run", path, "-o", tmp_path / "runs", expect=1).stderr
    assert "math after base: the server" in told and "out of luck" in told
    assert json.loads(harness("run", path, "-o", tmp_path / "runs", "--json").stdout)["executed"] == 1
    (board,) = (json.loads(one.read_text()) for one in tmp_path.glob("runs/*/leaderboard.json"))
    assert board["rows"][0]["scores"].keys() == {"math", "code"}
    assert board["measurement"]["math"]["backend"].startswith(f"openai, {sys.executable}")


def test_transformers_serve_gives_the_greedy_scores_of_hf_and_tells_what_it_cannot_give(tmp_path):
    for package in ("fastapi", "openai", "uvicorn"):
        pytest.importorskip(package)
    tasks = own_tasks(tmp_path / "tasks", sample=("do_sample: true", "do_sample: false"))
    served = EvaluationSettings(limit=24, batch_size=1, backend="openai", serve=DEFAULT_SERVE)
    (row,), samples = score(tmp_path / "served", served, tasks)
    (own,), expected = score(tmp_path / "hf", EvaluationSettings(limit=24, batch_size=1), tasks)
    assert [one["filtered_resps"] for one in samples] == [one["filtered_resps"] for one in expected]
    assert row == own and row["value"] > 0.5
    (told,) = faults(log_likelihoods(tmp_path / "choices"), served)
    assert told.endswith("does not give with `transformers serve`")
    chat = with_chat_template(tmp_path / "chat")
    (row,), _ = score(tmp_path / "of-chat", replace(served, chat_template=True), tasks, chat)
    (own,), _ = score(
        tmp_path / "own-chat", EvaluationSettings(limit=24, batch_size=1, chat_template=True), tasks, chat
    )
    assert row["value"] == own["value"] > 0.5


def with_chat_template(folder):
    shutil.copytree(FOLDER, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    return folder
