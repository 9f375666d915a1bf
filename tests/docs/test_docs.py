"""What the pages say is so: links lead somewhere, commands exist, snippets load, sessions print what they show."""

import json
import os
import re
import sys
import tomllib
from pathlib import Path

import click
import pandas as pd
import pytest

from rnu import defaults, errors
from rnu.check.compile import compile_schema
from rnu.cli import main
from rnu.cli.screen import line
from rnu.intake import load_schema
from rnu.ledger import Ledger
from rnu.pipeline import Step
from rnu.settings import load
from tests.docs import pages, pictures
from tests.docs.pages import PAGES, ROOT, Block, Shown
from tests.docs.refresh import refreshed

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)), name="page")
def each_page(request):
    return request.param


def leaves(group: click.Group, words: tuple[str, ...] = ("rnu",)) -> dict[str, click.Command]:
    """Every command that does something, by its whole name."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            found |= leaves(command, (*words, name))
        else:
            found[" ".join((*words, name))] = command
    return found


def misuse(words: list[str]) -> str:
    """Why a command that a page names would be refused; empty if it would not. Arguments may be left out."""
    command: click.Command = main
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        meant = command.get_command(click.Context(command), rest[0])
        if meant is None:
            return f"there is no command {rest[0]}"
        command, rest = meant, rest[1:]
    options = {name: p for p in command.params if isinstance(p, click.Option) for name in p.opts}
    places = sum(abs(p.nargs) if p.nargs > 0 else 99 for p in command.params if isinstance(p, click.Argument))
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            continue
        if not word.startswith("-"):
            places -= 1
        elif word not in options:
            return f"there is no option {word}"
        elif not options[word].is_flag:
            rest = rest[1:]
    return "" if places >= 0 else "too many arguments"


# --- the checks themselves find what is wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("rnu run --period 2026-01 --go", ""),
        ("rnu key signing me.pem --name 'Rosa Pérez'", ""),
        ("rnu status --period", ""),
        ("rnu ran", "there is no command ran"),
        ("rnu run --perod 2026-01", "there is no option --perod"),
        ("rnu status sis", "too many arguments"),
    ],
)
def test_a_wrong_command_is_noticed(words, problem):
    assert misuse(words.replace("'Rosa Pérez'", "Rosa").split()) == problem


def test_output_shown_is_compared_letter_by_letter_but_for_the_ellipsis():
    assert pages.fits("a … c\n", "a b\nb c\n")
    assert not pages.fits("a … c\n", "a b d\n")
    assert not pages.fits("a.c\n", "abc\n")


def test_a_session_is_read_as_commands_with_their_output():
    block = Block("console", "", "$ one\n> more\nout\nout\n$ two\n")
    assert pages.session(block) == [Shown("one\nmore", "out\nout\n"), Shown("two", "")]


def test_a_transcript_brings_the_readme_up_to_date_and_leaves_what_it_cuts_off():
    page = "check      sis  1.0 s  rows 1\nbuild      2026-01 r1  1.0 s  …\nThe portal stands in d (… s).\nother\n"
    transcript = (
        "check      sis  2.0 s  rows 2\ncheck      sis  9.0 s  rows 9\n"
        "build      2026-01 r1  3.0 s  files 4\nThe portal stands in d (8 s).\n"
    )
    assert refreshed(page, transcript) == (
        "check      sis  2.0 s  rows 2\nbuild      2026-01 r1  3.0 s  …\nThe portal stands in d (8 s).\nother\n"
    )


# --- every page ----------------------------------------------------------------------------------------------------


def test_relative_links_lead_somewhere(page):
    for link in pages.links(page):
        target, _, anchor = link.partition("#")
        found = (page.parent / target) if target else page
        assert found.exists(), link
        assert not anchor or anchor in pages.anchors(found), link


def test_every_command_named_exists_with_its_options(page):
    problems = {" ".join(words): misuse(words) for words in pages.commands(page)}
    assert not {words: problem for words, problem in problems.items() if problem}


def test_toml_and_json_parse(page):
    for block in pages.blocks(page):
        if block.language == "toml":
            tomllib.loads(block.text)
        if block.language == "json":
            json.loads(block.text)


def test_pictures_say_what_they_show_and_are_light(page):
    for picture, words in pages.pictures(page).items():
        assert len(words.split()) > 4, picture.name
        assert picture.stat().st_size < 150_000, picture.name


# --- lists that must be whole --------------------------------------------------------------------------------------


def test_the_readme_lists_exactly_the_commands_there_are():
    listed = re.findall(r"^\| `(rnu [a-z -]+)` \|", README.read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(leaves(main))


def test_the_readme_says_rightly_which_commands_print_json():
    listed = re.findall(r"^\| `(rnu [a-z -]+)` \|", README.read_text(encoding="utf-8"), re.M)
    without = {n for n, c in leaves(main).items() if not any("--json" in p.opts for p in c.params)}
    assert without == {*listed[-4:], *(n for n in listed if n.startswith("rnu key"))}


def test_the_pictures_shown_are_those_that_the_command_makes():
    every = (picture for page in PAGES for picture in pages.pictures(page))
    shown = {picture for picture in every if picture.parent == pictures.FOLDER}  # drawings lie elsewhere
    assert shown == {pictures.file(name) for name in pictures.PICTURES}
    assert shown == set(pictures.FOLDER.iterdir())


def test_every_command_has_help_with_an_example():
    for name, command in leaves(main).items():
        assert re.search(rf"Examples?:\s+{name}", command.help or ""), name


def test_every_error_stands_in_the_table_with_its_code():
    table = re.findall(r"^\| (\d+) \| `(\w+)` \|", (DOCS / "errors.md").read_text(encoding="utf-8"), re.M)
    known = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.RnuError)]
    assert {(int(code), name) for code, name in table} == {
        (e.exit_code, e.__name__) for e in known if e is not errors.RnuError
    }


def test_the_layers_are_those_that_import_linter_holds():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["rnu"])
    (shown,) = [b for b in pages.blocks(DOCS / "architecture.md") if b.about == "layers"]
    assert shown.text.splitlines() == layers
    assert f"Contracts: {len(contracts)} kept, 0 broken." in README.read_text(encoding="utf-8")


def test_news_fragments_are_of_a_kind_that_is_known():
    kinds = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]["type"]
    known = {kind["directory"] for kind in kinds}
    for fragment in (ROOT / "changes").glob("*.md"):
        assert re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(sorted(known))})\.md", fragment.name), fragment.name
        assert fragment.read_text(encoding="utf-8").strip().endswith("."), fragment.name
    assert all(f"`{kind}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8") for kind in known)


def test_the_snippets_for_a_roster_load_as_configuration(tmp_path):
    page, home = DOCS / "adding-a-roster.md", tmp_path / "trial"
    defaults.copy(home)
    for block in pages.blocks(page):
        how, _, target = block.about.partition("=")
        if how in ("file", "add-to"):
            path = tmp_path / target
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text(encoding="utf-8") if how == "add-to" else ""
            path.write_text(f"{before}\n{block.text}" if before else block.text, encoding="utf-8")
    source = load(home).source("beca18")
    assert source.fields.place == ("UBIGEO",)
    compiled = compile_schema(load_schema(load(home).schema_path(source)), "")
    assert set(compiled.labels) == {"DNI", "SEXO", "NACIMIENTO", "UBIGEO", "CARRERA"}
    assert not [rule for field in compiled.fields for rule in field.uncompiled]


# --- sessions ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_roster_is_added_as_the_page_shows(tmp_path):
    page = DOCS / "adding-a-roster.md"
    for shown, came in pages.run(page, tmp_path, PATH):
        assert pages.fits(shown.output, came), f"{shown.command}\n{came}"
    intake = Ledger.beside(tmp_path / "trial").intakes("2026-01")["beca18"]
    assert intake.accepted and intake.report["roster_rows"] == 5


@pytest.mark.demo
def test_a_number_is_made_as_the_page_shows():
    for shown, came in pages.run(DOCS / "how-a-number-is-made.md", ROOT, PATH):
        assert pages.fits(shown.output, came), f"{shown.command}\n{came}"


@pytest.mark.demo
def test_the_readme_shows_what_the_demo_found():
    """Names, subjects and counts; times differ from run to run."""
    demo = ROOT / "demo"
    expected = {without_time(text) for period in ("2026-01", "2026-02") for text in demo_lines(demo, period)}
    (block,) = [b for b in pages.blocks(README) if "$ make demo" in b.text]
    steps = [text for text in block.text.splitlines() if re.match(r"(check|aggregate|protect) ", text)]
    assert len(steps) >= 4
    assert not {without_time(text) for text in steps} - expected


def without_time(text: str) -> str:
    return re.sub(r" +\d+\.\d s ", " s ", text)


def demo_lines(demo: Path, period: str) -> list[str]:
    """What `make demo` told of a period, made again from the ledger, the truth and the release."""
    ledger = Ledger.beside(demo)
    told = []
    for source, intake in ledger.intakes(period).items():
        check = intake.report["check"]
        names = ("inactive", "duplicates", "without_document")
        facts = {"rows": check["rows"], "set_aside": check["set_aside"]} | {n: intake.report[n] for n in names}
        facts |= {"roster": intake.report["roster_rows"], "weight": intake.report["weight"]}
        told.append(Step("check", source, 0, facts))
    files = {"users": "truth_cells.parquet", "eligible": "truth_eligible.parquet"}
    counts = {}
    for cube in load(demo).cubes:
        counts[cube.id] = cube.counts
        cells = pd.read_parquet(demo / "entregas" / files[cube.counts]).query("period == @period and n > 0")
        own = cells[cells["programme"].isin(cube.programmes)]
        told.append(Step("aggregate", cube.id, 0, {"cells": len(own), "users": int(own["n"].sum())}))
    digest = ledger.releases(period=period)[-1].digest
    public = json.loads((demo / "store" / "releases" / digest / "proteccion.json").read_text(encoding="utf-8"))
    private = json.loads((demo / "store" / "private" / digest / "report.json").read_text(encoding="utf-8"))
    for table in public["tablas"]:
        if table["tabla"] not in counts:  # of linked rosters
            continue
        rows = [row for level in table["niveles"] for row in level["programas"]]
        for programme in table["umbrales"]:
            own = [row for row in rows if row["programa"] == programme]
            facts = {
                "shown": sum(row["mostradas"] for row in own),
                "withheld": sum(row["reservadas"] for row in own),
                "not_broken_down": sum(row["no_desagregadas"] for row in own),
                "crosses_dropped": len(private["protection"][f"{table['tabla']}/{programme}"]["drops"]),
            }
            of_users = counts[table["tabla"]] == "users"
            told.append(Step("protect", programme if of_users else f"{programme} eligible", 0, facts))
    return [line(step) for step in told]
