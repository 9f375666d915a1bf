"""A DKAN 2 portal: one dataset per cube, written through its metastore API.

The API takes no files: a distribution points to an address, from which DKAN itself fetches tables into its datastore.
Ours lie at a folder portal (`files` in portals.toml), so that one is published first. For each dataset:

1. its files are downloaded from there, and must be what was signed;
2. its data dictionaries are written, each at an identifier for good;
3. one PUT changes words, links and, with them, the digests that say what is shown.

A run that was cut off leaves the former dataset; the next does all of it again. A DKAN that holds what was asked for is
not written to.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.util import Retry

from rnu.errors import PortalRefused, SettingsError
from rnu.publish.dataset import write_datasets
from rnu.publish.dkan_dataset import (
    API,
    DATASET,
    DICTIONARY,
    Target,
    address,
    belongs,
    dictionaries_of,
    digests,
    edited,
    is_withdrawn,
    links,
    state,
    target,
    withdrawn,
)
from rnu.publish.download import AGENT, SECONDS, sha256_at
from rnu.publish.portal import Compared, Outcome, Publication, digest_of, not_approved
from rnu.release.manifest import verify
from rnu.settings import Institution, Portal

ATTEMPTS = 5
PATIENCE = 1.0  # seconds: the first wait is none, the second twice this, and each further one twice the last
LOCAL = ("127.0.0.1", "localhost", "::1")
UNCHANGED = "No changes to"  # how DKAN refuses, with 403, a PUT of what it has already
PUBLISHED, HIDDEN = "published", "hidden"

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Metastore:
    """DKAN's metastore over HTTP, tried again where it is busy."""

    url: str
    session: requests.Session

    @classmethod
    def visited(cls, url: str, patience: float = PATIENCE) -> Metastore:
        """As somebody without an account sees it."""
        session = requests.Session()
        session.headers["User-Agent"] = AGENT
        tries = Retry(
            total=ATTEMPTS - 1,
            backoff_factor=patience,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None,  # each of our calls may be made twice
            raise_on_status=False,
        )
        session.mount(url, HTTPAdapter(max_retries=tries))
        return cls(url, session)

    @classmethod
    def signed_in(cls, url: str, sign_in: str, patience: float = PATIENCE) -> Metastore:
        """As the account `user:password`; SettingsError if it is not written so, or would travel in the open."""
        user, colon, password = sign_in.partition(":")
        if not (user and colon and password):
            raise SettingsError("a sign-in to DKAN is written user:password", remedy="mend the secret of this portal")
        if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in LOCAL:
            raise SettingsError("a password would travel unencrypted", where=url, remedy="give the portal https")
        made = cls.visited(url, patience)
        made.session.auth = (user, password)
        return made

    def items(self, schema: str) -> list[Node]:
        """All items of a schema that visitors can see."""
        found: list[Node] = self._call("GET", address(self.url, schema))
        return found

    def item(self, schema: str, id: str) -> Node | None:
        """One item, if it is there."""
        try:
            found: Node = self._call("GET", address(self.url, schema, id))
        except _Absent:
            return None
        return found

    def put(self, schema: str, item: Node) -> None:
        """Write an item, whether it was there or not."""
        self._call("PUT", address(self.url, schema, item["identifier"]), item)

    def delete(self, schema: str, id: str) -> None:
        """Remove an item, if it is there."""
        try:
            self._call("DELETE", address(self.url, schema, id))
        except _Absent:
            return

    def bring_to(self, wanted: str, schema: str, id: str, message: str) -> None:
        """Bring the newest revision of an item to a state, such as `published`, unless it is there."""
        revisions = f"{address(self.url, schema, id)}/revisions"
        newest, *_ = self._call("GET", revisions)
        if newest["state"] != wanted:
            self._call("POST", revisions, {"state": wanted, "message": message})

    def _call(self, method: str, url: str, body: Node | None = None) -> Any:
        try:
            answer = self.session.request(method, url, json=body, timeout=SECONDS)
        except RequestException as error:
            raise PortalRefused(
                f"the portal does not answer ({method})", where=url,
                remedy="see to the portal; visitors see the former release; then publish again",
            ) from error  # fmt: skip
        if answer.ok or (answer.status_code == 403 and UNCHANGED in _message(answer)):
            return _json(answer)
        raise _refusal(answer, method)


