"""Catalogues that other portals harvest: Project Open Data 1.1, DCAT-AP 3 as JSON-LD and Turtle, an Atom feed.

POD: https://project-open-data.cio.gov/v1.1/schema/ (what DKAN harvests). DCAT-AP:
https://semiceu.github.io/DCAT-AP/releases/3.0.0/. Every node of DCAT has an address of its own, so that the same
entries give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rdflib import Graph

from rnu.publish.entry import Agent, Catalogue, Entry, File, Licence

Node = dict[str, Any]

MONTHLY = "R/P1M"
POD = "https://project-open-data.cio.gov/v1.1/schema"
DATA_PACKAGE = "application/vnd.datapackage+json"
TABLE_SCHEMA = "https://specs.frictionlessdata.io/table-schema/"
EU = "http://publications.europa.eu/resource/authority"
THEME = (f"{EU}/data-theme/SOCI", "Población y sociedad")
PERU = f"{EU}/country/PER"
SPANISH = f"{EU}/language/SPA"
FILE_TYPES = {"csv": "CSV", "xlsx": "XLSX", "parquet": "PARQUET", "zip": "ZIP"}
CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


# --- Project Open Data 1.1 ---------------------------------------------------------------------------------------


def pod(catalogue: Catalogue, entries: Sequence[Entry]) -> Node:
    """`data.json`."""
    return {
        "@context": f"{POD}/catalog.jsonld",
        "@id": f"{catalogue.url}/data.json",
        "@type": "dcat:Catalog",
        "conformsTo": POD,
        "describedBy": f"{POD}/catalog.json",
        "dataset": [pod_dataset(entry) for entry in entries],
    }


def pod_dataset(entry: Entry) -> Node:
    """One dataset of `data.json`."""
    return {
        "@type": "dcat:Dataset",
        "identifier": entry.uri,
        "title": entry.title,
        "description": entry.description,
        "keyword": list(entry.keywords),
        "theme": [THEME[1]],
        "issued": entry.issued,
        "modified": entry.modified,
        "publisher": {"@type": "org:Organization", "name": entry.publisher.name},
        "contactPoint": {
            "@type": "vcard:Contact",
            "fn": entry.publisher.contact,
            "hasEmail": f"mailto:{entry.publisher.email}",
        },
        "accessLevel": "public",
        "accrualPeriodicity": MONTHLY,
        "license": entry.licence.url,
        "language": ["es"],
        "temporal": "/".join(entry.span),
        "spatial": "Perú",
        "landingPage": entry.page,
        "describedBy": entry.datapackage,
        "describedByType": DATA_PACKAGE,
        "distribution": [_pod_file(file) for file in entry.files],
    }


def _pod_file(file: File) -> Node:
    return {
        "@type": "dcat:Distribution",
        "title": file.title,
        "description": file.description,
        "downloadURL": file.url,
        "mediaType": file.media_type,
        "format": file.format,
    }


# --- DCAT --------------------------------------------------------------------------------------------------------


def dcat(catalogue: Catalogue, entries: Sequence[Entry]) -> Node:
    """A whole catalogue as JSON-LD."""
    return {
        **dcat_catalogue(catalogue, entries),
        "dcat:dataset": [dcat_dataset(entry) for entry in entries],
    }


def dcat_catalogue(catalogue: Catalogue, entries: Sequence[Entry]) -> Node:
    """A catalogue without its datasets."""
    return {
        "@context": CONTEXT,
        "@id": catalogue.uri,
        "@type": "dcat:Catalog",
        "dct:title": _es(catalogue.title),
        "dct:description": _es(catalogue.description),
        "dct:language": _language(),
        "dct:license": _licence(catalogue.licence),
        "dct:publisher": _publisher(catalogue.publisher),
        "dct:spatial": _peru(),
        "dcat:themeTaxonomy": {
            "@id": f"{EU}/data-theme",
            "@type": "skos:ConceptScheme",
            "dct:title": _es("Temas de datos"),
        },
        "foaf:homepage": {"@id": f"{catalogue.url}/", "@type": "foaf:Document"},
        **_days(entries),
    }


def dcat_dataset(entry: Entry) -> Node:
    """One dataset as JSON-LD."""
    start, end = entry.span
    return {
        "@context": CONTEXT,
        "@id": entry.uri,
        "@type": "dcat:Dataset",
        "dct:identifier": entry.uri,
        "dct:title": _es(entry.title),
        "dct:description": _es(entry.description),
        "dcat:keyword": [_es(word) for word in entry.keywords],
        "dcat:theme": {
            "@id": THEME[0],
            "@type": "skos:Concept",
            "skos:prefLabel": _es(THEME[1]),
            "skos:inScheme": {"@id": f"{EU}/data-theme"},
        },
        "dcat:version": entry.version,
        "dct:issued": _date(entry.issued),
        "dct:modified": _date(entry.modified),
        "dct:publisher": _publisher(entry.publisher),
        "dct:creator": {"@id": entry.publisher.uri},
        "dcat:contactPoint": {
            "@id": f"{entry.publisher.uri}-contacto",
            "@type": "vcard:Kind",
            "vcard:fn": _es(entry.publisher.contact),
            "vcard:hasEmail": {"@id": f"mailto:{entry.publisher.email}"},
        },
        "dct:accrualPeriodicity": {"@id": f"{EU}/frequency/MONTHLY", "@type": "dct:Frequency"},
        "dct:accessRights": {"@id": f"{EU}/access-right/PUBLIC", "@type": "dct:RightsStatement"},
        "dct:provenance": {
            "@id": f"{entry.uri}#procedencia",
            "@type": "dct:ProvenanceStatement",
            "rdfs:label": _es(entry.origin),
        },
        "dct:language": _language(),
        "dct:spatial": _peru(),
        "dct:temporal": {
            "@id": f"{entry.uri}#periodo",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _date(start),
            "dcat:endDate": _date(end),
        },
        "dcat:temporalResolution": {"@value": "P1M", "@type": "xsd:duration"},
        "dcat:landingPage": {"@id": entry.page, "@type": "foaf:Document"},
        "foaf:page": {"@id": entry.datapackage, "@type": "foaf:Document"},
        "dcat:distribution": [_dcat_file(file, entry) for file in entry.files],
    }


def _dcat_file(file: File, entry: Entry) -> Node:
    conforms = {"dct:conformsTo": {"@id": TABLE_SCHEMA, "@type": "dct:Standard"}} if file.schema else {}
    return {
        "@id": file.uri,
        "@type": "dcat:Distribution",
        "dct:title": _es(file.title),
        "dct:description": _es(file.description),
        "dct:issued": _date(entry.issued),
        "dct:modified": _date(entry.modified),
        "dct:language": _language(),
        "dct:license": _licence(entry.licence),
        "dcat:accessURL": {"@id": entry.page, "@type": "rdfs:Resource"},
        "dcat:downloadURL": {"@id": file.url, "@type": "rdfs:Resource"},
        "dcatap:availability": {
            "@id": f"{EU}/planned-availability/STABLE",
            "@type": "skos:Concept",
            "skos:prefLabel": _es("Estable"),
        },
        "dct:format": {"@id": f"{EU}/file-type/{FILE_TYPES[file.format]}", "@type": "dct:MediaTypeOrExtent"},
        "dcat:mediaType": {
            "@id": f"https://www.iana.org/assignments/media-types/{file.media_type}",
            "@type": "dct:MediaType",
        },
        "dcat:byteSize": {"@value": str(file.bytes), "@type": "xsd:nonNegativeInteger"},
        "spdx:checksum": {
            "@id": f"{file.url}#sha256",
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"},
            "spdx:checksumValue": {"@value": file.sha256, "@type": "xsd:hexBinary"},
        },
        **conforms,
    }


def turtle(node: Node) -> str:
    """JSON-LD of ours as Turtle; the same nodes give the same text."""
    graph = Graph(bind_namespaces="none")
    for prefix, address in CONTEXT.items():
        graph.bind(prefix, address)
    return graph.parse(data=json.dumps(node), format="json-ld").serialize(format="turtle")


def _days(entries: Sequence[Entry]) -> Node:
    """When a catalogue's datasets began and last changed; nothing where it has none."""
    if not entries:
        return {}
    return {
        "dct:issued": _date(min(entry.issued for entry in entries)),
        "dct:modified": _date(max(entry.modified for entry in entries)),
    }


def _es(text: str) -> Node:
    return {"@value": text, "@language": "es"}


def _date(text: str) -> Node:
    return {"@value": text, "@type": "xsd:date"}


def _language() -> Node:
    return {"@id": SPANISH, "@type": "dct:LinguisticSystem"}


def _peru() -> Node:
    return {"@id": PERU, "@type": "dct:Location", "skos:prefLabel": _es("Perú")}


def _licence(licence: Licence) -> Node:
    return {"@id": licence.url, "@type": "dct:LicenseDocument"}


def _publisher(agent: Agent) -> Node:
    mailbox = {"foaf:mbox": {"@id": f"mailto:{agent.email}"}} if agent.email else {}
    return {"@id": agent.uri, "@type": "foaf:Agent", "foaf:name": _es(agent.name), **mailbox}
