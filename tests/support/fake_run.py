"""A small plan and a store with made-up scores: code, math, qa in turn, and a refresh of math after them."""

import hashlib
import json
from pathlib import Path
from unittest.mock import patch

from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.planning.node import DomainUse
from harness.planning.nodes import BaseNode, EvaluateNode, RecoverNode, TrainNode
from harness.planning.plan import MethodPlan, Plan
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef

DOMAINS = ("code", "math", "qa")
BASE = {"code": 0.50, "math": 0.60, "qa": 0.30}
SEQUENTIAL = [
    {"code": 0.90, "math": 0.62, "qa": 0.32},
    {"code": 0.88, "math": 0.95, "qa": 0.34},
    {"code": 0.70, "math": 0.75, "qa": 0.50},
]
RECOVERED = {"code": 0.72, "math": 0.93, "qa": 0.48}
STDERR = 0.01


def key_of(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def use(kind, name, **config):
    return PluginRef(kind=kind, name=name, identity=f"harness-fake:{name}@1", config=config)


def make_plan(*, seeds=(0,), settings=None, steps=60, protocol="fake", sequential="sequential"):
    """Returns the plan of two methods: `sequential`, and `re-math` that refreshes math after it."""
    settings = settings or EvaluationSettings(limit=512, batch_size=64)
    nodes, methods, evaluations = {}, [], {}
    base = BaseNode(key=key_of("base"), kind="base", label="base", seed=0, model=use("model", "tiny"), fingerprint="f")

    def add(node):
        nodes[node.key] = node
        evaluations[node.key] = {}
        for domain in DOMAINS:
            key = key_of("evaluate", node.key, domain, settings.limit, settings.batch_size, settings.seed)
            nodes[key] = EvaluateNode(
                key=key, kind="evaluate", label=domain, seed=0, parents=(node.key,), domain=domain, settings=settings
            )
            evaluations[node.key][domain] = key
        return node.key

    add(base)
    for seed in seeds:
        lineage = [base.key]
        for domain in DOMAINS:
            train = TrainNode(
                key=key_of("train", domain, seed, steps),
                kind="train",
                label=domain,
                seed=seed,
                parents=(lineage[-1],),
                algorithm=use("algorithm", "grpo", steps=steps),
                domains={domain: 1.0},
            )
            lineage.append(add(train))
        refresh = RecoverNode(
            key=key_of("refresh", seed, steps),
            kind="recover",
            label="recover math (refresh)",
            seed=seed,
            parents=tuple(lineage),
            recovery=use("recovery", "refresh", steps=3),
            targets=("math",),
            peaks={domain: place for place, domain in enumerate(DOMAINS, 1)},
            training=use("algorithm", "grpo", steps=3),
        )
        methods.append(MethodPlan(name=sequential, seed=seed, lineage=tuple(lineage)))
        methods.append(MethodPlan(name="re-math", seed=seed, lineage=(*lineage, add(refresh))))
    return Plan(
        protocol=protocol,
        key=key_of("plan", protocol, list(seeds), steps),
        model="tiny",
        seeds=tuple(seeds),
        domains={
            domain: DomainUse(
                name=domain,
                plugin=use("domain", domain),
                reward=use("reward", domain),
                fingerprint=f"{domain}-data",
                reward_fingerprint=f"{domain}-reward",
            )
            for domain in DOMAINS
        },
        settings=settings,
        nodes=nodes,
        methods=tuple(methods),
        evaluations=evaluations,
    )


def measurement(task, value, **changes):
    return {
        "task": task,
        "metric": "acc",
        "filter": "none",
        "value": value,
        "stderr": STDERR,
        "n": 512,
        "higher_is_better": True,
        "percent": True,
        "primary": True,
        "task_hash": f"hash-{task}",
    } | changes


def put(store, key, files):
    """Stores a node's result: JSON files by name; a name with a slash is a file of text."""
    if store.has(key):
        return
    # Whether results survive a power cut is for the store's own tests; here it only costs time.
    with patch("os.fsync"), store.writing(key) as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))


def put_scores(store, plan, checkpoint, scores, **changes):
    for domain, value in scores.items():
        put(
            store,
            plan.evaluations[checkpoint][domain],
            {"rows.json": [measurement(f"fake_{domain}", value, **changes)]},
        )


def fill(store, plan, *, shift=lambda seed: 0.0, **changes):
    """Stores all checkpoints and scores of the plan; `shift` moves a seed's scores."""
    for method in plan.methods:
        for step, key in enumerate(method.lineage):
            after = [BASE, *SEQUENTIAL, RECOVERED][step]
            moved = after if step == 0 else {domain: value + shift(method.seed) for domain, value in after.items()}
            put_scores(store, plan, key, moved, **changes)
            if step:
                steps = 3 if step == 4 else 60
                cost = {
                    "optimizer_steps": steps,
                    "completions": steps * 256,
                    "generated_tokens": steps * 1000,
                    "train_seconds": steps * 0.5,
                }
                weights = f"weights of {key}"
                put(store, key, {"result.json": {"cost": cost, "report": {}}, "model/model.safetensors": weights})


def make_leaderboard(root, *, seeds=(0,), shift=lambda seed: 0.0, changes=None, provenance=None, **plan_settings):
    """Returns the leaderboard of a filled run, and writes it as a run folder in `root`, whose path comes second."""
    plan = make_plan(seeds=seeds, **plan_settings)
    store = Store(root / "store")
    fill(store, plan, shift=shift, **(changes or {}))
    leaderboard = build_leaderboard(collect_scores(plan, store), plan, store, provenance or {"packages": {"a": "1"}})
    folder = root / f"{plan.protocol}-{plan.key[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "leaderboard.json").write_text(leaderboard.to_json())
    return leaderboard, folder
