"""Bring a source's delivery for a cut into the store, and tell whether it is new."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harvesters import folder, http
from harvesters.delivery import Fetched, digest
from harvesters.errors import Unavailable
from rnu.errors import SourceUnavailable
from rnu.ledger import Delivery, Ledger
from rnu.settings import Period, Source
from rnu.store import Store


@dataclass(frozen=True, slots=True)
class Harvested:
    """What harvesting a source gave."""

    delivery: Delivery
    new: bool
    same_as: str = ""  # an earlier cut that had the very same bytes: perhaps the wrong month was sent


def harvest(source: Source, cut: Period, root: Path, store: Store, ledger: Ledger) -> Harvested:
    """Fetch a source's files for a cut; what is there already is stored and recorded once, what was lost is put back.

    Raises SourceUnavailable when nothing can be had.
    """
    known = ledger.delivery(source.id, str(cut))
    kept = known if known and all(store.delivery(sha256).exists() for _, sha256, _ in known.files) else None
    with store.work(f"harvest-{source.id}") as folder_:
        try:
            files, validators = _fetch(source, cut, root, folder_, kept)
        except Unavailable as error:
            raise SourceUnavailable(
                f"{source.title}: {error.what}",
                where=error.where,
                remedy=f"try again later, or ask the owner ({source.owner}) for the delivery of {cut}",
            ) from error
        if files is None and kept is not None:
            return Harvested(kept, new=False)
        found = files or ()
        delivery = Delivery(
            source.id,
            str(cut),
            digest(found),
            tuple((f.name, f.sha256, f.size) for f in found),
            {"etag": validators.etag, "last_modified": validators.last_modified},
        )
        for file in found:
            store.keep_delivery(file)
        if known is not None and known.digest == delivery.digest:
            return Harvested(known, new=False)
    ledger.add_delivery(delivery)
    return Harvested(delivery, new=True, same_as=ledger.same_elsewhere(delivery))


def _fetch(
    source: Source, cut: Period, root: Path, into: Path, kept: Delivery | None
) -> tuple[tuple[Fetched, ...] | None, http.Validators]:
    """The files, or None where a server says that nothing changed since the delivery that the store still has."""
    fetch = source.fetch
    where = fetch.where.format(cut=cut, cut_compact=str(cut).replace("-", ""))
    if fetch.how == "folder":
        return folder.fetch(root, where, into, max_bytes=fetch.max_bytes), http.Validators()
    answer = http.fetch(
        where,
        into,
        known=http.Validators(**kept.validators) if kept else http.Validators(),
        user_agent=fetch.user_agent,
        timeout=fetch.timeout,
        retries=fetch.retries,
        max_bytes=fetch.max_bytes,
    )
    return (answer.file,) if answer.file else None, answer.validators
