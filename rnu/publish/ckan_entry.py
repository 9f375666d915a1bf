"""A dataset of a CKAN as a catalogue's entry: the way back from `ckan_dataset.package`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rnu.publish.entry import Agent, Entry, File, Licence

Package = Mapping[str, Any]

# What an entry is made of: without one of these a dataset is not ours, or somebody emptied a field by hand.
_NEEDED = (
    *("rnu_cuadro", "rnu_digest", "rnu_cita", "rnu_licencia", "rnu_medida", "provenance", "temporal_coverage"),
    *("identifier", "url", "title", "notes", "version", "issued", "modified", "publisher", "contact"),
    *("organization", "resources"),
)
_NEEDED_OF_FILES = ("name", "description", "url", "format", "mimetype", "size", "hash", "license")


def is_ours(package: Package) -> bool:
    """Whether a dataset, as CKAN gives it, shows releases now and has all that an entry needs."""
    return all(package.get(key) for key in _NEEDED) and all(
        resource.get(key) for resource in package["resources"] for key in _NEEDED_OF_FILES
    )


def entry_of(package: Package, site: str) -> Entry:
    """The entry of a dataset as `package_show` gives it; `site` is CKAN's address, without a slash at the end."""
    span, publisher, contact = (package[key][0] for key in ("temporal_coverage", "publisher", "contact"))
    page = package["url"]
    return Entry(
        uri=package["identifier"],
        page=page,
        name=package["name"],
        title=package["title"],
        description=_plain(package["notes"]),
        keywords=tuple(sorted(tag["name"] for tag in package["tags"])),
        measure=package["rnu_medida"],
        version=package["version"],
        issued=package["issued"],
        modified=package["modified"],
        span=(span.get("start", ""), span.get("end", "")),
        origin=package["provenance"],
        citation=package["rnu_cita"],
        publisher=Agent(
            f"{site}/organization/{package['organization']['name']}",
            publisher.get("name", ""),
            contact.get("name", ""),
            contact.get("email", ""),
        ),
        licence=Licence(package["rnu_licencia"], package["resources"][0]["license"]),
        files=tuple(_file(resource, page) for resource in package["resources"]),
        datapackage=f"{page}/datapackage.json",
    )


def _file(resource: Package, page: str) -> File:
    return File(
        uri=f"{page}/resource/{resource['id']}",
        url=resource["url"],
        title=resource["name"],
        description=resource["description"],
        format=resource["format"].lower(),
        media_type=resource["mimetype"],
        bytes=int(resource["size"]),
        sha256=resource["hash"],
        schema=_schema(resource.get("rnu_esquema")),
    )


def _schema(text: str | None) -> dict[str, Any] | None:
    """A table's schema; none where there is no table, or no JSON any more."""
    try:
        found: dict[str, Any] | None = json.loads(text or "null")
    except ValueError:
        return None
    return found


def _plain(notes: str) -> str:
    r"""A description without the emphasis that CKAN's page gives to notices.

    >>> _plain("Personas por lugar.\n\n**Datos inventados.**").splitlines()
    ['Personas por lugar.', '', 'Datos inventados.']
    """
    return re.sub(r"^\*\*(.*)\*\*$", r"\1", notes, flags=re.MULTILINE)
