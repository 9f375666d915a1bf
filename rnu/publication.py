"""The door in front of every portal: signatures and bytes are looked at again before anything is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from rnu.errors import ReviewRequired, SettingsError
from rnu.ledger import Ledger, Publication
from rnu.publish.ckan import CkanPortal, remote
from rnu.publish.dkan import DkanPortal, Metastore
from rnu.publish.folder import FolderPortal
from rnu.publish.portal import Compared, Outcome, PortalWriter
from rnu.review import approved
from rnu.secrets import portal_token
from rnu.settings import Portal, Settings
from rnu.store import Store


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing on a portal did."""

    portal: str
    releases: tuple[str, ...]
    outcome: Outcome


def publish(settings: Settings, store: Store, ledger: Ledger, portal: Portal, *, overwrite: bool = False) -> Published:
    """Show every approved release on a portal, and nothing else; a publication that was cut off is finished.

    What is no longer approved is withdrawn, even if nothing remains. Raises ReviewRequired where nothing is approved
    and nothing was ever shown, or where something does not fit; PortalRefused if the portal can't.
    """
    place = writer(settings, portal, overwrite)
    with store.locked():
        releases = approved(settings, store, ledger)
        before = ledger.publications(portal.id)
        if not (releases or before or place.shown()):
            raise ReviewRequired(
                "no release is approved", remedy="`rnu review` lists what waits; another steward approves it"
            )
        digests = tuple(r.digest for r in releases)
        newest = digests[-1] if digests else ""
        behind = not before or not before[-1].whole or set(before[-1].releases) != set(digests)
        if behind:
            ledger.add_publication(Publication(portal.id, newest, "", whole=False, releases=digests))
        outcome = place.publish(releases)
        if outcome.changed or behind:
            ledger.add_publication(Publication(portal.id, newest, outcome.digest, whole=True, releases=digests))
        return Published(portal.id, digests, outcome)


def compare(settings: Settings, store: Store, ledger: Ledger, portal: Portal) -> Compared:
    """Hold what a portal serves against the approved releases."""
    return writer(settings, portal).compare(approved(settings, store, ledger))


def writer(settings: Settings, portal: Portal, overwrite: bool = False) -> PortalWriter:
    """The way to a portal."""
    makers: dict[str, Callable[[], PortalWriter]] = {
        "folder": lambda: FolderPortal(settings.home / portal.where, portal, settings.institution),
        "ckan": lambda: CkanPortal(
            remote(portal.url, portal_token(settings.home, portal.id, os.environ)),
            remote(portal.url, ""),
            portal,
            settings.institution,
            overwrite,
        ),
        "dkan": lambda: DkanPortal(
            Metastore.signed_in(portal.url, portal_token(settings.home, portal.id, os.environ)),
            Metastore.visited(portal.url),
            portal,
            settings.institution,
            settings.portal(portal.files).url,
            overwrite,
        ),
    }
    if portal.how not in makers:
        raise SettingsError(f"there is no way '{portal.how}' to a portal", where="config/portals.toml")
    return makers[portal.how]()
