"""Checks that the keys, seeds and lineages of a record follow from the definitions of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.planning.definitions import key_of, method_digest, run_key, start_of
from harness.results.leaderboard import Leaderboard, Row
from harness.verification.findings import Findings
from harness.verification.kept_lines import DEFINITIONS, DefinitionLine
from harness.verification.places import lineages_by_seed, title

Definitions = Mapping[str, DefinitionLine]
_MOST = 20
_LEADERBOARD = "leaderboard.json"


def check_keys(leaderboard: Leaderboard, definitions: Definitions, findings: Findings) -> bool:
    """Adds the faults of keys, seeds, lineages and method definitions. Returns whether every key is right."""
    wrong = [(key, found) for key, line in definitions.items() if (found := _key(line.definition)) != key]
    findings.first_of(((f"{DEFINITIONS}, a result's key", found, key) for key, found in wrong), _MOST)
    if wrong:
        return False
    before = len(findings.faults)
    for row in leaderboard.rows:
        try:
            _check_row(row, definitions, findings)
        except (KeyError, TypeError, LookupError, AttributeError) as error:
            what = f"a definition without {error}" if isinstance(error, KeyError) else "definitions of another form"
            findings.fault(f"{_LEADERBOARD}: {row.method}", f"definitions of its checkpoints in {DEFINITIONS}", what)
    if len(findings.faults) == before:
        _check_run(leaderboard, definitions, findings)
    findings.done(f"the keys of {len(definitions)} results, from their definitions; seeds and order of the checkpoints")
    return True


def _key(definition: Mapping[str, Any]) -> str:
    try:
        return key_of(definition)
    except (ValueError, TypeError) as error:
        return f"no key: {error}"


def _check_row(row: Row, definitions: Definitions, findings: Findings) -> None:
    def definition_of(key: str) -> Mapping[str, Any]:
        return definitions[key].definition

    if row.reference:
        lineage = row.trajectory[0].checkpoints[:1]
        _check_digest(row, method_digest(lineage, definition_of), findings)
        return
    for seed, lineage in lineages_by_seed(row):
        for step, key in enumerate(lineage):
            definition = definition_of(key)
            where = f"{_LEADERBOARD}: {title(row.method, seed, step)}, checkpoint"
            if step == 0:
                findings.compare(where, "the base model", _kind(definition))
                continue
            findings.compare(where, f"a result of seed {seed}", f"a result of seed {definition['seed']}")
            after = lineage[0] if definition["kind"] == "merge" else lineage[step - 1]
            findings.compare(where, f"a step after {after}", f"a step after {start_of(definition)}")
            if definition["kind"] == "recover":
                findings.compare(f"{where}, lineage", lineage[:step], tuple(definition["lineage"]))
            _check_domains(row, step, definition, where, findings)
        _check_digest(row, method_digest(lineage, definition_of), findings)
    _check_recoveries(row, definition_of, findings)


def _kind(definition: Mapping[str, Any]) -> str:
    return "the base model" if definition["kind"] == "base" else f"a result of kind {definition['kind']}"


def _check_digest(row: Row, expected: str, findings: Findings) -> None:
    findings.compare(f"{_LEADERBOARD}: {row.method}, definition", expected, row.definition)


def _check_domains(row: Row, step: int, definition: Mapping[str, Any], where: str, findings: Findings) -> None:
    """Compares the trained and recovered domains of a step with its definition."""
    stated = row.trajectory[step]
    if definition["kind"] == "train":
        findings.compare(f"{where}, trained", tuple(one["name"] for one in definition["domains"]), stated.trained)
    targets = tuple(name for name, _ in _targets(definition))
    found = (stated.recovered,) if isinstance(stated.recovered, str) else stated.recovered or ()
    findings.compare(f"{where}, recovered", targets, tuple(sorted(found)))


def _check_recoveries(row: Row, definition_of: Any, findings: Findings) -> None:
    """Compares each recovery with its definition: the config, and the peak with the score after the step it names."""
    lineage: Sequence[str] = next(iter(lineages_by_seed(row)))[1]
    for one in row.recoveries:
        definition = definition_of(lineage[one.step])
        config = definition["recover"]["config"]
        stated = {key: one.config.get(key) for key in config}  # without keys, such as paths, that definitions lack
        findings.compare(f"{_LEADERBOARD}: {row.method}, config of step {one.step}", config, stated)
        for target, place in _targets(definition):
            peak = row.trajectory[place].scores.get(target)
            if peak is not None:
                expected = peak.per_seed if len(peak.per_seed) == len(row.seeds) else peak.per_seed * len(row.seeds)
                where = f"{_LEADERBOARD}: {row.method}, peak of {target} at step {one.step}"
                findings.compare(where, expected, one.peaks[target].per_seed)


def _targets(definition: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns the targets of a recovery, each with the step of its peak; none for another step."""
    if "targets" in definition:
        names = [target["name"] for target in definition["targets"]]
        return sorted(zip(names, definition["peaks"], strict=True))
    return [(definition["target"]["name"], definition["peak"])] if "target" in definition else []


def _check_run(leaderboard: Leaderboard, definitions: Definitions, findings: Findings) -> None:
    stated = leaderboard.provenance.get("plan")
    if stated is None:
        return
    columns = {name: name in leaderboard.in_average for name in leaderboard.evaluation_only}
    rows = [row for row in leaderboard.rows if not row.reference]
    expected = run_key(
        leaderboard.protocol,
        domains=[column for column in leaderboard.columns if column not in columns],
        results=definitions,
        methods=[(row.method, seed, lineage) for row in rows for seed, lineage in lineages_by_seed(row)],
        columns=columns,
    )
    findings.compare(f"{_LEADERBOARD}: provenance.plan", expected, stated)
