"""Runs for the tests of the report: made-up results of every kind that it draws, and names that try to break out."""

import json
from dataclasses import replace

from fake_run import fill, make_plan, put

from harness.execution.leaderboard import build_leaderboard
from harness.execution.run_folder import RunFolder
from harness.execution.score_table import collect_scores, write_scores
from harness.execution.store import Store
from harness.planning.serialization import plan_to_json
from harness.prediction.agreement import Agreement
from harness.prediction.check import CheckedPair
from harness.prediction.kept import PredictionRecord
from harness.prediction.matrix import PairPrediction, Prediction, TrainingPace
from harness.prediction.observed import ObservedPair
from harness.prediction.predictors import PREDICTORS, REFERENCE, SAME_PAIR, Effort, before_training
from harness.report.figure import Figure
from harness.report.record import RunRecord, RunState, StepReport
from harness.report.tables.layout import shortest_first
from harness.report.training_curves import StageCurve
from harness.results.leaderboard import Leaderboard
from harness.results.probe_rows import ProbeRows
from harness.results.score_curves import ScoreCurve, ScoreCurves, ScorePoint

SCRIPT = "</script><script>document.title='broken'</script>"
IMAGE = "<img src=x onerror=\"document.title='broken'\">&amp;'`{{ 7*7 }}`"
COST = {"optimizer_steps": 60, "completions": 15360, "generated_tokens": 60000, "train_seconds": 30.0}
PROVENANCE = {
    "plan": "0" * 64,
    "python": "3.11.7",
    "packages": {f"package-{index}": "1.0" for index in range(14)},
    "plugins": {"mdrl-harness": "0.1.0"},
    "git": {"harness": {"revision": "abc123", "dirty": True, "untracked": 2}},
    "hardware": {"processor": "a processor", "gpus": []},
    "invocations": [{"command": ["harness", "run", SCRIPT], "started": "s", "ended": "e", "executed": 3, "failed": 0}],
}


def random_control(leaderboard):
    """Returns the leaderboard with a rollback beside the refresh, and the rollback's random control."""
    data = json.loads(leaderboard.to_json())
    refreshed = next(row for row in data["rows"] if row["recovery"])
    for name, score, gain in (("rollback", "fisher", -1.0), ("random-rollback", "random", -15.0)):
        row = json.loads(json.dumps(refreshed))
        row["method"], row["definition"] = name, name
        row["trajectory"][-1]["checkpoints"] = [f"{name} {key}" for key in row["trajectory"][-1]["checkpoints"]]
        row["recovery"] |= {"plugin": "rollback", "config": {"score": score, "fraction": 0.05}}
        row["recovery"]["recovered"]["mean"] += gain
        row["recovery"]["ratio"]["mean"] += gain / 20
        data["rows"].insert(-1, row)
    return Leaderboard.parse(json.dumps(data), "test")


def conflicts(domains=("code", "math")):
    modules = [f"layers.{index}.{part}" for index in range(3) for part in ("self_attn", "mlp")] + ["embeddings", "norm"]
    return [
        {
            "module": module,
            "domains": list(domains),
            "cosine_mean": 0.1 * (index - 3),
            "conflict_share": index / 8,
            "steps": 60,
        }
        for index, module in enumerate(modules)
    ]


def curve():
    references = [
        {"target": "math", "score": kind, "fraction": None, "draw": 0, "target_score": score, "average": 60}
        for kind, score in (("peak", 95), ("damaged", 75))
    ]
    return references + [
        {
            "target": "math",
            "score": kind,
            "fraction": fraction,
            "draw": draw,
            "target_score": 75 + 100 * fraction * (kind == "fisher") + draw,
            "average": 65 + draw,
        }
        for kind, draws in (("fisher", 1), ("random", 3))
        for fraction in (0.01, 0.05, 0.2)
        for draw in range(draws)
    ]


def curves(seeds):
    """Returns the curves of two stages of the hostile method, with every metric but entropy."""
    metrics = {"reward": 0.5, "KL": 0.01, "completion length (tokens)": 12.0, "gradient norm": 0.2, SCRIPT: 3.0}
    return tuple(
        StageCurve(
            methods=(SCRIPT, "re-math"),
            step=step,
            label=IMAGE,
            seeds=tuple(seeds),
            last=60.0,
            at=(15.0, 30.0, 60.0),
            values={
                name: tuple((value * k, value * k * 0.9, value * k * 1.2) for k in (1, 2, 3))
                for name, value in metrics.items()
            },
        )
        for step in (1, 2)
    )


