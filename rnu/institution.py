"""An institution's folder: its configuration, store, ledger and gazetteer, opened together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rnu.errors import SettingsError
from rnu.ledger import Ledger, beside
from rnu.secrets import ledger_address
from rnu.settings import Settings, load
from rnu.store import FULL, Store, disk_full, first_of
from rnu.ubigeo import Gazetteer


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution's folder, opened."""

    settings: Settings
    store: Store
    ledger: Ledger
    gazetteer: Gazetteer

    @classmethod
    def open(cls, home: Path) -> Institution:
        """Read the configuration, make sure of the store and the ledger."""
        settings = load(home)
        store = Store(home / "store")
        ledger = _ledger(home)
        with usable(home):
            store.create()
            ledger.upgrade()
        gazetteer = Gazetteer.load(settings.gazetteer_path, settings.departments)
        return cls(settings, store, ledger, gazetteer)

    @property
    def references(self) -> dict[str, Path]:
        """What schemas' foreign keys may refer to."""
        return {"ubigeo": self.settings.gazetteer_path}


def _ledger(home: Path) -> Ledger:
    address = ledger_address(home, os.environ)
    if not address:
        return Ledger.beside(home)
    if beside(home).exists():
        raise SettingsError(
            "there are two ledgers, and the history is in the one that is no longer used",
            where=str(beside(home)),
            remedy="`rnu move-ledger` brings it over",
        )
    return Ledger(address)


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Tell a full disk, or a folder that cannot be made or written, as such."""
    try:
        yield
    except OSError as error:
        first = first_of(error)
        if first.errno in FULL:
            raise disk_full(folder) from error
        raise SettingsError(
            f"the folder cannot be used ({first.strerror})",
            where=str(first.filename or folder),
            remedy="name another folder, or give rights",
        ) from error
