"""A small institution with made-up people, driven through the real command line."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from click.testing import CliRunner

from rnu.cli import main
from rnu.ledger import Ledger
from rnu.store import Store

PERIODS = ("2026-01", "2026-02")
TUMBES = "24"
PERSONS = 8_000
ROSTER = "entregas/pension65/2026-01/PENSION65_202601.csv"
LATE = "qaliwarma"  # the source whose delivery comes last
LATE_FILE = "entregas/qaliwarma/2026-01/iiee_nacional.csv"
STEWARDS = ("builder", "approver")
COMMAND = (sys.executable, "-c", "from rnu.cli import main; main()")

# Values that stand in broken cells only, and in no output ever.
SENTINEL_NAME = "CENTINELAZA"
SENTINEL_DOCUMENT = "98769876"


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """Name, subject and the rest of each step that was told."""
        found = re.findall(r"^(\w+) +(\S+(?: r\d)?) +[\d.]+ s  (.*)$", self.out, re.MULTILINE)
        return [(name, subject, facts) for name, subject, facts in found]


@dataclass(frozen=True)
class House:
    """An institution's folder, its stewards' keys beside it, and everything it has said so far."""

    home: Path
    heard: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(self.home / "store")

    @property
    def ledger(self) -> Ledger:
        return Ledger.beside(self.home)

    def key(self, steward: str) -> Path:
        return self.home.parent / f"{steward}.pem"

    def environment(self, steward: str = "builder") -> dict[str, str]:
        return {"RNU_HOME": str(self.home), "RNU_SIGNING_KEY_FILE": str(self.key(steward))}

    def rnu(self, *arguments: str, by: str = "builder") -> Said:
        """Run a command in this process, as a steward."""
        done = CliRunner().invoke(main, list(arguments), env=self.environment(by))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return self._hear(Said(done.exit_code, done.stdout, done.stderr))

    def child(self, *arguments: str, by: str = "builder", **options) -> Said:
        """Run a command in a process of its own."""
        with self.started(*arguments, by=by, **options) as process:
            out, err = process.communicate(timeout=120)
        return self._hear(Said(process.returncode, out, err))

    @contextmanager
    def started(self, *arguments: str, by: str = "builder", env=None, **options) -> Iterator[subprocess.Popen]:
        """A command in a process of its own, at work."""
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=os.environ | self.environment(by) | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        with process:
            yield process

    def _hear(self, said: Said) -> Said:
        self.heard.append(said.out + said.err)
        return said

    def edit(self, path: str, old: str, new: str, *, encoding: str = "utf-8", times: int = 1) -> None:
        """Change a file's text; it is an error of the test if the text is not there."""
        before = (self.home / path).read_text(encoding=encoding)
        assert old in before, f"{path} has no {old!r}"
        (self.home / path).write_text(before.replace(old, new, times), encoding=encoding)

    def rewrite(self, path: str, change: Callable[[bytes], bytes]) -> Path:
        """Change a file's bytes."""
        file = self.home / path
        file.write_bytes(change(file.read_bytes()))
        return file

    def digest(self, period: str = PERIODS[0]) -> str:
        """The period's latest release."""
        return self.ledger.releases(period=period)[-1].digest

    def copy(self, folder: Path) -> "House":
        """The same institution elsewhere, keys and all."""
        shutil.copytree(self.home.parent, folder, symlinks=True)
        return replace(self, home=folder / self.home.name, heard=[])


def found(folder: Path) -> House:
    """Make an institution in Tumbes with two stewards and two periods of deliveries; nothing has been run."""
    house = House(folder / "institution")
    for arguments in (
        ("init", str(house.home)),
        *(("key", "signing", str(house.key(s)), "--name", s) for s in STEWARDS),
    ):
        said = house.rnu(*arguments)
        assert said.code == 0, said.err
        if "[[steward]]" in said.out:
            entry = re.sub("since = .*", "since = 2020-01-01", said.out)
            with (house.home / "config" / "stewards.toml").open("a") as file:
                file.write(entry)
    _make_small(house.home / "config")
    periods = [word for period in PERIODS for word in ("--period", period)]
    out = ("--out", str(house.home / "entregas"))
    said = house.rnu("generate", "--regions", TUMBES, "--persons", str(PERSONS), "--seed", "7", *periods, *out)
    assert said.code == 0, said.err
    return house


def _make_small(config: Path) -> None:
    """A design that is protected in seconds, and tolerances for so few people: a dozen broken rows are many."""
    cubes, sources = config / "cubes.toml", config / "sources.toml"
    design = cubes.read_text()
    for pattern, small in (
        (r"^crosses = [1-9]", "crosses = 1"),
        (r"^year_month = 1", "year_month = 7"),
        (r'^programmes = \["sis", .*\]', 'programmes = ["sis", "pension65", "cunamas"]'),
    ):
        design, times = re.subn(pattern, small, design, flags=re.MULTILINE)
        assert times, f"cubes.toml has no {pattern}"
    cubes.write_text(f'departments = ["{TUMBES}"]\n{design}')
    sources.write_text(re.sub(r"^(schema = .*)$", r"\1\ntolerance = 0.2", sources.read_text(), flags=re.MULTILINE))
