"""Data sets and models of the Hub: what is read, and the errors if they are not available."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hub_server import hub_server

from harness.testing import tiny_checkpoint

CARD = {"README.md": b"---\nlicense: mit\n---\n"}
SUBSETS = b"""\
---
configs:
- {config_name: small, data_files: small.jsonl}
- {config_name: big, data_files: big.jsonl}
---
"""
NO_COMMIT = "f" * 40
# Fetches what it is told and prints, for each, the rows that came or the error.
CLIENT = """\
import json, os, sys
from harness._util.environment import prepare_process
prepare_process(debug=False)
from harness.domains.data import DataSource, load_table
from harness.errors import HarnessError
from harness_models.pretrained.model import Pretrained, PretrainedConfig

def had(asked):
    try:
        if "pretrained" in asked:
            return {"files": sorted(os.listdir(Pretrained(PretrainedConfig(**asked)).folder()))}
        columns = {"prompt": "what is asked", "answer": "its answer"}
        return {"rows": load_table(DataSource(**asked), columns)["prompt"][:]}
    except HarnessError as error:
        return {"told": str(error), "kind": type(error).__name__}

print(json.dumps([had(asked) for asked in json.loads(sys.argv[1])]))
"""


def rows(count, *, answer="answer"):
    return b"".join(json.dumps({"prompt": f"question {i}", answer: str(i)}).encode() + b"\n" for i in range(count))


def table(count, **keys):
    return CARD | {"train.jsonl": rows(count, **keys)}


def fetched(endpoint, home, *asked, **variables):
    """Returns what each of `asked` came to, in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HARNESS_"))}
    environment = kept | {
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        env=environment | variables,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def model_files(folder):
    return {path.name: path.read_bytes() for path in tiny_checkpoint(folder).iterdir()}


FAULTS = {
    # what is asked: what has to be told, in order
    "no such data set": ({"dataset": "org/nothing"}, ["org/nothing at main", "no such data set", "check the name"]),
    "gated, not logged in": ({"dataset": "org/gated-401"}, ["is gated", "/datasets/org/gated-401", "hf auth login"]),
    "gated, not accepted": ({"dataset": "org/gated-403"}, ["is gated", "accept its terms", "hf auth login"]),
    "no such branch": ({"dataset": "org/good", "revision": "v9"}, ["org/good at v9", "no revision 'v9'", "/commits/"]),
    "no such commit": ({"dataset": "org/good", "revision": NO_COMMIT}, ["org/good at fff", "no revision", "/commits/"]),
    "changed column": (
        {"dataset": "org/changed"},
        ["org/changed at main", "no column answer", "they have prompt, solution", "answer: its answer", "`revision`"],
    ),
    "files of two kinds": ({"dataset": "org/mixed"}, ["org/mixed", "differ in their columns", "other", "delete"]),
    "broken JSON": ({"dataset": "org/torn"}, ["org/torn", "row 2", "datasets--org--torn", "`revision`"]),
    "broken Parquet": ({"dataset": "org/parquet"}, ["org/parquet", "Parquet", "datasets--org--parquet", "`revision`"]),
    "a download that breaks off": ({"dataset": "org/cut"}, ["org/cut", "was interrupted", "run the command again"]),
    "no files": ({"dataset": "org/empty"}, ["org/empty at main", "any data files"]),
    "no such split": ({"dataset": "org/good", "split": "test"}, ["no split 'test'", "it has train"]),
    "no such subset": ({"dataset": "org/subsets", "subset": "huge"}, ["no subset 'huge'", "small, big", "`subset`"]),
    "no subset named": ({"dataset": "org/subsets"}, ["several subsets", "small, big", "`subset`"]),
    "no name of the hub": ({"dataset": "a b/c"}, ["a b/c", "check its name"]),
    "no such model": ({"pretrained": "org/nothing"}, ["model org/nothing at main", "no such model", "check the name"]),
    "gated model": ({"pretrained": "org/gated-model"}, ["is gated", "/org/gated-model", "hf auth login"]),
    "model without such a branch": (
        {"pretrained": "org/tiny", "revision": "v9"},
        ["org/tiny at v9", "no revision 'v9'"],
    ),
    "damaged model": ({"pretrained": "org/damaged"}, ["header is cut off", "models--org--damaged", "`revision`"]),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each of FAULTS came to."""
    folder = tmp_path_factory.mktemp("hub")
    model = model_files(folder / "tiny")
    with hub_server() as hub:
        hub.push("datasets/org/good", table(3))
        hub.push("datasets/org/changed", table(3, answer="solution"))
        hub.push("datasets/org/mixed", CARD | {"train-0.jsonl": rows(2), "train-1.jsonl": b'{"other": 1}\n'})
        hub.push("datasets/org/torn", CARD | {"train.jsonl": rows(3)[:-10]})
        hub.push("datasets/org/parquet", CARD | {"data/train.parquet": b"PAR1 and nothing else"})
        hub.push("datasets/org/empty", CARD)
        hub.push("datasets/org/subsets", {"README.md": SUBSETS, "small.jsonl": rows(1), "big.jsonl": rows(5)})
        hub.push("models/org/tiny", model)
        hub.push("models/org/damaged", model | {"model.safetensors": b"\xff" * 64})
        for name, files in {"datasets/org/cut": table(3), "models/org/gated-model": model}.items():
            hub.push(name, files)
        hub.repositories["datasets/org/cut"].cut.add("train.jsonl")
        hub.repositories["models/org/gated-model"].gated = 403
        for status in (401, 403):
            hub.push(f"datasets/org/gated-{status}", table(3))
            hub.repositories[f"datasets/org/gated-{status}"].gated = status
        asked = [asked for asked, _ in FAULTS.values()]
        return dict(zip(FAULTS, fetched(hub.endpoint, folder / "home", *asked), strict=True))


@pytest.mark.parametrize("case", FAULTS)
def test_what_cannot_be_had_is_told_with_what_to_do(answers, case):
    asked, parts = FAULTS[case]
    answer = answers[case]
    assert answer.get("kind") == ("CheckpointError" if "pretrained" in asked else "UsageError"), answer
    told = answer["told"]
    message, hint = told.split("\n  → ")
    assert "\n" not in message + hint
    assert "Traceback" not in told
    place = 0
    for part in parts:
        place = told.find(part, place)
        assert place >= 0, f"{part!r} is not in its place in {told}"


def test_a_hub_that_is_in_trouble_or_silent_or_gone_is_told_from_one_that_refuses(tmp_path):
    asked = [{"dataset": "org/good"}, {"pretrained": "org/tiny"}]
    short = {"HF_HUB_ETAG_TIMEOUT": "1"}
    with hub_server() as busy, hub_server() as silent, ThreadPoolExecutor() as threads:
        busy.status, silent.silent = 503, "."
        with hub_server() as gone:
            endpoints = [busy.endpoint, silent.endpoint, gone.endpoint]
        told = list(threads.map(lambda at: fetched(at, tmp_path / at[-5:], *asked, **short), endpoints))
    for answer in told[0]:
        assert "answered 503" in answer["told"]
        assert "try again later" in answer["told"]
    for answer in told[1] + told[2]:
        assert "cannot be reached" in answer["told"]
        assert "harness prefetch" in answer["told"]


def test_what_was_fetched_is_read_again_without_the_hub_and_never_another_commit(tmp_path):
    with hub_server() as hub:
        first = hub.push("datasets/org/good", table(2))
        hub.push("datasets/org/subsets", {"README.md": SUBSETS, "small.jsonl": rows(1), "big.jsonl": rows(5)})
        hub.push("models/org/tiny", model_files(tmp_path / "tiny"))
        subsets = [{"dataset": "org/subsets", "subset": name} for name in ("small", "big")]
        [old, *_] = fetched(hub.endpoint, tmp_path, {"dataset": "org/good"}, *subsets, {"pretrained": "org/tiny"})
        second = hub.push("datasets/org/good", table(4))
        [new] = fetched(hub.endpoint, tmp_path, {"dataset": "org/good"})
        assert (len(old["rows"]), len(new["rows"])) == (2, 4)
        hub.requests.clear()
        pinned = [{"dataset": "org/good", "revision": commit} for commit in (first, second)]
        assert fetched(hub.endpoint, tmp_path, *pinned) == [old, new]
        assert hub.requests == [], "a commit that is here is not asked for"
        asked = [*pinned, {"dataset": "org/good"}, *subsets, {"pretrained": "org/tiny"}]
        offline = fetched(hub.endpoint, tmp_path, *asked, HARNESS_OFFLINE="1")
        assert hub.requests == []
        wanted = [{"dataset": "org/good", "revision": NO_COMMIT}, {"dataset": "org/subsets"}, {"pretrained": "org/x"}]
        for answer in fetched(hub.endpoint, tmp_path, *wanted, HARNESS_OFFLINE="1"):
            assert "is not in the cache, and HARNESS_OFFLINE" in answer["told"]
            assert "harness prefetch" in answer["told"]
    assert offline[:3] == [old, new, new]
    assert [len(answer["rows"]) for answer in offline[3:5]] == [1, 5]
    assert "model.safetensors" in offline[5]["files"]
    gone = fetched(hub.endpoint, tmp_path, *asked)
    assert gone == offline, "a hub that is gone is as good as none"


def test_rows_that_were_damaged_on_this_machine_are_told_with_their_folder(tmp_path):
    with hub_server() as hub:
        hub.push("datasets/org/good", table(2))
        [whole] = fetched(hub.endpoint, tmp_path, {"dataset": "org/good"})
        [path] = tmp_path.rglob("*.arrow")
        path.write_bytes(path.read_bytes()[:100])
        [damaged] = fetched(hub.endpoint, tmp_path, {"dataset": "org/good"})
        assert str(path.parent) in damaged["told"]
        assert "delete this folder" in damaged["told"]
        for part in path.parent.iterdir():
            part.unlink()
        path.parent.rmdir()
        assert fetched(hub.endpoint, tmp_path, {"dataset": "org/good"}) == [whole]
