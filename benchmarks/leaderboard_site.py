"""The leaderboard site of a large record beside that of a small one: how long it takes to build, how large it is, and
how fast its table is in Chromium.

    python benchmarks/leaderboard_site.py [--methods 200] [--domains 20] [--seeds 10] [--repeats 5] [--records FOLDER]

The small record has five methods and as many domains and seeds. Chromium's times are medians over loads of the page, in
turns: from the start of the navigation to the first paint, and from the click on a header, a letter in the search
field and the choice of a column to the next frame after it is drawn. With --records, the site of that folder is built
too, with reports, and its size and time are printed. Targets: first paint and sorting within 1 s.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver

from harness import Leaderboard, build_site
from harness.results.rebuild import rebuilt

LIMIT_SECONDS = 1.0
SMALL = 5
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PAINT = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return paint ? paint.startTime / 1000 : null;
"""
ACTIONS = {
    "sort": "document.querySelector('#board th[data-key=\"score-domain-07\"] button').click()",
    "search": "const field = document.querySelector('#search'); field.value = '0';"
    " field.dispatchEvent(new Event('input'))",
    "column": "document.querySelector('input[data-column=\"score-domain-03\"]').click()",
}
TIMED = """
const done = arguments[arguments.length - 1], start = performance.now();
{action};
requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000), 0));
"""


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("methods", 200), ("domains", 20), ("seeds", 10), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--records", type=Path, help="a folder of kept records, such as leaderboards")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        pages = {}
        for name, methods in (("small", SMALL), ("large", arguments.methods)):
            kept = Path(scratch) / name
            kept.mkdir()
            record = made_record(methods, arguments.domains, arguments.seeds)
            (kept / "leaderboard.json").write_text(record.to_json())
            result[name], site = build(kept, Path(scratch) / f"{name}-site", reports=False)
            pages[name] = site / "boards/made/index.html"
        times = in_chromium(pages, arguments.repeats)
        for name, measured in times.items():
            result[name] |= measured
        if arguments.records:
            result["records"], _ = build(arguments.records, Path(scratch) / "records-site", reports=True)
    result["ratio"] = {key: round(result["large"][key] / result["small"][key], 1) for key in times["large"]}
    result["limit_seconds"] = LIMIT_SECONDS
    result["met"] = all(result["large"][key] <= LIMIT_SECONDS for key in ("first_paint_seconds", "sort_seconds"))
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["met"] else 1)


def build(kept: Path, output: Path, *, reports: bool) -> tuple[dict[str, Any], Path]:
    """Builds a site and returns its seconds, files and size, and its folder."""
    start = time.perf_counter()
    built = build_site(kept, output, reports=reports)
    seconds = time.perf_counter() - start
    page = max(path.stat().st_size for path in built.files if path.name == "index.html")
    return {
        "build_seconds": round(seconds, 1),
        "files": len(built.files),
        "megabytes": round(built.size / 1e6, 1),
        "largest_table_page_megabytes": round(page / 1e6, 2),
    }, output


def made_record(methods: int, domains: int, seeds: int) -> Leaderboard:
    """Returns a record with made-up scores: each method trains on all domains at once and then recovers one."""
    random = np.random.default_rng(0)
    columns = [f"domain-{index:02}" for index in range(domains)]
    rows = list(made_rows(random, columns, methods, list(range(seeds))))
    data = {
        "schema": 2,
        "protocol": "made",
        "model": "made-model",
        "seeds": list(range(seeds)),
        "columns": columns,
        "measurement": {
            column: {
                "tasks": [{"task": column, "metric": "acc", "filter": "none", "task_hash": None}],
                "higher_is_better": True,
                "percent": True,
                "limit": 512,
                "batch_size": 64,
                "seed": 0,
            }
            for column in columns
        },
        "rows": rows,
    }
    return rebuilt(Leaderboard.parse(json.dumps(data), "made"))


def made_rows(random: np.random.Generator, columns: list[str], methods: int, seeds: list[int]) -> Iterator[Any]:
    """Yields the rows of a record, the base model last."""
    none = {"mean": None, "ci95": None, "per_seed": [], "stderr": [], "n": 0, "interval": None}

    def scores(level: float, count: int) -> dict[str, Any]:
        drawn = random.normal(level, 3, (len(columns), count)).clip(0, 100)
        return {
            column: none
            | {"mean": float(values.mean()), "per_seed": values.tolist(), "stderr": [1.0] * count, "n": 512}
            for column, values in zip(columns, drawn, strict=True)
        }

    def row(name: str, steps: list[tuple[str, list[str], str | None, float]], over: list[int]) -> dict[str, Any]:
        trajectory = [
            {
                "step": place,
                "label": label,
                "trained": trained,
                "recovered": recovered,
                "checkpoints": ["base"] if place == 0 else [f"{name} {place} {seed}" for seed in over],
                "scores": scores(level, 1 if place == 0 else len(over)),
                "average": none,
            }
            for place, (label, trained, recovered, level) in enumerate(steps)
        ]
        return {
            "method": name,
            "reference": len(steps) == 1,
            "definition": name,
            "seeds": over,
            "scores": trajectory[-1]["scores"],
            "average": none,
            "forgetting": none,
            "forgetting_by_domain": {},
            "backward_transfer": none,
            "cost": {"optimizer_steps": 100.0, "completions": 1e5, "generated_tokens": 1e6, "train_seconds": 1e3},
            "trajectory": trajectory,
        }

    for index in range(methods):
        level = 50 + 20 * random.random()
        trained = ("train all", columns, None, level)
        steps = [("base", [], None, 40.0), trained, (f"train {columns[0]}", columns[:1], None, level - 3)]
        yield row(f"method-{index:03}", steps, seeds)
    yield row("base", [("base", [], None, 40.0)], [])


def in_chromium(pages: dict[str, Path], repeats: int) -> dict[str, dict[str, float]]:
    """Returns the median seconds of first paint and of each action, by page."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    found: dict[str, dict[str, list[float]]] = {name: {} for name in pages}
    try:
        driver.set_window_size(1280, 900)
        for _ in range(repeats):
            for name, page in pages.items():
                driver.get("about:blank")
                driver.get(page.as_uri())
                while (paint := driver.execute_script(PAINT)) is None:
                    time.sleep(0.01)
                found[name].setdefault("first_paint_seconds", []).append(paint)
                for action, script in ACTIONS.items():
                    seconds = driver.execute_async_script(TIMED.replace("{action}", script))
                    found[name].setdefault(f"{action}_seconds", []).append(seconds)
    finally:
        driver.quit()
    return {
        name: {key: round(statistics.median(values), 3) for key, values in times.items()}
        for name, times in found.items()
    }


if __name__ == "__main__":
    main()
