"""The math domain: presets, prompts, rows, and errors for invalid rows."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness import RewardBatch, UsageError
from harness_domains.math.config import BOXED, MathConfig
from harness_domains.math.domain import MathDomain
from harness_domains.math.lm_eval_tasks.items import gsm8k
from harness_domains.math.problems import load_problems, with_answers
from harness_domains.math.reward import MathVerify, MathVerifyConfig
from harness_domains.math.tables import TESTS, TRAINING, ProblemTable

FIXTURES = Path(__file__).parents[2] / "fixtures" / "math"
TRAIN_FILES = {
    "openr1-math": FIXTURES / "openr1_math_train.jsonl",
    "simplerl": FIXTURES / "simplerl_train.jsonl",
    "gsm8k": FIXTURES / "gsm8k_train.jsonl",
    "math": FIXTURES / "math_train.jsonl",
}
TEST_SETS = {task: {"data_files": FIXTURES / f"{task}_test.jsonl"} for task in TESTS}
FIRST = {"openr1-math": r"\frac{5}{3}", "simplerl": "3", "gsm8k": "10", "math": r"\frac{11}{12}"}


def domain(source="gsm8k", **config) -> MathDomain:
    return MathDomain(
        MathConfig(**({"source": source, "data_files": TRAIN_FILES[source], "test_sets": TEST_SETS} | config))
    )


def saved(tmp_path, *rows, name="rows.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def scores(rows, completions):
    reward = MathVerify(MathVerifyConfig(timeout_seconds=60))
    results = reward.score(RewardBatch(prompts=rows["prompt"], completions=completions, rows=rows.to_list()))
    assert {result.outcome for result in results} == {"ok"}
    return [result.value for result in results]


def test_every_preset_has_a_fixture_of_its_columns():
    assert set(TRAIN_FILES) == set(TRAINING)
    assert set(TEST_SETS) == {"gsm8k", "math500", "aime25"}


@pytest.mark.parametrize("source", TRAIN_FILES)
def test_reference_answers_score_one_and_each_others_zero(source):
    rows = with_answers(domain(source).training_data(0))
    references = rows["answer"]
    assert scores(rows, [rf"<think>hm</think>It is $\boxed{{{text}}}$." for text in references]) == [1.0] * len(rows)
    turned = [*references[1:], references[0]]
    assert scores(rows, [rf"It is $\boxed{{{text}}}$." for text in turned]) == [0.0] * len(rows)


@pytest.mark.parametrize("source", TRAIN_FILES)
def test_the_answers_are_read_from_the_real_columns(source):
    rows = load_problems(domain(source).config.training_table())
    assert rows[0]["answer"] == FIRST[source]
    assert "####" not in " ".join(rows["answer"])


@pytest.mark.parametrize("task", TESTS)
def test_the_reference_answers_of_test_sets_score_one(task):
    rows = load_problems(domain().config.test_table(task))
    rows = rows.add_column("prompt", rows["problem"])
    assert scores(rows, [rf"\boxed{{{text}}}" for text in rows["answer"]]) == [1.0] * len(rows)


def test_problems_without_an_answer_are_left_to_the_reward_and_are_no_test_items(tmp_path):
    rows = domain("simplerl").training_data(0)
    assert len(rows) == len(TRAIN_FILES["simplerl"].read_text().splitlines())
    assert rows["answer"][:].count("") == 1
    path = saved(tmp_path, {"question": "1+1?", "answer": "#### 2"}, {"question": "1+2?", "answer": "three"})
    test_set = {"gsm8k": {"data_files": path}}
    assert [item["answer"] for item in gsm8k(math={"test_sets": test_set})["test"]] == ["2"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": ["0", "1"]}, r"the row has \['0', '1'\] in the column answer, not text"),
        ({"answer": {"value": 1}}, "in the column answer, not text"),
        ({"problem": ["2+2?"]}, "in the column problem, not text"),
    ],
)
def test_a_row_that_holds_no_text_is_named(tmp_path, row, said):
    path = saved(tmp_path, {"problem": "1+1?", "answer": "2"} | row)
    columns = {"problem_column": "problem", "answer_column": "answer", "answer_form": "whole"}
    with pytest.raises(UsageError, match=said) as raised:
        domain(data_files=path, **columns).training_data(0)
    assert raised.value.where == f"{path}:1"


def test_answers_keep_their_text(tmp_path):
    path = saved(tmp_path, {"problem": "a?", "answer": 9}, {"problem": "b?", "answer": 0.5})
    columns = {"problem_column": "problem", "answer_column": "answer", "answer_form": "whole"}
    assert sorted(domain(data_files=path, **columns).training_data(0)["answer"]) == ["0.5", "9"]


def test_prompts_are_chat_messages_with_the_instruction():
    [first, *_] = domain(prompts=1, system_prompt="Be brief.").training_data(0)
    system, user = first["prompt"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["role"] == "user"
    assert user["content"].endswith("put your final answer within \\boxed{}.")


def test_plain_prompts_are_text_in_the_template():
    rows = domain(format="plain", system_prompt="Be brief.", template="Q: {problem} \\boxed{}?").training_data(0)
    assert all(prompt.startswith("Be brief.\n\nQ: ") and prompt.endswith(" \\boxed{}?") for prompt in rows["prompt"])
    assert domain(format="plain", system_prompt="Be brief.").system_prompt is None
    assert domain(system_prompt="Be brief.").system_prompt == "Be brief."


def test_fewer_prompts_are_the_first_of_more_and_the_same_for_every_seed():
    everything = domain().training_data(0)["prompt"]
    assert domain(prompts=2).training_data(7)["prompt"] == everything[:2]
    assert sorted(map(str, everything)) == sorted(map(str, domain(sample_seed=1).training_data(0)["prompt"]))


def test_the_fingerprint_follows_files_columns_and_test_sets(tmp_path):
    copied = tmp_path / "copied.jsonl"
    copied.write_bytes(TRAIN_FILES["gsm8k"].read_bytes())
    assert domain(data_files=copied).fingerprint() == domain().fingerprint()
    copied.write_bytes(TRAIN_FILES["gsm8k"].read_bytes() + b"\n")
    others = [
        domain(data_files=copied),
        domain(answer_column="question"),
        domain(test_sets=TEST_SETS | {"aime25": {"data_files": copied}}),
        MathDomain(MathConfig()),
        MathDomain(MathConfig(revision="0123456789")),
        MathDomain(MathConfig(source="simplerl")),
        MathDomain(MathConfig(source="simplerl", hub_file="simplelr_qwen_level1to4/train.parquet")),
        MathDomain(MathConfig(source="math")),
        MathDomain(MathConfig(source="math", subset="algebra")),
    ]
    prints = [domain().fingerprint(), *(other.fingerprint() for other in others)]
    assert len(set(prints)) == len(prints)


def test_own_keys_lie_over_the_preset():
    table = MathConfig(source="gsm8k", revision="abc", answer_form="whole").training_table()
    assert (table.dataset, table.subset, table.revision) == ("openai/gsm8k", "main", "abc")
    assert (table.problem_column, table.answer_form) == ("question", "whole")
    other = MathConfig(source="math", dataset="me/mine").training_table()
    assert (other.dataset, other.subset, other.subsets, other.answer_column) == ("me/mine", None, (), "solution")
    assert MathConfig(source="math", subset="algebra").training_table().subsets == ()
    assert MathConfig(test_sets={"aime25": {"revision": "abc"}}).test_table("aime25").split == "test"


@pytest.mark.parametrize("source", TRAINING)
def test_a_config_with_all_its_defaults_written_out_means_the_same(source):
    config = MathConfig(source=source, test_sets={"math500": {"revision": "abc"}, "aime25": {"dataset": "me/mine"}})
    again = MathConfig(**config.model_dump(mode="json"))
    assert again.training_table() == config.training_table() == TRAINING[source]
    assert again.test_table("gsm8k") == TESTS["gsm8k"]
    assert again.test_table("math500") == TESTS["math500"].model_copy(update={"revision": "abc"})
    assert (again.test_table("aime25").dataset, again.test_table("aime25").split) == ("me/mine", "train")


def test_a_users_own_columns_are_read(tmp_path):
    path = saved(tmp_path, {"q": "1+1?", "a": 2}, {"q": "1+2?", "a": 3})
    rows = domain(data_files=path, problem_column="q", answer_column="a", answer_form="whole").training_data(0)
    assert sorted(rows["answer"]) == ["2", "3"]


@pytest.mark.parametrize(
    ("row", "message", "hint"),
    [
        ({"question": "1+1?", "solution": "2"}, "no column answer; they have question, solution", "after ####"),
        ({"question": "1+1?", "answer": "2"}, "no problem has an answer", "answer_form"),
    ],
)
def test_rows_that_are_not_as_wanted_are_told(tmp_path, row, message, hint):
    path = saved(tmp_path, row)
    with pytest.raises(UsageError) as raised:
        domain(data_files=path).training_data(0)
    assert message in raised.value.message
    assert hint in raised.value.hint
    assert str(path) in raised.value.where


def test_a_struct_without_the_field_is_told(tmp_path):
    path = saved(tmp_path, {"extra_info": {"question": "1+1?"}})
    with pytest.raises(UsageError) as raised:
        domain("simplerl", data_files=path).training_data(0)
    assert raised.value.message == "the column extra_info has no field answer"
    assert "extra_info.question: the problem's text" in raised.value.hint


def test_missing_and_unreadable_files_are_told(tmp_path):
    with pytest.raises(UsageError, match="the data file does not exist"):
        domain(data_files=tmp_path / "absent.jsonl").fingerprint()
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"question": "1+1?", "answer"\n')
    with pytest.raises(UsageError, match="is not JSON"):
        domain(data_files=broken).training_data(0)


def test_without_the_network_a_single_file_of_the_hub_is_told(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError) as raised:
        load_problems(TRAINING["simplerl"])
    assert raised.value.where == "data set hkust-nlp/SimpleRL-Zoo-Data at main"
    assert "is not in the cache" in raised.value.message
    assert "harness prefetch" in raised.value.hint
    assert "local files" in raised.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"template": "no place"},
        {"repeats": {"aime25": 0}},
        {"repeats": {"aime25": 4}, "temperature": 0},
        {"tasks": ()},
        {"tasks": ("chess",)},
        {"test_sets": {"chess": {}}},
        {"source": "other"},
    ],
)
def test_configs_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        MathConfig(**wrong)


def test_stock_tasks_take_the_place_of_our_own():
    stock = MathDomain(MathConfig(stock_tasks=[{"task": "gsm8k", "metric": "exact_match", "filter": "strict-match"}]))
    [task] = stock.evaluation_tasks()
    assert (task.task, task.metric, task.filter) == ("gsm8k", "exact_match", "strict-match")
    assert stock.task_folder() is None
    assert stock.task_metadata() == {}


def test_the_metadata_of_tasks_are_json_with_absolute_paths(monkeypatch):
    monkeypatch.chdir(FIXTURES)
    sets = {"aime25": {"data_files": Path("aime25_test.jsonl")}}
    metadata = json.loads(json.dumps(domain(test_sets=sets, repeats={"aime25": 4}).task_metadata()))
    rebuilt = MathConfig.model_validate(metadata["math"])
    assert rebuilt.test_table("aime25").files() == (FIXTURES / "aime25_test.jsonl",)
    assert rebuilt.repeats == {"aime25": 4}
    assert rebuilt.template == BOXED
    assert rebuilt.test_table("aime25").split == "test"


def test_a_table_without_files_stays_without():
    assert ProblemTable(revision="abc").absolute().data_files is None