@dataclass(frozen=True, slots=True)
class DkanPortal:
    """Writes datasets of a DKAN, whose files lie at a folder portal's address."""

    store: Metastore
    visitor: Metastore  # the same DKAN for somebody without an account
    portal: Portal
    institution: Institution
    files: str
    overwrite: bool = False  # what somebody changed by hand on the portal

    def shown(self) -> tuple[str, ...]:
        """Digests of the releases that visitors see now."""
        return tuple(sorted({digest for live in self._own(self.visitor).values() for digest in digests(live)}))

    def publish(self, publications: Sequence[Publication]) -> Outcome:
        """Show exactly these releases; PortalRefused says what the portal answered, ReviewRequired if bytes changed."""
        for publication in publications:
            verify(publication.folder, publication.digest)
        targets = self._targets(publications)
        own = self._own(self.store)
        changed = [self._publish(one) for one in targets]
        gone = own.keys() - {one.id for one in targets}
        changed += [self._withdraw(own[id]) for id in sorted(gone)]
        return Outcome(any(changed), digest_of(p.digest for p in publications), f"{self.portal.url}/search")

    def compare(self, publications: Sequence[Publication]) -> Compared:
        """As a visitor without an account: metadata, dictionaries, and every file as the portal links it."""
        targets = self._targets(publications)
        told = [difference for one in targets for difference in self._differences(one)]
        shown = self.shown()
        told += [f"release {p.digest[:12]} is not shown" for p in publications if p.digest not in shown]
        told += not_approved(shown, publications)
        tables = sum(len(one.dictionaries) for one in targets)
        return Compared(digest_of(shown), sum(len(one.files) for one in targets), tables, tuple(told))

    # --- one dataset -------------------------------------------------------------------------------------------------

    def _publish(self, wanted: Target) -> bool:
        live = self.store.item(DATASET, wanted.id)
        dictionaries = {d["identifier"]: self.store.item(DICTIONARY, d["identifier"]) for d in wanted.dictionaries}
        for there in (live, *dictionaries.values()):
            self._refuse_edited(there)
        late = [d for d in wanted.dictionaries if self._differs(dictionaries[d["identifier"]], d)]
        if not (late or self._differs(live, wanted.item)):
            return False
        self._check_files(wanted)
        for dictionary in late:
            self._write(DICTIONARY, dictionary)
        if self._differs(live, wanted.item):
            self._write(DATASET, wanted.item)
        return True

    def _write(self, schema: str, item: Node) -> None:
        """Write an item, and publish it where the portal makes drafts of what it is given."""
        self.store.put(schema, item)
        self.store.bring_to(PUBLISHED, schema, item["identifier"], "Publicación aprobada")

    def _withdraw(self, live: Node) -> bool:
        """Take a dataset's files and dictionaries away and out of search; its page stays, with a note."""
        changed = not is_withdrawn(live)
        if changed:
            self._refuse_edited(live)
            self.store.put(DATASET, withdrawn(live, self.portal))
            for id in dictionaries_of(live):
                self.store.delete(DICTIONARY, id)
        self.store.bring_to(HIDDEN, DATASET, live["identifier"], "Publicación retirada")
        return changed

    def _check_files(self, wanted: Target) -> None:
        """A portal must not point to other bytes than those that were signed."""
        for file in wanted.files:
            if _served(file.url) != file.sha256:
                raise PortalRefused(
                    "the address of a file serves other bytes than those that were signed, or none", where=file.url,
                    remedy=f"`rnu publish {self.portal.files}` first, and see that its address serves it",
                )  # fmt: skip

    def _differences(self, wanted: Target) -> list[str]:
        live = self.visitor.item(DATASET, wanted.id)
        name = f"dataset {wanted.item['title']}"
        if live is None:
            return [f"{name} is not there"]
        told = [f"{name}: other words or links than those that were signed"] if self._differs(live, wanted.item) else []
        for dictionary in wanted.dictionaries:
            if self._differs(self.visitor.item(DICTIONARY, dictionary["identifier"]), dictionary):
                told.append(f"dictionary {dictionary['title']}: not as it was signed")
        for file, link in zip_longest(wanted.files, links(live)):
            if file is None or link is None:
                told.append(f"{name}: {len(links(live))} files, not {len(wanted.files)}")
                break
            if _served(link) != file.sha256:
                told.append(f"{name}, {file.name}: other bytes than those that were signed, or none")
        return told

    def _targets(self, publications: Sequence[Publication]) -> tuple[Target, ...]:
        with tempfile.TemporaryDirectory(prefix="rnu-dkan-") as work:
            datasets = write_datasets(publications, Path(work))
            return tuple(target(one, self.portal, self.institution, self.files) for one in datasets)

    def _own(self, seen: Metastore) -> dict[str, Node]:
        """The datasets of the portal that hold releases or held them, by identifier."""
        return {live["identifier"]: live for live in seen.items(DATASET) if belongs(live, self.portal)}

    def _differs(self, live: Node | None, wanted: Node) -> bool:
        """Whether something must be written: not there, or saying something else."""
        return live is None or state(live) != state(wanted) or edited(live, self.portal)

    def _refuse_edited(self, live: Node | None) -> None:
        if live is not None and edited(live, self.portal) and not self.overwrite:
            raise PortalRefused(
                "this was changed by hand since it was published, or somebody else made it",
                where=f"{self.portal.url}/{API}/…/{live['identifier']}",
                remedy="look at its revisions; `rnu publish --overwrite` puts back what was approved",
            )


class _Absent(PortalRefused):
    """The portal has no such thing."""


def _served(link: str) -> str:
    """SHA-256 of what a link of the portal gives a visitor; empty where it gives nothing."""
    try:
        return sha256_at(link)
    except PortalRefused:
        return ""


def _refusal(answer: requests.Response, method: str) -> PortalRefused:
    """What DKAN answered, as an error that tells who must act."""
    said = f": {_message(answer)}" if _message(answer) else ""
    where = answer.url
    match answer.status_code:
        case 401:
            return PortalRefused(
                "the portal does not accept the sign-in", where=where, remedy="give a user and password that it knows"
            )
        case 403:
            return PortalRefused(
                f"the account may not {method}{said}", where=where,
                remedy="give it the permission 'post put delete datasets through the api'",
            )  # fmt: skip
        case 404:
            return _Absent("the portal has no such thing", where=where, remedy="is this the address of a DKAN 2?")
        case status if status < 500:
            return PortalRefused(
                f"the portal finds fault ({status}){said}", where=where, remedy="visitors still see the former release"
            )
        case status:
            return PortalRefused(
                f"the portal answered with an error of its own ({status})", where=where,
                remedy="see to the portal; visitors see the former release; then publish again",
            )  # fmt: skip


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise PortalRefused(
            "the portal answered with something that is no JSON", where=answer.url,
            remedy="is this the address of a DKAN 2?",
        ) from error  # fmt: skip


def _message(answer: requests.Response) -> str:
    """What DKAN says of an error: its message, and the place that does not fit its schema."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    data = told.get("data")
    place = f" at {data['pointer'] or '/'}" if isinstance(data, dict) and "pointer" in data else ""
    return f"{told.get('message', '')}{place}"[:300]
