"""The institution's disk: deliveries, rosters and releases, named by content and written once.

    store/deliveries/<sha256>            a file as it came
    store/rosters/<period>/<name>.parquet
    store/releases/<digest>/             a sealed release; its signatures are rows of the ledger
    store/private/<digest>/              what only the steward may see of a release
    store/work/                          half-done work, named after its process; a dead one's is removed

Everything appears under its name by one rename, so that what is there is whole. The folder is the owner's alone
(0700): it holds persons.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harvesters.delivery import Fetched
from rnu.errors import Busy, StoreError


class Store:
    """The folder `store/` of an institution."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.releases = root / "releases"

    def create(self) -> None:
        """Make the folders; does nothing where they are."""
        for folder in (self.root, *(self.root / n for n in ("deliveries", "rosters", "releases", "private", "work"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

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
        self._sweep()
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{name}-", dir=self.root / "work"))
        try:
            yield folder
        except OSError as error:
            if error.errno in FULL:
                raise disk_full(self.root) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove the work of processes that are no more: it holds persons."""
        for folder in (self.root / "work").iterdir():
            if not _alive(int(folder.name.split("-")[0])):
                shutil.rmtree(folder, ignore_errors=True)

    def keep_delivery(self, file: Fetched) -> None:
        """Take a fetched file in under its digest; one that is there already is not taken twice."""
        target = self.delivery(file.sha256)
        if target.exists():
            file.path.unlink()
        else:
            file.path.chmod(0o400)
            _sync(file.path)
            file.path.replace(target)

    def delivery(self, sha256: str) -> Path:
        """Where a delivered file lies."""
        return self.root / "deliveries" / sha256

    def keep_roster(self, made: Path, period: str, name: str) -> Path:
        """Take a roster in; gives its path."""
        target = self.roster(period, name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        made.chmod(0o400)
        _sync(made)
        return made.replace(target)

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
        """Take a whole folder in under its name by one rename; one that is there already stays as it is."""
        if target.exists():
            shutil.rmtree(made)
            return
        for path in sorted(made.rglob("*")):
            if path.is_file():
                path.chmod(0o400)
                _sync(path)
        made.replace(target)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # no room on the disk, in the quota, for this file


def disk_full(root: Path) -> StoreError:
    """The error for a disk without room."""
    return StoreError(
        "the disk is full", where=str(root), remedy="make room and run the same command again: nothing is half-written"
    )


def _sync(path: Path) -> None:
    """Bring a file's bytes to the disk before a rename makes it count."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
