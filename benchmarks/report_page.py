"""The report of a large record beside that of a small one: how long it takes to build, how large it is, and how fast it
is in Chromium.

    python benchmarks/report_page.py [--methods 200] [--domains 20] [--seeds 10] [--repeats 5]

The small record has five methods and as many domains and seeds. Chromium's times are medians over loads of the page: to
the first paint, and of a click on a header of the leaderboard and the highlight of a method until the page is laid out
again. Targets: first paint and sorting within 1 s. Needs chromium and chromedriver.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from chromium import open_chromium, show_page
from pages import PAINT, made_record

from harness.report.page import make_report
from harness.report.record import RunRecord

SMALL = 5
ACTIONS = {
    "sort": 'document.querySelector("[aria-labelledby=leaderboard-table] thead th:nth-child(4) button").click()',
    "highlight": 'document.querySelector(".methods button").dispatchEvent(new PointerEvent("pointerenter"))',
}
TIMED = """
const start = performance.now();
{action};
document.body.getBoundingClientRect();
return (performance.now() - start) / 1000;
"""


def measured(path: Path, repeats: int) -> dict[str, float]:
    """Returns the median seconds to the first paint and of each action."""
    found: dict[str, list[float]] = {"first paint": [], **{name: [] for name in ACTIONS}}
    with tempfile.TemporaryDirectory() as profile:
        driver = open_chromium(Path(profile))
        try:
            for _ in range(repeats):
                show_page(driver, path.as_uri())
                driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")
                found["first paint"].append(driver.execute_script(PAINT))
                for name, action in ACTIONS.items():
                    found[name].append(driver.execute_script(TIMED.format(action=action)))
        finally:
            driver.quit()
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Prints a table of both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("methods", 200), ("domains", 20), ("seeds", 10), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for methods in (SMALL, given.methods):
            leaderboard = made_record(methods, given.domains, given.seeds)
            start = time.process_time()
            report = make_report(RunRecord(leaderboard=leaderboard, protocol="", provenance={}))
            built = time.process_time() - start
            path = Path(folder) / f"{methods}.html"
            path.write_text(report.html, encoding="utf-8")
            results.append({"MB": path.stat().st_size / 1e6, "build (CPU)": built} | measured(path, given.repeats))
            print(f"{methods} methods, not drawn: {report.undrawn or 'nothing'}")
    small, large = results
    print(f"{'':12} {f'{SMALL} methods':>12} {f'{given.methods} methods':>12} {'ratio':>7}")
    for name, value in large.items():
        print(f"{name:12} {small[name]:12.3f} {value:12.3f} {value / small[name]:7.1f}")


if __name__ == "__main__":
    main()
