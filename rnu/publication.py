"""The door in front of every portal: signatures and bytes are looked at again before anything is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rnu.errors import ReviewRequired, SettingsError
from rnu.ledger import Ledger, Publication
from rnu.publish.folder import FolderPortal
from rnu.publish.portal import Outcome, PortalWriter
from rnu.review import approved
from rnu.settings import Portal, Settings
from rnu.store import Store


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing on a portal did."""

    portal: str
    releases: tuple[str, ...]
    outcome: Outcome


def publish(settings: Settings, store: Store, ledger: Ledger, portal: Portal) -> Published:
    """Show every approved release on a portal; a publication that was cut off is finished.

    Raises ReviewRequired where nothing is approved or something does not fit, PortalRefused if the portal can't.
    """
    with store.locked():
        releases = approved(settings, store, ledger)
        if not releases:
            raise ReviewRequired(
                "no release is approved", remedy="`rnu review` lists what waits; another steward approves it"
            )
        newest = releases[-1].digest
        shown = ledger.publications(portal.id)
        behind = not shown or not shown[-1].whole or shown[-1].digest != newest
        if behind:
            ledger.add_publication(Publication(portal.id, newest, "", whole=False))
        outcome = writer(settings, portal).publish(releases)
        if outcome.changed or behind:
            ledger.add_publication(Publication(portal.id, newest, outcome.digest, whole=True))
        return Published(portal.id, tuple(r.digest for r in releases), outcome)


def writer(settings: Settings, portal: Portal) -> PortalWriter:
    """The way to a portal."""
    makers: dict[str, Callable[[], PortalWriter]] = {
        "folder": lambda: FolderPortal(settings.home / portal.where, portal, settings.institution)
    }
    if portal.how not in makers:
        raise SettingsError(f"there is no way '{portal.how}' to a portal", where="config/portals.toml")
    return makers[portal.how]()
