"""Every command helps, with an example that can be typed, and is in the documentation."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rnu.cli import main

ROOT = Path(__file__).parents[2]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(main))
IDS = [" ".join(path) for path in COMMANDS]


@pytest.fixture(scope="module")
def documentation() -> str:
    return "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_command_has_help_with_an_example_that_can_be_typed(path):
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    _, heading, examples = shown.output.partition("Example")
    assert heading
    lines = [line.strip() for line in examples.splitlines() if line.strip().startswith("rnu ")]
    assert lines
    for line in lines:
        words = shlex.split(line)[1:]
        assert tuple(words[: len(path)]) == path
        reached = next(p for p in (tuple(words[:2]), tuple(words[:1])) if p in COMMANDS)
        _parses(COMMANDS[reached], words[len(reached) :])


def _parses(command: click.Command, words: list[str]) -> None:
    """The words are arguments and options that the command knows; whether files are there does not matter."""
    known = {o for p in command.params for o in p.opts}
    assert [w for w in words if w.startswith("--") and w not in known] == []
    arguments = [p for p in command.params if isinstance(p, click.Argument) and p.required]
    flags = {o for p in command.params if isinstance(p, click.Option) and p.is_flag for o in p.opts}
    free = [w for i, w in enumerate(words) if not w.startswith("--") and not (i and words[i - 1] in known - flags)]
    assert len(free) >= len(arguments)
    given = {w for w in words if w.startswith("--")}
    for option in (p for p in command.params if isinstance(p, click.Option) and p.required):
        assert given & set(option.opts), f"{option.name} is required"


def test_every_command_is_listed_with_one_short_line():
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    lines = dict(line.split(maxsplit=1) for line in listed.splitlines() if line.strip())
    assert set(lines) == {name for name, *rest in COMMANDS if not rest}
    assert all(line.endswith(".") for line in lines.values())


def test_help_imports_no_engine():
    code = "import sys; from rnu.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(said.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert loaded & {"duckdb", "pandas", "ibis", "sqlalchemy", "scipy", "frictionless", "rnu.pipeline"} == set()


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_option_has_its_help(path):
    command = COMMANDS[path]
    assert [o.name for o in command.params if isinstance(o, click.Option) and not o.help] == []


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_command_is_in_the_documentation(path, documentation):
    assert f"rnu {' '.join(path)}" in documentation


@pytest.mark.parametrize("words", [["aprove"], ["run"], ["run", "--perod", "2026-01"], ["key", "sign"]])
def test_a_mistyped_command_ends_with_an_error_and_shows_the_way(words):
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 2
    assert "Usage: " in said.stderr
    assert "--help" in said.stderr
