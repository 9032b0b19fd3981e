"""A record of a stranger: names, sizes and definitions that would read, load or run what they must not."""

import json
import lzma
import os
import shutil

import polars as pl
import pytest
from answered_run import answered_run, edit, edit_lines, lab, seal

import harness
from harness import Domain, DomainSpec, EvaluationTask, UsageError, hookimpl
from harness.domains import DataSource
from harness.planning.definitions import key_of
from harness.plugin.registry import Registry
from harness.verification import kept_lines
from harness.verification.scoring import Scoring, scoring_of


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("answered")
    folder = root / "record"
    harness.load_run(answered_run(root), registry=lab()).archive(folder)
    return folder


@pytest.fixture
def record(original, tmp_path):
    shutil.copytree(original, tmp_path / "record")
    return tmp_path / "record"


def faults(folder):
    return harness.verify_record(folder, registry=lab()).faults


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/hostname", "samples/../../secret.txt", "samples/other.jsonl.xz"]
)
def test_only_files_that_a_record_can_have_are_opened(record, name, monkeypatch):
    (record.parent / "secret.txt").write_text("secret")
    edit(record / "manifest.json", lambda data: data["files"].update({name: "0" * 64}))
    opened = []
    monkeypatch.setattr(
        "harness.verification.check.read_untrusted", lambda path: opened.append(str(path)) or path.read_bytes()
    )
    found = faults(record)
    assert [one.found for one in found] == [name]
    assert not any("secret" in path or "etc" in path or "other" in path for path in opened)


@pytest.mark.parametrize("place", ["samples", "samples/math.jsonl.xz", "scores.parquet", "manifest.json"])
def test_links_are_refused(record, place):
    target = record.parent / "elsewhere"
    (record / place).rename(target)
    (record / place).symlink_to(target)
    with pytest.raises(UsageError, match="a link"):
        faults(record)


def test_a_pipe_does_not_block(record):
    (record / "samples" / "qa.jsonl.xz").unlink()
    os.mkfifo(record / "samples" / "qa.jsonl.xz")
    with pytest.raises(UsageError, match="not a regular file"):
        faults(record)


def test_a_small_file_does_not_fill_the_memory(record, monkeypatch):
    monkeypatch.setattr(kept_lines, "LARGEST_CONTENT", 10_000_000)
    monkeypatch.setattr(kept_lines, "LONGEST_LINE", 1_000_000)
    path = record / "samples" / "math.jsonl.xz"
    path.write_bytes(lzma.compress(b" " * 50_000_000))
    assert path.stat().st_size < 10_000
    assert any("a line has more than 1,000,000 bytes" in one.found for one in faults(record))
    path.write_bytes(lzma.compress(b"0\n" * 25_000_000))
    assert any(one.expected == "readable samples" for one in faults(record))
    path.write_bytes(lzma.compress((b" " * 500_000 + b"\n") * 100))
    assert any(one.expected == "readable samples" for one in faults(record))


def test_a_table_of_many_rows_is_not_read(record):
    pl.DataFrame({"method": pl.repeat("a", 6_000_000, eager=True)}).write_parquet(record / "scores.parquet")
    assert (record / "scores.parquet").stat().st_size < 100_000
    assert any("too large: 6,000,000 rows" in one.found for one in faults(record))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xz",
        lzma.compress(b"{}\n"),
        lzma.compress(b"[" * 100_000 + b"\n"),
        lzma.compress(b'{"item": -1}\n'),
        lzma.compress(b'{"item": 0}') + b"more",
        lzma.compress(b"x\n" * 1000)[:-20],
        b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
    ],
)
@pytest.mark.parametrize("name", ["samples/math.jsonl.xz", "definitions.jsonl.xz", "scores.parquet", "manifest.json"])
def test_damaged_files_are_faults(record, name, content):
    (record / name).write_bytes(content)
    assert any(one.where.startswith(name) for one in faults(record))


def test_numbers_of_items_that_do_not_exist_are_faults(record):
    def outside(lines):
        next(line for line in lines if "answers" in line)["items"][0] = 10**6

    edit_lines(record / "samples" / "math.jsonl.xz", outside)
    seal(record)
    assert any("an item that the file does not have" in one.found for one in faults(record))


def test_definitions_of_another_form_are_faults(record):
    def strange(lines):
        for line in lines:
            if line["definition"]["kind"] == "train":
                line["definition"] = {"kind": "train", "parent": 3}
                line["key"] = key_of(line["definition"])

    edit_lines(record / "definitions.jsonl.xz", strange)
    seal(record)
    assert any("definitions of its checkpoints" in one.expected for one in faults(record))


def test_control_characters_of_a_record_are_not_printed(record):
    edit(record / "manifest.json", lambda data: data["files"].update({"\x1b[2Jclear\nnew line": "0"}))
    text = "".join(str(one) for one in faults(record))
    assert "\x1b" not in text and "\n" not in text and "clear new line" in text


class _Folder(DataSource):
    """Files of the reader."""


class _OnlyHere(Domain):
    built = 0

    def __init__(self, config):
        type(self).built += 1

    def fingerprint(self):
        return "here"

    def training_data(self, seed):
        raise NotImplementedError

    def evaluation_tasks(self):
        return (EvaluationTask(task="t", metric="m"),)


class _Plugins:
    @hookimpl
    def harness_domains(self):
        yield DomainSpec(name="files", summary="s", load=_OnlyHere, config=_Folder, reward="r")
        yield DomainSpec(
            name="runs", summary="s", load=_OnlyHere, config=_Folder, reward="r", needs=frozenset({"executes-code"})
        )
        yield DomainSpec(
            name="asks", summary="s", load=_OnlyHere, config=_Folder, reward="r", needs=frozenset({"network"})
        )


PLUGINS = Registry.of([("there", _Plugins())])


def definition(name="files", fingerprint="here", **config):
    return {
        "domain": {"kind": "domain", "identity": f"there:{name}@0", "config": config},
        "fingerprint": fingerprint,
        "evaluate": {"limit": 4, "batch_size": 2, "seed": 0, "chat_template": False, "think_end": None},
    }


def test_a_definition_that_a_plugin_made_is_scored():
    found = scoring_of(definition(dataset="a/b"), PLUGINS, ())
    assert isinstance(found, Scoring) and found.settings.limit == 4


@pytest.mark.parametrize(
    ("given", "allow", "reason"),
    [
        ({"data_files": "/etc/passwd"}, (), "other settings"),
        ({"fingerprint": "elsewhere"}, (), "its data is not here"),
        ({"name": "missing"}, (), "is not installed"),
        ({"name": "runs"}, (), "executes code from the answers; --allow executes-code"),
        ({"name": "runs"}, ("network",), "executes code"),
        ({"name": "asks"}, ("executes-code",), "sends the answers to a server"),
        ({"unknown": 1}, (), "cannot be used"),
    ],
)
def test_what_a_definition_may_not_ask_for(given, allow, reason):
    before = _OnlyHere.built
    found = scoring_of(definition(**given), PLUGINS, allow)
    assert isinstance(found, str) and reason in found
    assert _OnlyHere.built == before or "fingerprint" in given


@pytest.mark.parametrize("broken", [{}, {"domain": 1}, {"domain": {"identity": "a", "config": {}}, "evaluate": []}])
def test_a_definition_of_another_form_is_not_scored(broken):
    assert scoring_of(broken, PLUGINS, ()) == "its definition has another form"


def test_json_of_a_check_is_plain(record):
    json.dumps(harness.verify_record(record, registry=lab()).to_json())
