"""A CKAN portal: one dataset per cube, written through CKAN's action API alone.

Visitors see the old release or the new one. CKAN's own actions commit one by one, so the order is:

1. every table is loaded beside the one that is read, under a private dataset, and read back cell by cell;
2. one action of ckanext-rnu puts all tables of a dataset in place, in one transaction;
3. one `package_revise` changes files, links, words and, with them, the digest that says what is shown.

A run that was cut off before 3 left the former digest, so the next run does all of it again. Resources keep their ids
for good, so that every address of a file and of a table's API is permanent.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pandas as pd
from ckanapi import RemoteCKAN
from ckanapi.errors import CKANAPIError, NotAuthorized, NotFound, ValidationError
from requests.exceptions import RequestException

from rnu.errors import PortalRefused
from rnu.publish.ckan_dataset import (
    PROOF,
    SERIES,
    STAGING,
    alias,
    digests,
    files,
    package,
    resource_id,
    staging,
    state,
    without_files,
)
from rnu.publish.dataset import Dataset, Download, write_datasets
from rnu.publish.download import AGENT, SECONDS, sha256_at
from rnu.publish.portal import Compared, Outcome, Publication, digest_of, not_approved
from rnu.release.manifest import verify
from rnu.release.read import dimensions, read_text_table
from rnu.settings import Institution, Portal

TYPES = {"integer": "int8", "number": "numeric"}  # not float8, which forgets the zero of 10.0
CHUNK = 20_000  # rows of one DataStore call
PAGE = 32_000  # rows that CKAN gives at most in one answer
INDEXED = ("periodo", "programa", "ubigeo")

Node = dict[str, Any]


class Actions(Protocol):
    """CKAN's actions, wherever they are."""

    def call_action(self, action: str, data_dict: Node | None = None, **options: Any) -> Any:
        """Call an action."""
        ...


def remote(address: str, token: str) -> Actions:
    """A CKAN over HTTP."""
    ckan: Actions = RemoteCKAN(address, apikey=token, user_agent=AGENT)
    return ckan


