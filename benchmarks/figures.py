"""Draws the figures of the README and the documentation from the stored leaderboards of the lab.

    python benchmarks/figures.py            # writes docs/figures/*.svg; `make figures`
    python benchmarks/figures.py FOLDER     # writes them there

The charts are the report's, and the table is the output of `harness show`. All have a background of their own, so that
they can be read on light and dark pages; the colours of the charts follow the reader's scheme.
"""

import io
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from harness.report.figure import Absent, Figure
from harness.report.figures.paired_differences import paired_differences
from harness.report.figures.pareto import pareto
from harness.report.figures.plasticity import plasticity_against_forgetting
from harness.report.figures.recoveries import recoveries
from harness.report.figures.trajectories import trajectories
from harness.report.record import RunRecord

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "leaderboards" / "lab"
CHARTS: dict[str, tuple[Callable[[RunRecord], Figure | Absent], Path]] = {
    "scores-by-step.svg": (trajectories, RECORD),
    "plasticity.svg": (plasticity_against_forgetting, RECORD / "eight-seeds"),
    "recoveries.svg": (recoveries, RECORD / "eight-seeds"),
    "differences.svg": (paired_differences, RECORD / "eight-seeds"),
    "pareto.svg": (pareto, RECORD / "recoveries"),
    "pareto-rotated.svg": (pareto, RECORD / "recoveries-rotated"),
}
SVG = "{http://www.w3.org/2000/svg}"
DARK = {"#1b1f24": "#e6edf3", "#57606a": "#9198a1", "#d8dee4": "#3d444d", "#ffffff": "#0d1117"}
"""The report's colours of ink, muted ink, grid and paper, and the corresponding colours in a dark scheme."""
NAMES = dict(zip(DARK, ("ink", "muted", "grid", "paper"), strict=True))
DROPPED = {"class", "role", "pointer-events", "font-family"}
DEFAULTS = {("opacity", "1"), ("stroke-width", "1"), ("font-weight", "normal"), ("x2", "0"), ("y2", "0")}
THEME = TerminalTheme((13, 17, 23), (230, 237, 243), [(110, 118, 129)] * 8, [(230, 237, 243)] * 8)
COLUMNS = 79
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" role="img" \
aria-label="The lab's leaderboard, as shown in the terminal">
<style>{styles}
text {{ font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }}</style>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#0d1117"/>
<defs>{lines}</defs>
<g transform="translate(10,6)">{backgrounds}{matrix}</g>
</svg>
"""


def chart(figure_of: Callable[[RunRecord], Figure | Absent], record: Path) -> str:
    """Returns a figure of a record's report as an SVG that follows the reader's scheme."""
    from harness.report.drawing import draw
    from harness.report.plots.chart import chart_of
    from harness.report.reading import read_run
    from harness.report.theme import FONT

    figure = figure_of(read_run(record, None))
    if isinstance(figure, Absent):
        raise SystemExit(f"no chart: {figure.reason}")
    root = ElementTree.fromstring(draw(chart_of(figure.views[0])))
    strip(root)
    for element in root.iter():
        for name in ("fill", "stroke"):
            if (colour := element.get(name, "")).lower() in NAMES:
                element.set(name, f"var(--{NAMES[colour.lower()]})")
    root.set("role", "img")
    root.set("aria-label", figure.description)
    style = ElementTree.Element(f"{SVG}style")
    style.text = (
        f"text{{font-family:{FONT}}}{variables(dict(zip(DARK, DARK, strict=True)))}"
        f"@media(prefers-color-scheme:dark){{{variables(DARK)}}}"
    )
    root.insert(0, style)
    return shortened(ElementTree.tostring(root, encoding="unicode")) + "\n"


def variables(colours: Mapping[str, str]) -> str:
    """Returns the style that sets the ink, the muted ink, the grid and the paper."""
    return ":root{" + ";".join(f"--{NAMES[light]}:{colour}" for light, colour in colours.items()) + "}"


def strip(parent: ElementTree.Element) -> None:
    """Removes everything without a visible effect: descriptions of parts, default values, and empty parts."""
    for element in list(parent):
        strip(element)
        draws_nothing = element.get("display") == "none" or element.get("d") in ("", "M0,0h0v0h0Z")
        if draws_nothing or (element.tag == f"{SVG}g" and len(element) == 0):
            parent.remove(element)
    for name, value in list(parent.attrib.items()):
        if name in DROPPED or name.startswith("aria-") or (name, value) in DEFAULTS:
            del parent.attrib[name]


def shortened(svg: str) -> str:
    """Returns the SVG with coordinates to a tenth of a pixel."""
    return re.sub(r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), svg)


def table() -> str:
    """Returns the first table of `harness show` as an SVG of a terminal."""
    command = [sys.executable, "-m", "harness", "show", str(RECORD)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    end = next(number for number, line in enumerate(printed) if "forgetting" in line)
    console = Console(width=COLUMNS, record=True, highlight=False, file=io.StringIO())
    console.print("\n".join(line.rstrip() for line in printed[:end]), markup=False)
    return console.export_svg(theme=THEME, code_format=FRAME, unique_id="lab")


def main(folder: Path) -> None:
    """Writes both figures."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: chart(figure_of, record) for name, (figure_of, record) in CHARTS.items()} | {
        "leaderboard.svg": table()
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        print(f"{folder / name}: {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "figures")
