"""The text of a protocol: values, line numbers, and pitfalls of YAML."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.protocol.source import key_text, read_source


def source_of(tmp_path, text):
    path = tmp_path / "protocol.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_source(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("6.0e-4", 6e-4),
        ("6E-4", 6e-4),
        ("-1e-4", -1e-4),
        ("60", 60),
        ("'60'", "60"),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("~", None),
        ("", None),
        ("2026-01-31", "2026-01-31"),
        ("12:30", "12:30"),
    ],
)
def test_scalars_are_read_as_yaml_1_2_does(tmp_path, text, value):
    read = source_of(tmp_path, f"a: {text}\n").data["a"]
    assert read == value
    assert type(read) is type(value)


def test_every_key_and_item_knows_its_line(tmp_path):
    source = source_of(tmp_path, "a:\n  b: 1\n  c:\n    - x\n    - {d: 2,\n       e: 3}\n")
    assert source.line_of(("a", "b")) == 2
    assert source.line_of(("a", "c", 1)) == 5
    assert source.line_of(("a", "c", 1, "e")) == 6
    assert source.line_of(("a", "c", 1, "not there")) == 5
    assert source.line_of(("elsewhere",)) == 0


def test_all_duplicate_keys_are_told_at_once(tmp_path):
    source = source_of(tmp_path, "a: 1\na: 2\nb:\n  c: 1\n  c: 2\n")
    assert [(problem.line, problem.key) for problem in source.problems] == [(2, "a"), (5, "b.c")]
    assert "first on line 1" in source.problems[0].message
    assert source.data == {"a": 1, "b": {"c": 1}}


def test_anchors_and_merges_are_followed_and_own_keys_win(tmp_path):
    source = source_of(tmp_path, "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: {<<: [*a, {z: 9, x: 8}]}\n")
    assert source.data["b"] == {"x": 1, "y": 3}
    assert source.data["c"] == {"x": 1, "y": 2, "z": 9}
    assert source.line_of(("b", "y")) == 4
    assert not source.problems


@pytest.mark.parametrize("text", ["a: .inf", "a: .nan", "a: !secret b", "a: !!int x", "a: &x [*x]", "[1]: 2", "<<: 3"])
def test_what_is_no_plain_data_is_a_fault_and_no_crash(tmp_path, text):
    assert len(source_of(tmp_path, text).problems) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("- 1\n", "not a mapping"),
        ("word", "not a mapping"),
        ("a: [1\nb: 2\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: *nowhere", "not valid YAML"),
        (b"a: 1\n\xff\xfe\x00", "UTF-8"),
        ("a: \x00", "not valid YAML"),
        ("a: " + "[" * 5000, "nested"),
        ("a: " + "x" * 1_000_001, "larger"),
    ],
)
def test_a_file_that_is_no_protocol_says_why(tmp_path, text, said):
    with pytest.raises(ProtocolError, match=said):
        source_of(tmp_path, text)


def test_the_line_of_a_syntax_error_and_of_a_wrong_byte(tmp_path):
    for text in ("a: 1\nb: c: d\n", b"a: 1\nb: \xff\n"):
        with pytest.raises(ProtocolError) as caught:
            source_of(tmp_path, text)
        assert caught.value.problems[0].line == 2


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ProtocolError, match="no such file"):
        read_source(tmp_path / "absent.yaml")
    with pytest.raises(ProtocolError, match="folder"):
        read_source(tmp_path)


def test_key_paths_are_written_for_people():
    assert key_text(("methods", "rollback", 4, "fraction")) == "methods.rollback[4].fraction"


data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab: #-'\"~", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc: #'", max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), data, min_size=1, max_size=4))
def test_json_is_read_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("source") / "protocol.yaml"
    path.write_text(json.dumps(value))
    assert read_source(path).data == value


def laughs(levels, each):
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} {each.format(f'*a{n - 1}')}" for n in range(1, levels))]
    return "\n".join(lines) + "\n"


MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (laughs(30, "[{0}, {0}, {0}]"), "too many keys and values"),
        (laughs(30, "{{l: {0}, r: {0}}}"), "too many keys and values"),
        (MERGES, "too many keys and values"),
        ("schema: 1\n" + "a: 1\n" * 30_000, "too many keys and values"),
        ("schema: 1\n" + "a: 1\n" * 60_000, "larger than 250,000 bytes"),
        ("a: " + "[" * 100 + "]" * 100 + "\n", "nested too deeply"),
        ("a: " + "[" * 20_000 + "\n", "nested too deeply"),
        ("".join(f"{' ' * n}a:\n" for n in range(100)), "nested too deeply"),
        ("a: &a [*a, *a]\n", None),
        ("a: 0x" + "f" * 5000 + "\n", "too large a number"),
        ("a: " + "9" * 10_000 + "\n", "is not a valid value"),
        ("a: -" + "9" * 400 + "\n", "too large a number"),
        ("a: 0b" + "1" * 5000 + "\n", "too large a number"),
        ("a: 1e999999\n", "not a finite number"),
        ("a: !" + "x" * 5000 + " 1\n", "the YAML tag"),
    ],
)
def test_a_text_that_holds_too_much_is_refused_in_a_few_words(tmp_path, text, message):
    try:
        problems = source_of(tmp_path, text).problems
    except ProtocolError as error:
        problems = error.problems
    assert message is None or message in problems[0].message
    assert len(str(ProtocolError("protocol.yaml", problems))) < 2000


def test_a_large_text_is_not_read_to_its_end(tmp_path, monkeypatch):
    from harness.protocol import source

    composed = []
    compose_node = source._BoundedComposer.compose_node

    def counted(self, parent, index):
        composed.append(index)
        return compose_node(self, parent, index)

    monkeypatch.setattr(source._BoundedComposer, "compose_node", counted)
    with pytest.raises(ProtocolError, match="too many keys and values"):
        source_of(tmp_path, "a: [" + "1, " * 60_000 + "1]\n")
    assert len(composed) <= source._MOST_VALUES + 1


@pytest.mark.parametrize("count", [20, 21, 60_000])
def test_of_many_problems_the_first_are_shown(count):
    from harness.errors import Problem

    problems = [Problem(line=line, key="k" * 5000, message="m" * 5000, hint="h" * 5000) for line in range(count)]
    lines = str(ProtocolError("p.yaml", problems)).splitlines()
    assert len(lines) == 40 + (count > 20)
    assert lines[-1] == f"and {count - 20:,} more" or count == 20
    assert max(map(len, lines)) < 3100