def split():
    """Returns the losses by part of one update; the random control has two draws."""
    losses = [("full", 0, 9.0), ("subspace", 0, 6.0), ("complement", 0, -1.0), ("random-subspace", 0, 0.5)]
    return [
        {"target": IMAGE, "against": "cw", "piece": piece, "draw": draw, "loss": loss}
        for piece, draw, loss in [*losses, ("random-subspace", 1, 1.5)]
    ]


def contracted():
    """Returns the distances within one recovery; the random control has two draws."""
    falls = [("subspace", 0, -0.1), ("complement", 0, 0.0), ("random-subspace", 0, 0.02), ("random-subspace", 1, 0.04)]
    return [
        {
            "target": "math",
            "recovery": IMAGE,
            "part": part,
            "draw": draw,
            "optimizer_step": step,
            "log_ratio": fall * step,
        }
        for part, draw, fall in falls
        for step in (0, 5, 10)
    ]


def predicted():
    return [
        {"step": step, "domain": domain, "predicted_first_order": 0.1 * step - 0.03 * index}
        for step in (1, 2, 3)
        for index, domain in enumerate(("code", "math", "qa"))
    ]


def kept_prediction(board):
    """Returns a prediction of the training from the base that the methods begin with, held against it."""
    first = shortest_first([row for row in board.rows if not row.reference])[0]
    before, after = first.trajectory[:2]
    [trained] = after.trained
    others = [column for column in board.columns if column != trained]
    predictions, checked = [], []
    pace = TrainingPace(learning_rate=1e-4, steps=60, completions_per_step=256)
    effort = Effort(pace=pace, completions=64, domains=len(board.columns))
    for place, seed in enumerate(first.seeds):
        pairs = tuple(
            PairPrediction(
                trained=trained,
                harmed=other,
                damage=index - 0.5,
                first_order=0.2,
                second_order=0.3,
                gradient_cosine=0.1,
            )
            for index, other in enumerate(others)
        )
        predictions.append(Prediction(seed=seed, checkpoint="base", pairs=pairs, completions=64, generated_tokens=640))
        for pair in pairs:
            scores = [step.scores[pair.harmed].per_seed for step in (before, after)]
            observed = ObservedPair(
                seed=seed,
                trained=trained,
                harmed=pair.harmed,
                damage=scores[0][place % len(scores[0])] - scores[1][place],
                before=before.checkpoints[0],
                after=after.checkpoints[place],
                from_base=True,
            )
            told = before_training(pair) | {"edit norm": 1.0, "KL": 0.5}
            checked.append(CheckedPair(pair=observed, predicted=told, effort=effort))
    return PredictionRecord(
        protocol=board.protocol, order=board.columns, predictions=tuple(predictions), checked=tuple(checked)
    )


def compared_prediction(board):
    """Returns `kept_prediction`, fitted to the first seed, with made-up agreements of every predictor: correlations
    and leads fall from one to the next, and one has none. The last one has hostile names."""
    kept = kept_prediction(board)
    effort = kept.checked[0].effort
    agreed = []
    for place, one in enumerate(PREDICTORS.values()):
        value = 0.9 - 0.07 * place
        agreed.append(
            Agreement(
                predictor=one.name,
                known=one.known,
                cost=None if one.cost is None else one.cost(replace(effort, pilot=3)),
                spearman=None if one.name == SAME_PAIR else value,
                ci95=None if one.name == SAME_PAIR else (value - 0.3, value + 0.05),
                signs=0.5 + 0.02 * place,
                lead=None if one.name == REFERENCE else value - 0.6,
                lead_ci95=None if one.name == REFERENCE else (value - 0.8, value - 0.5),
                seed_lead=None if one.name == REFERENCE else value - 0.61,
                seed_lead_ci95=None if one.name == REFERENCE else (value - 0.7, value - 0.4),
            )
        )
    agreed.append(replace(agreed[0], predictor=IMAGE, known=SCRIPT))
    return replace(kept, agreed=tuple(agreed), fitted=(kept.checked[0].pair.seed,))


