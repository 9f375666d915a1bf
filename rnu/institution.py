"""An institution's folder: its configuration, store, ledger and gazetteer, opened together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnu.errors import RnuError, SettingsError
from rnu.ledger import Ledger
from rnu.settings import Settings, load
from rnu.store import FULL, Store, disk_full
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
        ledger = Ledger.beside(home)
        try:
            store.create()
            ledger.upgrade()
        except OSError as error:
            raise _disk_error(home, error) from error
        gazetteer = Gazetteer.load(settings.gazetteer_path, settings.departments)
        return cls(settings, store, ledger, gazetteer)

    @property
    def references(self) -> dict[str, Path]:
        """What schemas' foreign keys may refer to."""
        return {"ubigeo": self.settings.gazetteer_path}


def _disk_error(home: Path, error: OSError) -> RnuError:
    if error.errno in FULL:
        return disk_full(home)
    return SettingsError(f"the folder cannot be used ({error.strerror})", where=str(error.filename or home))
