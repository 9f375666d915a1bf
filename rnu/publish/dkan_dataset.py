"""A cube as a DKAN dataset and its data dictionaries, and how a change by hand is told from one of ours.

DKAN 2 keeps Project Open Data as JSON (`schema/collections/dataset.json`, `data-dictionary.json`). It resolves a
dictionary's address, hides `%…` keys of its own, escapes markup and may show a copy of a file that it fetched: what is
compared is the rest.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from rnu.publish.catalogue import pod_dataset
from rnu.publish.dataset import Dataset
from rnu.publish.entry import Entry, File, entry
from rnu.settings import Institution, Portal

Node = dict[str, Any]

API = "api/1/metastore/schemas"
DATASET, DICTIONARY = "dataset", "data-dictionary"
TABLE_SCHEMA = "application/vnd.tableschema+json"
MARK = "rnu"  # our own key of an item; DKAN's schemas leave room for more
NOTE = "Las publicaciones de este conjunto de datos fueron retiradas por la institución que las publicó."
# MySQL indexes a text column only up to a length
_INDEXED = {"periodo": 7, "programa": 40, "ubigeo": 6}


@dataclass(frozen=True, slots=True)
class Target:
    """What a DKAN shall hold for one cube: the same releases give the same."""

    item: Node
    dictionaries: tuple[Node, ...]
    files: tuple[File, ...]  # of its distributions, in their order

    @property
    def id(self) -> str:
        """The dataset's identifier, for good."""
        identifier: str = self.item["identifier"]
        return identifier


def target(dataset: Dataset, portal: Portal, institution: Institution, files: str) -> Target:
    """A cube's dataset, with files that lie below the address of a folder portal."""
    id = _identifier(portal, dataset.id)
    made = entry(dataset, institution, f"{portal.url}/dataset/{id}", files)
    tables, others = made.tables, tuple(file for file in made.files if file.format != "csv")
    dictionaries = tuple(_dictionary(portal, made, file, file.schema) for file in tables if file.schema)
    item = {
        **pod_dataset(made),
        "identifier": id,
        # tables first: DKAN's query API speaks of a dataset's tables by their place in this list
        "distribution": [
            *(_table(file, address(portal.url, DICTIONARY, d["identifier"]))
              for file, d in zip(tables, dictionaries, strict=True)),
            *(_distribution(file, file.url) for file in others),
        ],
        "references": [f"{files}/releases/{p.digest}/MANIFIESTO.sha256" for p in dataset.history],
    }  # fmt: skip
    sealed = tuple(seal(one, portal) for one in dictionaries)
    return Target(seal(item, portal, dataset.id), sealed, (*tables, *others))


def withdrawn(live: Mapping[str, Any], portal: Portal) -> Node:
    """A dataset whose releases are gone: its words of old, a note, no file."""
    kept = ("@type", "title", "keyword", "theme", "publisher", "contactPoint", "accessLevel", "license", "language",
            "issued", "modified", "landingPage", "spatial")  # fmt: skip
    words = {key: live[key] for key in kept if key in live}
    item = {**words, "identifier": live["identifier"], "description": NOTE}
    return seal(item, portal, live.get(MARK, {}).get("cuadro", ""), withdrawn=True)


def address(url: str, schema: str, id: str = "") -> str:
    """Where the metastore keeps the items of a schema, or one of them."""
    return f"{url}/{API}/{schema}/items" + (f"/{id}" if id else "")


