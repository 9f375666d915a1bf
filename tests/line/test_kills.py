"""Real kills and full disks: nothing half-written stands under its name, the next run ends with the same bytes."""

import os
import resource
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rnu.errors import PortalRefused, StoreError
from rnu.provenance import file_digest
from rnu.release.manifest import verify
from tests.line.institution import COMMAND, PERIODS, House, Said
from tests.line.test_bad_input import refused

FIRST = PERIODS[0]
RUN = ("run", "--period", FIRST)

pytestmark = pytest.mark.slow


def kill(process: subprocess.Popen) -> None:
    """End a process and all that it started, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def kill_when_told(house: House, step: str, after: float, *arguments: str) -> None:
    """Start a command and kill it some moments after it has told a step; it is an error if it ended by itself."""
    with house.started(*arguments) as process:
        for line in process.stdout:
            if line.startswith(step):
                time.sleep(after)
                kill(process)
                assert process.returncode == -signal.SIGKILL
                return
    raise AssertionError(f"never told '{step}': {process.stderr.read()}")


def nothing_is_half_written(house: House) -> None:
    """What stands under a final name is whole."""
    for roster in (house.store.root / "rosters").rglob("*"):
        assert roster.is_dir() or pq.read_table(roster).num_rows > 0
    for release in house.store.releases.iterdir():
        verify(release, release.name)
        assert (house.store.private(release.name) / "report.json").is_file()
    for delivery in (house.store.root / "deliveries").iterdir():
        assert file_digest(delivery) == delivery.name
    for release in house.ledger.releases():
        verify(house.store.release(release.digest), release.digest)


@pytest.mark.parametrize(
    "moments",
    [
        # (step that was just told, seconds later): the step after it is at work
        [
            ("harvest    pgh", 0.1),
            ("check      pgh", 0.0),
            ("harvest    vasoleche", 0.15),
            ("aggregate  usuarios", 0.1),
        ],
        [
            ("aggregate  alumnos", 1.5),
            ("protect    sis", 0.0),
            ("protect    qaliwarma", 0.0),
            ("protect    qaliwarma", 0.5),
        ],
    ],
    ids=["rosters", "release"],
)
def test_a_run_killed_at_any_step_goes_on_where_it_stopped(at, built, moments):
    house = at("fresh") if moments[0][0].startswith("harvest") else at("taken")
    for step, after in moments:
        kill_when_told(house, step, after, *RUN)
        nothing_is_half_written(house)
    assert house.rnu(*RUN).code == 0
    assert house.digest() == built.digest()
    assert len(house.ledger.releases()) == 1
    assert list((house.store.root / "work").iterdir()) == []


def test_a_run_killed_between_the_sealed_folder_and_its_row_in_the_ledger_finishes(at, built):
    """The one gap between disk and ledger, made by hand: the folder is there, the ledger knows nothing of it."""
    house = at("taken")
    digest = built.digest()
    for whole, place in ((built.store.release, house.store.release), (built.store.private, house.store.private)):
        subprocess.run(["cp", "-a", str(whole(digest)), str(place(digest))], check=True)
    said = house.rnu(*RUN)
    assert (said.code, house.digest()) == (0, digest)
    nothing_is_half_written(house)


def test_a_publication_killed_at_any_moment_shows_one_whole_site_or_none(at):
    house = at("built")
    assert house.rnu("approve", house.digest(), by="approver").code == 0
    portal = house.home / "portal"
    for seen in (portal, portal / ".releases", portal / ".sites", portal / ".sites" / ".building" / "index.html"):
        with house.started("publish") as process:
            deadline = time.monotonic() + 60
            while not seen.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            kill(process)
        if (portal / "current").exists():
            assert (portal / "current" / "data.json").is_file()
            verify(portal / "current" / "releases" / house.digest(), house.digest())
    assert house.rnu("publish").code == 0
    verify(portal / "current" / "releases" / house.digest(), house.digest())
    assert not list(portal.rglob(".building"))
    assert house.rnu("status", "--json").json["next"] == []
    assert "nothing new" in house.rnu("publish").out


def test_a_killed_run_leaves_no_worker_behind(at):
    house = at("taken")
    with house.started(*RUN) as process:
        workers = _workers(process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        deadline = time.monotonic() + 30
        while (left := {w for w in workers if _alive(w)}) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == set()


def test_a_worker_that_the_machine_ended_is_told_and_nothing_is_released(at):
    house = at("taken")
    with house.started(*RUN) as process:
        os.kill(max(_workers(process)), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, "a worker was ended from outside" in err) == (StoreError.exit_code, True), err
    nothing_is_half_written(house)
    assert house.ledger.releases() == ()


def _workers(process: subprocess.Popen) -> set[int]:
    """The processes of a run that has begun to protect: one per core, and Python's own that counts resources."""
    for line in process.stdout:
        if line.startswith("aggregate  alumnos"):
            break
    deadline = time.monotonic() + 30
    while len(found := _children(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(found) >= 2
    time.sleep(1)
    return found | _children(process.pid)


def _children(pid: int) -> set[int]:
    """Processes that a process started, by /proc."""
    return {int(c) for task in Path(f"/proc/{pid}/task").glob("*/children") for c in task.read_text().split()}


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def no_file_larger_than(size: int):
    """A disk with room for so many bytes of any one file: what writes more is told as it is of a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_on_a_full_disk_a_run_says_so_and_finishes_once_there_is_room(at, built):
    house = at("fresh")
    for room in (8_000, 150_000, 400_000):  # for the ledger, for a delivery, for what a delivery unpacks to
        refused(house.child(*RUN, preexec_fn=no_file_larger_than(room)), StoreError, "disk", "-> ")
        nothing_is_half_written(house)
    assert house.rnu(*RUN).code == 0
    assert house.digest() == built.digest()
    assert list((house.store.root / "work").iterdir()) == []


REALLY_FULL = """
set -e
mount -t tmpfs -o size=64m tmpfs "$FULL"
cp -a "$FROM/." "$FULL/"
dd if=/dev/zero of="$FULL/ballast" bs=64k 2> /dev/null || true
truncate -s -"$ROOM" "$FULL/ballast"
"$@" || code=$?
cp -a "$FULL/institution" "$AFTER"
rm "$FULL/ballast"
"$@" > /dev/null
cp -a "$FULL/institution" "$AFTER-with-room"
exit ${code:-0}
"""


@pytest.mark.parametrize("room", ["16K", "160K", "256K"])
def test_on_a_disk_that_is_really_full_a_run_says_so_and_finishes_once_there_is_room(at, built, tmp_path, room):
    """A small tmpfs in a mount namespace of its own, full but for so much room."""
    may = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True, check=False)
    if may.returncode:
        pytest.skip("this machine gives no mount namespace to this user")
    house = at("taken")
    full, after = tmp_path / "full", tmp_path / "after"
    full.mkdir()
    inside = replace(house, home=full / house.home.name)
    given = {"FULL": full, "FROM": house.home.parent, "ROOM": room, "AFTER": after, "TMPDIR": full}
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", REALLY_FULL, "sh", *COMMAND, *RUN],
        env=os.environ | inside.environment() | {name: str(value) for name, value in given.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    refused(Said(done.returncode, done.stdout, done.stderr), StoreError, "disk", "-> ")
    stopped, finished = replace(house, home=after), replace(house, home=after.with_name("after-with-room"))
    nothing_is_half_written(stopped)
    assert stopped.ledger.releases() == ()
    nothing_is_half_written(finished)
    assert finished.digest() == built.digest()


def test_a_disk_that_fills_up_while_a_release_is_built_leaves_nothing_half_written(at, built):
    house = at("taken")
    with house.started(*RUN) as process:
        for line in process.stdout:
            if line.startswith("check      vasoleche"):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2_000, 2_000))
                break
        _, err = process.communicate(timeout=120)
    assert (process.returncode, "the disk is full" in err) == (StoreError.exit_code, True), err
    assert house.ledger.releases() == ()
    nothing_is_half_written(house)
    assert house.rnu(*RUN).code == 0
    assert house.digest() == built.digest()


def test_a_decision_that_the_ledger_had_no_room_for_was_not_made(at):
    house = at("built")
    said = house.child("approve", house.digest(), by="approver", preexec_fn=no_file_larger_than(1_000))
    refused(said, StoreError, "the ledger did not take a row of 'decision'", "nothing was changed")
    assert house.ledger.decision(house.digest()) is None
    assert house.rnu("approve", house.digest(), by="approver").code == 0


def test_on_a_full_disk_publishing_says_so_and_the_former_site_stays(at):
    house = at("published")
    before = (house.home / "portal" / "current").resolve()
    house.edit("config/portals.toml", "MIDIS", "OTRA SIGLA")
    said = house.child("publish", preexec_fn=no_file_larger_than(8_000))
    assert said.code in (PortalRefused.exit_code, StoreError.exit_code), said.err
    assert "nothing" in said.err or "visitors still see the former site" in said.err
    assert (house.home / "portal" / "current").resolve() == before
    assert house.rnu("publish").code == 0
    assert (house.home / "portal" / "current").resolve() != before
