"""`harness leaderboard`: exports tables, compares methods, and checks, rebuilds and archives records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.api.protocols import runs_folder
from harness.cli.session import session_of
from harness.plugin.specs import TableFormatSpec

if TYPE_CHECKING:
    from harness.plugin.registry import RegisteredPlugin, Registry
    from harness.results.leaderboard import Leaderboard

commands = typer.Typer(no_args_is_help=True, help="Export, compare, check, rebuild and archive leaderboards.")


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.add_typer(commands, name="leaderboard")


@commands.command("export")
def export(
    context: typer.Context,
    *,
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]…", help="Runs, folders or names. Default: the latest run.")
    ] = None,
    table_format: Annotated[
        str, typer.Option("-f", "--format", metavar="FORMAT", help="A table format, such as md, csv, latex or html.")
    ] = "md",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of the terminal.")
    ] = None,
    with_published: Annotated[
        bool, typer.Option("--with-published", help="Add papers' results, in separate tables.")
    ] = False,
    published: Annotated[
        Path | None, typer.Option("--published", metavar="DIR", help="The folder of published results.")
    ] = None,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Mark rows that were measured differently instead of rejecting them.")
    ] = False,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
) -> None:
    """Print the leaderboard of one or more runs in a table format."""
    from harness._util.files import write_text
    from harness.results.combine import combine
    from harness.results.published import published_folder, read_published_folder

    renderer = session_of(context).registry.find("table-format", table_format)
    leaderboard = combine(_read(run or [], runs_folder(runs)), allow_mixed=allow_mixed)
    if with_published or published is not None:
        tables = read_published_folder(published or published_folder())
        leaderboard = leaderboard.model_copy(update={"published": tables})
    text = render(renderer, leaderboard)
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write_text(output, text)
        typer.echo(f"{output}", err=True)


@commands.command("compare")
def compare(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="A method of the run.")],
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="A method, several separated by commas, or `all` others.")
    ],
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run, folder or name. Default: the latest run.")
    ] = None,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False,
) -> None:
    """Show by how much one method of a run is ahead of another, seed by seed, with the paired t test.

    With several others, the p-values are corrected over them by Holm's method.
    """
    import json

    from harness._util.console import terminal
    from harness.cli.leaderboard_view import print_comparisons, print_differences
    from harness.results.compare import compared

    (leaderboard,) = _read([run] if run is not None else [], runs_folder(runs))
    others = _others(leaderboard, method, other)
    found = compared(leaderboard, method, others)
    if as_json:
        data = [one.model_dump(mode="json") for one in found]
        typer.echo(json.dumps(data if len(others) > 1 else data[0], indent=2))
    elif len(others) > 1:
        print_comparisons(leaderboard, found, terminal())
    else:
        print_differences(leaderboard, found[0], terminal())


def _others(leaderboard: Leaderboard, method: str, named: str) -> list[str]:
    from harness.errors import UsageError

    methods = [row.method for row in leaderboard.rows]
    if named in methods:
        return [named]
    if named != "all":
        return list(dict.fromkeys(part.strip() for part in named.split(",")))
    mine = leaderboard.row(method)
    others = [row for row in leaderboard.rows if row.method != method and not row.reference]
    shared = [row.method for row in others if mine.reference or set(mine.seeds) & set(row.seeds)]
    if not shared:
        raise UsageError(f"no other method has a seed in common with {method}")
    return shared


@commands.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A leaderboard.json, or the folder with it.")],
) -> None:
    """Check the schema of a record, and that its means, intervals, metrics, ranks and footnotes follow from its scores.
    Also checks probes.json in the same folder. Nothing is measured again."""
    from harness.results import probe_tables as probe_record
    from harness.results.check import inconsistencies
    from harness.results.leaderboard import SCHEMA_VERSION as leaderboard_schema
    from harness.results.leaderboard import Leaderboard

    file = file / "leaderboard.json" if file.is_dir() else file
    leaderboard = Leaderboard.read(file, upgrade=False)
    _check(file, leaderboard.schema_version, leaderboard_schema, lambda: inconsistencies(leaderboard))
    typer.echo(f"{file}: {len(leaderboard.rows)} rows, {len(leaderboard.columns)} columns, consistent")
    beside = file.with_name(probe_record.FILE)
    if beside.is_file():
        probes = probe_record.ProbeRecord.read(beside, upgrade=False)
        _check(beside, probes.schema_version, probe_record.SCHEMA_VERSION, lambda: probe_record.inconsistencies(probes))
        typer.echo(f"{beside}: {len(probes.tables)} probes, consistent")


_MOST_TOLD = 20


def _check(file: Path, schema: int, current: int, inconsistencies: Callable[[], list[str]]) -> None:
    from harness.errors import UsageError

    hint = f"`harness leaderboard rebuild {file.parent}` recomputes them from the scores in the record"
    if schema < current:
        raise UsageError(f"this record has schema {schema}, whose intervals are too narrow", where=str(file), hint=hint)
    if found := inconsistencies():
        more = [f"and {len(found) - _MOST_TOLD} more"] if len(found) > _MOST_TOLD else []
        raise UsageError(
            "this record is inconsistent:\n  " + "\n  ".join(found[:_MOST_TOLD] + more),
            where=str(file),
            hint=f"if numbers do not follow from the scores: {hint}",
        )


@commands.command("rebuild")
def rebuild(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders with a leaderboard.json.")],
) -> None:
    """Recompute intervals, metrics, ranks and rank groups from the scores in a record, for example one of an older
    version. Writes the record and the tables, probes and report in its folder."""
    from harness._util.files import write_text, write_together
    from harness.api.run_probes import read_probes
    from harness.execution.run_folder import REPORT
    from harness.report.page import make_report
    from harness.report.reading import read_run
    from harness.report.tables.probes import probe_page
    from harness.results.leaderboard import Leaderboard
    from harness.results.probe_tables import FILE, ProbeRecord, recomputed
    from harness.results.rebuild import rebuilt

    registry = session_of(context).registry
    for folder in folders:
        texts = _tables_to_keep(registry, rebuilt(Leaderboard.read(folder / "leaderboard.json")))
        if (folder / FILE).is_file():
            probes = recomputed(ProbeRecord.read(folder / FILE))
            texts |= {FILE: probes.to_json(), "probes.md": probe_page(probes)}
        files = {folder / name: text.encode() for name, text in texts.items() if (folder / name).is_file()}
        write_together(files)
        if (folder / REPORT).is_file():
            write_text(folder / REPORT, make_report(read_run(folder), read_probes(folder, registry)).html)
            files[folder / REPORT] = b""
        for path in files:
            typer.echo(str(path))


@commands.command("add")
def add(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or a protocol's name for its latest run.")],
    directory: Annotated[
        Path | None,
        typer.Option("-d", "--directory", metavar="DIR", help="The folder to write. Default: leaderboards/<protocol>."),
    ] = None,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
) -> None:
    """Archive a run: its record, score table, provenance, probe results and prediction, with tables and a report
    generated from them."""
    from harness._util.files import write_text, write_together
    from harness._util.untrusted_file import read_untrusted, refuse_special_files
    from harness.api.find_run import find_run_folder
    from harness.api.run_probes import read_probes
    from harness.execution.run_folder import PREDICTION, REPORT
    from harness.report.kept_steps import FILE as STEPS
    from harness.report.kept_steps import steps_to_json
    from harness.report.page import make_report
    from harness.report.reading import read_run
    from harness.report.tables.probes import probe_page
    from harness.results.leaderboard import Leaderboard
    from harness.results.probe_tables import FILE

    folder = find_run_folder(run, runs_folder(runs))
    leaderboard = Leaderboard.read(folder / "leaderboard.json")
    _check_names(leaderboard, folder / "leaderboard.json")
    refuse_special_files(folder)
    kept = directory or _place(leaderboard.protocol)
    registry = session_of(context).registry
    texts = _tables_to_keep(registry, leaderboard)
    if (probes := read_probes(folder, registry)) is not None:
        texts |= {FILE: probes.to_json(), "probes.md": probe_page(probes)}
    if steps := steps_to_json(read_run(folder).steps):
        texts[STEPS] = steps
    copied = ("provenance.json", "protocol.yaml", "scores.parquet", PREDICTION)
    files = {kept / name: read_untrusted(folder / name) for name in copied if (folder / name).is_file()}
    files |= {kept / name: text.encode() for name, text in texts.items()}
    write_together(files)
    # From the archived files, not the run, so that `harness report` reproduces the same page.
    write_text(kept / REPORT, make_report(read_run(kept), read_probes(kept, registry)).html)
    for path in (*files, kept / REPORT):
        typer.echo(str(path))


def _check_names(leaderboard: Leaderboard, where: Path) -> None:
    """Raises UsageError if the record contains a name that is not valid in a protocol."""
    import re

    from harness.errors import UsageError
    from harness.protocol.shape import NAME_PATTERN

    methods = (row.method for row in leaderboard.rows if not row.reference)
    for name in (leaderboard.protocol, *leaderboard.columns, *methods):
        if not re.fullmatch(NAME_PATTERN, name):
            raise UsageError(
                f"{name[:80]!r} is not a valid name of a protocol, a domain or a method",
                where=str(where),
                hint="a name has up to 64 letters, digits, '-', '_' and '+', a letter or digit first",
            )


def _place(name: str) -> Path:
    """Returns the folder for the record of a protocol. Raises UsageError if it is a link, or if there is a folder whose
    name differs only in case."""
    from harness.errors import UsageError

    root = Path("leaderboards")
    place = root / name
    if place.is_symlink():
        raise UsageError("this is a link", where=str(place), hint="choose another folder with --directory")
    others = [path.name for path in root.iterdir()] if root.is_dir() else []
    for other in others:
        if other != name and other.casefold() == name.casefold():
            raise UsageError(
                f"on a case-insensitive file system the record of {name} would replace {other}",
                where=str(place),
                hint="choose another folder with --directory",
            )
    return place


def _tables_to_keep(registry: Registry, leaderboard: Leaderboard) -> dict[str, str]:
    """Returns texts by file name: the record, and one table per format. If formats share an extension, further ones get
    the full name of the format."""
    texts = {"leaderboard.json": leaderboard.to_json()}
    for offer in registry.all("table-format"):
        text = render(offer, leaderboard)
        assert isinstance(offer.spec, TableFormatSpec)
        name = f"leaderboard.{offer.spec.extension}"
        if texts.get(name, text) != text:
            name = f"leaderboard-{offer.distribution}-{offer.name}.{offer.spec.extension}"
        texts[name] = text
    return texts


def render(offer: RegisteredPlugin, leaderboard: Leaderboard) -> str:
    """Returns the leaderboard in a table format. Raises PluginError with the distribution if this fails."""
    from harness.errors import HarnessError, PluginError

    made = offer.build(offer.config_type()())
    try:
        text = made.render(leaderboard)
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(
            f"the table format {offer.qualified} (version {offer.version}) failed: {type(error).__name__}: {error}",
            hint="choose another format, or report it to its authors",
        ) from error
    if not isinstance(text, str):
        raise PluginError(f"the table format {offer.qualified} gave {type(text).__name__}, not text")
    return text


def _read(names: list[str], runs: Path) -> list[Leaderboard]:
    from harness.api.find_run import find_run_folder
    from harness.results.leaderboard import Leaderboard

    folders = [find_run_folder(name, runs) for name in names] or [find_run_folder(None, runs)]
    return [Leaderboard.read(folder / "leaderboard.json") for folder in folders]