def score_curves(leaderboard):
    """Returns curves with a model in the middle of each step, which scores as the end of the step."""
    methods = []
    for row in (row for row in leaderboard.rows if not row.reference):
        points = []
        for step in row.trajectory:
            for place in (30, 60) if step.step else (0,):
                last = place != 30
                points.append(
                    ScorePoint(
                        step=step.step,
                        label=step.label,
                        optimizer_step=place,
                        total_steps=60 * max(0, step.step - 1) + place,
                        last=last,
                        checkpoints=step.checkpoints if last else tuple(f"{key} at 30" for key in step.checkpoints),
                        scores=step.scores,
                    )
                )
        methods.append(ScoreCurve(method=row.method, seeds=row.seeds, points=tuple(points)))
    return ScoreCurves(protocol=leaderboard.protocol, columns=leaderboard.columns, methods=tuple(methods))


def full_record(root, *, seeds=(0, 1)):
    """Returns a record with data for every figure, and names and texts that are hostile markup."""
    plan = make_plan(seeds=seeds, sequential=SCRIPT)
    store = Store(root / "store")
    fill(store, plan, shift=lambda seed: 0.01 * seed)
    board = build_leaderboard(collect_scores(plan, store), plan, store, PROVENANCE)
    leaderboard = random_control(board)
    # The domain's name goes wherever names go: cells, axes, panels, captions and tooltips.
    hostile = leaderboard.to_json().replace('"qa"', json.dumps(IMAGE))
    leaderboard = Leaderboard.parse(hostile, "test")
    return RunRecord(
        leaderboard=leaderboard,
        protocol=f"schema: 1\nname: fake # {SCRIPT} \x00\x1b\n",
        provenance=PROVENANCE,
        steps=tuple(
            StepReport(
                methods=(SCRIPT,),
                seed=seed,
                step=1,
                label=IMAGE,
                report={"conflict_by_module": conflicts((IMAGE, "math"))},
            )
            for seed in seeds
        ),
        probes=tuple(
            ProbeRows(
                probe="curve", method="re-math", seed=seed, rows=[*curve(), *split(), *contracted(), *predicted()]
            )
            for seed in seeds
        ),
        prediction=compared_prediction(board),
        curves=curves(seeds),
        score_curves=score_curves(leaderboard),
        state=RunState(done=3, nodes=4, stopped=f"stopped by {SCRIPT}", failed=1),
        problems=(IMAGE,),
    )


def write_run(root, *, without=(), finished=True, stopped="", report=None, plan=None):
    """Writes a run folder as the runner does and returns it.

    without: methods of which only the steps that others share are done. report: that of the first step.
    """
    plan = plan or make_plan()
    store = Store(root / "store")
    if report is not None:
        put(store, plan.methods[0].lineage[1], {"result.json": {"cost": COST, "report": report}})
    fill(store, replace(plan, methods=tuple(method for method in plan.methods if method.name not in without)))
    folder = RunFolder(root / f"{plan.protocol}-{plan.key[:12]}")
    folder.path.mkdir(parents=True)
    (folder.path / "plan.json").write_text(json.dumps(plan_to_json(plan)))
    (folder.path / "protocol.yaml").write_text("name: fake\n")
    folder.write_provenance({"python": "3.11.7"})
    folder.append("run_started", nodes=20, done=0)
    if finished:
        folder.append("run_finished", executed=20, failed=0, left=[], stopped=stopped)
        scores = collect_scores(plan, store)
        write_scores(scores, folder.path / "scores.parquet")
        leaderboard = build_leaderboard(scores, plan, store, {"python": "3.11.7"})
        (folder.path / "leaderboard.json").write_text(leaderboard.to_json())
        folder.tables_written(sum(store.has(key) for key in plan.nodes))
    return folder.path


def record_of(leaderboard, **changes):
    return RunRecord(leaderboard=leaderboard, protocol="", provenance={}, **changes)


def cells(figure):
    """Returns the rows of a figure's numbers by their first cell."""
    assert isinstance(figure, Figure)
    return {row[0]: row[1:] for row in figure.numbers.rows}
