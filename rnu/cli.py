"""The command line: reads arguments, calls the line, says what happened. No decision about the domain is made here."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from rnu import __version__, defaults, review, secrets
from rnu.errors import RnuError, SettingsError, SourceUnavailable
from rnu.ledger import Ledger, Release
from rnu.pipeline import Institution, Outcome, Step, run
from rnu.release.difference import difference
from rnu.release.manifest import verify
from rnu.settings import Period
from rnu.signing import Role
from rnu.status import status

Command = TypeVar("Command", bound=Callable[..., Any])
WIDTH = 18  # of the subject's column on the screen


class Line(click.Group):
    """Turns errors into two lines and an exit code. What is unexpected never shows a value: only where it happened."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except RnuError as error:
            _complain(ctx, error)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("RNU_TRACEBACK"):
                raise
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "site-packages" not in frame.filename]
            at = (ours or frames)[-1]
            unexpected = RnuError(
                f"unexpected {type(error).__name__}",
                where=f"{Path(at.filename).name}:{at.lineno}",
                remedy="report it; RNU_TRACEBACK=1 shows more, and may show persons' data: do not send that on",
            )
            _complain(ctx, unexpected)
            ctx.exit(70)


def _complain(ctx: click.Context, error: RnuError) -> None:
    if ctx.meta.get("rnu.json"):
        fault = {"kind": type(error).__name__, "what": error.what, "where": error.where, "remedy": error.remedy}
        click.echo(json.dumps({"error": fault}, ensure_ascii=False))
    else:
        click.echo(f"{type(error).__name__}: {error}", err=True)


def home_option(command: Command) -> Command:
    """The institution's folder."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        default=".",
        envvar="RNU_HOME",
        show_default=True,
        help="The institution's folder [env: RNU_HOME].",
    )(command)


def json_option(command: Command) -> Command:
    """Machines read JSON."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta["rnu.json"] = value
        return value

    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, expose_value=True, callback=remember, help="Print JSON."
    )(command)


def key_option(command: Command) -> Command:
    """A steward's signing key."""
    return click.option(
        "--key",
        "key_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Your signing key [env: {secrets.SIGNING_FILE_ENV}].",
    )(command)


@click.group(cls=Line, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="rnu")
def main() -> None:
    """From social programmes' rosters to protected, signed open data.

    \b
    Begin with:   rnu init DIR
    Then:         rnu run --period 2026-01
    Where am I:   rnu status
    """


def _emit(as_json: bool, value: object, lines: Callable[[], list[str]]) -> None:
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, indent=1, default=_plain))
    else:
        click.echo("\n".join(lines()))


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return str(value)


# --- set-up ------------------------------------------------------------------------------------------------------