def digests(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Digests of the releases that a dataset shows, by its references to their manifests."""
    found = (re.search(r"/releases/([0-9a-f]{64})/MANIFIESTO", link) for link in item.get("references", ()))
    return tuple(match[1] for match in found if match)


def dictionaries_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Identifiers of the dictionaries that a dataset's files are described by."""
    links = (file.get("describedBy", "") for file in item.get("distribution", ()))
    return tuple(_last(link) for link in links if link)


# --- ours, or changed by hand ------------------------------------------------------------------------------------


def seal(item: Node, portal: Portal, cube: str = "", *, withdrawn: bool = False) -> Node:
    """An item with our mark: whose it is, and what it looked like when it was written."""
    written = {"escrito": state(item), "enlaces": links(item)}
    return {**item, MARK: {"prefijo": portal.prefix, "cuadro": cube, "retirado": withdrawn, **written}}


def edited(live: Mapping[str, Any], portal: Portal) -> bool:
    """Whether an item is not as we wrote it; one without our mark was written by somebody else."""
    mark = live.get(MARK, {})
    if mark.get("escrito") != state(live):
        return True
    written = mark.get("enlaces", [])
    return not all(_same_file(now, then, portal) for now, then in zip(links(live), written, strict=True))


def links(item: Mapping[str, Any]) -> list[str]:
    """Where a dataset's files are fetched from, in their order."""
    return [file.get("downloadURL", "") for file in item.get("distribution", ())]


def is_withdrawn(live: Mapping[str, Any]) -> bool:
    """Whether a dataset only says that its releases are gone."""
    return bool(live.get(MARK, {}).get("retirado"))


def belongs(live: Mapping[str, Any], portal: Portal) -> bool:
    """Whether a dataset holds releases of this portal's, even if somebody removed the mark."""
    mark = live.get(MARK)
    return mark["prefijo"] == portal.prefix if mark else bool(digests(live))


def state(item: Mapping[str, Any]) -> str:
    """SHA-256 of all that somebody could have changed by hand."""
    lasting = _lasting({key: value for key, value in item.items() if key != MARK})
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _lasting(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {k: _lasting(v, k) for k, v in value.items() if not k.startswith("%")}
    if isinstance(value, list):
        return [_lasting(one, key) for one in value]
    if not isinstance(value, str):
        return value
    if key == "describedBy":
        return _last(value)
    return "" if key == "downloadURL" else html.unescape(value)  # links are held against the mark's


def _same_file(now: str, then: str, portal: Portal) -> bool:
    """Whether a link is the one that was written, or leads to the copy that DKAN fetched from there."""
    here, there = urlsplit(now), urlsplit(then)
    copied = here.netloc == urlsplit(portal.url).netloc and _last(here.path) == _last(there.path)
    return now == then or copied


def _last(link: str) -> str:
    return link.rstrip("/").rpartition("/")[2]


# --- parts -------------------------------------------------------------------------------------------------------


def _table(file: File, dictionary: str) -> Node:
    # DKAN fetches an address once: another content must have another address, and a web server heeds no `huella`
    own = _distribution(file, f"{file.url}?huella={file.sha256[:16]}")
    return {**own, "describedBy": dictionary, "describedByType": TABLE_SCHEMA}


def _distribution(file: File, url: str) -> Node:
    return {
        "@type": "dcat:Distribution",
        "title": file.title,
        "description": file.description,
        "format": file.format,
        "mediaType": file.media_type,
        "downloadURL": url,
    }


def _dictionary(portal: Portal, made: Entry, file: File, schema: Node) -> Node:
    title = f"{made.title}: {file.title.lower()}"
    columns = [field["name"] for field in schema["fields"]]
    fields = [
        {key: field[key] for key in ("name", "title", "type", "description")} | {"format": "default"}
        for field in schema["fields"]
    ]
    indexes = [
        {"fields": [{"name": name, "length": length}], "type": "index", "description": f"Búsqueda por {name}"}
        for name, length in _INDEXED.items()
        if name in columns
    ]
    return {
        "identifier": _identifier(portal, file.name),
        "title": title,  # DKAN before 2.19 wants it here, since then inside
        "data": {"title": title, "fields": fields, "indexes": indexes},
    }


def _identifier(portal: Portal, what: str) -> str:
    """An identifier for good: the same cube or table has the same on the same portal."""
    return str(uuid5(NAMESPACE_URL, f"{portal.url}/{portal.prefix}/{what}"))
