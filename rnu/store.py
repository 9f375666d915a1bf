"""The institution's disk: deliveries, rosters and releases, named by content and written once.

    store/deliveries/<sha256>            a file as it came
    store/rosters/<period>/<name>.parquet
    store/releases/<digest>/             a sealed release; its signatures are rows of the ledger
    store/private/<digest>/              what only the steward may see of a release
    store/damaged/<digest>-<n>/          a release that was no longer what was signed, kept for finding out why
    store/work/                          half-done work, locked by its process; a dead one's is removed

Everything appears under its name by one rename, so that what is there is whole. The folder is the owner's alone
(0700): it holds persons.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harvesters.delivery import Fetched
from rnu.errors import Busy, StoreError

READ_BY_GROUP = 0o2750


class Store:
    """The folder `store/` of an institution."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.releases = root / "releases"

    def create(self) -> None:
        """Make the folders; does nothing where they are. Only releases may have a group that reads them."""
        for folder in (self.root, *(self.root / n for n in ("deliveries", "rosters", "releases", "private", "work"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & (READ_BY_GROUP if folder == self.releases else 0o700))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep two runs apart; Busy if another one holds the lock."""
        lock = FileLock(self.root / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise Busy(
                "another run is at work on this institution", where=str(self.root), remedy="wait for it, or end it"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def work(self, name: str) -> Iterator[Path]:
        """A private folder for half-done work, gone afterwards, as is what killed runs left. A full disk is told."""
        with _held(self.root / "work"):  # nobody sweeps a folder that is made and not yet held
            self._sweep()
            folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{name}-", dir=self.root / "work"))
            holding = _hold(folder)
        try:
            yield folder
        except OSError as error:
            if error.errno in FULL:
                raise disk_full(self.root) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(holding)

    def _sweep(self) -> None:
        """Remove work that no process holds any more: it has persons in it. What we did not put there stays."""
        for folder in (self.root / "work").iterdir():
            if _OURS.match(folder.name) and folder.is_dir() and _free(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def keep_delivery(self, file: Fetched) -> None:
        """Take a fetched file in under its digest; one that is there already is not taken twice."""
        target = self.delivery(file.sha256)
        if target.exists():
            file.path.unlink()
        else:
            file.path.chmod(0o400)
            _appear(file.path, target)

    def delivery(self, sha256: str) -> Path:
        """Where a delivered file lies."""
        return self.root / "deliveries" / sha256

    def keep_roster(self, made: Path, period: str, name: str) -> Path:
        """Take a roster in; gives its path."""
        target = self.roster(period, name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        sync(target.parent.parent)
        made.chmod(0o400)
        return _appear(made, target)

    def roster(self, period: str, name: str) -> Path:
        """Where a roster lies."""
        return self.root / "rosters" / period / f"{name}.parquet"

    def release(self, digest: str) -> Path:
        """Where a release lies."""
        return self.releases / digest

    def private(self, digest: str) -> Path:
        """Where the steward's own reports on a release lie."""
        return self.root / "private" / digest

    def keep_folder(self, made: Path, target: Path) -> None:
        """Take a whole folder in under its name by one rename; one that is there already stays as it is.

        Where the folder above is open to a group, as a portal's may be to releases, so is what comes into it.
        """
        if target.exists():
            shutil.rmtree(made)
            return
        above = target.parent.stat()
        group = above.st_gid if above.st_mode & stat.S_IRGRP else -1
        for path in (made, *made.rglob("*")):
            os.chown(path, -1, group)
            path.chmod((0o700 if path.is_dir() else 0o400) | (0 if group < 0 else 0o050 if path.is_dir() else 0o040))
        sync_tree(made)
        _appear(made, target)

    def set_aside(self, digest: str) -> None:
        """Take a damaged release out of the way and keep it."""
        damaged = self.root / "damaged"
        damaged.mkdir(mode=0o700, exist_ok=True)
        number = 1 + sum(1 for _ in damaged.glob(f"{digest}-*"))
        _appear(self.release(digest), damaged / f"{digest}-{number}")


# Work is held by a lock on its folder, not by a process id: in a container every run has the same one.
_OURS = re.compile(r"\d+-")


def _hold(folder: Path, how: int = fcntl.LOCK_EX) -> int:
    """Lock a folder; gives the descriptor, which holds the lock until it is closed or its process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder for a moment, waiting for whoever holds it."""
    holding = _hold(folder)
    try:
        yield
    finally:
        os.close(holding)


def _free(folder: Path) -> bool:
    """Whether no process holds a folder; one that cannot be opened is somebody else's."""
    try:
        os.close(_hold(folder, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except OSError:
        return False
    return True


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # no room on the disk, in the quota, for this file


def disk_full(root: Path) -> StoreError:
    """The error for a disk without room."""
    return StoreError(
        "the disk is full", where=str(root), remedy="make room and run the same command again: nothing is half-written"
    )


def first_of(error: OSError) -> OSError:
    """The error itself; of those that copying a tree gathered, the first, so that it has a number and a file."""
    if not isinstance(error, shutil.Error):
        return error
    _, target, why = error.args[0][0]
    number = re.match(r"\[Errno (\d+)\]", str(why))
    return OSError(int(number[1]), os.strerror(int(number[1])), target) if number else OSError(0, str(why), target)


def sync(path: Path) -> None:
    """Bring a file's bytes, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Bring a folder to the disk with all that is in it, before a rename makes it count."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _appear(made: Path, target: Path) -> Path:
    """Give something its name in the store, so that it is still there when the power fails."""
    if made.is_file():
        sync(made)
    made.replace(target)
    sync(target.parent)
    return target
