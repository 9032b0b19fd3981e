"""Evaluation-only columns through lm-eval: a task of one's own, and one of lm-eval's with local data."""

import json

import pytest
from command import harness

OWN = """\
task: last_word
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/rows.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{text.split(' ')[:-1]|join(' ')}}"
doc_to_target: "{{' '+text.split(' ')[-1]}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
PROTOCOL = """\
schema: 1
name: columns
model: {use: lab-tiny}
domains: {math: {use: lab-math}}
train: {steps: 1, prompts_per_step: 2, generations: 2}
methods: {m: [math]}
metrics: {lost: {use: untrained-forgetting}}
evaluate:
  limit: 8
  columns:
    surprise: {task: last_word, metric: perplexity, include: own, higher_is_better: false, percent: false}
    lambada: {task: lambada_openai, metric: acc, data: {test: lambada.jsonl}, in_average: true}
    code: {use: lab-code}
"""
ROWS = ["Q: sun dog? A: the shy sun sat, a fun dog fell.", "Q: 3 4 + 5 7 ? A: 9 1"]


def write(folder, rows):
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "last_word.yaml").write_text(OWN.replace("FOLDER", str(folder / "own")))
    (folder / "own" / "rows.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    (folder / "lambada.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in ROWS))
    (folder / "p.yaml").write_text(PROTOCOL)
    return folder / "p.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    harness("run", write(folder, ROWS), "-o", folder / "runs")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    (run,) = folder.glob("runs/columns-*")
    return run


def test_columns_are_scored_after_every_step_beside_the_domains(run):
    board = json.loads((run / "leaderboard.json").read_text())
    assert board["columns"] == ["math", "surprise", "lambada", "code"]
    assert (board["evaluation_only"], board["in_average"]) == (["surprise", "lambada", "code"], ["lambada"])
    row = board["rows"][0]
    assert all(set(step["scores"]) == set(board["columns"]) for step in row["trajectory"])
    assert row["average"]["mean"] == (row["scores"]["math"]["mean"] + row["scores"]["lambada"]["mean"]) / 2
    assert (
        set(row["forgetting_by_domain"]) == {"surprise", "lambada", "code"}
        and row["metrics"]["lost"]["mean"] is not None
    )
    assert board["measurement"]["surprise"]["tasks"][0]["metric"] == "perplexity"
    assert board["measurement"]["lambada"]["tasks"][0]["task"] == "lambada_openai"
    assert row["scores"]["lambada"]["n"] == 2


def test_they_are_seen_in_tables_samples_and_cards(folder, run, tmp_path):
    assert "surprise† ↓" in harness("show", run).stdout
    harness("export", run, "m", tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "--tasks last_word" in card and "perplexity" in card and "--tasks lambada_openai" not in card
    fetched = harness("prefetch", folder / "p.yaml").stdout
    assert "column lambada" in fetched and "2 test items" in fetched


def test_other_items_are_another_result_and_the_training_stays(folder):
    path = write(folder, [*ROWS, "Q: 1 + 1 ? A: 2"])
    assert json.loads(harness("run", path, "-o", folder / "runs", "--json").stdout)["executed"] == 2
    write(folder, ROWS)


def test_what_is_wrong_with_a_column_is_told_before_the_start(folder, tmp_path):
    path = folder / "p.yaml"
    quick = "".join(line for line in PROTOCOL.splitlines(keepends=True) if "lambada" not in line)

    def told(old, new, text=quick):
        assert old in text
        path.write_text(text.replace(old, new))
        return harness("run", path, "-o", tmp_path / "runs", expect=2).stderr

    metric = told("metric: perplexity", "metric: bleu")
    assert "evaluate.columns.surprise: the task last_word gives no metric bleu,none" in metric
    assert "does not know the task last_words" in told("task: last_word,", "task: last_words,")
    assert "elsewhere is not a folder" in told("include: own", "include: elsewhere")
    assert "there is no file" in told("lambada.jsonl", "other.jsonl", PROTOCOL)
    assert not list(tmp_path.glob("runs/columns-*"))
    path.write_text(PROTOCOL)