@dataclass(frozen=True, slots=True)
class CkanPortal:
    """Writes datasets of one organisation of a CKAN."""

    ckan: Actions
    visitor: Actions  # the same CKAN for somebody without an account
    portal: Portal
    institution: Institution
    overwrite: bool = False  # what somebody changed by hand on the portal

    def shown(self) -> tuple[str, ...]:
        """Digests of the releases that visitors see now."""
        return tuple(sorted({digest for live in self._own().values() for digest in digests(live)}))

    def publish(self, publications: Sequence[Publication]) -> Outcome:
        """Show exactly these releases; PortalRefused says what the portal answered, ReviewRequired if bytes changed."""
        for publication in publications:
            verify(publication.folder, publication.digest)
        with tempfile.TemporaryDirectory(prefix="rnu-ckan-") as work:
            datasets = write_datasets(publications, Path(work))
            own = self._own()
            changed = [self._publish(dataset, Path(work)) for dataset in datasets]
            gone = own.keys() - {dataset.id for dataset in datasets}
            changed += [self._withdraw(own[id]) for id in sorted(gone)]
            return Outcome(any(changed), digest_of(p.digest for p in publications), f"{self.portal.url}/dataset")

    def compare(self, publications: Sequence[Publication]) -> Compared:
        """As a visitor without an account: metadata, every file, and every table by its alias."""
        with tempfile.TemporaryDirectory(prefix="rnu-ckan-") as work:
            seen = replace(self, ckan=self.visitor)
            datasets = write_datasets(publications, Path(work))
            served = [seen._compare_dataset(dataset, Path(work)) for dataset in datasets]
            shown = seen.shown()
        told = [difference for one in served for difference in one.differences]
        told += not_approved(shown, publications)
        return Compared(digest_of(shown), sum(s.files for s in served), sum(s.tables for s in served), tuple(told))

    def _compare_dataset(self, dataset: Dataset, site: Path) -> Compared:
        target = package(dataset, self.portal, self.institution)
        live = self._show(target["name"])
        if live is None:
            return Compared("", 0, 0, (f"dataset {target['name']} is not there",))
        told = []
        if live.get("rnu_huella") != fingerprint(target):
            told.append(f"dataset {target['name']} was written for other releases")
        if live.get("rnu_escrito") != state(live):
            told.append(f"dataset {target['name']} was changed by hand")
        served = {resource["id"]: resource for resource in live["resources"]}
        tables = 0
        for wanted, (file, level, role) in zip(target["resources"], files(dataset), strict=True):
            where = f"{target['name']}, {wanted['url']}"
            if wanted["id"] not in served:
                told.append(f"{where}: not there")
                continue
            if sha256_at(served[wanted["id"]]["url"]) != file.sha256:
                told.append(f"{where}: other bytes than those that were signed")
            if role == SERIES:
                tables += 1
                frame = read_text_table(site / file.path)
                name = alias(dataset, level, self.portal)
                if not _same(self._read(name, list(frame.columns)), frame):
                    told.append(f"table {name}: other cells than those that were signed")
        return Compared(live["rnu_digest"], len(target["resources"]), tables, tuple(told))

    # --- one dataset -------------------------------------------------------------------------------------------------

    def _publish(self, dataset: Dataset, site: Path) -> bool:
        target = package(dataset, self.portal, self.institution)
        print_ = fingerprint(target)
        live = self._show(target["name"])
        if live is not None:
            self._refuse_foreign(live, dataset.id)
            edited = self._edited(live)
            if live.get("rnu_huella") == print_ and not (edited or live["private"]):
                return self._seal(live["id"]) if not live.get("rnu_escrito") else False
        else:
            live = self._call("package_create", {**target, "resources": without_files(target), "private": True})
        self._load(dataset, target, live, site)
        self._reveal(dataset, target, live, site, print_)
        return True

    def _load(self, dataset: Dataset, target: Node, live: Node, site: Path) -> None:
        """Load all tables beside those that are read, compare them, and put them in place at once."""
        missing = [r for r in without_files(target) if r["id"] not in {known["id"] for known in live["resources"]}]
        if missing:
            self._call("package_patch", {"id": live["id"], "resources": [*live["resources"], *missing]})
        beside = self._stage(dataset, target)
        tables = []
        for level in dataset.levels:
            staged = beside[level.level]
            frame = read_text_table(site / level.series.path)
            self._fill(staged, frame, dataset)
            name = alias(dataset, level.level, self.portal)
            self._compare(staged, frame, name)
            read = resource_id(target["name"], level.level, "csv")
            tables.append({"resource_id": read, "staged_id": staged, "alias": name})
        asked = {"package_id": live["id"], "staging_id": beside["id"], "tables": tables}
        self._call("rnu_tables_switch", asked)
        for table in tables:
            self._drop(table["staged_id"])
        self._call("package_patch", {"id": beside["id"], "resources": []})

    def _stage(self, dataset: Dataset, target: Node) -> dict[str, str]:
        """A private dataset with one empty resource per level; ids by level, and the dataset's own."""
        wanted = staging(target, self.portal)
        # never used before: a table keeps the names of its indexes when it comes to stand in another's place
        ids = {level.level: str(uuid4()) for level in dataset.levels}
        resources = [
            {"id": id, "name": level, "url": "_datastore_only_resource", "url_type": "datastore"}
            for level, id in ids.items()
        ]
        known = self._show(wanted["name"])
        if known is None:
            made = self._call("package_create", {**wanted, "resources": resources})
        else:
            for resource in known["resources"]:
                self._drop(resource["id"])
            made = self._call("package_patch", {"id": known["id"], "resources": resources})
        return {**ids, "id": made["id"]}

    def _fill(self, staged: str, frame: pd.DataFrame, dataset: Dataset) -> None:
        words = {row["columna"]: row for row in dataset.dictionary() if not row["valor"]}
        fields = [
            {
                "id": name,
                "type": TYPES.get(words[name]["tipo"], "text"),  # ubigeo too: 01001 is no number
                "info": {"label": words[name]["titulo"], "notes": words[name]["descripcion"]},
            }
            for name in frame.columns
        ]
        self._call(
            "datastore_create",
            {
                "resource_id": staged,
                "force": True,
                "fields": fields,
                "primary_key": [*INDEXED, *dimensions(frame)],
                "indexes": list(INDEXED),
                "calculate_record_count": False,
            },
        )
        for start in range(0, len(frame), CHUNK):
            part = frame.iloc[start : start + CHUNK]
            records = part.astype(object).where(part != "", None).assign(marca=part["marca"]).to_dict("records")
            last = start + CHUNK >= len(frame)
            self._call(
                "datastore_upsert",
                {"resource_id": staged, "force": True, "method": "insert", "records": records,
                 "calculate_record_count": last},
            )  # fmt: skip

    def _compare(self, table: str, frame: pd.DataFrame, name: str) -> None:
        """Read a table back and hold it against the file, cell by cell."""
        if not _same(self._read(table, list(frame.columns)), frame):
            raise PortalRefused(
                f"the DataStore does not give back what was loaded into {name}",
                where=self.portal.url,
                remedy="visitors still see the former release; publish again",
            )

    def _read(self, table: str, columns: list[str]) -> pd.DataFrame:
        """A whole DataStore table as text, empty where it is null."""
        rows: list[list[Any]] = []
        while True:
            asked = {"resource_id": table, "fields": columns, "limit": PAGE, "offset": len(rows), "sort": "_id",
                     "records_format": "lists", "include_total": False}  # fmt: skip
            page = self._call("datastore_search", asked)["records"]
            rows += page
            if not page:
                text = [["" if cell is None else str(cell) for cell in row] for row in rows]
                return pd.DataFrame(text, columns=columns, dtype="str")

    def _reveal(self, dataset: Dataset, target: Node, live: Node, site: Path, print_: str) -> None:
        """Files, links, words and digest, in one call that refuses a dataset which somebody changed meanwhile."""
        now = self._call("package_show", {"id": live["id"]})
        with ExitStack() as opened:
            uploads = {
                f"update__resources__{i}__upload": (
                    Path(file.path).name,
                    opened.enter_context(_file(dataset, file, role, site).open("rb")),
                )
                for i, (file, _, role) in enumerate(files(dataset))
            }
            final = {**target, "private": False, "rnu_huella": print_, "rnu_escrito": ""}
            asked = {
                "match": json.dumps({"id": live["id"], "metadata_modified": now["metadata_modified"]}),
                "filter": "+id,+name,+type,-*",
                "update": json.dumps(final, ensure_ascii=False),
            }
            self._call("package_revise", asked, files=uploads)
        self._seal(live["id"])

    def _withdraw(self, live: Node) -> bool:
        """Take a dataset out of files, tables and search; its page stays, with a note."""
        if live.get("rnu_retirado"):
            return False
        self._edited(live)
        for resource in live["resources"]:
            if resource.get("datastore_active"):
                self._drop(resource["id"])
        note = "Las publicaciones de este conjunto de datos fueron retiradas por la institución que las publicó."
        gone = {
            "id": live["id"], "resources": [], "notes": note, "rnu_retirado": "si", "rnu_huella": "", "rnu_digest": "",
            "rnu_publicaciones": "[]", "rnu_escrito": "",
        }  # fmt: skip
        self._call("package_patch", gone)
        return self._seal(live["id"])

    def _seal(self, id: str) -> bool:
        """Note how the portal gives a dataset back, so that a change by hand is noticed later."""
        written = self._call("package_show", {"id": id})
        self._call("package_patch", {"id": id, "rnu_escrito": state(written)})
        return True

    # --- asking the portal -------------------------------------------------------------------------------------------

    def _own(self) -> dict[str, Node]:
        """The datasets of the portal that hold releases, by cube."""
        organisation = self._call("organization_show", {"id": self.portal.organization})
        asked = {"fq": f"owner_org:{organisation['id']}", "rows": 1000, "include_private": True}
        found = self._call("package_search", asked)["results"]
        ours = (live for live in found if live.get("rnu_cuadro") and live.get("rnu_papel") != STAGING)
        return {live["rnu_cuadro"]: live for live in ours}

    def _show(self, name: str) -> Node | None:
        try:
            found: Node = self._call("package_show", {"id": name})
        except _Absent:
            return None
        return found

    def _drop(self, table: str) -> None:
        try:
            self._call("datastore_delete", {"resource_id": table, "force": True})
        except _Absent:
            return

    def _refuse_foreign(self, live: Node, cube: str) -> None:
        if live.get("rnu_cuadro") != cube:
            raise PortalRefused(
                f"the name '{live['name']}' belongs to another dataset",
                where=f"{self.portal.url}/dataset/{live['name']}",
                remedy="its owner gives it another address; then publish again",
            )

    def _edited(self, live: Node) -> bool:
        """Whether somebody changed a dataset by hand; PortalRefused unless that is to be written over."""
        written = live.get("rnu_escrito")
        edited = bool(written) and written != state(live)
        if edited and not self.overwrite:
            raise PortalRefused(
                "somebody changed this dataset by hand since it was published",
                where=f"{self.portal.url}/dataset/{live['name']}",
                remedy="look at its history; `rnu publish --overwrite` puts back what was approved",
            )
        return edited

    def _call(self, action: str, data: Node, **options: Any) -> Any:
        with self._told(action):
            return self.ckan.call_action(action, data, requests_kwargs={"timeout": SECONDS}, **options)

    @contextmanager
    def _told(self, action: str) -> Iterator[None]:
        """Say what the portal answered, as an error that tells who must act."""
        try:
            yield
        except NotFound as error:
            raise _Absent(
                f"the portal does not know what {action} asked for", where=self.portal.url,
                remedy=f"organisation '{self.portal.organization}' must exist and the token must see it",
            ) from error  # fmt: skip
        except NotAuthorized as error:
            raise PortalRefused(
                f"the portal refuses {action}: the token is not valid any more, or may not do this",
                where=self.portal.url,
                remedy="make a new token for an editor of the organisation",
            ) from error
        except ValidationError as error:
            raise PortalRefused(
                f"the portal finds fault with {action}: {_faults(error)}", where=self.portal.url,
                remedy="visitors still see the former release",
            ) from error  # fmt: skip
        except (CKANAPIError, RequestException) as error:
            kind = "does not answer" if isinstance(error, RequestException) else "answered with an error of its own"
            raise PortalRefused(
                f"the portal {kind} ({action})",
                where=self.portal.url,
                remedy="see to the portal; visitors see the former release; then publish again",
            ) from error


class _Absent(PortalRefused):
    """The portal has no such thing."""


def _same(served: pd.DataFrame, frame: pd.DataFrame) -> bool:
    """Whether two tables of text hold the same rows, in whatever order."""
    keys = [*INDEXED, *dimensions(frame)]
    one, other = (f.astype("str").sort_values(keys, ignore_index=True) for f in (served, frame))
    return one.equals(other)


def fingerprint(target: Mapping[str, Any]) -> str:
    """SHA-256 of all that a dataset shall show, digests of its files included."""
    return hashlib.sha256(json.dumps(target, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _file(dataset: Dataset, file: Download, role: str, site: Path) -> Path:
    """Where a file lies: series and proof were just written, a release's own are in its folder."""
    if role in (SERIES, PROOF):
        return site / file.path
    return dataset.latest.folder / Path(file.path).relative_to(f"releases/{dataset.latest.digest}")


def _faults(error: ValidationError) -> str:
    """The fields that a portal finds fault with, and why; never what stood in them."""
    told = error.error_dict if isinstance(error.error_dict, dict) else {}
    return "; ".join(f"{name}: {said}" for name, said in told.items() if name != "__type") or "no reason given"
