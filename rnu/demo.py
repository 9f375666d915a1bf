"""The whole line on made-up people: what a newcomer runs first.

Nothing is special about it: the same steps that an institution runs, one after the other, each of which knows by
itself whether it has anything to do.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rnu import defaults, review, secrets
from rnu.errors import SettingsError
from rnu.institution import Institution, usable
from rnu.pipeline import Say, Step, run
from rnu.publication import publish
from rnu.settings import Period, load
from rnu.signing import Role
from rnu.synthetic.generate import generate
from rnu.ubigeo import Gazetteer

DEPARTMENTS = ("17", "18", "24")  # Madre de Dios, Moquegua, Tumbes: few districts, so that 300,000 fill them
PERSONS = 300_000
SEED = 2016
PERIODS = (Period(2026, 1), Period(2026, 2))
FLOOR = 500  # inhabitants under which a district shows totals only
BUILDER, APPROVER = "Constructora de la demostración", "Revisor de la demostración"
# A key for people that nobody is: what is withheld hangs on it, and the demo's figures are the same on every machine.
KEY = hashlib.sha256("Demostración: nadie usa esta clave para personas de verdad.".encode()).hexdigest()
POPULATION = "reference/population.csv"
NOTICE = "Demostración: todas las personas y todas las cifras son inventadas."


def make_up(
    home: Path,
    out: Path,
    regions: Sequence[str],
    persons: int | None,
    rows: int | None,
    seed: int,
    periods: Sequence[Period],
) -> None:
    """Write made-up deliveries for the sources of an institution, or of the defaults where `home` is none."""
    root = home if (home / "config").is_dir() else defaults.folder()
    settings = load(root)
    gazetteer = Gazetteer.load(settings.gazetteer_path)
    try:
        with usable(out):
            generate(out, regions, persons, seed, periods, gazetteer, settings.sources, rows)
    except ValueError as error:
        raise SettingsError(str(error), where="rnu generate", remedy="change --regions, --persons or --rows") from error


def demo(home: Path, say: Say, *, today: date) -> Iterator[str]:
    """Run the line in a folder; yields what a person should know, the steps go to `say`."""
    began = time.perf_counter()
    new = not (home / "config").exists()
    if new:
        with usable(home):
            defaults.copy(home)
    if not (home / "secrets" / "pseudonym.key").exists():
        secrets.write_private(home / "secrets" / "pseudonym.key", KEY + "\n")
    builder, approver = (_steward(home, file, name) for file, name in (("builder", BUILDER), ("approver", APPROVER)))
    _make_up_once(home, say)
    _design(home)
    institution = Institution.open(home)
    key = secrets.pseudonym_key(home, {})
    anything_new = new
    for period in PERIODS:
        outcome = run(institution, period, key, builder, say, today=today)
        if outcome.release is None:
            raise outcome.problems[0]
        _, decided = review.decide(
            institution.settings,
            institution.store,
            institution.ledger,
            outcome.release,
            Role.APPROVE,
            approver,
            "demostración",
            today=today,
        )
        say(
            Step(
                "approve",
                f"{period}",
                facts={"digest": outcome.release.digest, "state": "new" if decided else "unchanged"},
            )
        )
        anything_new |= outcome.new or decided
    portal = institution.settings.portals[0]
    since = time.perf_counter()
    done = publish(institution.settings, institution.store, institution.ledger, portal)
    say(
        Step(
            "publish", portal.id, time.perf_counter() - since, {"state": "new" if done.outcome.changed else "unchanged"}
        )
    )
    anything_new |= done.outcome.changed
    yield ""
    if not anything_new:
        yield "Nothing new: everything was done before."
    yield f"The portal stands in {home / portal.where / 'current'} ({time.perf_counter() - began:.0f} s)."
    yield f"Look at it:   rnu serve --home {home}      then open {portal.url}/"
    yield f"Where it is:  rnu status --home {home}"
    yield f"A release:    rnu show {done.releases[-1][:12]} --home {home}"


def _steward(home: Path, file: str, name: str) -> Ed25519PrivateKey:
    """A made-up steward's key, made and registered once."""
    path = home / "secrets" / f"{file}.pem"
    key = secrets.signing_key(path, {}) if path.exists() else secrets.new_signing_key(path)
    public, register = secrets.public_half(key), home / "config" / "stewards.toml"
    known = register.read_text(encoding="utf-8")
    if public not in known:
        entry = f'\n[[steward]]\nname = "{name}"\npublic_key = "{public}"\nsince = 2020-01-01\n'
        _replace(register, known + entry)
    return key


def _make_up_once(home: Path, say: Say) -> None:
    out = home / "entregas"
    if (out / "truth.json").exists():
        say(Step("generate", "entregas", facts={"state": "unchanged"}))
        return
    say(Step("generate", "entregas", began=True))
    began = time.perf_counter()
    make_up(home, out, DEPARTMENTS, PERSONS, None, SEED, PERIODS)
    say(Step("generate", "entregas", time.perf_counter() - began, {"persons": PERSONS, "periods": len(PERIODS)}))


def _design(home: Path) -> None:
    """Narrow the design to the demo's departments and give it their made-up population."""
    config = home / "config"
    cubes = config / "cubes.toml"
    words = cubes.read_text(encoding="utf-8")
    if words.startswith("# demostración"):
        return
    _replace(config / POPULATION, (home / "entregas" / "population.csv").read_text(encoding="utf-8"))
    listed = ", ".join(f'"{code}"' for code in DEPARTMENTS)
    head = f'# demostración\ndepartments = [{listed}]\npopulation = "{POPULATION}"\nnotices = ["{NOTICE}"]\n\n'
    _replace(cubes, head + words.replace("population_floor = 0", f"population_floor = {FLOOR}"))


def _replace(path: Path, words: str) -> None:
    """Write a file whole or not at all."""
    half = path.with_name(f".{path.name}.half")
    half.write_text(words, encoding="utf-8")
    half.replace(path)