@main.command(short_help="Make an institution's folder.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Make an institution's folder: its own copy of config/ and schemas/, a store, a ledger and a pseudonym key.

    \b
    Example:
      rnu init /srv/rnu
    """
    defaults.copy(folder)
    key = secrets.new_pseudonym_key(folder)
    Institution.open(folder)
    _emit(
        as_json,
        {"home": folder, "pseudonym_key": key},
        lambda: [
            f"An institution's folder stands in {folder}.",
            "  config/   programmes, sources, cubes, portals, stewards: edit them",
            "  schemas/  the rules that deliveries must keep",
            f"  {key.relative_to(folder)}  keep a copy in a safe: another key breaks every link to the past",
            f"Next: rnu key signing YOUR-KEY.pem, register it in config/stewards.toml, then rnu run --home {folder}",
        ],
    )


@main.group(short_help="Make keys.")
def key() -> None:
    """Make keys. They are files that only their owner can read; none is ever under version control.

    \b
    Example:
      rnu key signing ~/rnu-steward.pem
    """


@key.command("pseudonym", short_help="Make the institution's pseudonym key.")
@home_option
def key_pseudonym(home: Path) -> None:
    """Make the key that turns documents into pseudonyms, once in an institution's life.

    \b
    Example:
      rnu key pseudonym --home /srv/rnu
    """
    click.echo(str(secrets.new_pseudonym_key(home)))


@key.command("signing", short_help="Make a steward's signing key.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", default="Nombre y apellido", help="The steward's name, as it stands in stewards.toml.")
def key_signing(file: Path, name: str) -> None:
    """Make a steward's own key, and print the lines that register its public half.

    \b
    Example:
      rnu key signing ~/rnu-steward.pem --name 'Rosa Pérez'
    """
    made = secrets.new_signing_key(file)
    click.echo(
        "# add to config/stewards.toml\n[[steward]]\n"
        f'name = "{name}"\npublic_key = "{secrets.public_half(made)}"\nsince = {date.today().isoformat()}'
    )


# --- the line ----------------------------------------------------------------------------------------------------


class Screen:
    """Tells steps as they go: a line each when they end, the one at work in between on a terminal."""

    def __init__(self, as_json: bool) -> None:
        self.steps: list[Step] = []
        self._quiet = as_json
        self._console = Console(stderr=True)
        self._status = None if as_json or not self._console.is_terminal else self._console.status("")

    def __enter__(self) -> Screen:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, step: Step) -> None:
        """Tell one step."""
        if step.began:
            if self._status:
                self._status.update(f"{step.name} {step.subject}")
            return
        self.steps.append(step)
        if not self._quiet:
            click.echo(line(step))


def line(step: Step) -> str:
    """A step as one line.

    >>> line(Step("check", "sis", 1.25, {"rows": 160000, "set_aside": 41}))
    'check      sis                  1.2 s  rows 160,000 · set aside 41'
    """
    if step.problem:
        return f"{'problem':10} {step.subject:{WIDTH}} {step.problem}"
    facts = " · ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in step.facts.items())
    return f"{step.name:10} {step.subject:{WIDTH}} {step.seconds:5.1f} s  {facts}".rstrip()


def _number(value: int | float | str) -> str:
    if isinstance(value, str):
        return value[:16] if len(value) == 64 else value
    return f"{value:,}"


@main.command("run", short_help="Do what is due for a period.")
@click.option("--period", required=True, help="The month, YYYY-MM.")
@click.option("--go", is_flag=True, help="Build with the rosters there are, though the quorum is not in.")
@key_option
@home_option
@json_option
def run_command(period: str, go: bool, key_file: Path | None, home: Path, as_json: bool) -> None:
    """Harvest, check and pseudonymise every source; with the quorum in, build, inspect and sign the period's release.

    What was done before is not done again; a run that was killed goes on where it stopped.

    \b
    Examples:
      rnu run --period 2026-01 --key ~/rnu-steward.pem
      rnu run --period 2026-01 --go --json
    """
    institution = Institution.open(home)
    signing_key = secrets.signing_key(key_file, os.environ)
    pseudonyms = secrets.pseudonym_key(home, os.environ)
    with Screen(as_json) as screen:
        outcome = run(institution, Period.parse(period), pseudonyms, signing_key, screen, today=date.today(), go=go)
    steps = [dataclasses.asdict(s) for s in screen.steps]
    _emit(as_json, _outcome_json(outcome) | {"steps": steps}, lambda: _outcome_lines(outcome))
    if outcome.problems and not (go and outcome.release):  # with --go a steward knew of them
        sys.exit(outcome.problems[0].exit_code)
    if outcome.release is None:
        sys.exit(SourceUnavailable.exit_code)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "period": outcome.period,
        "digest": outcome.release.digest if outcome.release else None,
        "revision": outcome.release.revision if outcome.release else None,
        "new": outcome.new,
        "waiting_for": list(outcome.waiting_for),
        "problems": [
            {"kind": type(p).__name__, "what": p.what, "where": p.where, "remedy": p.remedy} for p in outcome.problems
        ],
    }


def _outcome_lines(outcome: Outcome) -> list[str]:
    if outcome.release is None:
        names = ", ".join(outcome.waiting_for)
        return [
            f"No release of {outcome.period} yet: the quorum waits for {names}.",
            "  -> run again when they are in, or with --go to build without them",
        ]
    short = outcome.release.digest[:12]
    state = "built and signed" if outcome.new else "is there already: nothing new"
    return [
        f"Release {outcome.period} r{outcome.release.revision} {state}.",
        f"  -> rnu show {short}; another steward: rnu approve {short}",
    ]


@main.command("check", short_help="Check a file against a source's rules, and keep nothing.")
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--period", default="", help="The month on whose last day ages are counted, YYYY-MM.")
@home_option
@json_option
def check_command(source: str, files: tuple[Path, ...], period: str, home: Path, as_json: bool) -> None:
    """Check files as if SOURCE had delivered them. Nothing is stored or recorded.

    \b
    Example:
      rnu check pension65 padron_enero.csv
    """
    from rnu.trial import try_out  # noqa: PLC0415 needed by this command alone

    institution = Institution.open(home)
    found = institution.settings.source(source)
    report = try_out(institution, found, files, Period.parse(period) if period else None)
    _emit(as_json, report.as_json(), lambda: _report_lines(source, report.as_json()))
    if not report.accepted:
        sys.exit(4)


@main.command("report", short_help="What was found in a source's delivery.")
@click.argument("source")
@click.option("--period", required=True, help="The month, YYYY-MM.")
@home_option
@json_option
def report_command(source: str, period: str, home: Path, as_json: bool) -> None:
    """Show what the owner of SOURCE must mend: rules broken, how often, and the first rows of each. Never a value.

    \b
    Example:
      rnu report pension65 --period 2026-01
    """
    institution = Institution.open(home)
    institution.settings.source(source)
    intake = institution.ledger.intakes(str(Period.parse(period))).get(source)
    if intake is None:
        raise SettingsError(f"nothing of '{source}' was taken in for {period}", remedy=f"rnu run --period {period}")
    _emit(as_json, {"accepted": intake.accepted, **intake.report}, lambda: _report_lines(source, intake.report))


def _report_lines(source: str, report: Mapping[str, Any]) -> list[str]:
    if "rejected" in report:
        return [f"{source}: returned. {report['rejected']} [{report['where']}]"]
    check = report["check"]
    share = check["set_aside"] / check["rows"] if check["rows"] else 1.0
    accepted = not check["header"] and check["rows"] > 0 and share <= check["tolerance"]
    out = [
        f"{source}: {'accepted' if accepted else 'returned'}. {check['rows']:,} rows, "
        f"{check['set_aside']:,} set aside ({share:.2%}, tolerance {check['tolerance']:.2%})"
    ]
    for broken in (*check["header"], *check["broken"]):
        by_member = groupby(broken["first"][:5], key=itemgetter(0))
        at = "; ".join(_rows(member, [row for _, row in found]) for member, found in by_member)
        rule = f"{broken['field'] or '(row)'}: {broken['rule']} {broken['detail']}".rstrip()
        out.append(f"  {broken['rows']:>8,}  {rule}  {at}".rstrip())
    return out


def _rows(member: str, rows: list[int]) -> str:
    """Where to look in a file; its header is row 0."""
    return member if rows == [0] else f"{member} rows {', '.join(map(str, rows))}"


@main.command("status", short_help="Where everything stands, and what to do next.")
@click.option("--period", default="", help="The month, YYYY-MM; the latest one if left out.")
@home_option
@json_option
def status_command(period: str, home: Path, as_json: bool) -> None:
    """Say where every source, release and portal stands, and what to do next.

    \b
    Example:
      rnu status --json
    """
    institution = Institution.open(home)
    now = status(institution.settings, institution.ledger, Period.parse(period) if period else None)

    def lines() -> list[str]:
        out = [f"Period {now.period or '-'}"]
        for s in now.sources:
            counted = f"rows {s.rows:,} · set aside {s.set_aside:,} · roster {s.roster:,}" if s.rows else ""
            out.append(f"  {s.source:12} {s.state:9} {s.cut:8} {counted}".rstrip())
        out.append("Releases")
        for r in now.releases:
            shown = f"on {', '.join(r.portals)}" if r.portals else ""
            out.append(f"  {r.period} r{r.revision}  {r.digest[:12]}  {r.state:9} {shown}".rstrip())
        return [*out, "Next", *(f"  {todo}" for todo in now.next or ("nothing: all is published",))]

    _emit(as_json, now, lines)


# --- stewards ----------------------------------------------------------------------------------------------------


@main.command("review", short_help="Releases that wait for a steward.")
@home_option
@json_option
def review_command(home: Path, as_json: bool) -> None:
    """List the releases on which nobody has spoken.

    \b
    Example:
      rnu review
    """
    institution = Institution.open(home)
    found = review.waiting(institution.ledger)
    _emit(
        as_json,
        [{"period": r.period, "revision": r.revision, "digest": r.digest, "built_at": r.at} for r in found],
        lambda: (
            [f"{r.period} r{r.revision}  {r.digest[:12]}  built {r.at}  -> rnu show {r.digest[:12]}" for r in found]
            or ["Nothing waits."]
        ),
    )


@main.command("show", short_help="What a release holds, and what changed since the last.")
@click.argument("digest")
@home_option
@json_option
def show_command(digest: str, home: Path, as_json: bool) -> None:
    """Show what a release holds, its quality and protection, and how it differs from the last approved one.

    \b
    Example:
      rnu show 3f9a1c20b7d4
    """
    from rnu.show import describe, lines  # noqa: PLC0415 needed by this command alone

    institution = Institution.open(home)
    release = review.find(institution.ledger, digest)
    verify(institution.store.release(release.digest), release.digest)
    before = _before(institution.ledger, release)
    changes = (
        difference(institution.store.release(before.digest), institution.store.release(release.digest))
        if before
        else None
    )
    found = describe(institution.store, release, before, changes)
    _emit(as_json, found, lambda: lines(found))


def _before(ledger: Ledger, release: Release) -> Release | None:
    """The latest approved release before this one."""
    earlier = []
    for known in ledger.releases():
        decision = ledger.decision(known.digest)
        approved = decision is not None and decision.signature.role is Role.APPROVE
        if approved and (known.period, known.revision) < (release.period, release.revision):
            earlier.append(known)
    return max(earlier, key=lambda r: (r.period, r.revision), default=None)


def _decide(role: Role, digest: str, note: str, key_file: Path | None, home: Path, as_json: bool) -> None:
    institution = Institution.open(home)
    release = review.find(institution.ledger, digest)
    decision, new = review.decide(
        institution.settings,
        institution.store,
        institution.ledger,
        release,
        role,
        secrets.signing_key(key_file, os.environ),
        note,
        today=date.today(),
    )
    word = "approved" if role is Role.APPROVE else "returned"
    named = f"Release {release.period} r{release.revision} {release.digest[:12]}"
    said = f"{named} {word}." if new else f"{named} was {word} by you before."
    _emit(
        as_json,
        {"digest": release.digest, "decision": role, "note": decision.note, "new": new},
        lambda: [said],
    )


@main.command("approve", short_help="Sign exactly these bytes.")
@click.argument("digest")
@click.option("--note", default="", help="What you looked at.")
@key_option
@home_option
@json_option
def approve_command(digest: str, note: str, key_file: Path | None, home: Path, as_json: bool) -> None:
    """Approve a release that somebody else built, by signing its digest with your key.

    \b
    Example:
      rnu approve 3f9a1c20b7d4 --key ~/rnu-steward.pem --note 'compared with December'
    """
    _decide(Role.APPROVE, digest, note, key_file, home, as_json)


@main.command("return", short_help="Send a release back, with a reason.")
@click.argument("digest")
@click.option("--note", required=True, help="What must be mended.")
@key_option
@home_option
@json_option
def return_command(digest: str, note: str, key_file: Path | None, home: Path, as_json: bool) -> None:
    """Return a release; it is not published until somebody approves it.

    \b
    Example:
      rnu return 3f9a1c20b7d4 --key ~/rnu-steward.pem --note 'SIS fell by half: ask its owner'
    """
    _decide(Role.RETURN, digest, note, key_file, home, as_json)


# --- portals -----------------------------------------------------------------------------------------------------


@main.command("publish", short_help="Show the approved releases on a portal.")
@click.argument("portal", required=False)
@home_option
@json_option
def publish_command(portal: str | None, home: Path, as_json: bool) -> None:
    """Publish every approved release on PORTAL, or on all portals of portals.toml. The same again changes nothing.

    \b
    Example:
      rnu publish sitio
    """
    institution = Institution.open(home)
    settings = institution.settings
    wanted = [settings.portal(portal)] if portal else list(settings.portals)
    done = [review.publish(settings, institution.store, institution.ledger, p) for p in wanted]
    _emit(as_json, done, lambda: [_published(d) for d in done])


def _published(done: review.Published) -> str:
    state = "published" if done.outcome.changed else "were there already: nothing new"
    return f"{done.portal}: {len(done.releases)} release(s) {state}, {done.outcome.address}"


@main.command("serve", short_help="Show a folder portal on this machine.")
@click.argument("portal", required=False)
@click.option("--port", default=8800, show_default=True, help="The port, on 127.0.0.1.")
@home_option
def serve_command(portal: str | None, port: int, home: Path) -> None:
    """Serve a folder portal on this machine, to look at it.

    \b
    Example:
      rnu serve sitio --port 8800
    """
    from rnu.publish.serve import serve  # noqa: PLC0415 needed by this command alone

    settings = Institution.open(home).settings
    chosen = settings.portal(portal) if portal else settings.portals[0]
    serve(home / chosen.where, port, click.echo)


# --- made-up people ----------------------------------------------------------------------------------------------


@main.command("generate", short_help="Make up people and their rosters.")
@click.option("--regions", default="", help="Codes of departments, with commas; all if left out.")
@click.option("--persons", type=click.IntRange(1), help="How many people live there.")
@click.option("--rows", type=click.IntRange(1), help="Exact number of user rows in the first period, instead.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--period", "periods", multiple=True, default=("2026-01",), show_default=True, help="May be repeated.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where deliveries go.")
@home_option
def generate_command(
    regions: str, persons: int | None, rows: int | None, seed: int, periods: tuple[str, ...], out: Path, home: Path
) -> None:
    """Make up people, their households and nine programmes' rosters in each sector's own format, with seeded defects.

    Beside them stands truth.json: the exact counts that a right run must find.

    \b
    Example:
      rnu generate --regions 17,18,24 --persons 300000 --seed 7 --period 2026-01 --period 2026-02 --out entregas
    """
    from rnu.demo import make_up  # noqa: PLC0415 needed by this command alone

    make_up(
        home, out, tuple(r for r in regions.split(",") if r), persons, rows, seed, [Period.parse(p) for p in periods]
    )
    click.echo(f"Made-up deliveries and truth.json stand in {out}.")


@main.command("demo", short_help="The whole line on made-up people.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="demo")
def demo_command(folder: Path) -> None:
    """Run the whole line in FOLDER on about 300,000 made-up persons: two periods, two stewards, a static portal.

    Run again it does nothing new; killed half-way and run again it finishes.

    \b
    Example:
      rnu demo demo
    """
    from rnu.demo import demo  # noqa: PLC0415 needed by this command alone

    with Screen(as_json=False) as screen:
        for said in demo(folder, screen, today=date.today()):
            click.echo(said)
