"""Where the ledger is: beside the store, or where a secret says."""

import pytest
from click.testing import CliRunner

from rnu.cli import main
from rnu.errors import SettingsError
from rnu.institution import Institution
from rnu.ledger import Ledger
from rnu.request import Build, ask


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "institution"
    assert rnu("init", str(home)).exit_code == 0
    return home


def rnu(*arguments: str, **environment: str):
    return CliRunner().invoke(main, list(arguments), env=environment)


def secret(home, address: str, mode: int = 0o600):
    path = home / "secrets" / "ledger.address"
    path.write_text(address)
    path.chmod(mode)
    return path


def test_a_history_is_moved_once_and_never_left_behind_unseen(home, tmp_path):
    ask(Ledger.beside(home), Build("2026-01"), "rosa")
    address = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    secret(home, address)
    with pytest.raises(SettingsError, match="two ledgers"):
        Institution.open(home)
    said = [rnu("move-ledger", "--home", str(home)) for _ in range(2)]
    assert [s.exit_code for s in said] == [0, 0], said[0].output
    assert ["1 rows brought over" in said[0].output, said[1].output] == [True, "Nothing to move.\n"]
    assert (home / "ledger.sqlite.moved").exists()
    assert [r.asked_by for r in Institution.open(home).ledger.requests()] == ["rosa"]


def test_the_environment_comes_before_the_file(home, tmp_path, monkeypatch):
    (home / "ledger.sqlite").unlink()
    secret(home, "sqlite:////nowhere/at/all")
    monkeypatch.setenv("RNU_LEDGER", f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert Institution.open(home).ledger.requests() == ()
    assert (tmp_path / "other.sqlite").exists()


def test_an_address_that_others_can_read_is_refused(home):
    secret(home, "postgresql://rnu:geheim@127.0.0.1/rnu", 0o644)
    said = rnu("status", "--home", str(home))
    assert (said.exit_code, "others can read" in said.stderr) == (SettingsError.exit_code, True)


def test_without_another_ledger_there_is_nowhere_to_move(home):
    said = rnu("move-ledger", "--home", str(home))
    assert (said.exit_code, "no other ledger" in said.stderr) == (SettingsError.exit_code, True)


def test_what_is_no_address_is_told_without_being_repeated(home):
    (home / "ledger.sqlite").unlink()
    secret(home, "geheim")
    said = rnu("status", "--home", str(home))
    assert (said.exit_code, "geheim" in said.output) == (SettingsError.exit_code, False)


def test_a_group_may_read_releases_and_nothing_else_of_a_store(home):
    store = Institution.open(home).store
    for folder in (store.root, store.releases, store.root / "rosters"):
        folder.chmod(0o2770)
    store.create()
    modes = {
        folder.name: oct(folder.stat().st_mode & 0o7777)
        for folder in (store.root, *store.root.iterdir())
        if folder.is_dir()
    }
    assert modes.pop("releases") == "0o2750"
    assert set(modes.values()) == {"0o700"}
    with store.work("x") as work:
        (work / "made").mkdir()
        (work / "made" / "f").write_text("x")
        store.keep_folder(work / "made", store.release("abc"))
        (work / "own").mkdir()
        (work / "own" / "f").write_text("x")
        store.keep_folder(work / "own", store.private("abc"))
    kept = [store.release("abc"), store.release("abc") / "f", store.private("abc"), store.private("abc") / "f"]
    assert [oct(path.stat().st_mode & 0o777) for path in kept] == ["0o750", "0o440", "0o700", "0o400"]
